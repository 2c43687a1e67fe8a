package beside

import (
	"math"

	"github.com/clsbench/clsbench/reference"
)

// sums are n sums under way, all of the same number of terms and in the same
// order. Terms are products of a number of the sum's own and one of all sums'.
type sums struct {
	reference.Order
	n      int
	skip   bool      // a factor of 0 adds nothing to any sum
	wide   []float64 // lanes × n: the lanes
	narrow []float32 // in place of wide if Single
	used   int       // lanes that have had terms
	at     int       // lane of the next terms
	left   int       // terms until the next lane
	wait   []terms   // of an order that goes backwards
}

// terms are one term of every sum: x times a number each, or a and b number by
// number.
type terms struct {
	x    float64
	a, b []float64
}

func newSums(o reference.Order, n int, skip bool) *sums {
	s := &sums{Order: o, n: n, skip: skip, left: o.Run}
	if o.Single {
		s.narrow = make([]float32, o.Lanes*n)
	} else {
		s.wide = make([]float64, o.Lanes*n)
	}
	return s
}

// scaled adds x·b[j] to sum j.
func (s *sums) scaled(x float64, b []float64) { s.add(terms{x: x, b: b}) }

// products adds a[j]·b[j] to sum j.
func (s *sums) products(a, b []float64) { s.add(terms{a: a, b: b}) }

func (s *sums) add(t terms) {
	if s.Backwards {
		s.wait = append(s.wait, t)
		return
	}
	s.take(t)
}

// take adds terms to their lane.
func (s *sums) take(t terms) {
	if t.a != nil || t.x != 0 || !s.skip {
		from, to := s.at*s.n, (s.at+1)*s.n
		switch {
		case !s.Single:
			addWide(s.wide[from:to], t)
		case s.Terms:
			addRounded(s.narrow[from:to], t)
		default:
			addNarrow(s.narrow[from:to], t)
		}
	}
	s.used = max(s.used, s.at+1)
	if s.left--; s.left == 0 {
		s.left = s.Run
		if s.at++; s.at == s.Lanes {
			s.at = 0
		}
	}
}

// The three ways to add: in float64, in f32 with the product exact, and in f32
// with the product rounded first.

func addWide(sum []float64, t terms) {
	b := t.b[:len(sum)]
	if t.a == nil {
		for j := range sum {
			sum[j] += t.x * b[j]
		}
		return
	}
	a := t.a[:len(sum)]
	for j := range sum {
		sum[j] += a[j] * b[j]
	}
}

func addNarrow(sum []float32, t terms) {
	b := t.b[:len(sum)]
	if t.a == nil {
		for j := range sum {
			sum[j] = float32(float64(sum[j]) + t.x*b[j])
		}
		return
	}
	a := t.a[:len(sum)]
	for j := range sum {
		sum[j] = float32(float64(sum[j]) + a[j]*b[j])
	}
}

func addRounded(sum []float32, t terms) {
	b := t.b[:len(sum)]
	if t.a == nil {
		for j := range sum {
			sum[j] += float32(t.x * b[j])
		}
		return
	}
	a := t.a[:len(sum)]
	for j := range sum {
		sum[j] += float32(a[j] * b[j])
	}
}

// values ends the sums and starts them anew at zero.
func (s *sums) values(y []float64) {
	for i := len(s.wait) - 1; i >= 0; i-- {
		s.take(s.wait[i])
	}
	lanes := max(1, s.used)
	s.joined(y, make([]float64, lanes))
	if s.Single {
		clear(s.narrow[:lanes*s.n])
	} else {
		clear(s.wide[:lanes*s.n])
	}
	s.wait, s.used, s.at, s.left = s.wait[:0], 0, 0, s.Run
}

// joined adds up the lanes of every sum, of which there is room for one's.
func (s *sums) joined(y, lanes []float64) {
	for j := range y {
		for l := range lanes {
			if s.Single {
				lanes[l] = float64(s.narrow[l*s.n+j])
			} else {
				lanes[l] = s.wide[l*s.n+j]
			}
		}
		if y[j] = lanes[0]; len(lanes) > 1 {
			y[j] = s.Join(lanes)
		}
	}
}

// finite says whether 0 times each is 0.
func finite(x []float64) bool {
	for _, v := range x {
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return false
		}
	}
	return true
}
