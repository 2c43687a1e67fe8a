package results

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
)

func exps(xs ...float64) []float64 {
	out := make([]float64, len(xs))
	for i, x := range xs {
		out[i] = math.Exp(x)
	}
	return out
}

// TestRatioOfThePermeabilityData checks the shift, its interval and p against Hollander and Wolfe, Nonparametric
// Statistical Methods, examples 4.1, 4.3 and 4.4 (permeability of the chorioamnion).
func TestRatioOfThePermeabilityData(t *testing.T) {
	term := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	early := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	e := ratioOf(exps(early...), exps(term...))
	require.InDelta(t, 0.305, math.Log(e.Median), 1e-9)
	require.InDelta(t, -0.15, math.Log(e.Low), 1e-9)
	require.InDelta(t, 0.76, math.Log(e.High), 1e-9)
	require.InDelta(t, 0.96, e.Confidence, 1e-3)
	p, err := mannWhitney(early, term)
	require.NoError(t, err)
	require.InDelta(t, 2*0.1272, p, 1e-4)
}

func TestRatioIntervalsCover(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{3, 6, 10, 55} {
		_, claimed := rankSumCut(n, n)
		const trials = 1000
		hits := 0
		for range trials {
			a, b := make([]float64, n), make([]float64, n)
			for i := range n {
				a[i], b[i] = math.Exp(rng.NormFloat64()), math.Exp(0.7+rng.NormFloat64())
			}
			if e := ratioOf(a, b); e.Low <= math.Exp(0.7) && math.Exp(0.7) <= e.High {
				hits++
			}
		}
		require.InDelta(t, claimed, float64(hits)/trials, 0.025, "n = %d", n)
	}
	p, err := mannWhitney([]float64{1, 1}, []float64{1, 1})
	require.NoError(t, err)
	require.Equal(t, 1.0, p)
}

func TestCompareWithin(t *testing.T) {
	d := fixture("five.json", 1)
	require.Len(t, d.Comparisons, 10, "four others in inference, two of them in training")
	words := map[string]measure.Word{}
	for _, c := range d.Comparisons {
		a, err := ParseCell(c.A)
		require.NoError(t, err)
		b, err := ParseCell(c.B)
		require.NoError(t, err)
		require.Equal(t, "cpu", b.Subject())
		require.Equal(t, a.Task(), b.Task())
		words[a.Subject()] = c.Word
	}
	require.Equal(t, map[string]measure.Word{"torch-1.13-channels-last": measure.Slower, "onnxruntime": measure.Same,
		"opencl": measure.Slower, "reference": measure.Slower}, words)
	require.True(t, d.Comparisons[0].SlowerBy(0.5))
	require.False(t, d.Comparisons[0].SlowerBy(0.6))

	require.NoError(t, d.CompareWithin("onnxruntime", 0))
	for _, c := range d.Comparisons {
		require.Contains(t, c.B, "/onnxruntime")
	}
	require.ErrorContains(t, d.CompareWithin("tpu", 0), `baseline "tpu"`)
	require.NoError(t, (&Document{}).CompareWithin("", 0))

	d = fixture("failed.json", 1)
	for _, c := range d.Comparisons {
		require.NotContains(t, c.A, "/32/", "no figure, no comparison")
	}
	require.Empty(t, d.Split())
	d.Results[1].Session = 1
	require.Equal(t, "lenet5/infer/f32/1", d.Split())
	before := len(d.Comparisons)
	require.NoError(t, d.CompareWithin("", 0))
	require.Len(t, d.Comparisons, before-1, "sessions were never interleaved")
	warnings := slices.Clone(d.Warnings)
	require.Equal(t, d.Results[1].Cell+" is not compared with "+d.Results[0].Cell+": an interruption came between them, so their rounds were not interleaved; clsbench rerun measures both anew",
		warnings[len(warnings)-1])
	require.NoError(t, d.CompareWithin("", 0))
	require.Equal(t, warnings, d.Warnings, "said once")
	var table strings.Builder
	require.NoError(t, Render(&table, d, "table", RenderOptions{}))
	require.Contains(t, table.String(), "! "+warnings[len(warnings)-1])
}

