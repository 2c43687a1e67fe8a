package faults

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/reference"
)

// registry has the rig, and every proxy before it, as processes.
var registry = func() plugin.Registry {
	r := plugin.Registry{"rig": func() backends.Backend { return &Rig{Mode: reference.Mode{Round: true}} }}
	for _, f := range proxyFaults {
		r[f.Name] = f.Backend
	}
	return r
}()

func TestMain(m *testing.M) {
	plugin.MaybeServe(registry)
	os.Exit(m.Run())
}

// What passes in one process passes, or fails, across a process boundary too:
// the memory that a proxy corrupts there is the host's.
func TestProxiesInAProcessOfTheirOwn(t *testing.T) {
	dir, err := os.MkdirTemp("", "cls")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	cases := regexp.MustCompile(`^(MatMul/f32/(m=33,k=75,n=47|m=29.*const|m=31.*state)/structure|lenet5/f32/activation=relu,pool=average,batch=\d/inference)$`)
	cache := conformance.NewCache("")
	judge := func(name string) *conformance.Report {
		p, err := plugin.Open(ctx, plugin.Spec{Label: name, Name: name}, plugin.Options{Registry: registry, Dir: dir})
		require.NoError(t, err)
		defer p.Close()
		r, err := conformance.NewRunner(p, conformance.Options{Effort: conformance.Quick, Filter: cases, Seed: 3, Threads: 1, Cache: cache})
		require.NoError(t, err)
		rep, err := r.Run(ctx)
		require.NoError(t, err)
		require.GreaterOrEqual(t, rep.Counts().Ran(), 5)
		return rep
	}
	rep := judge("rig")
	for _, x := range rep.Failures() {
		t.Log(x.Case, x.Status, x.Why)
	}
	require.NoError(t, rep.Error())
	for _, f := range proxyFaults {
		rep := judge(f.Name)
		require.Error(t, rep.Error(), f.Name)
		for _, x := range rep.Failures() {
			require.Equal(t, conformance.StatusFail, x.Status, "%s: %s", f.Name, x.Why)
		}
	}
}
