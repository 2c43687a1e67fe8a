package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The binary version of CIFAR-10 and CIFAR-100, as
// https://www.cs.toronto.edu/~kriz/cifar.html describes it: files of records
// without a header, each one label byte (CIFAR-100: the coarse label, then the
// fine one) and 3072 bytes of an image, its red plane, then green, then blue,
// each 32 × 32 in row-major order. Text files beside them name the classes, a
// line each.
const (
	cifarSide   = 32
	cifarPlane  = cifarSide * cifarSide
	cifarPixels = 3 * cifarPlane
	cifarNames  = 1 << 20 // bytes, at most, of a file of names
)

// cifarLayout is one of the two forms of the folder.
type cifarLayout struct {
	name        string
	train, test []string // the files of each split, in order
	names       string   // the file of class names
	classes     int
	labels      int    // bytes before a record's image; the last is the label
	mark        string // the file by which a folder is known
}

var cifarLayouts = []cifarLayout{
	{
		name:  "CIFAR-10",
		train: []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
		test:  []string{"test_batch.bin"},
		names: "batches.meta.txt", classes: 10, labels: 1, mark: "data_batch_1.bin",
	},
	{
		name:  "CIFAR-100",
		train: []string{"train.bin"},
		test:  []string{"test.bin"},
		names: "fine_label_names.txt", classes: 100, labels: 2, mark: "train.bin",
	},
}

// cifarLayoutOf returns the layout of a CIFAR folder, nil of any other.
func cifarLayoutOf(dir string) *cifarLayout {
	for i, l := range cifarLayouts {
		if exists(filepath.Join(dir, l.mark)) || exists(filepath.Join(dir, l.names)) {
			return &cifarLayouts[i]
		}
	}
	return nil
}

// readDir reads a folder of the layout.
func (l *cifarLayout) readDir(ctx context.Context, dir string, opts Options) (*Set, error) {
	names, err := l.readNames(filepath.Join(dir, l.names))
	if err != nil {
		return nil, err
	}
	set := &Set{Classes: names, H: cifarSide, W: cifarSide, C: 3}
	for _, part := range []struct {
		files []string
		limit int
		into  *Split
	}{{l.train, opts.TrainLimit, &set.Train}, {l.test, opts.TestLimit, &set.Test}} {
		if *part.into, err = l.readSplit(ctx, dir, part.files, part.limit); err != nil {
			return nil, err
		}
	}
	return set, nil
}

// readSplit reads the split's files one after the other. All of them must be
// there and whole, whatever the limit: a set is not judged by a part.
func (l *cifarLayout) readSplit(ctx context.Context, dir string, files []string, limit int) (Split, error) {
	record := int64(l.labels + cifarPixels)
	counts, total := make([]int, len(files)), int64(0)
	for i, name := range files {
		path := filepath.Join(dir, name)
		size, err := l.fileSize(path)
		if err != nil {
			return Split{}, err
		}
		switch {
		case size == 0:
			return Split{}, &Error{Kind: Truncated, File: path, Field: "length", What: "is 0 bytes", Mend: "fetch the file again"}
		case size%record != 0:
			return Split{}, &Error{Kind: Truncated, File: path, Field: "length",
				What: fmt.Sprintf("%d bytes are %d records of %d bytes and %d bytes more", size, size/record, record, size%record),
				Mend: fmt.Sprintf("fetch the file again, of %s's binary version", l.name)}
		}
		counts[i] = int(size / record)
		total += size / record
	}
	n := limited(int(min(total, maxBytes)), limit)
	if uint64(n)*cifarPixels > maxBytes {
		return Split{}, &Error{Kind: Oversized, File: dir, Field: "records", What: fmt.Sprintf("%d images of %d bytes are more than the %d that are read", n, cifarPixels, uint64(maxBytes)),
			Mend: "limit the number of images"}
	}
	split := Split{Images: make([]byte, n*cifarPixels), Labels: make([]int64, n)}
	read := 0
	for i, name := range files {
		keep := min(counts[i], n-read)
		part := Split{Images: split.Images[read*cifarPixels:][:keep*cifarPixels], Labels: split.Labels[read:][:keep]}
		if err := l.readFile(ctx, filepath.Join(dir, name), part); err != nil {
			return Split{}, err
		}
		read += keep
	}
	return split, nil
}

