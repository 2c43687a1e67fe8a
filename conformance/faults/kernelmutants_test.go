package faults

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/conformance/faults/mutate"
)

// kernelMutants are planted faults of the third kind: lines of cpu changed, by
// their keys, as planners and layouts go wrong. Each runs as a process.
var kernelMutants = []struct {
	key, why string
	ops      []string
}{
	{"conv.go lineAt 1: * → +", "a line of the padded image in the wrong place", []string{"Conv"}},
	{"conv.go image 1: * → +", "a group's image read from elsewhere", []string{"ConvInputGrad", "ConvWeightGrad"}},
	{"pool.go newWindowTaps 1: * → +", "a dilation added where it multiplies", []string{"MaxPool", "AveragePool"}},
	{"pool.go newWindowTaps 2: + → -", "padding behind the end not counted", []string{"AveragePool", "AveragePoolGrad"}},
	{"pool.go newWindowTaps 3: + → -", "taps on the wrong side of a line's beginning", []string{"AveragePool"}},
	{"columns.go place 1: * → +", "a line of the matrix of columns taken from elsewhere", []string{"Conv"}},
}

func TestKernelMutants(t *testing.T) {
	if *mutants == 0 {
		t.Skip("builds a plugin: CI does, and make verify")
	}
	tg := targets[slices.IndexFunc(targets, func(tg target) bool { return tg.name == "cpu" })]
	binary, list := tg.build(t)
	var extra []Fault
	for _, k := range kernelMutants {
		i := slices.IndexFunc(list, func(m mutate.Mutant) bool { return m.Key() == k.key })
		require.GreaterOrEqual(t, i, 0, "no mutant %q: its function has changed", k.key)
		m := list[i]
		extra = append(extra, Fault{Name: "cpu: " + k.key, Kind: KindMutant, Why: k.why, Ops: k.ops, Effort: conformance.Quick, Core: true,
			Backend: func() backends.Backend {
				dir, err := os.MkdirTemp("", "cls")
				require.NoError(t, err)
				p, err := plugin.Open(ctx, plugin.Spec{Label: "cpu", Name: plugin.Exec, Command: []string{binary, "cpu"}},
					plugin.Options{Dir: dir, Env: []string{mutate.VariableOf(m.Package) + "=" + fmt.Sprint(m.ID)}})
				require.NoError(t, err)
				t.Cleanup(func() { p.Close(); os.RemoveAll(dir) })
				return p
			}})
	}
	matrix, err := SelfTest(ctx, Config{Seed: 1, Extra: extra, Only: func(name string) bool {
		return slices.ContainsFunc(extra, func(f Fault) bool { return f.Name == name })
	}})
	require.NoError(t, err)
	require.NoError(t, matrix.OK(), "%v", matrix)
	t.Log("\n" + matrix.String())
}
