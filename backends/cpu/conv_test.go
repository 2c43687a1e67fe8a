package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// drawConv is a convolution with its two gradients, of integers, so that every
// order of sums gives the same.
func drawConv(t *rapid.T) *graph.Program {
	draw := func(name string, lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, name) }
	groups := draw("groups", 1, 2)
	channels, filters := draw("channels", 1, 20), draw("filters", 1, 20)
	x, w := tensor.Shape{draw("images", 1, 3), groups * channels}, tensor.Shape{groups * filters, channels}
	var kernel, strides, dilations, begin, end []int
	for range draw("axes", 1, 2) {
		k, d := draw("kernel", 1, 3), draw("dilation", 1, 2)
		b, e := draw("begin", 0, 3), draw("end", 0, 2)
		span := d*(k-1) + 1
		x, w = append(x, draw("extent", max(1, span-b-e), span+8)), append(w, k)
		kernel, strides, dilations = append(kernel, k), append(strides, draw("stride", 1, 3)), append(dilations, d)
		begin, end = append(begin, b), append(end, e)
	}
	attrs := func(name string, shape tensor.Shape) graph.Attrs {
		a := graph.Attrs{"kernel_shape": graph.L(kernel...), "strides": graph.L(strides...), "dilations": graph.L(dilations...),
			"pads": graph.L(append(begin[:len(begin):len(begin)], end...)...), "group": graph.I(groups)}
		if name != "" {
			a[name] = graph.L(shape...)
		}
		return a
	}
	b := graph.NewBuilder("conv")
	in, weight := b.Feed("x", tensor.T(tensor.F32, x...)), b.Feed("w", tensor.T(tensor.F32, w...))
	bias := b.Feed("b", tensor.T(tensor.F32, w[0]))
	y := b.Op("Relu", nil, b.Op("Conv", attrs("", nil), in, weight, bias))
	dy := b.Feed("dy", y.Type)
	b.Fetch(y, b.Op("ConvInputGrad", attrs("input_shape", x), dy, weight), b.Op("ConvWeightGrad", attrs("weight_shape", w), in, dy))
	p, err := b.Program()
	if err != nil {
		panic(err)
	}
	return p
}

// Convolutions of any geometry are the reference's to the last bit, where no
// sum is rounded.
func TestConvolutionsOfAnyGeometry(t *testing.T) {
	for _, i := range isa.Available() {
		t.Run(i.String(), func(t *testing.T) {
			s := open(t, backends.SessionConfig{Guards: true, Threads: 2, Options: map[string]string{"isa": i.String()}})
			rapid.Check(t, func(t *rapid.T) { checkExactly(t, s, drawConv(t)) })
		})
	}
}

// checkExactly runs a program of integers and compares all fetches.
func checkExactly(t require.TestingT, s *session, p *graph.Program) {
	g, err := p.Infer()
	require.NoError(t, err)
	buf, err := backends.NewBuffers(g, func(string) int { return 1 }, private)
	require.NoError(t, err)
	require.NoError(t, s.Map(ctx, buf.Region))
	e, err := compile(s, p, buf.Bindings, false)
	require.NoError(t, err)
	env := map[string]*reference.Array{}
	for k, f := range p.Feeds {
		x := tensor.FillSeeded(tensor.New(f.Type.DType, f.Type.Shape...), tensor.Fill{Kind: tensor.Integers, Lo: -4, Hi: 4}, 7, uint32(k))
		copy(buf.At(f.Name, 0), x.Data)
		env[f.Name] = reference.FromTensor(x)
	}
	_, err = e.Run(ctx, backends.RunRequest{Steps: 2}) // the second step meets what the first left
	require.NoError(t, err)
	_, err = reference.Eval(g, env, reference.Mode{})
	require.NoError(t, err)
	for _, f := range p.Fetches {
		got := f32(buf.At(f, 0))
		for j, want := range env[f].Data {
			if math.Abs(float64(got[j])-want) != 0 {
				require.Fail(t, "wrong", "%s", fmt.Sprintf("%s[%d] of %v is %v, want %v", f, j, g.Types[f], got[j], want))
			}
		}
	}
	require.NoError(t, e.Close())
	require.NoError(t, s.Unmap(ctx, buf.Region.ID))
}
