package conformance

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/tensor"
)

func TestDistanceOfOutlines(t *testing.T) {
	of := func(marks map[string]string, shapes ...tensor.Shape) outline { return outline{shapes, marks} }
	x := tensor.Shape{4, 8}
	for name, c := range map[string]struct {
		a, b outline
		want float64
	}{
		"itself":              {of(nil, x), of(nil, x), 0},
		"one extent twice":    {of(nil, x), of(nil, tensor.Shape{4, 16}), 1},
		"two extents":         {of(nil, x), of(nil, tensor.Shape{1, 6}), 2 + math.Log2(8.0/6)},
		"a rank more":         {of(nil, x), of(nil, tensor.Shape{2, 4, 8}), 1},
		"empty":               {of(nil, x), of(nil, tensor.Shape{4, 0}), 4},
		"an input more":       {of(nil, x), of(nil, x, tensor.Shape{8}), 1 + 3},
		"another attribute":   {of(map[string]string{"pads": "1", "k": "3"}, x), of(map[string]string{"pads": "0", "k": "3"}, x), 1},
		"an attribute lacked": {of(map[string]string{"pads": "1"}, x), of(nil, x), 1},
	} {
		require.InDelta(t, c.want, c.a.distance(c.b), 1e-12, name)
		require.InDelta(t, c.want, c.b.distance(c.a), 1e-12, name)
	}
}

// The nearest is measured from the smallest that fails, and may be anything but
// the largest that passes.
func TestNearestIsNotTheLargest(t *testing.T) {
	result := func(name string, s Status, m, k int) *Result {
		return &Result{Case: name, Op: "MatMul", DType: "f32", Status: s, elements: m * k, outline: outline{shapes: []tensor.Shape{{m, k}}}}
	}
	big := result("MatMul/f32/big/real", StatusFail, 64, 64)
	rep := &Report{Results: []*Result{big, result("MatMul/f32/small/real", StatusFail, 15, 9), result("MatMul/f32/huge/real", StatusPass, 512, 512),
		result("MatMul/f32/near/real", StatusPass, 14, 9), result("MatMul/f32/tiny/real", StatusPass, 1, 1),
		result("MatMul/f32/other/structure", StatusPass, 15, 9), result("MatMul/f32/gone/real", StatusCrashed, 2, 2)}}
	smallest, nearest, d := neighbours(rep, big)
	require.Equal(t, "MatMul/f32/small/real", smallest)
	require.Equal(t, "MatMul/f32/near/real", nearest)
	require.InDelta(t, math.Log2(15.0/14), d, 1e-12)
	_, nearest, _ = neighbours(&Report{Results: []*Result{big}}, big)
	require.Empty(t, nearest)
}

// Attributes and roles are seen in real cases.
func TestOutlinesOfCases(t *testing.T) {
	outlines := map[string]outline{}
	for _, c := range Cases() {
		if c.Op == "Conv" && c.Effort == Smoke {
			trial := &Trial{Case: c, Draw: Draw{Seed: 1, Case: c.dataName()}}
			require.NoError(t, trial.draw())
			outlines[c.Name()] = outlineOf(trial)
		}
	}
	require.Greater(t, len(outlines), 1)
	for a, x := range outlines {
		require.NotEmpty(t, x.shapes, a)
		require.NotEmpty(t, x.marks["input 1"], a)
		require.Contains(t, x.marks, "strides", a)
		require.Zero(t, x.distance(x), a)
	}
}
