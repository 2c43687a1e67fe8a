package pass

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Range is what the values of a tensor lie between.
type Range struct{ Lo, Hi float64 }

// Quantization says how Quantize writes a program.
type Quantization struct {
	// Ranges are those of the values that Quantizable lists, as a calibration
	// found them. If it is nil, every step finds them anew: the quantization
	// is dynamic.
	Ranges      map[string]Range
	Activations tensor.DType   // u8, the default, or s8; dynamic quantization has u8 alone
	Exclude     *regexp.Regexp // names of nodes that stay in floats; nil: none
	KeepFirst   bool           // the first product of the program stays in floats
	KeepLast    bool           // so does the last
	Only        string         // the one node that is quantized; "" for all
	// Also are ops without weights whose inputs are quantized as well, "Add"
	// say: that costs accuracy, and brings what moves between nodes to 8 bits.
	Also []string
}

// Quantizable lists the values that Quantize puts a quantizer behind, in the
// program's order: what has to be calibrated.
func Quantizable(p *graph.Program, q Quantization) ([]string, error) {
	r, err := newRewriter(p)
	if err != nil {
		return nil, err
	}
	var list []string
	for i, inputs := range r.targets(q) {
		for _, k := range inputs {
			if v := r.from.Calls[i].Inputs[k]; !slices.Contains(list, v) {
				list = append(list, v)
			}
		}
	}
	return list, nil
}

// Quantized lists the products that Quantize writes quantizers for, by name.
func Quantized(p *graph.Program, q Quantization) ([]string, error) {
	r, err := newRewriter(p)
	if err != nil {
		return nil, err
	}
	var list []string
	for i, inputs := range r.targets(q) {
		if c := &r.from.Calls[i]; len(inputs) > 0 && r.isProduct(c) {
			list = append(list, c.Name)
		}
	}
	return list, nil
}

// Quantize puts pairs of QuantizeLinear and DequantizeLinear before the
// products of an inference program with constant weights, ONNX's QDQ form:
// convolutions, Gemm and MatMul. Weights become 8-bit integers with a scale for
// each output channel and zero point 0, biases 32-bit ones by the product of
// the scales (but see whole), activations have one scale and one zero point (Jacob et al. 2018,
// §2; Krishnamoorthi, "Quantizing deep convolutional networks for efficient
// inference", 2018, §2–3). Everything between the products stays in floats, so
// that activations, sums, pools and norms are as they were. Fold batch norms
// before: one behind a convolution keeps its scale from being known.
func Quantize(p *graph.Program, q Quantization) (*graph.Program, error) {
	r, err := newRewriter(p)
	if err != nil {
		return nil, err
	}
	if q.Activations == tensor.Invalid {
		q.Activations = tensor.U8
	}
	if !graph.EightBits.Has(q.Activations) {
		return nil, fmt.Errorf("quantizing %s: activations of %v: want u8 or s8", p.Name, q.Activations)
	}
	if q.Ranges == nil && q.Activations != tensor.U8 {
		return nil, fmt.Errorf("quantizing %s: activations of %v: dynamic quantization, which ONNX defines, is to u8", p.Name, q.Activations)
	}
	targets := r.targets(q)
	z := &quantizer{rewriter: r, Quantization: q, done: map[string]quantized{}, narrowed: r.narrowed(targets)}
	for i := range r.from.Calls {
		n := cloned(r.from.Calls[i].Node)
		if inputs := targets[i]; len(inputs) > 0 {
			if err := z.node(&r.from.Calls[i], &n, inputs); err != nil {
				return nil, fmt.Errorf("quantizing %s: %w", p.Name, err)
			}
		}
		r.out.Nodes = append(r.out.Nodes, n)
	}
	return r.finish()
}

