package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// depthwise is the convolution of one padded plane by one filter: a vector of
// neighbouring outputs in each of some rows stays in registers while the rows
// of the plane that they see pass by, each vector of which serves all outputs
// that it meets. With a step of 2, even and odd columns lie apart.
type depthwise struct {
	vector
	size, step, rows int
	weights          reg.GPVirtual
	held             [][]reg.VecVirtual // weights; nil: more than registers
}

// depthwiseRows is how many rows of outputs a block has; what is left of a
// plane with fewer goes by rows of one.
const depthwiseRows = 4

func emitDepthwise(a *asm) {
	for _, i := range []isa{avx512, avx2} {
		emitPadRows(vector{a, i})
		emitSplitRows(vector{a, i})
		for _, size := range []int{3, 5} {
			for _, step := range []int{1, 2} {
				for _, rows := range []int{depthwiseRows, 1} {
					(&depthwise{vector: vector{a, i}, size: size, step: step, rows: rows}).emit()
				}
				emitDepthwiseGrad(vector{a, i}, size, step)
			}
		}
	}
}

func (d *depthwise) emit() {
	name := label("depthwise%ds%dr%d%s", d.size, d.step, d.rows, d.isa.name)
	d.function(name, "func(dst *float32, dstPitch int, src *float32, pitch, odd int, weights *float32, cols, blocks int, bias, floor float32)",
		name+" is, for cols and blocks > 0 and in another order of the sums,",
		label("for y := range %d*blocks { for x := range cols {", d.rows),
		"\ts := bias",
		label("\tfor i := range %d { for j := range %d { s += weights[%d*i+j]*src[(%d*y+i)*pitch + %s] } }", d.size, d.size, d.size, d.step, columnOf(d.step)),
		"\tdst[y*dstPitch+x] = max(s, floor)",
		"} }",
		"Vectors of src are read whole.")
	dst, src := d.arg("dst"), d.arg("src")
	dstPitch, pitch := d.stride("dstPitch"), d.stride("pitch")
	odd := d.stride("odd")
	d.weights = d.arg("weights")
	d.hold()
	blocks, to, from, left := d.arg("blocks"), d.GP64(), d.GP64(), d.GP64()
	d.Label("block")
	d.MOVQ(dst, to)
	d.MOVQ(src, from)
	d.Load(d.Param("cols"), left)
	d.Label("vector")
	acc := d.sums(from, pitch, odd)
	d.CMPQ(left, operand.I8(d.isa.lanes))
	d.JLT(operand.LabelRef("rest"))
	d.store(acc, to, dstPitch, nil)
	d.ADDQ(operand.I32(d.isa.bytes()), to)
	d.ADDQ(operand.I32(d.isa.bytes()), from)
	d.SUBQ(operand.I32(d.isa.lanes), left)
	d.JG(operand.LabelRef("vector"))
	d.JMP(operand.LabelRef("next"))
	d.Label("rest")
	rest := d.firstLanes(d.isa, left)
	d.store(acc, to, dstPitch, &rest)
	d.Label("next")
	for range d.rows {
		d.ADDQ(dstPitch, dst)
	}
	for range d.rows * d.step {
		d.ADDQ(pitch, src)
	}
	d.DECQ(blocks)
	d.JNZ(operand.LabelRef("block"))
	d.end()
}

// columnOf is where tap j of output x lies in a padded row.
func columnOf(step int) string {
	if step == 2 {
		return "j%2*odd + x+j/2"
	}
	return "x+j"
}

func tapAt(p, odd reg.GPVirtual, j, step int) operand.Mem {
	m := at(p, 4*(j/step))
	if j%step == 1 {
		m.Index, m.Scale = odd, 1
	}
	return m
}

// hold loads the weights, if there are registers for them and a vector of
// each row.
func (d *depthwise) hold() {
	if d.size*d.size+depthwiseRows+2 > d.isa.registers() {
		return
	}
	for i := range d.size {
		d.held = append(d.held, d.vecs(d.isa, d.size))
		for j, w := range d.held[i] {
			d.VBROADCASTSS(at(d.weights, 4*(d.size*i+j)), w)
		}
	}
}

// sums makes the vectors of outputs, a row each.
func (d *depthwise) sums(from, pitch, odd reg.GPVirtual) []reg.VecVirtual {
	acc, x, t := make([]reg.VecVirtual, d.rows), d.vec(d.isa), d.vec(d.isa)
	for k := range acc {
		acc[k] = d.broadcast(d.isa, "bias")
	}
	p := d.copyOf(from)
	last := (d.rows-1)*d.step + d.size - 1
	for row := range last + 1 {
		for j := range d.size {
			d.VMOVUPS(tapAt(p, odd, j, d.step), x)
			for k := range acc {
				i := row - k*d.step
				if i < 0 || i >= d.size {
					continue
				}
				w := t
				if d.held != nil {
					w = d.held[i][j]
				} else {
					d.VBROADCASTSS(at(d.weights, 4*(d.size*i+j)), t)
				}
				d.VFMADD231PS(x, w, acc[k])
			}
		}
		if row < last {
			d.ADDQ(pitch, p)
		}
	}
	floor := d.broadcast(d.isa, "floor")
	for _, s := range acc {
		d.VMAXPS(s, floor, s) // s where it is NaN
	}
	return acc
}

