package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/machine/peak"
)

// gemmCase is one product with all that can be asked of it.
type gemmCase struct {
	m, n, k        int
	transA, transB bool
	inPlace        bool // B, if it is not transposed
	pad            int  // elements between rows beyond what they need
	alpha          float32
	accumulate     bool
	rowBias        bool
	colBias        bool
	relu           bool
	scratch        bool
	gather         bool // A's columns by a table
	shares         int
}

func (c gemmCase) matrix(r *rand.Rand, rows, cols int, trans bool) Matrix {
	if trans {
		return c.matrix(r, cols, rows, false).Transposed()
	}
	ld := cols + c.pad
	m := RowMajor(make([]float32, max(0, (rows-1)*ld+cols)), ld) // the last row ends where the memory does
	integers(r, m.Data)
	return m
}

// want is the product in float64, as the definition has it.
func (c gemmCase) want(p *Product, b Matrix, old []float32, i, j int) float64 {
	s := 0.0
	for k := range c.k {
		at := i*p.A.RS + k*p.A.CS
		if c.gather {
			at = i*p.A.RS + int(p.A.Columns[k])
		}
		s += float64(p.A.Data[at]) * float64(b.Data[k*b.RS+j*b.CS])
	}
	s *= float64(c.alpha)
	if c.accumulate {
		s += float64(old[i*p.CRS+j])
	}
	if c.rowBias {
		s += float64(p.RowBias[i])
	}
	if c.colBias {
		s += float64(p.ColBias[j])
	}
	if c.relu {
		s = max(s, 0)
	}
	return s
}

func (c gemmCase) check(t require.TestingT, i ISA) {
	r := newRand(uint64(c.m*1000003 + c.n*1009 + c.k))
	g := NewGemm(i, c.m, c.n, c.k)
	g.Alpha, g.ReLU = c.alpha, c.relu
	b := c.matrix(r, c.k, c.n, c.transB)
	p := &Product{A: c.matrix(r, c.m, c.k, c.transA), CRS: c.n + c.pad, Accumulate: c.accumulate}
	if c.gather {
		p.A.CS, p.A.Columns = 0, make([]int32, c.k)
		for k := range p.A.Columns { // the columns of a matrix, in any order, some of them again
			step := 1
			if c.transA {
				step = c.m + c.pad
			}
			p.A.Columns[k] = int32(r.IntN(c.k) * step)
		}
	}
	out := newGuarded((c.m-1)*p.CRS + c.n)
	p.C = out.data
	for row := range c.m {
		integers(r, p.C[row*p.CRS:][:c.n])
	}
	old := append([]float32(nil), p.C...)
	if c.rowBias {
		p.RowBias = make([]float32, c.m)
		integers(r, p.RowBias)
	}
	if c.colBias {
		p.ColBias = make([]float32, c.n)
		integers(r, p.ColBias)
	}
	if c.inPlace && !c.transB {
		tail := newGuarded(g.TailLen())
		g.PackTail(tail.data, b)
		tail.intact(t)
		p.B = g.InPlace(b, tail.data)
	} else {
		panels := newGuarded(g.PackedLen())
		for q := range g.Panels() {
			g.PackB(panels.data, b, q, q+1)
		}
		panels.intact(t)
		p.B = g.Packed(panels.data)
	}
	for s := range c.shares {
		if c.scratch {
			scratch := newGuarded(g.blockRows(g.kc) * g.kc)
			p.Scratch = scratch.data
			defer scratch.intact(t)
		}
		g.Multiply(p, s, c.shares)
	}
	out.intact(t)
	for row := range c.m {
		for col := range p.CRS {
			at := row*p.CRS + col
			switch {
			case at >= len(p.C):
			case col >= c.n:
				require.Equal(t, math.Float32bits(poison), math.Float32bits(p.C[at]), "between rows, at %d,%d", row, col)
			default:
				if want := float32(c.want(p, b, old, row, col)); p.C[at] != want {
					require.Fail(t, "wrong", "%+v on %v: C[%d,%d] is %v, want %v", c, i, row, col, p.C[at], want)
				}
			}
		}
	}
}

