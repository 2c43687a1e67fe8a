package onnx

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// adapter rewrites a node of the standard domain that means in an older opset,
// or under another name, what rows of the op table say today. It may answer
// with no node, when it made constants of all outputs.
type adapter struct {
	before int64 // the opset in which the op got its present meaning
	adapt  func(r *reader, n *nodeProto) ([]nodeProto, error)
}

// always is for ops that have no row of their own in any opset.
const always = maxOpset + 1

// adapters by op. A function and not a variable: they refer to the reader,
// which refers to them.
func adapters() map[string]adapter {
	same := func(drop ...string) adapter { return adapter{always, dropping(drop...)} }
	return map[string]adapter{
		"Add": {7, axisBroadcast}, "Sub": {7, axisBroadcast}, "Mul": {7, axisBroadcast}, "Div": {7, axisBroadcast},
		"And": {7, axisBroadcast}, "Or": {7, axisBroadcast}, "Xor": {7, axisBroadcast}, "Pow": {7, axisBroadcast},
		"Equal": {7, axisBroadcast}, "Greater": {7, axisBroadcast}, "Less": {7, axisBroadcast},
		"Gemm":               {7, dropping("broadcast")},
		"BatchNormalization": {14, inferenceNorm},
		"Clip":               {11, clipBounds},
		"Cast":               same("saturate", "round_mode"), // of meaning for 8-bit floats alone
		"CastLike":           {always, castLike},
		"ConstantOfShape":    {always, constantOfShape},
		"Dropout":            {always, dropout},
		"EyeLike":            {always, eyeLike},
		"LogSoftmax":         {13, flatSoftmax},
		"MatMul":             {always, vectorProduct},
		"Max":                {always, chain("Max")},
		"Mean":               {always, mean},
		"Min":                {always, chain("Min")},
		"PRelu":              {7, channelSlope},
		"Range":              {always, rangeOf},
		"Scatter":            {always, renamed("ScatterElements")},
		"Shape":              {always, shapeOf},
		"ReduceL1":           {always, emptyAxes},
		"ReduceL2":           {always, emptyAxes},
		"ReduceLogSum":       {always, emptyAxes},
		"ReduceLogSumExp":    {always, emptyAxes},
		"ReduceMax":          {always, emptyAxes},
		"ReduceMean":         {always, emptyAxes},
		"ReduceMin":          {always, emptyAxes},
		"ReduceProd":         {always, emptyAxes},
		"ReduceSum":          {always, emptyAxes},
		"ReduceSumSquare":    {always, emptyAxes},
		"Size":               {always, sizeOf},
		"Softmax":            {13, flatSoftmax},
		"Sum":                {always, chain("Add")},
	}
}

// adapt gives what stands in the program for a node of the file.
func (r *reader) adapt(n *nodeProto) ([]nodeProto, error) {
	a, ok := r.adapters[n.op]
	if !ok || n.domain != graph.Std || r.std >= a.before {
		return []nodeProto{*n}, nil
	}
	if len(n.inputs) == 0 || len(n.outputs) == 0 {
		return nil, flaw(fmt.Sprintf("%d inputs and %d outputs, want at least one of each", len(n.inputs), len(n.outputs)))
	}
	return a.adapt(r, n)
}

// now is the node as it would be written today.
func now(n *nodeProto) []nodeProto {
	m := *n
	m.today = true
	return []nodeProto{m}
}

func (n *nodeProto) attr(name string) *attrProto {
	for i := range n.attrs {
		if n.attrs[i].name == name {
			return &n.attrs[i]
		}
	}
	return nil
}

// integer is an integer attribute or, if it is left out, otherwise.
func (n *nodeProto) integer(name string, otherwise int64) int64 {
	if a := n.attr(name); a != nil {
		return a.i
	}
	return otherwise
}

// input is the type of an input; false if it is left out or not known.
func (r *reader) input(n *nodeProto, i int) (tensor.Type, bool) {
	if i >= len(n.inputs) {
		return tensor.Type{}, false
	}
	t, ok := r.types[n.inputs[i]]
	return t, ok
}

// missing says that an input is left out that must not be.
func missing(n *nodeProto, i int) error { return invalid(numbered("input", i), "%s needs it", n.op) }

// wants says whether output i has a name.
func (n *nodeProto) wants(i int) bool { return i < len(n.outputs) && n.outputs[i] != "" }

