package mutate

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

const fixture = "github.com/clsbench/clsbench/conformance/faults/mutate/testdata/fixture"

func TestEveryMutantIsAnotherProgram(t *testing.T) {
	p, err := Load(".", fixture, nil)
	require.NoError(t, err)
	var changes []string
	for _, m := range p.Mutants {
		changes = append(changes, m.Func+" "+m.Change)
	}
	require.Equal(t, []string{
		"sum + → -", "sum * → +", "sum 2 → 2 + 1",
		"mean 0.0 → 0.0 + 1", "mean 0 → 0 + 1", "mean < → <=", "mean < → >=", "mean - → +", "mean / → *", "mean 0.5 → 0.5 + 1",
		"side >= → >", "side >= → <",
	}, changes)

	dir := t.TempDir()
	binary, err := Build(dir, fixture, p.Overlay)
	require.NoError(t, err)
	run := func(id int) string {
		cmd := exec.Command(binary)
		cmd.Env = append(os.Environ(), VariableOf(fixture)+"="+fmt.Sprint(id))
		out, _ := cmd.CombinedOutput() // some mutants panic
		return string(out)
	}
	want := run(0)
	require.Equal(t, "19 5.5 leftover right leftover\n", want)
	seen := map[string]bool{}
	for _, m := range p.Mutants {
		require.NotEqual(t, want, run(m.ID), m)
		require.False(t, seen[m.Key()], m.Key())
		seen[m.Key()] = true
	}
}

func TestSkippedFunctionsStay(t *testing.T) {
	p, err := Load(".", fixture, func(_, function string) bool { return function != "side" })
	require.NoError(t, err)
	require.Len(t, p.Mutants, 2)
	_, err = Load(".", fixture, func(string, string) bool { return true })
	require.ErrorContains(t, err, "nothing to mutate")
	_, err = Load(".", fixture+"/none", nil)
	require.Error(t, err)
}
