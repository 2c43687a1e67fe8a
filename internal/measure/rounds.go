package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"
)

// Cell is one thing to measure. Measure runs it for one round and gives its figure; round counts from 0. It is never
// called twice at once, nor beside another cell's.
type Cell[T any] struct {
	Name    string
	Measure func(ctx context.Context, round int) (T, error)
}

// Series is what came of one cell.
type Series[T any] struct {
	Name    string
	Figures []T   // in the order measured
	Rounds  []int // of each figure, ascending
	// Err is why the cell stopped early; its figures until then stand. A cell that a cancelled context cut short has
	// none.
	Err error
}

// Order gives the sequence of the cells 0 … n−1 in a round.
type Order func(round, n int) []int

// Rotate starts each round one cell further: over n rounds every cell has every place once.
func Rotate(round, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (round + i) % n
	}
	return order
}

// Shuffle draws each round's order anew, the same for the same seed: no cell keeps its neighbour, whose leftovers in
// caches and clocks it would inherit every time.
func Shuffle(seed uint64) Order {
	return func(round, n int) []int {
		return rand.New(rand.NewPCG(seed, uint64(round))).Perm(n)
	}
}

// Plan is how to run rounds.
type Plan struct {
	Rounds int
	Order  Order // nil is Rotate
	// Budget ends the rounds early: after the first, one begins only if the longest so far would still fit. 0 is none.
	Budget time.Duration
	// Done, if not nil, is called after each cell of each round, between measurements, with the cell's error if any.
	Done func(round int, cell string, err error)
}

// Ending says why rounds ended.
type Ending string

const (
	Complete  Ending = "complete"
	Spent     Ending = "budget"    // the next round would not have fitted
	Cancelled Ending = "cancelled" // by the context
	AllFailed Ending = "failed"    // no cell was left to measure
)

// Rounds measures the cells in interleaved rounds: in every round each cell once, so that whatever drifts on the machine
// drifts for all. A cell that fails, or panics, is left out from then on, and the others go on. The series are in the
// order of the cells.
func Rounds[T any](ctx context.Context, cells []Cell[T], p Plan) ([]Series[T], Ending) {
	series := make([]Series[T], len(cells))
	for i, c := range cells {
		series[i].Name = c.Name
	}
	if p.Order == nil {
		p.Order = Rotate
	}
	begin, longest := time.Now(), time.Duration(0)
	for round := range p.Rounds {
		start := time.Now()
		if p.Budget > 0 && round > 0 && start.Sub(begin)+longest > p.Budget {
			return series, Spent
		}
		if !runRound(ctx, cells, series, round, p) {
			return series, Cancelled
		}
		if allFailed(series) {
			return series, AllFailed
		}
		longest = max(longest, time.Since(start))
	}
	return series, Complete
}

// runRound measures each cell that is left once; false if the context was cancelled.
func runRound[T any](ctx context.Context, cells []Cell[T], series []Series[T], round int, p Plan) bool {
	for _, i := range p.Order(round, len(cells)) {
		s := &series[i]
		if s.Err != nil {
			continue
		}
		if ctx.Err() != nil {
			return false
		}
		figure, err := measureOnce(ctx, cells[i], round)
		if err != nil && ctx.Err() != nil {
			return false // its error is the cancellation's
		}
		if err != nil {
			s.Err = err
		} else {
			s.Figures, s.Rounds = append(s.Figures, figure), append(s.Rounds, round)
		}
		if p.Done != nil {
			p.Done(round, s.Name, err)
		}
	}
	return true
}

// measureOnce turns a panic into the cell's error: a fault in what drives one backend must not cost the others.
func measureOnce[T any](ctx context.Context, c Cell[T], round int) (figure T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: panic in round %d: %v\n%s", c.Name, round+1, r, debug.Stack())
		}
	}()
	return c.Measure(ctx, round)
}

func allFailed[T any](series []Series[T]) bool {
	for _, s := range series {
		if s.Err == nil {
			return false
		}
	}
	return len(series) > 0
}

// Paired gives the two cells' numbers of the rounds that both have, in order, as Pair wants them. number picks the
// one to compare out of a figure.
func Paired[T any](a, b Series[T], number func(T) float64) (figuresA, figuresB []float64) {
	j := 0
	for i, round := range a.Rounds {
		for j < len(b.Rounds) && b.Rounds[j] < round {
			j++
		}
		if j < len(b.Rounds) && b.Rounds[j] == round {
			figuresA = append(figuresA, number(a.Figures[i]))
			figuresB = append(figuresB, number(b.Figures[j]))
		}
	}
	return figuresA, figuresB
}