// targets gives for every node which of its inputs get a quantizer.
func (r *rewriter) targets(q Quantization) [][]int {
	list := make([][]int, len(r.from.Calls))
	var products []int
	for i := range r.from.Calls {
		if r.isProduct(&r.from.Calls[i]) {
			products = append(products, i)
		}
	}
	for k, i := range products {
		if !(k == 0 && q.KeepFirst || k == len(products)-1 && q.KeepLast) {
			list[i] = []int{0}
		}
	}
	for i := range r.from.Calls {
		c := &r.from.Calls[i]
		if slices.Contains(q.Also, c.Op.Name) && !r.isProduct(c) {
			for k, t := range c.In {
				if t.DType == tensor.F32 && r.consts[c.Inputs[k]] == nil {
					list[i] = append(list[i], k)
				}
			}
		}
		if q.Exclude != nil && q.Exclude.MatchString(c.Name) || q.Only != "" && q.Only != c.Name {
			list[i] = nil
		}
	}
	return list
}

// isProduct says whether c is a product of a value with constant weights, in
// f32 and without factors.
func (r *rewriter) isProduct(c *graph.Call) bool {
	switch c.Op.Name {
	case "Conv":
	case "Gemm":
		if c.Float("alpha") != 1 || c.Float("beta") != 1 || c.Int("transA") != 0 {
			return false
		}
		if c.Has(2) && !c.In[2].Shape.Equal(c.Out[0].Shape[1:]) {
			return false
		}
	case "MatMul":
		if len(c.In[1].Shape) != 2 {
			return false
		}
	default:
		return false
	}
	return c.In[0].DType == tensor.F32 && r.consts[c.Inputs[0]] == nil && r.frozen(c, 1)
}

// narrowed tells of the values that nobody reads but quantizers, or a Relu that
// nobody reads but quantizers.
func (r *rewriter) narrowed(targets [][]int) map[string]bool {
	quantizers := map[string]int{}
	for i, inputs := range targets {
		for _, k := range inputs {
			quantizers[r.from.Calls[i].Inputs[k]]++
		}
	}
	alone := func(value string) bool { return quantizers[value] > 0 && quantizers[value] == r.reads[value] }
	list := map[string]bool{}
	for i := range r.from.Calls {
		c := &r.from.Calls[i]
		if y := c.Outputs[0]; alone(y) {
			list[y] = true
			if c.Op.Name == "Relu" && r.reads[c.Inputs[0]] == 1 {
				list[c.Inputs[0]] = true
			}
		}
	}
	return list
}

// quantizer writes what Quantize adds.
type quantizer struct {
	*rewriter
	Quantization
	done     map[string]quantized // by value
	narrowed map[string]bool      // values that quantizers alone read, behind a Relu or not
}

// quantized is a value that came through a quantizer.
type quantized struct {
	value string
	scale float32 // static only
}

// node quantizes some inputs of a node, and the weights of a product.
func (z *quantizer) node(c *graph.Call, n *graph.Node, inputs []int) error {
	for _, k := range inputs {
		v, err := z.activation(c.Inputs[k])
		if err != nil {
			return err
		}
		n.Inputs[k] = v.value
		if z.isProduct(c) {
			z.weights(c, n, v.scale)
		}
	}
	return nil
}

// activation puts a value through a quantizer, once for all who read it.
func (z *quantizer) activation(name string) (quantized, error) {
	if q, ok := z.done[name]; ok {
		return q, nil
	}
	q := quantized{value: z.unique(name + ".dequantized")}
	octets := z.unique(name + ".quantized")
	var scale, zero string
	if z.Ranges == nil {
		scale, zero = z.unique(name+".scale"), z.unique(name+".zero_point")
		z.add("DynamicQuantizeLinear", nil, []string{name}, octets, scale, zero)
	} else {
		r, ok := z.Ranges[name]
		if !ok || !(r.Lo <= r.Hi) || math.IsInf(r.Hi-r.Lo, 0) {
			return q, fmt.Errorf("range of %s: have [%v, %v]: calibrate it", name, r.Lo, r.Hi)
		}
		var point float64
		q.scale, point = Affine(r, z.Activations)
		scale = z.constant(name+".scale", tensor.Scalar(tensor.F32, float64(q.scale)))
		zero = z.constant(name+".zero_point", tensor.Scalar(z.Activations, point))
		z.add("QuantizeLinear", nil, []string{name, scale, zero}, octets)
	}
	z.add("DequantizeLinear", nil, []string{octets, scale, zero}, q.value)
	z.done[name] = q
	return q, nil
}

