package onnx

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/tensor"
)

// trainer is a small program with everything that a program can have: both
// domains, folded attributes, state, updates, an origin.
func trainer(t testing.TB) *graph.Program {
	b := graph.NewBuilder("trainer")
	image := b.Feed("image", tensor.T(tensor.U8, 2, 6, 6, 1))
	label := b.Feed("label", tensor.T(tensor.S64, 2))
	lr := b.Feed("lr", tensor.T(tensor.F32))
	w := b.State("conv.weight", tensor.T(tensor.F32, 3, 1, 3, 3))
	v := b.State("conv.weight.velocity", w.Type)
	x := b.Op("Cast", graph.Attrs{"to": graph.S("f32")}, image)
	x = b.Op("Transpose", graph.Attrs{"perm": graph.L(0, 3, 1, 2)}, x)
	x = b.Op("Mul", nil, x, b.Const("scale", tensor.Scalar(tensor.F32, 1.0/255)))
	x = b.Op("Relu", nil, b.Op("Conv", nil, x, w))
	x = b.Op("MaxPool", graph.Attrs{"kernel_shape": graph.L(2, 2), "strides": graph.L(2, 2)}, x)
	x = b.Op("ReduceMean", graph.Attrs{"axes": graph.L(2, 3), "keepdims": graph.I(0)}, x)
	loss := b.Op("SoftmaxCrossEntropy", nil, x, label)
	b.SetOrigin(loss, "SGD")
	grads, err := autodiff.Gradients(b, loss, []graph.Value{w})
	require.NoError(t, err)
	next := b.OpN("SGD", graph.Attrs{"momentum": graph.F(0.9)}, 2, w, grads[0], v, lr)
	b.Update(w, next[0])
	b.Update(v, next[1])
	b.Fetch(loss)
	p, err := b.Program()
	require.NoError(t, err)
	return p
}

// requireSame compares programs, taking empty and nil lists as one.
func requireSame(t require.TestingT, want, got *graph.Program) {
	require.Equal(t, plain(want), plain(got))
}

func plain(p *graph.Program) *graph.Program {
	c := p.Clone()
	shape := func(s tensor.Shape) tensor.Shape { return append(tensor.Shape{}, s...) }
	for i := range c.Feeds {
		c.Feeds[i].Type.Shape = shape(c.Feeds[i].Type.Shape)
	}
	for i := range c.State {
		c.State[i].Type.Shape = shape(c.State[i].Type.Shape)
	}
	for i := range c.Consts {
		x := *c.Consts[i].Tensor
		x.Shape = shape(x.Shape)
		c.Consts[i].Tensor = &x
	}
	for i := range c.Nodes {
		attrs := graph.Attrs{}
		for k, a := range c.Nodes[i].Attrs {
			a.Ints, a.Floats = append([]int64{}, a.Ints...), append([]float32{}, a.Floats...)
			attrs[k] = a
		}
		c.Nodes[i].Attrs = attrs
	}
	return &c
}

func TestRoundTripKeepsEverything(t *testing.T) {
	p := trainer(t)
	b, err := Marshal(p)
	require.NoError(t, err)
	q, err := Unmarshal(b)
	require.NoError(t, err)
	requireSame(t, p, q)
	again, err := Marshal(q)
	require.NoError(t, err)
	require.Equal(t, b, again)
}

func TestDigestSeesEveryPart(t *testing.T) {
	p := trainer(t)
	base := Digest(p)
	require.Len(t, base, 64)
	require.Equal(t, base, Digest(trainer(t)))
	for i, change := range []func(p *graph.Program){
		func(p *graph.Program) { p.Name = "other" },
		func(p *graph.Program) { p.Consts[0].Tensor = tensor.Scalar(tensor.F32, 1.0/256) },
		func(p *graph.Program) { p.Updates = p.Updates[:1] },
		func(p *graph.Program) { p.Origin = nil },
		func(p *graph.Program) { p.Origin.Optimizer = "Adam" },
		func(p *graph.Program) { p.Fetches = nil },
		func(p *graph.Program) { p.Nodes[0].Name = "first" },
		func(p *graph.Program) {
			p.Nodes[len(p.Nodes)-1].Attrs = graph.Attrs{"momentum": graph.F(0.8)}
		},
	} {
		q := trainer(t)
		change(q)
		require.NotEqual(t, base, Digest(q), "change %d", i)
	}
	require.Panics(t, func() { Digest(&graph.Program{Fetches: []string{"nothing"}}) })
}

func TestExternalDataRoundTrip(t *testing.T) {
	p := trainer(t)
	big := tensor.FillSeeded(tensor.New(tensor.F32, 100), tensor.Fill{Kind: tensor.Uniform, Lo: -1, Hi: 1}, 1, 0)
	p.Consts = append(p.Consts, graph.Const{Name: "big", Tensor: big})
	b, err := Marshal(p, WithExternal(func(c graph.Const) (string, int64, bool) { return "region", 64, c.Name == "big" }))
	require.NoError(t, err)

	var asked string
	q, err := Unmarshal(b, WithResolver(func(location string, offset, length int64) ([]byte, error) {
		asked = fmt.Sprintln(location, offset, length)
		return big.Data, nil
	}))
	require.NoError(t, err)
	require.Equal(t, "region 64 400\n", asked)
	requireSame(t, p, q)
	require.Same(t, &big.Data[0], &q.Consts[len(q.Consts)-1].Tensor.Data[0], "aligned data is used in place")

	_, err = Unmarshal(b)
	require.ErrorContains(t, err, `"region"`)
	_, err = Unmarshal(b, WithResolver(func(string, int64, int64) ([]byte, error) { return big.Data[:8], nil }))
	require.ErrorContains(t, err, "8 bytes")
	_, err = Unmarshal(b, WithResolver(func(string, int64, int64) ([]byte, error) { return nil, fmt.Errorf("gone") }))
	require.ErrorContains(t, err, "gone")
}
