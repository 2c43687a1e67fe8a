package harness

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads/data"
)

// Whatever can't be meant is refused before anything starts, by the flag's
// name.
func TestPlanRefuses(t *testing.T) {
	tiny, err := tinyData()
	require.NoError(t, err)
	for _, c := range []struct {
		flag, say string
		spoil     func(*Options)
	}{
		{"mode", `"predict" is not known: want infer, train`, func(o *Options) { o.Modes = []string{"predict"} }},
		{"mode", `"infer" is named twice`, func(o *Options) { o.Modes = []string{"infer", "infer"} }},
		{"scenario", "want offline, singlestream", func(o *Options) { o.Scenario = "server" }},
		{"precision", "want f32", func(o *Options) { o.Precision = []string{"f33"} }},
		{"precision", "int8 is a precision of inference", func(o *Options) { o.Precision, o.Modes = []string{"int8"}, []string{"train"} }},
		{"quant", "add --precision f32,int8", func(o *Options) { o.Quant = []string{"dynamic"} }},
		{"quant", "want dynamic, static[:METHOD] or aware[:METHOD]", func(o *Options) { o.Precision, o.Quant = []string{"int8"}, []string{"statically"} }},
		{"quant", "would be measured twice", func(o *Options) { o.Precision, o.Quant = []string{"int8"}, []string{"static", "static:mse"} }},
		{"sensitivity", "it is of int8", func(o *Options) { o.Sensitivity = true }},
		{"effort", "want smoke, quick, standard, publish", func(o *Options) { o.Effort = "lots" }},
		{"batch", "0: want 1 to 65536", func(o *Options) { o.Batches = []int{0} }},
		{"batch", "-3: want 1 to 65536", func(o *Options) { o.Batches = []int{-3} }},
		{"batch", "65537: want", func(o *Options) { o.Batches = []int{1, 65537} }},
		{"batch", "would be measured twice", func(o *Options) { o.Batches = []int{1, 8, 1} }},
		{"threads", "-1: want", func(o *Options) { o.Threads = -1 }},
		{"threads", "1025: want 0 (all) to 1024", func(o *Options) { o.Threads = 1025 }},
		{"epochs", "-1: want", func(o *Options) { o.Epochs = -1 }},
		{"target-accuracy", "1.5: want a fraction", func(o *Options) { o.Target = 1.5 }},
		{"target-accuracy", "NaN: want a fraction", func(o *Options) { o.Target = math.NaN() }},
		{"seed", "at most 2^53", func(o *Options) { o.Seed = results.MaxSeed + 1 }},
		{"timeout", "at least 1s", func(o *Options) { o.Timeout = time.Millisecond }},
		{"memory", "want a number of MiB", func(o *Options) { o.Memory = -1 << 20 }},
		{"math", "would be measured twice", func(o *Options) { o.Math = []string{"tf32", "tf32"} }},
		{"workload", "lenet5", func(o *Options) { o.Workloads = []string{"lenet6"} }},
		{"workload", "would be measured twice", func(o *Options) { o.Workloads = []string{"lenet5", "lenet5"} }},
		{"workload", "would be measured twice", func(o *Options) { o.Workloads = []string{"lenet5", "lenet5;pool=average"} }},
		{"workload", "pool", func(o *Options) { o.Workloads = []string{"lenet5;pool=min"} }},
		{"backend", "no such backend", func(o *Options) { o.Backends = []plugin.Spec{embedded("cuda")} }},
		{"backend", "none given", func(o *Options) { o.Backends = nil }},
		{"backend", "no-such-program", func(o *Options) {
			o.Backends = []plugin.Spec{{Label: "x", Name: plugin.Exec, Command: []string{"no-such-program"}}}
		}},
		{"data", "nowhere", func(o *Options) { o.Data = filepath.Join(tiny, "nowhere") }},
		{"data", "is a file", func(o *Options) { o.Data = filepath.Join(tiny, "t10k-labels-idx1-ubyte") }},
		{"set", `optimizer.rate: optimizer has no field "rate"; it has kind, lr,`, func(o *Options) { o.Set = []string{"optimizer.rate=1"} }},
		{"set", `epochs: "many": want a whole number`, func(o *Options) { o.Set = []string{"epochs=many"} }},
		{"set", "the recipe would have optimizer.lr: -1, want a positive number", func(o *Options) { o.Set = []string{"optimizer.lr=-1"} }},
		{"set", "data=x: give --data", func(o *Options) { o.Set = []string{"data=x"} }},
		{"epochs", "the recipe would have schedule.warmup: 5, want at least 0 and at most the epochs; --set", func(o *Options) {
			o.Workloads, o.Epochs, o.Data = []string{"mobilenetv3-small"}, 3, ""
		}},
		{"filter", "matches no cell", func(o *Options) { o.Filter = regexp.MustCompile("resnet") }},
	} {
		o := options(t, embedded("cpu"))
		c.spoil(o)
		_, err := NewPlan(context.Background(), o, registry)
		var usage *UsageError
		require.ErrorAs(t, err, &usage, c.say)
		require.Equal(t, c.flag, usage.Flag, err.Error())
		require.ErrorContains(t, err, "flag --"+c.flag+": ")
		require.ErrorContains(t, err, c.say)
		require.NotContains(t, err.Error(), "\n")
	}
}

