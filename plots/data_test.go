package plots

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

func load(t testing.TB, name string) *results.Document {
	d, err := results.ReadFile("../results/testdata/" + name + ".json")
	require.NoError(t, err)
	return d
}

func tableOf(t testing.TB, docs ...*results.Document) *table {
	x, err := newTable(docs)
	require.NoError(t, err)
	return x
}

func TestTableSortsCells(t *testing.T) {
	x := tableOf(t, load(t, "five"))
	require.Equal(t, []string{"infer b1", "infer b32", "train b64"}, x.tasks)
	require.Equal(t, []string{"cpu", "torch-1.13-channels-last", "onnxruntime", "opencl", "reference"}, x.series)
	require.Equal(t, "lenet5 · f32", x.common)
	require.Equal(t, "lenet5/train/f32/64/opencl", x.cells[place{2, 3}].Cell)

	require.Equal(t, "lenet5 · f32 · cpu", tableOf(t, load(t, "one")).common)

	a, b := load(t, "one"), load(t, "one")
	b.Run.ID = "b00000000000"
	b.Results[0].Cell = "lenet5/infer/bf16/1/cpu;isa=avx2;scenario=server"
	b.Results[1].Cell = "vit/infer/f32/32/cpu"
	x = tableOf(t, a, b)
	require.Equal(t, []string{"cpu · " + a.Run.ID[:6], "cpu isa=avx2 · b00000", "cpu · b00000"}, x.series)
	require.Equal(t, []string{"lenet5 infer b1 f32", "lenet5 infer b32 f32", "lenet5 train b64 f32", "lenet5 infer b1 bf16 scenario=server", "vit infer b32 f32"}, x.tasks)
	require.Empty(t, x.common)
	require.Equal(t, b.Results[2].Cell, x.cells[place{2, 2}].Cell)

	c := load(t, "one")
	for i := range c.Results {
		c.Results[i].Cell += ";input=tiny"
	}
	c.Results[1].Cell += ";variant=pool=max"
	x = tableOf(t, c)
	require.Equal(t, []string{"infer b1", "infer b32 variant=pool=max", "train b64"}, x.tasks, "what all share tells none apart")
	require.Equal(t, "lenet5 · f32 · input=tiny · cpu", x.common)

	b.Results[0].Cell = "nonsense"
	_, err := newTable([]*results.Document{b})
	require.ErrorContains(t, err, "nonsense")
}

func TestRatesKeepFailuresAsRows(t *testing.T) {
	d := load(t, "failed")
	rows := tableOf(t, d).rates()
	require.Len(t, rows, len(d.Results))
	at := func(task, series int) rateRow {
		return rows[slices.IndexFunc(rows, func(r rateRow) bool { return r.place == place{task, series} })]
	}
	require.Equal(t, d.Results[0].Throughput.Estimate, at(0, 0).rate)
	require.Empty(t, at(0, 0).remark)
	require.Equal(t, rateRow{place: place{1, 1}, remark: "crashed"}, at(1, 1))
	require.Equal(t, rateRow{place: place{1, 2}, remark: "invalid, partly judged"}, at(1, 2), "an invalid figure is not drawn")
	require.Equal(t, "unsupported", at(2, 1).remark)
	require.Equal(t, "–", rateWords(at(1, 1)))

	d.Results[0].Conformance.Verdict = results.VerdictFail
	d.Results[0].Status = results.StatusUnstable
	rows = tableOf(t, d).rates()
	require.Equal(t, "unstable, wrong", rows[0].remark)
	require.Contains(t, rateWords(rows[0]), "unstable, wrong")

	for i := range d.Results {
		d.Results[i].Throughput = nil
	}
	require.Nil(t, tableOf(t, d).rates())
}

func TestRoundsOf(t *testing.T) {
	d := load(t, "one")
	require.Equal(t, "10 rounds", tableOf(t, d).roundsOf())
	d.Results[0].Throughput.Rounds = d.Results[0].Throughput.Rounds[:6]
	require.Equal(t, "6–10 rounds", tableOf(t, d).roundsOf())
	for i := range d.Results {
		d.Results[i].Throughput.Rounds = []float64{1}
	}
	require.Equal(t, "1 round", tableOf(t, d).roundsOf())
}

// shareBelow is how much of a curve lies at or below a time.
func shareBelow(c latencyCurve, ms float64) float64 {
	share := 0.0
	for i, x := range c.ms {
		if x <= ms {
			share = c.shares[i]
		}
	}
	return share
}

func TestLatencyCurvesAreTheDistribution(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 63, 700, measure.MaxSamples, measure.MaxSamples + 5} {
		var l measure.Latencies
		var all []float64
		for range n {
			ns := int64(1e6 * math.Exp(0.3*rng.NormFloat64()))
			l.Add(ns)
			all = append(all, float64(ns)/1e6)
		}
		slices.Sort(all)
		d := load(t, "one")
		d.Results = d.Results[:1]
		d.Results[0].Latency = results.NewLatency(&l)
		curves := tableOf(t, d).latencies()
		require.Len(t, curves, 1)
		c := curves[0]
		require.LessOrEqual(t, len(c.ms), curvePoints+2)
		require.True(t, slices.IsSorted(c.ms))
		require.True(t, slices.IsSorted(c.shares))
		require.Equal(t, 1.0, c.shares[len(c.shares)-1])
		require.InEpsilon(t, all[n-1], c.ms[len(c.ms)-1], 1e-9, "the slowest step is drawn")
		for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
			require.InDelta(t, q, shareBelow(c, all[int(q*float64(n-1))]*1.008), 0.02+2/float64(n), "n = %d", n)
		}
		marks := 1
		if n >= 64 {
			marks = 2
		}
		require.Len(t, c.marks, marks)
		require.Equal(t, d.Results[0].Latency.P50, c.marks[0].ms)
	}
	var zeros measure.Latencies
	zeros.Add(0)
	d := load(t, "one")
	d.Results = d.Results[:1]
	d.Results[0].Latency = results.NewLatency(&zeros)
	require.Empty(t, tableOf(t, d).latencies(), "0 has no place on a log axis")
	require.Nil(t, latencyFigure(tableOf(t, d)))
}

