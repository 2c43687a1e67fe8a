package beside

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Shapes and letters of this file are those of reference/conv.go. Whichever
// formula, a place of the window's has its sums over channels side by side; where
// every channel is a group of its own, all channels.

// layer is the extents of a convolution.
type layer struct {
	groups, channels, perGroup int // G, C/G, M/G
	in, out, taps              int // positions
	contacts                   []contact
}

// contact says that in the window of output out, tap lies on input in.
type contact struct{ in, out, tap int32 }

func newLayer(c *graph.Call, inputs, outputs int) (*layer, error) {
	win, err := c.ConvWindow()
	if err != nil {
		return nil, err
	}
	groups := c.Int("group")
	l := &layer{groups: groups, channels: inputs / groups, perGroup: outputs / groups, contacts: []contact{{}}}
	for axis := range win.Out {
		var longer []contact
		for _, before := range l.contacts {
			for o := range win.Out[axis] {
				for k := range win.Kernel[axis] {
					if i := win.Start(axis, o) + k*win.Dilations[axis]; i >= 0 && i < win.In[axis] {
						longer = append(longer, contact{before.in*int32(win.In[axis]) + int32(i),
							before.out*int32(win.Out[axis]) + int32(o), before.tap*int32(win.Kernel[axis]) + int32(k)})
					}
				}
			}
		}
		l.contacts = longer
	}
	l.in, l.out, l.taps = product(win.In), product(win.Out), product(win.Kernel)
	return l, nil
}

func product(extents []int) int {
	n := 1
	for _, e := range extents {
		n *= e
	}
	return n
}

// depthwise says that every channel is a group of its own.
func (l *layer) depthwise() bool { return l.channels == 1 && l.perGroup == 1 && l.groups >= fewest }

// at lists the contacts of each of n positions, in their order.
func (l *layer) at(n int, position func(contact) int32) [][]contact {
	lists := make([][]contact, n)
	for _, c := range l.contacts {
		lists[position(c)] = append(lists[position(c)], c)
	}
	return lists
}

// turned are blocks of rows × columns, each transposed.
func turned(x []float64, rows, columns int) []float64 {
	y := make([]float64, len(x))
	for block := 0; block < len(x); block += rows * columns {
		from, to := x[block:][:rows*columns], y[block:][:rows*columns]
		for r := range rows {
			for c := range columns {
				to[c*rows+r] = from[r*columns+c]
			}
		}
	}
	return y
}

func conv(acc *reference.Acc, c *graph.Call, in []*reference.Array) (*reference.Array, error) {
	x, w, bias := in[0], in[1], in[2]
	l, err := newLayer(c, x.Shape[1], w.Shape[0])
	if err != nil || (l.perGroup < fewest && !l.depthwise()) {
		return nil, err
	}
	y := reference.New(c.Out[0].Shape...)
	at := l.at(l.out, func(k contact) int32 { return k.out })
	// w by group: a row for every channel and tap, of the group's outputs.
	rows := turned(w.Data, l.perGroup, l.channels*l.taps)
	wide, outputs := l.perGroup, l.perGroup*l.groups
	place := func(s *sums, n, g, o int) {
		for ch := range l.channels {
			xs := x.Data[(n*l.groups*l.channels+g*l.channels+ch)*l.in:][:l.in]
			ws := rows[(g*l.channels+ch)*l.taps*l.perGroup:]
			for _, k := range at[o] {
				s.scaled(xs[k.in], ws[int(k.tap)*l.perGroup:][:l.perGroup])
			}
		}
	}
	groups := l.groups
	if l.depthwise() {
		wide, groups = l.groups, 1
		xs, ws := turned(x.Data, l.groups, l.in), turned(w.Data, l.groups, l.taps)
		place = func(s *sums, n, _, o int) {
			for _, k := range at[o] {
				s.products(xs[(n*l.in+int(k.in))*l.groups:][:l.groups], ws[int(k.tap)*l.groups:][:l.groups])
			}
		}
	}
	l.places(acc, y, [3]int{x.Shape[0], groups, l.out}, wide, finite(w.Data), place)
	if bias != nil {
		for i := range y.Data {
			y.Data[i] += bias.Data[i/l.out%outputs]
		}
	}
	return y, nil
}