func TestGemmShapes(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for m := 1; m <= 15; m++ {
			for _, n := range []int{1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100} {
				gemmCase{m: m, n: n, k: 1 + (m*n)%37, alpha: 1, shares: 1, pad: m % 3}.check(t, i)
				gemmCase{m: m, n: n, k: 33, alpha: 1, shares: 1, inPlace: true, relu: true, colBias: true}.check(t, i)
				gemmCase{m: m, n: n, k: 33, alpha: 1, shares: 1, gather: true, transA: m%2 == 0}.check(t, i)
			}
		}
		gemmCase{m: 29, n: 70, k: 1300, alpha: 1, shares: 1, rowBias: true, relu: true}.check(t, i) // two blocks of K
		gemmCase{m: 600, n: 33, k: 600, alpha: 1, shares: 2, inPlace: true}.check(t, i)             // more rows than a block
		gemmCase{m: 600, n: 33, k: 600, alpha: 1, shares: 2, transA: true, scratch: true}.check(t, i)
		gemmCase{m: 29, n: 70, k: 1300, alpha: 1, shares: 1, gather: true, relu: true}.check(t, i)
		gemmCase{m: 3, n: 5, k: 0, alpha: 2, shares: 1, colBias: true}.check(t, i)
		gemmCase{m: 3, n: 5, k: 0, alpha: 2, shares: 1, gather: true, colBias: true}.check(t, i)
		gemmCase{m: 3, n: 5, k: 0, alpha: 2, shares: 1, accumulate: true, inPlace: true}.check(t, i)
	})
}

func TestGemmProperties(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		rapid.Check(t, func(t *rapid.T) {
			flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
			c := gemmCase{
				m: rapid.IntRange(1, 40).Draw(t, "m"), n: rapid.IntRange(1, 150).Draw(t, "n"), k: rapid.IntRange(0, 70).Draw(t, "k"),
				transA: flag("transA"), transB: flag("transB"), inPlace: flag("inPlace"),
				pad: rapid.IntRange(0, 3).Draw(t, "pad"), alpha: rapid.SampledFrom([]float32{1, 0.5, -2, 0}).Draw(t, "alpha"),
				accumulate: flag("accumulate"), scratch: flag("scratch"), gather: flag("gather"), relu: flag("relu"), shares: rapid.IntRange(1, 4).Draw(t, "shares"),
			}
			switch rapid.IntRange(0, 2).Draw(t, "bias") {
			case 1:
				c.rowBias = true
			case 2:
				c.colBias = true
			}
			c.check(t, i)
		})
	})
}

// A product of real numbers differs from float64's by rounding alone.
func TestGemmRounding(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		const m, n, k = 19, 45, 500
		r := newRand(3)
		a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
		uniform(r, a)
		uniform(r, b)
		g := NewGemm(i, m, n, k)
		buf := make([]float32, g.PackedLen())
		g.PackB(buf, RowMajor(b, n), 0, g.Panels())
		g.Multiply(&Product{A: RowMajor(a, k), B: g.Packed(buf), C: c, CRS: n}, 0, 1)
		for row := range m {
			for col := range n {
				s, mag := 0.0, 0.0
				for p := range k {
					x := float64(a[row*k+p]) * float64(b[p*n+col])
					s += x
					mag += math.Abs(x)
				}
				e := math.Abs(float64(c[row*n+col]) - s)
				require.True(t, e <= k*math.Exp2(-24)*mag, "%d,%d: off by %v", row, col, e)
			}
		}
	})
}

// NaN and infinity times zero are NaN, wherever they stand, and nowhere else.
func TestGemmKeepsNaN(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			const m, n, k = 9, 50, 11
			a, b, c := make([]float32, m*k), make([]float32, k*n), make([]float32, m*n)
			a[4*k+3] = bad
			g := NewGemm(i, m, n, k)
			g.ReLU = true
			buf := make([]float32, g.PackedLen())
			g.PackB(buf, RowMajor(b, n), 0, g.Panels())
			g.Multiply(&Product{A: RowMajor(a, k), B: g.Packed(buf), C: c, CRS: n}, 0, 1)
			for at, v := range c {
				require.Equal(t, at/n == 4, v != v, "at %d of C: %v", at, v)
			}
		}
	})
}

