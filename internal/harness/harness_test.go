package harness

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends/cpu"
	"github.com/clsbench/clsbench/backends/null"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/internal/faulty"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/machine/isa"
	"github.com/clsbench/clsbench/internal/machine/peak"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads/data"
)

var registry = plugin.Registry{"cpu": cpu.New, "null": null.New, "reference": reference.New}

// shared is a folder of all tests: caches and data.
var shared string

func TestMain(m *testing.M) {
	plugin.MaybeServe(registry)
	if len(os.Args) > 1 && os.Args[1] == "faulty" {
		faulty.Main(cpu.New(), os.Args[2:])
	}
	var err error
	if shared, err = os.MkdirTemp("", "harness"); err != nil {
		panic(err)
	}
	os.Setenv(data.CacheEnv, filepath.Join(shared, "cache"))
	os.Setenv("XDG_CACHE_HOME", filepath.Join(shared, "xdg"))
	code := m.Run()
	os.RemoveAll(shared)
	os.Exit(code)
}

// tinyData is a folder of 64 training and 32 test digits.
var tinyData = sync.OnceValues(func() (string, error) {
	set, err := data.Open(context.Background(), "digits/v1", data.Options{TrainLimit: 64, TestLimit: 32})
	if err != nil {
		return "", err
	}
	dir := filepath.Join(shared, "tiny")
	return dir, data.WriteIDX(dir, set, false)
})

// fault is this test binary as a backend with a fault.
func fault(label string, words ...string) plugin.Spec {
	return plugin.Spec{Label: label, Name: plugin.Exec, Command: append([]string{os.Args[0], "faulty"}, words...)}
}

func embedded(name string) plugin.Spec { return plugin.Spec{Label: name, Name: name} }

// options are a smoke run of one inference cell a backend.
func options(t testing.TB, specs ...plugin.Spec) *Options {
	dir, err := tinyData()
	require.NoError(t, err)
	return &Options{
		Backends: specs, Modes: []string{"infer"}, Batches: []int{1}, Effort: "smoke", Seed: 7, Data: dir, Threads: 1,
		Timeout: time.Minute, Command: []string{"clsbench", "run"}, Store: results.Store{Dir: t.TempDir()},
	}
}

// brief is an effort that claims figures, of a few milliseconds.
var brief = measure.Effort{Name: "quick", Rounds: 6, Round: 5 * time.Millisecond, WarmupCap: 50 * time.Millisecond, Figures: true}

func newPlan(t testing.TB, o *Options) *Plan {
	p, err := NewPlan(context.Background(), o, registry)
	require.NoError(t, err)
	p.known = limits()
	return p
}

// limits are the machine's, as far as rows of one thread are held against them.
var limits = sync.OnceValue(func() machine.Peaks {
	p := machine.Peaks{}
	fma, err := peak.FMA(context.Background(), isa.Best(), 1)
	if err != nil {
		panic(err)
	}
	p.Put(fma)
	p.Put(machine.Peak{Name: machine.PeakRead, Threads: 1, Value: 10, Unit: "GB/s", How: "assumed"})
	// An honest backend under the race detector hides more than an idle machine's.
	p.Put(machine.Peak{Name: machine.PeakHarness, Value: 500, Unit: "µs", How: "assumed"})
	return p
})

// record keeps what a run told of itself, and may act on it.
type record struct {
	mu       sync.Mutex
	stages   []string
	notes    []string
	finished []string
	on       func(event string) // "begin", "train: epoch 2 …", "finished: CELL"
}

func (r *record) tell(list *[]string, event string) {
	r.mu.Lock()
	*list = append(*list, event)
	r.mu.Unlock()
	if r.on != nil {
		r.on(event)
	}
}

func (r *record) Begin(machine.Info, *Plan) { r.tell(&r.stages, "begin") }
func (r *record) Peaks(machine.Peaks)       { r.tell(&r.stages, "peaks") }
func (r *record) Stage(name string, _, _ int, note string) {
	r.tell(&r.stages, name+": "+note)
}
func (r *record) Note(text string)           { r.tell(&r.notes, "note: "+text) }
func (r *record) Finished(x *results.Result) { r.tell(&r.finished, "finished: "+x.Cell) }

// carryOut runs a plan to its end and reads the document back from its file.
func carryOut(t testing.TB, p *Plan) (*results.Document, *record) {
	r := &record{}
	_, path, err := p.Run(context.Background(), nil, r)
	require.NoError(t, err)
	doc, err := results.ReadFile(path)
	require.NoError(t, err)
	requireTidy(t, p)
	return doc, r
}

// requireTidy says that a finished run has left its document and nothing else.
func requireTidy(t testing.TB, p *Plan) {
	entries, err := os.ReadDir(p.opts.Store.Dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.Equal(t, ".json", filepath.Ext(e.Name()), e.Name())
	}
}

func rowOf(t testing.TB, d *results.Document, cell string) *results.Result {
	for i := range d.Results {
		if d.Results[i].Cell == cell {
			return &d.Results[i]
		}
	}
	require.Fail(t, "no such cell", cell)
	return nil
}
