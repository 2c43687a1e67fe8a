package augment

import "math"

// bins is the number of magnitudes of RandAugment: 0 … 30, as in torchvision.
const bins = 31

// op is one of RandAugment's transforms, at a magnitude m = 0 … 30 in its own
// unit; signed ones go either way.
type op struct {
	name   string
	signed bool
	level  func(m float64, width, height int) float64
	apply  func(m Image, level float64) Image
}

// upTo rises evenly from 0 to top.
func upTo(top float64) func(float64, int, int) float64 {
	return func(m float64, _, _ int) float64 { return top * m / (bins - 1) }
}

// around takes a factor's distance from 1.
func around(f func(Image, float64) Image) func(Image, float64) Image {
	return func(m Image, v float64) Image { return f(m, 1+v) }
}

// ops are Cubuk, Zoph, Shlens and Le's (2020), with the ranges of torchvision's
// RandAugment.
var ops = []op{
	{"Identity", false, upTo(0), func(m Image, _ float64) Image { return m }},
	{"ShearX", true, upTo(0.3), ShearX},
	{"ShearY", true, upTo(0.3), ShearY},
	{"TranslateX", true, func(m float64, width, _ int) float64 { return 150.0 / 331 * float64(width) * m / (bins - 1) },
		func(m Image, v float64) Image { return Translate(m, int(v), 0) }},
	{"TranslateY", true, func(m float64, _, height int) float64 { return 150.0 / 331 * float64(height) * m / (bins - 1) },
		func(m Image, v float64) Image { return Translate(m, 0, int(v)) }},
	{"Rotate", true, upTo(30), Rotate},
	{"Brightness", true, upTo(0.9), around(Brightness)},
	{"Color", true, upTo(0.9), around(Saturation)},
	{"Contrast", true, upTo(0.9), around(Contrast)},
	{"Sharpness", true, upTo(0.9), around(Sharpness)},
	{"Posterize", false, func(m float64, _, _ int) float64 { return 8 - math.RoundToEven(m*4/(bins-1)) },
		func(m Image, v float64) Image { return Posterize(m, int(v)) }},
	{"Solarize", false, func(m float64, _, _ int) float64 { return 255 - 255*m/(bins-1) }, Solarize},
	{"AutoContrast", false, upTo(0), func(m Image, _ float64) Image { return AutoContrast(m) }},
	{"Equalize", false, upTo(0), func(m Image, _ float64) Image { return Equalize(m) }},
}

// randAugment draws as many of them as the step has, at its magnitude.
func (s *Step) randAugment(m Image, r *stream) Image {
	for range s.Ops {
		o := ops[r.below(len(ops))]
		level := o.level(float64(s.Magnitude), m.W, m.H)
		if o.signed && r.below(2) == 1 {
			level = -level
		}
		m = o.apply(m, level)
	}
	return m
}
