package kernel

// Matrix is a matrix in memory: element (i, j) is Data[i·RS + j·CS] or, where
// there is a table of columns, as there may be for A, Data[i·RS + Columns[j]].
type Matrix struct {
	Data    []float32
	RS, CS  int
	Columns []int32
}

// RowMajor is the matrix of rows of ld elements.
func RowMajor(data []float32, ld int) Matrix { return Matrix{Data: data, RS: ld, CS: 1} }

// Transposed sees the matrix with rows and columns exchanged.
func (m Matrix) Transposed() Matrix { return Matrix{Data: m.Data, RS: m.CS, CS: m.RS} }

// Gemm is a plan for products of one shape, C (M×N) = A (M×K) · B (K×N),
// blocked for the caches as by Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, 2008: B lies in panels, nr columns
// wide and kc deep; while one is in the cache, the rows of a block of A, which
// the L2 holds, go by. A is read where it lies, by rows or by columns: its
// elements are broadcast one by one, so that nothing is won by copying it.
type Gemm struct {
	M, N, K int
	Alpha   float32 // factor of the product, 1 from NewGemm
	ReLU    bool    // clamp C at zero in the end; NaN stays

	isa   ISA
	micro *micro
	kc    int
}

const (
	// What panels of B, or a block of A, may take of the L1 and of the L2 that
	// any processor of the last years has, in floats.
	l1Floats = 32 << 10 / 4
	l2Floats = 256 << 10 / 4
	// Rows of B to a block, at most a quarter more. Panels so deep come from L2,
	// which keeps up; shallower ones would move C more often, which costs more.
	maxDepth = 1024
)

// NewGemm plans products of one shape for an instruction set.
func NewGemm(i ISA, m, n, k int) *Gemm {
	g := &Gemm{M: m, N: n, K: k, Alpha: 1, isa: i, micro: microFor(i, m, n), kc: max(1, k)}
	if k > maxDepth+maxDepth/4 {
		blocks := (k + maxDepth - 1) / maxDepth
		g.kc = (k + blocks - 1) / blocks
	}
	return g
}

// OfRows is the plan for another number of rows, of the same B.
func (g *Gemm) OfRows(m int) *Gemm {
	other := *g
	other.M = m
	return &other
}

// Panels is the number of panels of B, the last one perhaps not full.
func (g *Gemm) Panels() int { return (g.N + g.micro.nr - 1) / g.micro.nr }

// PanelWidth is the number of columns of a panel.
func (g *Gemm) PanelWidth() int { return g.micro.nr }

// Right is B as the microkernels read it: in panels, or in place.
type Right struct {
	panels []float32 // all panels, or the last one if the others are in place
	rows   []float32 // row-major B; nil if all panels are packed
	ld     int
}

// PackedLen is the length of a buffer for all panels of B.
func (g *Gemm) PackedLen() int { return g.Panels() * g.micro.nr * g.K }

// Packed is B in panels that PackB wrote, or somebody else in its layout.
func (g *Gemm) Packed(panels []float32) Right { return Right{panels: panels[:g.PackedLen()]} }

// PackB writes the panels lo ≤ p < hi of B into buf, which PackedLen gives the
// length of. Blocks of kc rows follow each other; in each, panel after panel;
// in each, row after row of nr elements, zero beyond N.
func (g *Gemm) PackB(buf []float32, b Matrix, lo, hi int) {
	nr, panels := g.micro.nr, g.Panels()
	for k0 := 0; k0 < g.K; k0 += g.kc {
		depth := min(g.kc, g.K-k0)
		for p := lo; p < hi; p++ {
			off := k0*panels*nr + p*depth*nr
			packPanel(g.isa, buf[off:off+depth*nr], nr, b, k0, depth, p*nr, min(nr, g.N-p*nr))
		}
	}
}

// PackRows writes panel p of a B whose row k begins at rows[k] of data and has
// its elements step apart.
func (g *Gemm) PackRows(buf, data []float32, rows []int32, step, p int) {
	nr, panels := g.micro.nr, g.Panels()
	cols := min(nr, g.N-p*nr)
	for k0 := 0; k0 < g.K; k0 += g.kc {
		depth := min(g.kc, g.K-k0)
		for k, row := range rows[k0 : k0+depth] {
			dst, src := buf[k0*panels*nr+(p*depth+k)*nr:][:cols], data[int(row)+p*nr*step:]
			for j := range dst {
				dst[j] = src[j*step]
			}
		}
	}
}

// PackDepth writes rows of B from row k0 on: depth rows of b, whose first is
// that row. There must not be more than 1024 rows in B.
func (g *Gemm) PackDepth(buf []float32, b Matrix, k0, depth int) {
	nr := g.micro.nr
	for p := range g.Panels() {
		packPanel(g.isa, buf[(p*g.K+k0)*nr:][:depth*nr], nr, b, 0, depth, p*nr, min(nr, g.N-p*nr))
	}
}

// InPlace reads a row-major B where it lies, but for a last panel that is not
// full: that one PackTail must have written to tail.
func (g *Gemm) InPlace(b Matrix, tail []float32) Right {
	return Right{panels: tail, rows: b.Data, ld: b.RS}
}