func without(attrs []attrProto, names ...string) []attrProto {
	return slices.DeleteFunc(slices.Clone(attrs), func(a attrProto) bool { return slices.Contains(names, a.name) })
}

func intList(name string, v ...int64) attrProto {
	return attrProto{name: name, kind: attrTypeInts, ints: v}
}
func intValue(name string, v int64) attrProto { return attrProto{name: name, kind: attrTypeInt, i: v} }

// dropping leaves out attributes that say nothing any more.
func dropping(names ...string) func(*reader, *nodeProto) ([]nodeProto, error) {
	return func(_ *reader, n *nodeProto) ([]nodeProto, error) {
		m := *n
		m.attrs = without(n.attrs, names...)
		return []nodeProto{m}, nil
	}
}

func renamed(op string) func(*reader, *nodeProto) ([]nodeProto, error) {
	return func(_ *reader, n *nodeProto) ([]nodeProto, error) {
		m := *n
		m.op = op
		return now(&m), nil
	}
}

// axisBroadcast is the broadcasting before opset 7: B is aligned at an axis of
// A, if one is named, by giving it trailing axes of one element.
func axisBroadcast(r *reader, n *nodeProto) ([]nodeProto, error) {
	m := *n
	m.attrs = without(n.attrs, "broadcast", "axis", "consumed_inputs")
	if n.attr("axis") == nil || n.integer("broadcast", 0) == 0 {
		return now(&m), nil
	}
	a, okA := r.input(n, 0)
	b, okB := r.input(n, 1)
	if !okA || !okB {
		return now(&m), nil // the node itself says what is missing
	}
	axis := n.integer("axis", 0)
	if axis < 0 {
		axis += int64(len(a.Shape))
	}
	trailing := len(a.Shape) - len(b.Shape) - int(axis)
	if axis < 0 || trailing < 0 {
		return nil, invalid("attribute axis", "%v does not fit %v at axis %d", b, a, axis)
	}
	shape := append(slices.Clone(b.Shape), slices.Repeat([]int{1}, trailing)...)
	aligned := n.outputs[0] + "/aligned"
	m.inputs = []string{n.inputs[0], aligned}
	reshape := r.reshape(n.inputs[1], aligned, shape)
	return append([]nodeProto{reshape}, now(&m)...), nil
}

// reshape is a node that gives a value a static shape.
func (r *reader) reshape(from, to string, shape tensor.Shape) nodeProto {
	return nodeProto{op: "Reshape", today: true, inputs: []string{from}, outputs: []string{to},
		attrs: []attrProto{intList("shape", graph.L(shape...).Ints...), intValue("allowzero", 1)}}
}

// clipBounds makes inputs of the attributes that Clip had before opset 11.
func clipBounds(r *reader, n *nodeProto) ([]nodeProto, error) {
	x, ok := r.input(n, 0)
	if !ok {
		return nil, missing(n, 0)
	}
	m := *n
	m.inputs = []string{n.inputs[0], "", ""}
	m.attrs = without(n.attrs, "min", "max", "consumed_inputs")
	for i, bound := range []string{"min", "max"} {
		a := n.attr(bound)
		if a == nil {
			continue
		}
		if a.kind != attrTypeFloat {
			return nil, invalid("attribute "+bound, "it is of type %s, want FLOAT", attrTypes[a.kind])
		}
		m.inputs[i+1] = n.outputs[0] + "/" + bound
		if err := r.addConst(m.inputs[i+1], tensor.Scalar(x.DType, float64(a.f))); err != nil {
			return nil, err
		}
	}
	return now(&m), nil
}

// channelSlope is PRelu before opset 7, whose slopes are one a channel.
func channelSlope(r *reader, n *nodeProto) ([]nodeProto, error) {
	m := *n
	m.attrs = without(n.attrs, "consumed_inputs")
	x, okX := r.input(n, 0)
	slope, okS := r.input(n, 1)
	if !okX || !okS || len(slope.Shape) != 1 || slope.Shape[0] == 1 || len(x.Shape) < 3 {
		return now(&m), nil
	}
	aligned := n.outputs[0] + "/slope"
	m.inputs = []string{n.inputs[0], aligned}
	shape := append(slope.Shape.Clone(), slices.Repeat([]int{1}, len(x.Shape)-2)...)
	return append([]nodeProto{r.reshape(n.inputs[1], aligned, shape)}, now(&m)...), nil
}

