package onnx

import (
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Programs are static: what ONNX computes shapes and axes from must be known
// when a model is read. known gives such values: constants, inputs whose
// values the caller gave, and what an evaluator makes of nodes before.

// Evaluator computes one op on tensors, for WithEvaluator.
type Evaluator func(c *graph.Call, in []*tensor.Tensor) ([]*tensor.Tensor, error)

// WithInputs gives values of a model's inputs. Their types replace those that
// the model leaves open, and where an input gives a shape or axes it becomes an
// attribute; inputs that nothing else reads are no feeds of the program then.
func WithInputs(values map[string]*tensor.Tensor) Option {
	return func(o *options) { o.given = values }
}

// WithEvaluator lets shapes and axes be computed by the model's own nodes from
// constants and given inputs.
func WithEvaluator(f Evaluator) Option {
	return func(o *options) { o.evaluate = f }
}

// maxMade bounds what a model may have filled in that takes no room in its file,
// in bytes, unless WithRoom allows more.
const maxMade = 64 << 20

// WithRoom allows constants of so many bytes in all that are made from shapes
// (ConstantOfShape, EyeLike), as the weights of ONNX's light models are.
func WithRoom(bytes int64) Option { return func(o *options) { o.room = bytes } }

// make is a tensor that a few bytes of a model ask for.
func (r *reader) make(t tensor.Type) (*tensor.Tensor, error) {
	if err := t.Validate(); err != nil {
		return nil, err
	}
	if err := r.spend(t); err != nil {
		return nil, err
	}
	return tensor.New(t.DType, t.Shape...), nil
}

// spend counts what is made.
func (r *reader) spend(types ...tensor.Type) error {
	for _, t := range types {
		if r.made += int64(t.Bytes()); r.made > max(maxMade, r.room) {
			return unsupported("constants of %d bytes are made from shapes, want at most %d", r.made, max(maxMade, r.room))
		}
	}
	return nil
}

// maxKnown is how many elements a value may have that shapes follow from.
const maxKnown = 1 << 16

// known is the value of a name, if it does not depend on feeds.
func (r *reader) known(name string) (*tensor.Tensor, error) {
	if name == "" {
		return nil, flaw("an input that the op needs is left out")
	}
	if x, ok := r.consts[name]; ok {
		return x, nil
	}
	if x, ok := r.memo[name]; ok {
		return x, nil
	}
	if x, ok := r.given[name]; ok {
		r.folded[name] = true
		return x, nil
	}
	c, ok := r.producers[name]
	if !ok || r.evaluate == nil {
		return nil, unsupported("%q is computed: programs are static, so it must be an initialiser or a Constant; simplify the model", name)
	}
	in := make([]*tensor.Tensor, len(c.Inputs))
	for i, from := range c.Inputs {
		if from == "" {
			continue
		}
		if c.In[i].Shape.Elements() > maxKnown {
			return nil, unsupported("%q is computed from %v: too large for a shape", name, c.In[i])
		}
		x, err := r.known(from)
		if err != nil {
			return nil, err
		}
		in[i] = x
	}
	for _, t := range c.Out {
		if t.Shape.Elements() > maxKnown {
			return nil, unsupported("%q is computed as %v of %d bytes: too large for a shape", name, t, t.Bytes())
		}
	}
	if err := r.spend(c.Out...); err != nil {
		return nil, err
	}
	out, err := r.evaluate(c, in)
	if err != nil {
		return nil, err
	}
	for i, to := range c.Outputs {
		if to != "" {
			r.memo[to] = out[i]
			r.folded[to] = true
		}
	}
	return r.memo[name], nil
}

// shapeOf makes a constant of a value's shape, which is known.
func shapeOf(r *reader, n *nodeProto) ([]nodeProto, error) {
	x, ok := r.input(n, 0)
	if !ok {
		return nil, missing(n, 0)
	}
	rank := int64(len(x.Shape))
	clamp := func(i int64) int64 {
		if i < 0 {
			i += rank
		}
		return min(max(i, 0), rank)
	}
	start, end := clamp(n.integer("start", 0)), clamp(n.integer("end", rank))
	s := graph.L(x.Shape[start:max(start, end)]...).Ints
	return nil, r.addConst(n.outputs[0], of(tensor.Shape{len(s)}, s))
}

func sizeOf(r *reader, n *nodeProto) ([]nodeProto, error) {
	x, ok := r.input(n, 0)
	if !ok {
		return nil, missing(n, 0)
	}
	return nil, r.addConst(n.outputs[0], of(tensor.Shape{}, []int64{int64(x.Shape.Elements())}))
}

// constantOfShape fills a shape with one value, an f32 zero by default.
func constantOfShape(r *reader, n *nodeProto) ([]nodeProto, error) {
	if len(n.inputs) != 1 {
		return nil, invalid("inputs", "%d inputs, the op takes 1", len(n.inputs))
	}
	s, err := r.known(n.inputs[0])
	if err != nil {
		return nil, err
	}
	if s.DType != tensor.S64 || len(s.Shape) != 1 {
		return nil, invalid("input 0", "it is %v, want a list of s64", s.Type)
	}
	value := tensor.New(tensor.F32, 1)
	if a := n.attr("value"); a != nil && a.t != nil {
		if value, err = a.t.load(&r.options); err != nil {
			return nil, where("attribute value", err)
		}
	}
	if value.Shape.Elements() != 1 {
		return nil, invalid("attribute value", "it is %v, want one element", value.Type)
	}
	ty := tensor.Type{DType: value.DType}
	for _, d := range integers(s) {
		if d < 0 || d > math.MaxInt32 {
			return nil, invalid("input 0", "dimension %d: want 0 or more", d)
		}
		ty.Shape = append(ty.Shape, int(d))
	}
	x, err := r.make(ty)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(x.Data); i += len(value.Data) {
		copy(x.Data[i:], value.Data)
	}
	return nil, r.addConst(n.outputs[0], x)
}

// rangeOf is start, start + delta, … up to limit, which is left out.
func rangeOf(r *reader, n *nodeProto) ([]nodeProto, error) {
	if len(n.inputs) != 3 {
		return nil, invalid("inputs", "%d inputs, the op takes 3", len(n.inputs))
	}
	var v [3]float64
	var d tensor.DType
	for i, name := range n.inputs {
		x, err := r.known(name)
		if err != nil {
			return nil, err
		}
		if x.Shape.Elements() != 1 {
			return nil, invalid(numbered("input", i), "it is %v, want one element", x.Type)
		}
		v[i], d = x.Float64s()[0], x.DType
	}
	if v[2] == 0 {
		return nil, invalid("input 2", "a step of 0")
	}
	count := max(0, math.Ceil((v[1]-v[0])/v[2]))
	if !(count <= maxKnown) {
		return nil, unsupported("from %v to %v by %v: more than %d elements, or none", v[0], v[1], v[2], maxKnown)
	}
	list := make([]float64, int(count))
	for i := range list {
		list[i] = v[0] + float64(i)*v[2]
	}
	x, err := r.make(tensor.T(d, len(list)))
	if err != nil {
		return nil, err
	}
	x.SetFloat64s(list)
	return nil, r.addConst(n.outputs[0], x)
}

// eyeLike has ones on diagonal k of a matrix.
func eyeLike(r *reader, n *nodeProto) ([]nodeProto, error) {
	like, ok := r.input(n, 0)
	if !ok || len(like.Shape) != 2 {
		return nil, invalid("input 0", "want a matrix")
	}
	if a := n.attr("dtype"); a != nil {
		d, err := dtypeOf(a.i)
		if err != nil {
			return nil, err
		}
		like.DType = d
	}
	x, err := r.make(like)
	if err != nil {
		return nil, err
	}
	one := tensor.New(like.DType, 1)
	one.SetFloat64s([]float64{1})
	for i := range like.Shape[0] {
		if j := int64(i) + n.integer("k", 0); j >= 0 && j < int64(like.Shape[1]) {
			copy(x.Data[(i*like.Shape[1]+int(j))*len(one.Data):], one.Data)
		}
	}
	return nil, r.addConst(n.outputs[0], x)
}
