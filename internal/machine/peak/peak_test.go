package peak

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
)

var ctx = context.Background()

func must(p machine.Peak, err error) machine.Peak {
	if err != nil {
		panic(err)
	}
	return p
}

// sound holds a probe's answer against what must be so on any machine: no
// speed is asserted.
func sound(t *testing.T, p machine.Peak, name, unit string, threads int) {
	t.Helper()
	require.Equal(t, name, p.Name)
	require.Equal(t, unit, p.Unit)
	require.Equal(t, threads, p.Threads)
	require.Len(t, p.Rounds, rounds)
	require.Greater(t, slices.Min(p.Rounds), 0.0)
	require.GreaterOrEqual(t, p.Value, slices.Min(p.Rounds))
	require.LessOrEqual(t, p.Value, slices.Max(p.Rounds))
	require.NotEmpty(t, p.How)
}

func TestProbes(t *testing.T) {
	for n, i := range isa.Available() {
		name := "fma.f32"
		if n > 0 {
			name += "." + i.String()
		}
		sound(t, must(FMA(ctx, i, 1)), name, "GFLOP/s", 1)
	}
	sound(t, must(Read(ctx, 2)), "read", "GB/s", 2)
	sound(t, must(Copy(ctx, 1)), "copy", "GB/s", 1)
}

// Two scalar multiplications and two additions a cycle are the most that
// processors do, 1 TB/s is more than any two cores read: beyond, a probe has
// counted work that it did not do.
func TestProbesCountWhatTheyDo(t *testing.T) {
	require.Less(t, must(FMA(ctx, isa.Generic, 1)).Value, 32.0)
	require.Less(t, must(Read(ctx, 1)).Value, 1000.0)
}

// A probe whose context ends stops after the call that it is in, and claims no
// figure.
func TestProbesStop(t *testing.T) {
	for _, after := range []int{1, 2, 5} { // in the warm-up, at the first call of a round, within a round
		ctx, cancel := context.WithCancel(context.Background())
		calls := 0
		p, err := probe(ctx, 1, func(int) func() float64 {
			return func() float64 {
				if calls++; calls == after {
					cancel()
				}
				return 1
			}
		})
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, machine.Peak{}, p)
		require.Equal(t, after, calls)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, probe := range map[string]func() (machine.Peak, error){
		"fma": func() (machine.Peak, error) { return FMA(ended, isa.Best(), 2) }, "read": func() (machine.Peak, error) { return Read(ended, 2) },
		"copy": func() (machine.Peak, error) { return Copy(ended, 2) },
	} {
		p, err := probe()
		require.ErrorIs(t, err, context.Canceled, name)
		require.Zero(t, p.Value, name)
		require.Empty(t, p.Rounds, name)
	}
}

func TestReadGenericReadsAll(t *testing.T) {
	b, free := allocate(4096)
	defer free()
	b[4095] = 0x80
	readGeneric(b)
	require.Equal(t, uint64(0x80)<<56, sink.Load())
}

func BenchmarkPeaks(b *testing.B) {
	for range b.N {
		for _, threads := range []int{1, 2} {
			for _, i := range isa.Available() {
				b.Logf("%+v", must(FMA(ctx, i, threads)))
			}
			b.Logf("%+v", must(Read(ctx, threads)))
			b.Logf("%+v", must(Copy(ctx, threads)))
		}
	}
}
