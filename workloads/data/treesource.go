package data

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/clsbench/clsbench/workloads/data/augment"
)

// treeFile is one image of a tree: a class and the file's place in its list. A
// million of them take 8 MB.
type treeFile struct{ class, file uint32 }

// treeSource decodes the images of one split of a tree.
type treeSource struct {
	dir     string
	folders []string
	classes []treeClass
	files   []treeFile
	h, w    int
}

// newTreeSource takes the first limit files (0: all), in turn from every class.
func newTreeSource(dir string, folders []string, classes []treeClass, limit int, opts Options) (*treeSource, error) {
	total := 0
	for _, c := range classes {
		total += c.names.len()
	}
	n := limited(total, limit)
	if n > math.MaxInt32 {
		return nil, &Error{Kind: Oversized, File: dir, What: fmt.Sprintf("has %d images", n), Mend: fmt.Sprintf("limit them to %d", math.MaxInt32)}
	}
	s := &treeSource{dir: dir, folders: folders, classes: classes, h: opts.Height, w: opts.Width, files: make([]treeFile, 0, n)}
	for k := 0; len(s.files) < n; k++ {
		for label, c := range classes {
			if k < c.names.len() && len(s.files) < n {
				s.files = append(s.files, treeFile{uint32(label), uint32(k)})
			}
		}
	}
	return s, nil
}

func (s *treeSource) path(f treeFile) string {
	return filepath.Join(s.dir, s.folders[f.class], s.classes[f.class].names.at(int(f.file)))
}

// Decode reads the file of image i.
func (s *treeSource) Decode(i int) (augment.Image, error) { return decodeFile(s.path(s.files[i])) }

// Shape is the size that the tree was opened at.
func (s *treeSource) Shape() (h, w, c int) { return s.h, s.w, 3 }

// Digest hashes the names of the folders and files, and which of them are used.
func (s *treeSource) Digest(h hash.Hash) {
	for i, c := range s.classes {
		fmt.Fprintf(h, "%q %d ", s.folders[i], len(c.names.blob))
		_, _ = io.WriteString(h, c.names.blob) // a hash never fails
	}
	_ = binary.Write(h, binary.LittleEndian, s.files)
}

// skipBad leaves out the files that cannot be decoded and returns how many
// there are. Each is decoded once: the index remembers the verdict for as long
// as the file has its size and time.
func (s *treeSource) skipBad(ctx context.Context, index *treeIndex, opts Options) (int, error) {
	for i := range s.classes {
		if c := &s.classes[i]; c.verdicts == nil {
			c.verdicts = make([]verdict, c.names.len())
		}
	}
	bad := make([]bool, len(s.files))
	var lock sync.Mutex // of index.learnt
	inParallel(len(s.files), func(i int) {
		if ctx.Err() != nil {
			return
		}
		f := s.files[i]
		v := &s.classes[f.class].verdicts[f.file]
		was := *v
		if err := v.renew(s.path(f)); err != nil {
			opts.Log.Warn("image is skipped", "error", err)
		}
		bad[i] = v.bad()
		if *v != was {
			lock.Lock()
			index.learnt = true
			lock.Unlock()
		}
	})
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	kept := s.files[:0]
	for i, f := range s.files {
		if !bad[i] {
			kept = append(kept, f)
		}
	}
	skipped := len(s.files) - len(kept)
	s.files = kept
	if len(kept) == 0 {
		return 0, &Error{Kind: Missing, File: s.dir, What: fmt.Sprintf("none of its %d images can be decoded", skipped), Mend: "give JPEG, PNG or WebP files"}
	}
	return skipped, nil
}

// verdict says whether a file could be decoded, and which state of the file
// that was: a hash of its size and time above the lowest bit, which is set if
// it is bad. 0 is a file not looked at.
type verdict uint64

func (v verdict) bad() bool { return v&1 != 0 }

// renew decodes the file unless the verdict is on the state that it is in. The
// error says why a file is bad.
func (v *verdict) renew(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		*v = 1 // and looked at again next time: no state has the hash 0
		return &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: skipMend, Err: pathCause(err)}
	}
	state := stateOf(info)
	if *v&^1 == state {
		if v.bad() {
			return &Error{Kind: BadImage, File: path, What: "could not be decoded before and has not changed", Mend: skipMend}
		}
		return nil
	}
	*v = state
	if _, err := decodeFile(path); err != nil {
		*v |= 1
		return err
	}
	return nil
}

// stateOf hashes a file's size and time by SplitMix64's finaliser.
func stateOf(info fs.FileInfo) verdict {
	mix := func(z uint64) uint64 {
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	return verdict(mix(mix(uint64(info.Size()))+uint64(info.ModTime().UnixNano())))&^1 | 2
}

// pathCause strips the path that a system error repeats.
func pathCause(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