// later is a copy of a fixture, measured again with all rates times speed and the peaks times peak.
func later(name string, speed, peak float64) *Document {
	d := fixture(name, 7)
	d.Run.ID, d.Run.Started, d.Run.Ended = "aaaaaaaaaaaa", d.Run.Started.Add(time.Hour), d.Run.Ended.Add(time.Hour)
	d.Peaks = fixturePeaks(503 * peak)
	for i := range d.Results {
		if t := d.Results[i].Throughput; t != nil {
			for j := range t.Rounds {
				t.Rounds[j] *= speed
			}
			t.Estimate = measure.MedianOf(t.Rounds)
		}
	}
	return d
}

func TestCompareFiles(t *testing.T) {
	for _, c := range []struct {
		name                string
		speed, peak, margin float64
		want                measure.Word
	}{
		{"much faster", 1.10, 1, 0.02, measure.Faster},
		{"much slower", 0.90, 1, 0.02, measure.Slower},
		{"slower, and so is the machine", 0.90, 0.88, 0.02, measure.Undecided},
		{"alike", 1.001, 1, 0.03, measure.Same},
		{"alike, no margin", 1.001, 1, 0, measure.Undecided},
		{"alike, but the machine moved more than the margin", 1, 1.05, 0.03, measure.Undecided},
	} {
		x, err := CompareFiles(fixture("one.json", 1), later("one.json", c.speed, c.peak), c.margin)
		require.NoError(t, err)
		require.Len(t, x.Cells, 3)
		require.True(t, x.SameMachine)
		require.False(t, x.Interleaved)
		for _, d := range x.Cells {
			require.Equal(t, c.want, d.Word, "%s: %s %v", c.name, d.A, d.Ratio)
			require.InEpsilon(t, c.speed, d.Ratio.Median, 0.02)
			require.Equal(t, c.want == measure.Slower, d.SlowerBy(0.05))
		}
		i := slices.IndexFunc(x.Drift, func(p PeakDrift) bool { return p.Key == "fma.f32/2" })
		require.InDelta(t, c.peak, x.Drift[i].Ratio, 1e-9)
	}
}

func TestCompareFilesOfDifferentMachinesOrBackends(t *testing.T) {
	a, b := fixture("one.json", 1), later("one.json", 1.5, 1.5)
	b.Machine.ID, b.Machine.CPU.Model = "other", "AMD EPYC 9654"
	x, err := CompareFiles(a, b, 0.02)
	require.NoError(t, err)
	require.Equal(t, measure.Undecided, x.Cells[0].Word)
	var out bytes.Buffer
	require.NoError(t, x.Render(&out, "table", RenderOptions{}))
	require.Contains(t, out.String(), "different machines")

	// Two files of one backend each: task by task.
	for i := range b.Results {
		c, err := ParseCell(b.Results[i].Cell)
		require.NoError(t, err)
		c.Backend = "torch"
		b.Results[i].Cell, b.Results[i].Backend = c.String(), "torch"
	}
	x, err = CompareFiles(a, b, 0.02)
	require.NoError(t, err)
	require.Len(t, x.Cells, 3)
	require.Equal(t, []string{"lenet5/infer/f32/1/cpu", "lenet5/infer/f32/1/torch"}, []string{x.Cells[0].A, x.Cells[0].B})

	_, err = CompareFiles(fixture("two.json", 1), b, 0)
	require.NoError(t, err, "torch is in both")
	b.Results = b.Results[:1]
	b.Results[0].Cell, b.Results[0].Workload = "vit/infer/f32/1/torch", "vit"
	_, err = CompareFiles(a, b, 0)
	require.ErrorContains(t, err, "no cell in common")
	_, err = CompareFiles(a, a, -1)
	require.ErrorContains(t, err, "margin")
}

