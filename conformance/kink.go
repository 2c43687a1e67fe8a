package conformance

import (
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Programs that compare numbers jump: at a ReLU's zero the gradient does, at
// two equal maxima the index. Where an element lies nearer to a jump than legal
// implementations differ, each of two answers is right, so such data are drawn
// anew. The table below says where the jumps of an op are.

// kink is a value of the program to be kept off the jumps of a call.
type kink struct {
	value string
	// distance is how far each element is from a jump; +Inf where it can't
	// reach one.
	distance func(x *reference.Array) []float64
}

// jumping are the ops whose outputs jump; without one of them in a program its
// kinks do not matter, since ReLU and maxima are continuous.
var jumping = map[string]bool{"ReluGrad": true, "MaxPoolGrad": true, "Equal": true, "Less": true, "LessOrEqual": true,
	"Greater": true, "GreaterOrEqual": true, "Sign": true, "Floor": true, "Ceil": true, "Round": true, "QuantizeLinear": true}

// kinkOf finds the kinks of a call, by op.
var kinkOf = map[string]func(g *graph.Graph, c *graph.Call) []kink{
	"Relu": kinksAtZero, "LeakyRelu": kinksAtZero, "PRelu": kinksAtZero, "Elu": kinksAtZero, "Selu": kinksAtZero, "Celu": kinksAtZero,
	"Abs": kinksAtZero, "Sign": kinksAtZero,
	"ThresholdedRelu": func(_ *graph.Graph, c *graph.Call) []kink { return kinksAt(c, c.Float("alpha")) },
	"HardSigmoid": func(_ *graph.Graph, c *graph.Call) []kink {
		alpha, beta := c.Float("alpha"), c.Float("beta")
		return kinksAt(c, -beta/alpha, (1-beta)/alpha)
	},
	"HardSwish": func(_ *graph.Graph, c *graph.Call) []kink { return kinksAt(c, -3, 3) },
	"Clip": func(g *graph.Graph, c *graph.Call) []kink {
		var bounds []float64
		for _, k := range g.Consts {
			if slices.Contains(c.Inputs[1:], k.Name) {
				bounds = append(bounds, k.Tensor.Float64s()...)
			}
		}
		return kinksAt(c, bounds...)
	},
	"MaxPool": func(_ *graph.Graph, c *graph.Call) []kink {
		win, err := c.PoolWindow()
		if err != nil {
			return nil
		}
		return []kink{{c.Inputs[0], func(x *reference.Array) []float64 { return poolGaps(x, win) }}}
	},
}

func kinksAtZero(_ *graph.Graph, c *graph.Call) []kink {
	return []kink{{c.Inputs[0], func(x *reference.Array) []float64 { return awayFromZero(x.Data) }}}
}

// kinksAt are those of a call whose derivative by its first input jumps where
// that is one of some numbers.
func kinksAt(c *graph.Call, at ...float64) []kink {
	return []kink{{c.Inputs[0], func(x *reference.Array) []float64 {
		d := make([]float64, len(x.Data))
		for i, v := range x.Data {
			d[i] = math.Inf(1)
			for _, k := range at {
				d[i] = min(d[i], math.Abs(v-k))
			}
		}
		return d
	}}}
}

// kinks lists the values to watch in a program; none if nothing in it jumps.
func kinks(g *graph.Graph) []kink {
	var list []kink
	jumps, ties := false, !loose(g)
	read := map[string]bool{}
	for _, out := range outputsOf(g) {
		read[out.value] = true
	}
	for i := len(g.Calls) - 1; i >= 0; i-- {
		c := &g.Calls[i]
		jumps = jumps || jumping[c.Op.Name] && (ties || !isQuantizer(c)) || (c.Op.Name == "MaxPool" && c.Wants(1) && read[c.Outputs[1]])
		for _, in := range c.Inputs {
			read[in] = true
		}
		if c.Op.Name == "QuantizeLinear" && ties {
			list = append(list, quantizerKink(g, c)...)
		}
		if f := kinkOf[c.Op.Name]; f != nil && c.In[0].DType.IsFloat() {
			list = append(list, f(g, c)...)
		}
	}
	if !jumps {
		return nil
	}
	return list
}

// atKink says whether an element of the float64 run is nearer to a jump than
// some times the largest difference between the runs of its tensor.
func (e *ensemble) atKink(runs []*run) bool {
	for k, watched := range e.watched {
		x := runs[0].watched[k]
		spread := 0.0
		for _, r := range runs[1:] {
			for i, y := range r.watched[k].Data {
				spread = max(spread, math.Abs(y-x.Data[i]))
			}
		}
		for _, d := range watched.distance(x) {
			if d <= kinkDistance*spread {
				return true
			}
		}
	}
	return false
}

// awayFromZero leaves out exact zeros: what is exactly zero in float64 is a
// sum of nothing, and zero in every implementation.
func awayFromZero(x []float64) []float64 {
	d := make([]float64, len(x))
	for i, v := range x {
		if d[i] = math.Abs(v); v == 0 {
			d[i] = math.Inf(1)
		}
	}
	return d
}

// poolGaps are the differences between the largest and the second largest
// element of each window; +Inf for exact ties, which stay ties.
func poolGaps(x *reference.Array, win *graph.Window) []float64 {
	planes := x.Shape[0] * x.Shape[1]
	inner, outer := x.Shape[2:].Elements(), 1
	for _, o := range win.Out {
		outer *= o
	}
	gaps := make([]float64, 0, planes*outer)
	taps := windowTaps(win)
	for p := range planes {
		for _, window := range taps {
			first, second := math.Inf(-1), math.Inf(-1)
			for _, i := range window {
				switch v := x.Data[p*inner+i]; {
				case v > first:
					first, second = v, first
				case v > second:
					second = v
				}
			}
			gap := first - second
			if gap == 0 || math.IsNaN(gap) {
				gap = math.Inf(1)
			}
			gaps = append(gaps, gap)
		}
	}
	return gaps
}

// windowTaps lists, for each position of a window, the flat spatial positions
// of the inputs that it meets.
func windowTaps(win *graph.Window) [][]int {
	list := [][]int{{0}}
	for axis := range win.Out {
		var longer [][]int
		for _, before := range list {
			for o := range win.Out[axis] {
				var taps []int
				for _, b := range before {
					for k := range win.Kernel[axis] {
						i := win.Start(axis, o) + k*win.Dilations[axis]
						if i >= 0 && i < win.In[axis] {
							taps = append(taps, b*win.In[axis]+i)
						}
					}
				}
				longer = append(longer, taps)
			}
		}
		list = longer
	}
	return list
}
