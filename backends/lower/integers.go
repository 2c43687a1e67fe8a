package lower

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Integers forms products of 8-bit integers out of products between quantizers,
// ONNX's QDQ form (ONNX's operators QLinearConv, QLinearMatMul, ConvInteger and
// MatMulInteger; Jacob et al. 2018, §2.2–2.4):
//
//	DequantizeLinear ×2 → Conv → [Relu] → QuantizeLinear   is a QLinearConv
//	DequantizeLinear ×2 → Conv                             is a ConvInteger, whose sums are dequantized
//
// and MatMul and Gemm likewise. Sums are exact in s32, a bias is added to them
// where it is quantized by their scale and to the floats where it is not; the
// rest is done in f32. MaxPool and views work on the integers. Everything else
// stays. takes says whether the backend has a kernel for a call; what it has
// none for is left as it was.
func Integers(p *graph.Program, takes func(*graph.Call) bool) (*Lowered, error) {
	l, err := newLowering(p, takes)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(p.Nodes, func(n graph.Node) bool { return n.Op == "DequantizeLinear" }) {
		l.own()
		l.sink()
		l.raise()
		l.cancel()
		l.products()
	}
	return l.finish()
}

// own copies the nodes' lists, which are about to be changed.
func (l *lowering) own() {
	for i := range l.nodes {
		l.nodes[i].Inputs = slices.Clone(l.nodes[i].Inputs)
	}
}

// products replaces one product after the other.
func (l *lowering) products() {
	for i := 0; i < len(l.nodes); i++ {
		f := l.product(i)
		if f == nil {
			continue
		}
		if nodes, tail := f.requantized(); nodes != nil {
			for _, k := range slices.Backward(tail) {
				l.nodes = slices.Delete(l.nodes, k, k+1)
			}
			l.nodes = slices.Replace(l.nodes, i, i+1, nodes...)
			continue
		}
		if nodes := f.sums(); nodes != nil {
			l.nodes = slices.Replace(l.nodes, i, i+1, nodes...)
			i += len(nodes) - 1
		}
	}
}

// product is a product of two dequantized values.
type product struct {
	*lowering
	at     int
	call   *graph.Call
	x, w   *quantizer
	bias   string // f32; "" if there is none or it is whole
	whole  string // s32, in the scale of the sums
	axis   int    // of the channels in the product
	stands []string
}

// product reads node i as a product that can be one of integers; nil if it is
// none.
func (l *lowering) product(i int) *product {
	n := &l.nodes[i]
	if n.Op != "Conv" && n.Op != "MatMul" && n.Op != "Gemm" || n.Domain != graph.Std {
		return nil
	}
	c, err := l.call(&n.Node)
	if err != nil || c.Out[0].DType != tensor.F32 {
		return nil
	}
	if n.Op == "Gemm" && (c.Float("alpha") != 1 || c.Int("transA") != 0 || c.Has(2) && c.Float("beta") != 1) {
		return nil
	}
	f := &product{lowering: l, at: i, call: c, x: l.operand(n.Inputs[0]), w: l.operand(n.Inputs[1]), axis: 1, stands: n.stands}
	if f.x == nil || f.w == nil || f.x.axis >= 0 || !f.perChannel() {
		return nil
	}
	if n.Op != "Conv" {
		f.axis = len(c.Out[0].Shape) - 1
	}
	f.stands = slices.Concat(f.stands, l.nodes[f.x.at].stands, l.nodes[f.w.at].stands)
	if c.Has(2) {
		f.addBias()
	}
	return f
}

// operand is what dequantizes 8-bit integers to a value.
func (l *lowering) operand(value string) *quantizer {
	k, ok := l.makers()[value]
	if !ok {
		return nil
	}
	q := l.quantizer(k, "DequantizeLinear")
	if q == nil || !graph.EightBits.Has(l.types[q.x].DType) {
		return nil
	}
	return q
}

