package conformance

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/onnx"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/safetensors"
)

// MaxBundles bounds what a broken backend leaves on the disk.
const MaxBundles = 20

// Repro is the line that runs one case of a report again on the same data.
func Repro(r *Report, x *Result) string {
	what := fmt.Sprint("--effort ", r.Effort)
	for _, n := range r.Networks {
		if x.Program == n.Title() {
			what = fmt.Sprintf("--from-network %s --batch %d", quote(n.Network), n.Batch)
		}
	}
	line := fmt.Sprintf("clsbench conform --backend %s %s --filter %s --seed %d",
		quote(cmp.Or(r.Backend.Label, r.Backend.Name)), what, quote("^"+regexp.QuoteMeta(x.Case)+"$"), r.Seed)
	if r.Backend.Threads > 0 {
		line += fmt.Sprint(" --threads ", r.Backend.Threads)
	}
	if r.Backend.Math != graph.Strict {
		line += " --math " + r.Backend.Math
	}
	return line
}

// repeatScript runs a line of Repro, by the program that CLSBENCH names or the
// PATH has, with what else it is given.
func repeatScript(line string) string {
	return fmt.Sprintf("#!/bin/sh\n# Run it in the folder that the failing run was started in.\nexec \"${CLSBENCH:-clsbench}\" %s \"$@\"\n", strings.TrimPrefix(line, "clsbench "))
}

// quote makes a word of a shell's command line.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// evidence is the part of a bundle that a person reads first.
type evidence struct {
	*Result
	SuiteVersion string      `json:"suite_version"`
	Bounds       string      `json:"bounds_digest"`
	Reference    string      `json:"reference_digest"`
	Judge        string      `json:"judge_hash"` // of the program that has suite and reference in it
	Seed         uint64      `json:"seed"`
	Set          int         `json:"set"`
	Repro        string      `json:"repro"`
	Backend      BackendInfo `json:"backend"`
	Program      string      `json:"program_digest"`
	// Planned is what the backend made of the program that failed; Partition,
	// where the result has one, what it was cut out of.
	Planned []Part `json:"planned"`
	// Smallest is the smallest case of the op, type and class that fails,
	// Nearest the one that passes at the least Distance from it, see outline.
	Smallest string       `json:"smallest_failing"`
	Nearest  string       `json:"nearest_passing,omitempty"`
	Distance *float64     `json:"nearest_distance,omitempty"`
	Features []string     `json:"features"`
	Reruns   []Rerun      `json:"reruns"`
	Second   SecondOracle `json:"second_oracle"`
}

// bundles writes a folder for each failure, as far as there is evidence.
func (r *Runner) bundles(ctx context.Context, rep *Report) error {
	if r.opt.Out == "" {
		return nil
	}
	n := 0
	for _, res := range rep.Results {
		if res.failed == nil || n == MaxBundles {
			continue
		}
		n++
		if err := r.bundle(ctx, rep, res); err != nil {
			return fmt.Errorf("bundle of %s: %w", res.Case, err)
		}
	}
	return nil
}

func (r *Runner) bundle(ctx context.Context, rep *Report, res *Result) error {
	dir := filepath.Join(r.opt.Out, fileName(res.Case))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	t := res.failed.trial
	e := evidence{
		Result: res, SuiteVersion: rep.Version, Bounds: rep.Bounds, Reference: reference.Digest(), Judge: thisProgram(), Seed: rep.Seed, Set: t.Draw.Set, Repro: Repro(rep, res),
		Backend: rep.Backend, Program: onnx.Digest(t.Program), Features: r.features, Reruns: r.reruns(ctx, res), Second: t.secondOracle(r.oracle), Planned: []Part{},
	}
	for _, p := range res.plan.Partitions {
		e.Planned = append(e.Planned, Part(p))
	}
	e.neighbours(rep, res)
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	model, err := onnx.Marshal(t.Program)
	if err != nil {
		return err
	}
	files := map[string][]byte{"finding.json": append(text, '\n'), "program.onnx": model, "repeat.sh": []byte(repeatScript(e.Repro))}
	for name, values := range map[string]map[string]*tensor.Tensor{
		"inputs": t.inputs(), "expected": t.honest(), "got": res.failed.got,
	} {
		if values == nil {
			continue // there was no answer
		}
		var b bytes.Buffer
		if err := safetensors.Encode(&b, values, map[string]string{"case": res.Case}); err != nil {
			return err
		}
		files[name+".safetensors"] = b.Bytes()
	}
	for name, data := range files {
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, mode); err != nil {
			return err
		}
	}
	return nil
}

func (e *evidence) neighbours(rep *Report, res *Result) {
	var distance float64
	if e.Smallest, e.Nearest, distance = neighbours(rep, res); e.Nearest != "" {
		e.Distance = &distance
	}
}

// fileName makes a case's name one of a folder.
func fileName(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("=,-_.", r):
			return r
		}
		return '_'
	}, name)
}
