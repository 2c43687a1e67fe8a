package cpu

// frame is how images lie in zeros: a group of one is channels planes of
// extents, with before[i] zeros in front of axis i of padded[i] in all.
type frame struct {
	channels                int
	extents, before, padded []int
	imageStep               int // elements from image to image; its groups follow each other
}

// size is the elements of a group's planes, paddedSize with the zeros.
func (f *frame) size() int       { return f.channels * elements(f.extents) }
func (f *frame) paddedSize() int { return f.channels * elements(f.padded) }

// pads tells whether there are any zeros.
func (f *frame) pads() bool { return f.size() != f.paddedSize() }

// image is group k of image n.
func (f *frame) image(x []float32, n, k int) []float32 {
	return lineOf(x[n*f.imageStep:], k, f.size())
}

// fill copies an image into its place among zeros.
func (f *frame) fill(dst, src []float32) {
	last := len(f.extents) - 1
	line := f.extents[last]
	lines := elements(f.extents[:last])
	size := elements(f.padded)
	for l := range lines {
		at := f.lineAt(l)
		for ch := range f.channels {
			copy(dst[ch*size+at:][:line], src[(ch*lines+l)*line:])
		}
	}
}

// lineAt is where line l of a plane begins in the padded plane.
func (f *frame) lineAt(l int) int {
	last := len(f.extents) - 1
	at, step := f.before[last], f.padded[last]
	for axis := last - 1; axis >= 0; axis-- {
		at += (l%f.extents[axis] + f.before[axis]) * step
		l /= f.extents[axis]
		step *= f.padded[axis]
	}
	return at
}

// padding gives a worker the padded images of a value, one after the other.
type padding struct {
	f     *frame
	buf   *memory // nil: nothing to pad
	valid bool    // buf is group k of image n of this step
	n, k  int
}

// paddings are one a worker.
func (b *builder) paddings(f *frame) []padding {
	list := make([]padding, b.workers)
	for i := range list {
		list[i] = padding{f: f}
		if f.pads() {
			list[i].buf = b.scratch(4 * f.paddedSize())
		}
	}
	return list
}

// begin forgets what the last step left; the zeros, too.
func (p *padding) begin() { p.valid = false }

// image is the padded group k of image n.
func (p *padding) image(x []float32, n, k int) []float32 {
	src := p.f.image(x, n, k)
	if p.buf == nil {
		return src
	}
	dst := p.buf.f32()
	if p.valid && p.n == n && p.k == k {
		return dst
	}
	if !p.valid {
		clear(dst)
	}
	p.valid, p.n, p.k = true, n, k
	p.f.fill(dst, src)
	return dst
}
