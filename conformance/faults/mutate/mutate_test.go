package mutate

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	replace := map[string]string{}
	for name, text := range p.Overlay {
		to := filepath.Join(dir, filepath.Base(name))
		require.NoError(t, os.WriteFile(to, text, 0o644))
		replace[name] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644))
	binary := filepath.Join(dir, "fixture")
	out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", binary, fixture).CombinedOutput()
	require.NoError(t, err, "%s", out)
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
