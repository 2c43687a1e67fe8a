package cpu

import (
	"fmt"
	"math"

	"github.com/clsbench/clsbench/backends/cpu/kernel"
	"github.com/clsbench/clsbench/backends/cpu/pool"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// qproductRows are the products of 8-bit integers, exact in s32, and their
// requantization.
func qproductRows() []row {
	product := func(op, kernel, algorithm string, build func(*builder, *part) error) row {
		return row{op, []implementation{{kernel: kernel, algorithm: algorithm, takes: takesInteger, build: build}}}
	}
	return []row{
		product("MatMulInteger", "integer gemm", "packed panels", buildIntegerMatMul),
		product("QLinearMatMul", "integer gemm+requantize", "packed panels", buildIntegerMatMul),
		product("ConvInteger", "integer conv", "im2col+gemm", buildIntegerConv),
		product("QLinearConv", "integer conv+requantize", "im2col+gemm", buildIntegerConv),
	}
}

// takesInteger wants scales in f32.
func takesInteger(c *graph.Call) error {
	for i, t := range c.In {
		if c.Has(i) && t.DType.IsFloat() && t.DType != tensor.F32 {
			return fmt.Errorf("input %s is %v: there is a kernel for f32", c.Op.Inputs[i].Name, t.DType)
		}
	}
	return nil
}

// find is the value of an input, nil if it is left out.
func (b *builder) find(v graph.Value) *value {
	if v.Name == "" {
		return nil
	}
	return b.values[v.Name]
}

// octets is a piece of a value of 8-bit integers, from element at on.
func octets[T kernel.Octet](v *value, at int) []T {
	if v == nil {
		return nil
	}
	return tensor.View[T](v.mem.data[at:])
}

// prepared is memory that share fills from the sources by units: now, if all
// of them are constants, else in every step.
func (b *builder) prepared(p *part, bytes, units int, fill func(m *memory, unit int), sources ...*value) *memory {
	constant := true
	for _, v := range sources {
		constant = constant && (v == nil || v.mem.root().kind == constMemory)
	}
	var m *memory
	task := func(worker, workers int) {
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			fill(m, u)
		}
	}
	if constant {
		m = b.persistent(bytes)
		b.atStart = append(b.atStart, func() { task(0, 1) })
		return m
	}
	m = b.scratch(bytes)
	p.phases = append(p.phases, phase{task: task, serial: bytes < serialElements})
	return m
}

// step is 0 for what is one number and 1 for what is one an index.
func step(v *value) int {
	if v == nil || v.elements() == 1 {
		return 0
	}
	return 1
}

// requantizer is what becomes of sums: they are stored, or quantized anew.
type requantizer struct {
	out, scale, zero *value // scale and zero of the output; nil: s32 is stored
	low, high        int32
}

func newRequantizer(c *graph.Call, out, scale, zero *value) *requantizer {
	q := &requantizer{out: out, scale: scale, zero: zero, high: math.MaxUint8}
	if c.Out[0].DType == tensor.S8 {
		q.low, q.high = math.MinInt8, math.MaxInt8
	}
	return q
}

// put stores one sum at element i; factor is the product of the operands'
// scales.
func (q *requantizer) put(i int, sum int32, factor float32) {
	if q.scale == nil {
		view[int32](q.out)[i] = sum
		return
	}
	q.out.bytes()[i] = byte(kernel.Requantize(sum, factor/q.scale.f32()[0], integerAt(q.zero, 0), q.low, q.high))
}

// buildIntegerMatMul: both operands are packed, less their zero points, then
// each worker has panels of columns.
func buildIntegerMatMul(b *builder, p *part) error {
	c := p.head()
	o, err := c.QMatMul()
	if err != nil {
		return err
	}
	x := &integerMatMul{
		stack: newStackOf(o.A.Type.Shape, o.B.Type.Shape, c.Out[0].Shape),
		a:     newOperand(b, o.A, o.AZero, o.AScale, true), b: newOperand(b, o.B, o.BZero, o.BScale, false),
		put: newRequantizer(c, b.out(c, 0), b.in(c, 6), b.in(c, 7)),
	}
	x.panels = kernel.IntegerPanels(x.n)
	rows, cols := kernel.IntegerRowsLen(x.m, x.k), kernel.IntegerColsLen(x.k)
	pack := func(bytes, units int, o *operand, even, odd func(*memory, int)) *memory {
		fill := even
		if o.v.typ.DType == tensor.S8 {
			fill = odd
		}
		return b.prepared(p, bytes, units, fill, o.v, o.zero)
	}
	x.left = pack(2*rows*x.a.matrices(), x.a.matrices(), x.a, packRows[uint8](x), packRows[int8](x))
	x.right = pack(8*cols*x.panels*x.b.matrices(), x.panels*x.b.matrices(), x.b, packCols[uint8](x), packCols[int8](x))
	x.sums = b.scratches(4 * kernel.IntegerTile * kernel.IntegerTile * kernel.IntegerPanels(x.m))
	p.phases = append(p.phases, phase{serial: 2*x.count*x.m*x.n*x.k < serialFLOPs, task: x.share()})
	return nil
}

