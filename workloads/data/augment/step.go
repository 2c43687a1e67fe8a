package augment

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Range is two ends, both possible.
type Range [2]float64

// The ranges of torchvision's RandomResizedCrop and RandomErasing.
var (
	ImageNetScale = Range{0.08, 1}
	CropRatio     = Range{3.0 / 4, 4.0 / 3}
	EraseScale    = Range{0.02, 0.33}
	EraseRatio    = Range{0.3, 3.3}
)

// Step is one random transform of training images. Parameters that are not of
// its kind stay zero; a range that is left out is torchvision's.
type Step struct {
	Kind string `yaml:"kind"`
	// P is how likely flip mirrors the image, left and right, and erase takes a
	// rectangle out of it.
	P     float64 `yaml:"p"`
	Pad   int     `yaml:"pad"`   // crop: black pixels on every side before a window of the network's size is cut out
	Scale Range   `yaml:"scale"` // resized-crop, erase: share of the area
	Ratio Range   `yaml:"ratio"` // resized-crop, erase: width to height
	// Ops and Magnitude are RandAugment's: how many transforms an image goes
	// through, each drawn anew, and how strong they are, 0 to 30. torchvision's
	// defaults are 2 and 9.
	Ops       int `yaml:"ops"`
	Magnitude int `yaml:"magnitude"`
	// jitter draws a factor 1 ± Brightness, and so on, a hue turned by ± Hue of
	// the circle, and the order of the four.
	Brightness float64 `yaml:"brightness"`
	Contrast   float64 `yaml:"contrast"`
	Saturation float64 `yaml:"saturation"`
	Hue        float64 `yaml:"hue"`
}

// The kinds of steps.
const (
	KindCrop        = "crop"         // torchvision's RandomCrop
	KindResizedCrop = "resized-crop" // RandomResizedCrop
	KindFlip        = "flip"         // RandomHorizontalFlip
	KindRandAugment = "rand-augment" // RandAugment
	KindJitter      = "jitter"       // ColorJitter
	KindErase       = "erase"        // RandomErasing
)

var kinds = []string{KindCrop, KindResizedCrop, KindFlip, KindRandAugment, KindJitter, KindErase}

const maxPad = 1 << 10 // pixels

// Validate names the first parameter that is out of range or not of the kind.
func (s *Step) Validate() error {
	flip, boxes := s.Kind == KindFlip || s.Kind == KindErase, s.Kind == KindResizedCrop || s.Kind == KindErase
	jitter, rand := s.Kind == KindJitter, s.Kind == KindRandAugment
	share := func(v float64) bool { return v >= 0 && v <= 1 }
	for _, c := range []struct {
		field             string
		given, ofKind, ok bool
		value             any
		want              string
	}{
		{"kind", true, true, slices.Contains(kinds, s.Kind), s.Kind, strings.Join(kinds, ", ")},
		{"p", s.P != 0, flip, !flip || s.P > 0 && s.P <= 1, s.P, "a probability in (0, 1]"},
		{"pad", s.Pad != 0, s.Kind == KindCrop, s.Pad >= 0 && s.Pad <= maxPad, s.Pad, fmt.Sprintf("0 to %d pixels", maxPad)},
		{"scale", s.Scale != Range{}, boxes, s.Scale == Range{} || s.Scale.rises() && s.Scale[1] <= 1, s.Scale, "two ascending shares in (0, 1]"},
		{"ratio", s.Ratio != Range{}, boxes, s.Ratio == Range{} || s.Ratio.rises(), s.Ratio, "two ascending positive numbers"},
		{"ops", s.Ops != 0, rand, !rand || s.Ops >= 1 && s.Ops <= 100, s.Ops, "1 to 100"},
		{"magnitude", s.Magnitude != 0, rand, s.Magnitude >= 0 && s.Magnitude < bins, s.Magnitude, fmt.Sprintf("0 to %d", bins-1)},
		{"brightness", s.Brightness != 0, jitter, s.Brightness >= 0 && !math.IsInf(s.Brightness, 0), s.Brightness, "0 or more"},
		{"contrast", s.Contrast != 0, jitter, s.Contrast >= 0 && !math.IsInf(s.Contrast, 0), s.Contrast, "0 or more"},
		{"saturation", s.Saturation != 0, jitter, s.Saturation >= 0 && !math.IsInf(s.Saturation, 0), s.Saturation, "0 or more"},
		{"hue", s.Hue != 0, jitter, share(2 * s.Hue), s.Hue, "a share of the circle in [0, 0.5]"},
	} {
		if c.given && !c.ofKind {
			return fmt.Errorf("%s: %v, which %s has not", c.field, c.value, s.Kind)
		}
		if !c.ok {
			return fmt.Errorf("%s: %v, want %s", c.field, c.value, c.want)
		}
	}
	return nil
}