// What only a started backend can tell is bad input too: nothing is measured,
// nothing is left.
func TestRunRefusesWhatBackendsLack(t *testing.T) {
	for _, c := range []struct {
		flag, say string
		spoil     func(*Options)
	}{
		{"backend", `option read="2": want one of 0, 1`, func(o *Options) { o.Backends[0].Options = map[string]string{"read": "2"} }},
		{"backend", `option "speed"`, func(o *Options) { o.Backends[0].Options = map[string]string{"speed": "high"} }},
		{"math", `"tf32": no backend has it; there are strict`, func(o *Options) { o.Math = []string{"tf32"} }},
		{"workload", "resnet18: its recipe is for the data set imagenet, which is not here: give its folder, as in --data DIR, or a set that needs no files, --data digits-color/v1", func(o *Options) {
			o.Workloads, o.Data = []string{"resnet18"}, ""
		}},
		{"out", "not a directory", func(o *Options) {
			file := filepath.Join(o.Store.Dir, "file")
			require.NoError(t, os.WriteFile(file, nil, 0o644))
			o.Store.Dir = filepath.Join(file, "runs")
		}},
	} {
		o := options(t, embedded("null"))
		c.spoil(o)
		r := &record{}
		doc, _, err := newPlan(t, o).Run(context.Background(), nil, r)
		require.Nil(t, doc)
		var usage *UsageError
		require.ErrorAs(t, err, &usage)
		require.Equal(t, c.flag, usage.Flag)
		require.ErrorContains(t, err, c.say)
		require.Empty(t, r.stages, "not a word before the complaint")
		require.Empty(t, pluginsOfOurs(t))
	}
}

func TestPlanOrderAndNames(t *testing.T) {
	o := options(t, embedded("null"), embedded("cpu"))
	o.Modes, o.Batches, o.Data, o.Threads = nil, nil, "", 0
	o.Math = []string{"strict", "tf32"}
	p := newPlan(t, o)
	require.Equal(t, []string{
		"lenet5/train/f32/64/null", "lenet5/train/f32/64/null;math=tf32",
		"lenet5/train/f32/64/cpu", "lenet5/train/f32/64/cpu;math=tf32",
		"lenet5/infer/f32/1/null", "lenet5/infer/f32/1/null;math=tf32",
		"lenet5/infer/f32/1/cpu", "lenet5/infer/f32/1/cpu;math=tf32",
		"lenet5/infer/f32/32/null", "lenet5/infer/f32/32/null;math=tf32",
		"lenet5/infer/f32/32/cpu", "lenet5/infer/f32/32/cpu;math=tf32",
	}, p.Names())
	require.Equal(t, 9, p.Comparisons())
	require.Len(t, p.groups(), 3)
	require.Positive(t, p.Duration())
	require.Positive(t, p.Memory())

	o.Filter = regexp.MustCompile(`infer/.*/32/.*math=`)
	require.Equal(t, []string{"lenet5/infer/f32/32/null;math=tf32", "lenet5/infer/f32/32/cpu;math=tf32"}, newPlan(t, o).Names())
}

