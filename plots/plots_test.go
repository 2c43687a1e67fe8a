package plots

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/cmpimg"
	"gonum.org/v1/plot/vg"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
)

var update = flag.Bool("update", false, "rewrite the golden images")

// second is a later run of two.json with wide intervals.
func second(t testing.TB) *results.Document {
	d := load(t, "two")
	d.Run.ID = "deadbeef0000"
	d.Machine.CPU.Model = "Intel Xeon Platinum 8481C with a long name, so that the caption takes a second line of text"
	for i := range d.Results {
		x := d.Results[i].Throughput
		for j := range x.Rounds {
			x.Rounds[j] *= 0.9 + 0.04*float64(j%5)
		}
		x.Estimate = measure.MedianOf(x.Rounds)
		for _, run := range d.Results[i].Accuracy.Runs {
			for j := range run.Curve {
				run.Curve[j].Seconds *= 1.4
			}
		}
	}
	return d
}

// tight is one.json with latencies that hardly differ, so that the axes' labels are long.
func tight(t testing.TB) *results.Document {
	d := load(t, "one")
	for i := range d.Results {
		l := d.Results[i].Latency
		middle := l.P50 * 113.7
		near := func(ms float64) float64 { return middle * math.Pow(ms/l.P50, 0.04) }
		for j := range l.Samples {
			l.Samples[j] = near(l.Samples[j])
		}
		*l.P90 = near(*l.P90)
		l.Min, l.Max, l.P50 = near(l.Min), near(l.Max), middle
	}
	return d
}

// many is one.json with a thousand classes.
func many(t testing.TB) *results.Document {
	d := load(t, "one")
	for i := range d.Results {
		if a := d.Results[i].Accuracy; a != nil && a.Test != nil {
			a.Test.Classes = a.Test.Classes[:0:0]
			for k := range 1000 {
				a.Test.Classes = append(a.Test.Classes, results.ClassScore{Name: fmt.Sprintf("n%08d of a long name", 7*k), Images: 500})
			}
		}
	}
	return d
}

// precise is one.json's inference in several precisions, some not measured.
func precise(t testing.TB) *results.Document {
	d := load(t, "one")
	var rows []results.Result
	for i, p := range []struct {
		precision, quant string
		speed, top1      float64
		bytes            int64
	}{{"f32", "", 1, 0.9879, 177704}, {"bf16", "", 0.41, 0.9868, 88852}, {"fp16", "", 0.46, 0.9881, 88852},
		{"int8", "static:mse", 0.8, 0.9869, 45852}, {"int8", "dynamic", 0.3, 0.9872, 45596}} {
		for _, r := range d.Results {
			if r.Mode != "infer" {
				continue
			}
			c, err := results.ParseCell(r.Cell)
			require.NoError(t, err)
			c.Precision, r.Precision = p.precision, p.precision
			if p.quant != "" {
				c.Settings = map[string]string{results.KeyQuant: p.quant}
				r.Quantization = &results.Quantization{Recipe: p.quant}
			}
			r.Cell = c.String()
			r.Model = &results.Model{Bytes: p.bytes, Checkpoint: 177704}
			r.Accuracy = &results.Accuracy{Top1: p.top1 - 0.0001*float64(c.Batch/32)}
			x := *r.Throughput
			x.Estimate = measure.Estimate{Median: p.speed * x.Median, Low: p.speed * x.Low * 0.97, High: p.speed * x.High * 1.02}
			r.Throughput = &x
			if i == 3 && c.Batch == 1 {
				r.Accuracy, r.Conformance.Verdict = nil, results.VerdictPartial
			}
			rows = append(rows, r)
		}
	}
	d.Results = rows
	return d
}

// drawn are pictures of nothing, each its own.
func drawn(_ *results.Result, images []int) ([]image.Image, error) {
	var out []image.Image
	for _, n := range images {
		m := image.NewRGBA(image.Rect(0, 0, 32, 32))
		for y := range 32 {
			for x := range 32 {
				m.Set(x, y, color.RGBA{uint8(8 * x), uint8(8 * y), uint8(n), 0xff})
			}
		}
		out = append(out, m)
	}
	return out, nil
}

