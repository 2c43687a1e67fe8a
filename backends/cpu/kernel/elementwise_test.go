package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// special puts what a careless kernel loses among the numbers of x.
func special(x []float32) {
	for i, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1)), 1e-40} {
		for at := i; at < len(x); at += 11 {
			x[at] = v
		}
	}
}

func operand(seed uint64, n int) []float32 {
	x := newGuarded(n).data
	uniform(newRand(seed), x)
	special(x)
	return x
}

func TestArith(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			for _, op := range []Arith{Add, Sub, Mul, Div, Max, Min, PReLU} {
				a, b := operand(1, n), operand(2, n+3)
				vv, vs, sv := newGuarded(n), newGuarded(n), newGuarded(n)
				op.Vectors(i, vv.data, a, b)
				op.Scalar(i, vs.data, a, 0.7)
				op.Into(i, sv.data, 0.7, b)
				want := make([]float32, 3*n)
				for j := range n {
					want[j], want[n+j], want[2*n+j] = op.of(a[j], b[j]), op.of(a[j], 0.7), op.of(0.7, b[j])
				}
				got := append(append(append([]float32{}, vv.data...), vs.data...), sv.data...)
				require.Equal(t, bits(want), bits(got), "op %d, n %d", op, n)
				for _, g := range []*guarded{vv, vs, sv} {
					g.intact(t)
				}
				op.Vectors(i, a, a, a) // in place, and all the same
			}
		}
	})
}

func TestReLU(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			x, dy := operand(3, n), operand(4, n)
			y, dx := newGuarded(n), newGuarded(n)
			ReLU(i, y.data, x)
			ReLUGrad(i, dx.data, dy, y.data)
			y.intact(t)
			dx.intact(t)
			for j := range n {
				wantY, wantX := x[j], dy[j]
				if x[j] <= 0 {
					wantY, wantX = 0, 0
				}
				require.Equal(t, bits([]float32{wantY + 0, wantX}), bits([]float32{y.data[j] + 0, dx.data[j]}), "x %v, dy %v", x[j], dy[j])
			}
		}
	})
}

func TestSGD(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, s := range []SGD{
			{LR: 0.1, Momentum: 0.9, Scale: 1},
			{LR: 0.1, Momentum: 0.5, Scale: 0.75, Decay: 0.01},
			{LR: 0.1, Momentum: 0.9, Scale: 1, Decay: 0.01, Nesterov: true},
			{LR: 1, Scale: 1},
		} {
			for _, n := range lengths {
				p, g, v := newGuarded(n), newGuarded(n), newGuarded(n)
				for k, x := range []*guarded{p, g, v} {
					uniform(newRand(uint64(k)), x.data)
				}
				p2, v2 := newGuarded(n), newGuarded(n)
				s.Step(i, p2.data, v2.data, p.data, g.data, v.data)
				for j := range n {
					d := float64(g.data[j]) + float64(s.Decay)*float64(p.data[j])
					w := float64(s.Momentum)*float64(v.data[j]) + float64(s.Scale)*d
					require.InDelta(t, w, v2.data[j], 1e-6)
					if s.Nesterov {
						w = d + float64(s.Momentum)*w
					}
					require.InDelta(t, float64(p.data[j])-float64(s.LR)*w, p2.data[j], 1e-6)
				}
				s.Step(i, p.data, v.data, p.data, g.data, v.data) // in place
				require.Equal(t, bits(p2.data), bits(p.data))
				require.Equal(t, bits(v2.data), bits(v.data))
				for _, x := range []*guarded{p, g, v, p2, v2} {
					x.intact(t)
				}
			}
		}
		// Without decay an infinite parameter does not become NaN.
		s := SGD{LR: 0, Scale: 1}
		p, zero := []float32{float32(math.Inf(1))}, []float32{0}
		s.Step(i, p, []float32{0}, p, zero, zero)
		require.Equal(t, float32(math.Inf(1)), p[0])
	})
}

func TestAdam(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, decay := range []float64{0, 0.01} {
			a := Adam{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Decay: decay, T: 3}
			for _, n := range lengths {
				var in, out [4]*guarded // p, g, m, v
				for k := range in {
					in[k], out[k] = newGuarded(n), newGuarded(n)
					uniform(newRand(uint64(k)), in[k].data)
				}
				for j := range n {
					in[3].data[j] = float32(math.Abs(float64(in[3].data[j])))
				}
				a.Step(i, out[0].data, out[2].data, out[3].data, in[0].data, in[1].data, in[2].data, in[3].data)
				for j := range n {
					p, g, m, v := float64(in[0].data[j]), float64(in[1].data[j]), float64(in[2].data[j]), float64(in[3].data[j])
					g += decay * p
					m = 0.9*m + 0.1*g
					v = 0.999*v + 0.001*g*g
					want := p - 0.01*(m/(1-0.9*0.9*0.9))/(math.Sqrt(v/(1-0.999*0.999*0.999))+1e-8)
					for k, w := range map[int]float64{0: want, 2: m, 3: v} {
						require.InDelta(t, w, out[k].data[j], math.Exp2(-24)*1.001*math.Max(1e-3, math.Abs(w)), "output %d", k)
					}
				}
				a.Step(i, in[0].data, in[2].data, in[3].data, in[0].data, in[1].data, in[2].data, in[3].data)
				require.Equal(t, bits(out[0].data), bits(in[0].data))
				for k := range in {
					in[k].intact(t)
					out[k].intact(t)
				}
			}
		}
	})
}

func BenchmarkElementwise(b *testing.B) {
	const n = 1 << 13
	x, y, z := make([]float32, n), make([]float32, n), make([]float32, n)
	for _, i := range []ISA{AVX512, AVX2, Generic} {
		if !i.Available() {
			continue
		}
		for name, f := range map[string]func(){
			"add":             func() { Add.Vectors(i, z, x, y) },
			"relu":            func() { ReLU(i, z, x) },
			"sum":             func() { FoldSum.Row(i, x) },
			"max":             func() { FoldMax.Row(i, x) },
			"moments":         func() { Moments(i, x, 0.5) },
			"standardize":     func() { Standardize(i, z, x, 0.5, 2, 1) },
			"standardize row": func() { StandardizeRow(i, z, x, y, y, 0.5, 2) },
			"products":        func() { Products(i, y, x, nil, 0.5) },
			"norm gradient":   func() { NormGrad(i, z, y, x, nil, 0.5, 2, 0.1, 1) },
			"sgd":             func() { (&SGD{LR: 1, Momentum: 0.9, Scale: 1}).Step(i, x, y, x, z, y) },
		} {
			b.Run(fmt.Sprintf("%s/%v", name, i), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/element")
			})
		}
	}
}
