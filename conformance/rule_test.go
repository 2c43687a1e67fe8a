package conformance

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

func TestGrouping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := tensor.Shape(rapid.SliceOfN(rapid.IntRange(1, 20), 0, 4).Draw(t, "shape"))
		axis := 0
		if len(s) > 0 {
			axis = rapid.IntRange(0, len(s)-1).Draw(t, "axis")
		}
		n, group := grouping(s, axis)
		count := make([]int, n)
		for i := range s.Elements() {
			count[group(i)]++
		}
		for g, c := range count {
			if n > 1 && c < minGroup {
				t.Fatalf("%v along %d: group %d of %d has %d elements", s, axis, g, n, c)
			}
		}
	})
	n, group := grouping(tensor.Shape{2, 8, 4, 4}, 1)
	require.Equal(t, 4, n, "channels of 32 elements, two and two")
	require.Equal(t, group(0), group(31))
	require.NotEqual(t, group(0), group(32))
}

// Errors of normal distribution, some independent, some the same for a whole
// group: a legal run is beyond the limit less than once in ten thousand.
func TestFalseAlarmsOfGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, independent := range []int{1, 2, 4, 16, 64, 512} {
		alarms, trials := 0, 20000/max(1, independent/8)
		for range trials {
			scale := make([]float64, max(minGroup, independent))
			for i := range scale {
				scale[i] = 0.5 + rng.Float64()
			}
			errs := func() []float64 {
				shared := make([]float64, independent)
				for i := range shared {
					shared[i] = rng.NormFloat64()
				}
				e := make([]float64, len(scale))
				for i := range e {
					e[i] = scale[i] * shared[i%independent]
				}
				return e
			}
			var runs [][]float64
			for range roundedRuns {
				runs = append(runs, errs())
			}
			var g groupErrors
			for i := range scale {
				g.add(0, runs, i)
			}
			limit := g.limit()
			for _, e := range errs() {
				if !(math.Abs(e) <= limit) {
					alarms++
					break
				}
			}
		}
		require.LessOrEqual(t, alarms, trials/5000, "%d independent errors", independent)
	}
}

func TestGroupsWithoutErrorsAndWithNaN(t *testing.T) {
	var g groupErrors
	require.Zero(t, g.limit())
	g.add(2, [][]float64{{2}, {2}}, 0)
	require.Zero(t, g.limit())
	g.add(2, [][]float64{{2, math.NaN()}, {2, 2}}, 1)
	require.True(t, math.IsNaN(g.limit()), "no demand")
}

// chain is y = relu(x·w), and optionally the gradient of its sum.
func chain(t *testing.T, gradient bool) *graph.Graph {
	b := graph.NewBuilder("chain")
	x, w := b.Feed("x", tensor.T(tensor.F32, 8, 16)), b.State("w", tensor.T(tensor.F32, 16, 16))
	pre := b.Op("MatMul", nil, x, w)
	y := b.Op("Relu", nil, pre)
	b.Fetch(y)
	if gradient {
		b.Fetch(b.Op("ReluGrad", nil, y, y))
	}
	p, err := b.Program()
	require.NoError(t, err)
	g, err := p.Infer()
	require.NoError(t, err)
	return g
}

func TestRuleAcceptsRoundingAndNoMore(t *testing.T) {
	g := chain(t, false)
	v := arraysOf(fillByUse(Draw{Seed: 4, Case: "chain"}, g, nil))
	ruled, err := newEnsemble(g, v, &Oracle{Threads: 2}).step(v, false)
	require.NoError(t, err)
	e := ruled.list[0]
	env := map[string]*reference.Array{"x": v["x"], "w": v["w"]}
	_, err = reference.Eval(g, env, reference.Mode{Round: true, Order: 99})
	require.NoError(t, err)
	got := env[g.Fetches[0]]
	require.True(t, e.judge(got.Tensor(tensor.F32), nil).OK)
	// A relative error of one in a hundred thousand is not rounding.
	for i := range got.Data {
		got.Data[i] *= 1 + 1e-5
	}
	require.False(t, e.judge(got.Tensor(tensor.F32), nil).OK)
}

