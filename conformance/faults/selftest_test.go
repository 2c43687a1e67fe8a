package faults

import (
	"context"
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

var ctx = context.Background()

// Every fault is caught, those in core ops by two kinds of cases; every legal
// variant passes; no case believes a liar.
func TestSelfTest(t *testing.T) {
	cfg := Config{Seed: 1, Effort: conformance.Smoke} // make selftest draws fresh seeds
	if testing.Short() {
		cfg.Only = func(name string) bool { return name[0]%3 == 0 }
	}
	m, err := SelfTest(ctx, cfg)
	require.NoError(t, err)
	require.NoError(t, m.OK(), "seed %d\n%v", cfg.Seed, m)
	t.Logf("seed %d, %d cases, %.0f s\n%v", cfg.Seed, m.Cases, m.Seconds, m)
	if testing.Short() {
		return
	}
	kinds := map[Kind]int{}
	for _, f := range m.Faults {
		kinds[f.Kind]++
	}
	require.GreaterOrEqual(t, len(m.Faults), 100)
	for _, k := range []Kind{KindKernel, KindPlan, KindProxy} {
		require.GreaterOrEqual(t, kinds[k], 5, k)
	}
	require.GreaterOrEqual(t, len(m.Variants), 15)
}

// The matrix says no when something is missed.
func TestSelfTestCanFail(t *testing.T) {
	right := Fault{Name: "no-fault", Kind: KindMutant, Why: "a right backend", Ops: []string{"Neg"}, Effort: conformance.Smoke,
		Backend: func() backends.Backend { return &Rig{Mode: reference.Mode{Round: true}} }}
	m, err := SelfTest(ctx, Config{Seed: 3, Extra: []Fault{right}, Only: func(n string) bool { return n == right.Name }})
	require.NoError(t, err)
	require.ErrorContains(t, m.OK(), "no-fault")
	require.Contains(t, m.String(), "MISSED mutant  no-fault")

	m.Faults, m.Variants = nil, []VariantResult{{Name: "v", Wrong: []string{"Neg/f32"}}}
	require.ErrorContains(t, m.OK(), "Neg/f32")
	m.Variants, m.Mistrusted = nil, []string{"a case"}
	require.ErrorContains(t, m.OK(), "a case")
	m.Mistrusted, m.Cases = nil, 0
	require.ErrorContains(t, m.OK(), "no case ran")
}

func TestFaultsAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range Faults() {
		require.False(t, seen[f.Name], f.Name)
		seen[f.Name] = true
		require.NotEmpty(t, f.Why, f.Name)
		require.NotEmpty(t, f.Ops, f.Name)
	}
}

// Nobody is let off the second kind of cases in silence, a core op not at all.
func TestOneKindNeedsAReason(t *testing.T) {
	require.Panics(t, func() { Fault{Name: "f"}.once("") })
	m := &Matrix{Faults: []FaultResult{{Name: "f", Once: "only NaN shows it"}}}
	require.Contains(t, m.String(), "only NaN shows it")
	for _, f := range Faults() {
		if f.Kind == KindKernel {
			require.NotEqual(t, f.Core, f.Once != "", "%s: two kinds of cases, or a reason for one", f.Name)
		}
		if f.Once != "" {
			require.False(t, slices.ContainsFunc(graph.Ops(), func(op *graph.Op) bool { return op.Core && slices.Contains(f.Ops, op.Name) }), "%s: a core op's faults are seen by two kinds of cases", f.Name)
		}
	}
}

// liars answer through the whole contract what package conformance tries on
// the host for every case.
var liars = map[string]func(*Passage){
	"zero": func(r *Passage) { r.each(func(slot []byte, _ int64) { clear(slot) }) },
	"constant": func(r *Passage) {
		r.Steps(func(step int64) {
			for _, f := range r.Graph.Fetches {
				x := tensor.New(r.Graph.Types[f].DType, r.Graph.Types[f].Shape...)
				copy(r.Slot(f, step), tensor.FillSeeded(x, tensor.Fill{Kind: tensor.Constant, Lo: 1}, 0, 0).Data)
			}
		})
	},
	"echo": func(r *Passage) {
		if len(r.Graph.Feeds) > 0 {
			r.each(func(slot []byte, step int64) {
				in := r.Slot(r.Graph.Feeds[0].Name, step)
				for i := 0; i < len(slot) && len(in) > 0; i += len(in) {
					copy(slot[i:], in)
				}
			})
		}
	},
	"stale": func(r *Passage) {
		r.Steps(func(step int64) {
			for _, f := range r.Graph.Fetches {
				key := f + r.Graph.Types[f].String()
				if first, ok := r.Session.Seen[key].([]byte); ok {
					copy(r.Slot(f, step), first)
				} else {
					r.Session.Seen[key] = append([]byte(nil), r.Slot(f, step)...)
				}
			}
		})
	},
}

func (r *Passage) each(f func(slot []byte, step int64)) {
	r.Steps(func(step int64) {
		for _, name := range r.Graph.Fetches {
			f(r.Slot(name, step), step)
		}
	})
}

func TestLiarsAreRejectedByEveryCase(t *testing.T) {
	o := &conformance.Oracle{Cache: conformance.NewCache("")}
	var prepared []*conformance.Prepared
	var names []string
	for _, c := range conformance.Cases() {
		// One that only updates state has no answer to lie about here.
		if c.Effort == conformance.Smoke && c.Class != "trajectory" {
			prepared, names = append(prepared, c.Prepare(7, o)), append(names, c.Name())
		}
	}
	for name, lie := range liars {
		p := &Proxy{Backend: &Rig{Mode: reference.Mode{Round: true}}, Ran: lie}
		for i, c := range prepared {
			s, err := p.Open(ctx, backends.SessionConfig{}) // fresh: a stale answer is of this case
			require.NoError(t, err)
			r := c.Check(ctx, s, o, nil)
			require.Equal(t, conformance.StatusFail, r.Status, "%s is believed by %s: %s", name, names[i], r.Why)
		}
	}
}

var update = flag.Bool("update", false, "write FAULTS.md anew")

// Each listed fault is planted, and none for two of them.
func TestListedFaultsArePlanted(t *testing.T) {
	kinds := map[string]Kind{}
	for _, f := range planted() {
		kinds[f.Name] = f.Kind
	}
	list := ListedFaults()
	require.Len(t, list, 25+30, "25 that any suite should catch, 30 of real stacks")
	what, by := map[string]bool{}, map[string]string{}
	for _, l := range list {
		require.False(t, what[l.What], l.What)
		require.Contains(t, kinds, l.Fault, "%s: no such fault is planted", l.What)
		require.Empty(t, by[l.Fault], "%s stands for %s already", l.Fault, by[l.Fault])
		what[l.What], by[l.Fault] = true, l.What
	}
	for _, f := range planted() {
		require.Equal(t, by[f.Name], f.StandsFor, f.Name)
	}
	m := &Matrix{Faults: []FaultResult{(&subject{}).fault(Fault{Name: "f", StandsFor: "flipped taps"})}}
	require.Contains(t, m.String(), "stands for: flipped taps")
}

func TestFaultsTableIsCurrent(t *testing.T) {
	const file = "../FAULTS.md"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(FaultsTable()), 0o644))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, FaultsTable(), string(text), "go test ./conformance/faults -run FaultsTable -update writes it anew")
}