// vectorProduct gives MatMul's vectors the axis that numpy's matmul thinks them
// to have, and takes it from the result.
func vectorProduct(r *reader, n *nodeProto) ([]nodeProto, error) {
	a, okA := r.input(n, 0)
	b, okB := r.input(n, 1)
	if !okA || !okB || len(n.inputs) != 2 || len(a.Shape) != 1 && len(b.Shape) != 1 || len(a.Shape) == 0 || len(b.Shape) == 0 {
		return []nodeProto{*n}, nil // the row says what is wrong, if anything is
	}
	m := *n
	m.inputs, m.outputs = slices.Clone(n.inputs), []string{n.outputs[0] + "/matrix"}
	var list []nodeProto
	rows, columns := a.Shape[:len(a.Shape)-1], tensor.Shape{}
	stack := a.Shape[:max(0, len(a.Shape)-2)]
	if len(b.Shape) > 1 {
		columns, stack = b.Shape[len(b.Shape)-1:], b.Shape[:len(b.Shape)-2]
	}
	if len(a.Shape) == 1 {
		m.inputs[0] = n.outputs[0] + "/row"
		list = append(list, r.reshape(n.inputs[0], m.inputs[0], tensor.Shape{1, a.Shape[0]}))
	} else {
		rows = a.Shape[len(a.Shape)-2 : len(a.Shape)-1]
	}
	if len(b.Shape) == 1 {
		m.inputs[1] = n.outputs[0] + "/column"
		list = append(list, r.reshape(n.inputs[1], m.inputs[1], tensor.Shape{b.Shape[0], 1}))
	}
	return append(list, m, r.reshape(m.outputs[0], n.outputs[0], slices.Concat(stack, rows, columns))), nil
}

// emptyAxes resolves noop_with_empty_axes: without axes a reduction is over all
// of them or, so asked, over none.
func emptyAxes(r *reader, n *nodeProto) ([]nodeProto, error) {
	m := *n
	m.attrs = without(n.attrs, "noop_with_empty_axes")
	if n.integer("noop_with_empty_axes", 0) == 0 || n.attr("axes") != nil && len(n.attr("axes").ints) > 0 {
		return []nodeProto{m}, nil
	}
	if len(n.inputs) > 1 && n.inputs[1] != "" {
		x, err := r.known(n.inputs[1])
		if err != nil {
			return nil, where("input axes", err)
		}
		if x.Shape.Elements() > 0 {
			return []nodeProto{m}, nil
		}
	}
	switch n.op {
	case "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceSum":
		return []nodeProto{{name: n.name, op: "Identity", today: true, inputs: n.inputs[:1], outputs: n.outputs}}, nil
	}
	return nil, where("attribute noop_with_empty_axes", unsupported("1 without axes is not read: write the function of one element"))
}

// flatSoftmax is Softmax and its logarithm before opset 13: all axes from axis
// on, 1 by default, are one.
func flatSoftmax(r *reader, n *nodeProto) ([]nodeProto, error) {
	x, ok := r.input(n, 0)
	axis := n.integer("axis", 1)
	if !ok {
		return now(n), nil
	}
	if axis < 0 {
		axis += int64(len(x.Shape))
	}
	m := *n
	m.attrs = []attrProto{intValue("axis", -1)}
	if axis == int64(len(x.Shape)-1) {
		return now(&m), nil
	}
	if axis < 0 || axis > int64(len(x.Shape)) {
		return nil, invalid("attribute axis", "%d is none of %v", axis, x)
	}
	flat, soft := n.outputs[0]+"/flat", n.outputs[0]+"/soft"
	m.inputs, m.outputs = []string{flat}, []string{soft}
	rows := tensor.Shape{x.Shape[:axis].Elements(), x.Shape[axis:].Elements()}
	return []nodeProto{r.reshape(n.inputs[0], flat, rows), now(&m)[0], r.reshape(soft, n.outputs[0], x.Shape)}, nil
}