// MultiplyBlock over panels packed one by one is Multiply.
func TestGemmByBlocks(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		const m, n, k = 20, 70, 2600
		r := newRand(5)
		a, b := make([]float32, m*k), make([]float32, k*n)
		integers(r, a)
		integers(r, b)
		g := NewGemm(i, m, n, k)
		all := make([]float32, g.PackedLen())
		g.PackB(all, RowMajor(b, n), 0, g.Panels())
		bias := make([]float32, m)
		integers(r, bias)
		want, got := make([]float32, m*n), make([]float32, m*n)
		g.Multiply(&Product{A: RowMajor(a, k), B: g.Packed(all), C: want, CRS: n, RowBias: bias}, 0, 1)
		p := &Product{A: RowMajor(a, k), C: got, CRS: n, RowBias: bias}
		nr := g.PanelWidth()
		for q := range g.Panels() {
			for k0 := 0; k0 < k; k0 += g.Depth(k0) {
				d := g.Depth(k0)
				panel := make([]float32, d*nr)
				packPanel(i, panel, nr, RowMajor(b, n), k0, d, q*nr, min(nr, n-q*nr))
				g.MultiplyBlock(p, k0, q, 1, panel)
			}
		}
		require.Equal(t, want, got)
	})
}

// A product does not change with the number of shares, to the last bit.
func TestGemmSharesAgree(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, s := range [][3]int{{64, 120, 300}, {3, 1000, 40}, {700, 10, 40}} {
			r := newRand(9)
			a, b := make([]float32, s[0]*s[2]), make([]float32, s[2]*s[1])
			uniform(r, a)
			uniform(r, b)
			var first []float32
			for shares := 1; shares <= 5; shares++ {
				c := make([]float32, s[0]*s[1])
				g := NewGemm(i, s[0], s[1], s[2])
				tail := make([]float32, g.TailLen())
				g.PackTail(tail, RowMajor(b, s[1]))
				for share := range shares {
					g.Multiply(&Product{A: RowMajor(a, s[2]), B: g.InPlace(RowMajor(b, s[1]), tail), C: c, CRS: s[1]}, share, shares)
				}
				if first == nil {
					first = c
				}
				require.Equal(t, bits(first), bits(c), "%d shares", shares)
			}
		}
	})
}

// BenchmarkSGEMM gives GFLOP/s and the share of the FMA peak, on one core with
// B packed anew each time. Product and peak are measured in turns, and the
// medians compared: what disturbs one disturbs the other.
func BenchmarkSGEMM(b *testing.B) {
	for _, i := range isa.Available() {
		for _, n := range []int{256, 1024} {
			if i == Generic && n > 256 {
				continue
			}
			b.Run(fmt.Sprintf("%v/%d", i, n), func(b *testing.B) { benchmarkSGEMM(b, i, n) })
		}
	}
}

func benchmarkSGEMM(b *testing.B, i ISA, n int) {
	x, y, z := make([]float32, n*n), make([]float32, n*n), make([]float32, n*n)
	r := newRand(1)
	uniform(r, x)
	uniform(r, y)
	g := NewGemm(i, n, n, n)
	buf := make([]float32, g.PackedLen())
	p := &Product{A: RowMajor(x, n), B: g.Packed(buf), C: z, CRS: n}
	work := 2 * float64(n*n*n)
	fma, flops := peak.Loop(i)
	var rates, peaks []float64 // GFLOP/s
	for b.Loop() {
		start := time.Now()
		g.PackB(buf, RowMajor(y, n), 0, g.Panels())
		g.Multiply(p, 0, 1)
		middle := time.Now()
		done := 0.0
		for ; done < work; done += flops {
			fma()
		}
		rates = append(rates, work/float64(middle.Sub(start)))
		peaks = append(peaks, done/float64(time.Since(middle)))
	}
	slices.Sort(rates)
	slices.Sort(peaks)
	rate := rates[len(rates)/2]
	b.ReportMetric(rate, "GFLOP/s")
	b.ReportMetric(100*rate/peaks[len(peaks)/2], "%peak")
	b.ReportMetric(0, "ns/op") // the product and the peak together
}
