package cpu

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// indexingRows cut, join and pad tensors, and read and write at indices.
func indexingRows() []row {
	direct := func(op string, takes func(*graph.Call) error, build func(*builder, *part) error) row {
		return row{op, []implementation{{kernel: "movement", algorithm: "direct", takes: takes, build: build}}}
	}
	return []row{
		direct("Concat", ofTypes(graph.Any, 0), buildConcat),
		direct("Split", ofTypes(graph.Any, 0), buildSplit),
		direct("Pad", ofTypes(graph.Any, 0), buildPad),
		direct("Gather", ofTypes(graph.Any, 0), buildGatherRows),
		direct("ScatterAdd", ofTypes(wide, 0), buildScatterAdd),
	}
}

// strip is a value whose rows of size bytes lie in the rows of a larger one,
// at bytes from their start.
type strip struct {
	value    *value
	at, size int
}

// strips lays values of these types side by side along an axis; whole is the
// size of a row of all.
func strips(types []tensor.Type, axis int, of func(i int) *value) (list []strip, whole int) {
	for i, t := range types {
		size := t.DType.Size() * t.Shape[axis:].Elements()
		if v := of(i); v != nil && size > 0 {
			list = append(list, strip{v, whole, size})
		}
		whole += size
	}
	return list, whole
}

// copyStrips copies rows of every strip, from it or to it.
func copyStrips(p *part, list []strip, rows, whole int, copyRow func(s strip, row, at int)) {
	n := rows * len(list)
	p.phases = []phase{{serial: rows*whole < 4*serialElements, task: func(worker, workers int) {
		for u := n * worker / workers; u < n*(worker+1)/workers; u++ {
			s, row := list[u/rows], u%rows
			copyRow(s, row, row*whole+s.at)
		}
	}}}
}

func buildConcat(b *builder, p *part) error {
	c := p.head()
	axis, err := c.Axis("axis")
	if err != nil {
		return err
	}
	out := b.out(c, 0)
	list, whole := strips(c.In, axis, func(i int) *value { return b.in(c, i) })
	copyStrips(p, list, c.Out[0].Shape[:axis].Elements(), whole, func(s strip, row, at int) {
		copy(out.bytes()[at:at+s.size], s.value.bytes()[row*s.size:])
	})
	return nil
}

func buildSplit(b *builder, p *part) error {
	c := p.head()
	axis, _, err := c.SplitSizes()
	if err != nil {
		return err
	}
	in := b.in(c, 0)
	list, whole := strips(c.Out, axis, func(i int) *value { return b.out(c, i) })
	copyStrips(p, list, c.In[0].Shape[:axis].Elements(), whole, func(s strip, row, at int) {
		copy(s.value.bytes()[row*s.size:][:s.size], in.bytes()[at:])
	})
	return nil
}

// buildPad: rows of the last axis are copied whole where they are inside, and
// element by element at the margins.
func buildPad(b *builder, p *part) error {
	c := p.head()
	begin, _, err := c.PadWidths()
	if err != nil {
		return err
	}
	in, out := b.in(c, 0), b.out(c, 0)
	fill := tensor.Scalar(c.In[0].DType, c.Float("value"))
	r := movesOf[c.In[0].DType.Size()].pad(c, begin, fill, in, out)
	n := out.elements()
	p.phases = []phase{{task: shareChain([]ranger{r}, n), serial: n < serialElements}}
	return nil
}

func (sized[T]) pad(c *graph.Call, begin []int, fill *tensor.Tensor, in, out *value) ranger {
	from, to := c.In[0].Shape, c.Out[0].Shape
	if len(to) == 0 {
		return func(lo, hi int) { copy(view[T](out), view[T](in)) }
	}
	last := len(to) - 1
	value := tensor.View[T](fill.Data)[0]
	onlyColumns := from[:last].Equal(to[:last]) && !slices.ContainsFunc(begin[:last], func(n int) bool { return n != 0 })
	if c.Str("mode") == "constant" && onlyColumns && from[last] <= fewColumns && begin[last] >= 0 && begin[last]+from[last] <= to[last] {
		return padColumns(begin[last], from[last], to[last], value, in, out)
	}
	sources := make([][]int, len(to)) // of each axis' elements, in elements of the input
	strides := from.Strides()
	for axis, extent := range to {
		for i := range extent {
			s := graph.PadSource(c.Str("mode"), i-begin[axis], from[axis])
			if s > 0 {
				s *= strides[axis]
			}
			sources[axis] = append(sources[axis], s)
		}
	}
	inner, end := to[last], min(to[last], begin[last]+from[last]) // of what is copied as it stands
	return func(lo, hi int) {
		x, y := view[T](in), view[T](out)
		for lo < hi {
			row, col := lo/inner, lo%inner
			n := min(inner-col, hi-lo)
			base := rowSource(sources[:last], row)
			for n > 0 {
				run := 1
				if at := sources[last][col]; base < 0 || at < 0 {
					y[lo] = value
				} else {
					if col >= begin[last] && col < end {
						run = min(n, end-col)
					}
					copy(y[lo:lo+run], x[base+at:])
				}
				lo, col, n = lo+run, col+run, n-run
			}
		}
	}
}

