package conformance

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Matrix products. Each of the four classes of dot products unmasks what the
// others can't: structure a dropped, doubled or shifted term, mantissa inputs
// read with fewer bits, accumulator sums kept with fewer bits, real the rest.

// product is a row: M×K times K×N, in stacks.
type product struct {
	m, k, n        int
	stackA, stackB []int
	transA, transB int
	bias           string // Gemm: "", "n", "mn", "1", "m1"
	alpha, beta    float64
	role           role // of B, the weights
}

// products cover tails around register tiles of 6, 14, 16 and 32, long and
// short sums, and LeNet-5's layers.
var products = []product{
	{m: 33, k: 75, n: 47},
	{m: 13, k: 7, n: 31},
	{m: 14, k: 32, n: 32},
	{m: 15, k: 33, n: 33},
	{m: 1, k: 129, n: 1040},
	{m: 1030, k: 5, n: 1},
	{m: 29, k: 300, n: 65, role: frozen},
	{m: 17, k: 9, n: 14, stackA: []int{2, 1}, stackB: []int{3}},
	{m: 6, k: 11, n: 16, stackA: []int{5}},
	{m: 31, k: 64, n: 34, role: held},
}

var gemms = []product{
	{m: 32, k: 256, n: 120, transB: 1, bias: "n"},             // LeNet-5's first dense layer
	{m: 32, k: 84, n: 10, transB: 1, bias: "n", role: frozen}, // and its last
	{m: 1, k: 120, n: 84, transB: 1, bias: "n", role: held},
	{m: 33, k: 75, n: 47, bias: "mn"},
	{m: 31, k: 17, n: 65, transA: 1},
	{m: 47, k: 33, n: 31, transA: 1, transB: 1, bias: "1", alpha: 0.5, beta: -2},
	{m: 14, k: 3, n: 129, bias: "m1", alpha: 2, beta: 4},
	{m: 120, k: 64, n: 256, transA: 1}, // a weight gradient
	{m: 9, k: 31, n: 31, transB: 1},    // squares, whose shape does not tell how they lie
	{m: 17, k: 17, n: 6, transA: 1},
}

func (p product) attrs() graph.Attrs {
	a := graph.Attrs{"transA": graph.I(p.transA), "transB": graph.I(p.transB)}
	if p.alpha != 0 {
		a["alpha"], a["beta"] = graph.F(p.alpha), graph.F(p.beta)
	}
	return a
}

func (p product) shapes() (a, b, c tensor.Shape) {
	a, b = tensor.Shape{p.m, p.k}, tensor.Shape{p.k, p.n}
	if p.transA != 0 {
		a = tensor.Shape{p.k, p.m}
	}
	if p.transB != 0 {
		b = tensor.Shape{p.n, p.k}
	}
	c = map[string]tensor.Shape{"n": {p.n}, "mn": {p.m, p.n}, "1": {1}, "m1": {p.m, 1}}[p.bias]
	return append(tensor.Shape(p.stackA).Clone(), a...), append(tensor.Shape(p.stackB).Clone(), b...), c
}

func (p product) params() string {
	s := fmt.Sprintf("m=%d,k=%d,n=%d", p.m, p.k, p.n)
	if p.stackA != nil || p.stackB != nil {
		s = params(s, "stack="+list(p.stackA, "x")+":"+list(p.stackB, "x"))
	}
	if p.transA+p.transB > 0 {
		s = params(s, fmt.Sprintf("t=%d%d", p.transA, p.transB))
	}
	if p.bias != "" {
		s = params(s, "c="+p.bias)
	}
	if p.alpha != 0 {
		s = params(s, fmt.Sprintf("alpha=%v,beta=%v", p.alpha, p.beta))
	}
	if p.role != fed {
		s = params(s, "b="+p.role.String())
	}
	return s
}

func (p product) make(op string, d tensor.DType, class string, e Effort, b *Bound, fa, fb, fc fill) *Case {
	sa, sb, sc := p.shapes()
	s := &opSubject{inputs: []input{
		{name: "A", typ: tensor.Type{DType: d, Shape: sa}, fill: fa},
		{name: "B", typ: tensor.Type{DType: d, Shape: sb}, fill: fb, role: p.role}}}
	var attrs graph.Attrs
	if op == "Gemm" {
		attrs = p.attrs()
	}
	if sc != nil {
		s.inputs = append(s.inputs, input{name: "C", typ: tensor.Type{DType: d, Shape: sc}, fill: fc, role: p.role})
	}
	s.apply = single(op, attrs, 1)
	return &Case{
		Op: op, DType: d, Params: p.params(), Class: class, Suite: InferenceCore, Effort: e, Required: d == tensor.F32,
		bound: every(b), subject: s,
	}
}

