package conformance

// covering lists points of a grid such that any two choices on different axes
// that may stand together do so in some point: most faults take one or two
// choices to show (Kuhn, Wallace and Gallo 2004), and a full product takes
// hundreds of times as many cases. It is built greedily, a point at a time
// (Cohen, Dalal, Fredman and Patton, "The AETG System", 1997). allowed judges a
// point of which some axes are still open (-1).
func covering(extents []int, allowed func(point []int) bool) [][]int {
	open := openPairs(extents, allowed)
	var points [][]int
	for len(open.order) > 0 {
		p := open.seed(len(extents))
		for axis := range p {
			if p[axis] < 0 {
				p[axis] = open.best(p, axis, extents[axis], len(points), allowed)
			}
		}
		open.cover(p)
		points = append(points, p)
	}
	return points
}

// choice is a value of an axis.
type choice struct{ axis, value int }

// pairs are pairs of choices that no point has yet.
type pairs struct {
	open  map[[2]choice]bool
	order [][2]choice // the same, in a fixed order
}

func openPairs(extents []int, allowed func([]int) bool) *pairs {
	all := &pairs{open: map[[2]choice]bool{}}
	for i := range extents {
		for j := i + 1; j < len(extents); j++ {
			for a := range extents[i] {
				for b := range extents[j] {
					pair := [2]choice{{i, a}, {j, b}}
					if p := pointOf(pair, len(extents)); allowed(p) {
						all.open[pair] = true
						all.order = append(all.order, pair)
					}
				}
			}
		}
	}
	return all
}

func pointOf(pair [2]choice, axes int) []int {
	p := make([]int, axes)
	for i := range p {
		p[i] = -1
	}
	for _, c := range pair {
		p[c.axis] = c.value
	}
	return p
}

// seed starts a point with the first pair that is open.
func (s *pairs) seed(axes int) []int { return pointOf(s.order[0], axes) }

// best is the value of an axis that closes most pairs with what the point has;
// of equals the one that comes round.
func (s *pairs) best(p []int, axis, extent, turn int, allowed func([]int) bool) int {
	best, most := 0, -1
	for k := range extent {
		v := (k + turn) % extent
		p[axis] = v
		if n := s.gain(p, axis); n > most && allowed(p) {
			best, most = v, n
		}
	}
	p[axis] = -1
	return best
}

func (s *pairs) gain(p []int, axis int) (n int) {
	for other, v := range p {
		if v >= 0 && other != axis && s.open[pairOf(choice{axis, p[axis]}, choice{other, v})] {
			n++
		}
	}
	return n
}

func pairOf(a, b choice) [2]choice {
	if a.axis > b.axis {
		a, b = b, a
	}
	return [2]choice{a, b}
}

func (s *pairs) cover(p []int) {
	left := s.order[:0]
	for _, pair := range s.order {
		if p[pair[0].axis] == pair[0].value && p[pair[1].axis] == pair[1].value {
			delete(s.open, pair)
		} else {
			left = append(left, pair)
		}
	}
	s.order = left
}
