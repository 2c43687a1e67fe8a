package augment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Pipeline is the way of an image to a network: its steps, then the size that
// the network takes.
type Pipeline struct {
	Steps  []Step // of training; none for evaluation
	H, W   int    // of what comes out
	Resize int    // as in Fit, where no step brings the image to that size
	Fill   []byte // what is erased becomes, a byte a channel, the set's mean say; nil is black
}

// stream is the random numbers of one image in one epoch.
type stream struct{ rand.PCG }

// newStream keys PCG by all three. The seed and the epoch are mixed first
// (SplitMix64's finaliser, Steele, Lea, Flood 2014), so that no two pairs of
// them share their images' streams by being close.
func newStream(seed, epoch, index uint64) *stream {
	mix := func(z uint64) uint64 {
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		return z ^ z>>31
	}
	s := new(stream)
	s.Seed(mix(mix(seed)+epoch), index)
	return s
}

// unit returns a number in [0, 1).
func (s *stream) unit() float64 { return float64(s.Uint64()>>11) / (1 << 53) }

func (s *stream) in(r Range) float64 { return r[0] + float64(s.unit()*(r[1]-r[0])) }

// inLog is uniform in the logarithm.
func (s *stream) inLog(r Range) float64 {
	return math.Exp(s.in(Range{math.Log(r[0]), math.Log(r[1])}))
}

func (s *stream) below(n int) int { return int(s.unit() * float64(n)) }

// Apply changes image number index as (seed, epoch, index) say.
func (p *Pipeline) Apply(m Image, seed, epoch, index uint64) Image {
	if len(p.Steps) > 0 {
		s := newStream(seed, epoch, index)
		for i := range p.Steps {
			m = p.Steps[i].apply(m, s, p)
		}
	}
	return Fit(m, p.Resize, p.H, p.W)
}

// Batch changes the images that indices number, in parallel, into dst, NHWC
// bytes; image gives each as it is and may be called from several goroutines.
// An error of image ends it.
func (p *Pipeline) Batch(ctx context.Context, dst []byte, seed, epoch uint64, indices []int32, image func(index int32) (Image, error), workers int) error {
	if len(indices) == 0 {
		return nil
	}
	each := len(dst) / len(indices)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range max(1, min(workers, len(indices))) {
		group.Go(func() error {
			for ctx.Err() == nil {
				k := int(next.Add(1)) - 1
				if k >= len(indices) {
					return nil
				}
				m, err := image(indices[k])
				if err != nil {
					return err
				}
				m = p.Apply(m, seed, epoch, uint64(indices[k]))
				if len(m.Pix) != each {
					return fmt.Errorf("augment: image %d comes out as %d×%d×%d, the batch holds %d bytes an image", indices[k], m.H, m.W, m.C, each)
				}
				copy(dst[k*each:], m.Pix)
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}