// inferenceNorm is BatchNormalization before opset 14, which tells inference
// by its number of outputs, or by is_test.
func inferenceNorm(_ *reader, n *nodeProto) ([]nodeProto, error) {
	if n.integer("spatial", 1) != 1 {
		return nil, where("attribute spatial", unsupported("0, statistics of every element, is not read: convert the model to opset 9"))
	}
	m := *n
	m.attrs = without(n.attrs, "spatial", "is_test", "consumed_inputs")
	if len(n.outputs) > 1 && slices.ContainsFunc(n.outputs[1:], func(s string) bool { return s != "" }) {
		return nil, unsupported("training-mode outputs before opset 14 are not read: convert the model to opset 14")
	}
	m.outputs = n.outputs[:min(1, len(n.outputs))]
	return now(&m), nil
}

// dropout of a model that is not trained, or drops nothing, gives its input
// and a mask of trues.
func dropout(r *reader, n *nodeProto) ([]nodeProto, error) {
	training := r.std >= 12 && len(n.inputs) > 2 && n.inputs[2] != ""
	if training {
		x, err := r.known(n.inputs[2])
		if err != nil {
			return nil, err
		}
		training = isTrue(x)
	}
	if training && len(n.inputs) > 1 && n.inputs[1] != "" {
		if x, err := r.known(n.inputs[1]); err == nil && !isTrue(x) {
			training = false
		}
	}
	if training || r.std < 7 && n.integer("is_test", 0) == 0 && n.attr("is_test") != nil {
		return nil, &graph.UnknownOpError{Domain: graph.Std, Op: "Dropout with ONNX's unspecified random numbers"}
	}
	if n.wants(1) {
		x, ok := r.input(n, 0)
		if !ok {
			return nil, missing(n, 0)
		}
		mask, err := r.make(tensor.Type{DType: tensor.Bool, Shape: x.Shape})
		if err != nil {
			return nil, err
		}
		for i := range mask.Data {
			mask.Data[i] = 1
		}
		if err := r.addConst(n.outputs[1], mask); err != nil {
			return nil, err
		}
	}
	return []nodeProto{{name: n.name, op: "Identity", today: true, inputs: n.inputs[:1], outputs: n.outputs[:1]}}, nil
}

// isTrue says that a single element is not 0.
func isTrue(x *tensor.Tensor) bool { return x.Shape.Elements() == 1 && x.Float64s()[0] != 0 }

// castLike is Cast to the type of another value.
func castLike(r *reader, n *nodeProto) ([]nodeProto, error) {
	like, ok := r.input(n, 1)
	if !ok {
		return nil, missing(n, 1)
	}
	m := nodeProto{name: n.name, op: "Cast", today: true, inputs: n.inputs[:1], outputs: n.outputs,
		attrs: []attrProto{intValue("to", dataTypes[like.DType])}}
	return []nodeProto{m}, nil
}

// chain is for an op of any number of values that has a row for two.
func chain(op string) func(*reader, *nodeProto) ([]nodeProto, error) {
	return func(_ *reader, n *nodeProto) ([]nodeProto, error) {
		switch {
		case len(n.inputs) == 0:
			return nil, invalid("inputs", "there are none")
		case len(n.inputs) == 1:
			return []nodeProto{{name: n.name, op: "Identity", today: true, inputs: n.inputs, outputs: n.outputs}}, nil
		case len(n.inputs) == 2 && n.op == op:
			return []nodeProto{*n}, nil
		}
		var list []nodeProto
		so := n.inputs[0]
		for i, next := range n.inputs[1:] {
			to := n.outputs[0]
			if i+2 < len(n.inputs) {
				to = fmt.Sprintf("%s/%d", n.outputs[0], i)
			}
			list = append(list, nodeProto{op: op, today: true, inputs: []string{so, next}, outputs: []string{to}})
			so = to
		}
		return list, nil
	}
}

// mean is the sum divided by the number of values.
func mean(r *reader, n *nodeProto) ([]nodeProto, error) {
	x, ok := r.input(n, 0)
	if !ok || len(n.inputs) == 1 {
		return chain("Add")(r, n)
	}
	m := *n
	total, count := n.outputs[0]+"/total", n.outputs[0]+"/count"
	m.outputs = []string{total}
	c := tensor.New(x.DType)
	c.SetFloat64s([]float64{float64(len(n.inputs))})
	if err := r.addConst(count, c); err != nil {
		return nil, err
	}
	list, err := chain("Add")(r, &m)
	return append(list, nodeProto{op: "Div", today: true, inputs: []string{total, count}, outputs: n.outputs}), err
}
