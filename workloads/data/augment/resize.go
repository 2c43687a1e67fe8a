package augment

import "math"

// Resizing is Pillow's BILINEAR: a triangle filter one input pixel wide on each
// side when enlarging and one output pixel wide when shrinking, first along the
// rows, then down the columns, each pass rounded to bytes. The weights are
// normalised, then held in 22 fraction bits (Pillow's Resample.c: 32 bits less
// 8 of a pixel and 2 of head room).
const weightBits = 32 - 8 - 2

// taps are the input positions that one output position is made of.
type taps struct {
	first   int
	weights []int64
}

// filter returns the taps of every output position along one axis.
func filter(in, out int) []taps {
	scale := float64(in) / float64(out)
	support := max(scale, 1)
	all := make([]taps, out)
	for i := range all {
		centre := float64((float64(i) + 0.5) * scale)
		first := max(int(centre-support+0.5), 0)
		last := min(int(centre+support+0.5), in)
		weights, sum := make([]float64, last-first), 0.0
		for k := range weights {
			distance := math.Abs((float64(k+first) - centre + 0.5) * (1 / support))
			weights[k] = max(1-distance, 0)
			sum += weights[k]
		}
		all[i] = taps{first, make([]int64, len(weights))}
		for k, w := range weights {
			all[i].weights[k] = int64(math.Floor(float64(w/sum*(1<<weightBits)) + 0.5))
		}
	}
	return all
}

// Resize scales an image to h × w with antialiasing.
func Resize(m Image, h, w int) Image {
	if w != m.W {
		m = resizeRows(m, w)
	}
	if h != m.H {
		m = resizeColumns(m, h)
	}
	return m
}

func resizeRows(m Image, w int) Image {
	out, all := New(m.H, w, m.C), filter(m.W, w)
	for y := range m.H {
		row, to := m.Pix[y*m.W*m.C:], out.Pix[y*w*m.C:]
		for x, t := range all {
			for c := range m.C {
				sum := int64(1) << (weightBits - 1)
				for k, weight := range t.weights {
					sum += weight * int64(row[(t.first+k)*m.C+c])
				}
				to[x*m.C+c] = clip(int(sum >> weightBits))
			}
		}
	}
	return out
}

func resizeColumns(m Image, h int) Image {
	out, width := New(h, m.W, m.C), m.W*m.C
	sums := make([]int64, width)
	for y, t := range filter(m.H, h) {
		for i := range sums {
			sums[i] = 1 << (weightBits - 1)
		}
		for k, weight := range t.weights {
			for i, v := range m.Pix[(t.first+k)*width:][:width] {
				sums[i] += weight * int64(v)
			}
		}
		for i, sum := range sums {
			out.Pix[y*width+i] = clip(int(sum >> weightBits))
		}
	}
	return out
}

// ResizeShorter scales the shorter side to size and the other in proportion,
// rounded down, as torchvision's Resize(size) does.
func ResizeShorter(m Image, size int) Image {
	if m.H < m.W {
		return Resize(m, size, size*m.W/m.H)
	}
	return Resize(m, size*m.H/m.W, size)
}

// Evaluate is the way of an image to evaluation: the shorter side to resize,
// then the middle crop × crop.
func Evaluate(m Image, resize, crop int) Image {
	return CenterCrop(ResizeShorter(m, resize), crop, crop)
}

// Cover scales an image to cover h × w and keeps the middle.
func Cover(m Image, h, w int) Image {
	if m.H*w < m.W*h { // the height is what must fit
		return CenterCrop(Resize(m, h, max(w, m.W*h/m.H)), h, w)
	}
	return CenterCrop(Resize(m, max(h, m.H*w/m.W), w), h, w)
}

// Fit is the way of an image of another size to a network's h × w: where it is
// larger and resize says to which shorter side, as Evaluate has it, else as
// Cover has it.
func Fit(m Image, resize, h, w int) Image {
	switch {
	case m.H == h && m.W == w:
		return m
	case resize >= max(h, w) && min(m.H, m.W) >= resize:
		return CenterCrop(ResizeShorter(m, resize), h, w)
	}
	return Cover(m, h, w)
}
