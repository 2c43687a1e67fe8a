package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// The IDX format, as http://yann.lecun.com/exdb/mnist/ describes it: a header
// of two zero bytes, the element type and the number of dimensions, then each
// dimension as a big-endian u32, then the elements in row-major order.
const (
	idxUnsignedByte = 0x08
	idxMaxRank      = 4
	maxChannels     = 4
)

// Limits on what is read, far beyond any set of small images, so that a
// header's claim cannot take the machine's memory.
const (
	maxBytes   = min(4<<30, math.MaxInt) // of one split's images
	maxSide    = 1 << 14                 // pixels
	maxClasses = 1 << 16
	// Deflate expands by at most 1032 (RFC 1951: 258 bytes from two bits).
	maxInflate = 1032
)

// idxFile is one of the four files of an MNIST-format folder.
type idxFile struct {
	name   string
	shape  []int
	images *Split  // elements of an image file …
	labels []int64 // … or of a label file
}

// names under which an image or label file is looked for, as LeCun published
// them and as they are often unpacked.
func idxNames(base string) []string {
	dotted := strings.Replace(base, "-idx", ".idx", 1)
	return []string{base, base + ".gz", dotted, dotted + ".gz"}
}

const (
	trainImagesName = "train-images-idx3-ubyte"
	trainLabelsName = "train-labels-idx1-ubyte"
	testImagesName  = "t10k-images-idx3-ubyte"
	testLabelsName  = "t10k-labels-idx1-ubyte"
)

// idxFiles returns the four files of the set, in the order of its digest.
func (s *Set) idxFiles() [4]idxFile {
	shape := func(p Split) []int {
		if s.C == 1 {
			return []int{p.Len(), s.H, s.W}
		}
		return []int{p.Len(), s.H, s.W, s.C}
	}
	return [4]idxFile{
		{name: trainImagesName, shape: shape(s.Train), images: &s.Train},
		{name: trainLabelsName, shape: []int{s.Train.Len()}, labels: s.Train.Labels},
		{name: testImagesName, shape: shape(s.Test), images: &s.Test},
		{name: testLabelsName, shape: []int{s.Test.Len()}, labels: s.Test.Labels},
	}
}

