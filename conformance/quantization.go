package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Quantizing and dequantizing element by element: rounding at ties, where the
// zero point comes in, saturation, and which scale belongs to which element.

// grain is how an array is quantized: which shape, by how many scales, with
// zero points or without.
type grain struct {
	x     tensor.Shape
	by    string // tensor, one (a list of one scale), axis, block
	axis  int
	block int
	zero  bool
	role  role // of scale and zero point
}

// grains cover tails of vectors, channels first and last, blocks that do and
// do not divide their axis, and what is worth sharing among threads.
var grains = []grain{
	{x: tensor.Shape{2, 3, 35}, by: "axis", axis: 1, zero: true, role: frozen},
	{x: tensor.Shape{1037}, by: "tensor", zero: true},
	{x: tensor.Shape{33, 47}, by: "one", role: frozen},
	{x: tensor.Shape{4, 5, 7, 3}, by: "axis", axis: 1, zero: true},
	{x: tensor.Shape{37, 9}, by: "axis", axis: -1, zero: true, role: held},
	{x: tensor.Shape{17, 5, 3}, by: "axis", axis: 0, role: frozen},
	{x: tensor.Shape{3, 12, 5}, by: "block", axis: 1, block: 4, zero: true},
	{x: tensor.Shape{5, 19}, by: "block", axis: -1, block: 8, zero: true, role: frozen},
	{x: tensor.Shape{33, 2111}, by: "tensor", zero: true, role: frozen},
	{x: tensor.Shape{2, 65, 31, 33}, by: "axis", axis: -3, zero: true, role: frozen},
}

func (g grain) attrs(more graph.Attrs) graph.Attrs {
	a := graph.Attrs{}
	if g.by == "axis" || g.by == "block" {
		a["axis"] = graph.I(g.axis)
	}
	if g.by == "block" {
		a["block_size"] = graph.I(g.block)
	}
	for name, v := range more {
		a[name] = v
	}
	return a
}

// scale is the shape of scales and zero points.
func (g grain) scale() tensor.Shape {
	axis := (g.axis + len(g.x)) % len(g.x)
	switch g.by {
	case "axis":
		return tensor.Shape{g.x[axis]}
	case "block":
		s := g.x.Clone()
		s[axis] = (s[axis] + g.block - 1) / g.block
		return s
	case "one":
		return tensor.Shape{1}
	}
	return tensor.Shape{}
}

func (g grain) params(more ...string) string {
	s := fmt.Sprintf("x=%v,by=%s", g.x, g.by)
	switch g.by {
	case "axis":
		s = params(s, fmt.Sprintf("axis=%d", g.axis))
	case "block":
		s = params(s, fmt.Sprintf("axis=%d,block=%d", g.axis, g.block))
	}
	return params(append([]string{s, fmt.Sprintf("zero=%v,scale=%v", g.zero, g.role)}, more...)...)
}

// inputs are those of an op: x, its scales, and zero points if there are any.
func (g grain) inputs(names [3]string, x, scale, zero tensor.DType, fx, fs, fz fill) []input {
	list := []input{
		{name: names[0], typ: tensor.Type{DType: x, Shape: g.x}, fill: fx},
		{name: names[1], typ: tensor.Type{DType: scale, Shape: g.scale()}, fill: fs, role: g.role}}
	if g.zero {
		list = append(list, input{name: names[2], typ: tensor.Type{DType: zero, Shape: g.scale()}, fill: fz, role: g.role})
	}
	return list
}

// quantizedTypes are u8 and s8 by turns.
var quantizedTypes = []tensor.DType{tensor.U8, tensor.S8}

// everyValue are all values of an integer type, as often as they come.
func everyValue(d tensor.DType) fill {
	lo, hi := tensor.IntRange(d)
	return integers(int(lo), int(hi))
}

// Scales that are powers of two, ½ or ¼, and multiples of an eighth: steps and
// ties are exact, whether by quotient or by reciprocal.
var (
	binaryScales = each(func(r *rng) float64 { return 0.5 / float64(1+r.intn(2)) })
	binarySteps  = each(func(r *rng) float64 { return float64(r.intn(1001)-500) / 8 })
)

func quantizationCases() []*Case {
	var all []*Case
	for i, g := range grains {
		for j, d := range quantizedTypes {
			all = append(all, g.quantize(i, j, d)...)
			all = append(all, g.dequantize(i, j, d))
		}
		all = append(all, g.fake(i)...)
	}
	all = append(all, otherQuantizeTypes()...)
	all = append(all, extremeScales()...)
	return withDecomposed(append(all, dynamicCases()...))
}

// withDecomposed adds the decomposition of one case an op, type and class.
func withDecomposed(all []*Case) []*Case {
	seen := map[[3]string]bool{}
	for _, c := range all {
		key := [3]string{c.Op, c.DType.String(), c.Class}
		if seen[key] {
			continue
		}
		seen[key] = true
		d := *c
		d.form, d.Effort = decomposed, max(c.Effort, Quick)
		d.Class += formNames[decomposed]
		all = append(all, &d)
	}
	return all
}

