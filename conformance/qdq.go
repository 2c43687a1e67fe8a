package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Programs between quantizers, as quantized workloads cross: backends make
// integer products of a product between DequantizeLinear and QuantizeLinear,
// and integer pools of pools. Data keep away from ties, where legal
// implementations differ by a step, so that integers must be equal.

// qdqBlock is a point of the grid: quantized input and weights, a product, an
// activation, a residual of the same or of another scale, and the quantizer
// behind them.
type qdqBlock struct {
	product    string // of fusedProducts
	activation string
	residual   bool
	weights    tensor.DType
	perChannel bool
	output     string // q, dq: what is fetched
}

func qdqCases() []*Case {
	var all []*Case
	n := 0
	for _, product := range fusedOrder {
		for _, activation := range []string{"", "Relu"} {
			for _, residual := range []bool{false, true} {
				for _, output := range []string{"q", "dq"} {
					b := qdqBlock{product, activation, residual, quantizedTypes[(n+1)/2%2], n%3 != 2, output}
					e := Standard
					if n%3 == 0 {
						e = Quick
					}
					all = append(all, b.make(whole, e))
					if n%9 == 0 {
						all = append(all, b.make(decomposed, e), b.make(opByOp, Standard))
					}
					n++
				}
			}
		}
	}
	for i, pool := range []string{"MaxPool", "AveragePool"} {
		for j, f := range []form{whole, decomposed} {
			all = append(all, qdqChain(pool, f, Effort(1+(i+j)/2)))
		}
	}
	return all
}

func qdqCase(parameters string, f form, e Effort, s *opSubject) *Case {
	return &Case{Op: "QDQ", DType: tensor.F32, Params: parameters, Class: "program" + formNames[f], Suite: Quantized, Effort: e, Required: true,
		form: f, bound: every(programRule), subject: s}
}

func (b qdqBlock) make(f form, e Effort) *Case {
	act := b.activation
	if act == "" {
		act = "none"
	}
	p := fusedProducts[b.product]
	k, m, axis := p.w[1:].Elements(), p.w[0], 0
	if b.product == "MatMul" {
		k, m, axis = p.w[0], p.w[1], 1
	}
	scales := tensor.Shape{}
	if b.perChannel {
		scales = tensor.Shape{m}
	}
	q := quantizedInputs{}
	q.add("x", tensor.F32, p.x, normal(1), fed)
	q.quantizer("x", tensor.U8, 1)
	q.add("w", b.weights, p.w, everyValue(b.weights), frozen)
	q.add("w_scale", tensor.F32, scales, uniform(0.004, 0.012), frozen)
	if b.weights == tensor.U8 {
		q.add("w_zero", b.weights, scales, centre(b.weights), frozen)
	}
	if p.bias != nil {
		q.add("bias", tensor.F32, p.bias, normal(0.5), frozen)
	}
	if b.residual {
		q.add("residual", tensor.U8, block{product: b.product}.output(), everyValue(tensor.U8), fed)
		q.add("residual_scale", tensor.F32, nil, uniform(0.01, 0.04), frozen)
		q.add("residual_zero", tensor.U8, nil, centre(tensor.U8), frozen)
	}
	// Weights of 74 steps of 0.008, on inputs of deviation 1.
	q.quantizer("y", tensor.U8, 74*0.008*math.Sqrt(float64(k)))
	s := &opSubject{inputs: q.list, apply: func(g *graph.Builder, in []graph.Value) []graph.Value { return b.write(g, q.values(in), axis) }}
	return qdqCase(fmt.Sprintf("%s,act=%s,residual=%v,w=%v,channels=%v,out=%s", b.product, act, b.residual, b.weights, b.perChannel, b.output), f, e, s)
}

func (b qdqBlock) write(g *graph.Builder, v map[string]graph.Value, axis int) []graph.Value {
	p := fusedProducts[b.product]
	x := quantizedAs(g, v["x"], v["x_scale"], v["x_zero"])
	w := g.Op("DequantizeLinear", graph.Attrs{"axis": graph.I(axis)}, v["w"], v["w_scale"], v["w_zero"])
	args := []graph.Value{x, w}
	if p.bias != nil {
		args = append(args, v["bias"])
	}
	y := g.Op(p.op, p.attrs, args...)
	if b.residual {
		y = g.Op("Add", nil, y, g.Op("DequantizeLinear", nil, v["residual"], v["residual_scale"], v["residual_zero"]))
	}
	if b.activation != "" {
		y = g.Op(b.activation, nil, y)
	}
	q := g.Op("QuantizeLinear", nil, y, v["y_scale"], v["y_zero"])
	if b.output == "dq" {
		q = g.Op("DequantizeLinear", nil, q, v["y_scale"], v["y_zero"])
	}
	return []graph.Value{q}
}

