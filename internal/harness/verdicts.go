package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/workloads/data"
)

// verdicts remembers what was proved of an executable, under all that the
// proof depends on, in a folder of the user's cache. The zero value remembers
// nothing.
type verdicts struct{ dir string }

// openVerdicts uses the cache folder; without one nothing is remembered.
func openVerdicts() verdicts {
	dir, err := data.CacheDir()
	if err != nil {
		return verdicts{}
	}
	return verdicts{filepath.Join(dir, "verdicts")}
}

// maxVerdict bounds a file of the cache, bytes.
const maxVerdict = 1 << 20

// load gives a remembered verdict, nil if there is none that can be read. Only
// passes are remembered: what failed is worth another look.
func (c verdicts) load(key string) *conformance.Verdict {
	path := filepath.Join(c.dir, key+".json")
	info, err := os.Stat(path)
	if c.dir == "" || err != nil || info.Size() > maxVerdict {
		return nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var v conformance.Verdict
	if json.Unmarshal(b, &v) != nil || v.Result != conformance.Pass || v.Total == 0 {
		return nil
	}
	v.Cached = true
	return &v
}

// save remembers a pass. That it can't be written costs time, not truth.
func (c verdicts) save(key string, v *conformance.Verdict) {
	if c.dir == "" || v.Result != conformance.Pass || os.MkdirAll(c.dir, 0o755) != nil {
		return
	}
	if b, err := json.Marshal(v); err == nil {
		_ = renameio.WriteFile(filepath.Join(c.dir, key+".json"), b, 0o644)
	}
}

// judgeOps runs the suite's quickest cases of the ops that the bench's cells
// are made of, once a bench.
func (h *run) judgeOps(ctx context.Context, b *bench, cells []*Cell) error {
	if b.ops != nil {
		return nil
	}
	if err := b.open(ctx); err != nil {
		return err
	}
	ops, err := h.opsOf(ctx, cells)
	if err != nil {
		return err
	}
	runner, err := conformance.NewRunner(b.plugin, conformance.Options{
		Suites: []conformance.Suite{conformance.InferenceCore, conformance.TrainingCore}, Effort: conformance.Smoke, Ops: ops,
		Seed: randomSource(h.opts.Seed, "ops").Uint64N(conformance.MaxSeed-1) + 1, Config: b.config, Label: b.spec.String(),
		Cache: h.cache, Timeout: h.opts.Timeout,
		Progress: func(done, total int, _ *conformance.Result) { h.events.Stage("conform", done, total, b.spec.Label) },
	})
	if err != nil {
		return err
	}
	report, err := runner.Run(ctx)
	if err != nil {
		return err
	}
	b.ops = report.AsVerdict()
	return nil
}

// opsOf lists the ops of the programs of cells, fitted to no backend.
func (h *run) opsOf(ctx context.Context, cells []*Cell) ([]string, error) {
	var ops []string
	for _, c := range cells {
		set, err := h.sets.open(ctx, c.Data, c.Workload)
		if err != nil {
			return nil, err
		}
		p, err := h.uncalibrated(c, set)
		if err != nil {
			return nil, err
		}
		for _, n := range p.Nodes {
			if !slices.Contains(ops, n.Op) {
				ops = append(ops, n.Op)
			}
		}
	}
	if len(ops) == 0 {
		return nil, fmt.Errorf("programs without ops")
	}
	return ops, nil
}