// effort spreads rows over the efforts: the first is smoke, one type of the
// others is quick.
func (g grain) effort(row, typ int) Effort {
	switch {
	case row == 0 && typ == 0:
		return Smoke
	case row%2 == typ:
		return Quick
	}
	return Standard
}

func (g grain) quantizeCase(from, scale, to tensor.DType, class string, e Effort, b *Bound, fx, fs fill, more graph.Attrs) *Case {
	attrs := g.attrs(more)
	detail := "to=" + to.String()
	if !g.zero && to == tensor.S8 {
		attrs["output_dtype"] = graph.S(to.String())
	}
	for _, name := range []string{"output_dtype", "precision"} {
		if v, ok := more[name]; ok {
			detail = params(detail, name+"="+v.String)
		}
	}
	return &Case{
		Op: "QuantizeLinear", DType: from, Params: g.params(detail), Class: class, Suite: Quantized, Effort: e, Required: from == tensor.F32, bound: every(b),
		subject: &opSubject{apply: single("QuantizeLinear", attrs, 1),
			inputs: g.inputs([3]string{"x", "y_scale", "y_zero_point"}, from, scale, to, fx, fs, everyValue(to))},
	}
}

func (g grain) quantize(row, typ int, to tensor.DType) []*Case {
	e := g.effort(row, typ)
	f := tensor.F32
	special := append(specialValues(f, true)[1:], 1e30, -1e30, 3e9, -3e9)
	return []*Case{
		g.quantizeCase(f, f, to, "real", e, quantizeBound, normal(2), uniform(0.01, 0.04), nil),
		g.quantizeCase(f, f, to, "ties", max(e, Quick), exact, binarySteps, binaryScales, nil),
		g.quantizeCase(f, f, to, "specials", max(e, Quick), quantizeBound, sprinkled(normal(2), special...), uniform(0.01, 0.04), nil),
	}
}

// otherQuantizeTypes are 16-bit floats, f64 and s32, which few backends have.
func otherQuantizeTypes() []*Case {
	var all []*Case
	for i, from := range []tensor.DType{tensor.F16, tensor.BF16, tensor.F64, tensor.S32} {
		for j, to := range quantizedTypes {
			g, scale, more := grains[(i+j)%2], from, graph.Attrs(nil)
			fx, fs, ties := normal(2), uniform(0.01, 0.04), binarySteps
			switch from {
			case tensor.F16, tensor.BF16: // a division in their own precision would be no check
				more = graph.Attrs{"precision": graph.S("f32")}
				ties = each(func(r *rng) float64 { return float64(r.intn(241)-120) / 4 }) // 8 bits
			case tensor.S32:
				scale = tensor.F32
				fx, fs, ties = integers(-2000, 2000), uniform(3, 12), integers(-300, 300)
			}
			powers := binaryScales
			if from == tensor.S32 {
				powers = each(func(r *rng) float64 { return float64(int(2) << r.intn(2)) })
			}
			e := Standard
			if j == 0 {
				e = Quick
			}
			all = append(all,
				g.quantizeCase(from, scale, to, "real", e, quantizeBound, fx, fs, more),
				g.quantizeCase(from, scale, to, "ties", e, exact, ties, powers, more))
		}
	}
	return append(all, grains[1].quantizeCase(tensor.F16, tensor.F16, tensor.U8, "real", Standard, quantizeBound, normal(2), uniform(0.01, 0.04), nil))
}

// extremeScales are so small that their reciprocal overflows, or so large that
// products with them do.
func extremeScales() []*Case {
	var all []*Case
	g := grain{x: tensor.Shape{3, 67}, by: "tensor", zero: true}
	for _, s := range []struct {
		class string
		scale float64
	}{{"subnormal-scale", 0x1p-130}, {"huge-scale", 0x1p119}} {
		x := each(func(r *rng) float64 { return s.scale * float64(r.intn(1001)-500) / 2 })
		c := g.quantizeCase(tensor.F32, tensor.F32, tensor.S8, s.class, Quick, exact, x, constant(s.scale), nil)
		c.Required = false // devices may read subnormal numbers as zero
		all = append(all, c)
	}
	return all
}

func (g grain) dequantize(row, typ int, from tensor.DType) *Case {
	to, e := tensor.F32, g.effort(row, typ)
	scale, detail, attrs := to, "", g.attrs(nil)
	// Some rows go to other types, or come from s32.
	switch row*2 + typ {
	case 4:
		from, scale = tensor.S32, tensor.F32
	case 7:
		scale, to = tensor.F16, tensor.F16
	case 9:
		scale, to = tensor.BF16, tensor.BF16
	case 11:
		scale, to = tensor.F64, tensor.F64
	case 14:
		to = tensor.F16
		attrs["output_dtype"] = graph.S(to.String())
		detail = "output_dtype=f16"
	}
	x, zero := everyValue(from), everyValue(from)
	if from == tensor.S32 {
		x, zero = each(func(r *rng) float64 { return float64(int32(r.word()) >> 1) }), integers(-1000, 1000)
	}
	g.zero = g.zero || from == tensor.S32
	return &Case{
		Op: "DequantizeLinear", DType: from, Params: g.params("to="+to.String(), detail), Class: "real", Suite: Quantized, Effort: e,
		Required: to == tensor.F32 && scale == to, bound: own("DequantizeLinear"),
		subject: &opSubject{apply: single("DequantizeLinear", attrs, 1),
			inputs: g.inputs([3]string{"x", "x_scale", "x_zero_point"}, from, scale, from, x, uniform(0.01, 0.04), zero)},
	}
}

