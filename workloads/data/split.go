package data

import (
	"fmt"
	"hash"
	"io"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/clsbench/clsbench/workloads/data/augment"
)

// Split is one part of a set: Images in memory, or a Source that makes them as
// they are asked for, never both.
type Split struct {
	Images []byte  // NHWC, [Len, H, W, C]
	Labels []int64 // [Len], each in 0 … len(Set.Classes)−1
	Source Source
}

// Source makes the images of a split that is not kept in memory. Its methods
// may be called from several goroutines at once.
type Source interface {
	// Decode returns image i as it is stored, of any height and width.
	Decode(i int) (augment.Image, error)
	// Shape is the set's H, W and C, which Split.Read brings an image to.
	Shape() (h, w, c int)
	// Digest hashes what the split is made of, without making an image.
	Digest(h hash.Hash)
}

// Len returns the number of images.
func (s Split) Len() int { return len(s.Labels) }

// Size returns the number of bytes in an image, H·W·C.
func (s Split) Size() int {
	if s.Source != nil {
		h, w, c := s.Source.Shape()
		return h * w * c
	}
	return len(s.Images) / len(s.Labels)
}

// Image returns image i, [H, W, C], sharing the split's memory. It panics on a
// split with a Source; Read takes both kinds.
func (s Split) Image(i int) []byte {
	size := len(s.Images) / len(s.Labels)
	return s.Images[i*size : (i+1)*size : (i+1)*size]
}

// Read copies the images at indices into dst, NHWC bytes [len(indices), H, W,
// C], in parallel where they must be decoded. It panics on a buffer of another
// size. The error is that of the lowest index that fails, an *Error.
func (s Split) Read(dst []byte, indices []int32) error {
	size := s.Size()
	if len(dst) != len(indices)*size {
		panic(fmt.Sprintf("data: %d images of %d bytes into %d bytes", len(indices), size, len(dst)))
	}
	if s.Source == nil {
		for k, i := range indices {
			copy(dst[k*size:], s.Image(int(i)))
		}
		return nil
	}
	h, w, _ := s.Source.Shape()
	failed := make([]error, len(indices))
	inParallel(len(indices), func(k int) {
		m, err := s.Source.Decode(int(indices[k]))
		if err != nil {
			failed[k] = err
			return
		}
		copy(dst[k*size:(k+1)*size], augment.Cover(m, h, w).Pix)
	})
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// Decode returns image i of one of the set's splits for augmentation: as it is
// stored, of any size, where a Source has it; as the set has it, [H, W, C],
// where it is in memory, whose pixels it shares.
func (s *Set) Decode(split Split, i int) (augment.Image, error) {
	if split.Source != nil {
		return split.Source.Decode(i)
	}
	return augment.Image{H: s.H, W: s.W, C: s.C, Pix: split.Image(i)}, nil
}

// writeTo writes the images' bytes one after the other.
func (s Split) writeTo(w io.Writer) error {
	if s.Source == nil {
		_, err := w.Write(s.Images)
		return err
	}
	const chunk = 64
	indices, pixels := make([]int32, 0, chunk), make([]byte, chunk*s.Size())
	for start := 0; start < s.Len(); start += chunk {
		indices = indices[:0]
		for i := start; i < min(start+chunk, s.Len()); i++ {
			indices = append(indices, int32(i))
		}
		part := pixels[:len(indices)*s.Size()]
		if err := s.Read(part, indices); err != nil {
			return err
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// inParallel calls each of 0 … n−1 once, on as many CPUs as there are.
func inParallel(n int, each func(k int)) {
	var next atomic.Int64
	var group errgroup.Group
	for range min(n, runtime.GOMAXPROCS(0)) {
		group.Go(func() error {
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				each(k)
			}
			return nil
		})
	}
	_ = group.Wait() // nothing in it fails
}

// sampleImages are how many images stand for a split that is read on demand.
const sampleImages = 256

// sample returns images to take the statistics of: all that are in memory, or
// some spread evenly over the split.
func (s Split) sample() ([]byte, error) {
	if s.Source == nil {
		return s.Images, nil
	}
	indices := make([]int32, min(s.Len(), sampleImages))
	for k := range indices {
		indices[k] = int32(k * s.Len() / len(indices))
	}
	out := make([]byte, len(indices)*s.Size())
	return out, s.Read(out, indices)
}

// atSize is a Source at another size.
type atSize struct {
	Source
	h, w int
}

func (a atSize) Shape() (h, w, c int) {
	_, _, c = a.Source.Shape()
	return a.h, a.w, c
}
