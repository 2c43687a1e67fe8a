package augment

import "math"

// luma is Pillow's conversion from RGB to grey: ITU-R BT.601's weights in
// 16 bits, rounded.
func luma(p []byte) byte {
	if len(p) == 1 {
		return p[0]
	}
	return byte((uint32(p[0])*19595 + uint32(p[1])*38470 + uint32(p[2])*7471 + 0x8000) >> 16)
}

// blend goes from a level to another by a factor, and beyond it: Pillow's
// Image.blend, in float32, cut at black and white. The conversion forbids a
// fused multiply-add.
func blend(from, to byte, factor float32) byte {
	v := float32(from) + float32(factor*float32(int(to)-int(from)))
	switch {
	case v <= 0:
		return 0
	case v >= 255:
		return 255
	}
	return byte(v)
}

// Brightness multiplies every level: factor 0 is black, 1 the image as it is.
func Brightness(m Image, factor float64) Image {
	return m.everyChannel(func(v int) int { return int(blend(0, byte(v), float32(factor))) })
}

// Contrast stretches the levels about the mean of the grey image: factor 0 is
// grey all over, 1 the image as it is.
func Contrast(m Image, factor float64) Image {
	var sum int
	for i := 0; i < len(m.Pix); i += m.C {
		sum += int(luma(m.Pix[i : i+m.C]))
	}
	mean := byte(float64(sum)/float64(m.H*m.W) + 0.5)
	return m.everyChannel(func(v int) int { return int(blend(mean, byte(v), float32(factor))) })
}

// Saturation goes from the grey image (factor 0) to the image as it is (1) and
// beyond. A grey image stays.
func Saturation(m Image, factor float64) Image {
	out := m.like()
	for i := 0; i < len(m.Pix); i += m.C {
		grey := luma(m.Pix[i : i+m.C])
		for c := range m.C {
			out.Pix[i+c] = blend(grey, m.Pix[i+c], float32(factor))
		}
	}
	return out
}

// Sharpness goes from the smoothed image (factor 0) to the image as it is (1)
// and beyond. Smoothing weighs a pixel 5, its eight neighbours 1; the border
// stays.
func Sharpness(m Image, factor float64) Image {
	out := m.like()
	for y := range m.H {
		for x := range m.W {
			for c, v := range m.at(y, x) {
				smooth := v
				if y > 0 && y < m.H-1 && x > 0 && x < m.W-1 {
					sum := 4 * int(v)
					for dy := -1; dy <= 1; dy++ {
						for dx := -1; dx <= 1; dx++ {
							sum += int(m.at(y+dy, x+dx)[c])
						}
					}
					smooth = byte((2*sum + 13) / 26)
				}
				out.at(y, x)[c] = blend(smooth, v, float32(factor))
			}
		}
	}
	return out
}

// Hue turns the hue by a share of the circle, −0.5 to 0.5, in Pillow's HSV of
// bytes. A grey image stays.
func Hue(m Image, turn float64) Image {
	if m.C != 3 {
		return m
	}
	out := m.like()
	shift := byte(int(turn * 255))
	for i := 0; i < len(m.Pix); i += 3 {
		h, s, v := toHSV(m.Pix[i], m.Pix[i+1], m.Pix[i+2])
		out.Pix[i], out.Pix[i+1], out.Pix[i+2] = fromHSV(h+shift, s, v)
	}
	return out
}

// toHSV is the hexcone model (A. R. Smith 1978), each of the three in a byte.
func toHSV(r, g, b byte) (h, s, v byte) {
	top, bottom := max(r, g, b), min(r, g, b)
	if top == bottom {
		return 0, 0, top
	}
	spread := float32(int(top) - int(bottom))
	rc := float32(int(top)-int(r)) / spread
	gc := float32(int(top)-int(g)) / spread
	bc := float32(int(top)-int(b)) / spread
	var sixth float32
	switch top {
	case r:
		sixth = bc - gc
	case g:
		sixth = float32(2 + float64(rc) - float64(bc))
	default:
		sixth = float32(4 + float64(gc) - float64(rc))
	}
	turn := float32(math.Mod(float64(sixth)/6+1, 1))
	return clip(int(float64(turn) * 255)), clip(int(float64(spread/float32(top)) * 255)), top
}

func fromHSV(h, s, v byte) (r, g, b byte) {
	if s == 0 {
		return v, v, v
	}
	sixth := float32(float64(h) * 6 / 255)
	share := float32(float64(s) / 255)
	whole := math.Floor(float64(sixth))
	f := float32(float64(sixth) - whole)
	level := func(x float64) byte { return clip(int(math.Round(float64(v) * x))) }
	p := level(1 - float64(share))
	q := level(1 - float64(share*f))
	t := level(1 - float64(float64(share)*(1-float64(f))))
	switch int(whole) % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}

// Posterize keeps the highest bits of every level.
func Posterize(m Image, bits int) Image {
	mask := ^(1<<(8-bits) - 1)
	return m.everyChannel(func(v int) int { return v & mask })
}

// Solarize inverts the levels at threshold and above.
func Solarize(m Image, threshold float64) Image {
	return m.everyChannel(func(v int) int {
		if float64(v) < threshold {
			return v
		}
		return 255 - v
	})
}

// AutoContrast stretches each channel's levels over 0 … 255.
func AutoContrast(m Image) Image {
	tables := make([][256]byte, m.C)
	for c, h := range histograms(m) {
		low, high := 0, 255
		for low < 255 && h[low] == 0 {
			low++
		}
		for high > 0 && h[high] == 0 {
			high--
		}
		scale, offset := 1.0, 0.0
		if high > low {
			scale = 255 / float64(high-low)
			offset = float64(-low) * scale
		}
		for v := range 256 {
			tables[c][v] = clip(int(float64(float64(v)*scale) + offset))
		}
	}
	return m.mapped(tables)
}

// Equalize spreads each channel's levels so that they are about equally
// frequent.
func Equalize(m Image) Image {
	tables := make([][256]byte, m.C)
	for c, h := range histograms(m) {
		last, kinds := 0, 0
		for v, n := range h {
			if n > 0 {
				last, kinds = v, kinds+1
			}
		}
		step := (m.H*m.W - h[last]) / 255
		n := step / 2
		for v := range 256 {
			if kinds <= 1 || step == 0 {
				tables[c][v] = byte(v)
				continue
			}
			tables[c][v] = clip(n / step)
			n += h[v]
		}
	}
	return m.mapped(tables)
}

func histograms(m Image) [][256]int {
	out := make([][256]int, m.C)
	for i, v := range m.Pix {
		out[i%m.C][v]++
	}
	return out
}
