package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Set is a data set: in memory, or an image tree whose files are decoded as
// they are asked for.
type Set struct {
	Name    string   // as registered, or the folder's last element
	Classes []string // class names; a label is an index into them
	H, W, C int      // an image's height, width and channels
	Train   Split
	Test    Split
	// Mean and Std are per channel, of v/255 over the training split as it is
	// here (limited, resized), for (v/255 − Mean)/Std. A channel that never
	// varies has Std 1. Of a split that is read on demand they are those of a
	// sample, 256 images spread evenly over it.
	Mean, Std []float64
	Skipped   int // images that could not be decoded, and that Options.SkipBad left out
}

// Digest returns the SHA-256, in hexadecimal, of the set's plain IDX files one
// after the other: training images, training labels, test images, test labels.
// It is what `cat train-images… train-labels… t10k-images… t10k-labels… |
// sha256sum` says of the folder that WriteIDX makes.
//
// A set that is read on demand is not read whole for it: its digest is that of
// its list, which Source.Digest describes, and of the size it is read at.
func (s *Set) Digest() string {
	h := sha256.New()
	if s.Train.Source != nil {
		fmt.Fprintf(h, "%q %d %d %d ", s.Classes, s.H, s.W, s.C)
		s.Train.Source.Digest(h)
		s.Test.Source.Digest(h)
		return hex.EncodeToString(h.Sum(nil))
	}
	for _, f := range s.idxFiles() {
		_ = f.writeTo(h) // a hash never fails
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Options narrow and shape what Open returns. The zero value is the whole set
// as it is.
type Options struct {
	TrainLimit int // keep the first so many training images; 0 keeps all
	TestLimit  int // the same for the test split
	Height     int // resize to Height × Width; both 0 keeps the set's own size
	Width      int
	Classes    int          // number of classes that a set may have; 0 is what its format says, 10 for IDX files, as in MNIST
	ClassMap   string       // of an image tree: a file that numbers and names its folders
	SkipBad    bool         // of an image tree: leave out, and count, what cannot be decoded
	CacheDir   string       // in place of $CLSBENCH_CACHE or the user's cache folder
	Workers    int          // goroutines that draw and resize; 0 is one a CPU
	Log        *slog.Logger // hears what goes wrong without harm, such as an unwritable cache; nil discards
}

func (o Options) withDefaults() (Options, error) {
	for _, f := range []struct {
		name     string
		value    int
		min, max int
	}{
		{"TrainLimit", o.TrainLimit, 0, maxBytes},
		{"TestLimit", o.TestLimit, 0, maxBytes},
		{"Height", o.Height, 0, maxSide},
		{"Width", o.Width, 0, maxSide},
		{"Classes", o.Classes, 0, maxClasses},
	} {
		if f.value < f.min || f.value > f.max {
			return o, &Error{Kind: BadOption, Field: f.name, What: fmt.Sprintf("is %d", f.value),
				Mend: fmt.Sprintf("give %d to %d", f.min, f.max)}
		}
	}
	if (o.Height == 0) != (o.Width == 0) {
		return o, &Error{Kind: BadOption, Field: "Height and Width", What: fmt.Sprintf("are %d and %d", o.Height, o.Width),
			Mend: "give both or neither"}
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Open returns the set that spec names: one of List's, or a folder of IDX
// files, of CIFAR's binary version or of an image tree. A folder that has a registered set's name is meant by "./name".
// Bad input is an *Error.
func Open(ctx context.Context, spec string, opts Options) (*Set, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	set, err := load(ctx, spec, opts)
	if err != nil {
		return nil, err
	}
	if opts.Classes > 0 && len(set.Classes) > opts.Classes {
		return nil, &Error{Kind: LabelRange, File: spec, Field: "classes", What: fmt.Sprintf("are %d, more than the %d that are wanted", len(set.Classes), opts.Classes),
			Mend: "give another data set or a network of as many classes"}
	}
	if opts.Height > 0 {
		if err := set.resize(ctx, opts.Height, opts.Width, opts.Workers); err != nil {
			return nil, err
		}
	}
	sample, err := set.Train.sample()
	if err != nil {
		return nil, err
	}
	set.Mean, set.Std = statistics(sample, set.C, opts.Workers)
	return set, nil
}

func load(ctx context.Context, spec string, opts Options) (*Set, error) {
	if Registered(spec) {
		return openRegistered(ctx, spec, opts)
	}
	switch info, err := os.Stat(spec); {
	case err != nil:
		return nil, &Error{Kind: UnknownSet, Field: "data set", What: fmt.Sprintf("%q is neither registered (%s) nor a folder", spec, registeredNames()),
			Mend: "give one of these names, or a folder of IDX (MNIST) or CIFAR binary files, or of train/CLASS/ and val/CLASS/ with images"}
	case !info.IsDir():
		return nil, &Error{Kind: UnknownSet, File: spec, What: "is a file", Mend: "give the folder that holds the files"}
	}
	read := readIDXDir
	if l := cifarLayoutOf(spec); l != nil {
		read = l.readDir
	} else if isTree(spec) {
		read = readTree
	}
	if opts.ClassMap != "" && !isTree(spec) {
		return nil, &Error{Kind: BadOption, File: spec, Field: "ClassMap", What: "is of image trees", Mend: "leave it out or give a folder of train/CLASS/ and val/CLASS/"}
	}
	set, err := read(ctx, spec, opts)
	if err != nil {
		return nil, err
	}
	set.Name = folderName(spec)
	return set, nil
}

// folderName returns what a folder's set is called.
func folderName(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

func registeredNames() string {
	var out []string
	for _, r := range registered {
		out = append(out, r.Name)
	}
	return strings.Join(out, ", ")
}
