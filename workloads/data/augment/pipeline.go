package augment

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Range is two ends, both possible.
type Range struct{ Low, High float64 }

// The ranges of torchvision's RandomResizedCrop and RandomErasing.
var (
	ImageNetScale = Range{0.08, 1}
	CropRatio     = Range{3.0 / 4, 4.0 / 3}
	EraseScale    = Range{0.02, 0.33}
	EraseRatio    = Range{0.3, 3.3}
)

// Jitter draws a factor 1 ± Brightness, and so on, a hue turned by ± Hue of the
// circle, and the order of the four.
type Jitter struct{ Brightness, Contrast, Saturation, Hue float64 }

// Pipeline is the way of an image to training. The zero value of each part
// leaves it out; they run in this order.
type Pipeline struct {
	Size        int     // RandomResizedCrop to Size × Size; 0 keeps the image's own size
	Scale       Range   // share of the area that the crop keeps; zero is all of it
	Ratio       Range   // width to height of the crop; zero is CropRatio
	Flip        float64 // probability of a horizontal flip
	RandAugment RandAugment
	Jitter      Jitter
	Erase       float64 // probability that a rectangle is erased
	EraseFill   []byte  // a byte a channel, the set's mean say; nil is black
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

func (s *stream) in(r Range) float64 { return r.Low + float64(s.unit()*(r.High-r.Low)) }

// inLog is uniform in the logarithm.
func (s *stream) inLog(r Range) float64 {
	return math.Exp(s.in(Range{math.Log(r.Low), math.Log(r.High)}))
}

func (s *stream) below(n int) int { return int(s.unit() * float64(n)) }

// Apply changes image number index as (seed, epoch, index) say.
func (p *Pipeline) Apply(m Image, seed, epoch, index uint64) Image {
	s := newStream(seed, epoch, index)
	if p.Size > 0 {
		top, left, h, w := p.crop(m, s)
		m = ResizedCrop(m, top, left, h, w, p.Size)
	}
	if p.Flip > 0 && s.unit() < p.Flip {
		m = FlipHorizontal(m)
	}
	m = p.RandAugment.apply(m, s)
	m = p.Jitter.apply(m, s)
	if p.Erase > 0 && s.unit() < p.Erase {
		if top, left, h, w, ok := eraseBox(m, s); ok {
			m = Erase(m, top, left, h, w, p.EraseFill)
		}
	}
	return m
}

// crop draws RandomResizedCrop's box: up to ten tries, then the largest box in
// the middle that keeps to the ratios.
func (p *Pipeline) crop(m Image, s *stream) (top, left, h, w int) {
	scale, ratio := p.Scale, p.Ratio
	if scale == (Range{}) {
		scale = Range{1, 1}
	}
	if ratio == (Range{}) {
		ratio = CropRatio
	}
	for range 10 {
		area, r := float64(m.H*m.W)*s.in(scale), s.inLog(ratio)
		w, h = int(math.RoundToEven(math.Sqrt(area*r))), int(math.RoundToEven(math.Sqrt(area/r)))
		if w > 0 && w <= m.W && h > 0 && h <= m.H {
			return s.below(m.H - h + 1), s.below(m.W - w + 1), h, w
		}
	}
	h, w = m.H, m.W
	switch r := float64(m.W) / float64(m.H); {
	case r < ratio.Low:
		h = int(math.RoundToEven(float64(w) / ratio.Low))
	case r > ratio.High:
		w = int(math.RoundToEven(float64(h) * ratio.High))
	}
	return (m.H - h) / 2, (m.W - w) / 2, h, w
}

// eraseBox draws RandomErasing's box; where ten tries find none that fits, the
// image stays.
func eraseBox(m Image, s *stream) (top, left, h, w int, ok bool) {
	for range 10 {
		area, r := float64(m.H*m.W)*s.in(EraseScale), s.inLog(EraseRatio)
		h, w = int(math.RoundToEven(math.Sqrt(area*r))), int(math.RoundToEven(math.Sqrt(area/r)))
		if h < m.H && w < m.W {
			return s.below(m.H - h + 1), s.below(m.W - w + 1), h, w, true
		}
	}
	return 0, 0, 0, 0, false
}

func (j Jitter) apply(m Image, s *stream) Image {
	if j == (Jitter{}) {
		return m
	}
	factor := func(by float64) float64 { return s.in(Range{max(0, 1-by), 1 + by}) }
	brightness, contrast, saturation := factor(j.Brightness), factor(j.Contrast), factor(j.Saturation)
	turn := s.in(Range{-j.Hue, j.Hue})
	order := [4]int{0, 1, 2, 3}
	for i := 3; i > 0; i-- {
		k := s.below(i + 1)
		order[i], order[k] = order[k], order[i]
	}
	for _, which := range order {
		switch {
		case which == 0 && j.Brightness > 0:
			m = Brightness(m, brightness)
		case which == 1 && j.Contrast > 0:
			m = Contrast(m, contrast)
		case which == 2 && j.Saturation > 0:
			m = Saturation(m, saturation)
		case which == 3 && j.Hue > 0:
			m = Hue(m, turn)
		}
	}
	return m
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
