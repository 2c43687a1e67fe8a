package measure

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// recorder makes cells that note when they run.
type recorder struct{ log []string }

func (r *recorder) cell(name string, measure func(ctx context.Context, round int) (float64, error)) Cell[float64] {
	return Cell[float64]{name, func(ctx context.Context, round int) (float64, error) {
		r.log = append(r.log, name)
		return measure(ctx, round)
	}}
}

func roundNumber(_ context.Context, round int) (float64, error) { return float64(round), nil }

func TestRoundsInterleave(t *testing.T) {
	var r recorder
	series, ending := Rounds(t.Context(), []Cell[float64]{r.cell("a", roundNumber), r.cell("b", roundNumber), r.cell("c", roundNumber)}, Plan{Rounds: 3})
	require.Equal(t, Complete, ending)
	require.Equal(t, []string{"a", "b", "c", "b", "c", "a", "c", "a", "b"}, r.log, "each round starts one further")
	for i, name := range []string{"a", "b", "c"} {
		require.Equal(t, Series[float64]{Name: name, Figures: []float64{0, 1, 2}, Rounds: []int{0, 1, 2}}, series[i])
	}
}

func TestOrdersArePermutations(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, round := rapid.IntRange(0, 20).Draw(t, "n"), rapid.IntRange(0, 1000).Draw(t, "round")
		seed := rapid.Uint64().Draw(t, "seed")
		for _, order := range []Order{Rotate, Shuffle(seed)} {
			got := order(round, n)
			require.Equal(t, got, order(round, n), "the same again")
			slices.Sort(got)
			for i := range n {
				require.Equal(t, i, got[i])
			}
		}
	})
	a, b := Shuffle(1), Shuffle(2)
	require.NotEqual(t, a(0, 20), a(1, 20), "each round anew")
	require.NotEqual(t, a(0, 20), b(0, 20), "each seed anew")
}

func TestRoundsContainFailures(t *testing.T) {
	var r recorder
	boom := errors.New("out of memory")
	var told []error
	series, ending := Rounds(t.Context(), []Cell[float64]{
		r.cell("good", roundNumber),
		r.cell("fails", func(_ context.Context, round int) (float64, error) {
			if round == 2 {
				return 99, boom
			}
			return float64(round), nil
		}),
		r.cell("panics", func(_ context.Context, round int) (float64, error) {
			panic("assignment to entry in nil map")
		}),
	}, Plan{Rounds: 4, Order: Shuffle(7), Done: func(_ int, _ string, err error) {
		if err != nil {
			told = append(told, err)
		}
	}})
	require.Equal(t, Complete, ending)
	require.Equal(t, []int{0, 1, 2, 3}, series[0].Rounds)
	require.NoError(t, series[0].Err)
	require.Equal(t, []float64{0, 1}, series[1].Figures, "what it measured before stands")
	require.ErrorIs(t, series[1].Err, boom)
	require.Empty(t, series[2].Figures)
	require.ErrorContains(t, series[2].Err, "panics: panic in round 1: assignment to entry in nil map")
	require.Len(t, told, 2)
	counts := map[string]int{}
	for _, name := range r.log {
		counts[name]++
	}
	require.Equal(t, map[string]int{"good": 4, "fails": 3, "panics": 1}, counts, "a failed cell is not run again")
}

func TestRoundsEndWhenAllFailed(t *testing.T) {
	calls := 0
	fail := func(context.Context, int) (int, error) { calls++; return 0, errors.New("no") }
	_, ending := Rounds(t.Context(), []Cell[int]{{"a", fail}, {"b", fail}}, Plan{Rounds: 100})
	require.Equal(t, AllFailed, ending)
	require.Equal(t, 2, calls)
	series, ending := Rounds[int](t.Context(), nil, Plan{Rounds: 2})
	require.Equal(t, Complete, ending)
	require.Empty(t, series)
}

func TestRoundsKeepToTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, round int) (float64, error) {
			time.Sleep(time.Second)
			return 1, nil
		}
		cells := []Cell[float64]{{"a", slow}, {"b", slow}}
		begin := time.Now()
		series, ending := Rounds(t.Context(), cells, Plan{Rounds: 10, Budget: 7 * time.Second})
		require.Equal(t, Spent, ending)
		require.Len(t, series[0].Figures, 3, "three rounds of 2 s fit into 7 s, a fourth does not")
		require.Equal(t, 6*time.Second, time.Since(begin))

		series, ending = Rounds(t.Context(), cells, Plan{Rounds: 10, Budget: time.Millisecond})
		require.Equal(t, Spent, ending)
		require.Len(t, series[1].Figures, 1, "one round is always measured")
	})
}

func TestRoundsCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var r recorder
	series, ending := Rounds(ctx, []Cell[float64]{
		r.cell("a", roundNumber),
		r.cell("b", func(ctx context.Context, round int) (float64, error) {
			if round == 1 {
				cancel()
				return 0, ctx.Err()
			}
			return 1, nil
		}),
		r.cell("c", roundNumber),
	}, Plan{Rounds: 5, Order: func(_, n int) []int { return []int{0, 1, 2}[:n] }})
	require.Equal(t, Cancelled, ending)
	require.Equal(t, []string{"a", "b", "c", "a", "b"}, r.log, "nothing starts after the cancellation")
	require.Equal(t, []int{0, 1}, series[0].Rounds, "what was done is kept")
	require.Equal(t, []int{0}, series[1].Rounds)
	require.NoError(t, series[1].Err, "a cell cut short has not failed")
}

func TestPaired(t *testing.T) {
	a := Series[int]{Figures: []int{10, 11, 13, 15}, Rounds: []int{0, 1, 3, 5}}
	b := Series[int]{Figures: []int{21, 22, 23}, Rounds: []int{1, 2, 3}}
	x, y := Paired(a, b, func(n int) float64 { return float64(n) })
	require.Equal(t, []float64{11, 13}, x)
	require.Equal(t, []float64{21, 23}, y)
	x, y = Paired(a, Series[int]{}, func(n int) float64 { return float64(n) })
	require.Empty(t, x)
	require.Empty(t, y)
}
