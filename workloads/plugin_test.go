package workloads

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/backends/reference"
)

var embedded = plugin.Registry{"reference": reference.New}

func TestMain(m *testing.M) {
	plugin.MaybeServe(embedded)
	os.Exit(m.Run())
}

// Training through another process and shared memory gives the same bits.
func TestTrainThroughAPlugin(t *testing.T) {
	ctx, cfg := context.Background(), config()
	cfg.Recipe.DropLast = false
	here, want := train(t, cfg, Hooks{})

	dir, err := os.MkdirTemp("", "cls") // short: a socket's path is bounded
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	spec, err := plugin.ParseSpec("reference")
	require.NoError(t, err)
	p, err := plugin.Open(ctx, spec, plugin.Options{Registry: embedded, Dir: dir})
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Open(ctx, backends.SessionConfig{Threads: 1})
	require.NoError(t, err)
	defer s.Close()
	there, err := Train(ctx, s, cfg, Hooks{})
	require.NoError(t, err)
	requireSameWeights(t, want, stateOf(t, s, cfg))
	require.Equal(t, here.Final.Confusion, there.Final.Confusion)
}