func TestCompareFilesSaysWhatElseChanged(t *testing.T) {
	a, b := fixture("two.json", 1), later("failed.json", 1, 1)
	b.Results[0].Conformance = Conformance{Verdict: VerdictPartial, Passed: 1, Total: 2}
	b.Results[0].Memory.Peak *= 2
	b.Results[0].Accuracy.Top1 = 0.9
	b.Results[3].Status, b.Results[3].Throughput = StatusOOM, nil // cpu, batch 32
	b.Results[3].Cause = &Cause{Kind: CauseResourceExhausted, Message: "m"}
	b.Peaks = machine.Peaks{}
	x, err := CompareFiles(a, b, 0)
	require.NoError(t, err)
	require.Equal(t, measure.Undecided, x.Cells[0].Word, "drift unknown")
	require.Equal(t, []string{"lenet5/infer/f32/1/torch", "lenet5/infer/f32/32/torch", "lenet5/train/f32/64/torch"}, x.OnlyA)
	for _, format := range Formats() {
		var out bytes.Buffer
		require.NoError(t, x.Render(&out, format, RenderOptions{}))
		require.NotEmpty(t, out.String())
		if format == "table" {
			for _, want := range []string{"conform PASS → PARTIAL", "peak memory", "accuracy 98.6 % → 90.0 %", "status ok → oom",
				"only in A: lenet5/infer/f32/1/torch", "only in B: lenet5/infer/f32/1/vendor", "never interleaved", "unknown, no peak"} {
				require.Contains(t, out.String(), want)
			}
		}
	}
	require.ErrorContains(t, x.Render(&bytes.Buffer{}, "xml", RenderOptions{}), "table, json, csv, md")
	require.Equal(t, 1, strings.Count(CheckFormat("xml").Error(), "xml"))
}

func TestWhatACellLost(t *testing.T) {
	for _, c := range []struct {
		a, b     Status
		was, is  Verdict
		complain string
	}{
		{StatusOK, StatusOK, VerdictPass, VerdictPass, ""},
		{StatusOK, StatusUnstable, VerdictPass, VerdictPass, ""},
		{StatusError, StatusOOM, VerdictNone, VerdictNone, ""},
		{StatusCrashed, StatusOK, VerdictNone, VerdictPass, ""},
		{StatusOK, StatusOOM, VerdictPass, VerdictNone, "status ok → oom"},
		{StatusOK, StatusInvalid, VerdictPass, VerdictPass, "status ok → invalid"},
		{StatusOK, StatusOK, VerdictPass, VerdictFail, "conform PASS → FAIL"},
		{StatusOK, StatusOK, VerdictPass, VerdictPartial, "conform PASS → PARTIAL"},
		{StatusOK, StatusOK, VerdictFail, VerdictFail, ""},
	} {
		d := CellDiff{Status: [2]Status{c.a, c.b}, Verdicts: [2]Verdict{c.was, c.is}}
		require.Equal(t, c.complain, d.Lost())
	}
}

// Cells of one task that an interruption came between are not paired, and the document says so.
func TestUnpairedSessionsAreSaid(t *testing.T) {
	d := fixture("two.json", 1)
	require.NoError(t, d.CompareWithin("", 0))
	whole := len(d.Comparisons)
	require.Positive(t, whole)
	require.Empty(t, d.Unpaired())

	a := d.Comparisons[0].A
	d.Run.Resumed = []Session{{Started: d.Run.Started.Add(time.Minute), Peaks: d.Peaks}}
	for i := range d.Results {
		if d.Results[i].Cell == a {
			d.Results[i].Session = 1
		}
	}
	require.NoError(t, d.CompareWithin("", 0))
	require.Len(t, d.Comparisons, whole-1)
	said := d.Unpaired()
	require.Len(t, said, 1)
	c, err := ParseCell(a)
	require.NoError(t, err)
	require.Contains(t, said[0], c.Task()+": ")
	require.Contains(t, said[0], c.Subject())

	d.Warnings = said
	var b strings.Builder
	require.NoError(t, Render(&b, d, "table", RenderOptions{}))
	require.Contains(t, b.String(), "! "+said[0])
}
