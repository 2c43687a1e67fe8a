package reference

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// contact is one meeting of a sliding window with its input: in the window of
// output o, tap k lies on input i, so that on every spatial axis
//
//	i = o·stride + k·dilation − pad
//
// All three are flat positions in their spatial extents, row-major. A
// convolution, its two gradients and the pools are sums over contacts that
// share one of the three.
type contact struct{ in, out, tap int32 }

// maxContacts bounds the table below, to 3 GB.
const maxContacts = 1 << 28

// contacts lists all contacts of a window. Those of one input, output or tap
// stand in row-major order of the other two. A tap that lies on padding meets
// nothing.
func contacts(w *graph.Window) ([]contact, error) {
	if inputs, meetings := extent(w.In), extent(w.Out)*extent(w.Kernel); inputs > maxContacts || meetings > maxContacts {
		return nil, fmt.Errorf("window %v on an input of %v: more than the reference takes", tensor.Shape(w.Kernel), tensor.Shape(w.In))
	}
	list := []contact{{}}
	for axis := range w.Out {
		// Along one axis, and its product with those before.
		longer := make([]contact, 0, len(list)*w.Out[axis])
		for _, c := range list {
			for o := range w.Out[axis] {
				for k := range w.Kernel[axis] {
					i := w.Start(axis, o) + k*w.Dilations[axis]
					if i < 0 || i >= w.In[axis] {
						continue
					}
					longer = append(longer, contact{
						in:  c.in*int32(w.In[axis]) + int32(i),
						out: c.out*int32(w.Out[axis]) + int32(o),
						tap: c.tap*int32(w.Kernel[axis]) + int32(k),
					})
				}
			}
		}
		list = longer
	}
	return list, nil
}

// The three ways to group contacts.
func byIn(c contact) int32  { return c.in }
func byOut(c contact) int32 { return c.out }
func byTap(c contact) int32 { return c.tap }

// grouped sorts contacts into n lists by one of their positions; each list
// keeps their order.
func grouped(list []contact, n int, by func(contact) int32) [][]contact {
	start := make([]int, n+1)
	for _, c := range list {
		start[by(c)+1]++
	}
	for i := range n {
		start[i+1] += start[i]
	}
	sorted, next := make([]contact, len(list)), append([]int(nil), start...)
	for _, c := range list {
		sorted[next[by(c)]] = c
		next[by(c)]++
	}
	groups := make([][]contact, n)
	for i := range groups {
		groups[i] = sorted[start[i]:start[i+1]]
	}
	return groups
}

// extent is the number of elements of a spatial extent, too large or not.
func extent(spatial []int) float64 {
	n := 1.0
	for _, d := range spatial {
		n *= float64(d)
	}
	return n
}
