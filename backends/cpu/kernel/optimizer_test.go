package kernel

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRMSprop(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, rule := range []RMSprop{
			{LR: 0.01, Alpha: 0.99, Epsilon: 1e-8},
			{LR: 0.01, Alpha: 0.9, Epsilon: 1e-3, Momentum: 0.9, Decay: 0.1},
			{LR: 0.01, Alpha: 0.9, Epsilon: 1e-8, Momentum: 0.5, Centered: true},
		} {
			for _, n := range lengths {
				var in, out [5]*guarded // p, s, b, a, g
				for k := range in {
					in[k], out[k] = newGuarded(n), newGuarded(n)
					uniform(newRand(uint64(k)), in[k].data)
				}
				for j := range n {
					in[1].data[j] = 2 + in[1].data[j] // more than any mean gradient's square
				}
				from := RMSpropState[float32]{in[0].data, in[1].data, in[2].data, in[3].data}
				to := RMSpropState[float32]{out[0].data, out[1].data, out[2].data, out[3].data}
				RMSpropStep(i, rule, to, from, in[4].data)
				for j := range n {
					p, s, b, a, g := float64(in[0].data[j]), float64(in[1].data[j]), float64(in[2].data[j]), float64(in[3].data[j]), float64(in[4].data[j])
					g += rule.Decay * p
					s, a = rule.Alpha*s+(1-rule.Alpha)*g*g, rule.Alpha*a+(1-rule.Alpha)*g
					v := s
					if rule.Centered {
						v -= a * a
					}
					b = rule.Momentum*b + g/(math.Sqrt(v)+rule.Epsilon)
					for k, w := range []float64{p - rule.LR*b, s, b, a} {
						require.InDelta(t, w, out[k].data[j], unit*1.001*math.Max(1e-3, math.Abs(w)), "output %d", k)
					}
				}
				RMSpropStep(i, rule, from, from, in[4].data) // in place
				for k := range 4 {
					require.Equal(t, bits(out[k].data), bits(in[k].data))
				}
				for k := range in {
					in[k].intact(t)
					out[k].intact(t)
				}
			}
		}
		// Without decay an infinite parameter does not become NaN.
		one := func(v float32) []float32 { return []float32{v, v, v, v, v, v, v, v} }
		state := RMSpropState[float32]{one(float32(math.Inf(1))), one(0), one(0), one(0)}
		RMSpropStep(i, RMSprop{LR: 0.1, Alpha: 0.9, Epsilon: 1}, state, state, one(1))
		require.Equal(t, one(float32(math.Inf(1))), state.P)
	})
}

func TestMovingAverage(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, n := range lengths {
			a, x, next := operand(1, n), operand(2, n), newGuarded(n)
			want := make([]float32, n)
			for j := range want {
				want[j] = float32(math.FMA(0.9, float64(a[j]), (1-0.9)*float64(x[j])))
			}
			MovingAverage(i, next.data, a, x, 0.9)
			next.intact(t)
			for j, w := range want {
				if w == w && !math.IsInf(float64(w), 0) {
					require.InDelta(t, w, next.data[j], 2*unit*math.Abs(float64(w))+1e-45)
				} else {
					require.Equal(t, bits([]float32{w}), bits(next.data[j:][:1]))
				}
			}
			MovingAverage(i, a, a, x, 0.9)
			require.Equal(t, bits(next.data), bits(a))
		}
	})
}
