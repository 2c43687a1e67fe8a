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
func checkExactly(t require.TestingT, s *session, p *graph.Program) { checkWithin(t, s, p, 0) }

// checkWithin runs a program fed with integers and compares all fetches, which
// may be off by so much of the largest number that there is.
func checkWithin(t require.TestingT, s *session, p *graph.Program, tolerance float64) {
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
		got, most := f32(buf.At(f, 0)), 0.0
		for _, want := range env[f].Data {
			most = max(most, math.Abs(want))
		}
		for j, want := range env[f].Data {
			if !(math.Abs(float64(got[j])-want) <= tolerance*most) {
				require.Fail(t, "wrong", "%s", fmt.Sprintf("%s[%d] of %v is %v, want %v", f, j, g.Types[f], got[j], want))
			}
		}
	}
	require.NoError(t, e.Close())
	require.NoError(t, s.Unmap(ctx, buf.Region.ID))
}

// Rows of few elements are padded column by column, across the blocks that a
// chain is cut into; axes that are gone through as one are one.
func TestMovementOfManyShortRows(t *testing.T) {
	s := open(t, backends.SessionConfig{Guards: true, Threads: 2})
	for _, c := range []struct{ have, begin, end int }{{1, 0, 1}, {1, 1, 0}, {1, 2, 2}, {2, 0, 0}, {3, 1, 3}, {4, 3, 0}, {4, -1, 2}, {7, 2, 1}} {
		checkExactly(t, s, build(t, func(b *graph.Builder) {
			x := b.Feed("x", tensor.T(tensor.F32, 37, 301, c.have))
			b.Fetch(b.Op("Pad", graph.Attrs{"pads": graph.L(0, 0, c.begin, 0, 0, c.end), "value": graph.F(-3)}, x))
			thin := b.Feed("thin", tensor.T(tensor.F32, 5, 7, 1, 1))
			b.Fetch(b.Op("Expand", graph.Attrs{"shape": graph.L(5, 7, 3, 2)}, thin))
			b.Fetch(b.Op("Slice", graph.Attrs{"axes": graph.L(0, 1), "starts": graph.L(3, 5), "ends": graph.L(40, 301), "steps": graph.L(3, 2)}, x))
		}))
	}
}

// The gradients of a batch norm are the reference's, with or without dX.
func TestBatchNormGradients(t *testing.T) {
	s := open(t, backends.SessionConfig{Guards: true, Threads: 2})
	for _, wanted := range [][]int{{0, 1, 2}, {1, 2}, {0}, {2}} {
		p := build(t, func(b *graph.Builder) {
			x, dy := b.Feed("x", tensor.T(tensor.F32, 9, 5, 13, 7)), b.Feed("dy", tensor.T(tensor.F32, 9, 5, 13, 7))
			scale, mean, inv := b.Feed("scale", tensor.T(tensor.F32, 5)), b.Feed("mean", tensor.T(tensor.F32, 5)), b.Feed("inv", tensor.T(tensor.F32, 5))
			grads := b.OpN("BatchNormalizationGrad", nil, 3, dy, x, scale, mean, inv)
			for _, k := range wanted {
				b.Fetch(grads[k])
			}
		})
		checkWithin(t, s, p, 1e-4)
	}
}