func (r Range) rises() bool { return r[0] > 0 && r[0] <= r[1] && !math.IsInf(r[1], 0) }

// orElse is the range, or torchvision's where none is given.
func (r Range) orElse(usual Range) Range {
	if r == (Range{}) {
		return usual
	}
	return r
}

// apply changes an image by what the stream of its random numbers says.
func (s *Step) apply(m Image, r *stream, p *Pipeline) Image {
	switch s.Kind {
	case KindCrop:
		return s.crop(m, r, p.H, p.W)
	case KindResizedCrop:
		top, left, h, w := s.cropBox(m, r)
		return Resize(Crop(m, top, left, h, w), p.H, p.W)
	case KindFlip:
		if r.unit() < s.P {
			return FlipHorizontal(m)
		}
	case KindRandAugment:
		return s.randAugment(m, r)
	case KindJitter:
		return s.jitter(m, r)
	case KindErase:
		if r.unit() < s.P {
			if top, left, h, w, ok := s.eraseBox(m, r); ok {
				return Erase(m, top, left, h, w, p.Fill)
			}
		}
	}
	return m
}

// crop cuts a window of h × w out of the padded image, which is enlarged first
// where it is smaller than that.
func (s *Step) crop(m Image, r *stream, h, w int) Image {
	if m.H+2*s.Pad < h || m.W+2*s.Pad < w {
		m = Cover(m, h, w)
	}
	top, left := r.below(m.H+2*s.Pad-h+1), r.below(m.W+2*s.Pad-w+1)
	return Crop(m, top-s.Pad, left-s.Pad, h, w)
}

// cropBox draws RandomResizedCrop's box: up to ten tries, then the largest box
// in the middle that keeps to the ratios.
func (s *Step) cropBox(m Image, r *stream) (top, left, h, w int) {
	scale, ratio := s.Scale.orElse(ImageNetScale), s.Ratio.orElse(CropRatio)
	for range 10 {
		area, aspect := float64(m.H*m.W)*r.in(scale), r.inLog(ratio)
		w, h = int(math.RoundToEven(math.Sqrt(area*aspect))), int(math.RoundToEven(math.Sqrt(area/aspect)))
		if w > 0 && w <= m.W && h > 0 && h <= m.H {
			return r.below(m.H - h + 1), r.below(m.W - w + 1), h, w
		}
	}
	h, w = m.H, m.W
	switch aspect := float64(m.W) / float64(m.H); {
	case aspect < ratio[0]:
		h = max(1, int(math.RoundToEven(float64(w)/ratio[0])))
	case aspect > ratio[1]:
		w = max(1, int(math.RoundToEven(float64(h)*ratio[1])))
	}
	return (m.H - h) / 2, (m.W - w) / 2, h, w
}

// eraseBox draws RandomErasing's box; where ten tries find none that fits, the
// image stays.
func (s *Step) eraseBox(m Image, r *stream) (top, left, h, w int, ok bool) {
	scale, ratio := s.Scale.orElse(EraseScale), s.Ratio.orElse(EraseRatio)
	for range 10 {
		area, aspect := float64(m.H*m.W)*r.in(scale), r.inLog(ratio)
		h, w = int(math.RoundToEven(math.Sqrt(area*aspect))), int(math.RoundToEven(math.Sqrt(area/aspect)))
		if h < m.H && w < m.W {
			return r.below(m.H - h + 1), r.below(m.W - w + 1), h, w, true
		}
	}
	return 0, 0, 0, 0, false
}

func (s *Step) jitter(m Image, r *stream) Image {
	factor := func(by float64) float64 { return r.in(Range{max(0, 1-by), 1 + by}) }
	brightness, contrast, saturation := factor(s.Brightness), factor(s.Contrast), factor(s.Saturation)
	turn := r.in(Range{-s.Hue, s.Hue})
	order := [4]int{0, 1, 2, 3}
	for i := 3; i > 0; i-- {
		k := r.below(i + 1)
		order[i], order[k] = order[k], order[i]
	}
	for _, which := range order {
		switch {
		case which == 0 && s.Brightness > 0:
			m = Brightness(m, brightness)
		case which == 1 && s.Contrast > 0:
			m = Contrast(m, contrast)
		case which == 2 && s.Saturation > 0:
			m = Saturation(m, saturation)
		case which == 3 && s.Hue > 0:
			m = Hue(m, turn)
		}
	}
	return m
}
