package measure_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/clsbench/clsbench/internal/measure"
)

// Two cells in interleaved rounds on a machine that slows down, and the verdict on them.
func ExampleRounds() {
	speed := func(own float64) func(context.Context, int) (float64, error) {
		return func(_ context.Context, round int) (float64, error) {
			return own * (1 - 0.02*float64(round)), nil // the machine's drift is both cells'
		}
	}
	cells := []measure.Cell[float64]{{Name: "new", Measure: speed(105)}, {Name: "old", Measure: speed(100)}}
	series, ending := measure.Rounds(context.Background(), cells, measure.Plan{Rounds: measure.MinRounds(1), Order: measure.Shuffle(1)})
	a, b := measure.Paired(series[0], series[1], func(rate float64) float64 { return rate })
	rows, err := measure.Compare([]measure.Pair{{A: "new", B: "old", FiguresA: a, FiguresB: b}}, 0.02)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ending, len(a), "rounds")
	fmt.Printf("new is %s: %.2f of old, p %.4f\n", rows[0].Word, rows[0].Ratio.Median, rows[0].PHolm)
	// Output:
	// complete 10 rounds
	// new is FASTER: 1.05 of old, p 0.0020
}

func ExampleMedianOf() {
	e := measure.MedianOf([]float64{398, 402, 401, 396, 409, 405})
	fmt.Printf("%.1f, from %.0f to %.0f at %.1f %%\n", e.Median, e.Low, e.High, 100*e.Confidence)
	few := measure.MedianOf([]float64{398, 402, 401})
	fmt.Println("three rounds give an interval:", few.Bounded())
	// Output:
	// 401.5, from 396 to 409 at 96.9 %
	// three rounds give an interval: false
}

func BenchmarkLatenciesAdd(b *testing.B) {
	var l measure.Latencies
	for n := int64(0); b.Loop(); n++ {
		l.Add(100_000 + n%7919)
	}
}