// quantizedAs is v as 8-bit integers give it back.
func quantizedAs(g *graph.Builder, v, scale, zero graph.Value) graph.Value {
	return g.Op("DequantizeLinear", nil, g.Op("QuantizeLinear", nil, v, scale, zero), scale, zero)
}

// quantizedInputs gathers the inputs of a program by name.
type quantizedInputs struct{ list []input }

func (q *quantizedInputs) add(name string, d tensor.DType, s tensor.Shape, f fill, r role) {
	q.list = append(q.list, input{name: name, typ: tensor.Type{DType: d, Shape: s}, fill: f, role: r})
}

// quantizer adds scale and zero point for numbers of a deviation, of which the
// range holds some 2½ to either side.
func (q *quantizedInputs) quantizer(name string, d tensor.DType, deviation float64) {
	step := deviation * 2.5 / 128
	q.add(name+"_scale", tensor.F32, nil, uniform(0.8*step, 1.2*step), frozen)
	q.add(name+"_zero", d, nil, centre(d), frozen)
}

func (q *quantizedInputs) values(in []graph.Value) map[string]graph.Value {
	v := map[string]graph.Value{}
	for i, x := range q.list {
		v[x.name] = in[i]
	}
	return v
}

// qdqChain is two convolutions with a pool in between, a quantizer after each.
func qdqChain(pool string, f form, e Effort) *Case {
	q := quantizedInputs{}
	q.add("x", tensor.F32, tensor.Shape{2, 3, 10, 12}, normal(1), fed)
	q.quantizer("x", tensor.S8, 1)
	for i, w := range []tensor.Shape{{8, 3, 3, 3}, {11, 8, 1, 1}} {
		name := fmt.Sprintf("w%d", i)
		q.add(name, tensor.S8, w, everyValue(tensor.S8), frozen)
		q.add(name+"_scale", tensor.F32, w[:1], uniform(0.004, 0.012), frozen)
	}
	q.quantizer("h", tensor.U8, 74*0.008*math.Sqrt(27))
	q.quantizer("p", tensor.U8, 74*0.008*math.Sqrt(27))
	q.quantizer("y", tensor.S8, 74*0.008*math.Sqrt(27)*0.59*math.Sqrt(8))
	return qdqCase("Conv+Relu+"+pool+"+Conv", f, e, &opSubject{inputs: q.list, apply: func(g *graph.Builder, in []graph.Value) []graph.Value {
		v := q.values(in)
		weights := func(name string) graph.Value {
			return g.Op("DequantizeLinear", graph.Attrs{"axis": graph.I(0)}, v[name], v[name+"_scale"])
		}
		h := g.Op("Conv", graph.Attrs{"pads": graph.L(1, 1, 1, 1)}, quantizedAs(g, v["x"], v["x_scale"], v["x_zero"]), weights("w0"))
		h = quantizedAs(g, g.Op("Relu", nil, h), v["h_scale"], v["h_zero"])
		h = g.Op(pool, graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, h)
		h = quantizedAs(g, h, v["p_scale"], v["p_zero"])
		return []graph.Value{g.Op("QuantizeLinear", nil, g.Op("Conv", nil, h, weights("w1")), v["y_scale"], v["y_zero"])}
	}})
}

// quantizerKink keeps what a quantizer with a constant scale rounds off its
// ties, as far as its range goes.
func quantizerKink(g *graph.Graph, c *graph.Call) []kink {
	in := make([]*reference.Array, 3)
	for _, k := range g.Consts {
		for i := 1; i < len(c.Inputs); i++ {
			if k.Name == c.Inputs[i] {
				in[i] = reference.FromTensor(k.Tensor)
			}
		}
	}
	by, err := c.Granularity()
	if err != nil || in[1] == nil || (c.Has(2) && in[2] == nil) {
		return nil
	}
	lo, hi := tensor.IntRange(c.Out[0].DType)
	return []kink{{value: c.Inputs[0], element: func(i int) int { return i }, distance: func(x *reference.Array) []float64 {
		q := reference.QuantizeLinear(x, in[1], in[2], by, c.Out[0].DType)
		d := make([]float64, len(x.Data))
		for i, v := range x.Data {
			steps, zero := q.Steps.At(nil, i), 0.0
			if q.Zero != nil {
				zero = q.Zero(i)
			}
			if steps+zero < lo-1 || steps+zero > hi+1 {
				d[i] = math.Inf(1)
				continue
			}
			toTie := math.Abs(steps - math.Floor(steps) - 0.5)
			d[i] = toTie*math.Abs(v/steps) - 3*tensor.F32.UnitRoundoff()*math.Abs(v)
			if v == 0 {
				d[i] = math.Inf(1)
			}
		}
		return d
	}}}
}