func (l *cifarLayout) fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, &Error{Kind: Missing, File: path, What: "is missing", Mend: l.mend()}
	case err != nil:
		return 0, &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
	case !info.Mode().IsRegular():
		return 0, &Error{Kind: Unreadable, File: path, What: "is not a regular file", Mend: l.mend()}
	}
	return info.Size(), nil
}

func (l *cifarLayout) mend() string {
	files := append(append([]string{l.names}, l.train...), l.test...)
	return fmt.Sprintf("a folder of %s's binary version has %s", l.name, strings.Join(files, ", "))
}

func (l *cifarLayout) readFile(ctx context.Context, path string, into Split) error {
	f, err := os.Open(path)
	if err != nil {
		return &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
	}
	defer f.Close()
	err = l.readRecords(bufio.NewReaderSize(&cancelReader{ctx, f}, 1<<18), path, into)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// readRecords fills into, planes turned to NHWC, from the first records of r.
func (l *cifarLayout) readRecords(r io.Reader, path string, into Split) error {
	record := make([]byte, l.labels+cifarPixels)
	for i := range into.Labels {
		switch n, err := io.ReadFull(r, record); {
		case err != nil && ended(err):
			return &Error{Kind: Truncated, File: path, Field: fmt.Sprintf("record %d", i),
				What: fmt.Sprintf("ends after %d of %d bytes", n, len(record)), Mend: "fetch the file again"}
		case err != nil:
			return &Error{Kind: Unreadable, File: path, Field: fmt.Sprintf("record %d", i), What: "cannot be read", Mend: "look at the disk", Err: err}
		}
		label := int(record[l.labels-1])
		if label >= l.classes {
			return &Error{Kind: LabelRange, File: path, Field: fmt.Sprintf("label of record %d", i),
				What: fmt.Sprintf("is %d, outside the %d classes 0 to %d", label, l.classes, l.classes-1),
				Mend: fmt.Sprintf("give %s's binary version", l.name)}
		}
		into.Labels[i] = int64(label)
		planes, image := record[l.labels:], into.Images[i*cifarPixels:][:cifarPixels]
		for p := range cifarPlane {
			image[3*p], image[3*p+1], image[3*p+2] = planes[p], planes[cifarPlane+p], planes[2*cifarPlane+p]
		}
	}
	return nil
}

// readNames reads the class names, as many as there are classes, and no name
// twice. Empty lines (the published file ends with one) do not count.
func (l *cifarLayout) readNames(path string) ([]string, error) {
	size, err := l.fileSize(path)
	if err != nil {
		return nil, err
	}
	if size > cifarNames {
		return nil, &Error{Kind: Oversized, File: path, Field: "length", What: fmt.Sprintf("has %d bytes, more than a list of %d names", size, l.classes), Mend: l.mend()}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Kind: Unreadable, File: path, What: "cannot be read", Mend: "look at its permissions", Err: errors.Unwrap(err)}
	}
	return l.parseNames(path, content)
}

func (l *cifarLayout) parseNames(path string, content []byte) ([]string, error) {
	var names []string
	seen := map[string]bool{}
	for i, line := range bytes.Split(content, []byte("\n")) {
		name := string(bytes.TrimSpace(line))
		if name == "" {
			continue
		}
		if seen[name] {
			return nil, &Error{Kind: Mismatch, File: path, Field: fmt.Sprintf("line %d", i+1), What: fmt.Sprintf("names %q a second time", name), Mend: "give each class a name of its own"}
		}
		seen[name] = true
		names = append(names, name)
	}
	if len(names) != l.classes {
		return nil, &Error{Kind: Mismatch, File: path, Field: "class names", What: fmt.Sprintf("are %d, not %d", len(names), l.classes), Mend: l.mend()}
	}
	return names, nil
}