// perChannel says whether the weights have one scale, or one for each channel
// of the result; and whether no sum of products passes what s32 holds.
func (f *product) perChannel() bool {
	const most = 1<<31/(255*255) - 1
	w := f.types[f.w.x].Shape
	channels, depth := 0, w[1:].Elements()
	if f.call.Op.Name == "MatMul" || f.call.Op.Name == "Gemm" && f.call.Int("transB") == 0 {
		channels, depth = len(w)-1, w[len(w)-2]
	}
	return depth < most && (f.w.axis < 0 || f.w.axis == channels && (channels == 0 || len(w) == 2))
}

// addBias takes the bias as integers if they are in the scale of the sums and
// leave room for them, else as floats.
func (f *product) addBias() {
	name := f.call.Inputs[2]
	f.bias = name
	k, ok := f.makers()[name]
	if !ok {
		return
	}
	q := f.quantizer(k, "DequantizeLinear")
	channels := f.call.Out[0].Shape[f.axis]
	if q == nil || f.zeroOf(q) != 0 || f.types[q.x].DType != tensor.S32 || !f.types[q.x].Shape.Equal(tensor.Shape{channels}) {
		return
	}
	b, x, w, own := f.consts[q.x], f.consts[f.x.scale], f.consts[f.w.scale], f.consts[q.scale]
	if b == nil || x == nil || w == nil || own == nil {
		return
	}
	const room = 1 << 30
	depth := f.call.In[1].Shape.Elements() / max(1, channels)
	sx, sw, so := tensor.View[float32](x.Data)[0], tensor.View[float32](w.Data), tensor.View[float32](own.Data)
	for i, v := range tensor.View[int32](b.Data) {
		if v > room || v < -room || depth >= room/(255*255) || so[i%len(so)] != sx*sw[i%len(sw)] {
			return
		}
	}
	f.bias, f.whole = "", q.x
	f.stands = slices.Concat(f.stands, f.nodes[k].stands)
}

// requantized is the product that ends in a quantizer as one op, and the places
// of the nodes after it that go into it, ascending; nil if that can't be.
func (f *product) requantized() (nodes []node, tail []int) {
	q, relu := f.ending()
	if q == nil || f.bias != "" || f.call.Op.Name != "Conv" && f.whole != "" {
		return nil, nil
	}
	stands := slices.Concat(f.stands, f.nodes[q.at].stands)
	if tail = []int{q.at}; relu > 0 {
		stands = slices.Concat(stands, f.nodes[relu].stands)
		tail = []int{relu, q.at}
	}
	output := f.nodes[q.at].Outputs[0]
	octet := f.types[output].DType
	y := output
	zero := f.orZeros(q.zero, octet, nil)
	// What is below 0 saturates at the zero point if that is the least number;
	// else a maximum holds it there: rounding keeps the order.
	least, _ := tensor.IntRange(octet)
	bounded := relu > 0 && f.zeroOf(q) != least
	if bounded {
		y = f.unique(output + "/unbounded")
	}
	w, before := f.weights(stands)
	in := []string{f.x.x, f.x.scale, f.orZeros(f.x.zero, f.types[f.x.x].DType, f.types[f.x.scale].Shape),
		w, f.w.scale, f.orZeros(f.w.zero, f.types[f.w.x].DType, f.types[f.w.scale].Shape), q.scale, zero}
	if f.call.Op.Name == "Conv" {
		nodes = append(before, f.made("QLinearConv", f.call.Attrs, stands, y, append(in, f.whole)...))
	} else {
		nodes = append(before, f.made("QLinearMatMul", nil, stands, y, in...))
	}
	if bounded {
		nodes = append(nodes, f.made("Max", nil, stands, output, y, zero))
	}
	if !f.possible(nodes) {
		return nil, nil
	}
	return nodes, tail
}

// ending is the quantizer of one scale that alone reads the product, and the
// place of the Relu that may stand before it, 0 if there is none.
func (f *product) ending() (q *quantizer, relu int) {
	readers := f.readers()
	value := f.call.Outputs[0]
	for {
		r := readers[value]
		if len(r) != 1 || f.ends[value] {
			return nil, 0
		}
		if q := f.quantizer(r[0], "QuantizeLinear"); q != nil {
			if q.x != value || q.axis >= 0 || !f.steady(q) {
				return nil, 0
			}
			return q, relu
		}
		if n := f.nodes[r[0]]; n.Op != "Relu" || relu > 0 {
			return nil, 0
		}
		relu = r[0]
		value = f.nodes[relu].Outputs[0]
	}
}

