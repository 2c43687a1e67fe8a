package reference_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

var nan, inf = math.NaN(), math.Inf(1)

func vector(v ...float64) *reference.Array {
	return &reference.Array{Shape: tensor.Shape{len(v)}, Data: v}
}

// equal compares element by element, NaN equal to NaN.
func equal(t *testing.T, want, got []float64, msg ...any) {
	require.Len(t, got, len(want), msg...)
	for i, w := range want {
		if w != got[i] && !(math.IsNaN(w) && math.IsNaN(got[i])) {
			require.Failf(t, "differs", "%v: want %v, got %v", msg, want, got)
		}
	}
}

// Elementwise ops on specials and, for integers, at the ends of their types.
func TestElementwiseValues(t *testing.T) {
	for _, c := range []struct {
		op    string
		attrs graph.Attrs
		d     tensor.DType
		in    []*reference.Array
		want  []float64
	}{
		{"Relu", nil, tensor.F32, list(vector(nan, -inf, inf, -1, 0, 2)), []float64{nan, 0, inf, 0, 0, 2}},
		{"ReluGrad", nil, tensor.F32, list(vector(nan, nan, 3, inf), vector(0, 1, nan, -1)), []float64{0, nan, 3, 0}},
		{"Mul", nil, tensor.F32, list(vector(0, 0, inf), vector(inf, nan, 2)), []float64{nan, nan, inf}},
		{"Div", nil, tensor.F32, list(vector(1, 0, -1), vector(0, 0, inf)), []float64{inf, nan, 0}},
		{"Div", nil, tensor.S32, list(vector(7, -7, 7, math.MinInt32, 3), vector(2, 2, -2, -1, 0)), []float64{3, -3, -3, math.MinInt32, 0}},
		{"Add", nil, tensor.U8, list(vector(200, 1), vector(100, 2)), []float64{44, 3}},
		{"Sub", nil, tensor.U32, list(vector(0), vector(1)), []float64{math.MaxUint32}},
		{"Mul", nil, tensor.S8, list(vector(64, -128), vector(2, -1)), []float64{-128, -128}},
		{"Mul", nil, tensor.S64, list(vector(1<<62, 3), vector(4, -5)), []float64{0, -15}},
		{"Neg", nil, tensor.S32, list(vector(math.MinInt32, 5)), []float64{math.MinInt32, -5}},
		{"Identity", nil, tensor.S64, list(vector(math.MinInt64, -0x1p62)), []float64{math.MinInt64, -0x1p62}},
		{"ReduceMean", nil, tensor.S64, list(vector(-1, -2, -2)), []float64{-1}}, // of −5/3, as in all other integers
		{"ReduceMean", nil, tensor.U8, list(vector(200, 201, 203)), []float64{201}},
		{"Relu", nil, tensor.S8, list(vector(-3, 3)), []float64{0, 3}},
		{"Equal", nil, tensor.F32, list(vector(nan, 1, 0), vector(nan, 1, math.Copysign(0, -1))), []float64{0, 1, 1}},
		{"LessOrEqual", nil, tensor.F32, list(vector(nan, 1, 2, -inf), vector(1, 1, 1, nan)), []float64{0, 1, 0, 0}},
		{"Log", nil, tensor.F32, list(vector(0, -1, 1)), []float64{-inf, nan, 0}},
		{"Sqrt", nil, tensor.F32, list(vector(-1, 4, inf)), []float64{nan, 2, inf}},
		{"Sigmoid", nil, tensor.F32, list(vector(-inf, inf, 0, -1000, nan)), []float64{0, 1, 0.5, 0, nan}},
		{"Cast", to("s8"), tensor.F32, list(vector(2.9, -2.9, 1000, -1000, nan, inf)), []float64{2, -2, 127, -128, 0, 127}},
		{"Cast", to("u8"), tensor.F32, list(vector(-0.5, 255.9, -3)), []float64{0, 255, 0}},
		{"Cast", to("s8"), tensor.S32, list(vector(200, -129, 5)), []float64{-56, 127, 5}},
		{"Cast", to("u32"), tensor.S32, list(vector(-1)), []float64{math.MaxUint32}},
		{"Cast", to("bool"), tensor.F32, list(vector(nan, 0, 0.5, math.Copysign(0, -1))), []float64{1, 0, 1, 0}},
		{"Cast", to("f32"), tensor.Bool, list(vector(1, 0)), []float64{1, 0}},
	} {
		var dtypes []tensor.DType
		for range c.in {
			dtypes = append(dtypes, c.d)
		}
		equal(t, c.want, call(t, reference.Mode{Round: true}, c.op, c.attrs, dtypes, c.in...)[0].Data, c.op, c.d)
	}
}

