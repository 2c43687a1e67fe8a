package results

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
)

// The documents in testdata are made up, by a seed, so that they look like real ones: a run of one backend, of two, of
// five with long names, and one where much fails. go test ./results -update writes them anew.

type subject struct {
	label, implementation, version string
	speed                          float64 // against cpu
	trains                         bool
	seeds                          int
	failure                        *Result // of its inference at batch 32
}

func ptr[T any](v T) *T { return &v }

var fixtures = map[string][]subject{
	"one.json": {{label: "cpu", implementation: "avx512", version: "0.1.0", speed: 1, trains: true, seeds: 1}},
	"two.json": {
		{label: "cpu", implementation: "avx512", version: "0.1.0", speed: 1, trains: true, seeds: 3},
		{label: "torch", implementation: "oneDNN", version: "1.13.1", speed: 0.48, trains: true, seeds: 3},
	},
	"five.json": {
		{label: "cpu", implementation: "avx512", version: "0.1.0", speed: 1, trains: true, seeds: 1},
		{label: "torch-1.13-channels-last", implementation: "oneDNN", version: "1.13.1", speed: 0.48, trains: true, seeds: 1},
		{label: "onnxruntime", implementation: "mlas", version: "1.30", speed: 0.995},
		{label: "opencl", implementation: "PoCL", version: "3.1", speed: 0.71, trains: true, seeds: 1},
		{label: "reference", version: "0.1.0", speed: 0.0025},
	},
	"failed.json": {
		{label: "cpu", implementation: "avx512", version: "0.1.0", speed: 1, trains: true, seeds: 1},
		{label: "vendor", version: "2.0", speed: 0.6, failure: &Result{Status: StatusCrashed, Cause: &Cause{
			Kind: CauseUnavailable, Message: "the plugin ended with signal 11 (SIGSEGV)", Node: "conv2", Op: "Conv",
			LogTail: []string{"vendor: arena 41943040 bytes", "fatal: bad access at 0x0"}}}},
		{label: "liar", version: "9", speed: 40, failure: &Result{Status: StatusInvalid, Cause: &Cause{
			Kind: CauseOverLimit, Message: "38.2 times the machine's peak"}}},
	},
}

func fixtureMachine() machine.Info {
	return machine.Info{
		ID: "0b7c5d21aa90",
		CPU: machine.CPU{
			Model: "AMD EPYC", Vendor: "AMD", Family: 26, ModelNum: 2, Stepping: 1, Microarchitecture: "Zen 5",
			LogicalCPUs: 2, PhysicalCores: 2, ThreadsPerCore: 1, Sockets: 1, Allowed: []int{0, 1}, NUMANodes: 1,
			SMT: "off", Governor: machine.Unknown, Boost: machine.Unknown, MHz: 4192,
			ISA: []string{"AVX2", "AVX512F", "FMA3"}, Caches: []machine.Cache{{Level: 2, Kind: "unified", Bytes: 1 << 20, SharedBy: 1}},
		},
		Memory:     machine.Memory{Total: 8 << 30, Available: 7 << 30, HugePages: "madvise", SharedTotal: 4 << 30, SharedFree: 4 << 30},
		Cgroup:     machine.Cgroup{Version: "v1"},
		Hypervisor: "KVM", Container: machine.None, GPUs: []machine.GPU{},
		Software: machine.Software{OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.1.0-18-amd64", Platform: "linux/amd64",
			Go: "go1.26.0", Clsbench: "v0.1.0", Revision: machine.Unknown},
		Environment: map[string]string{"OMP_NUM_THREADS": "2"},
	}
}

func fixturePeaks(fma float64) machine.Peaks {
	p := machine.Peaks{}
	p.Put(machine.Peak{Name: machine.PeakFMA, Threads: 1, Value: fma * 0.51, Unit: "GFLOP/s", How: "avx512, made up"})
	p.Put(machine.Peak{Name: machine.PeakFMA, Threads: 2, Value: fma, Unit: "GFLOP/s", How: "avx512, made up"})
	p.Put(machine.Peak{Name: machine.PeakRead, Threads: 2, Value: 73, Unit: "GB/s", How: "1 GiB, made up"})
	p.Put(machine.Peak{Name: machine.PeakRPC, Value: 71, Unit: "µs", How: "made up"})
	return p
}

