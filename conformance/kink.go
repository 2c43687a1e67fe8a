package conformance

import (
	"cmp"
	"math"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Programs that compare numbers jump: at a ReLU's zero the gradient does, at
// two equal maxima the index. Where an element lies nearer to a jump than legal
// implementations differ, each of two answers is right, so such data are drawn
// anew, or, where all data have such elements, both are allowed (see sides.go).
// The table below says where the jumps of an op are.

// kink is a value of the program to be kept off the jumps of a call.
type kink struct {
	value string
	// distance is how far each site is from its jump, a site being an element
	// or a window of them; +Inf where it can't reach one.
	distance func(x *reference.Array) []float64
	// put moves x to one side of the jump at a site, by no more than it takes;
	// nil where data have to keep off.
	put func(x *reference.Array, site int, up bool)
	// element is an element of a site.
	element func(site int) int
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
		return []kink{maximaOf(c, win)}
	},
}

func kinksAtZero(_ *graph.Graph, c *graph.Call) []kink {
	k := kinksAt(c, 0)[0]
	k.distance = func(x *reference.Array) []float64 { return awayFromZero(x.Data) }
	return []kink{k}
}

// kinksAt are those of a call whose derivative by its first input jumps where
// that is one of some numbers.
func kinksAt(c *graph.Call, at ...float64) []kink {
	distance := func(x *reference.Array) []float64 {
		d := make([]float64, len(x.Data))
		for i, v := range x.Data {
			d[i] = math.Inf(1)
			for _, k := range at {
				d[i] = min(d[i], math.Abs(v-k))
			}
		}
		return d
	}
	put := func(x *reference.Array, i int, up bool) {
		jump := slices.MinFunc(at, func(a, b float64) int { return cmp.Compare(math.Abs(x.Data[i]-a), math.Abs(x.Data[i]-b)) })
		switch beside := ulp(jump, c.In[0].DType); {
		case up && x.Data[i] <= jump:
			x.Data[i] = jump + beside
		case !up && x.Data[i] >= jump:
			x.Data[i] = jump - beside
		}
	}
	return []kink{{c.Inputs[0], distance, put, func(site int) int { return site }}}
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

// maxima are the windows of a pool over a value.
type maxima struct {
	inner int // elements of a plane
	taps  [][]int
}

// maximaOf are the kinks of a maximum: two elements of a window of which either
// may be the largest. Up is the first of them.
func maximaOf(c *graph.Call, win *graph.Window) kink {
	m := maxima{c.In[0].Shape[2:].Elements(), windowTaps(win)}
	put := func(x *reference.Array, site int, up bool) {
		first, second := m.largest(x, site)
		if second < 0 {
			return
		}
		if win, lose := min(first, second), max(first, second); up {
			first, second = win, lose
		} else {
			first, second = lose, win
		}
		if x.Data[first] <= x.Data[second] {
			x.Data[first] = x.Data[second] + ulp(x.Data[second], c.In[0].DType)
		}
	}
	return kink{c.Inputs[0], m.gaps, put, func(site int) int { return site / len(m.taps) * m.inner }}
}

// gaps are the differences between the largest and the second largest element
// of each window, plane by plane; +Inf for exact ties, which stay ties.
func (m maxima) gaps(x *reference.Array) []float64 {
	gaps := make([]float64, len(x.Data)/max(1, m.inner)*len(m.taps))
	for site := range gaps {
		gaps[site] = math.Inf(1)
		if first, second := m.largest(x, site); second >= 0 {
			if gap := x.Data[first] - x.Data[second]; gap > 0 {
				gaps[site] = gap
			}
		}
	}
	return gaps
}

// largest are the places of a window's largest element, the first if there are
// several, and of the largest of the others; -1 if there is none.
func (m maxima) largest(x *reference.Array, site int) (first, second int) {
	first, second = -1, -1
	plane := site / len(m.taps) * m.inner
	for _, tap := range m.taps[site%len(m.taps)] {
		i := plane + tap
		switch v := x.Data[i]; {
		case first < 0 || v > x.Data[first]:
			first, second = i, first
		case second < 0 || v > x.Data[second]:
			second = i
		}
	}
	return first, second
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