func list(xs ...*reference.Array) []*reference.Array { return xs }

func to(d string) graph.Attrs { return graph.Attrs{"to": graph.S(d)} }

// An integer becomes the nearest float, ties to even, once the mode rounds.
func TestCastRoundsIntegersToEven(t *testing.T) {
	x := vector(1<<24+1, 1<<24+3, -(1<<24 + 1))
	out := func(m reference.Mode) []float64 {
		return call(t, m, "Cast", to("f32"), []tensor.DType{tensor.S32}, x)[0].Data
	}
	equal(t, []float64{1 << 24, 1<<24 + 4, -(1 << 24)}, out(reference.Mode{Round: true}))
	equal(t, x.Data, out(reference.Mode{}))
}

func TestWhereIgnoresWhatItDoesNotChoose(t *testing.T) {
	d := []tensor.DType{tensor.Bool, tensor.F32, tensor.F32}
	equal(t, []float64{1, 5}, call(t, reference.Mode{}, "Where", nil, d, vector(1, 0), vector(1, nan), vector(inf, 5))[0].Data)
}

// A zero weight does not hide infinity or NaN, in any op with products or sums.
func TestZerosHideNothing(t *testing.T) {
	f := []tensor.DType{tensor.F32, tensor.F32}
	one := func(v float64, shape ...int) *reference.Array {
		return &reference.Array{Shape: shape, Data: []float64{v}}
	}
	for _, bad := range []float64{nan, inf} {
		for _, m := range modes {
			equal(t, []float64{nan}, call(t, m, "MatMul", nil, f, one(0, 1, 1), one(bad, 1, 1))[0].Data)
			equal(t, []float64{nan}, call(t, m, "Gemm", graph.Attrs{"alpha": graph.F(0)}, f, one(1, 1, 1), one(bad, 1, 1))[0].Data)
			equal(t, []float64{nan}, call(t, m, "Conv", nil, f, one(bad, 1, 1, 1), one(0, 1, 1, 1))[0].Data)
			equal(t, []float64{nan}, call(t, m, "ConvInputGrad", graph.Attrs{"input_shape": graph.L(1, 1, 1)}, f, one(0, 1, 1, 1), one(bad, 1, 1, 1))[0].Data)
			equal(t, []float64{nan}, call(t, m, "ConvWeightGrad", graph.Attrs{"weight_shape": graph.L(1, 1, 1)}, f, one(bad, 1, 1, 1), one(0, 1, 1, 1))[0].Data)
		}
	}
	sum := call(t, reference.Mode{}, "ReduceSum", graph.Attrs{"keepdims": graph.I(0)}, f[:1], vector(inf, -inf))
	equal(t, []float64{nan}, sum[0].Data)
	equal(t, []float64{nan}, call(t, reference.Mode{}, "ReduceMax", graph.Attrs{"keepdims": graph.I(0)}, f[:1], vector(inf, nan, 1))[0].Data)
	equal(t, []float64{-inf}, call(t, reference.Mode{}, "ReduceMax", graph.Attrs{"keepdims": graph.I(0)}, f[:1], vector(-inf, -inf))[0].Data)
}

