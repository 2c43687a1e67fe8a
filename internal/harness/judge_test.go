package harness

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

func TestLargeProgramsAreJudgedAtASmallBatch(t *testing.T) {
	for _, c := range []struct {
		workload, mode string
		batch, want    int // 0: its own
	}{
		{"lenet5", "train", 64, 0},
		{"lenet5", "infer", 32, 0},
		{"resnet20", "infer", 1, 0},
		{"resnet20", "infer", 32, 1},
		{"resnet20", "train", 128, 2},
		{"resnet50", "infer", 1, 0}, // no batch is smaller
		{"vit-tiny", "train", 8, 2},
		{"vit-b16", "train", 8, 1},
	} {
		w, err := workloads.Lookup(c.workload)
		require.NoError(t, err)
		s := smaller(&Cell{Cell: results.Cell{Mode: c.mode, Batch: c.batch}, Workload: w})
		if c.want == 0 {
			require.Nil(t, s, c)
			continue
		}
		require.Equal(t, c.want, s.Batch, c)
	}
}

func TestOneImageOfAStep(t *testing.T) {
	b := graph.NewBuilder("twice")
	x := b.Feed("x", tensor.T(tensor.F32, 1, 2))
	b.Fetch(b.Op("Add", nil, x, x))
	p, err := b.Program()
	require.NoError(t, err)
	y := p.Fetches[0]
	step := conformance.Fetched{Name: "timed step 7",
		Before: conformance.Values{"x": tensor.Of(tensor.F32, tensor.Shape{3, 2}, 1, 2, 3, 4, 5, 6)},
		After:  conformance.Outputs{y: tensor.Of(tensor.F32, tensor.Shape{3, 2}, 2, 4, 6, 8, 10, 12)}}
	one := oneImage(step, p, 1)
	require.Equal(t, []float64{3, 4}, one.Before["x"].Float64s())
	require.Equal(t, []float64{6, 8}, one.After[y].Float64s())
	v, err := conformance.JudgeFetches(p, []conformance.Fetched{one}, conformance.Check{Seed: 1}, nil)
	require.NoError(t, err)
	require.Equal(t, conformance.Pass, v.Result)
	one.After[y].SetFloat64s([]float64{6, 9})
	v, err = conformance.JudgeFetches(p, []conformance.Fetched{one}, conformance.Check{Seed: 1}, nil)
	require.NoError(t, err)
	require.Equal(t, conformance.Fail, v.Result)
}

// What a step may save by a repeated input stays far below a step of LeNet-5.
func TestFetchingAFeed(t *testing.T) {
	require.InDelta(t, 13*150e-9, fetchFeed(784), 1e-12)
	require.InDelta(t, 32*150e-9, fetchFeed(1<<20), 1e-12)
	require.Zero(t, fetchFeed(0))
}
