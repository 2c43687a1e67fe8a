package cpu

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
)

// reduceRows fold axes away: every output is folded by one worker in one
// order.
func reduceRows() []row {
	of := func(op string, types graph.TypeSet, also ...implementation) row {
		return row{op, append(also, implementation{
			kernel: "reduce", algorithm: "direct",
			takes: ofTypes(types, 0), build: buildReduce,
		})}
	}
	vectors := func(fold kernel.Fold, end rowEnd) implementation {
		return implementation{
			kernel: "reduce", algorithm: "vectors",
			takes: ofTypes(f32Only, 0), build: func(b *builder, p *part) error { return buildReduceF32(b, p, fold, end) },
		}
	}
	return []row{
		of("ReduceSum", wide, vectors(kernel.FoldSum, nil)),
		of("ReduceMean", wideFloat, vectors(kernel.FoldSum, endMean)),
		of("ReduceMax", wide|graph.Bools, vectors(kernel.FoldMax, nil)),
		of("ReduceMin", wide|graph.Bools, vectors(kernel.FoldMin, nil)),
		of("ReduceProd", wide),
		of("ReduceL1", wide, vectors(kernel.FoldSumAbs, nil)),
		of("ReduceL2", wideFloat, vectors(kernel.FoldSumSquares, endRoot)),
		of("ReduceLogSum", wideFloat, vectors(kernel.FoldSum, endLog)),
		of("ReduceSumSquare", wide, vectors(kernel.FoldSumSquares, nil)),
	}
}

// rowEnd is what is done in the end to outputs that so many elements each were
// folded into; nil: nothing.
type rowEnd func(set kernel.ISA, y []float32, count int)

func endMean(set kernel.ISA, y []float32, count int) {
	if count != 1 {
		kernel.Div.Scalar(set, y, y, float32(count))
	}
}

func endRoot(_ kernel.ISA, y []float32, _ int) {
	for i, v := range y {
		y[i] = float32(math.Sqrt(float64(v)))
	}
}

func endLog(_ kernel.ISA, y []float32, _ int) {
	for i, v := range y {
		y[i] = float32(math.Log(float64(v)))
	}
}

// fold is the axes of a reduction, neighbours that are both folded or both
// kept being one.
type fold struct {
	kept, folded []axisGroup // outermost first
	outputs      int
	count        int // elements to an output
}

func newFold(c *graph.Call) (*fold, error) {
	axes, err := c.Axes("axes")
	if err != nil {
		return nil, err
	}
	shape := c.In[0].Shape
	gone := make([]bool, len(shape))
	for _, a := range axes {
		gone[a] = true
	}
	strides := shape.Strides()
	f := &fold{outputs: 1, count: 1}
	for i, extent := range shape {
		list, n := &f.kept, &f.outputs
		if gone[i] {
			list, n = &f.folded, &f.count
		}
		*n *= extent
		if extent == 1 {
			continue
		}
		if k := len(*list); k > 0 && (*list)[k-1].stride == extent*strides[i] {
			(*list)[k-1] = axisGroup{(*list)[k-1].extent * extent, strides[i]}
			continue
		}
		*list = append(*list, axisGroup{extent, strides[i]})
	}
	return f, nil
}

// offset is where the i-th element of the groups lies.
func offset(groups []axisGroup, i int) int {
	o := 0
	for k := len(groups) - 1; k >= 0; k-- {
		o += i % groups[k].extent * groups[k].stride
		i /= groups[k].extent
	}
	return o
}

// innermost tells whether the last group runs through the memory, and its
// extent; 1 if there is none.
func innermost(groups []axisGroup) (extent int, ok bool) {
	if len(groups) == 0 {
		return 1, false
	}
	g := groups[len(groups)-1]
	return g.extent, g.stride == 1
}

// buildReduceF32 folds rows where the folded axes are innermost, and folds rows
// into each other where the kept ones are.
func buildReduceF32(b *builder, p *part, how kernel.Fold, end rowEnd) error {
	c := p.head()
	f, err := newFold(c)
	if err != nil {
		return err
	}
	p.kernel = fmt.Sprintf("reduce %v", b.isa)
	in, out := b.in(c, 0), b.out(c, 0)
	task := f.eachRow
	if _, ok := innermost(f.kept); ok {
		task = f.rowByRow
	}
	p.phases = []phase{{serial: in.elements() < serialElements || f.outputs == 1, task: func(worker, workers int) {
		lo, hi := f.outputs*worker/workers, f.outputs*(worker+1)/workers
		if lo == hi {
			return
		}
		y := out.f32()[lo:hi]
		task(b.isa, how, y, in.f32(), lo)
		if end != nil {
			end(b.isa, y, f.count)
		}
	}}}
	return nil
}