// Folders of one name are told apart by what is in them, and one folder is
// itself from wherever it is seen.
func TestCellsNameTheirData(t *testing.T) {
	tiny, err := tinyData()
	require.NoError(t, err)
	root := t.TempDir()
	same, other := filepath.Join(root, "a", "tiny"), filepath.Join(root, "b", "tiny")
	set, err := data.Open(t.Context(), tiny, data.Options{})
	require.NoError(t, err)
	require.NoError(t, data.WriteIDX(same, set, false))
	set.Test.Labels[0] = (set.Test.Labels[0] + 1) % 10
	require.NoError(t, data.WriteIDX(other, set, false))
	name := func(folder string) string {
		o := options(t, embedded("null"))
		o.Data = folder
		return newPlan(t, o).Names()[0]
	}
	want := cellOf("null")
	require.Regexp(t, `;input=tiny-[0-9a-f]{6};threads=1$`, want)
	require.Equal(t, want, name(tiny))
	require.Equal(t, want, name(same))
	require.NotEqual(t, want, name(other))
	t.Chdir(same)
	require.Equal(t, want, name("."))
	require.Equal(t, want, name("../tiny/"))
}

// A changed recipe is another task to train, and the same to infer.
func TestChangedRecipesAreNamed(t *testing.T) {
	names := func(set ...string) []string {
		o := options(t, embedded("null"))
		o.Modes, o.Data, o.Threads, o.Batches, o.Set = nil, "", 0, nil, set
		return newPlan(t, o).Names()
	}
	require.Equal(t, []string{"lenet5/train/f32/64/null", "lenet5/infer/f32/1/null"}, []string{names()[0], names()[1]})
	one, two := names("optimizer.lr=0.1", "batch=32"), names("optimizer.lr=0.2", "batch=32")
	require.Regexp(t, "^lenet5/train/f32/32/null;recipe=[0-9a-f]{6}$", one[0])
	require.NotEqual(t, one[0], two[0])
	require.Equal(t, "lenet5/infer/f32/1/null", one[1])
	require.Equal(t, one, names("batch=32", "optimizer.lr=1e-1"))
}

// What a plan is said to take follows from what is planned.
func TestEstimates(t *testing.T) {
	estimate := func(change func(*Options), specs ...plugin.Spec) (time.Duration, int64) {
		o := options(t, specs...)
		o.Effort = "quick"
		change(o)
		p := newPlan(t, o)
		return p.Duration(), p.Memory()
	}
	batch := func(n int) func(*Options) { return func(o *Options) { o.Batches = []int{n} } }
	oneTime, one := estimate(batch(1), embedded("cpu"))
	manyTime, many := estimate(batch(65536), embedded("cpu"))
	require.Greater(t, many, one+2*65536*28*28, "two slots of images at the least")
	require.Greater(t, manyTime, 2*oneTime, "and the reference, too, computes that batch")
	_, twice := estimate(batch(65536), embedded("cpu"), plugin.Spec{Label: "other", Name: "cpu"})
	require.Greater(t, twice, many+2*65536*28*28)

	train := func(data string, epochs int) func(*Options) {
		return func(o *Options) {
			o.Modes, o.Batches, o.Data, o.Epochs = []string{"train"}, []int{32}, data, epochs
		}
	}
	tiny, err := tinyData()
	require.NoError(t, err)
	small, less := estimate(train(tiny, 10), embedded("reference"))
	large, more := estimate(train("digits/v1", 10), embedded("reference"))
	require.Greater(t, large, small+time.Minute)
	require.Greater(t, more, less+60_000*28*28)
	longer, _ := estimate(train("digits/v1", 20), embedded("reference"))
	require.Greater(t, longer, large+time.Minute)
	fast, _ := estimate(train("digits/v1", 10), embedded("cpu"))
	require.Less(t, fast, large/5)
	wide, _ := estimate(func(o *Options) { train("digits/v1", 10)(o); o.Threads = 8 }, embedded("reference"))
	require.Less(t, wide, large/4, "the other one had one thread")
}

