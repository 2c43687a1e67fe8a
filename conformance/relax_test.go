package conformance_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
)

// in are options for some cases, judged in a math mode.
func in(math, pattern string) conformance.Options {
	o := only(pattern)
	o.Label, o.Config = "reference", backends.SessionConfig{Math: math}
	return o
}

// What a mode allows passes in it, and only in it; what it does not touch is
// judged as ever.
func TestRelaxedModes(t *testing.T) {
	for _, c := range []struct{ math, pattern string }{
		{graph.TF32, "^(MatMul|Gemm)/f32/.*/(real|mantissa|structure|accumulator)"},
		{graph.TF32, "^Attention/f32/.*/real$"},
		{graph.Winograd, "^Conv(InputGrad)?/f32/.*k=3x3,s=1x1.*d=1x1.*/(real|mantissa|structure|accumulator)"},
		{graph.Winograd, "^Fused/f32/Conv,.*w=const"},
	} {
		o := in(c.math, c.pattern)
		rep := run(t, reference.New(), o)
		require.NoError(t, rep.Error(), "%v", c)
		require.Equal(t, c.math, rep.Backend.Math)
		passed := 0
		for _, r := range rep.Results {
			if r.Status == conformance.StatusPass {
				passed++
			}
		}
		require.Greater(t, passed, 3, "%v", c)
	}
	// The same numbers, judged as strict ones.
	for _, math := range []string{graph.TF32, graph.Winograd} {
		p := pretending{reference.New(), math}
		require.Error(t, run(t, p, in(graph.Strict, "^Conv/f32/.*k=3x3,s=1x1.*d=1x1")).Error(), math)
		require.NoError(t, run(t, p, in(graph.Strict, "^(Relu|Softmax)/f32")).Error(), math)
	}
}

// pretending is a backend that is in a mode whatever it is asked for.
type pretending struct {
	backends.Backend
	math string
}

func (p pretending) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	cfg.Math, cfg.Options = p.math, map[string]string{"round": "on"}
	return p.Backend.Open(ctx, cfg)
}

// What a mode leaves nothing to judge by is listed, and not required.
func TestRelaxedModesListWhatTheyCannotJudge(t *testing.T) {
	rep := run(t, reference.New(), in(graph.TF32, "^lenet5/f32/activation=(relu|tanh),pool=average,sgd,batch=4/training$"))
	require.NoError(t, rep.Error())
	require.Len(t, rep.Unsupported, 1)
	require.Equal(t, "jumps under tf32", rep.Unsupported[0].Feature)
	require.Zero(t, rep.Unsupported[0].Required)
	rep = run(t, reference.New(), in(graph.Winograd, "^ConvInteger/u8/.*k=3x3,s=1x1.*integers(-decomposed)?$"))
	require.NoError(t, rep.Error())
	require.Len(t, rep.Unsupported, 1)
	require.Contains(t, rep.Unsupported[0].Why, "exact")
}

// A layer that is judged at samples knows the mode as well.
func TestRelaxedModesOfSampledLayers(t *testing.T) {
	layers, err := conformance.LayerCases("lenet5", 2)
	require.NoError(t, err)
	s, err := pretending{reference.New(), graph.TF32}.Open(ctx, backends.SessionConfig{})
	require.NoError(t, err)
	for _, c := range layers {
		r := c.Check(ctx, s, 3, &conformance.Oracle{Math: graph.TF32}, nil)
		require.Equal(t, conformance.StatusPass, r.Status, r.Why)
		if c.Op != "Conv" && c.Op != "Gemm" {
			continue // no products: the mode leaves them as they are
		}
		require.Equal(t, conformance.StatusFail, c.Check(ctx, s, 3, &conformance.Oracle{}, nil).Status, c.Name())
	}
}

// The line that repeats a failure names the mode.
func TestReproNamesTheMathMode(t *testing.T) {
	o := in(graph.TF32, "^Conv/f32/.*c=64.*k=3x3,s=1x1.*/structure$")
	o.Out = t.TempDir()
	narrow := pretending{reference.New(), graph.Winograd}
	rep := run(t, narrow, o)
	require.Len(t, rep.Failures(), 1)
	text, err := filepath.Glob(filepath.Join(o.Out, "*", "repeat.sh"))
	require.NoError(t, err)
	require.Len(t, text, 1)
	line, err := os.ReadFile(text[0])
	require.NoError(t, err)
	require.Contains(t, string(line), " --math tf32 \"$@\"\n")
}