// eachRow folds rows of x to numbers: the outputs from the first on.
func (f *fold) eachRow(set kernel.ISA, how kernel.Fold, y, x []float32, first int) {
	inner, runs := innermost(f.folded)
	if !runs {
		inner = 1
	}
	for o := range y {
		base, s := offset(f.kept, first+o), how.Start()
		for i := 0; i < f.count; i += inner {
			at := base + offset(f.folded, i)
			s = how.Join(s, how.Row(set, x[at:at+inner]))
		}
		y[o] = s
	}
}

// rowByRow folds rows of x into rows of outputs.
func (f *fold) rowByRow(set kernel.ISA, how kernel.Fold, y, x []float32, first int) {
	inner, _ := innermost(f.kept)
	for o := 0; o < len(y); {
		n := min(inner-(first+o)%inner, len(y)-o)
		dst, base := y[o:o+n], offset(f.kept, first+o)
		for j := range dst {
			dst[j] = how.Start()
		}
		for i := range f.count {
			how.Rows(set, dst, x[base+offset(f.folded, i):])
		}
		o += n
	}
}

func buildReduce(b *builder, p *part) error {
	c := p.head()
	f, err := newFold(c)
	if err != nil {
		return err
	}
	in, out := b.in(c, 0), b.out(c, 0)
	task := loopsOf[c.In[0].DType].fold(c, f, in, out)
	p.phases = []phase{{task: task, serial: in.elements() < serialElements/4}}
	return nil
}

// folding is a reduction's first value, its step and what is done in the end,
// if anything.
type folding[T number] struct {
	start T
	step  func(so, x T) T
	end   func(T) T
}

func (l of[T]) folding(c *graph.Call) folding[T] {
	switch c.Op.Name {
	case "ReduceMax":
		return folding[T]{start: l.least, step: func(so, x T) T { return max(so, x) }} // the builtin keeps NaN
	case "ReduceMin":
		return folding[T]{start: l.greatest, step: func(so, x T) T { return min(so, x) }}
	case "ReduceProd":
		return folding[T]{start: 1, step: func(so, x T) T { return so * x }}
	case "ReduceL1":
		return folding[T]{step: func(so, x T) T {
			if x < 0 {
				return so - x
			}
			return so + x
		}}
	case "ReduceL2":
		return folding[T]{step: func(so, x T) T { return so + x*x }, end: func(s T) T { return T(math.Sqrt(float64(s))) }}
	case "ReduceSumSquare":
		return folding[T]{step: func(so, x T) T { return so + x*x }}
	case "ReduceLogSum":
		return folding[T]{step: func(so, x T) T { return so + x }, end: func(s T) T { return T(math.Log(float64(s))) }}
	case "ReduceMean":
		n := T(c.In[0].Shape.Elements() / c.Out[0].Shape.Elements())
		return folding[T]{step: func(so, x T) T { return so + x }, end: func(s T) T { return s / n }}
	}
	return folding[T]{step: func(so, x T) T { return so + x }}
}

func (l of[T]) fold(c *graph.Call, f *fold, in, out *value) pool.Task {
	how := l.folding(c)
	inner, step := 1, 0
	outer := f.folded
	if k := len(outer); k > 0 && f.count > 0 {
		inner, step = outer[k-1].extent, outer[k-1].stride
		outer = outer[:k-1]
	}
	return func(worker, workers int) {
		x, y := view[T](in), view[T](out)
		for o := f.outputs * worker / workers; o < f.outputs*(worker+1)/workers; o++ {
			base, s := offset(f.kept, o), how.start
			for i := range f.count / inner {
				at := base + offset(outer, i)
				for j := range inner {
					s = how.step(s, x[at+j*step])
				}
			}
			if how.end != nil {
				s = how.end(s)
			}
			y[o] = s
		}
	}
}