// Affine is scale and zero point of a range in integers of type d. The range is
// widened to hold 0: that has to be exact, since padding is made of it.
func Affine(r Range, d tensor.DType) (scale float32, zero float64) {
	lo, hi := min(r.Lo, 0), max(r.Hi, 0)
	least, most := tensor.IntRange(d)
	scale = float32((hi - lo) / (most - least))
	if scale == 0 {
		return 1, 0
	}
	zero = least - math.RoundToEven(lo/float64(scale))
	return scale, min(max(zero, least), most)
}

// weights quantizes the weights of a product, and its bias where the scale of
// what they are multiplied with is known.
func (z *quantizer) weights(c *graph.Call, n *graph.Node, input float32) {
	t, axis := z.consts[c.Inputs[1]], ChannelAxis(c)
	channels := t.Type.Shape[axis]
	bias := make([]float64, channels)
	if c.Has(2) {
		bias = z.consts[c.Inputs[2]].Float64s()
	}
	w := t.Float64s()
	inner := t.Type.Shape[axis+1:].Elements()
	at := func(i int) int { return i / inner % channels }
	scales := symmetric(w, at, bias, float64(input))
	for i := range w {
		w[i] = max(-127, min(127, math.RoundToEven(w[i]/scales[at(i)])))
	}
	per := graph.Attrs{"axis": graph.I(axis)}
	n.Inputs[1] = z.dequantized(c.Inputs[1], per, tensor.Of(tensor.S8, t.Type.Shape, w...), scales)
	if !c.Has(2) || input == 0 || !z.whole(c) {
		return
	}
	for i := range bias {
		scales[i] = float64(input * float32(scales[i])) // rounded as an integer product's factor is
		bias[i] = math.RoundToEven(bias[i] / scales[i])
	}
	n.Inputs[2] = z.dequantized(c.Inputs[2], graph.Attrs{"axis": graph.I(0)}, tensor.Of(tensor.S32, tensor.Shape{channels}, bias...), scales)
}

// whole says whether a product's bias becomes integers. Where the sums of a
// convolution stay floats it does not: it would be rounded and take a scale of
// its own for each channel, a hundredth of MobileNetV3's bytes, and nobody gains,
// since ONNX's ConvInteger takes no bias.
func (z *quantizer) whole(c *graph.Call) bool { return c.Op.Name != "Conv" || z.narrowed[c.Outputs[0]] }

// ChannelAxis is the axis of a product's weights that its output channels run
// along.
func ChannelAxis(c *graph.Call) int {
	if c.Op.Name == "MatMul" || c.Op.Name == "Gemm" && c.Int("transB") == 0 {
		return 1
	}
	return 0
}

// symmetric are the scales by which weights lie within ±127, by channel. None
// is so small that the bias, in steps of input·scale, leaves no room in s32, or
// that these steps are 0 in f32.
func symmetric(w []float64, channel func(int) int, bias []float64, input float64) []float64 {
	const biasSteps, smallest = 1 << 30, 0x1p-126
	scales := make([]float64, len(bias))
	for i, v := range w {
		k := channel(i)
		scales[k] = max(scales[k], math.Abs(v)/127)
	}
	for k, b := range bias {
		if input > 0 {
			scales[k] = max(scales[k], math.Abs(b)/(input*biasSteps), smallest/input)
		}
		if scales[k] = float64(float32(scales[k])); scales[k] == 0 {
			scales[k] = 1
		}
	}
	return scales
}

// dequantized adds a constant of integers and gives what it stands for.
func (z *quantizer) dequantized(name string, attrs graph.Attrs, t *tensor.Tensor, scales []float64) string {
	value := z.unique(name + ".dequantized")
	q := z.constant(name+".quantized", t)
	scale := z.constant(name+".scale", tensor.Of(tensor.F32, tensor.Shape{len(scales)}, scales...))
	z.add("DequantizeLinear", attrs, []string{q, scale}, value)
	return value
}

// add writes a node.
func (z *quantizer) add(op string, attrs graph.Attrs, inputs []string, outputs ...string) {
	z.out.Nodes = append(z.out.Nodes, graph.Node{Name: z.unique(outputs[0] + "." + op), Op: op, Inputs: inputs, Outputs: outputs, Attrs: attrs})
}