// fake are FakeQuantize and its gradient. Numbers of class real keep away from
// ties, where the gradient of the range's ends jumps.
func (g grain) fake(row int) []*Case {
	if g.by == "block" {
		return nil
	}
	d, e := tensor.F32, g.effort(row, row%2)
	if row == 0 {
		e = Smoke
	}
	switch row {
	case 4:
		d, e = tensor.F16, Standard
	case 5:
		d, e = tensor.BF16, Standard
	case 3:
		d, e = tensor.F64, Standard
	}
	ranges := [][2]int{{-128, 127}, {0, 255}, {-8, 7}}[row%3]
	attrs := g.attrs(graph.Attrs{"quant_min": graph.I(ranges[0]), "quant_max": graph.I(ranges[1])})
	zero := integers(ranges[0]/4-2, ranges[1]/4+2)
	make := func(op, class string, e Effort, b *Bound, fx, fs fill, tie func(Values)) *Case {
		in := g.inputs([3]string{"X", "scale", "zero_point"}, d, d, tensor.S32, fx, fs, zero)
		if op == "FakeQuantizeGrad" {
			in = append([]input{{name: "dY", typ: in[0].typ, fill: normal(1)}}, in...)
		}
		return &Case{
			Op: op, DType: d, Params: g.params(fmt.Sprintf("range=%d:%d", ranges[0], ranges[1])), Class: class, Suite: Quantized, Effort: e,
			Required: d == tensor.F32, bound: every(b), subject: &opSubject{apply: single(op, attrs, 1), inputs: in, tie: tie},
		}
	}
	wide := normal(0.6 * float64(ranges[1]-ranges[0]) * 0.02)
	var all []*Case
	for _, op := range []string{"FakeQuantize", "FakeQuantizeGrad"} {
		all = append(all,
			make(op, "real", e, fakeQuantizeBound, wide, uniform(0.01, 0.04), g.offTies),
			make(op, "ties", max(e, Quick), exact, binarySteps, binaryScales, nil))
	}
	special := specialValues(d, true)
	return append(all, make("FakeQuantize", "specials", max(e, Quick), fakeQuantizeBound, sprinkled(wide, special...), uniform(0.01, 0.04), nil))
}

// offTies moves x to within 0.4 steps of a multiple of its scale.
func (g grain) offTies(v Values) {
	scale, x := v["scale"].Float64s(), v["X"].Float64s()
	inner := g.x[(g.axis+len(g.x))%len(g.x)+1:].Elements()
	for i := range x {
		s := scale[0]
		if g.by == "axis" {
			s = scale[i/inner%len(scale)]
		}
		steps := math.RoundToEven(x[i] / s)
		x[i] = s * (steps + 0.8*(x[i]/s-steps))
	}
	v["X"].SetFloat64s(x)
}

// dynamicCases choose scale and zero point by themselves: for both signs, for
// one sign alone, far from zero, and where the range is one sided.
func dynamicCases() []*Case {
	var all []*Case
	far := func(r *rng, t tensor.Type) []float64 {
		sign := r.sign()
		return each(func(r *rng) float64 { return sign * (5 + r.float()) })(r, t)
	}
	for i, s := range flatShapes {
		e := effortOf(tensor.F32, i)
		for _, c := range []struct {
			class string
			fill  fill
		}{{"real", normal(3)}, {"one-sided", oneSided()}, {"far", far}, {"outlier", sprinkledOnce(normal(0.1), 40, -25)}} {
			if len(s) == 1 && s[0] == 1 && c.class != "one-sided" {
				continue // a single number is one sided
			}
			all = append(all, &Case{
				Op: "DynamicQuantizeLinear", DType: tensor.F32, Params: "x=" + s.String(), Class: c.class, Suite: Quantized, Effort: e,
				Required: true, bound: own("DynamicQuantizeLinear"),
				subject: &opSubject{apply: single("DynamicQuantizeLinear", nil, 3), inputs: []input{{name: "x", typ: tensor.Type{DType: tensor.F32, Shape: s}, fill: c.fill}}},
			})
		}
	}
	return all
}

// sprinkledOnce puts one of the values, drawn, somewhere.
func sprinkledOnce(f fill, values ...float64) fill {
	return func(r *rng, t tensor.Type) []float64 {
		v := f(r, t)
		v[r.intn(len(v))] = values[r.intn(len(values))] * (1 + r.float())
		return v
	}
}