// writeTo writes the file's bytes, header and elements.
func (f idxFile) writeTo(w io.Writer) error {
	head := []byte{0, 0, idxUnsignedByte, byte(len(f.shape))}
	for _, d := range f.shape {
		head = binary.BigEndian.AppendUint32(head, uint32(d))
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	if f.images != nil {
		return f.images.writeTo(w)
	}
	elements := make([]byte, len(f.labels))
	for i, l := range f.labels {
		elements[i] = byte(l)
	}
	_, err := w.Write(elements)
	return err
}

// fileSize is what is known of a file's length before it is read.
type fileSize struct {
	bytes      int64 // on disk
	compressed bool  // then bytes only bounds the length
}

// idxReader reads one IDX file and says what is wrong with it in terms of that
// file.
type idxReader struct {
	path string
	r    io.Reader
	size fileSize
}

func (x *idxReader) fail(kind Kind, field, what, mend string, cause error) error {
	return &Error{Kind: kind, File: x.path, Field: field, What: what, Mend: mend, Err: cause}
}

// header reads the shape of a file of images, [n, rows, columns] or [n, rows,
// columns, channels], or of labels, [n], and holds the length it claims against
// the file's own. It takes no memory for it.
func (x *idxReader) header(images bool) (shape []int, err error) {
	var head [4 + 4*idxMaxRank]byte
	if err := x.read(head[:4], "magic number", 4); err != nil {
		return nil, err
	}
	const mend = "give MNIST-format IDX files of unsigned bytes, plain or gzipped"
	switch {
	case head[0] != 0 || head[1] != 0:
		return nil, x.fail(NotIDX, "magic number", fmt.Sprintf("starts with % x, not with 00 00", head[:4]), mend, nil)
	case head[2] != idxUnsignedByte:
		return nil, x.fail(NotIDX, "element type", fmt.Sprintf("is 0x%02x, not 0x08 (unsigned byte)", head[2]), mend, nil)
	case images && head[3] != 3 && head[3] != 4, !images && head[3] != 1:
		want := "1"
		if images {
			want = "3 or 4"
		}
		return nil, x.fail(NotIDX, "dimensions", fmt.Sprintf("are %d, not %s", head[3], want),
			"image files have 3 (count, rows, columns) or 4 (channels last), label files 1 (count): are the files swapped?", nil)
	}
	rank := int(head[3])
	if err := x.read(head[4:4+4*rank], "dimensions", 4*rank); err != nil {
		return nil, err
	}
	need := uint64(4 + 4*rank)
	elements := uint64(1)
	for d := range rank {
		n := binary.BigEndian.Uint32(head[4+4*d:])
		if field := [idxMaxRank]string{"count", "rows", "columns", "channels"}[d]; n == 0 {
			return nil, x.fail(NotIDX, field, "is 0", "give a file with images", nil)
		} else if d == 3 && n > maxChannels {
			return nil, x.fail(Oversized, field, fmt.Sprintf("is %d", n), fmt.Sprintf("images are read up to %d channels", maxChannels), nil)
		} else if d > 0 && n > maxSide {
			return nil, x.fail(Oversized, field, fmt.Sprintf("is %d", n), fmt.Sprintf("images are read up to %d pixels a side", maxSide), nil)
		}
		elements *= uint64(n) // below 2³²·maxSide²·maxChannels = 2⁶²
		shape = append(shape, int(n))
	}
	return shape, x.claim(need + elements)
}

// claim holds the length that the header asks for against the file's.
func (x *idxReader) claim(need uint64) error {
	const mend = "fetch the file again"
	have := uint64(x.size.bytes)
	switch {
	case x.size.compressed && need/maxInflate > have:
		return x.fail(Truncated, "length", fmt.Sprintf("%d compressed bytes cannot hold the %d that the header claims", have, need), mend, nil)
	case !x.size.compressed && have < need:
		return x.fail(Truncated, "length", fmt.Sprintf("has %d bytes of the %d that the header claims", have, need), mend, nil)
	case !x.size.compressed && have > need:
		return x.fail(Oversized, "length", fmt.Sprintf("has %d bytes, %d more than the header claims", have, have-need), mend, nil)
	}
	return nil
}

// read fills dst; at is the file's offset after it, for the message.
func (x *idxReader) read(dst []byte, field string, want int) error {
	n, err := io.ReadFull(x.r, dst)
	switch {
	case err == nil:
		return nil
	case ended(err):
		return x.fail(Truncated, field, fmt.Sprintf("ends after %d of %d bytes", n, want), "fetch the file again", nil)
	}
	return x.broken(field, err)
}

// errTrailing is what reading a gzip file ends with that goes on after its end.
var errTrailing = errors.New("trailing bytes")

// gunzip reads one gzip stream after the other, as gzip.Reader does, but tells
// bytes that begin none from a stream that is cut off.
type gunzip struct {
	from *bufio.Reader
	z    *gzip.Reader
}

func newGunzip(from *bufio.Reader) (*gunzip, error) {
	z, err := gzip.NewReader(from)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gunzip{from, z}, nil
}

func (g *gunzip) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			return n, err
		}
		switch magic, _ := g.from.Peek(2); {
		case len(magic) == 0:
			return 0, io.EOF
		case !gzipped(magic):
			return 0, errTrailing
		}
		if err := g.z.Reset(g.from); err != nil {
			return 0, err
		}
		g.z.Multistream(false)
	}
}

func gzipped(magic []byte) bool { return bytes.Equal(magic, []byte{0x1f, 0x8b}) }

