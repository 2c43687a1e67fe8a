package conformance

import (
	"bytes"
	"encoding/gob"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads"
)

// Which goldens to write anew, by file name, and for how many seeds: `make
// goldens`, which takes an hour of two cores.
var (
	writeGoldens = flag.String("goldens", "", "write the goldens whose names match")
	seedsWritten = flag.Uint64("goldens-seeds", 1, "seeds of each that are written")
)

// goldenModes are the programs that are checked in, of every network but LeNet,
// whose reference takes a moment.
var goldenModes = []string{"inference", "training"}

func encode(t *testing.T, g *Golden) []byte {
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(g))
	return b.Bytes()
}

func TestWriteGoldens(t *testing.T) {
	if *writeGoldens == "" {
		t.Skip("-goldens REGEXP writes them")
	}
	match := regexp.MustCompile(*writeGoldens)
	for _, w := range workloads.All() {
		for _, mode := range goldenModes {
			for seed := range *seedsWritten {
				name := goldenName(w.String(), mode, seed)
				if w.Name == "lenet5" || !match.MatchString(name) {
					continue
				}
				start := time.Now()
				g, err := MakeGolden(w, mode, seed)
				require.NoError(t, err, name)
				b := encode(t, g)
				require.NoError(t, os.WriteFile(filepath.Join("goldens", name), b, 0o644))
				t.Logf("%s: %d bytes, %v, either side %+v", name, len(b), time.Since(start), g.Sets[0].EitherSide)
			}
		}
	}
}

// What is checked in is of the programs as they are; of networks whose weights
// take a moment to draw, inference too.
func TestGoldensAreOfTodaysPrograms(t *testing.T) {
	const quicklyDrawn = 1 << 20
	found := 0
	for _, w := range workloads.All() {
		for _, mode := range goldenModes {
			if mode == "inference" && w.Parameters() > quicklyDrawn {
				continue
			}
			for range goldenSeeds()[w.String()+"-"+mode] {
				g, p, err := FindGolden(w, mode, 0)
				require.NoError(t, err)
				require.NotNil(t, g, "%s %s has changed since its golden was made: make goldens writes it anew", w, mode)
				require.Equal(t, mode == "training", len(p.Updates) > 0)
				found++
			}
		}
	}
	require.GreaterOrEqual(t, found, 10)
}

func TestTheSmallestGoldenIsCurrent(t *testing.T) {
	w, err := workloads.Lookup("mobilenetv3-small-0.35")
	require.NoError(t, err)
	for _, mode := range goldenModes {
		g, err := MakeGolden(w, mode, 0)
		require.NoError(t, err)
		want, err := os.ReadFile(filepath.Join("goldens", goldenName(w.String(), mode, 0)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, encode(t, g)), "%s: make goldens writes it anew", mode)
	}
}

func TestViews(t *testing.T) {
	x := make([]float64, 10_000)
	for i := range x {
		x[i] = float64(i%7) - 3
	}
	y := view(x, 3)
	require.Len(t, y, viewSize(len(x)))
	require.Equal(t, []float64{x[0], x[len(x)-1]}, y[:2])
	require.Equal(t, y, view(x, 3))
	require.NotEqual(t, y, view(x, 4), "other places and signs")
	require.Equal(t, x[:20], view(x[:20], 3), "few are seen whole")
	for _, i := range []int{1, 17, 5000, 9998} { // one element alone is in every sum
		z := slices.Clone(x)
		z[i]++
		for s, sum := range view(z, 3)[viewElements:] {
			require.InDelta(t, 0.01, math.Abs(sum-y[viewElements+s]), 1e-9)
		}
	}
}

// cutOf is a program's only partition: all its nodes.
func cutOf(t *testing.T, name string, channels int, weight float64, kernel string) PlanCase {
	b := graph.NewBuilder(name)
	x := b.Feed(name+".x", tensor.T(tensor.F32, 1, channels, 8, 8))
	w := tensor.FillSeeded(tensor.New(tensor.F32, 8, channels, 3, 3), tensor.Fill{Lo: -weight, Hi: weight}, 1, 0)
	y := b.Op("Relu", nil, b.Op("Conv", nil, x, b.Const(name+".w", w)))
	b.Fetch(b.Op("Mul", nil, y, b.Const(name+".scale", tensor.Scalar(tensor.F32, weight))))
	p, err := b.Program()
	require.NoError(t, err)
	part := backends.Partition{Kernel: kernel}
	for _, n := range p.Nodes {
		part.Nodes = append(part.Nodes, n.Name)
	}
	cases, _, err := CasesFromPlan(p, backends.Plan{Partitions: []backends.Partition{part}})
	require.NoError(t, err)
	require.Len(t, cases, 1)
	return cases[0]
}

func TestEqualPartitionsAreJudgedOnce(t *testing.T) {
	var parts Parts
	judged := 0
	ask := func(c PlanCase, s Status) *Result {
		return parts.result(c, func() *Result {
			judged++
			return &Result{Case: c.Name(), Status: s}
		})
	}
	a := cutOf(t, "a", 32, 1, "conv")
	require.Equal(t, StatusPass, ask(a, StatusPass).Status)
	b := cutOf(t, "b", 32, 1, "conv")
	r := ask(b, StatusFail)
	require.Equal(t, 1, judged, "of other names, and of the same shapes")
	require.Equal(t, StatusPass, r.Status)
	require.Equal(t, b.Name(), r.Case)
	ask(cutOf(t, "c", 33, 1, "conv"), StatusPass)
	ask(cutOf(t, "d", 32, 1, "another"), StatusPass)
	ask(cutOf(t, "e", 32, 2, "conv"), StatusPass) // whose scale is another
	require.Equal(t, 4, judged)
	slow := cutOf(t, "f", 34, 1, "conv")
	ask(slow, StatusTimeout)
	require.Equal(t, StatusFail, ask(slow, StatusFail).Status, "no word of it before")
	require.Equal(t, StatusFail, ask(slow, StatusPass).Status, "a fault is known")
	var none *Parts
	require.Equal(t, StatusFail, none.result(a, func() *Result { return &Result{Status: StatusFail} }).Status)
}

func TestTurned(t *testing.T) {
	x := tensor.Of(tensor.F32, tensor.Shape{2, 2}, 1, 2, 3, 4)
	require.Equal(t, []float64{2, 3, 4, 1}, turned(x, 1).Float64s())
	require.Equal(t, []float64{1, 2, 3, 4}, turned(x, 4).Float64s())
	require.Equal(t, []float64{1, 2, 3, 4}, x.Float64s())
}
