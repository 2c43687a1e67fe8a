package kernel

import "math"

// Depthwise is the convolution of one plane by one filter of 3×3 or 5×5, with
// strides of 1 or 2. The plane is first laid out with its padding. With a
// stride of 2 its even and odd columns lie apart: what neighbouring outputs
// see of a tap are neighbours then, too.
type Depthwise struct {
	size, step       int
	rows, cols       int // of the plane
	outRows, outCols int
	top, left        int
	gap              int // from an element of the plane to its neighbour: 1, or 2 with zeros between
	pitch            int // elements of a padded row, of one parity
	half             int // of all those rows, and what is behind
	loops            *depthwiseLoops
}

// behind is how much further than the last row the loops read and write a
// padded plane: a vector.
const behind = 16

// depthwiseLoops are those of one window on one instruction set.
type depthwiseLoops struct {
	pad   func(dst, src *float32, pitch, rows, cols int)
	split func(even, odd, src *float32, pitch, rows, cols int)
	// Blocks of depthwiseRows rows, and of one.
	blocks, single func(dst *float32, dstPitch int, src *float32, pitch, odd int, weights *float32, cols, blocks int, bias, floor float32)
	grad           func(sums, dy, src *float32, pitch, odd, rows, cols int)
	lanes          int
}

// depthwiseRows is how many rows of outputs a block has.
const depthwiseRows = 4

// MaxDepthwiseTaps is the elements of the largest filter.
const MaxDepthwiseTaps = 25

// NewDepthwise plans for planes of extents with before elements of padding in
// front of each axis; nil if there is no such kernel for the window.
func NewDepthwise(i ISA, w Window, before, extents []int) *Depthwise {
	if len(extents) != 2 || product(extents) == 0 || product(w.Out) == 0 {
		return nil
	}
	size, step := w.Kernel[0], w.Strides[0]
	for axis := range 2 {
		if w.Kernel[axis] != size || w.Strides[axis] != step || w.Dilations[axis] != 1 {
			return nil
		}
	}
	if (size != 3 && size != 5) || (step != 1 && step != 2) || w.In[1] > chunk {
		return nil
	}
	pitch := (w.In[1] + step - 1) / step
	return &Depthwise{
		size: size, step: step, rows: extents[0], cols: extents[1], outRows: w.Out[0], outCols: w.Out[1],
		top: before[0], left: before[1], gap: 1, pitch: pitch, half: w.In[0]*pitch + behind,
		loops: depthwiseFor(i, size, step),
	}
}

// NewDepthwiseInputGrad plans the gradient of the plane for the window of
// NewDepthwise: planes of dY, and of the filter the last element first, give
// planes of dX.
func NewDepthwiseInputGrad(i ISA, w Window, before, extents []int) *Depthwise {
	forward := NewDepthwise(i, w, before, extents)
	if forward == nil {
		return nil
	}
	back := Window{Out: extents, Kernel: w.Kernel, Strides: []int{1, 1}, Dilations: w.Dilations}
	var front []int
	for axis, n := range extents {
		reach := w.Kernel[axis] - 1
		front = append(front, reach-before[axis])
		back.In = append(back.In, n+reach)
		if front[axis] < 0 || w.In[axis] > n+before[axis]+reach { // some outputs see nothing but padding
			return nil
		}
	}
	d := NewDepthwise(i, back, front, w.Out)
	if d != nil {
		d.gap = forward.step
	}
	return d
}

// PaddedLen is the elements of a padded plane.
func (d *Depthwise) PaddedLen() int { return d.step * d.half }

// Pad lays a plane out in dst, which is all zeros or holds another plane.
func (d *Depthwise) Pad(dst, plane []float32) {
	dst, plane = dst[:d.PaddedLen()], plane[:d.rows*d.cols]
	if d.gap > 1 {
		d.spread(dst, plane)
		return
	}
	// Column c lies at left+c of the padded row.
	at := func(column int) int { return column%d.step*d.half + d.top*d.pitch + column/d.step }
	first, second := at(d.left), at(d.left+1)
	for y, n := 0, max(1, chunk/d.cols); y < d.rows; y += n {
		rows, src, o := min(n, d.rows-y), plane[y*d.cols:], y*d.pitch
		switch {
		case d.loops == nil:
			d.padGo(dst[first+o:], dst[second+o:], src[:rows*d.cols])
		case d.step == 1:
			d.loops.pad(&dst[first+o], &src[0], d.pitch, rows, d.cols)
		default:
			d.loops.split(&dst[first+o], &dst[second+o], &src[0], d.pitch, rows, d.cols)
		}
	}
}

// spread is Pad with a gap.
func (d *Depthwise) spread(dst, plane []float32) {
	for y := range d.rows {
		row := dst[(d.top+y*d.gap)*d.pitch+d.left:][:(d.cols-1)*d.gap+1]
		for x, v := range plane[y*d.cols:][:d.cols] {
			row[x*d.gap] = v
		}
	}
}