// integerMatMul is a stack of products of integers.
type integerMatMul struct {
	stack
	a, b        *operand
	panels      int // of columns of one matrix
	left, right *memory
	sums        []*memory
	put         *requantizer
}

// operand is a stack of matrices with zero points and scales that are one
// number, or one a row (of A) or column (of B).
type operand struct {
	v, zero, scale *value
	rows           bool
	shape          tensor.Shape
	zeros, scales  *broadcast // of rows or columns of all matrices; nil: there are none
}

func newOperand(b *builder, v, zero, scale graph.Value, rows bool) *operand {
	o := &operand{v: b.find(v), zero: b.find(zero), scale: b.find(scale), rows: rows, shape: v.Type.Shape.Clone()}
	r := len(o.shape) - 1
	if !rows {
		r--
	}
	o.shape[r] = 1
	o.zeros, o.scales = o.along(o.zero), o.along(o.scale)
	return o
}

// along lays what belongs to rows or columns along them.
func (o *operand) along(v *value) *broadcast {
	if v == nil {
		return nil
	}
	s := v.typ.Shape
	if o.rows && len(s) == 1 && s[0] != 1 {
		s = tensor.Shape{s[0], 1}
	}
	return newBroadcast(o.shape, s)
}

func (o *operand) matrices() int { return o.shape[:len(o.shape)-2].Elements() }

// zeroAt is where the zero points of a matrix begin and how far they lie
// apart.
func (o *operand) zeroAt(matrix, n int) (at, step int) {
	if o.zeros == nil || o.zero.elements() == 1 {
		return 0, 0
	}
	at = o.zeros.at(0, matrix*n)
	if n > 1 {
		step = o.zeros.at(0, matrix*n+1) - at
	}
	return at, step
}

func (o *operand) scaleAt(i int) float32 {
	if o.scales == nil {
		return 1
	}
	return o.scale.f32()[o.scales.at(0, i)]
}

func packRows[T kernel.Octet](x *integerMatMul) func(*memory, int) {
	size := kernel.IntegerRowsLen(x.m, x.k)
	return func(m *memory, matrix int) {
		at, step := x.a.zeroAt(matrix, x.m)
		kernel.PackIntegerRows(int16s(m)[matrix*size:][:size], octets[T](x.a.v, matrix*x.m*x.k), x.m, x.k, octets[T](x.a.zero, at), step)
	}
}

func packCols[T kernel.Octet](x *integerMatMul) func(*memory, int) {
	size := kernel.IntegerColsLen(x.k)
	return func(m *memory, unit int) {
		matrix, panel := unit/x.panels, unit%x.panels
		at, step := x.b.zeroAt(matrix, x.n)
		kernel.PackIntegerCols(tensor.View[int64](m.data)[unit*size:][:size], octets[T](x.b.v, matrix*x.k*x.n), x.k, x.n, panel, octets[T](x.b.zero, at), step)
	}
}

// int16s sees memory as packed integers less their zero points.
func int16s(m *memory) []int16 { return tensor.View[int16](m.data) }

// share computes panels of columns of all products.
func (x *integerMatMul) share() pool.Task {
	rows, cols := kernel.IntegerRowsLen(x.m, x.k), kernel.IntegerColsLen(x.k)
	units := x.count * x.panels
	return func(worker, workers int) {
		sums := tensor.View[int32](x.sums[worker].data)
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			i, panel := u/x.panels, u%x.panels
			left, right := x.bc.at(0, i), x.bc.at(1, i)
			kernel.MultiplyIntegers(sums, int16s(x.left)[left*rows:][:rows], tensor.View[int64](x.right.data)[(right*x.panels+panel)*cols:][:cols], x.k)
			first := panel * kernel.IntegerTile
			for j := first; j < min(first+kernel.IntegerTile, x.n); j++ {
				scale := x.b.scaleAt(right*x.n + j)
				for row := range x.m {
					x.put.put((i*x.m+row)*x.n+j, sums[row*kernel.IntegerTile+j-first], x.a.scaleAt(left*x.m+row)*scale)
				}
			}
		}
	}
}