// fixture makes a document up. Rounds are interleaved: each has its own drift, which all backends share.
func fixture(name string, seed uint64) *Document {
	rng := rand.New(rand.NewPCG(seed, 9))
	d := &Document{
		Schema: Schema,
		Run: Run{
			ID:      fmt.Sprintf("7c1e%08x", uint32(seed)*2654435761),
			Started: time.Date(2026, 11, 24, 11, 0, int(seed), 0, time.UTC), Ended: time.Date(2026, 11, 24, 11, 1, 40, 0, time.UTC),
			Command: []string{"clsbench", "run", "--effort", "standard"}, Seed: seed,
			Effort: Effort{Name: "standard", Rounds: 10, RoundSeconds: 2, Processes: 10},
		},
		Machine: fixtureMachine(), Peaks: fixturePeaks(503), Results: []Result{},
		Conditions: &machine.Conditions{Seconds: 100, StealPercent: ptr(0.4)},
		Warnings:   []string{"shared VM: differences under 4 % are invisible here"},
	}
	if name == "five.json" {
		d.Run.Effort.Rounds = 12
	}
	for _, c := range []struct {
		mode  string
		batch int
		rate  float64
	}{{"infer", 1, 86_100}, {"infer", 32, 402_000}, {"train", 64, 61_200}} {
		drift := make([]float64, d.Run.Effort.Rounds)
		for i := range drift {
			drift[i] = math.Exp(0.006 * rng.NormFloat64())
		}
		for _, s := range fixtures[name] {
			d.Results = append(d.Results, fixtureCell(rng, s, c.mode, c.batch, c.rate*s.speed, drift))
		}
	}
	if err := d.CompareWithin("", 0.02); err != nil {
		panic(err)
	}
	return d
}

func fixtureCell(rng *rand.Rand, s subject, mode string, batch int, rate float64, drift []float64) Result {
	cell := Cell{Workload: "lenet5", Mode: mode, Precision: "f32", Batch: batch, Backend: s.label}
	r := Result{
		Cell: cell.String(), Status: StatusOK, Backend: s.label, Workload: "lenet5", Mode: mode, Scenario: "offline",
		Data: "digits/v1", Precision: "f32", Batch: batch, Threads: 2, Math: "strict", Implementation: s.implementation,
		Version: s.version, PluginHash: fmt.Sprintf("%x", sha256.Sum256([]byte(s.label))), PlanDigest: fmt.Sprintf("%016x", batch*0x51ed27),
		Conformance: Conformance{Verdict: VerdictPass, Passed: 412, Total: 412, Worst: ptr(0.31), Suite: "lenet5/v1", Key: "c0ffee", Cached: batch > 1},
		Repro:       "clsbench run --workload lenet5 --filter '^" + cell.String() + "$'",
	}
	switch {
	case mode == "train" && !s.trains:
		r.Status, r.Cause = StatusUnsupported, &Cause{Kind: CauseUnimplemented, Message: "no gradients", Node: "conv1_dx", Op: "ConvGradInput"}
		r.Conformance = Conformance{Verdict: VerdictNone}
		return r
	case s.failure != nil && (batch == 32 || s.failure.Status == StatusInvalid):
		r.Status, r.Cause, r.Conformance = s.failure.Status, s.failure.Cause, Conformance{Verdict: VerdictPartial, Passed: 401, Total: 412}
		if r.Status == StatusCrashed {
			return r
		}
	}
	rounds := make([]float64, len(drift))
	for i := range rounds {
		rounds[i] = math.Round(rate * drift[i] * math.Exp(0.004*rng.NormFloat64()))
	}
	r.Throughput = &Throughput{Estimate: measure.MedianOf(rounds), Unit: "images/s", Rounds: rounds}
	r.Latency = fixtureLatency(rng, 1e3*float64(batch)/rate)
	r.FLOPsPerImage = 571_000
	if mode == "train" {
		r.FLOPsPerImage *= 3
		r.Scenario = "train"
	}
	r.Peak, r.PeakShare = "fma.f32/2", ptr(r.FLOPsPerImage*r.Throughput.Median/503e9)
	shared := int64(batch) << 17
	r.Memory = &Memory{Peak: 41<<20 + int64(batch)<<18 + int64(30e6*(1.2-min(s.speed, 1))), Shared: shared}
	r.Memory.Anonymous = r.Memory.Peak - shared - 12<<20
	if s.label == "opencl" {
		r.Memory.Device = &DeviceMemory{Used: 20 << 20, Allocated: 26 << 20, Reserved: 32 << 20}
	}
	r.Setup = &Setup{Open: 11.2, Compile: 3.1, FirstRun: 0.4}
	step := r.Latency.P50
	r.Time = &TimeSplit{H2D: 0.02 * step, Device: 0.95 * step, D2H: 0.01 * step, Host: 0.02 * step, RPC: 0.071}
	r.HarnessMicros = ptr(1.3)
	r.Warmup = &Warmup{Steps: 40, Seconds: 0.2, Stable: true}
	if s.seeds > 0 {
		r.Accuracy = fixtureAccuracy(rng, s, rate, mode)
	}
	return r
}