func TestFiguresLookAsTheyDid(t *testing.T) {
	for _, c := range []struct {
		name    string
		docs    []*results.Document
		figures []string
	}{
		{"one", []*results.Document{load(t, "one")}, []string{"throughput", "latency"}},
		{"tight", []*results.Document{tight(t)}, []string{"latency"}},
		{"five", []*results.Document{load(t, "five")}, []string{"throughput", "latency", "accuracy", "memory", "throughput-accuracy", "learning", "confusion", "calibration", "mistakes"}},
		{"precise", []*results.Document{precise(t)}, []string{"precisions"}},
		{"many", []*results.Document{many(t)}, []string{"confusion"}},
		{"failed", []*results.Document{load(t, "failed")}, []string{"throughput"}},
		{"docs", []*results.Document{load(t, "two"), second(t)}, []string{"throughput", "accuracy"}},
	} {
		figures, err := figuresOf(c.docs, Options{Pictures: drawn})
		require.NoError(t, err)
		byName := map[string]*figure{}
		for _, f := range figures {
			byName[f.name] = f
		}
		for _, name := range c.figures {
			require.Contains(t, byName, name)
			got, err := byName[name].encode("png", 80)
			require.NoError(t, err)
			path := filepath.Join("testdata", c.name+"-"+name+".png")
			if *update {
				require.NoError(t, os.WriteFile(path, got, 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.LessOrEqual(t, len(want), 60_000, path)
			same, err := cmpimg.EqualApprox("png", got, want, 0.05)
			require.NoError(t, err)
			if !same {
				out := filepath.Join(t.TempDir(), filepath.Base(path))
				_ = os.WriteFile(out, got, 0o644)
				t.Errorf("%s looks otherwise; go test ./plots -update writes it anew", path)
			}
		}
	}
}

func TestDrawWritesTheFiguresThatHaveData(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "plots")
	paths, err := Draw([]*results.Document{load(t, "two")}, dir, Options{DPI: 40})
	require.NoError(t, err)
	var names []string
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	require.Equal(t, []string{"throughput.png", "throughput.svg", "latency.png", "latency.svg", "accuracy.png", "accuracy.svg",
		"learning.png", "learning.svg", "confusion.png", "confusion.svg", "calibration.png", "calibration.svg", "memory.png", "memory.svg", "throughput-accuracy.png", "throughput-accuracy.svg"}, names)

	d := load(t, "one")
	for i := range d.Results {
		d.Results[i].Accuracy, d.Results[i].Latency, d.Results[i].Memory = nil, nil, nil
	}
	dir = t.TempDir()
	paths, err = Draw([]*results.Document{d}, dir, Options{DPI: 40, Formats: []string{"svg"}})
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(dir, "throughput.svg")}, paths)
	again, err := Draw([]*results.Document{d}, dir, Options{Formats: []string{"svg"}})
	require.NoError(t, err, "figures are replaced")
	require.Equal(t, paths, again)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
}

func TestDrawSaysWhatIsWrong(t *testing.T) {
	one := []*results.Document{load(t, "one")}
	_, err := Draw(nil, t.TempDir(), Options{})
	require.ErrorIs(t, err, ErrNothing)
	_, err = Draw(one, t.TempDir(), Options{Formats: []string{"gif"}})
	require.ErrorContains(t, err, `"gif"; one of png, svg`)
	_, err = Draw(one, t.TempDir(), Options{DPI: 1e6})
	require.ErrorContains(t, err, "30 to 1200")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err = Draw(one, file, Options{})
	require.ErrorContains(t, err, file)
}

// inProcessOfItsOwn runs the test in a process of its own and is false there: a limit on files' sizes is the whole
// process's, and `go test` has the parent's log in a file too.
func inProcessOfItsOwn(t *testing.T) bool {
	const mark = "CLSBENCH_TEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return false
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), mark+"="+t.Name())
	out, err := c.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return true
}

// A full disk leaves neither a folder without plots nor half a plot.
func TestDrawOnAFullDisk(t *testing.T) {
	if inProcessOfItsOwn(t) {
		return
	}
	one := []*results.Document{load(t, "one")}
	dir := filepath.Join(t.TempDir(), "x-plots")
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1000, Max: was.Max}))
	_, err := Draw(one, dir, Options{})
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was))
	require.ErrorIs(t, err, syscall.EFBIG)
	require.ErrorContains(t, err, filepath.Join(dir, "throughput.png"))
	require.NoDirExists(t, dir)
}

// texts are the strings in an SVG.
func texts(t *testing.T, svg []byte) []string {
	var out []string
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		if s, ok := token.(xml.StartElement); ok && s.Name.Local == "text" {
			var v string
			require.NoError(t, d.DecodeElement(&v, &s))
			out = append(out, v)
		}
	}
}

func TestFiguresNameUnitsMachineAndSeries(t *testing.T) {
	d := load(t, "five")
	d.Results[0].Cell += ";note=<script>" // no name may break out of the SVG
	figures, err := figuresOf([]*results.Document{d}, Options{Pictures: drawn})
	require.NoError(t, err)
	for name, want := range map[string][]string{
		"throughput":          {"throughput, images/s (log scale)", "86.1k (85.6k–86.5k)", "unsupported", "torch-1.13-channels-last"},
		"latency":             {"time (log scale)", "share of steps, %", "100 µs", "onnxruntime"},
		"accuracy":            {"time, s", "top-1 accuracy, %", "target 98 %", "opencl"},
		"learning":            {"epochs", "training loss", "train b64: accuracy"},
		"confusion":           {"taken for", "is", "train b64 · opencl"},
		"calibration":         {"confidence, %", "right, %", "ECE 0.61 %"},
		"mistakes":            {"4 → 9", "99 %"},
		"memory":              {"memory at its highest, MiB", "anonymous", "device, in use", "55M + 20M device", "reference"},
		"throughput-accuracy": {"throughput, images/s", "top-1 accuracy, %", "infer", "train"},
	} {
		for _, f := range figures {
			if f.name != name {
				continue
			}
			svg, err := f.encode("svg", 0)
			require.NoError(t, err)
			got := texts(t, svg)
			for _, w := range want {
				require.Contains(t, got, w, name)
			}
			all := strings.Join(got, "\n")
			require.Contains(t, all, "AMD EPYC (Zen 5), 2 cores, VM", name)
			require.Contains(t, all, "24 November 2026", name)
			require.NotContains(t, string(svg), "<script", name)
			require.Contains(t, string(svg), "'Liberation Sans',Arial", name)
		}
	}
}