// TailLen is the length of the buffer that InPlace wants.
func (g *Gemm) TailLen() int {
	if g.N%g.micro.nr == 0 {
		return 0
	}
	return g.K * g.micro.nr
}

// PackTail writes the last panel of B, if it is not full.
func (g *Gemm) PackTail(tail []float32, b Matrix) {
	nr := g.micro.nr
	if cols := g.N % nr; cols != 0 {
		packPanel(g.isa, tail[:g.K*nr], nr, b, 0, g.K, g.N-cols, cols)
	}
}

// PrefersInPlace says whether a row-major B is better read in place: if few
// rows of A share the cost of packing it and it stays in the cache.
func (g *Gemm) PrefersInPlace() bool {
	return g.K*g.N <= l2Floats && g.M <= 512
}

// packPanel writes depth rows of cols ≤ nr columns of B from (k0, j0). What it
// writes beyond cols meets only columns of C that nobody stores.
func packPanel(i ISA, dst []float32, nr int, b Matrix, k0, depth, j0, cols int) {
	if depth == 0 {
		return
	}
	src := b.Data[k0*b.RS+j0*b.CS:]
	switch {
	case b.CS == 1:
		for k := range depth {
			copy(dst[k*nr:k*nr+nr], src[k*b.RS:k*b.RS+cols])
		}
	case b.RS == 1:
		for j := 0; j < cols; j += 8 {
			transpose8(i, dst[j:], nr, src[j*b.CS:], b.CS, min(8, cols-j), depth)
		}
	default:
		for k := range depth {
			for j := range cols {
				dst[k*nr+j] = src[k*b.RS+j*b.CS]
			}
		}
	}
}

// Product is the operands of one multiplication.
type Product struct {
	A          Matrix
	B          Right
	C          []float32 // row-major
	CRS        int       // elements from row to row of C
	Accumulate bool      // add to what C holds
	RowBias    []float32 // M elements, one a row, or nil
	ColBias    []float32 // N elements, one a column, or nil; not both
	Scratch    []float32 // ScratchLen elements, each share its own, or nil
}

// ScratchLen is the length of the memory that a share wants for copying blocks
// of A together; 0: A is better read where it lies. A deep matrix that lies in
// long columns puts every element of a row on a page of its own.
func (g *Gemm) ScratchLen(a Matrix) int {
	if a.RS != 1 || a.CS < 256 || g.K < 256 || g.Panels() < 4 {
		return 0
	}
	return g.blockRows(g.kc) * g.kc
}

// Multiply computes share of shares of the product; together they are the
// whole, and may run at the same time. Each sum is formed by one share in one
// order, so that C does not depend on how many there are.
func (g *Gemm) Multiply(p *Product, share, shares int) {
	s := g.share(share, shares)
	if s.r0 >= s.r1 || s.p0 >= s.p1 {
		return
	}
	nr, panels := g.micro.nr, g.Panels()
	for k0 := 0; k0 < g.K || k0 == 0; k0 += g.kc {
		t := g.tiles(p, k0)
		if r := p.B.rows; r != nil && k0 < g.K {
			t.b, t.bks, t.bts = r[k0*p.B.ld:], p.B.ld, nr
			t.tail = p.B.panels[min(k0*nr, len(p.B.panels)):]
		} else {
			t.b = p.B.panels[k0*panels*nr:]
		}
		t.part(s)
	}
}

// Depth is the height of the block of B that starts at row k0, of which
// MultiplyBlock takes panels; the next starts Depth rows further down.
func (g *Gemm) Depth(k0 int) int { return min(g.kc, g.K-k0) }

// MultiplyBlock adds to some panels of C what one block of B brings: all its
// panels from the first on, for b to have been packed with just these. p.B is
// not looked at. The blocks of a panel come from the top down.
func (g *Gemm) MultiplyBlock(p *Product, k0, first, panels int, b []float32) {
	t := g.tiles(p, k0)
	t.b, t.first = b, first
	t.part(part{0, g.M, first, first + panels})
}

// part is a block of C: rows and panels.
type part struct{ r0, r1, p0, p1 int }

// share cuts C along the axis whose largest piece is the smaller; if they are
// nearly equal, such that each share reads a part of the larger operand.
func (g *Gemm) share(share, shares int) part {
	panels := g.Panels()
	if shares == 1 {
		return part{0, g.M, 0, panels}
	}
	byRows := g.rowsCost((g.M+shares-1)/shares) * panels
	byPanels := g.rowsCost(g.M) * ((panels + shares - 1) / shares)
	if byPanels <= byRows && (g.M <= g.N || 20*byPanels < 19*byRows) {
		return part{0, g.M, panels * share / shares, panels * (share + 1) / shares}
	}
	return part{g.M * share / shares, g.M * (share + 1) / shares, 0, panels}
}

