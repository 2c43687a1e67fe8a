package workloads

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/data"
)

func TestEvaluationCountsRanks(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		logits     []float32
		label      int
		top1, top5 float64
		predicted  int
	}{
		{[]float32{1, 3, 2}, 1, 1, 1, 1},
		{[]float32{1, 3, 2}, 2, 0, 1, 1},
		{[]float32{3, 3, 2}, 0, 1, 1, 0},
		{[]float32{3, 3, 2}, 1, 0, 1, 0},
		{[]float32{6, 5, 4, 3, 2, 1}, 5, 0, 0, 0},
		{[]float32{6, 5, 4, 3, 2, 1}, 4, 0, 1, 0},
		{[]float32{0, 0, 0, 0, 0, 0}, 5, 0, 0, 0},
		{[]float32{nan, 1, 2}, 2, 1, 1, 2},
		{[]float32{1, nan, 0, 0, 0}, 1, 0, 0, 0},
	} {
		r := Evaluation{Confusion: make([][]int, len(c.logits))}
		for i := range r.Confusion {
			r.Confusion[i] = make([]int, len(c.logits))
		}
		r.add(0, c.logits, c.label)
		require.Equal(t, c.top1, r.Top1, c.logits)
		require.Equal(t, c.top5, r.Top5, c.logits)
		require.Equal(t, 1, r.Confusion[c.label][c.predicted], c.logits)
	}
	r := Evaluation{Confusion: [][]int{{0, 0}, {0, 0}}}
	r.add(0, []float32{1000, 999}, 1) // would overflow without the maximum taken out
	require.InDelta(t, 1+math.Log1p(math.Exp(-1)), r.Loss, 1e-12)
}

// Whatever the batch, the padding is nobody's and every image counts once.
func TestEvaluatorMasksThePadding(t *testing.T) {
	ctx, w, set := context.Background(), tiny(), stripeSet()
	var first *Evaluation
	for _, c := range []struct{ batch, perCall int }{{1, 1}, {7, 2}, {31, 8}, {64, 1}} {
		p, err := w.Inference(c.batch, StandardOf(set), w.Init(3))
		require.NoError(t, err)
		e, err := NewEvaluator(ctx, session(t), p, c.perCall)
		require.NoError(t, err)
		r, err := e.Run(ctx, set.Test)
		require.NoError(t, err)
		again, err := e.Run(ctx, set.Test)
		require.NoError(t, err)
		require.Equal(t, r, again)
		require.NoError(t, e.Close())
		require.Equal(t, 31, r.Images)
		require.Equal(t, 1.0, r.Top5, "three classes")
		sum, right := 0, 0
		for label, row := range r.Confusion {
			for predicted, n := range row {
				sum += n
				if label == predicted {
					right += n
				}
			}
		}
		require.Equal(t, 31, sum)
		require.InDelta(t, float64(right)/31, r.Top1, 1e-12)
		if first == nil {
			first = r
		}
		require.Equal(t, first, r)
	}
}

func TestEvaluatorRefuses(t *testing.T) {
	ctx, w, set := context.Background(), tiny(), stripeSet()
	p, err := w.Inference(4, StandardOf(set), w.Init(3))
	require.NoError(t, err)
	e, err := NewEvaluator(ctx, session(t), p, 2)
	require.NoError(t, err)
	defer e.Close()
	_, err = e.Run(ctx, data.Split{})
	require.ErrorContains(t, err, "no images")
	_, err = e.Run(ctx, data.Split{Images: make([]byte, 30), Labels: make([]int64, 2)})
	require.ErrorContains(t, err, "images of 15 bytes, want 16, of 4×4×1")
	_, err = e.Run(ctx, data.Split{Images: make([]byte, 16), Labels: []int64{3}})
	require.ErrorContains(t, err, "label 3, the network has 3 classes")

	train, err := w.Training(4, StandardOf(set), recipe(), false)
	require.NoError(t, err)
	_, err = NewEvaluator(ctx, session(t), train, 2)
	require.ErrorContains(t, err, "want the feed image")
	b := graph.NewBuilder("flat")
	b.Fetch(b.Op("Cast", graph.Attrs{"to": graph.S("f32")}, b.Feed(FeedImage, tensor.T(tensor.U8, 4))))
	flat, err := b.Program()
	require.NoError(t, err)
	_, err = NewEvaluator(ctx, session(t), flat, 2)
	require.ErrorContains(t, err, "want f32 N×classes")
}
