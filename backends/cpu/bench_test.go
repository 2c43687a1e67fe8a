package cpu

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

// lenet compiles LeNet-5 for a batch, in training or inference, and fills its
// feeds.
func lenet(t testing.TB, s backends.Session, train bool, batch int) *backends.Bound {
	w, err := workloads.Lookup("lenet5")
	require.NoError(t, err)
	standard := workloads.Standard{Mean: []float64{0.13}, Std: []float64{0.31}}
	var p *graph.Program
	weights := w.Init(1)
	if train {
		p, err = w.Training(batch, standard, w.Recipes[workloads.DefaultRecipe], false)
		require.NoError(t, err)
		for name, x := range weights {
			require.NoError(t, s.Write(context.Background(), []string{name}, []*tensor.Tensor{x}))
		}
	} else {
		p, err = w.Inference(batch, standard, weights)
		require.NoError(t, err)
	}
	e := bind(t, s, p, 1)
	for _, f := range p.Feeds {
		x := tensor.New(f.Type.DType, f.Type.Shape...)
		switch f.Name {
		case workloads.FeedImage:
			tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 255}, 1, 1)
		case workloads.FeedLabel:
			tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Integers, Lo: 0, Hi: 9}, 1, 2)
		case workloads.FeedLR:
			x.SetFloat64s([]float64{0.01})
		}
		copy(e.At(f.Name, 0), x.Data)
	}
	return e
}

// BenchmarkLeNet gives images/s of steps inside one Run, as a measurement
// makes them.
func BenchmarkLeNet(b *testing.B) {
	for _, set := range isa.Available() {
		for _, threads := range []int{1, 2} {
			s := open(b, backends.SessionConfig{Threads: threads, Options: map[string]string{"isa": set.String()}})
			for _, c := range []struct {
				mode  string
				batch int
			}{{"infer", 1}, {"infer", 32}, {"train", 64}} {
				b.Run(fmt.Sprintf("%v/%s/b%d/threads=%d", set, c.mode, c.batch, threads), func(b *testing.B) {
					e := lenet(b, s, c.mode == "train", c.batch)
					defer e.Close()
					_, err := e.Run(context.Background(), backends.RunRequest{Steps: 20})
					require.NoError(b, err)
					b.ResetTimer()
					_, err = e.Run(context.Background(), backends.RunRequest{Steps: b.N})
					require.NoError(b, err)
					b.ReportMetric(float64(b.N*c.batch)/b.Elapsed().Seconds(), "images/s")
				})
			}
		}
	}
}