func matmulCases() []*Case {
	var all []*Case
	for _, d := range floats {
		for i, p := range products {
			all = append(all, p.classes("MatMul", d, effortOf(d, i))...)
		}
		for i, p := range gemms {
			all = append(all, p.classes("Gemm", d, effortOf(d, i))...)
		}
	}
	for _, d := range integerTypes {
		lo, hi := max(-1000.0, -maxFinite(d)), min(1000, maxFinite(d))
		if d == tensor.U8 || d == tensor.U32 {
			lo = 0
		}
		f := integers(int(lo), int(hi))
		all = append(all, products[0].make("MatMul", d, "integers", Quick, exact, f, f, nil))
	}
	for _, p := range stacks {
		for _, c := range p.classes("MatMul", tensor.F32, Standard) {
			if c.Class == "structure" || c.Class == "real" {
				all = append(all, c)
			}
		}
	}
	for _, d := range []tensor.DType{tensor.F32, tensor.F64, tensor.S32} {
		all = append(all, emptySum(d))
	}
	none := product{m: 5, k: 0, n: 7, bias: "mn", alpha: 2, beta: 4}
	return append(all, none.make("Gemm", tensor.F32, "structure", Standard, exact, structured(tensor.F32, 4), structured(tensor.F32, 4), structured(tensor.F32, 4)))
}

// stacks broadcast in every way: on either side, on both, of other ranks, and
// more of them than a grid's index may count.
var stacks = []product{
	{m: 7, k: 5, n: 3, stackA: []int{2, 3}, stackB: []int{3}},
	{m: 5, k: 9, n: 7, stackA: []int{3}, stackB: []int{2, 1}},
	{m: 4, k: 6, n: 5, stackB: []int{3, 2}},
	{m: 3, k: 33, n: 17, stackA: []int{2, 1, 2}, stackB: []int{1, 3, 1}},
	{m: 1, k: 2, n: 1, stackA: []int{65_537}, stackB: []int{1}},
	{m: 2, k: 1, n: 1, stackA: []int{65_537}, stackB: []int{65_537}},
	{m: 16, k: 1, n: 33},
	{m: 1, k: 31, n: 1},
}

// emptySum is a product over no terms, which is 0, less something.
func emptySum(d tensor.DType) *Case {
	return &Case{Op: "MatMul", DType: d, Params: "m=5,k=0,n=7", Class: "structure", Suite: InferenceCore, Effort: Standard, Required: d == tensor.F32,
		bound: every(exact), subject: &opSubject{
			inputs: []input{
				{name: "A", typ: tensor.T(d, 5, 0), fill: constant(0)}, {name: "B", typ: tensor.T(d, 0, 7), fill: constant(0)},
				{name: "C", typ: tensor.T(d, 5, 7), fill: integers(-99, 99)}},
			apply: func(b *graph.Builder, in []graph.Value) []graph.Value {
				return []graph.Value{b.Op("Sub", nil, b.Op("MatMul", nil, in[0], in[1]), in[2])}
			}}}
}

// classes are the cases of one shape and type.
func (p product) classes(op string, d tensor.DType, e Effort) []*Case {
	k := p.k
	scale := 1
	if p.alpha != 0 {
		scale = 4 // alpha and beta are powers of two, beta up to 4
	}
	if p.bias != "" {
		k++
	}
	n := scale * k
	if d == tensor.F16 || d == tensor.BF16 {
		n = max(n, 2*k) // a bias of its own size
	}
	more := max(e, Quick)
	structure, positive := structured(d, n), accumulating(d, n)
	a, b, _ := p.shapes()
	cases := []*Case{
		p.make(op, d, "structure", e, exact, structure, structure, structure),
		p.make(op, d, "real", e, dotBound, uniform(-1, 1), uniform(-1, 1), uniform(-1, 1)),
		p.make(op, d, "accumulator", more, exact, positive, positive, positive),
	}
	if p.m > 2*len(nonFinite) { // else every row has one
		cases = append(cases, p.make(op, d, "specials", more, dotBound, rarely(uniform(-1, 1), nonFinite...), uniform(0.5, 1), uniform(-1, 1)))
	}
	if p.stackA != nil || p.stackB != nil || p.alpha != 0 {
		return cases
	}
	// One ±1 a column of B lets A through, one a row of A lets B through. A
	// bias would round the sum.
	bare := p
	bare.bias = ""
	return append(cases,
		bare.make(op, d, "mantissa-a", more, exact, mantissas(), oneHotAlong(b, 1-p.transB), nil),
		bare.make(op, d, "mantissa-b", more, exact, oneHotAlong(a, p.transA), mantissas(), nil))
}

// oneHotAlong is one ±1 for each index of an axis of a matrix, anywhere along
// the other.
func oneHotAlong(s tensor.Shape, axis int) fill {
	if axis == 0 {
		return oneHot(s[0], func(i int) int { return i / s[1] })
	}
	return oneHot(s[1], func(i int) int { return i % s[1] })
}