func TestKinksAreFoundWhereTheyMatter(t *testing.T) {
	require.Empty(t, kinks(chain(t, false)), "a ReLU alone is continuous")
	g := chain(t, true)
	require.Len(t, kinks(g), 1)
	v := arraysOf(fillByUse(Draw{Seed: 4, Case: "chain"}, g, nil))
	e := newEnsemble(g, v, &Oracle{Threads: 1})
	_, err := e.step(v, false)
	require.NoError(t, err)
	// One row that all but cancels.
	x, w := v["x"], v["w"]
	for i := range 16 {
		x.Data[i] = 0
	}
	x.Data[0], x.Data[1] = 1, -1
	w.Data[0], w.Data[16] = 0.3, tensor.Round(0.3+1e-9, tensor.F32)
	x.Data[2], w.Data[32] = 1, tensor.Round(1e-9, tensor.F32)
	_, err = newEnsemble(g, v, &Oracle{Threads: 1}).step(v, false)
	require.ErrorIs(t, err, errKink)
}

func TestPoolGaps(t *testing.T) {
	win := &graph.Window{Kernel: []int{2}, Strides: []int{2}, Dilations: []int{1}, PadBegin: []int{0}, PadEnd: []int{0}, In: []int{6}, Out: []int{3}}
	x := &reference.Array{Shape: tensor.Shape{1, 1, 6}, Data: []float64{1, 3, 5, 5, -1, -1.5}}
	require.Equal(t, []float64{2, math.Inf(1), 0.5}, maxima{6, windowTaps(win)}.gaps(x))
}

func TestShakenKeepsWhatIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x := &reference.Array{Shape: tensor.Shape{4}, Data: []float64{1.5, 0, math.Inf(1), 1.0 / 3}}
	moved := false
	for range 100 {
		y := shaken(x, tensor.F32, 0, rng)
		require.Equal(t, x.Data[:3], y.Data[:3])
		require.InDelta(t, 1.0/3, y.Data[3], ulp(1.0/3, tensor.F32))
		moved = moved || y.Data[3] != float64(float32(1.0/3))
	}
	require.True(t, moved)
}

// The folder is looked through at the first file, and again once there is much
// more in it.
func TestCacheKeepsItsFolderSmall(t *testing.T) {
	dir := t.TempDir()
	c := NewCache(dir)
	large := func() string { // by another run, an hour ago
		path := filepath.Join(dir, "old.gob")
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		require.NoError(t, os.Truncate(path, cacheBytes))
		then := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(path, then, then))
		return path
	}
	small := &cached{Outputs: []cachedOutput{{Want: []float64{1}, Limit: []float64{2}}}}
	old := large()
	c.write("first", small)
	require.NoFileExists(t, old)
	require.FileExists(t, c.path("first"))
	large()
	c.write("second", small)
	require.FileExists(t, old, "two files are not worth a look")
	much := make([]float64, cacheSlack/8)
	for i := range much {
		much[i] = 1 / float64(3+i) // eight bytes each
	}
	c.write("third", &cached{Outputs: []cachedOutput{{Want: much, Limit: much[:1]}}})
	require.NoFileExists(t, old)
	for _, key := range []string{"first", "second", "third"} {
		require.FileExists(t, c.path(key))
	}
}

func TestCacheKeepsWhatItWasGiven(t *testing.T) {
	dir := t.TempDir()
	g := chain(t, false)
	v := arraysOf(fillByUse(Draw{Seed: 4, Case: "chain"}, g, nil))
	o := &Oracle{Threads: 1, Cache: NewCache(dir)}
	want, err := o.rule(g, v, false)
	require.NoError(t, err)
	key := o.Cache.key(g, "", v)
	again := NewCache(dir)
	got, ok := again.load(key, g)
	require.True(t, ok)
	require.Equal(t, want.list[0].want, got.list[0].want)
	require.Equal(t, want.list[0].limit, got.list[0].limit)
	v["x"].Data[0]++
	require.NotEqual(t, key, o.Cache.key(g, "", v), "other data")
	_, ok = again.load(o.Cache.key(g, "", v), g)
	require.False(t, ok)
	v["x"].Data[0]--

	// A file that was cut or changed is no file.
	path := filepath.Join(dir, key+".gob")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, spoiled := range [][]byte{data[:len(data)/2], append([]byte{data[0] ^ 1}, data[1:]...), {}} {
		require.NoError(t, os.WriteFile(path, spoiled, 0o644))
		_, ok = NewCache(dir).load(key, g)
		require.False(t, ok)
	}
	// A folder that can't be written is no reason to fail.
	o.Cache = NewCache(filepath.Join(path, "below a file"))
	_, err = o.rule(g, v, false)
	require.NoError(t, err)
}
