package onnx

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Shapes, axes and the like are inputs in ONNX and attributes in programs:
// folded in when a model is read, written back as initialisers.

// foldedAt is where among ONNX's inputs the folded attributes begin.
func foldedAt(op *graph.Op) int {
	if op.FoldedAt > 0 {
		return op.FoldedAt
	}
	return len(op.Inputs)
}

// fold turns those inputs of a node that are attributes in programs into such.
func (r *reader) fold(op *graph.Op, n *graph.Node) error {
	at := foldedAt(op)
	if len(op.Folded) == 0 || len(n.Inputs) <= at {
		return nil
	}
	if most := len(op.Inputs) + len(op.Folded); len(n.Inputs) > most {
		return invalid("inputs", "%d inputs, the op takes %d", len(n.Inputs), most)
	}
	end := min(at+len(op.Folded), len(n.Inputs))
	folded := n.Inputs[at:end]
	n.Inputs = slices.Concat(n.Inputs[:at], n.Inputs[end:])
	for len(n.Inputs) > 0 && n.Inputs[len(n.Inputs)-1] == "" {
		n.Inputs = n.Inputs[:len(n.Inputs)-1]
	}
	for i, name := range folded {
		if name == "" {
			continue
		}
		attr := op.Folded[i]
		if _, dup := n.Attrs[attr]; dup {
			return invalid("attribute "+attr, "it is both an attribute and input %q", name)
		}
		x, err := r.known(name)
		if err != nil {
			return where("input "+attr, err)
		}
		if len(x.Shape) > 1 {
			return invalid("input "+attr, "%q is %v, want a list", name, x.Type)
		}
		v, err := attributeOf(x, kindOf(op, attr))
		if err != nil {
			return where("input "+attr, where(fmt.Sprintf("%q is %v", name, x.Type), err))
		}
		if n.Attrs == nil {
			n.Attrs = graph.Attrs{}
		}
		n.Attrs[attr] = v
		r.folded[name] = true
	}
	return nil
}

func kindOf(op *graph.Op, attr string) graph.AttrKind {
	i := slices.IndexFunc(op.Attrs, func(a graph.AttrSpec) bool { return a.Name == attr })
	return op.Attrs[i].Kind
}

// attributeOf is a tensor as an attribute's value.
func attributeOf(x *tensor.Tensor, kind graph.AttrKind) (graph.Attr, error) {
	if kind == graph.IntList {
		if !graph.Indices.Has(x.DType) {
			return graph.Attr{}, flaw("want a list of s64")
		}
		return graph.L(integers(x)...), nil
	}
	values := x.Float64s()
	if kind != graph.FloatList && len(values) != 1 {
		return graph.Attr{}, flaw("want one element")
	}
	if kind == graph.Int {
		v := int64(values[0])
		if float64(v) != values[0] {
			return graph.Attr{}, flaw(fmt.Sprintf("want a whole number, not %v", values[0]))
		}
		return graph.Attr{Kind: graph.Int, Int: v}, nil
	}
	list := make([]float32, len(values))
	for i, v := range values {
		if list[i] = float32(v); float64(list[i]) != v && v == v {
			return graph.Attr{}, unsupported("%v is no number of f32, which attributes are", v)
		}
	}
	if kind == graph.FloatList {
		return graph.Attr{Kind: kind, Floats: list}, nil
	}
	return graph.Attr{Kind: kind, Float: list[0]}, nil
}

func integers(x *tensor.Tensor) []int64 {
	if x.DType == tensor.S64 {
		return tensor.View[int64](x.Data)
	}
	var out []int64
	for _, v := range tensor.View[int32](x.Data) {
		out = append(out, int64(v))
	}
	return out
}

// inputs are the names of a node's inputs as ONNX has them. It makes
// initialisers of the folded attributes that c has; "" stands for what is left
// out in between.
func (w *writer) inputs(c *graph.Call) []string {
	names := slices.Clone(c.Inputs)
	at := foldedAt(c.Op)
	for i, attr := range c.Op.Folded {
		a, ok := c.Attrs[attr]
		if !ok || !w.isInput(c, attr) {
			continue
		}
		for len(names) < at+i {
			names = append(names, "")
		}
		name := w.fresh(c.Name + "." + attr)
		t := tensorOf(a, c.In[0].DType)
		w.folded = append(w.folded, graph.Const{Name: name, Tensor: t})
		w.g.Types[name] = t.Type
		names = slices.Insert(names, at+i, name)
	}
	return names
}

// isInput says whether an attribute is an input in the opset that is written.
func (w *writer) isInput(c *graph.Call, attr string) bool {
	return slices.Contains(c.Op.Folded, attr) && !(attr == "axes" && axesAreAttributes(c.Op.Name, w.opset))
}

// tensorOf is an attribute's value as ONNX wants the input; a single float is
// of the element type of what it is put beside.
func tensorOf(a graph.Attr, beside tensor.DType) *tensor.Tensor {
	switch a.Kind {
	case graph.Float:
		return tensor.Scalar(beside, float64(a.Float))
	case graph.FloatList:
		return of(tensor.Shape{len(a.Floats)}, a.Floats)
	case graph.Int:
		return of(tensor.Shape{1}, []int64{a.Int})
	}
	return of(tensor.Shape{len(a.Ints)}, a.Ints)
}