func (d *depthwise) store(acc []reg.VecVirtual, to, pitch reg.GPVirtual, rest *lanes) {
	p := d.copyOf(to)
	for k, s := range acc {
		if rest != nil {
			rest.store(s, at(p, 0))
		} else {
			d.VMOVUPS(s, at(p, 0))
		}
		if k < len(acc)-1 {
			d.ADDQ(pitch, p)
		}
	}
}

// emitDepthwiseGrad writes the gradient of the weights: a vector of sums for
// each tap, of as many rows of taps at a time as registers hold.
func emitDepthwiseGrad(v vector, size, step int) {
	name := label("depthwiseGrad%ds%d%s", size, step, v.isa.name)
	v.function(name, "func(sums, dy, src *float32, pitch, odd, rows, cols int)",
		name+" is, for rows and cols > 0,",
		label("for y := range rows { for x := range cols { for i := range %d { for j := range %d {", size, size),
		label("\tsums[(%d*i+j)*%d + x%%%d] += dy[y*cols+x]*src[(%d*y+i)*pitch + %s]", size, v.isa.lanes, v.isa.lanes, step, columnOf(step)),
		"} } } }")
	sums, pitch, odd := v.arg("sums"), v.stride("pitch"), v.stride("odd")
	together := min(size, (v.isa.registers()-3)/size)
	for first := 0; first < size; first += together {
		g := &depthwiseGrad{vector: v, size: size, step: step, first: first, end: min(size, first+together), pitch: pitch, odd: odd}
		g.acc = v.vecs(v.isa, (g.end-first)*size)
		for k, s := range g.acc {
			v.VMOVUPS(at(sums, k*v.isa.bytes()), s)
		}
		g.plane()
		for k, s := range g.acc {
			v.VMOVUPS(s, at(sums, k*v.isa.bytes()))
		}
		v.ADDQ(operand.I32(len(g.acc)*v.isa.bytes()), sums)
	}
	v.end()
}

// depthwiseGrad is the part of a gradient for the rows of taps first to end.
type depthwiseGrad struct {
	vector
	size, step, first, end int
	pitch, odd             reg.GPVirtual
	acc                    []reg.VecVirtual
}

func (g *depthwiseGrad) plane() {
	name := func(s string) string { return label("%s%d", s, g.first) }
	dy, src, rows := g.arg("dy"), g.arg("src"), g.arg("rows")
	from, left := g.GP64(), g.GP64()
	for range g.first {
		g.ADDQ(g.pitch, src)
	}
	g.Label(name("row"))
	g.MOVQ(src, from)
	g.Load(g.Param("cols"), left)
	g.Label(name("vector"))
	g.CMPQ(left, operand.I32(g.isa.lanes))
	g.JLT(operand.LabelRef(name("rest")))
	g.products(dy, from, nil)
	g.ADDQ(operand.I32(g.isa.bytes()), dy)
	g.ADDQ(operand.I32(g.isa.bytes()), from)
	g.SUBQ(operand.I32(g.isa.lanes), left)
	g.JG(operand.LabelRef(name("vector")))
	g.JMP(operand.LabelRef(name("next")))
	g.Label(name("rest"))
	rest := g.firstLanes(g.isa, g.copyOf(left))
	g.products(dy, from, &rest)
	g.LEAQ(operand.Mem{Base: dy, Index: left, Scale: 4}, dy)
	g.Label(name("next"))
	for range g.step {
		g.ADDQ(g.pitch, src)
	}
	g.DECQ(rows)
	g.JNZ(operand.LabelRef(name("row")))
}

// products adds those of a vector of dy to the sums. What lies beyond the rest
// of a row might be NaN: it is not multiplied by zero, but left out.
func (g *depthwiseGrad) products(dy, from reg.GPVirtual, rest *lanes) {
	d, x, p := g.vec(g.isa), g.vec(g.isa), g.copyOf(from)
	if rest != nil {
		rest.load(at(dy, 0), d)
	} else {
		g.VMOVUPS(at(dy, 0), d)
	}
	for k, s := range g.acc {
		j := k % g.size
		if j == 0 && k > 0 {
			g.ADDQ(g.pitch, p)
		}
		m := tapAt(p, g.odd, j, g.step)
		if rest != nil {
			rest.load(m, x)
			g.VFMADD231PS(x, d, s)
		} else {
			g.VFMADD231PS(m, d, s)
		}
	}
}