func TestMaxPoolTiesAndNaN(t *testing.T) {
	row := func(v ...float64) *reference.Array {
		return &reference.Array{Shape: tensor.Shape{1, 1, len(v)}, Data: v}
	}
	for _, c := range []struct {
		x              []float64
		value, indices []float64
	}{
		{[]float64{1, 3, 3, 2}, []float64{3}, []float64{1}},
		{[]float64{nan, inf, nan, 2}, []float64{nan}, []float64{0}},
		{[]float64{inf, nan, nan, 2}, []float64{nan}, []float64{1}},
		{[]float64{-inf, -inf, -inf, -inf}, []float64{-inf}, []float64{0}},
	} {
		out := call(t, reference.Mode{}, "MaxPool", graph.Attrs{"kernel_shape": graph.L(4)}, []tensor.DType{tensor.F32}, row(c.x...))
		equal(t, c.value, out[0].Data, c.x)
		equal(t, c.indices, out[1].Data, c.x)
	}
}

// Padding of a MaxPool is no element: not even zero.
func TestMaxPoolIgnoresPadding(t *testing.T) {
	x := &reference.Array{Shape: tensor.Shape{1, 1, 2}, Data: []float64{-5, -7}}
	out := call(t, reference.Mode{}, "MaxPool", graph.Attrs{"kernel_shape": graph.L(2), "pads": graph.L(1, 1)}, []tensor.DType{tensor.F32}, x)
	equal(t, []float64{-5, -5, -7}, out[0].Data)
	equal(t, []float64{0, 0, 1}, out[1].Data)
}

// Divisors of AveragePool, dilated too, which PyTorch lacks: x is all ones, so
// that a mean is (elements met) / divisor.
func TestAveragePoolDivisors(t *testing.T) {
	for _, c := range []struct {
		in      int
		attrs   graph.Attrs
		counted []float64 // with count_include_pad; without, every mean is 1
	}{
		{4, graph.Attrs{"kernel_shape": graph.L(3), "pads": graph.L(1, 1)}, []float64{2. / 3, 1, 1, 2. / 3}},
		{4, graph.Attrs{"kernel_shape": graph.L(3), "strides": graph.L(2), "pads": graph.L(1, 0), "ceil_mode": graph.I(1)}, []float64{2. / 3, 1}},
		// The last window has an element, a padding and a phantom: divisor 2.
		{5, graph.Attrs{"kernel_shape": graph.L(3), "strides": graph.L(2), "pads": graph.L(0, 1), "ceil_mode": graph.I(1)}, []float64{1, 1, 1. / 2}},
		// Taps at 0, 2 and 4, then 2, 4 and 6, the last beyond the padding.
		{5, graph.Attrs{"kernel_shape": graph.L(3), "strides": graph.L(2), "dilations": graph.L(2), "pads": graph.L(0, 1), "ceil_mode": graph.I(1)}, []float64{1, 1}},
		// Taps at -1, 1 and 3, then 1, 3 and 5, the last on padding.
		{5, graph.Attrs{"kernel_shape": graph.L(3), "strides": graph.L(2), "dilations": graph.L(2), "pads": graph.L(1, 1)}, []float64{2. / 3, 2. / 3}},
	} {
		x := reference.New(1, 1, c.in)
		for i := range x.Data {
			x.Data[i] = 1
		}
		mean := func(include int) []float64 {
			a := graph.Attrs{"count_include_pad": graph.I(include)}
			for k, v := range c.attrs {
				a[k] = v
			}
			return call(t, reference.Mode{}, "AveragePool", a, []tensor.DType{tensor.F64}, x)[0].Data
		}
		equal(t, c.counted, mean(1), c.attrs)
		for _, v := range mean(0) {
			require.Equal(t, 1.0, v)
		}
	}
}

// A skipped step leaves every bit as it was, whatever the gradient.
func TestSkipLeavesBitsAlone(t *testing.T) {
	f := tensor.F32
	p, g, v := vector(1, -0.1, 3e-40), vector(nan, inf, 1), vector(0.5, 1, 2)
	for _, skip := range []float64{0, 1} {
		out := call(t, reference.Mode{Round: true}, "SGD", graph.Attrs{"momentum": graph.F(0.9)}, []tensor.DType{f, f, f, f, tensor.Bool},
			vector(toF32(p)...), g, v, scalar(0.1), scalar(skip))
		out = append(out, call(t, reference.Mode{Round: true}, "Adam", nil, []tensor.DType{f, f, f, f, tensor.S64, f, tensor.Bool},
			vector(toF32(p)...), g, v, v, scalar(0), scalar(0.1), scalar(skip))...)
		for i, want := range [][]float64{toF32(p), v.Data, toF32(p), v.Data, v.Data} {
			if skip == 1 {
				equal(t, want, out[i].Data, i)
			} else {
				require.True(t, math.IsNaN(out[i].Data[0]), "output %d", i)
			}
		}
	}
}

