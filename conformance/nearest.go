package conformance

import (
	"fmt"
	"math"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Who looks for a fault wants the smallest case that shows it and, beside it,
// one as like it as can be that passes: what differs between the two is where
// the fault is.

// outline is what a case looks like: what goes in, and how.
type outline struct {
	shapes []tensor.Shape
	marks  map[string]string // attributes and roles by name
}

// outlineOf is the outline of a trial: of the op under test, or of the whole
// program where there is no such op.
func outlineOf(t *Trial) outline {
	o := outline{marks: map[string]string{}}
	role := map[string]role{}
	for _, v := range t.Graph.Feeds {
		role[v.Name] = fed
	}
	for _, v := range t.Graph.State {
		role[v.Name] = held
	}
	for _, c := range t.Graph.Consts {
		role[c.Name] = frozen
	}
	if c := t.underTest(); c != nil {
		for i := range c.In {
			if c.Has(i) {
				o.shapes = append(o.shapes, c.In[i].Shape)
				o.marks[fmt.Sprint("input ", i)] = role[c.Inputs[i]].String()
			}
		}
		o.mark("", c)
		return o
	}
	for _, list := range [][]graph.Value{t.Graph.Feeds, t.Graph.State} {
		for _, v := range list {
			o.shapes = append(o.shapes, v.Type.Shape)
		}
	}
	for _, c := range t.Graph.Consts {
		o.shapes = append(o.shapes, c.Tensor.Shape)
	}
	for i := range t.Graph.Calls {
		c := &t.Graph.Calls[i]
		node := fmt.Sprint("node ", i)
		o.marks[node] = c.Op.Name
		o.mark(node+" ", c)
	}
	return o
}

// mark enters a call's attributes, defaults included.
func (o *outline) mark(prefix string, c *graph.Call) {
	for _, a := range c.Op.Attrs {
		x := c.Attr(a.Name)
		o.marks[prefix+a.Name] = fmt.Sprint(x.Int, x.Float, x.String, x.Ints)
	}
}

// distance is how unlike two cases are: the sum of |log2(a/b)| over all extents
// of all inputs, aligned at their last axes, an extent that one of them lacks
// counting as 1; and 1, as much as twice the extent, for every input that one
// of them lacks, for every attribute that differs, and for every input that is
// a feed in one and a const or state in the other.
func (o outline) distance(p outline) float64 {
	d := 0.0
	for i := range max(len(o.shapes), len(p.shapes)) {
		if i >= len(o.shapes) || i >= len(p.shapes) {
			d++
		}
		a, b := shapeAt(o.shapes, i), shapeAt(p.shapes, i)
		for k := 1; k <= max(len(a), len(b)); k++ {
			d += math.Abs(math.Log2(extentFromEnd(a, k) / extentFromEnd(b, k)))
		}
	}
	for name, v := range o.marks {
		if p.marks[name] != v {
			d++
		}
	}
	for name := range p.marks {
		if _, ok := o.marks[name]; !ok {
			d++
		}
	}
	return d
}

func shapeAt(s []tensor.Shape, i int) tensor.Shape {
	if i < len(s) {
		return s[i]
	}
	return nil
}

// extentFromEnd is the k-th extent from the end; nothing at all is half of one.
func extentFromEnd(s tensor.Shape, k int) float64 {
	switch {
	case k > len(s):
		return 1
	case s[len(s)-k] == 0:
		return 0.5
	}
	return float64(s[len(s)-k])
}

// neighbours are the smallest case that fails as res does, by the elements of
// its inputs, and the one nearest to that which passes, with its distance; ""
// where none of the same op, type and class passed.
func neighbours(rep *Report, res *Result) (smallest, nearest string, distance float64) {
	class := func(x *Result) string { return x.Op + "/" + x.DType + x.Case[strings.LastIndexByte(x.Case, '/'):] }
	least := res
	for _, x := range rep.Results {
		if class(x) == class(res) && x.Status == StatusFail && x.elements > 0 && x.elements < least.elements {
			least = x
		}
	}
	var best *Result
	for _, x := range rep.Results {
		if class(x) != class(res) || x.Status != StatusPass {
			continue
		}
		d := least.outline.distance(x.outline)
		if best == nil || d < distance || d == distance && x.elements < best.elements {
			best, distance, nearest = x, d, x.Case
		}
	}
	return least.Case, nearest, distance
}
