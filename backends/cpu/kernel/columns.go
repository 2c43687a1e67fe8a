package kernel

import (
	"fmt"
	"math"
)

// Window is the geometry of a convolution, one entry a spatial axis. In counts
// the padding on both sides.
type Window struct {
	In, Out, Kernel, Strides, Dilations []int
}

func product(s []int) int {
	n := 1
	for _, v := range s {
		n *= v
	}
	return n
}

// indices counts through an index space, the last axis fastest.
type indices struct{ at, extents []int }

func newIndices(extents []int) *indices { return &indices{make([]int, len(extents)), extents} }

func (x *indices) next() {
	for i := len(x.at) - 1; i >= 0; i-- {
		if x.at[i]++; x.at[i] < x.extents[i] {
			return
		}
		x.at[i] = 0
	}
}

// place is the offset in a padded plane of the index at, each axis by its step.
func (w *Window) place(at, steps []int) int {
	o := 0
	for i, extent := range w.In {
		o = o*extent + at[i]*steps[i]
	}
	return o
}

// Columns turns a padded image, channels × In, into the matrix whose columns
// are what the windows see ("im2col"; Chellapilla, Puri and Simard 2006):
// row (channel, tap), column = output position, row-major. It writes panels of
// columns as Gemm wants them, straight from the image.
type Columns struct {
	Rows, Cols int // the whole matrix
	isa        ISA
	width      int
	image      int     // elements
	offsets    []int32 // of each row, in the image
	panels     [][]run // the columns of each panel, as runs of the image
}

// NewColumns plans panels of width columns. It refuses images beyond 2³¹
// elements.
func NewColumns(i ISA, width, channels int, w Window) (*Columns, error) {
	taps, plane := product(w.Kernel), product(w.In)
	if channels*plane > math.MaxInt32 {
		return nil, fmt.Errorf("image of %d×%d elements: want less than 2^31", channels, plane)
	}
	c := &Columns{Rows: channels * taps, Cols: product(w.Out), isa: i, width: width, image: channels * plane}
	for ch := range channels {
		tap := newIndices(w.Kernel)
		for range taps {
			c.offsets = append(c.offsets, int32(ch*plane+w.place(tap.at, w.Dilations)))
			tap.next()
		}
	}
	out := newIndices(w.Out)
	for first := 0; first < c.Cols; first += width {
		var runs []run
		open := run{}
		for col := range min(width, c.Cols-first) {
			at := int32(w.place(out.at, w.Strides))
			if at != open[0]+open[2] {
				runs = splitRun(i, runs, open)
				open = run{at, int32(col), 0}
			}
			open[2]++
			out.next()
		}
		c.panels = append(c.panels, splitRun(i, runs, open))
	}
	return c, nil
}

// Panels is the number of panels, the last one perhaps not full.
func (c *Columns) Panels() int { return len(c.panels) }

// Pack writes depth rows from k0 on of one panel, rows of the panel's width.
// Columns beyond the last are left as they are.
func (c *Columns) Pack(dst, image []float32, panel, k0, depth int) {
	dst, image = dst[:depth*c.width], image[:c.image]
	copyRuns(c.isa, dst, c.width, image, c.offsets[k0:k0+depth], c.panels[panel])
}

// ColumnSums is the adjoint of Columns: it adds the elements of a matrix of
// columns up where they came from, leaving the padding out ("col2im"). Every
// element of the image is a sum of its own, so that nothing is written twice.
type ColumnSums struct {
	isa    ISA
	plane  int // elements of a channel of the image, without padding
	step   int // elements of the matrix from channel to channel
	chunks []sumChunk
	terms  []term
}

// NewColumnSums plans for a matrix of ld elements a row and an image with
// before[i] elements of padding in front of axis i, extents[i] of its own.
func NewColumnSums(i ISA, ld int, w Window, before, extents []int) (*ColumnSums, error) {
	taps, last := product(w.Kernel), len(w.In)-1
	if plane := product(extents); taps*ld > math.MaxInt32 || plane > math.MaxInt32 {
		return nil, fmt.Errorf("matrix of %d×%d elements for planes of %d: want less than 2^31", taps, ld, plane)
	}
	s := &ColumnSums{isa: i, plane: product(extents), step: taps * ld}
	lanes := 1 // strided windows meet neighbours in different columns
	if w.Strides[last] == 1 {
		lanes = min(maxRun(i), 16)
	}
	at := newIndices(extents)
	for dst := 0; dst < s.plane; {
		cols, first := min(lanes, extents[last]-at.at[last]), len(s.terms)
		tap := newIndices(w.Kernel)
		for k := range taps {
			if t, ok := w.term(at.at, before, tap.at, cols); ok {
				t[0] += int32(k * ld)
				s.terms = append(s.terms, t)
			}
			tap.next()
		}
		s.chunks = append(s.chunks, sumChunk{int32(dst), int32(cols), int32(len(s.terms) - first)})
		dst += cols
		for range cols {
			at.next()
		}
	}
	return s, nil
}

// term finds the output position whose window's tap falls on each of the cols
// elements from at on: the offset of the first, and which of them exist.
func (w *Window) term(at, before, tap []int, cols int) (term, bool) {
	last := len(at) - 1
	o := 0
	for i := range at {
		p := at[i] + before[i] - tap[i]*w.Dilations[i]
		if i < last || cols == 1 {
			if p < 0 || p%w.Strides[i] != 0 || p/w.Strides[i] >= w.Out[i] {
				return term{}, false
			}
			p /= w.Strides[i]
		}
		o = o*w.Out[i] + p
		if i < last || cols == 1 {
			continue
		}
		mask := 0
		for j := range cols {
			if p+j >= 0 && p+j < w.Out[i] {
				mask |= 1 << j
			}
		}
		return term{int32(o), int32(mask)}, mask != 0
	}
	return term{int32(o), 1}, true
}

// Sum writes the image: channels planes from the columns of as many channels.
func (s *ColumnSums) Sum(image, columns []float32, channels int) {
	image, columns = image[:channels*s.plane], columns[:channels*s.step]
	for ch := range channels {
		sumRuns(s.isa, image[ch*s.plane:], columns[ch*s.step:], s.chunks, s.terms)
	}
}

// Places are where, in a padded plane, each output's window begins and where
// from there each tap lies.
func Places(w Window) (outputs []int32, taps []int) {
	out, tap := newIndices(w.Out), newIndices(w.Kernel)
	for range product(w.Out) {
		outputs = append(outputs, int32(w.place(out.at, w.Strides)))
		out.next()
	}
	for range product(w.Kernel) {
		taps = append(taps, w.place(tap.at, w.Dilations))
		tap.next()
	}
	return outputs, taps
}
