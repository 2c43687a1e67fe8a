package cpu

import (
	"errors"
	"fmt"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// matmulRows are the matrix products. In f32 they take a bias and a ReLU into
// the kernel's epilogue.
func matmulRows() []row {
	gemm := implementation{
		kernel: "gemm", algorithm: "packed panels",
		takes: ofTypes(f32Only, 0), absorbs: continuesProduct, build: buildGemm,
	}
	single := gemm
	single.takes, single.build = takesSingleProduct, buildMatMul
	stack := implementation{
		kernel: "gemm", algorithm: "stack of packed panels",
		takes: ofTypes(f32Only, 0), build: buildStack,
	}
	direct := implementation{
		kernel: "matmul", algorithm: "direct",
		takes: ofTypes(wide, 0), build: buildDirectMatMul,
	}
	return []row{
		{"MatMul", []implementation{single, stack, direct}},
		{"Gemm", []implementation{gemm}},
	}
}

// serialFLOPs is the work of a product that is not worth sharing: some 2 µs.
const serialFLOPs = 400_000

// takesSingleProduct wants one matrix B; the stack of A is then one matrix.
func takesSingleProduct(c *graph.Call) error {
	b := c.In[1].Shape
	if c.In[0].DType != tensor.F32 || b[:len(b)-2].Elements() != 1 {
		return errors.New("B is not one matrix of f32")
	}
	return nil
}

// continuesProduct takes a bias, one an output column, if there is none yet,
// and then a ReLU.
func continuesProduct(_ table, p *part, c *graph.Call) bool {
	if p.last().Op.Name == "Relu" {
		return false
	}
	switch c.Op.Name {
	case "Relu":
		return true
	case "Add":
		_, ok := columnBias(p, c)
		return ok && len(p.calls) == 1 && !(p.head().Op.Name == "Gemm" && p.head().Has(2))
	}
	return false
}

// columnBias is the input of an addition to the partition's output that is a
// vector along its last axis.
func columnBias(p *part, c *graph.Call) (input int, ok bool) {
	out := p.last().Out[0]
	if c.Inputs[0] == c.Inputs[1] || !c.Out[0].Equal(out) {
		return 0, false
	}
	if c.Inputs[0] == p.output() {
		input = 1
	}
	s := c.In[input].Shape
	n := out.Shape[len(out.Shape)-1]
	return input, len(s) > 0 && s[len(s)-1] == n && s.Elements() == n
}

// epilogue is what follows a product.
type epilogue struct {
	bias    *value // nil: none
	perRow  bool   // the bias is one a row, else one a column
	initial *value // what the product is added to, broadcast; nil: nothing
	beta    float32
	relu    bool
}

func (b *builder) epilogue(p *part) *epilogue {
	e := &epilogue{beta: 1}
	for _, c := range p.calls[1:] {
		switch c.Op.Name {
		case "Relu":
			e.relu = true
		case "Add":
			i := 0
			if b.in(c, 0) == nil { // the product itself
				i = 1
			}
			e.bias = b.in(c, i)
		}
	}
	return e
}

func (e *epilogue) String() string {
	s := ""
	if e.bias != nil || e.initial != nil {
		s += "+bias"
	}
	if e.relu {
		s += "+relu"
	}
	return s
}

func buildMatMul(b *builder, p *part) error {
	c := p.head()
	k, n := c.In[1].Shape[len(c.In[1].Shape)-2], c.In[1].Shape[len(c.In[1].Shape)-1]
	m := c.Out[0].Shape.Elements() / n
	return b.product(p, product{m: m, n: n, k: k, a: b.in(c, 0), b: b.in(c, 1), alpha: 1}, b.epilogue(p))
}

func buildGemm(b *builder, p *part) error {
	c := p.head()
	m, n, k, err := c.GemmDims()
	if err != nil {
		return err
	}
	e := b.epilogue(p)
	if bias := b.in(c, 2); bias != nil {
		e.beta = float32(c.Float("beta"))
		switch s := bias.typ.Shape; {
		case len(s) > 0 && s[len(s)-1] == n && bias.elements() == n:
			e.bias = bias
		case bias.elements() == m && len(s) == 2 && s[0] == m:
			e.bias, e.perRow = bias, true
		default:
			e.initial = bias
		}
	}
	return b.product(p, product{
		m: m, n: n, k: k, a: b.in(c, 0), b: b.in(c, 1), alpha: float32(c.Float("alpha")),
		transA: c.Int("transA") != 0, transB: c.Int("transB") != 0,
	}, e)
}

// product is C = alpha·A·B, either operand perhaps lying transposed.
type product struct {
	m, n, k        int
	a, b           *value
	transA, transB bool
	alpha          float32
}

func (x *product) matrixA() kernel.Matrix { return matrix(x.a, x.m, x.k, x.transA) }
func (x *product) matrixB() kernel.Matrix { return matrix(x.b, x.k, x.n, x.transB) }

// matrix sees a value as rows×cols.
func matrix(v *value, rows, cols int, transposed bool) kernel.Matrix {
	if transposed {
		return kernel.RowMajor(v.f32(), rows).Transposed()
	}
	return kernel.RowMajor(v.f32(), cols)
}

// product makes the phases of a product: B is packed, unless it was before,
// and what stands in the epilogue made ready; then each worker has its share.
func (b *builder) product(p *part, x product, e *epilogue) error {
	out := b.out(p.last(), 0)
	g := kernel.NewGemm(b.isa, x.m, x.n, x.k)
	g.Alpha, g.ReLU = x.alpha, e.relu
	p.kernel = fmt.Sprintf("gemm%v %v", e, b.isa)
	right := b.right(p, g, &x)
	bias := b.scaledBias(p, e)
	if e.initial != nil {
		b.initial(p, e, out)
	}
	// One Product a worker: a literal in the task would be an allocation.
	products := make([]kernel.Product, b.workers)
	scratch := make([]*memory, b.workers)
	if n := g.ScratchLen(matrixShape(x.m, x.k, x.transA)); n > 0 {
		scratch = b.scratches(4 * n)
	}
	p.phases = append(p.phases, phase{serial: 2*x.m*x.n*x.k < serialFLOPs, task: func(worker, workers int) {
		q := &products[worker]
		*q = kernel.Product{A: x.matrixA(), B: right(), C: out.f32(), CRS: x.n, Accumulate: e.initial != nil}
		if bias != nil && e.perRow {
			q.RowBias = bias()
		} else if bias != nil {
			q.ColBias = bias()
		}
		if s := scratch[worker]; s != nil {
			q.Scratch = s.f32()
		}
		g.Multiply(q, worker, workers)
	}})
	return nil
}

// matrixShape is a matrix without its elements.
func matrixShape(rows, cols int, transposed bool) kernel.Matrix {
	if transposed {
		return kernel.Matrix{RS: 1, CS: rows}
	}
	return kernel.Matrix{RS: cols, CS: 1}
}

// right decides how B is read. A constant is packed now; state when it has
// changed; what a step computes, in each step, if it is not read in place.
func (b *builder) right(p *part, g *kernel.Gemm, x *product) func() kernel.Right {
	source := x.b.mem.root()
	if !x.transB && source.kind != constMemory && g.PrefersInPlace() {
		p.algorithm = "in place"
		tail := b.scratch(4 * g.TailLen())
		if g.TailLen() > 0 {
			p.phases = append(p.phases, phase{serial: true, task: func(int, int) { g.PackTail(tail.f32(), x.matrixB()) }})
		}
		return func() kernel.Right { return g.InPlace(x.matrixB(), tail.f32()) }
	}
	panels := b.prepacked(x.b, 4*g.PackedLen())
	p.phases = append(p.phases, b.packing(x.b, phase{serial: x.k*x.n < serialElements, task: func(worker, workers int) {
		n := g.Panels()
		g.PackB(panels.f32(), x.matrixB(), n*worker/workers, n*(worker+1)/workers)
	}})...)
	return func() kernel.Right { return g.Packed(panels.f32()) }
}

// prepacked is memory for what is packed from v: kept for as long as v is.
func (b *builder) prepacked(v *value, bytes int) *memory {
	if k := v.mem.root().kind; k == constMemory || k == stateMemory {
		return b.persistent(bytes)
	}
	return b.scratch(bytes)
}

// packing is the phase that packs v, if a step is to do it.
func (b *builder) packing(v *value, pack phase) []phase {
	switch source := v.mem.root(); source.kind {
	case constMemory:
		b.atStart = append(b.atStart, func() { pack.task(0, 1) })
		return nil
	case stateMemory:
		pack.needed = changed(source.variable)
	}
	return []phase{pack}
}

// changed tells whether the variable was written since it was asked last.
func changed(v *variable) func() bool {
	seen, asked := uint64(0), false
	return func() bool {
		if asked && seen == v.version {
			return false
		}
		seen, asked = v.version, true
		return true
	}
}

// scaledBias is where beta times the bias is found; nil: there is none.
func (b *builder) scaledBias(p *part, e *epilogue) func() []float32 {
	if e.bias == nil {
		return nil
	}
	if e.beta == 1 {
		return e.bias.f32
	}
	scaled := b.scratch(e.bias.mem.size)
	p.phases = append(p.phases, phase{serial: true, task: func(int, int) {
		kernel.Mul.Scalar(b.isa, scaled.f32(), e.bias.f32(), e.beta)
	}})
	return scaled.f32
}

// initial fills the output with beta times a value that is broadcast to it.
func (b *builder) initial(p *part, e *epilogue, out *value) {
	bc := newBroadcast(out.typ.Shape, e.initial.typ.Shape)
	fill := func(lo, hi int) {
		src, dst := e.initial.f32(), out.f32()
		for lo < hi {
			n := bc.rest(lo, hi)
			for i := range n {
				dst[lo+i] = e.beta * src[bc.at(0, lo)+i*bc.inners[0]]
			}
			lo += n
		}
	}
	n := out.elements()
	p.phases = append(p.phases, phase{serial: n < serialElements, task: shareChain([]ranger{fill}, n)})
}

// stack is a stack of products, broadcast over the leading axes.
type stack struct {
	m, n, k int
	bc      *broadcast // of whole matrices
	count   int
}

func newStack(c *graph.Call) stack { return newStackOf(c.In[0].Shape, c.In[1].Shape, c.Out[0].Shape) }

func newStackOf(a, b, y tensor.Shape) stack {
	r := len(y) - 2
	return stack{
		m: y[r], n: y[r+1], k: a[len(a)-1],
		bc:    newBroadcast(y[:r], a[:len(a)-2], b[:len(b)-2]),
		count: y[:r].Elements(),
	}
}

// buildStack gives each worker products of its own, which it packs B for.
func buildStack(b *builder, p *part) error {
	c := p.head()
	s := newStack(c)
	x, w, out := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	g := kernel.NewGemm(b.isa, s.m, s.n, s.k)
	p.kernel = fmt.Sprintf("gemm %v", b.isa)
	panels := b.scratches(4 * g.PackedLen())
	products := make([]kernel.Product, b.workers)
	p.phases = []phase{{serial: 2*s.count*s.m*s.n*s.k < serialFLOPs, task: func(worker, workers int) {
		q, buf := &products[worker], panels[worker].f32()
		for i := s.count * worker / workers; i < s.count*(worker+1)/workers; i++ {
			g.PackB(buf, kernel.RowMajor(w.f32()[s.bc.at(1, i)*s.k*s.n:], s.n), 0, g.Panels())
			*q = kernel.Product{
				A: kernel.RowMajor(x.f32()[s.bc.at(0, i)*s.m*s.k:], s.k), B: g.Packed(buf),
				C: out.f32()[i*s.m*s.n:], CRS: s.n,
			}
			g.Multiply(q, 0, 1)
		}
	}}}
	return nil
}

func buildDirectMatMul(b *builder, p *part) error {
	c := p.head()
	s := newStack(c)
	x, w, out := b.in(c, 0), b.in(c, 1), b.out(c, 0)
	r := loopsOf[c.In[0].DType].product(s, x, w, out)
	n := out.elements()
	p.phases = []phase{{serial: n*s.k < serialElements, task: shareChain([]ranger{r}, n)}}
	return nil
}

func (of[T]) product(s stack, xv, wv, out *value) ranger {
	return func(lo, hi int) {
		x, w, y := view[T](xv), view[T](wv), view[T](out)
		for i := lo; i < hi; i++ {
			j, row := i%s.n, i/s.n%s.m
			at := i / (s.m * s.n)
			a := x[(s.bc.at(0, at)*s.m+row)*s.k:][:s.k]
			matrix := w[s.bc.at(1, at)*s.k*s.n:]
			sum := T(0)
			for k, v := range a {
				sum += v * matrix[k*s.n+j]
			}
			y[i] = sum
		}
	}
}