func inputGrad(acc *reference.Acc, c *graph.Call, in []*reference.Array) (*reference.Array, error) {
	dy, w := in[0], in[1]
	l, err := newLayer(c, c.Out[0].Shape[1], w.Shape[0])
	if err != nil || (l.channels < fewest && !l.depthwise()) {
		return nil, err
	}
	dx := reference.New(c.Out[0].Shape...)
	at := l.at(l.in, func(k contact) int32 { return k.in })
	// w by output: a row for every tap, of the group's channels.
	rows := turned(w.Data, l.channels, l.taps)
	wide, groups := l.channels, l.groups
	place := func(s *sums, n, g, i int) {
		for m := g * l.perGroup; m < (g+1)*l.perGroup; m++ {
			dys := dy.Data[(n*l.groups*l.perGroup+m)*l.out:][:l.out]
			ws := rows[m*l.taps*l.channels:]
			for _, k := range at[i] {
				s.scaled(dys[k.out], ws[int(k.tap)*l.channels:][:l.channels])
			}
		}
	}
	if l.depthwise() {
		wide, groups = l.groups, 1
		dys, ws := turned(dy.Data, l.groups, l.out), turned(w.Data, l.groups, l.taps)
		place = func(s *sums, n, _, i int) {
			for _, k := range at[i] {
				s.products(dys[(n*l.out+int(k.out))*l.groups:][:l.groups], ws[int(k.tap)*l.groups:][:l.groups])
			}
		}
	}
	l.places(acc, dx, [3]int{dy.Shape[0], groups, l.in}, wide, finite(w.Data), place)
	return dx, nil
}

// places evaluates sums for every place: image, group and position. wide of them
// go side by side, whose results are that many planes of y.
func (l *layer) places(acc *reference.Acc, y *reference.Array, of [3]int, wide int, skip bool, place func(s *sums, n, g, i int)) {
	groups, positions := of[1], of[2]
	acc.Parallel(of[0]*groups*positions, func(from, to int) {
		s, row := newSums(acc.Order(), wide, skip), make([]float64, wide)
		for p := from; p < to; p++ {
			block, i := p/positions, p%positions
			place(s, block/groups, block%groups, i)
			s.values(row)
			for j, v := range row {
				y.Data[(block*wide+j)*positions+i] = v
			}
		}
	})
}

func weightGrad(acc *reference.Acc, c *graph.Call, in []*reference.Array) (*reference.Array, error) {
	x, dy := in[0], in[1]
	l, err := newLayer(c, x.Shape[1], dy.Shape[1])
	if err != nil || (max(l.channels, l.perGroup) < fewest && !l.depthwise()) {
		return nil, err
	}
	images, inputs, outputs := x.Shape[0], l.groups*l.channels, l.groups*l.perGroup
	dw := reference.New(c.Out[0].Shape...)
	at := l.at(l.taps, func(k contact) int32 { return k.tap })
	// Rows of all channels at a position, of X and of dY.
	xs, dys := turned(x.Data, inputs, l.in), turned(dy.Data, outputs, l.out)
	each := func(tap int, term func(n int, k contact)) {
		for n := range images {
			for _, k := range at[tap] {
				term(n, k)
			}
		}
	}
	type plan struct {
		rows, wide int // rows of sums a tap, and how many are side by side
		skip       bool
		row        func(s *sums, r, tap int)
		index      func(r, j int) int // which channel of dW, of M × C/G
	}
	var p plan
	switch {
	case l.depthwise():
		p = plan{1, l.groups, false, func(s *sums, _, tap int) {
			each(tap, func(n int, k contact) {
				s.products(xs[(n*l.in+int(k.in))*inputs:][:inputs], dys[(n*l.out+int(k.out))*outputs:][:outputs])
			})
		}, func(_, j int) int { return j }}
	case l.perGroup >= l.channels: // a row a channel of X, the outputs of its group side by side
		p = plan{inputs, l.perGroup, finite(dys), func(s *sums, ch, tap int) {
			plane, g := x.Data[ch*l.in:], ch/l.channels
			each(tap, func(n int, k contact) {
				s.scaled(plane[n*inputs*l.in+int(k.in)], dys[(n*l.out+int(k.out))*outputs+g*l.perGroup:][:l.perGroup])
			})
		}, func(ch, j int) int { return (ch/l.channels*l.perGroup+j)*l.channels + ch%l.channels }}
	default: // a row an output, the channels of its group side by side
		p = plan{outputs, l.channels, finite(xs), func(s *sums, m, tap int) {
			plane, g := dy.Data[m*l.out:], m/l.perGroup
			each(tap, func(n int, k contact) {
				s.scaled(plane[n*outputs*l.out+int(k.out)], xs[(n*l.in+int(k.in))*inputs+g*l.channels:][:l.channels])
			})
		}, func(m, j int) int { return m*l.channels + j }}
	}
	acc.Parallel(p.rows*l.taps, func(from, to int) {
		s, row := newSums(acc.Order(), p.wide, p.skip), make([]float64, p.wide)
		for i := from; i < to; i++ {
			r, tap := i/l.taps, i%l.taps
			p.row(s, r, tap)
			s.values(row)
			for j, v := range row {
				dw.Data[p.index(r, j)*l.taps+tap] = v
			}
		}
	})
	return dw, nil
}