// broken is a read that failed beneath: in the system or in the compression.
func (x *idxReader) broken(field string, err error) error {
	switch {
	case ended(err):
		return x.fail(Truncated, field, "the gzip stream ends early", "fetch the file again", nil)
	case x.size.compressed:
		return x.fail(NotIDX, field, "the gzip stream is damaged", "fetch the file again", err)
	}
	return x.fail(Unreadable, field, "cannot be read", "look at the disk", err)
}

// elements reads the first keep of total bytes, then the rest without keeping
// it, and makes sure that the file ends there. Memory grows as bytes come, so
// that a compressed file pays for what it claims.
func (x *idxReader) elements(keep, total uint64) ([]byte, error) {
	const first = 64 << 20
	out := make([]byte, 0, min(keep, first))
	for uint64(len(out)) < keep {
		if len(out) == cap(out) {
			grown := make([]byte, len(out), min(keep, 2*uint64(len(out))))
			copy(grown, out)
			out = grown
		}
		n, err := x.r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if err != nil && uint64(len(out)) < keep {
			return nil, x.short(uint64(len(out)), total, err)
		}
	}
	if n, err := io.CopyN(io.Discard, x.r, int64(total-keep)); err != nil {
		return nil, x.short(keep+uint64(n), total, err)
	}
	var one [1]byte
	switch n, err := io.ReadFull(x.r, one[:]); {
	case n > 0:
		return nil, x.fail(Oversized, "elements", fmt.Sprintf("go on after the %d that the header claims", total), "fetch the file again", nil)
	case errors.Is(err, errTrailing):
		return nil, x.fail(Oversized, "length", "trailing bytes follow the gzip stream", "fetch the file again", nil)
	case !errors.Is(err, io.EOF):
		return nil, x.broken("elements", err)
	}
	return out, nil
}

// short is a file whose elements stop before the last.
func (x *idxReader) short(have, want uint64, err error) error {
	if ended(err) {
		return x.fail(Truncated, "elements", fmt.Sprintf("end after %d of %d bytes", have, want), "fetch the file again", nil)
	}
	return x.broken("elements", err)
}

// images reads an image file, the first limit of its images, and its shape
// [n, rows, columns, channels].
func (x *idxReader) images(limit int) (pixels []byte, shape []int, err error) {
	shape, err = x.header(true)
	if err != nil {
		return nil, nil, err
	}
	if len(shape) == 3 {
		shape = append(shape, 1)
	}
	size := uint64(shape[1]) * uint64(shape[2]) * uint64(shape[3])
	keep := uint64(limited(shape[0], limit)) * size
	if keep > maxBytes {
		return nil, nil, x.fail(Oversized, "count", fmt.Sprintf("%d images of %d bytes are more than the %d that are read", shape[0], size, uint64(maxBytes)),
			"limit the number of images", nil)
	}
	pixels, err = x.elements(keep, uint64(shape[0])*size)
	return pixels, shape, err
}

// labels reads a label file, all of it, and holds every label against classes.
func (x *idxReader) labels(classes int) ([]int64, error) {
	shape, err := x.header(false)
	if err != nil {
		return nil, err
	}
	if uint64(shape[0]) > maxBytes/8 {
		return nil, x.fail(Oversized, "count", fmt.Sprintf("%d labels are more than the %d that are read", shape[0], uint64(maxBytes/8)), "", nil)
	}
	raw, err := x.elements(uint64(shape[0]), uint64(shape[0]))
	if err != nil {
		return nil, err
	}
	out := make([]int64, len(raw))
	for i, l := range raw {
		if int(l) >= classes {
			return nil, x.fail(LabelRange, fmt.Sprintf("label %d", i), fmt.Sprintf("is %d, outside the %d classes 0 to %d", l, classes, classes-1),
				"mend the file or the number of classes", nil)
		}
		out[i] = int64(l)
	}
	return out, nil
}

// ended tells the end of a file, or of a compressed stream, from a failure.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