// padGo puts the columns in turn to first and second, if they lie apart.
func (d *Depthwise) padGo(first, second, src []float32) {
	for y := 0; len(src) > 0; y, src = y+1, src[d.cols:] {
		if d.step == 1 {
			copy(first[y*d.pitch:], src[:d.cols])
			continue
		}
		for x := 0; x < d.cols; x += 2 {
			first[y*d.pitch+x/2] = src[x]
			if x+1 < d.cols {
				second[y*d.pitch+x/2] = src[x+1]
			}
		}
	}
}

// Filter writes a plane of outputs: the padded plane under the filter plus the
// bias, and then ReLU, if asked.
func (d *Depthwise) Filter(dst, padded, weights []float32, bias float32, relu bool) {
	dst, padded, weights = dst[:d.outRows*d.outCols], padded[:d.PaddedLen()], weights[:d.size*d.size]
	floor := float32(math.Inf(-1))
	if relu {
		floor = 0
	}
	if d.loops == nil {
		d.filterGo(dst, padded, weights, bias, floor)
		return
	}
	run := func(loop func(*float32, int, *float32, int, int, *float32, int, int, float32, float32), y, blocks int) {
		loop(&dst[y*d.outCols], d.outCols, &padded[d.step*y*d.pitch], d.pitch, d.half, &weights[0], d.outCols, blocks, bias, floor)
	}
	whole, y := d.outRows-d.outRows%depthwiseRows, 0
	for few := max(1, chunk/2/(depthwiseRows*d.outCols)); y < whole; {
		n := min(few, (whole-y)/depthwiseRows)
		run(d.loops.blocks, y, n)
		y += n * depthwiseRows
	}
	if rest := d.outRows - whole; rest > 1 && whole > 0 {
		run(d.loops.blocks, d.outRows-depthwiseRows, 1) // some of its rows anew
	} else if rest > 0 {
		run(d.loops.single, y, rest)
	}
}

func (d *Depthwise) filterGo(dst, padded, weights []float32, bias, floor float32) {
	n := d.outCols
	for y := range d.outRows {
		line := dst[y*n:][:n]
		for x := range line {
			line[x] = bias
		}
		for i := range d.size {
			row := padded[(d.step*y+i)*d.pitch:]
			tap := func(j int) (w float32, x []float32) {
				return weights[i*d.size+j], row[j%d.step*d.half+j/d.step:][:n]
			}
			v, a := tap(0)
			w, b := tap(1)
			u, c := tap(2)
			for x := range line {
				line[x] += v*a[x] + w*b[x] + u*c[x]
			}
			if d.size == 5 {
				v, a = tap(3)
				w, b = tap(4)
				for x := range line {
					line[x] += v*a[x] + w*b[x]
				}
			}
		}
		for x, s := range line {
			line[x] = max(s, floor)
		}
	}
}

// FilterGradLen is how many partial sums FilterGrad adds to.
func (d *Depthwise) FilterGradLen() int {
	if d.loops == nil {
		return d.size * d.size
	}
	return d.size * d.size * d.loops.lanes
}

// FilterGrad adds to partial sums of the gradient of the filter what a plane of
// dY and the padded plane that it came of give.
func (d *Depthwise) FilterGrad(sums, padded, dy []float32) {
	sums, padded, dy = sums[:d.FilterGradLen()], padded[:d.PaddedLen()], dy[:d.outRows*d.outCols]
	if d.loops == nil {
		d.filterGradGo(sums, padded, dy)
		return
	}
	for y, few := 0, max(1, chunk/4/d.outCols); y < d.outRows; y += few {
		d.loops.grad(&sums[0], &dy[y*d.outCols], &padded[d.step*y*d.pitch], d.pitch, d.half, min(few, d.outRows-y), d.outCols)
	}
}

func (d *Depthwise) filterGradGo(sums, padded, dy []float32) {
	for y := range d.outRows {
		line := dy[y*d.outCols:][:d.outCols]
		for k := range sums {
			i, j := k/d.size, k%d.size
			row := padded[(d.step*y+i)*d.pitch+j%d.step*d.half+j/d.step:][:len(line)]
			s := float32(0)
			for x, g := range line {
				s += g * row[x]
			}
			sums[k] += s
		}
	}
}

// TakeFilterGrad adds the partial sums up into those of the filter's elements,
// and begins with new ones.
func (d *Depthwise) TakeFilterGrad(grad []float64, sums []float32) {
	taps := d.size * d.size
	lanes := d.FilterGradLen() / taps
	for k := range grad[:taps] {
		own := sums[k*lanes:][:lanes]
		var s [4]float64 // an addition need not wait for the one before
		for ; len(own) >= 4; own = own[4:] {
			s[0] += float64(own[0])
			s[1] += float64(own[1])
			s[2] += float64(own[2])
			s[3] += float64(own[3])
		}
		for _, v := range own {
			s[0] += float64(v)
		}
		grad[k] += s[0] + s[1] + (s[2] + s[3])
	}
	clear(sums)
}
