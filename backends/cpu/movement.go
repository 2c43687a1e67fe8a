package cpu

import (
	"errors"
	"slices"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// movementRows: what leaves every element where it is costs nothing; the rest
// is copied with strides.
func movementRows() []row {
	view := implementation{
		kernel: "view", algorithm: "no copy",
		takes: onlyViews,
		build: func(b *builder, p *part) error {
			b.alias(b.out(p.head(), 0), b.in(p.head(), 0))
			return nil
		},
	}
	gather := implementation{
		kernel: "gather", algorithm: "direct",
		takes: ofTypes(graph.Any, 0), build: buildGather,
	}
	transpose := implementation{
		kernel: "transpose", algorithm: "blocks of 8×8",
		takes: takesTranspose, build: buildTranspose,
	}
	return []row{
		{"Reshape", []implementation{view}},
		{"Flatten", []implementation{view}},
		{"Squeeze", []implementation{view}},
		{"Unsqueeze", []implementation{view}},
		{"Identity", []implementation{view}},
		{"Transpose", []implementation{view, transpose, gather}},
		{"Expand", []implementation{view, gather}},
		{"Slice", []implementation{gather}},
	}
}

// isView tells whether the output has the input's elements in their order.
func isView(c *graph.Call) bool { return onlyViews(c) == nil }

func onlyViews(c *graph.Call) error {
	switch c.Op.Name {
	case "Reshape", "Flatten", "Identity":
		return nil
	case "Expand":
		if c.In[0].Shape.Elements() == c.Out[0].Shape.Elements() {
			return nil
		}
	case "Transpose":
		if perm, err := c.Perm(); err == nil && len(mergedPerm(c.In[0].Shape, perm)) <= 1 {
			return nil
		}
	}
	return errMoves
}

var errMoves = errors.New("elements change their order")

// axisGroup is neighbouring axes of the input that stay neighbours.
type axisGroup struct{ extent, stride int }

// mergedPerm is the output's axes as groups of the input's, without those of
// extent 1. One group means that nothing moves.
func mergedPerm(shape tensor.Shape, perm []int) []axisGroup {
	strides := shape.Strides()
	var groups []axisGroup
	for _, axis := range perm {
		extent, stride := shape[axis], strides[axis]
		if extent == 1 {
			continue
		}
		if n := len(groups); n > 0 && groups[n-1].stride == extent*stride {
			groups[n-1] = axisGroup{groups[n-1].extent * extent, stride}
			continue
		}
		groups = append(groups, axisGroup{extent, stride})
	}
	return groups
}

// takesTranspose wants the exchange of the last two groups of f32 axes.
func takesTranspose(c *graph.Call) error {
	perm, err := c.Perm()
	if err != nil {
		return err
	}
	g := mergedPerm(c.In[0].Shape, perm)
	n := len(g)
	if c.In[0].DType != tensor.F32 || n < 2 || g[n-2].stride != 1 || g[n-1].stride != g[n-2].extent {
		return errors.New("not an exchange of the last axes of f32")
	}
	return nil
}

func buildTranspose(b *builder, p *part) error {
	c := p.head()
	perm, _ := c.Perm()
	g := mergedPerm(c.In[0].Shape, perm)
	in, out := b.in(c, 0), b.out(c, 0)
	n := len(g)
	cols, rows := g[n-2].extent, g[n-1].extent // of a matrix of the input
	outer := g[:n-2]
	size := rows * cols
	matrices := out.elements() / size
	bands := (cols + 63) / 64 // of the output's rows, so that one matrix can be shared
	p.phases = []phase{{serial: out.elements() < serialElements, task: func(worker, workers int) {
		src, dst := in.f32(), out.f32()
		units := matrices * bands
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			m, lo := u/bands, u%bands*64
			from := 0
			for axis, rest := len(outer)-1, m; axis >= 0; axis-- {
				from += rest % outer[axis].extent * outer[axis].stride
				rest /= outer[axis].extent
			}
			kernel.Transpose(b.isa, dst[m*size+lo*rows:], rows, src[from+lo:], cols, rows, min(64, cols-lo))
		}
	}}}
	return nil
}

// buildGather copies with strides, whatever the type.
func buildGather(b *builder, p *part) error {
	c := p.head()
	first, strides, err := stridesOf(c)
	if err != nil {
		return err
	}
	in, out := b.in(c, 0), b.out(c, 0)
	r := movesOf[c.In[0].DType.Size()].gather(c.Out[0].Shape, first, strides, in, out)
	n := out.elements()
	p.phases = []phase{{task: shareChain([]ranger{r}, n), serial: n < serialElements}}
	return nil
}

// stridesOf is where in the input the output's first element lies, and how far
// apart there its neighbours along each axis are.
func stridesOf(c *graph.Call) (first int, strides []int, err error) {
	own := c.In[0].Shape.Strides()
	switch c.Op.Name {
	case "Transpose":
		perm, err := c.Perm()
		for _, axis := range perm {
			strides = append(strides, own[axis])
		}
		return 0, strides, err
	case "Slice":
		ranges, err := c.SliceRanges()
		for axis, r := range ranges {
			first += r.Start * own[axis]
			strides = append(strides, r.Step*own[axis])
		}
		return first, strides, err
	}
	return 0, tensor.BroadcastStrides(c.In[0].Shape, c.Out[0].Shape), nil
}

// mergeAxes makes one of neighbouring axes that the input is gone through along
// as along one; there is at least one in the end.
func mergeAxes(shape tensor.Shape, strides []int) (merged tensor.Shape, steps []int) {
	for axis, extent := range shape {
		n := len(merged)
		switch {
		case extent == 1:
		case n > 0 && steps[n-1] == extent*strides[axis]:
			merged[n-1] *= extent
			steps[n-1] = strides[axis]
		default:
			merged, steps = append(merged, extent), append(steps, strides[axis])
		}
	}
	if len(merged) == 0 {
		return tensor.Shape{1}, []int{0}
	}
	return merged, steps
}

func (sized[T]) gather(shape tensor.Shape, first int, strides []int, in, out *value) ranger {
	shape, strides = mergeAxes(shape, strides)
	last := len(shape) - 1
	inner, step := shape[last], strides[last]
	outer, steps := slices.Clone(shape[:last]), strides[:last]
	return func(lo, hi int) {
		x, y := view[T](in), view[T](out)
		for lo < hi {
			row, col := lo/inner, lo%inner
			from := first + col*step
			for axis := len(outer) - 1; axis >= 0; axis-- {
				from += row % outer[axis] * steps[axis]
				row /= outer[axis]
			}
			n := min(inner-col, hi-lo)
			if step == 1 {
				copy(y[lo:lo+n], x[from:from+n])
			} else {
				for i := range n {
					y[lo+i] = x[from+i*step]
				}
			}
			lo += n
		}
	}
}
