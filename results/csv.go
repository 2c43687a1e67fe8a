package results

import "strings"

type csvColumn struct {
	name  string
	value func(*Document, *Result) any // nil is an empty field
}

// of makes a column's value out of a part that a result may lack.
func of[P any](part func(*Result) *P, value func(*P) any) func(*Document, *Result) any {
	return func(_ *Document, r *Result) any {
		if p := part(r); p != nil {
			return value(p)
		}
		return nil
	}
}

func field(value func(*Result) any) func(*Document, *Result) any {
	return func(_ *Document, r *Result) any { return value(r) }
}

func throughput(value func(*Throughput) any) func(*Document, *Result) any {
	return of(func(r *Result) *Throughput { return r.Throughput }, value)
}

func latency(value func(*Latency) any) func(*Document, *Result) any {
	return of(func(r *Result) *Latency { return r.Latency }, value)
}

func memory(value func(*Memory) any) func(*Document, *Result) any {
	return of(func(r *Result) *Memory { return r.Memory }, value)
}

func setup(value func(*Setup) any) func(*Document, *Result) any {
	return of(func(r *Result) *Setup { return r.Setup }, value)
}

func accuracy(value func(*Accuracy) any) func(*Document, *Result) any {
	return of(func(r *Result) *Accuracy { return r.Accuracy }, value)
}

// orNil is a number that may be missing.
func orNil(x *float64) any {
	if x == nil {
		return nil
	}
	return *x
}

var csvColumns = []csvColumn{
	{"run", func(d *Document, _ *Result) any { return d.Run.ID }},
	{"started", func(d *Document, _ *Result) any { return d.Run.Started.UTC().Format("2006-01-02T15:04:05Z") }},
	{"machine", func(d *Document, _ *Result) any { return d.Machine.Title() }},
	{"effort", func(d *Document, _ *Result) any { return d.Run.Effort.Name }},
	{"cell", field(func(r *Result) any { return r.Cell })},
	{"status", field(func(r *Result) any { return r.Status })},
	{"backend", field(func(r *Result) any { return r.Backend })},
	{"implementation", field(func(r *Result) any { return r.Implementation })},
	{"workload", field(func(r *Result) any { return r.Workload })},
	{"mode", field(func(r *Result) any { return r.Mode })},
	{"scenario", field(func(r *Result) any { return r.Scenario })},
	{"data", field(func(r *Result) any { return r.Data })},
	{"precision", field(func(r *Result) any { return r.Precision })},
	{"batch", field(func(r *Result) any { return r.Batch })},
	{"threads", field(func(r *Result) any { return r.Threads })},
	{"math", field(func(r *Result) any { return r.Math })},
	{"images_per_s", throughput(func(t *Throughput) any { return t.Median })},
	{"images_per_s_low", throughput(func(t *Throughput) any { return t.Low })},
	{"images_per_s_high", throughput(func(t *Throughput) any { return t.High })},
	{"confidence", throughput(func(t *Throughput) any { return t.Confidence })},
	{"rounds", throughput(func(t *Throughput) any { return len(t.Rounds) })},
	{"p50_ms", latency(func(l *Latency) any { return l.P50 })},
	{"p90_ms", latency(func(l *Latency) any { return orNil(l.P90) })},
	{"p99_ms", latency(func(l *Latency) any { return orNil(l.P99) })},
	{"latency_samples", latency(func(l *Latency) any { return l.Count })},
	{"top1", accuracy(func(a *Accuracy) any { return a.Top1 })},
	{"train_seconds", accuracy(func(a *Accuracy) any {
		if len(a.Runs) == 0 {
			return nil
		}
		return a.Seconds
	})},
	{"seeds", accuracy(func(a *Accuracy) any { return len(a.Runs) })},
	{"tensor_bytes", of(func(r *Result) *Model { return r.Model }, func(m *Model) any { return m.Bytes })},
	{"checkpoint_bytes", of(func(r *Result) *Model { return r.Model }, func(m *Model) any { return m.Checkpoint })},
	{"peak_bytes", memory(func(m *Memory) any { return m.Peak })},
	{"anonymous_bytes", memory(func(m *Memory) any { return m.Anonymous })},
	{"shared_bytes", memory(func(m *Memory) any { return m.Shared })},
	{"device_used_bytes", memory(func(m *Memory) any {
		if m.Device == nil {
			return nil
		}
		return m.Device.Used
	})},
	{"open_ms", setup(func(s *Setup) any { return s.Open })},
	{"compile_ms", setup(func(s *Setup) any { return s.Compile })},
	{"first_run_ms", setup(func(s *Setup) any { return s.FirstRun })},
	{"harness_us_per_step", field(func(r *Result) any { return orNil(r.HarnessMicros) })},
	{"peak_share", field(func(r *Result) any { return orNil(r.PeakShare) })},
	{"peak", field(func(r *Result) any { return r.Peak })},
	{"conformance", field(func(r *Result) any { return r.Conformance.Verdict })},
	{"cases_passed", field(func(r *Result) any { return r.Conformance.Passed })},
	{"cases_total", field(func(r *Result) any { return r.Conformance.Total })},
	{"flags", field(func(r *Result) any { return strings.Join(r.Flags, " ") })},
	{"cause", of(func(r *Result) *Cause { return r.Cause }, func(c *Cause) any { return c.Message })},
	{"plugin_hash", field(func(r *Result) any { return r.PluginHash })},
	{"plan_digest", field(func(r *Result) any { return r.PlanDigest })},
	{"repro", field(func(r *Result) any { return r.Repro })},
}