func TestAccuracyCurves(t *testing.T) {
	d := load(t, "two")
	curves, targets := tableOf(t, d).accuracies()
	require.Len(t, curves, 6, "two backends, three seeds")
	require.Equal(t, map[int]float64{2: 0.98}, targets)
	firsts := 0
	for i, c := range curves {
		run := d.Results[4+i/3].Accuracy.Runs[i%3]
		require.Equal(t, place{2, i / 3}, c.place)
		require.Len(t, c.seconds, len(run.Curve))
		require.Equal(t, run.Curve[3].Seconds, c.seconds[3])
		require.Equal(t, run.Curve[3].Top1, c.top1[3])
		if c.first {
			firsts++
		}
	}
	require.Equal(t, 2, firsts)
}

func TestMemoryRowsAddUp(t *testing.T) {
	d := load(t, "five")
	rows := tableOf(t, d).memories()
	require.Len(t, rows, 13, "unsupported cells have no memory")
	for _, r := range rows {
		m := tableOf(t, d).cells[r.place].Memory
		require.Equal(t, float64(m.Peak), r.parts[0]+r.parts[1]+r.parts[2])
		require.Equal(t, float64(m.Shared), r.parts[1])
		require.Equal(t, m.Device != nil, r.parts[3] > 0)
	}
}

func TestTradeoffs(t *testing.T) {
	d := load(t, "two")
	points := tableOf(t, d).tradeoffs()
	require.Len(t, points, 6)
	last := points[5]
	a := d.Results[5].Accuracy
	require.Equal(t, "train", last.mode)
	require.Equal(t, a.Top1, last.top1)
	for _, r := range a.Runs {
		require.GreaterOrEqual(t, r.Top1, last.low)
		require.LessOrEqual(t, r.Top1, last.high)
	}
	require.Less(t, last.low, last.high)

	require.Len(t, labelled(points), 6)
	many := slices.Repeat(points, 3)
	many[7].rate.Median *= 3 // of the same task as 1, and faster
	chosen := labelled(many)
	require.Len(t, chosen, 3, "one of each task")
	require.Equal(t, many[7].rate, chosen[slices.IndexFunc(chosen, func(p tradeoff) bool { return p.task == many[7].task })].rate)
}

// Names that differ at their ends are cut in their middle.
func TestShortenKeepsBothEnds(t *testing.T) {
	sty := textStyle(sizeText, ink)
	names := map[string]bool{}
	for _, end := range []string{"average", "max"} {
		name := "infer b32 scenario=singlestream variant=pool=" + end
		require.Equal(t, name, shorten(sty, name, sty.Width(name)))
		short := shorten(sty, name, nameWidth)
		require.LessOrEqual(t, sty.Width(short), nameWidth)
		require.Regexp(t, "^infer b32 .*….*="+end+"$", short)
		names[short] = true
	}
	require.Len(t, names, 2)
}

// Rows of one task stand together whatever their precision; what has nothing beside it, failed or is no inference is
// left out.
func TestPrecisionsStandBesideEachOther(t *testing.T) {
	d := precise(t)
	names := func(x *table) (list []string) {
		for _, r := range x.precisions() {
			list = append(list, r.group+": "+r.name)
		}
		return list
	}
	require.Equal(t, []string{
		"b1: f32", "b1: bf16", "b1: fp16", "b1: int8 static:mse", "b1: int8 dynamic",
		"b32: f32", "b32: bf16", "b32: fp16", "b32: int8 static:mse", "b32: int8 dynamic",
	}, names(tableOf(t, d)))
	rows := tableOf(t, d).precisions()
	require.Equal(t, 88852.0, rows[2].bytes)
	require.Equal(t, 0.9881, rows[2].top1)
	require.Equal(t, "partly judged", rows[3].remark)
	require.False(t, rows[3].evaluated)

	d.Results[0].Status = results.StatusCrashed
	d.Results[2].Mode = "train"
	d.Results[3].Model = nil
	d.Results[5].Cell += ";threads=1"
	require.Equal(t, []string{"b32: f32", "b32: int8 static:mse", "b32: int8 dynamic", "b1: fp16", "b1: int8 static:mse", "b1: int8 dynamic"}, names(tableOf(t, d)),
		"one precision on one thread has nothing beside it")

	other := precise(t)
	other.Run.ID = "b00000000000"
	other.Results = other.Results[1:4:4] // b32 f32, b1 bf16, b32 bf16
	other.Results[1].Cell = "vit-micro/infer/bf16/1/cpu"
	require.Equal(t, []string{"lenet5 b32 · cpu · b00000: f32", "lenet5 b32 · cpu · b00000: bf16"}, names(tableOf(t, precise(t), other))[10:])

	require.Nil(t, precisionsFigure(tableOf(t, load(t, "two"))), "all in f32")
}
