package results

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/measure"
)

// exampleRun is a run with round figures, whose table the documentation shows.
func exampleRun() *Document {
	d := fixture("one.json", 1)
	d.Comparisons = nil
	for i, x := range []struct {
		median, low, high, p50, p90, share float64
		rss                                int64
	}{
		{86_100, 84_900, 87_000, 0.0116, 0.0123, 0.10, 41 << 20},
		{402_000, 396_000, 409_000, 0.0796, 0.083, 0.45, 43 << 20},
		{61_200, 58_800, 62_000, 1.05, 1.10, 0.21, 58 << 20},
	} {
		r := &d.Results[i]
		r.Throughput.Estimate = measure.Estimate{Median: x.median, Low: x.low, High: x.high, Confidence: 0.96875}
		r.Throughput.Rounds = []float64{x.low, x.median, x.median, x.median, x.median, x.high}
		r.Latency.P50, r.Latency.P90 = x.p50, &x.p90
		r.PeakShare, r.Memory.Peak = &x.share, x.rss
		r.PluginHash = "3f9c21" + r.PluginHash[6:]
		r.Conformance.Cached = false
	}
	a := d.Results[2].Accuracy
	a.Top1, a.Target, a.Seconds = 0.987, 0, 12
	return d
}

func TestTableIsTheExample(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Render(&out, exampleRun(), "table", RenderOptions{Saved: "results/x.json", Again: "7c1e"}))
	require.Equal(t, strings.TrimPrefix(`
lenet5 · cpu avx512 3f9c21 · f32 · 2 threads · conform PASS
           img/s  95 % CI (6 rounds)     p50     p90  peak  RSS
infer b1   86.1k  84.9k–87.0k         11.6µs  12.3µs   10%  41M
infer b32   402k  396k–409k           79.6µs  83.0µs   45%  43M
train b64  61.2k  58.8k–62.0k         1.05ms  1.10ms   21%  58M
accuracy 98.7 % in 12 s (1 seed) · harness 1.3 µs/step
! shared VM: differences under 4 % are invisible here
saved results/x.json · again: clsbench rerun 7c1e
`, "\n"), out.String())
}

// TestRenderedTables holds what the fixtures render to, in each format, to the files beside them.
func TestRenderedTables(t *testing.T) {
	for name := range fixtures {
		d, err := ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		for _, format := range []string{"table", "md", "csv"} {
			var out bytes.Buffer
			require.NoError(t, Render(&out, d, format, RenderOptions{Heading: true, Width: 100, Saved: "results/" + name, Again: "7c1e"}))
			golden(t, strings.TrimSuffix(name, ".json")+map[string]string{"table": ".txt", "md": ".md", "csv": ".csv"}[format], out.Bytes())
		}
	}
	x, err := CompareFiles(fixture("one.json", 1), later("two.json", 1.08, 0.99), 0.02)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, x.Render(&out, "table", RenderOptions{}))
	golden(t, "files.txt", out.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s: go test ./results -update writes it anew", path)
}

func TestTableFitsTheWidth(t *testing.T) {
	d := fixture("five.json", 2)
	for _, columns := range []int{80, 100, 132} {
		var out bytes.Buffer
		require.NoError(t, Render(&out, d, "table", RenderOptions{Width: columns}))
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "!") && !strings.Contains(line, "conform") {
				require.LessOrEqual(t, width(strings.TrimSuffix(line, "\n")), columns, line)
			}
		}
		require.Contains(t, out.String(), "opencl   ratio")
	}
}

func TestColourChangesNoColumn(t *testing.T) {
	d := fixture("failed.json", 2)
	var plain, coloured bytes.Buffer
	require.NoError(t, Render(&plain, d, "table", RenderOptions{}))
	require.NoError(t, Render(&coloured, d, "table", RenderOptions{Color: true}))
	require.NotContains(t, plain.String(), "\x1b")
	require.Contains(t, coloured.String(), "\x1b[31mcrashed")
	bare := coloured.String()
	for {
		i := strings.IndexByte(bare, '\x1b')
		if i < 0 {
			break
		}
		bare = bare[:i] + bare[i+strings.IndexByte(bare[i:], 'm')+1:]
	}
	var trimmed strings.Builder // tablewriter ends coloured rows with spaces and a reset of its own
	for line := range strings.Lines(bare) {
		trimmed.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	require.Equal(t, plain.String(), trimmed.String())
}

func TestTableSaysWhatIsWrong(t *testing.T) {
	d := fixture("one.json", 1)
	r := &d.Results[0]
	r.Status, r.Cause = StatusUnstable, &Cause{Kind: CauseNotSteady, Message: "the last 10 steps vary by 9 %"}
	r.Flags = []string{FlagThrottled}
	r.Throughput.Rounds = r.Throughput.Rounds[:3]
	r.Throughput.Estimate = measure.MedianOf(r.Throughput.Rounds)
	r.Conformance = Conformance{Verdict: VerdictFail, Passed: 407, Total: 412, Failures: []Failure{
		{Case: "conv/1", Error: ptr(3.25), Message: "outputs at the right border"}, {Case: "conv/2", Message: "NaN"},
		{Case: "conv/3", Message: "x"}, {Case: "conv/4", Message: "x"}, {Case: "conv/5", Message: "x"}}}
	d.Results[1].Math, d.Results[1].Cell = "winograd", d.Results[1].Cell+";math=winograd"
	a := d.Results[2].Accuracy
	a.Runs[0].Reached = false
	d.Run.Interrupted = true
	var out bytes.Buffer
	require.NoError(t, Render(&out, d, "table", RenderOptions{}))
	for _, want := range []string{"conform FAIL", "unstable throttled", "95 % CI or range (3–10 rounds)",
		"! infer b1 unstable: the last 10 steps vary by 9 %", "! infer b1: conform FAIL, 407/412",
		"  conv/1: 3.25 × the bound: outputs at the right border", "  conv/2: NaN", "  and 2 more",
		"lenet5 · cpu;math=winograd avx512", " · winograd · 2 threads", "98.0 % not reached (1 seed)", "! interrupted"} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "conv/4")
}

func TestCSVHasALineACell(t *testing.T) {
	d := fixture("failed.json", 1)
	var out bytes.Buffer
	require.NoError(t, Render(&out, d, "csv", RenderOptions{}))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 1+len(d.Results))
	seen := map[string]bool{}
	for _, name := range rows[0] {
		require.False(t, seen[name], name)
		seen[name] = true
	}
}

func TestRenderReportsAFullDisk(t *testing.T) {
	for _, format := range Formats() {
		err := Render(fullDisk{}, fixture("two.json", 1), format, RenderOptions{Heading: true})
		require.ErrorIs(t, err, errFull, format)
	}
	require.ErrorContains(t, Render(&bytes.Buffer{}, fixture("one.json", 1), "xml", RenderOptions{}), `format "xml"`)
}

var errFull = errors.New("no space left")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
