package augment

import "fmt"

// Image is bytes in HWC order, channels interleaved: one (grey) or three (RGB).
// Functions of this package never write to what they are given.
type Image struct {
	H, W, C int
	Pix     []byte // [H, W, C]
}

// New returns a black image.
func New(h, w, c int) Image { return Image{h, w, c, make([]byte, h*w*c)} }

// at returns the channels of the pixel in row y, column x.
func (m Image) at(y, x int) []byte { return m.Pix[(y*m.W+x)*m.C:][:m.C] }

// like returns a black image of m's shape.
func (m Image) like() Image { return New(m.H, m.W, m.C) }

// mapped returns m with every byte of channel c replaced by its entry in
// tables[c].
func (m Image) mapped(tables [][256]byte) Image {
	out := m.like()
	for i, v := range m.Pix {
		out.Pix[i] = tables[i%m.C][v]
	}
	return out
}

// everyChannel is one table for all of an image's channels.
func (m Image) everyChannel(f func(v int) int) Image {
	tables := make([][256]byte, m.C)
	for v := range 256 {
		tables[0][v] = clip(f(v))
	}
	for c := range tables {
		tables[c] = tables[0]
	}
	return m.mapped(tables)
}

func clip(v int) byte { return byte(max(0, min(v, 255))) }

// Crop returns the h × w pixels whose upper left corner is (top, left). What
// lies outside the image is black.
func Crop(m Image, top, left, h, w int) Image {
	out := New(h, w, m.C)
	from, to := max(left, 0), min(left+w, m.W)
	if from >= to {
		return out
	}
	for y := max(top, 0); y < min(top+h, m.H); y++ {
		copy(out.Pix[((y-top)*w+from-left)*m.C:], m.Pix[(y*m.W+from)*m.C:(y*m.W+to)*m.C])
	}
	return out
}

// CenterCrop returns the middle h × w pixels. Half a pixel goes to the even
// side, as Python rounds; an image smaller than the crop is framed in black.
func CenterCrop(m Image, h, w int) Image {
	return Crop(m, margin(m.H, h), margin(m.W, w), h, w)
}

// margin is where the middle crop of a side begins: (have−want)/2, to even. A
// frame, which torchvision puts on before it crops, is rounded down at the
// beginning instead.
func margin(have, want int) int {
	d := have - want
	switch {
	case d < 0:
		return -((want - have) / 2)
	case d%4 == 3:
		return d/2 + 1
	}
	return d / 2
}

// FlipHorizontal mirrors left and right.
func FlipHorizontal(m Image) Image {
	out := m.like()
	for y := range m.H {
		for x := range m.W {
			copy(out.at(y, m.W-1-x), m.at(y, x))
		}
	}
	return out
}

// Erase fills a rectangle, cut at the border, with fill, a byte a channel (nil:
// black). torchvision erases to 0 after normalising, which is the set's mean
// before it.
func Erase(m Image, top, left, h, w int, fill []byte) Image {
	if fill == nil {
		fill = make([]byte, m.C)
	}
	if len(fill) != m.C {
		panic(fmt.Sprintf("augment: fill of %d channels for an image of %d", len(fill), m.C))
	}
	out := m.like()
	copy(out.Pix, m.Pix)
	for y := max(top, 0); y < min(top+h, m.H); y++ {
		for x := max(left, 0); x < min(left+w, m.W); x++ {
			copy(out.at(y, x), fill)
		}
	}
	return out
}
