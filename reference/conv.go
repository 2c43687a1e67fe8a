package reference

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Shapes of this file: N images; C channels of X, M of Y, in G groups; c runs
// over the C/G channels of X that group g sees, and m over the M/G channels of
// Y that it makes. i, o and k are positions in the spatial extents of X, Y and
// W, and Σ_(i,o,k) runs over contacts (contact.go), so that padding adds no
// term.

// Conv is the cross-correlation that neural networks call convolution (LeCun,
// Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document
// Recognition", 1998, §II.A; groups: Krizhevsky, Sutskever and Hinton 2012,
// §3.5; dilation: Yu and Koltun 2016, §2):
//
//	Y[n,m,o] = B[m] + Σ_c Σ_(i,k) X[n, g·C/G + c, i] · W[m,c,k]
//
// with g = ⌊m / (M/G)⌋. X N×C×D…, W M×C/G×K…, B M or nil, Y N×M×O….
func Conv(x, w, b *Array, win *graph.Window, groups int) (Formula, error) {
	list, err := contacts(win)
	if err != nil {
		return Formula{}, err
	}
	shape := append(tensor.Shape{x.Shape[0], w.Shape[0]}, win.Out...)
	channels, perGroup := w.Shape[1], w.Shape[0]/groups
	out := shape[2:].Elements()
	at := grouped(list, out, byOut)
	xp, wp, inputs := x.planes(), w.planes(), x.Shape[1]
	return Formula{shape, func(acc *Acc, y int) float64 {
		n, m, o := y/(out*shape[1]), y/out%shape[1], y%out
		g := m / perGroup
		s := acc.New()
		for c := range channels {
			xs, ws := xp.at(n*inputs+g*channels+c), wp.at(m*channels+c)
			for _, t := range at[o] {
				s = s.Plus(xs[t.in] * ws[t.tap])
			}
		}
		if b == nil {
			return s.Value()
		}
		return s.Value() + b.Data[m]
	}}, nil
}

// ConvInputGrad is the gradient of Conv's X: every output that a pixel went
// into sends its gradient back through the same weight.
//
//	dX[n, g·C/G + c, i] = Σ_m Σ_(o,k) dY[n, g·M/G + m, o] · W[g·M/G + m, c, k]
//
// dY N×M×O…, W M×C/G×K…, dX N×C×D….
func ConvInputGrad(dy, w *Array, win *graph.Window, groups int) (Formula, error) {
	list, err := contacts(win)
	if err != nil {
		return Formula{}, err
	}
	shape := append(tensor.Shape{dy.Shape[0], w.Shape[1] * groups}, win.In...)
	channels, perGroup := w.Shape[1], w.Shape[0]/groups
	in := shape[2:].Elements()
	at := grouped(list, in, byIn)
	dyp, wp, outputs := dy.planes(), w.planes(), w.Shape[0]
	return Formula{shape, func(acc *Acc, x int) float64 {
		n, ch, i := x/(in*shape[1]), x/in%shape[1], x%in
		g, c := ch/channels, ch%channels
		s := acc.New()
		for m := g * perGroup; m < (g+1)*perGroup; m++ {
			dys, ws := dyp.at(n*outputs+m), wp.at(m*channels+c)
			for _, t := range at[i] {
				s = s.Plus(dys[t.out] * ws[t.tap])
			}
		}
		return s.Value()
	}}, nil
}

// ConvWeightGrad is the gradient of Conv's W: a weight gathers from every
// place that it was applied to.
//
//	dW[m,c,k] = Σ_n Σ_(i,o) X[n, g·C/G + c, i] · dY[n,m,o], g = ⌊m / (M/G)⌋
//
// X N×C×D…, dY N×M×O…, dW M×C/G×K….
func ConvWeightGrad(x, dy *Array, win *graph.Window, groups int) (Formula, error) {
	list, err := contacts(win)
	if err != nil {
		return Formula{}, err
	}
	shape := append(tensor.Shape{dy.Shape[1], x.Shape[1] / groups}, win.Kernel...)
	channels, perGroup := shape[1], shape[0]/groups
	taps := win.Taps()
	at := grouped(list, taps, byTap)
	xp, dyp, inputs, outputs := x.planes(), dy.planes(), x.Shape[1], shape[0]
	return Formula{shape, func(acc *Acc, w int) float64 {
		m, c, k := w/(taps*channels), w/taps%channels, w%taps
		g := m / perGroup
		s := acc.New()
		for n := range x.Shape[0] {
			xs, dys := xp.at(n*inputs+g*channels+c), dyp.at(n*outputs+m)
			for _, t := range at[k] {
				s = s.Plus(xs[t.in] * dys[t.out])
			}
		}
		return s.Value()
	}}, nil
}