// lightness is CIE L* of a colour.
func lightness(s style) float64 {
	linear := func(c uint8) float64 {
		x := float64(c) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	y := 0.2126*linear(s.color.R) + 0.7152*linear(s.color.G) + 0.0722*linear(s.color.B)
	return 116*math.Cbrt(y) - 16
}

func TestSeriesDifferWithoutColour(t *testing.T) {
	type look struct {
		marker marker
		dashes int
	}
	dashesOf := func(s style) int {
		for i, d := range dashings {
			if len(d) == len(s.dashes) && (len(d) == 0 || &d[0] == &s.dashes[0]) {
				return i
			}
		}
		t.Fatal("no dashing of ours")
		return 0
	}
	seen := map[look]int{}
	for i := range 3 * len(palette) {
		s := styleOf(i)
		l := look{s.marker, dashesOf(s)}
		other, twice := seen[l]
		require.False(t, twice, "%d and %d look alike in grey", i, other)
		seen[l] = i
		if i > 0 && i < len(palette) {
			require.GreaterOrEqual(t, math.Abs(lightness(s)-lightness(styleOf(i-1))), 6.0, "%d and its neighbour", i)
		}
	}
	for i := range fills {
		for j := range i {
			a, b := fills[i], fills[j]
			d := math.Abs(lightness(style{color: a.color}) - lightness(style{color: b.color}))
			require.True(t, a.hatch != b.hatch || d > 30, "parts %d and %d of memory look alike in grey", i, j)
		}
	}
}

func TestTicks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := math.Pow(10, rapid.Float64Range(-6, 6).Draw(t, "low"))
		high := low * math.Pow(10, rapid.Float64Range(0.01, 6).Draw(t, "decades"))
		log := rapid.Bool().Draw(t, "log")
		ticks := unitTicks{log: log, format: short}.Ticks(low, high)
		labels := 0
		for i, k := range ticks {
			require.GreaterOrEqual(t, k.Value, low*(1-1e-6))
			require.LessOrEqual(t, k.Value, high*(1+1e-6))
			if i > 0 {
				require.Greater(t, k.Value, ticks[i-1].Value)
			}
			if !k.IsMinor() {
				labels++
				require.LessOrEqual(t, len(k.Label), 13)
			}
		}
		require.GreaterOrEqual(t, labels, 1)
		require.LessOrEqual(t, labels, 11)
	})
	rapid.Check(t, func(t *rapid.T) {
		low := math.Pow(10, rapid.Float64Range(-6, 6).Draw(t, "low"))
		high := low * math.Pow(10, rapid.Float64Range(0.01, 6).Draw(t, "decades"))
		u := unitTicks{log: rapid.Bool().Draw(t, "log"), format: timeLabel, room: vg.Length(rapid.Float64Range(30, 400).Draw(t, "room"))}
		labels, end := 0, math.Inf(-1)
		for _, k := range u.Ticks(low, high) {
			if k.IsMinor() {
				continue
			}
			labels++
			at := (k.Value - low) / (high - low)
			if u.log {
				at = math.Log(k.Value/low) / math.Log(high/low)
			}
			half := float64(textStyle(sizeTick, ink).Width(k.Label)) / 2
			require.Greater(t, at*float64(u.room)-half, end+1, "%q overlaps the label before it", k.Label)
			end = at*float64(u.room) + half
		}
		require.GreaterOrEqual(t, labels, 1)
	})
	labels := func(ts []plot.Tick) (out []string) {
		for _, k := range ts {
			if !k.IsMinor() {
				out = append(out, k.Label)
			}
		}
		return out
	}
	require.Equal(t, []string{"0", "100k", "200k", "300k", "400k"}, labels(unitTicks{format: rateLabel}.Ticks(0, 420_000)))
	require.Equal(t, []string{"10 µs", "20 µs", "50 µs", "100 µs", "200 µs"}, labels(unitTicks{log: true, format: timeLabel}.Ticks(0.009, 0.21)))
	require.Equal(t, []string{"1k", "10k", "100k", "1M"}, labels(unitTicks{log: true, format: rateLabel}.Ticks(900, 1.1e6)))
	require.Equal(t, []string{"10 µs", "100 µs"}, labels(unitTicks{log: true, format: timeLabel, room: 80}.Ticks(0.009, 0.21)))
	require.Equal(t, []string{"0", "200k", "400k"}, labels(unitTicks{format: rateLabel, room: 70}.Ticks(0, 420_000)))
	require.Equal(t, []string{"500 ns", "2 s", "97.5"}, []string{timeLabel(5e-4), timeLabel(2000), percentLabel(0.975)})
}