func toF32(x *reference.Array) []float64 { return x.Tensor(tensor.F32).Float64s() }

// Convolution and pooling against the loops over coordinates, written out for
// two spatial axes: a second way to walk the window.
func TestWindowsAgainstCoordinates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
		group := draw("group", 1, 3)
		cg, mg := draw("channels", 1, 2), draw("filters", 1, 2)
		var in, k, s, d, pb, pe [2]int
		for i := range 2 {
			in[i], k[i], s[i], d[i] = draw("in", 1, 7), draw("kernel", 1, 3), draw("stride", 1, 3), draw("dilation", 1, 3)
			pb[i], pe[i] = draw("begin", 0, 3), draw("end", 0, 3)
			if in[i]+pb[i]+pe[i] < d[i]*(k[i]-1)+1 {
				t.Skip("the window does not fit")
			}
		}
		a := graph.Attrs{"group": graph.I(group), "strides": graph.L(s[:]...), "dilations": graph.L(d[:]...), "pads": graph.L(pb[0], pb[1], pe[0], pe[1])}
		b := graph.NewBuilder("conv")
		xv := b.Feed("x", tensor.T(tensor.F64, 2, cg*group, in[0], in[1]))
		wv := b.Feed("w", tensor.T(tensor.F64, mg*group, cg, k[0], k[1]))
		b.Fetch(b.Op("Conv", a, xv, wv))
		p, err := b.Program()
		if err != nil {
			t.Fatal(err)
		}
		g, err := p.Infer()
		if err != nil {
			t.Fatal(err)
		}
		fill := func(v graph.Value) *reference.Array {
			return reference.FromTensor(tensor.FillSeeded(tensor.New(tensor.F64, v.Type.Shape...), tensor.Fill{Kind: tensor.Integers, Lo: -9, Hi: 9}, 1, uint32(len(v.Name)+v.Type.Shape[2])))
		}
		x, w := fill(xv), fill(wv)
		env := map[string]*reference.Array{"x": x, "w": w}
		if _, err := reference.Eval(g, env, reference.Mode{}); err != nil {
			t.Fatal(err)
		}
		y := env[p.Fetches[0]]
		i := 0
		for n := range 2 {
			for m := range mg * group {
				for o0 := range y.Shape[2] {
					for o1 := range y.Shape[3] {
						want := 0.0
						for c := range cg {
							for k0 := range k[0] {
								for k1 := range k[1] {
									r, q := o0*s[0]+k0*d[0]-pb[0], o1*s[1]+k1*d[1]-pb[1]
									if r >= 0 && r < in[0] && q >= 0 && q < in[1] {
										want += x.Data[((n*cg*group+m/mg*cg+c)*in[0]+r)*in[1]+q] * w.Data[((m*cg+c)*k[0]+k0)*k[1]+k1]
									}
								}
							}
						}
						if y.Data[i] != want {
							t.Fatalf("Y[%d,%d,%d,%d] is %v, want %v", n, m, o0, o1, y.Data[i], want)
						}
						i++
					}
				}
			}
		}
	})
}

// The reference is called with arrays and plain numbers.
func ExampleConv() {
	x := &reference.Array{Shape: tensor.Shape{1, 1, 5}, Data: []float64{1, 2, 3, 4, 5}}
	w := &reference.Array{Shape: tensor.Shape{1, 1, 2}, Data: []float64{1, -1}}
	window := &graph.Window{
		In: []int{5}, Out: []int{2}, Kernel: []int{2}, Strides: []int{3},
		Dilations: []int{1}, PadBegin: []int{0}, PadEnd: []int{0},
	}
	y, err := reference.Conv(x, w, nil, window, 1)
	fmt.Println(y.Array(&reference.Acc{}).Data, err)
	// Output: [-1 -1] <nil>
}