// emitPadRows writes the copying of a plane into a wider one, whole vectors at
// a time: what a row's last one puts behind it, the next row overwrites.
func emitPadRows(v vector) {
	name := "padRows" + v.isa.name
	v.function(name, "func(dst, src *float32, pitch, rows, cols int)",
		name+" is, for rows and cols > 0,",
		"for y := range rows { copy(dst[y*pitch:], src[y*cols:][:cols]) },",
		label("but for up to %d zeros behind each row.", v.isa.lanes-1))
	dst, src, pitch, rows := v.arg("dst"), v.arg("src"), v.stride("pitch"), v.arg("rows")
	left, to := v.GP64(), v.GP64()
	v.Label("row")
	v.MOVQ(dst, to)
	v.Load(v.Param("cols"), left)
	v.Label("vector")
	x := v.vec(v.isa)
	v.CMPQ(left, operand.I32(v.isa.lanes))
	v.JLT(operand.LabelRef("rest"))
	v.VMOVUPS(at(src, 0), x)
	v.VMOVUPS(x, at(to, 0))
	v.ADDQ(operand.I32(v.isa.bytes()), src)
	v.ADDQ(operand.I32(v.isa.bytes()), to)
	v.SUBQ(operand.I32(v.isa.lanes), left)
	v.JG(operand.LabelRef("vector"))
	v.JMP(operand.LabelRef("next"))
	v.Label("rest")
	m := v.firstLanes(v.isa, v.copyOf(left))
	m.load(at(src, 0), x)
	v.VMOVUPS(x, at(to, 0))
	v.LEAQ(operand.Mem{Base: src, Index: left, Scale: 4}, src)
	v.Label("next")
	v.ADDQ(pitch, dst)
	v.DECQ(rows)
	v.JNZ(operand.LabelRef("row"))
	v.end()
}

// emitSplitRows is emitPadRows with even and odd columns apart.
func emitSplitRows(v vector) {
	name := "splitRows" + v.isa.name
	v.function(name, "func(even, odd, src *float32, pitch, rows, cols int)",
		name+" is, for rows and cols > 0, to[0] being even and to[1] odd,",
		"for y := range rows { for x := range cols { to[x%2][y*pitch+x/2] = src[y*cols+x] } },",
		label("but for up to %d zeros behind each row.", v.isa.lanes))
	even, odd, src := v.arg("even"), v.arg("odd"), v.arg("src")
	pitch, rows, split := v.stride("pitch"), v.arg("rows"), v.splitter(name)
	left, place := v.GP64(), v.GP64()
	v.Label("row")
	v.XORQ(place, place)
	v.Load(v.Param("cols"), left)
	x, y := v.vec(v.isa), v.vec(v.isa)
	store := func() {
		e, o := split(x, y)
		v.VMOVUPS(e, operand.Mem{Base: even, Index: place, Scale: 1})
		v.VMOVUPS(o, operand.Mem{Base: odd, Index: place, Scale: 1})
	}
	v.Label("vector")
	v.CMPQ(left, operand.I32(2*v.isa.lanes))
	v.JLT(operand.LabelRef("rest"))
	v.VMOVUPS(at(src, 0), x)
	v.VMOVUPS(at(src, v.isa.bytes()), y)
	store()
	v.ADDQ(operand.I32(2*v.isa.bytes()), src)
	v.ADDQ(operand.I32(v.isa.bytes()), place)
	v.SUBQ(operand.I32(2*v.isa.lanes), left)
	v.JG(operand.LabelRef("vector"))
	v.JMP(operand.LabelRef("next"))
	v.Label("rest")
	lo, beyond := v.firstLanes(v.isa, v.clamped(v.isa, left)), v.GP64()
	v.LEAQ(at(left, -v.isa.lanes), beyond)
	hi := v.firstLanes(v.isa, v.clamped(v.isa, beyond))
	lo.load(at(src, 0), x)
	hi.load(at(src, v.isa.bytes()), y)
	store()
	v.LEAQ(operand.Mem{Base: src, Index: left, Scale: 4}, src)
	v.Label("next")
	v.ADDQ(pitch, even)
	v.ADDQ(pitch, odd)
	v.DECQ(rows)
	v.JNZ(operand.LabelRef("row"))
	v.end()
}

// splitter gives the even and the odd elements of two vectors that follow each
// other.
func (v vector) splitter(table string) func(x, y reg.VecVirtual) (even, odd reg.VecVirtual) {
	if v.isa == avx2 {
		return func(x, y reg.VecVirtual) (even, odd reg.VecVirtual) {
			even, odd = v.vec(v.isa), v.vec(v.isa)
			for k, half := range []reg.VecVirtual{even, odd} {
				v.VSHUFPS(operand.U8([]int{0x88, 0xdd}[k]), y, x, half)
				v.VPERMPD(operand.U8(0xd8), half, half)
			}
			return even, odd
		}
	}
	orders := v.vecs(v.isa, 2)
	for k, order := range orders {
		words := make([]int, v.isa.lanes)
		for j := range words {
			words[j] = 2*j + k
		}
		v.VMOVUPS(v.indexTable(label("%s%d", table, k), 32, words...), order)
	}
	return func(x, y reg.VecVirtual) (even, odd reg.VecVirtual) {
		even, odd = v.copy(x), v.copy(x)
		v.VPERMT2PS(y, orders[0], even)
		v.VPERMT2PS(y, orders[1], odd)
		return even, odd
	}
}