// A peak of two threads below that of one was disturbed.
func TestDisturbedPeaks(t *testing.T) {
	peaks := func(one, two float64) machine.Peaks {
		p := machine.Peaks{}
		p.Put(machine.Peak{Name: machine.PeakFMA, Threads: 1, Value: one, Unit: "GFLOP/s", How: "how"})
		p.Put(machine.Peak{Name: machine.PeakFMA, Threads: 2, Value: two, Unit: "GFLOP/s", How: "how"})
		return p
	}
	p := peaks(100, 190)
	require.Empty(t, undisturbed(p, 2))
	require.Equal(t, peaks(100, 190), p)
	p = peaks(100, 60)
	require.Regexp(t, "^peaks disturbed: fma.f32 of 2 threads was measured as 60 GFLOP/s, below the 100 of one", undisturbed(p, 2)[0])
	two, _ := p.Of(machine.PeakFMA, 2)
	require.Equal(t, 100.0, two.Value)
	require.Contains(t, two.How, "disturbed")
	require.Empty(t, undisturbed(peaks(100, 60), 1))
}

// An effort that is to decide gets as many rounds as its rows take.
func TestDecidingTakesRounds(t *testing.T) {
	o := options(t, embedded("null"), embedded("cpu"))
	o.Effort = "standard"
	require.Equal(t, measure.Standard.Rounds, newPlan(t, o).Effort.Rounds)
	for b := range 40 {
		o.Batches = append(o.Batches, b+2)
	}
	require.Equal(t, measure.MinRounds(41), newPlan(t, o).Effort.Rounds)
	o.Effort = "quick"
	require.Equal(t, measure.Quick.Rounds, newPlan(t, o).Effort.Rounds)
}

func TestReproQuotes(t *testing.T) {
	require.Equal(t, "plain-1.0/x:y=z,%", ShellQuote("plain-1.0/x:y=z,%"))
	require.Equal(t, `'a b'`, ShellQuote("a b"))
	require.Equal(t, `'it'\''s'`, ShellQuote("it's"))
	require.Equal(t, `''`, ShellQuote(""))
	require.Equal(t, `'$HOME'`, ShellQuote("$HOME"))
}

// A line that repeats a cell goes where the files that it names are.
func TestReproGoesWhereItsFilesAre(t *testing.T) {
	tiny, err := tinyData()
	require.NoError(t, err)
	t.Chdir(filepath.Dir(tiny))
	repro := func(o *Options) string {
		p := newPlan(t, o)
		return (&run{Plan: p}).repro(p.Cells[0])
	}
	o := options(t, embedded("cpu"))
	require.Regexp(t, "^clsbench run --backend cpu ", repro(o), "absolute")
	o.Data = "digits/v1"
	require.Regexp(t, "^clsbench run --backend cpu ", repro(o), "a name")
	o.Data = filepath.Base(tiny)
	require.Regexp(t, "^cd "+regexp.QuoteMeta(filepath.Dir(tiny))+" && clsbench run --backend cpu .* --data tiny$", repro(o))

	require.NoError(t, os.WriteFile("start.sh", []byte("#!/bin/sh\n"), 0o755))
	o = options(t, plugin.Spec{Label: "mine", Name: plugin.Exec, Command: []string{"./start.sh"}})
	require.Regexp(t, "^cd .* && clsbench run --backend mine=exec:./start.sh ", repro(o))
}

// Two variants of a network, and a backend in two math modes, train apart.
func TestCheckpointsAreApart(t *testing.T) {
	o := options(t, embedded("null"))
	o.Modes, o.Workloads, o.Math = []string{"train"}, []string{"lenet5", "lenet5;pool=max"}, []string{"tf32"}
	p := newPlan(t, o)
	h := &run{Plan: p, doc: &results.Document{Run: results.Run{ID: "0123456789ab"}}}
	var paths []string
	for _, c := range p.Cells {
		paths = append(paths, h.checkpoint(c))
	}
	slices.Sort(paths)
	require.Len(t, slices.Compact(paths), 4)
}

func TestUsageErrorUnwraps(t *testing.T) {
	cause := errors.New("cause")
	require.ErrorIs(t, &UsageError{"x", cause}, cause)
}
