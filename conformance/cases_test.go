package conformance

import (
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

func TestNamesAreUniqueAndWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		name := c.Name()
		require.False(t, seen[name], "%s stands twice", name)
		seen[name] = true
		require.Len(t, strings.Split(name, "/"), 4, name)
		require.NotContains(t, name, " ", "a name is one word of a command line")
		require.NotContains(t, name, "'", name)
	}
	// Run alone, by the filter that reports give, a case is the only one.
	for _, c := range []*Case{Cases()[0], Cases()[len(Cases())-1]} {
		o := Options{Effort: Standard, Filter: regexp.MustCompile("^" + regexp.QuoteMeta(c.Name()) + "$")}
		require.Equal(t, []string{c.Name()}, o.Names())
	}
}

// A row without cases can't be judged, and one kind of cases is one blind spot.
func TestEveryRowHasCases(t *testing.T) {
	classes := map[string]map[string]bool{}
	smoke := map[string]bool{}
	for _, c := range Cases() {
		if classes[c.Op] == nil {
			classes[c.Op] = map[string]bool{}
		}
		classes[c.Op][c.Class] = true
		if c.Effort == Smoke {
			smoke[c.Op] = true
		}
	}
	for _, op := range graph.Ops() {
		require.NotEmpty(t, classes[op.Name], "op %s has no cases", op.Name)
		require.True(t, smoke[op.Name], "op %s has no case at smoke effort", op.Name)
		require.Len(t, ownBounds[op.Name], len(op.Outputs), "op %s: a bound for every output", op.Name)
		for _, b := range ownBounds[op.Name] {
			if b == dotBound {
				require.NotNil(t, terms[op.Name], "op %s: how many terms its sums have", op.Name)
			}
		}
		if op.Grad != nil && op.Name != "Cast" { // whose gradient is a Cast, judged as such
			require.Contains(t, classes[op.Name], "gradient", "op %s", op.Name)
		}
	}
	for name := range ownBounds {
		require.True(t, graph.Lookup(graph.Std, name) != nil || graph.Lookup(graph.Own, name) != nil, "%s is no op", name)
	}
}

func TestTypesOfCases(t *testing.T) {
	seen := map[tensor.DType]int{}
	for _, c := range Cases() {
		seen[c.DType]++
		_, err := ParseSuite(string(c.Suite))
		require.NoError(t, err)
	}
	for _, d := range tensor.DTypes() {
		require.Positive(t, seen[d], "%v", d)
	}
}

func TestEveryBoundHasASource(t *testing.T) {
	seen := map[string]bool{}
	listed := map[*Bound]bool{}
	for _, b := range Bounds() {
		require.False(t, seen[b.Name], b.Name)
		seen[b.Name], listed[b] = true, true
		require.NotEmpty(t, b.Formula, b.Name)
		require.NotEmpty(t, b.Source, b.Name)
		require.True(t, b.expect != nil || b == programRule, b.Name)
	}
	for op, bs := range ownBounds {
		for _, b := range bs {
			require.True(t, listed[b], "a bound of %s is not in the table", op)
		}
	}
	require.Len(t, BoundsDigest(), 16)
}

func TestDrawsAreReproducible(t *testing.T) {
	find := func(op, class string) *Case {
		for _, c := range Cases() {
			if c.Op == op && c.Class == class {
				return c
			}
		}
		t.Fatal(op, class)
		return nil
	}
	for _, c := range []*Case{find("Conv", "real"), find("lenet5", "training")} {
		p, err := c.program(Draw{Case: c.Name(), Seed: 1})
		require.NoError(t, err)
		g, err := p.Infer()
		require.NoError(t, err)
		values := func(seed uint64, set int) Values {
			v, err := c.values(Draw{Case: c.Name(), Seed: seed, Set: set}, g)
			require.NoError(t, err)
			return v
		}
		require.Equal(t, values(1, 0), values(1, 0))
		require.NotEqual(t, values(1, 0), values(1, 1), "the sets of a run differ")
		require.NotEqual(t, values(1, 0), values(2, 0), "the seeds differ")
	}
}

// testSeed keeps a change's tests on the data of the one before it; make verify
// draws fresh seeds.
const testSeed uint64 = 1

// Zeros, an echo of any input, a constant, the answer to other data: no case
// takes one for right. Quick cases are held to it in every run.
func TestEveryCaseRejectsLiars(t *testing.T) {
	seed, o := testSeed, &Oracle{Threads: 1, Cache: NewCache("")} // a case's forms have the same data
	work := make(chan *Case)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for c := range work {
				assert.Empty(t, c.Prepare(seed, o).Mistrusted(), "%s, seed %d", c.Name(), seed)
			}
		})
	}
	for _, c := range Cases() {
		if (c.Effort == Standard && !testing.Short() && c.Op != "lenet5") || c.Effort == Smoke {
			work <- c
		}
	}
	close(work)
	group.Wait()
}

// Autodiff and the reference, by central differences in float64.
func TestGradientsAgreeWithDifferences(t *testing.T) {
	n := 0
	for _, c := range Cases() {
		if _, ok := c.subject.(*gradientSubject); !ok {
			continue
		}
		if op := graph.Lookup(graph.Own, c.Op); op != nil && op.StraightThrough {
			continue
		}
		n++
		e, err := c.GradientError(3)
		require.NoError(t, err, c.Name())
		require.LessOrEqual(t, e, 1e-5, c.Name())
	}
	require.Greater(t, n, 100)
}

func TestEffortAndSuiteNames(t *testing.T) {
	for _, e := range []Effort{Smoke, Quick, Standard} {
		got, err := ParseEffort(e.String())
		require.NoError(t, err)
		require.Equal(t, e, got)
	}
	_, err := ParseEffort("publish")
	require.ErrorContains(t, err, "smoke")
	_, err = ParseSuite("vision")
	require.ErrorContains(t, err, "inference-core")
	var e Effort
	require.Error(t, e.UnmarshalText([]byte("x")))
}
