package conformance

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// Products of 8-bit integers. Sums are exact in s32, whatever the order: pair
// sums that saturate 16 bits, weights that lose a bit, and zero points that are
// left out show in any of them. What is quantized anew is judged at ties, in
// steps that are powers of two, and on real scales.

// octetTypes are the types of the operands and the output of row i: of data by
// u8 or s8, and weights of either.
func octetTypes(i int) (x, w, y tensor.DType) {
	list := [...][3]tensor.DType{
		{tensor.U8, tensor.S8, tensor.U8}, {tensor.S8, tensor.S8, tensor.S8}, {tensor.U8, tensor.U8, tensor.U8},
		{tensor.S8, tensor.U8, tensor.S8}, {tensor.U8, tensor.S8, tensor.S8},
	}
	t := list[i%len(list)]
	return t[0], t[1], t[2]
}

// tops are values at the upper end of a type, or in one of four at the lower:
// pairs of their products pass 2¹⁵.
func tops(d tensor.DType) fill {
	lo, hi := tensor.IntRange(d)
	return each(func(r *rng) float64 {
		if lo < 0 && r.intn(4) == 0 {
			return lo + float64(r.intn(4))
		}
		return hi - float64(r.intn(8))
	})
}

// sixteens are multiples of 16 over all of a type's range: sums of their
// products are multiples of 256, so that many are ties.
func sixteens(d tensor.DType) fill {
	lo, _ := tensor.IntRange(d)
	return each(func(r *rng) float64 { return lo + float64(16*r.intn(16)) })
}

// centre are zero points near the middle of a type's range, odd ones too.
func centre(d tensor.DType) fill {
	lo, hi := tensor.IntRange(d)
	return integers(int(lo+hi+1)/2-20, int(lo+hi+1)/2+20)
}

// octetClass is a way to fill a product of integers.
type octetClass struct {
	name           string
	bound          *Bound
	x, w           func(tensor.DType) fill // operands
	xZero, wZero   func(tensor.DType) fill
	xScale, wScale fill
	yScale         func(k int) fill
	effort         Effort
}

// typical is how large a sum of k products of uniform 8-bit integers is: 74²√k.
func typical(k int) float64 { return 74 * 74 * math.Sqrt(float64(k)) }

// powerOfTwo is a scale for which typical sums are some 60 steps of 1.
func powerOfTwo(k int) float64 { return math.Exp2(math.Round(math.Log2(typical(k) / 60))) }

var octetClasses = []octetClass{
	{name: "real", bound: quantizeBound, x: everyValue, w: everyValue, xZero: centre, wZero: centre,
		xScale: uniform(0.01, 0.04), wScale: uniform(0.002, 0.02),
		yScale: func(k int) fill { return uniform(1e-4*typical(k)/60, 6e-4*typical(k)/60) }},
	{name: "ties", bound: exact, x: sixteens, w: sixteens, xZero: sixteens, wZero: sixteens, effort: Quick,
		xScale: constant(0x1p-6), wScale: each(func(r *rng) float64 { return 0x1p-7 * float64(1+r.intn(2)) }),
		yScale: func(k int) fill { return constant(0x1p-13 * max(512, powerOfTwo(k))) }},
	{name: "saturating", bound: quantizeBound, x: tops, w: tops, xZero: centre, wZero: everyValue, effort: Quick,
		xScale: uniform(0.01, 0.04), wScale: uniform(0.002, 0.02),
		yScale: func(k int) fill { return uniform(1e-4*typical(k)/10, 6e-4*typical(k)/10) }},
}

// qproduct is a row of integer matrix products: scales and zero points of A and
// B are "" one number, "rows" of A and columns of B, "stack" the same with
// leading axes.
type qproduct struct {
	product
	by string
}

// qproducts cover tails around tiles of 4, 8 and 16, pairs and fours of K, one
// row, one column, stacks.
var qproducts = []qproduct{
	{product{m: 17, k: 35, n: 30}, ""},
	{product{m: 13, k: 7, n: 31, role: frozen}, "rows"},
	{product{m: 32, k: 64, n: 48, role: frozen}, ""},
	{product{m: 1, k: 130, n: 257, role: frozen}, "rows"},
	{product{m: 259, k: 33, n: 1}, ""},
	{product{m: 5, k: 66, n: 19, stackA: []int{3}, stackB: []int{3}}, "stack"},
	{product{m: 6, k: 11, n: 16, stackA: []int{2, 1}, stackB: []int{3}}, ""},
	{product{m: 33, k: 255, n: 63, role: held}, "rows"},
	{product{m: 3, k: 1551, n: 17}, ""}, // sums beyond 2²⁴
}

