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
}

// depthwiseRows is how many rows of outputs a block has.
const depthwiseRows = 4

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
		top: before[0], left: before[1], pitch: pitch, half: w.In[0]*pitch + behind,
		loops: depthwiseFor(i, size, step),
	}
}

// PaddedLen is the elements of a padded plane.
func (d *Depthwise) PaddedLen() int { return d.step * d.half }

// Pad lays a plane out in dst, which is all zeros or holds another plane.
func (d *Depthwise) Pad(dst, plane []float32) {
	dst, plane = dst[:d.PaddedLen()], plane[:d.rows*d.cols]
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
