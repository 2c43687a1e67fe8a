package cpu

import (
	"errors"

	"github.com/clsbench/clsbench/graph"
)

// Convolutions of planes of one element with windows of one: the images are
// the rows of one matrix product.

var errNotPoints = errors.New("not windows of one element on planes of one, in one group")

func takesPoints(c *graph.Call) error {
	if err := ofTypes(f32Only, 0)(c); err != nil {
		return err
	}
	g, err := newConv(c)
	if err != nil {
		return err
	}
	if g.plane != 1 || g.pixels != 1 || g.taps != 1 || g.groups != 1 || g.pads {
		return errNotPoints
	}
	return nil
}

// buildPoints: Y = X·Wᵀ.
func buildPoints(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	e := &epilogue{beta: 1, bias: b.in(c, 2), relu: len(p.calls) > 1}
	return b.product(p, product{m: g.images, n: g.filters, k: g.channels, a: b.in(c, 0), b: b.in(c, 1), transB: true, alpha: 1}, e)
}

// buildPointsInputGrad: dX = dY·W.
func buildPointsInputGrad(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	return b.product(p, product{m: g.images, n: g.channels, k: g.filters, a: b.in(c, 0), b: b.in(c, 1), alpha: 1}, &epilogue{beta: 1})
}

// buildPointsWeightGrad: dW = dYᵀ·X.
func buildPointsWeightGrad(b *builder, p *part) error {
	c := p.head()
	g, err := newConv(c)
	if err != nil {
		return err
	}
	return b.product(p, product{m: g.filters, n: g.channels, k: g.images, a: b.in(c, 1), b: b.in(c, 0), transA: true, alpha: 1}, &epilogue{beta: 1})
}