func (p qproduct) params() string {
	return params(p.product.params(), "by="+map[string]string{"": "tensor", "rows": "rows", "stack": "stack"}[p.by])
}

// scales are the shapes of the operands' scales and zero points.
func (p qproduct) scales() (a, b tensor.Shape) {
	switch p.by {
	case "rows":
		return tensor.Shape{p.m}, tensor.Shape{p.n}
	case "stack":
		return append(tensor.Shape(p.stackA).Clone(), p.m, 1), append(tensor.Shape(p.stackB).Clone(), 1, p.n)
	}
	return tensor.Shape{}, tensor.Shape{}
}

func (p qproduct) input(name string, d tensor.DType, s tensor.Shape, f fill) input {
	in := input{name: name, typ: tensor.Type{DType: d, Shape: s}, fill: f}
	if name != "a" && name != "A" && name != "a_zero_point" {
		in.role = p.role
	}
	return in
}

// rareScales are the types of QLinearMatMul's scales beside f32.
var rareScales = []tensor.DType{tensor.F16, tensor.BF16, tensor.F64}

// requantized is row i of QLinearMatMul with scales of a type.
func (p qproduct) requantized(i int, c octetClass, scale tensor.DType) *Case {
	a, b, y := octetTypes(i)
	sa, sb, _ := p.shapes()
	za, zb := p.scales()
	return &Case{
		Op: "QLinearMatMul", DType: a, Params: params(p.params(), fmt.Sprintf("t=%v*%v:%v", a, b, y)), Class: c.name, Suite: Quantized,
		Effort: max(effortOf(tensor.F32, i), c.effort), Required: true, bound: every(c.bound),
		subject: &opSubject{apply: single("QLinearMatMul", nil, 1), inputs: []input{
			p.input("a", a, sa, c.x(a)), p.input("a_scale", scale, za, c.xScale), p.input("a_zero_point", a, za, c.xZero(a)),
			p.input("b", b, sb, c.w(b)), p.input("b_scale", scale, zb, c.wScale), p.input("b_zero_point", b, zb, c.wZero(b)),
			p.input("y_scale", scale, nil, c.yScale(p.k)), p.input("y_zero_point", y, nil, centre(y))}},
	}
}

func qmatmulCases() []*Case {
	var all []*Case
	for i, p := range qproducts {
		e := effortOf(tensor.F32, i)
		a, b, _ := octetTypes(i)
		sa, sb, _ := p.shapes()
		za, zb := p.scales()
		types := fmt.Sprintf("%v*%v", a, b)
		for _, c := range octetClasses {
			all = append(all, p.requantized(i, c, tensor.F32))
		}
		if i < len(rareScales) {
			scaled := p.requantized(i, octetClasses[0], rareScales[i])
			scaled.Params += ",scales=" + rareScales[i].String()
			scaled.Effort, scaled.Required = Standard, false
			all = append(all, scaled)
		}
		for j, f := range []func(tensor.DType) fill{everyValue, tops} {
			in := []input{p.input("A", a, sa, f(a)), p.input("B", b, sb, f(b))}
			zeros := "none"
			if i%3 != 2 {
				zeros = "both"
				in = append(in, p.input("a_zero_point", a, za, everyValue(a)), p.input("b_zero_point", b, zb, everyValue(b)))
			}
			all = append(all, &Case{
				Op: "MatMulInteger", DType: a, Params: params(p.params(), "t="+types, "zeros="+zeros), Class: [...]string{"integers", "saturating"}[j], Suite: Quantized,
				Effort: max(e, Effort(j)), Required: true, bound: every(exact), subject: &opSubject{apply: single("MatMulInteger", nil, 1), inputs: in},
			})
		}
	}
	return withDecomposed(all)
}

// qconvolution is a row of integer convolutions; filters have scales and zero
// points of their own, or share them.
type qconvolution struct {
	convolution
	perChannel bool
}