func fixtureLatency(rng *rand.Rand, typical float64) *Latency {
	var l measure.Latencies
	for range 700 {
		x := typical * math.Exp(0.03*rng.NormFloat64())
		if rng.IntN(40) == 0 {
			x *= 1 + rng.ExpFloat64()/2
		}
		l.Add(int64(math.Max(1, math.Round(x*1e6))))
	}
	return NewLatency(&l)
}

func fixtureAccuracy(rng *rand.Rand, s subject, rate float64, mode string) *Accuracy {
	if mode != "train" {
		return &Accuracy{Top1: 0.9871 - 0.0003*float64(len(s.label)%5)}
	}
	a := &Accuracy{Target: 0.98, Floor: 0.97}
	for i := range s.seeds {
		run := Training{Seed: uint64(i + 1), Reached: true, Curve: []CurvePoint{}}
		for e := 1; e <= 12; e++ {
			miss := 0.0128 + 0.0004*rng.Float64() + 0.09*math.Exp(-0.55*float64(e))*(1+0.15*rng.NormFloat64())
			run.Curve = append(run.Curve, CurvePoint{Epoch: float64(e), Seconds: math.Round(float64(e)*60_000/rate*100) / 100,
				Top1: math.Round((1-miss)*1e4) / 1e4, Loss: math.Round(3.2*miss*1e4) / 1e4})
		}
		last := run.Curve[len(run.Curve)-1]
		run.Top1, run.Seconds = last.Top1, last.Seconds
		a.Runs = append(a.Runs, run)
	}
	a.Top1, a.Seconds = a.Runs[0].Top1, a.Runs[0].Seconds
	a.Test = fixtureClassification(a.Top1)
	return a
}

// fixtureClassification errs mostly between digits that look alike, and is surer than it is right.
func fixtureClassification(top1 float64) *Classification {
	rng := rand.New(rand.NewPCG(uint64(top1*1e4), 10))
	x := &Classification{Images: 10_000, Top5: 0.9996, Loss: math.Round(4e4*(1-top1)) / 1e4, MacroF1: top1, CalibrationError: 0.0061}
	for i := range 10 {
		x.Classes = append(x.Classes, ClassScore{Name: fmt.Sprint(i), Images: 1000, Predicted: 1000, Precision: top1, Recall: top1})
	}
	wrong := int(math.Round(float64(x.Images) * (1 - top1)))
	pairs := [][2]int{{4, 9}, {7, 1}, {3, 5}, {8, 3}, {9, 4}, {5, 6}, {2, 7}, {0, 6}}
	for i, p := range pairs {
		x.Confusions = append(x.Confusions, Confusion{p[0], p[1], max(1, wrong>>(i+1))})
	}
	left := x.Images
	for i := range 15 {
		share := 0.985
		if i < 14 {
			share = 0.001 * float64(1+i%3) * float64(i/10)
		}
		b := CalibrationBin{Images: min(left, int(share*float64(x.Images)))}
		if i == 14 {
			b.Images = left
		}
		if left -= b.Images; b.Images > 0 {
			b.Confidence = math.Round((float64(i)+0.6)/15*1e4) / 1e4
			b.Correct = int(float64(b.Images) * (b.Confidence - 0.1*rng.Float64()*(1-b.Confidence)))
		}
		x.Calibration = append(x.Calibration, b)
	}
	for i := range 24 {
		p := pairs[i%len(pairs)]
		x.Mistakes = append(x.Mistakes, Mistake{Image: rng.IntN(x.Images), Label: p[0], Predicted: p[1], Confidence: 0.99 - 0.01*float64(i)})
	}
	return x
}

func TestFixturesAreUpToDate(t *testing.T) {
	for i, name := range slices.Sorted(maps.Keys(fixtures)) {
		var b bytes.Buffer
		require.NoError(t, fixture(name, uint64(i)).Encode(&b))
		path := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
		}
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, b.String(), string(got), "%s: go test ./results -update writes it anew", name)
	}
}

func TestExamplesAreValid(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), len(fixtures))
	for _, p := range paths {
		_, err := ReadFile(p)
		require.NoError(t, err)
	}
}