// orZeros is a zero point, which the QLinear ops want to be given.
func (f *product) orZeros(zero string, d tensor.DType, s tensor.Shape) string {
	if zero != "" {
		return zero
	}
	return f.constant(f.call.Name+"/zero", tensor.New(d, s...))
}

// weights are the second operand as a product of matrices takes it, and the
// nodes that make it so.
func (f *product) weights(stands []string) (string, []node) {
	if f.call.Op.Name != "Gemm" || f.call.Int("transB") == 0 {
		return f.w.x, nil
	}
	if t := f.consts[f.w.x]; t != nil {
		return f.constant(f.call.Name+"/transposed", transposed(t)), nil
	}
	turned := f.unique(f.call.Name + "/transposed")
	return turned, []node{f.made("Transpose", graph.Attrs{"perm": graph.L(1, 0)}, stands, turned, f.w.x)}
}

// transposed turns a matrix of 8-bit integers.
func transposed(t *tensor.Tensor) *tensor.Tensor {
	rows, cols := t.Type.Shape[0], t.Type.Shape[1]
	out := tensor.New(t.Type.DType, cols, rows)
	for i := range rows {
		for j := range cols {
			out.Data[j*rows+i] = t.Data[i*cols+j]
		}
	}
	return out
}

// sums is the product as sums of integers that are then dequantized; nil if the
// backend has no such ops.
func (f *product) sums() []node {
	op, attrs := "MatMulInteger", graph.Attrs(nil)
	if f.call.Op.Name == "Conv" {
		op, attrs = "ConvInteger", f.call.Attrs
	}
	output := f.call.Outputs[0]
	w, nodes := f.weights(f.stands)
	add := func(n node) string {
		nodes = append(nodes, n)
		return n.Outputs[0]
	}
	sum := add(f.made(op, attrs, f.stands, f.unique(output+"/sum"), f.x.x, w, f.x.zero, f.w.zero))
	if f.whole != "" {
		sum = add(f.made("Add", nil, f.stands, f.unique(output+"/biased"), sum, f.constant(f.whole+"/along", f.along(f.consts[f.whole]))))
	}
	factor, x, s := "", f.consts[f.x.scale], f.consts[f.w.scale]
	if x != nil && s != nil {
		factor = f.constant(f.call.Name+"/factor", scaled(s, tensor.View[float32](x.Data)[0]))
	} else {
		factor = add(f.made("Mul", nil, f.stands, f.unique(f.call.Name+"/factor"), f.w.scale, f.x.scale))
	}
	real := output
	if f.bias != "" {
		real = f.unique(output + "/real")
	}
	add(f.made("DequantizeLinear", graph.Attrs{"axis": graph.I(f.axis)}, f.stands, real, sum, factor))
	if f.bias != "" {
		bias := f.bias
		switch t := f.consts[bias]; {
		case f.call.Op.Name != "Conv":
		case t != nil:
			bias = f.constant(bias+"/along", f.along(t))
		default:
			bias = add(f.made("Reshape", graph.Attrs{"shape": graph.L(f.alongShape(f.types[bias].Shape[0])...)}, f.stands, f.unique(bias+"/along"), bias))
		}
		add(f.made("Add", nil, f.stands, output, real, bias))
	}
	if !f.possible(nodes) {
		return nil
	}
	return nodes
}

// along shapes a constant of one number a channel so that it broadcasts to the
// product.
func (f *product) along(t *tensor.Tensor) *tensor.Tensor {
	return t.Reshaped(f.alongShape(t.Type.Shape[0])...)
}

func (f *product) alongShape(channels int) []int {
	s := []int{channels}
	for range len(f.call.Out[0].Shape) - 1 - f.axis {
		s = append(s, 1)
	}
	return s
}

// scaled is t times a number, each product rounded to f32.
func scaled(t *tensor.Tensor, by float32) *tensor.Tensor {
	out := t.Clone()
	v := tensor.View[float32](out.Data)
	for i := range v {
		v[i] *= by
	}
	return out
}
