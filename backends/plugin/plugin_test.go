package plugin

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/null"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/faulty"
	"github.com/clsbench/clsbench/tensor"
)

var registry = Registry{"null": null.New, "reference": reference.New, "faulty": newFaulty}

// newFaulty is null with the fault that the environment names.
func newFaulty() backends.Backend { return faulty.FromEnv(null.New()) }

func TestMain(m *testing.M) {
	MaybeServe(registry)
	maybeHost()
	os.Exit(m.Run())
}

func options(t testing.TB) Options {
	dir, err := os.MkdirTemp("", "cls")
	require.NoError(t, err)
	t.Cleanup(func() {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, e := range left {
			require.Equal(t, "gate", e.Name(), "left behind")
		}
		os.RemoveAll(dir)
	})
	return Options{Registry: registry, Dir: dir}
}

func open(t testing.TB, spec string, o Options) *Plugin {
	s, err := ParseSpec(spec)
	require.NoError(t, err)
	p, err := Open(context.Background(), s, o)
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

func TestEmbeddedNull(t *testing.T) {
	p := open(t, "null:read=1", options(t))
	ctx := context.Background()
	require.True(t, p.Alive())
	require.Len(t, p.Hash(), 64)
	d, err := p.Describe(ctx)
	require.NoError(t, err)
	require.Equal(t, "null", d.Name)
	ses, err := p.Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	b := graph.NewBuilder("double")
	x := b.Feed("x", tensor.T(tensor.F32, 16))
	b.Fetch(b.Op("Add", nil, x, x))
	prog, err := b.Program()
	require.NoError(t, err)
	bound, err := backends.CompileBound(ctx, ses, prog, func(string) int { return 4 }, nil)
	require.NoError(t, err)
	s, err := bound.Run(ctx, backends.RunRequest{Steps: 50})
	require.NoError(t, err)
	require.Len(t, s.Steps, 50)
	require.NoError(t, bound.Close())
	require.NoError(t, ses.Close())
	require.NoError(t, p.Close())
	require.False(t, p.Alive())
}

// TestCommand starts a plugin that is a program of its own.
func TestCommand(t *testing.T) {
	p := open(t, "mine=exec:"+os.Args[0]+" "+serveCommand+" null", options(t))
	require.Equal(t, Unregistered, p.Kind())
	require.Equal(t, "mine", p.Spec().Label)
	d, err := p.Describe(context.Background())
	require.NoError(t, err)
	require.Equal(t, "null", d.Name)
	require.NotEqual(t, open(t, "null", options(t)).Hash(), p.Hash())
}

func TestOverhead(t *testing.T) {
	d, err := Overhead(context.Background(), options(t), 20)
	require.NoError(t, err)
	require.Positive(t, d)
}
