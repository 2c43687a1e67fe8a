package data

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// readIDXDir reads a folder of four IDX files. Whether a file is gzipped is
// seen from its first bytes, since browsers and unpackers rename.
func readIDXDir(ctx context.Context, dir string, opts Options) (*Set, error) {
	if opts.Classes == 0 {
		opts.Classes = 10
	}
	set := &Set{Classes: numbered(opts.Classes)}
	for _, part := range []struct {
		images, labels string
		limit          int
		into           *Split
	}{
		{trainImagesName, trainLabelsName, opts.TrainLimit, &set.Train},
		{testImagesName, testLabelsName, opts.TestLimit, &set.Test},
	} {
		split, shape, path, err := readIDXSplit(ctx, dir, part.images, part.labels, part.limit, opts.Classes)
		if err != nil {
			return nil, err
		}
		if set.H != 0 && shape != [3]int{set.H, set.W, set.C} {
			return nil, &Error{Kind: Mismatch, File: path, Field: "rows, columns and channels",
				What: fmt.Sprintf("are %d×%d×%d, the training images' are %d×%d×%d", shape[0], shape[1], shape[2], set.H, set.W, set.C), Mend: "give files of one set"}
		}
		set.H, set.W, set.C, *part.into = shape[0], shape[1], shape[2], split
	}
	return set, nil
}

// readIDXSplit reads one image file and its labels; shape is an image's [H, W,
// C], path the image file's.
func readIDXSplit(ctx context.Context, dir, images, labels string, limit, classes int) (split Split, shape [3]int, path string, err error) {
	var all []int
	imagesPath, err := withIDX(ctx, dir, images, func(x *idxReader) (err error) {
		split.Images, all, err = x.images(limit)
		return err
	})
	if err != nil {
		return split, shape, imagesPath, err
	}
	labelsPath, err := withIDX(ctx, dir, labels, func(x *idxReader) (err error) {
		split.Labels, err = x.labels(classes)
		return err
	})
	if err != nil {
		return split, shape, labelsPath, err
	}
	if len(split.Labels) != all[0] {
		return split, shape, imagesPath, &Error{Kind: Mismatch, File: labelsPath, Field: "count",
			What: fmt.Sprintf("is %d, but %s has %d images", len(split.Labels), imagesPath, all[0]), Mend: "give files of one set"}
	}
	split.Labels = split.Labels[:limited(all[0], limit)]
	return split, [3]int(all[1:]), imagesPath, nil
}

// withIDX opens the file that has one of base's names and reads it.
func withIDX(ctx context.Context, dir, base string, read func(*idxReader) error) (path string, err error) {
	path, size, err := findIDX(dir, base)
	if err != nil {
		return path, err
	}
	unreadable := func(err error) error {
		return &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
	}
	f, err := os.Open(path)
	if err != nil {
		return path, unreadable(err)
	}
	defer f.Close()
	x := &idxReader{path: path, size: fileSize{bytes: size}}
	buffered := bufio.NewReaderSize(&cancelReader{ctx, f}, 1<<18)
	x.r = buffered
	if magic, err := buffered.Peek(2); err == nil && gzipped(magic) {
		x.size.compressed = true
		z, err := newGunzip(buffered)
		if err != nil {
			return path, x.broken("gzip header", err)
		}
		x.r = z
	}
	err = read(x)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return path, err
}

// findIDX returns the one of base's names that is in the folder. Two would be
// two contents, of which the figures would hide which was read.
func findIDX(dir, base string) (path string, size int64, err error) {
	for _, name := range idxNames(base) {
		at := filepath.Join(dir, name)
		info, err := os.Stat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return at, 0, &Error{Kind: Unreadable, File: at, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
		case !info.Mode().IsRegular():
			return at, 0, &Error{Kind: Unreadable, File: at, What: "is not a regular file", Mend: "give the four IDX files"}
		case path != "":
			return at, 0, &Error{Kind: Ambiguous, File: at, What: "lies beside " + path, Mend: "leave the one to be read and move the other away"}
		}
		path, size = at, info.Size()
	}
	if path != "" {
		return path, size, nil
	}
	return path, 0, &Error{Kind: Missing, File: filepath.Join(dir, base), What: "is missing, plain and as .gz",
		Mend: fmt.Sprintf("an MNIST-format folder has %s, %s, %s and %s", trainImagesName, trainLabelsName, testImagesName, testLabelsName)}
}

// cancelReader ends a long read when its context does.
type cancelReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// WriteIDX writes the set into dir, made if need be, as the four files of an
// MNIST-format folder, gzipped (with .gz in their names) if asked. Each appears
// whole or not at all; a file that is there already, in either form, is not
// touched, and nothing else is written then. Colour images have a fourth
// dimension, their channels. The format holds 256 classes.
func WriteIDX(dir string, set *Set, gzipped bool) error {
	if len(set.Classes) > 256 {
		return &Error{Kind: Unsupported, Field: set.Name, What: fmt.Sprintf("has %d classes", len(set.Classes)),
			Mend: "MNIST's format holds 256 classes"}
	}
	for _, f := range set.idxFiles() {
		for _, name := range idxNames(f.name) {
			if path := filepath.Join(dir, name); exists(path) {
				return &Error{Kind: Exists, File: path, What: "exists and is not overwritten", Mend: "give an empty folder or remove it"}
			}
		}
	}
	var e *Error
	if err := writeIDXDir(dir, set, gzipped); errors.As(err, &e) {
		return err // an image that cannot be decoded
	} else if err != nil {
		return &Error{Kind: Unwritable, File: dir, What: "cannot be written", Mend: "give a folder that you may write, with room on its disk", Err: err}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// writeIDXDir writes the four files, each atomically, over what is there.
func writeIDXDir(dir string, set *Set, gzipped bool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range set.idxFiles() {
		if err := f.writeFile(dir, gzipped); err != nil {
			return err
		}
	}
	return nil
}

func (f idxFile) writeFile(dir string, gzipped bool) error {
	path := filepath.Join(dir, f.name)
	if gzipped {
		path += ".gz"
	}
	// The temporary file lies beside its target, or a killed process would
	// leave it where nobody looks.
	pending, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer func() { _ = pending.Cleanup() }() // does nothing once it is in place
	if !gzipped {
		err = f.writeTo(pending)
	} else {
		z := gzip.NewWriter(pending) // without name and time: the same set, the same bytes
		if err = f.writeTo(z); err == nil {
			err = z.Close()
		}
	}
	if err != nil {
		return err
	}
	return pending.CloseAtomicallyReplace()
}