// rowsCost is the time that m rows of one panel take, in multiply-adds of a
// vector. Under eight accumulators a tile waits for its own sums.
func (g *Gemm) rowsCost(m int) int {
	mr, nv := g.micro.mr(), g.micro.nr/g.micro.lanes
	blocks := (m + mr - 1) / mr
	if blocks == 0 {
		return 0
	}
	return blocks * max(8, (m+blocks-1)/blocks*nv)
}

func (g *Gemm) flags(p *Product, k0 int) int {
	f := 0
	if g.Alpha != 1 {
		f |= flagScale
	}
	if p.Accumulate || k0 > 0 {
		f |= flagAccumulate
	}
	if k0+g.kc < g.K {
		return f
	}
	if p.RowBias != nil {
		f |= flagRowBias
	}
	if p.ColBias != nil {
		f |= flagColBias
	}
	if g.ReLU {
		f |= flagReLU
	}
	return f
}

// tileCall is what the calls of the microkernels for one block of B share.
type tileCall struct {
	g         *Gemm
	p         *Product
	k0, depth int
	flags     int

	b        []float32 // the block from panel first on, panel after panel or in place
	bks, bts int       // its strides from row to row, from panel to panel
	tail     []float32 // in place: the last panel, if it is not full
	first    int

	a  Matrix // the block of A, from row i0 on
	i0 int
}

func (g *Gemm) tiles(p *Product, k0 int) tileCall {
	depth := g.Depth(k0)
	return tileCall{g: g, p: p, k0: k0, depth: depth, flags: g.flags(p, k0), bks: g.micro.nr, bts: depth * g.micro.nr}
}

// blockRows is the number of rows of A, depth deep, that L2 is to hold.
func (g *Gemm) blockRows(depth int) int {
	mr := g.micro.mr()
	return max(mr, l2Floats/depth/mr*mr)
}

// part computes one part of C, or the block's share in it.
func (t *tileCall) part(s part) {
	nr, mr := t.g.micro.nr, t.g.micro.mr()
	depth := max(1, t.depth)
	// As many panels at a time as L1 holds, in calls of no more than some
	// 15 µs at the speed of AVX-512: assembly can't be preempted.
	group := max(1, min(l1Floats/(nr*depth), 2<<20/(mr*nr*depth)))
	rows := t.g.blockRows(depth)
	for i0 := s.r0; i0 < s.r1; i0 += rows {
		n := min(rows, s.r1-i0)
		t.block(i0, n)
		blocks := (n + mr - 1) / mr // of nearly equal height
		for p0 := s.p0; p0 < s.p1; p0 += group {
			for b := range blocks {
				t.run(i0+n*b/blocks, i0+n*(b+1)/blocks, p0, min(p0+group, s.p1))
			}
		}
	}
}

// block makes rows of A from i0 on ready: in place, or copied to the scratch,
// column after column.
func (t *tileCall) block(i0, rows int) {
	a := t.p.A
	if t.depth == 0 {
		return
	}
	t.i0 = i0
	if a.Columns != nil {
		t.a = Matrix{Data: a.Data[i0*a.RS:], RS: a.RS, Columns: a.Columns[t.k0:][:t.depth]}
		return
	}
	t.a = Matrix{Data: a.Data[i0*a.RS+t.k0*a.CS:], RS: a.RS, CS: a.CS}
	if t.p.Scratch == nil || a.RS != 1 {
		return
	}
	to := Matrix{Data: t.p.Scratch[:rows*t.depth], RS: 1, CS: rows}
	for k := range t.depth {
		copy(to.Data[k*rows:][:rows], t.a.Data[k*a.CS:])
	}
	t.a = to
}

// run computes the rows r0 to r1 of the panels p0 to p1.
func (t *tileCall) run(r0, r1, p0, p1 int) {
	nr := t.g.micro.nr
	full := min(p1, t.g.N/nr)
	if p0 < full {
		t.call(r0, r1, p0, full-p0, nr)
	}
	if full < p1 {
		t.call(r0, r1, full, 1, t.g.N-full*nr)
	}
}

func (t *tileCall) call(r0, r1, panel, tiles, cols int) {
	g, p, nr := t.g, t.p, t.g.micro.nr
	var a, b, bias *float32
	bks := t.bks
	if t.depth > 0 {
		a = &t.a.Data[(r0-t.i0)*t.a.RS]
		if cols < nr && t.tail != nil {
			b, bks = &t.tail[0], nr
		} else {
			b = &t.b[(panel-t.first)*t.bts]
		}
	}
	if t.flags&flagRowBias != 0 {
		bias = &p.RowBias[r0]
	}
	if t.flags&flagColBias != 0 {
		bias = &p.ColBias[panel*nr]
	}
	if t.depth > 0 && t.a.Columns != nil {
		g.micro.gathers[r1-r0](t.depth, a, t.a.RS, &t.a.Columns[0], b, bks,
			&p.C[r0*p.CRS+panel*nr], p.CRS, cols, tiles, t.bts, g.Alpha, bias, t.flags)
		return
	}
	g.micro.byRows[r1-r0](t.depth, a, t.a.RS, t.a.CS, b, bks,
		&p.C[r0*p.CRS+panel*nr], p.CRS, cols, tiles, t.bts, g.Alpha, bias, t.flags)
}