// buildIntegerConv: images are padded and the filters packed, less their zero
// points; then each worker has panels of the matrix of columns.
func buildIntegerConv(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	o := c.QConv()
	x := &integerConv{conv: g, x: b.find(o.X), xZero: b.find(o.XZero), w: b.find(o.W), wZero: b.find(o.WZero), bias: b.find(o.Bias)}
	x.put = newRequantizer(c, b.out(c, 0), b.in(c, 6), b.in(c, 7))
	if x.put.scale != nil {
		x.xScale, x.wScale = b.in(c, 1), b.in(c, 4)
	}
	if x.cols, err = kernel.NewIntegerColumns(g.channels, g.padded); err != nil {
		return err
	}
	filters, pad := packFilters[uint8](x), padPlane[uint8](x)
	if x.w.typ.DType == tensor.S8 {
		filters = packFilters[int8](x)
	}
	if x.x.typ.DType == tensor.S8 {
		pad = padPlane[int8](x)
	}
	planes := g.images * g.groups * g.channels
	x.left = b.prepared(p, 2*kernel.IntegerRowsLen(g.filters, g.rows)*g.groups, g.groups, filters, x.w, x.wZero)
	x.padded = b.prepared(p, 2*planes*elements(g.padded.In), planes, pad, x.x, x.xZero)
	x.panels = b.scratches(8 * kernel.IntegerColsLen(g.rows))
	x.sums = b.scratches(4 * kernel.IntegerTile * kernel.IntegerTile * kernel.IntegerPanels(g.filters))
	p.phases = append(p.phases, phase{serial: 2*g.images*g.groups*g.outSize*g.rows < serialFLOPs, task: x.share()})
	return nil
}

// integerConv is a convolution of integers.
type integerConv struct {
	*conv
	x, xZero, w, wZero, bias, xScale, wScale *value
	put                                      *requantizer
	cols                                     *kernel.IntegerColumns
	left, padded                             *memory
	panels, sums                             []*memory
}

func packFilters[T kernel.Octet](x *integerConv) func(*memory, int) {
	size, apart := kernel.IntegerRowsLen(x.filters, x.rows), step(x.wZero)
	return func(m *memory, group int) {
		kernel.PackIntegerRows(int16s(m)[group*size:][:size], octets[T](x.w, group*x.weightSize), x.filters, x.rows, octets[T](x.wZero, apart*group*x.filters), apart)
	}
}

// padPlane puts one channel of an image in a frame of zeros: padding stands
// for the zero point.
func padPlane[T kernel.Octet](x *integerConv) func(*memory, int) {
	size, last := elements(x.conv.padded.In), len(x.extents)-1
	line, lines := x.extents[last], elements(x.extents[:last])
	frame := x.conv.frame()
	return func(m *memory, plane int) {
		dst, zero := int16s(m)[plane*size:][:size], int16(0)
		if x.xZero != nil {
			zero = int16(octets[T](x.xZero, 0)[0])
		}
		if x.pads {
			clear(dst)
		}
		src := octets[T](x.x, plane*x.plane)
		for l := range lines {
			kernel.CentreInteger(dst[frame.lineAt(l):], src[l*line:][:line], zero)
		}
	}
}

// share computes panels of output positions of all images and groups.
func (x *integerConv) share() pool.Task {
	rows, image := kernel.IntegerRowsLen(x.filters, x.rows), x.channels*elements(x.conv.padded.In)
	panels, apart := kernel.IntegerPanels(x.pixels), step(x.wScale)
	units := x.images * x.groups * panels
	return func(worker, workers int) {
		buf, sums := tensor.View[int64](x.panels[worker].data), tensor.View[int32](x.sums[worker].data)
		for u := units * worker / workers; u < units*(worker+1)/workers; u++ {
			i, panel := u/panels, u%panels
			group := i % x.groups
			x.cols.Pack(buf, int16s(x.padded)[i*image:][:image], panel)
			kernel.MultiplyIntegers(sums, int16s(x.left)[group*rows:][:rows], buf, x.rows)
			first := panel * kernel.IntegerTile
			for f := range x.filters {
				filter, factor, bias := group*x.filters+f, float32(1), int32(0)
				if x.wScale != nil {
					factor = x.xScale.f32()[0] * x.wScale.f32()[apart*filter]
				}
				if x.bias != nil {
					bias = view[int32](x.bias)[filter]
				}
				for j := range min(kernel.IntegerTile, x.pixels-first) {
					x.put.put((i*x.filters+f)*x.pixels+first+j, sums[f*kernel.IntegerTile+j]+bias, factor)
				}
			}
		}
	}
}