var qconvolutions = []qconvolution{
	{convolution{n: 2, c: 3, m: 9, in: []int{11, 9}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}, bias: true, role: frozen}, true},
	{convolution{n: 1, c: 8, m: 17, in: []int{8, 7}, kernel: []int{3, 3}, strides: []int{2, 1}, pads: []int{1, 0, 2, 0}}, false},
	{convolution{n: 2, c: 6, m: 10, in: []int{9, 8}, kernel: []int{3, 2}, pads: []int{0, 1, 1, 0}, group: 2, bias: true, role: frozen}, true},
	{convolution{n: 1, c: 13, m: 13, in: []int{9, 10}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}, group: 13, bias: true, role: frozen}, true}, // depthwise
	{convolution{n: 1, c: 5, m: 15, in: []int{12, 11}, kernel: []int{3, 3}, pads: []int{2, 1, 0, 3}, dilations: []int{2, 3}, role: held}, false},
	{convolution{n: 3, c: 33, m: 31, in: []int{5, 5}, kernel: []int{1, 1}, bias: true, role: frozen}, true},                      // pointwise
	{convolution{n: 1, c: 30, m: 8, in: []int{5, 6}, kernel: []int{3, 3}, pads: []int{1, 1, 1, 1}, bias: true}, false},           // sums too long for f32 at one go
	{convolution{n: 1, c: 3, m: 8, in: []int{27, 27}, kernel: []int{7, 7}, strides: []int{2, 2}, pads: []int{3, 3, 3, 3}}, true}, // a residual network's first
	{convolution{n: 5, c: 16, m: 24, in: []int{15, 14}, kernel: []int{1, 1}, strides: []int{2, 2}, bias: true, role: frozen}, true},
	{convolution{n: 1, c: 160, m: 5, in: []int{4, 5}, kernel: []int{3, 3}, pads: []int{1, 0, 0, 1}}, true}, // sums beyond 2²⁴
	{convolution{n: 2, c: 2, m: 4, in: []int{19}, kernel: []int{4}, strides: []int{3}, pads: []int{2, 1}, bias: true}, true},
}

func (r qconvolution) input(name string, d tensor.DType, s tensor.Shape, f fill) input {
	in := input{name: name, typ: tensor.Type{DType: d, Shape: s}, fill: f}
	if name != "x" {
		in.role = r.role
	}
	return in
}

func qconvCases() []*Case {
	var all []*Case
	for i, r := range qconvolutions {
		e := effortOf(tensor.F32, i)
		x, w, y := octetTypes(i)
		zw, k := tensor.Shape{}, r.w()[1:].Elements()
		if r.perChannel {
			zw = tensor.Shape{r.m}
		}
		detail := fmt.Sprintf("t=%v*%v", x, w)
		required := len(r.in) == 2
		for _, c := range octetClasses {
			f32 := tensor.F32
			in := []input{
				r.input("x", x, r.x(), c.x(x)), r.input("x_scale", f32, nil, c.xScale), r.input("x_zero_point", x, nil, c.xZero(x)),
				r.input("w", w, r.w(), c.w(w)), r.input("w_scale", f32, zw, c.wScale), r.input("w_zero_point", w, zw, c.wZero(w)),
				r.input("y_scale", f32, nil, c.yScale(k)), r.input("y_zero_point", y, nil, centre(y))}
			if r.bias {
				most := int(typical(k))
				bias := integers(-most, most)
				if c.name == "ties" {
					bias = each(func(r *rng) float64 { return 256 * float64(r.intn(most/128)-most/256) })
				}
				in = append(in, r.input("B", tensor.S32, tensor.Shape{r.m}, bias))
			}
			all = append(all, &Case{
				Op: "QLinearConv", DType: x, Params: params(r.params(), fmt.Sprintf("b=%v,channels=%v", r.bias, r.perChannel), detail+":"+y.String()), Class: c.name, Suite: Quantized,
				Effort: max(e, c.effort), Required: required, bound: every(c.bound),
				subject: &opSubject{apply: single("QLinearConv", r.attrs(), 1), inputs: in},
			})
		}
		for j, f := range []func(tensor.DType) fill{everyValue, tops} {
			in := []input{r.input("x", x, r.x(), f(x)), r.input("w", w, r.w(), f(w))}
			zeros := "none"
			if i%3 != 1 {
				zeros = "both"
				in = append(in, r.input("x_zero_point", x, nil, everyValue(x)), r.input("w_zero_point", w, zw, everyValue(w)))
			}
			all = append(all, &Case{
				Op: "ConvInteger", DType: x, Params: params(r.params(), detail, "zeros="+zeros), Class: [...]string{"integers", "saturating"}[j], Suite: Quantized,
				Effort: max(e, Effort(j)), Required: required, bound: every(exact), subject: &opSubject{apply: single("ConvInteger", r.attrs(), 1), inputs: in},
			})
		}
	}
	return withDecomposed(all)
}
