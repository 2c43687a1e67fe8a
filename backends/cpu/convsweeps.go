package cpu

import (
	"cmp"
	"slices"

	"github.com/clsbench/clsbench/graph"
)

// What a convolution or its input gradient computes of an image, cut into
// sweeps. The source of a convolution is X, that of the gradient is dY.

// sweeps is the plan for an image.
type sweeps struct {
	kinds  []kind
	list   []sweep // by their lines
	before []int   // zeros that the source needs in front, by axis
	padded []int   // its extents with all zeros
}

// kind is the taps that an output meets: where they lie in a padded plane of
// the source, from the sweep's place on, and which elements of a filter they
// are.
type kind struct{ places, taps []int32 }

// sweep is n outputs of a line, of one kind: the j-th is output first + j·step
// of the plane and meets its taps from element at + j·move of the padded plane
// on.
type sweep struct{ kind, line, first, step, n, at, move int }

// reach is how outputs meet the source along one axis: output o is of kind
// of[o] and meets the kind's taps at from[o] + shift.
type reach struct {
	of, from       []int
	kinds          []reachKind
	before, padded int
}

type reachKind struct{ taps, shifts []int }

// reachForward is that of a convolution: output o meets tap t at o·stride +
// t·dilation of X with its padding.
func reachForward(w *graph.Window, axis int) reach {
	r := reach{before: w.PadBegin[axis], padded: w.In[axis] + w.PadBegin[axis] + w.PadEnd[axis], kinds: make([]reachKind, 1)}
	for t := range w.Kernel[axis] {
		r.kinds[0].taps = append(r.kinds[0].taps, t)
		r.kinds[0].shifts = append(r.kinds[0].shifts, t*w.Dilations[axis])
	}
	for o := range w.Out[axis] {
		r.of, r.from = append(r.of, 0), append(r.from, o*w.Strides[axis])
	}
	return r
}

// reachBack is that of the input gradient: element x of dX meets tap t at
// (x + padding - t·dilation)/stride of dY, if that is whole. With strides there
// are as many kinds of elements.
func reachBack(w *graph.Window, axis int) reach {
	s, d, pad := w.Strides[axis], w.Dilations[axis], w.PadBegin[axis]
	r := reach{kinds: make([]reachKind, s)}
	low, high := 0, w.Out[axis]-1 // of dY, as it is met
	for x := range w.In[axis] {
		r.of = append(r.of, (x+pad)%s)
	}
	for k := range r.kinds {
		for t := range w.Kernel[axis] {
			if (k-t*d)%s == 0 {
				r.kinds[k].taps = append(r.kinds[k].taps, t)
				r.kinds[k].shifts = append(r.kinds[k].shifts, (k-t*d)/s)
			}
		}
	}
	for x, k := range r.of {
		for _, shift := range r.kinds[k].shifts {
			at := (x+pad)/s + shift
			low, high = min(low, at), max(high, at)
		}
	}
	r.before, r.padded = -low, high-low+1
	for x, k := range r.of {
		first := 0 // shifts count from the least
		if len(r.kinds[k].shifts) > 0 {
			first = slices.Min(r.kinds[k].shifts)
		}
		r.from = append(r.from, max(0, r.before+(x+pad)/s+first))
	}
	for _, k := range r.kinds {
		if len(k.shifts) == 0 {
			continue
		}
		first := slices.Min(k.shifts)
		for i := range k.shifts {
			k.shifts[i] -= first
		}
	}
	return r
}

// newSweeps puts the axes together. Sweeps whose outputs and places go on in
// the next line are one.
func newSweeps(w *graph.Window, of func(w *graph.Window, axis int) reach) *sweeps {
	s := &sweeps{}
	axes := make([]reach, len(w.In))
	kinds, outs := make([]int, len(axes)), make([]int, len(axes))
	for i := range axes {
		axes[i] = of(w, i)
		s.before, s.padded = append(s.before, axes[i].before), append(s.padded, axes[i].padded)
		kinds[i], outs[i] = len(axes[i].kinds), len(axes[i].of)
	}
	at := make([]int, len(axes))
	for range elements(kinds) {
		s.kinds = append(s.kinds, s.kind(w, axes, at))
		increment(at, kinds)
	}
	last := len(axes) - 1
	clear(at)
	for line := range elements(outs[:last]) {
		number, place := 0, 0
		for i := range last {
			number = number*kinds[i] + axes[i].of[at[i]]
			place = place*s.padded[i] + axes[i].from[at[i]]
		}
		s.line(line, number*kinds[last], place*s.padded[last], &axes[last])
		increment(at[:last], outs[:last])
	}
	slices.SortStableFunc(s.list, func(a, b sweep) int { return cmp.Compare(a.line, b.line) })
	return s
}

// kind puts kinds of the axes together.
func (s *sweeps) kind(w *graph.Window, axes []reach, which []int) kind {
	k := kind{places: []int32{0}, taps: []int32{0}}
	for i, r := range axes {
		var next kind
		for j := range k.places {
			for n, shift := range r.kinds[which[i]].shifts {
				next.places = append(next.places, k.places[j]*int32(s.padded[i])+int32(shift))
				next.taps = append(next.taps, k.taps[j]*int32(w.Kernel[i])+int32(r.kinds[which[i]].taps[n]))
			}
		}
		k = next
	}
	return k
}

// line adds the sweeps of a line of outputs, one of each kind that it has.
func (s *sweeps) line(line, kind, place int, r *reach) {
	for k := range r.kinds {
		first := slices.Index(r.of, k)
		if first < 0 {
			continue
		}
		x := sweep{kind: kind + k, line: line, first: line*len(r.of) + first, step: len(r.kinds), at: place + r.from[first]}
		for o := first; o < len(r.of); o += x.step {
			x.n++
		}
		if next := first + x.step; next < len(r.of) {
			x.move = r.from[next] - r.from[first]
		}
		if n := len(s.list); n > 0 && s.list[n-1].goesOn(x) {
			s.list[n-1].n += x.n
			continue
		}
		s.list = append(s.list, x)
	}
}

// sweepOutputs is how many outputs of several lines make a sweep at most.
const sweepOutputs = 128

// goesOn tells whether x is what sweep s would be if it were longer.
func (s sweep) goesOn(x sweep) bool {
	return s.n+x.n <= sweepOutputs && s.kind == x.kind && s.step == x.step && s.move == x.move && x.first == s.first+s.n*s.step && x.at == s.at+s.n*s.move
}

// most is the most outputs of a sweep.
func (s *sweeps) most() int {
	n := 0
	for _, x := range s.list {
		n = max(n, x.n)
	}
	return n
}

// sweepBlock is sweeps that together are count outputs of a plane from first on.
type sweepBlock struct {
	list         []sweep
	first, count int
}

// blocks cuts the sweeps into pieces of some outputs, if a sweep is not longer.
func (s *sweeps) blocks(pixels, outputs int) (list []sweepBlock) {
	for i := 0; i < len(s.list); {
		b := sweepBlock{first: pixels}
		end := i
		for end < len(s.list) && (end == i || b.count < outputs || s.list[end].line == s.list[end-1].line) {
			b.first = min(b.first, s.list[end].first)
			b.count += s.list[end].n
			end++
		}
		b.list = s.list[i:end]
		list, i = append(list, b), end
	}
	return list
}