// fewColumns is how short rows are that padColumns is for.
const fewColumns = 4

// padColumns pads rows of few elements at their ends, as the gradient of a slice
// with steps does: all is filled, then one column after the other copied.
func padColumns[T tensor.Element](begin, have, want int, fill T, in, out *value) ranger {
	return func(lo, hi int) {
		x, y := view[T](in), view[T](out)
		for ; lo < hi; lo += blockElements {
			end := min(lo+blockElements, hi)
			for i := range y[lo:end] {
				y[lo+i] = fill
			}
			for col := range have {
				row := max(0, (lo-begin-col+want-1)/want)
				for i := row*want + begin + col; i < end; i += want {
					y[i] = x[row*have+col]
					row++
				}
			}
		}
	}
}

// rowSource is where a row of the output comes from; -1 for no place.
func rowSource(sources [][]int, row int) int {
	base := 0
	for axis := len(sources) - 1; axis >= 0; axis-- {
		extent := len(sources[axis])
		at := sources[axis][row%extent]
		if at < 0 {
			return -1
		}
		base += at
		row /= extent
	}
	return base
}

// indexed is the geometry of reading and writing at indices along an axis:
// rows of inner elements, n of them along the axis, outer times.
type indexed struct {
	outer, n, inner int
	indices         func(i int) int
	count           int // of indices
}

func newIndexed(b *builder, c *graph.Call) (*indexed, error) {
	axis, err := c.Axis("axis")
	if err != nil {
		return nil, err
	}
	s := c.In[0].Shape
	return &indexed{s[:axis].Elements(), s[axis], s[axis+1:].Elements(), indicesOf(b.in(c, 1)), c.In[1].Shape.Elements()}, nil
}

// indicesOf reads indices of either type.
func indicesOf(v *value) func(i int) int {
	if v.typ.DType == tensor.S32 {
		return func(i int) int { return int(view[int32](v)[i]) }
	}
	return func(i int) int { return int(view[int64](v)[i]) }
}

// at is index j, from 0 to n-1; false if it is outside of the axis, which ends
// the run.
func (x *indexed) at(b *builder, c *graph.Call, j int) (int, bool) {
	i := x.indices(j)
	if i < -x.n || i >= x.n {
		b.fail(c, "input indices: element %d is %d, want %d to %d", j, i, -x.n, x.n-1)
		return 0, false
	}
	if i < 0 {
		i += x.n
	}
	return i, true
}

func buildGatherRows(b *builder, p *part) error {
	c := p.head()
	x, err := newIndexed(b, c)
	if err != nil {
		return err
	}
	in, out := b.in(c, 0), b.out(c, 0)
	size := x.inner * c.In[0].DType.Size()
	rows := x.outer * x.count
	p.phases = []phase{{serial: rows*size < 4*serialElements, task: func(worker, workers int) {
		src, dst := in.bytes(), out.bytes()
		for r := rows * worker / workers; r < rows*(worker+1)/workers; r++ {
			if i, ok := x.at(b, c, r%x.count); ok {
				copy(dst[r*size:][:size], src[(r/x.count*x.n+i)*size:])
			}
		}
	}}}
	return nil
}

// buildScatterAdd shares columns among the workers, so that every element is
// added to by one of them, in the order of the indices.
func buildScatterAdd(b *builder, p *part) error {
	c := p.head()
	x, err := newIndexed(b, c)
	if err != nil {
		return err
	}
	in, updates, out := b.in(c, 0), b.in(c, 2), b.out(c, 0)
	add := loopsOf[c.In[0].DType].scatterAdd
	columns := x.outer * x.inner
	p.phases = []phase{{serial: in.elements()+updates.elements() < serialElements, task: func(worker, workers int) {
		add(b, c, x, in, updates, out, columns*worker/workers, columns*(worker+1)/workers)
	}}}
	b.mayOverlap(p, c, out, []*value{in})
	return nil
}

// scatterAdd does the columns from lo to hi, runs of those of one outer index at a
// time.
func (of[T]) scatterAdd(b *builder, c *graph.Call, x *indexed, in, updates, out *value, lo, hi int) {
	src, add, dst := view[T](in), view[T](updates), view[T](out)
	for lo < hi {
		o, r := lo/x.inner, lo%x.inner
		width := min(x.inner-r, hi-lo)
		for i := range x.n {
			at := (o*x.n+i)*x.inner + r
			copy(dst[at:at+width], src[at:])
		}
		for j := range x.count {
			i, ok := x.at(b, c, j)
			if !ok {
				break
			}
			sums, terms := dst[(o*x.n+i)*x.inner+r:][:width], add[(o*x.count+j)*x.inner+r:][:width]
			for k, v := range terms {
				sums[k] += v
			}
		}
		lo += width
	}
}
