package kernel

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// functionCase is a function with its bound: an answer is off by so many ulps
// of the greater of it and floor.
type functionCase struct {
	name  string
	f     *Function
	ulps  float64
	floor func(x float64) float64 // nil: 0
}

var functionCases = []functionCase{
	{"exp", Exp, 1.1, nil},
	{"log", Log, 1.1, nil},
	{"tanh", Tanh, 2.5, nil},
	{"sigmoid", Sigmoid, 2.5, nil},
	{"erf", Erf, 1.5, nil},
	{"gelu", GELU, 2, math.Abs}, // its tail below 0 has an absolute error
	{"gelu tanh", GELUTanh, 2.5, math.Abs},
	{"swish", Swish(1), 3, flushed},
	{"swish 1.702", Swish(1.702), 4, func(x float64) float64 { return math.Abs(x) / 16 }}, // α·x is rounded
	{"softplus", Softplus, 2.5, nil},
	{"mish", Mish, 4, flushed},
	{"elu", Exponential(1, 1, 1), 2.5, nil},
	{"selu", Exponential(1.0507, 1.0507*1.67326, 1), 3.5, nil},
	{"celu", Exponential(1, 1.75, 1.75), 3.5, nil},
	{"celu, negative", Exponential(1, -2, -2), 0.5, nil},
	{"leaky relu", LeakyReLU(0.25), 0.5, nil},
	{"hard sigmoid", HardSigmoid(0.25, 0.5), 0.5, nil},
	{"hard swish", HardSwish, 2, math.Abs}, // x/6 + ½ cancels at -3
	{"softsign", Softsign, 1.6, nil},
	{"abs", Abs, 0, nil}, {"reciprocal", Reciprocal, 0.5, nil}, {"sqrt", Sqrt, 0.5, nil},
	{"round", Round, 0, nil}, {"floor", Floor, 0, nil}, {"ceil", Ceil, 0, nil},
	{"sin", Sin, 0.5, nil}, {"cos", Cos, 0.5, nil},
}

// flushed is for x times a factor that may be subnormal, and then has few bits.
func flushed(x float64) float64 { return math.Abs(x) * 0x1p-126 }

// everywhere is numbers of all sizes, dense where functions bend, and what is
// special.
func everywhere(seed uint64, n int) []float32 {
	r, x := newRand(seed), newGuarded(n).data
	for i := range x {
		switch i % 4 {
		case 0:
			x[i] = math.Float32frombits(r.Uint32())
		case 1:
			x[i] = float32(r.NormFloat64() * 4)
		case 2:
			x[i] = (r.Float32()*2 - 1) * 110
		default:
			x[i] = float32(math.Exp(12*r.Float64()-9)) * float32(1-2*r.IntN(2))
		}
	}
	copy(x, []float32{
		0, float32(math.Copysign(0, -1)), 1, -1, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
		1e-40, -1e-40, math.SmallestNonzeroFloat32, 0x1p-126, -0x1p-126, math.MaxFloat32, -math.MaxFloat32,
		0.75, 1.5, 0.99999994, 1.0000001, 2.5, -2.5, 88.72283, 88.72284, -87.33655, -103.97207, -103.97208, 3.9, 4, -3, 3, 8388609, -16777217,
	})
	return x
}

// ulp32 is the distance of f32's numbers at v.
func ulp32(v float64) float64 {
	_, e := math.Frexp(v)
	return math.Ldexp(1, max(e-24, -149))
}

func TestFunctions(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, c := range functionCases {
			t.Run(c.name, func(t *testing.T) {
				worst, at := 0.0, float32(0)
				for seed := range uint64(4) {
					x := everywhere(seed, chunk+5)
					y := make([]float32, len(x))
					c.f.Map(i, y, x)
					for j, v := range x {
						want := c.f.Of(float64(v))
						near := float32(want)
						switch {
						case want != want:
							require.True(t, math.IsNaN(float64(y[j])), "f(%v) = %v, want NaN", v, y[j])
							continue
						case near == y[j]:
							continue
						}
						size := math.Abs(want)
						if c.floor != nil {
							size = max(size, c.floor(float64(v)))
						}
						if e := math.Abs(float64(y[j])-want) / ulp32(size); !(e <= worst) {
							worst, at = e, v
						}
					}
				}
				t.Logf("worst: %.2f ulps at %v", worst, at)
				require.LessOrEqual(t, worst, max(c.ulps, 0.5), "at %v", at)
			})
		}
	})
}

// TestFunctionsOfAnyLength: every element gets what it gets alone, and nothing
// is written beside them.
func TestFunctionsOfAnyLength(t *testing.T) {
	onEveryISA(t, func(t *testing.T, i ISA) {
		for _, c := range functionCases {
			for _, n := range lengths[:len(lengths)-1] {
				x, y := operand(5, n), newGuarded(n)
				c.f.Map(i, y.data, x)
				y.intact(t)
				for j := range x {
					one := []float32{x[j]}
					c.f.Map(i, one, one)
					require.Equal(t, bits(one), bits(y.data[j:j+1]), "%s of element %d of %d", c.name, j, n)
				}
			}
		}
	})
}

func BenchmarkFunctions(b *testing.B) {
	const n = 1 << 13
	x, y := make([]float32, n), make([]float32, n)
	for i, r := range newRand(1).Perm(n) {
		x[i] = float32(r)*(8.0/n) - 4
	}
	for _, c := range functionCases {
		for _, i := range []ISA{AVX512, AVX2, Generic} {
			if i.Available() {
				perElement(b, fmt.Sprintf("%s/%v", c.name, i), n, func() { c.f.Map(i, y, x) })
			}
		}
	}
	for _, i := range []ISA{AVX512, AVX2, Generic} {
		if !i.Available() {
			continue
		}
		perElement(b, fmt.Sprintf("softmax/%v", i), n, func() {
			for row := 0; row < n; row += 1024 {
				Softmax(i, y[row:row+1024], x[row:row+1024])
			}
		})
	}
}

// perElement measures f, which does n elements.
func perElement(b *testing.B, name string, n int, f func()) {
	b.Run(name, func(b *testing.B) {
		for b.Loop() {
			f()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
	})
}
