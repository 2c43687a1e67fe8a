package peak

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
)

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
		sound(t, FMA(i, 1), name, "GFLOP/s", 1)
	}
	sound(t, Read(2), "read", "GB/s", 2)
	sound(t, Copy(1), "copy", "GB/s", 1)
}

// Two scalar multiplications and two additions a cycle are the most that
// processors do, 1 TB/s is more than any two cores read: beyond, a probe has
// counted work that it did not do.
func TestProbesCountWhatTheyDo(t *testing.T) {
	require.Less(t, FMA(isa.Generic, 1).Value, 32.0)
	require.Less(t, Read(1).Value, 1000.0)
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
				b.Logf("%+v", FMA(i, threads))
			}
			b.Logf("%+v", Read(threads))
			b.Logf("%+v", Copy(threads))
		}
	}
}
