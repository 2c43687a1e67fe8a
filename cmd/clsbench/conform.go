package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
)

type conformFlags struct {
	backend  string
	suites   []string
	filter   string
	effort   string
	seed     uint64
	threads  int
	math     string
	out      string
	bundles  string
	onnx     string
	networks []string
	batch    int
	list     bool
	self     bool
	timeout  time.Duration
}

func newConformCmd() *cobra.Command {
	var f conformFlags
	cmd := &cobra.Command{
		Use:   "conform",
		Short: "Run the conformance suites on a backend",
		Long: `conform starts a backend and runs the suites' cases on it: single ops, gradients,
fused and cut programs, networks, trajectories, and the contract itself. Bounds
come from float64 and from what legal implementations do. A failure names the
case, its error as a multiple of the bound, the worst element, what the wrong
ones have in common, and the line that repeats it.

With --from-network the backend compiles whole networks, and each partition of
its plans is cut out at its real shape and judged as a case; nodes that no
partition has, or whose partition could not be judged, are listed, and with one
there is no pass.

Exit codes: 0 pass; 1 a case failed, the backend could run none, or part of a
network was not judged; 2 bad input, such as a filter that matches no case; 3
the backend did not come up; 130 interrupted.`,
		Example: `  clsbench conform --backend cpu
  clsbench conform --backend cpu:isa=generic --effort quick
  clsbench conform --backend 'exec:./my-plugin' --suite protocol
  clsbench conform --backend cpu --filter '^Conv/' --list
  clsbench conform --backend cpu --out report.json --bundles ./failures
  clsbench conform --backend cpu --onnx /usr/share/libonnx-testdata/data
  clsbench conform --backend cpu --from-network resnet18,vit_micro
  clsbench conform --self-test                  does the suite catch what it must?`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.backend, "backend", "cpu", "backend to judge")
	fl.StringSliceVar(&f.suites, "suite", nil, "suites, a list (default all): "+strings.Join(suiteNames(), ", "))
	fl.StringVar(&f.filter, "filter", "", "only cases whose name matches this RE2 expression")
	fl.StringVar(&f.effort, "effort", "standard", "smoke, quick or standard")
	fl.Uint64Var(&f.seed, "seed", 0, "seed of all data (default a fresh one, recorded)")
	fl.IntVar(&f.threads, "threads", 0, "threads of the backend (default all that the process may use)")
	fl.StringVar(&f.math, "math", graph.Strict, "math mode of the session")
	fl.StringVar(&f.out, "out", "", "file for the report, JSON")
	fl.StringVar(&f.bundles, "bundles", "", "folder for failures: program, inputs, expected, got")
	fl.StringVar(&f.onnx, "onnx", "", "run a folder of ONNX's own backend tests in place of the suites; --filter is on their names")
	fl.StringSliceVar(&f.networks, "from-network", nil, "judge the partitions that the backend makes of these networks in place of the suites, a list; "+
		conformance.AllNetworks+" for every one")
	fl.IntVar(&f.batch, "batch", 0, "images of --from-network (default 1, in training 2)")
	fl.BoolVar(&f.list, "list", false, "print the cases' names and stop; with --self-test those of the faults and variants")
	fl.BoolVar(&f.self, "self-test", false, "turn the suite on planted faults and legal variants, and print the kill matrix")
	fl.DurationVar(&f.timeout, "timeout", time.Minute, "how long one case may take")
	complete(cmd, map[string]cobra.CompletionFunc{
		"backend": completeBackends, "suite": list(suiteNames()...), "effort": fixed("smoke", "quick", "standard"),
		"math": completeMath, "filter": completeOps, "out": filesOf("json"), "bundles": folders,
		"onnx": folders, "from-network": completeNetworks,
	})
	ownFlags(cmd, "batch", "out", "filter", "effort", "math", "timeout")
	return cmd
}

// completeOps offers an expression for the cases of each op.
func completeOps(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var ops []string
	for _, name := range (conformance.Options{}).Names() {
		op, _, _ := strings.Cut(name, "/")
		ops = append(ops, "^"+op+"/")
	}
	return once(ops), noFiles
}

func suiteNames() (names []string) {
	for _, s := range conformance.Suites() {
		names = append(names, string(s))
	}
	return names
}

// options turns flags into the suite's options.
func (f *conformFlags) options() (o conformance.Options, err error) {
	for _, s := range f.suites {
		suite, err := conformance.ParseSuite(s)
		if err != nil {
			return o, usagef("flag --suite: %w", err)
		}
		o.Suites = append(o.Suites, suite)
	}
	if o.Effort, err = conformance.ParseEffort(f.effort); err != nil {
		return o, usagef("flag --effort: %w", err)
	}
	if f.filter != "" {
		if o.Filter, err = regexp.Compile(f.filter); err != nil {
			return o, usagef("flag --filter: %w", err)
		}
	}
	if f.seed >= conformance.MaxSeed {
		return o, usagef("flag --seed: %d: want less than 2^53", f.seed)
	}
	if f.threads < 0 || f.threads > backends.MaxThreads {
		return o, usagef("flag --threads: %d: want 0 (all) to %d", f.threads, backends.MaxThreads)
	}
	if f.timeout < time.Second {
		return o, usagef("flag --timeout: %v: want at least 1s", f.timeout)
	}
	o.Seed, o.Label, o.Timeout, o.Out, o.Cache = f.seed, f.backend, f.timeout, f.bundles, conformance.UserCache()
	o.Config = backends.SessionConfig{Math: f.math, Threads: f.threads, Guards: true}
	return o, nil
}

// probeOutputs finds out before the suites run whether what they find can be
// kept.
func (f *conformFlags) probeOutputs() error {
	if f.out != "" {
		if err := writable(f.out); err != nil {
			return usagef("flag --out: %w", err)
		}
	}
	if f.bundles != "" {
		if err := os.MkdirAll(f.bundles, 0o755); err != nil {
			return usagef("flag --bundles: no folder can be made at %s", f.bundles)
		}
		if err := writable(filepath.Join(f.bundles, "bundle")); err != nil {
			return usagef("flag --bundles: %w", err)
		}
	}
	return nil
}

// writable says whether a file could be written at path, without touching what
// is there.
func writable(path string) error {
	dir := filepath.Dir(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: want a file", path)
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("no file can be made in %s", dir)
	}
	name := f.Name()
	f.Close()
	return os.Remove(name)
}

func (f *conformFlags) run(cmd *cobra.Command) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	if f.self {
		return f.selfTest(cmd, o)
	}
	var tests []conformance.ONNXTest
	if f.onnx != "" {
		if tests, err = f.onnxTests(cmd, o); err != nil {
			return err
		}
	}
	programs, err := f.networkPrograms(cmd)
	if err != nil {
		return err
	}
	if names := f.names(o, tests); len(programs) > 0 {
		// What cases there are follows from the backend's plans.
	} else if f.list {
		for _, n := range names {
			fmt.Fprintln(cmd.OutOrStdout(), n)
		}
		return nil
	} else if len(names) == 0 {
		return f.noCase(conformance.ErrNoCase)
	}
	spec, err := plugin.ParseSpec(f.backend)
	if err != nil {
		return usagef("flag --backend: %w", err)
	}
	if err := f.probeOutputs(); err != nil {
		return err
	}
	p, err := openPlugin(cmd.Context(), spec)
	if err != nil {
		return err
	}
	defer func() { p.Close() }()
	if d, err := p.Describe(cmd.Context()); err == nil && f.math != graph.Strict && !slices.Contains(d.Math, f.math) {
		return usagef("flag --math: backend %s has no mode %q: want %s", d.Name, f.math, strings.Join(append([]string{graph.Strict}, d.Math...), ", "))
	}
	if len(programs) > 0 && f.list {
		return f.listPartitions(cmd, p, o, programs)
	}
	ui := newProgress(cmd)
	defer ui.Close()
	o.Progress = func(done, total int, r *conformance.Result) {
		ui.Stage("conform", done, total, cmp.Or(r.Program, r.Op))
		if r.Status != conformance.StatusPass && r.Status != conformance.StatusUnsupported {
			ui.say("%-12s%s: %s", r.Status, r.Case, r.Why)
		}
	}
	o.Restart = func(ctx context.Context) (backends.Backend, error) {
		p.Close()
		next, err := openPlugin(ctx, spec)
		if err == nil {
			p = next
		}
		return next, err
	}
	switch {
	case f.onnx != "":
		return f.judgeONNX(cmd, p, o, tests, ui)
	case len(programs) > 0:
		return f.judge(cmd, p, o, ui, func(r *conformance.Runner, ctx context.Context) (*conformance.Report, error) {
			return r.RunNetworks(ctx, programs)
		})
	}
	return f.judge(cmd, p, o, ui, (*conformance.Runner).Run)
}

// names are those of what is going to be run.
func (f *conformFlags) names(o conformance.Options, tests []conformance.ONNXTest) (names []string) {
	if f.onnx == "" {
		return o.Names()
	}
	for _, t := range tests {
		names = append(names, t.Name)
	}
	return names
}

// judge runs suites or networks, prints the summary and writes the report.
func (f *conformFlags) judge(cmd *cobra.Command, p *plugin.Plugin, o conformance.Options, ui *progress,
	run func(*conformance.Runner, context.Context) (*conformance.Report, error)) error {
	runner, err := conformance.NewRunner(p, o)
	if err != nil {
		return usage(err)
	}
	report, err := run(runner, cmd.Context())
	ui.Close()
	if report == nil {
		return f.noCase(err)
	}
	if err != nil {
		ui.say("! %v", err)
	}
	printReport(cmd, report)
	if n := len(report.Failures()); f.bundles != "" && n > conformance.MaxBundles {
		ui.say("! %d failures, of which the first %d have bundles", n, conformance.MaxBundles)
	}
	lost := f.keep(report, ui)
	switch err := report.Error(); {
	case cmd.Context().Err() != nil:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted after %d cases", len(report.Results))}
	case err != nil:
		return &exitError{exitVerdict, err}
	}
	return lost
}

// keep writes the report where it was asked for, or, since it may have taken
// minutes, where else there is room.
func (f *conformFlags) keep(report *conformance.Report, ui *progress) error {
	if f.out == "" {
		return nil
	}
	var b bytes.Buffer
	if err := report.WriteJSON(&b); err != nil {
		return err
	}
	err := renameio.WriteFile(f.out, b.Bytes(), 0o644)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("flag --out: %w", err)
	if spare, e := os.CreateTemp("", "clsbench-report-*.json"); e == nil {
		_, e = spare.Write(b.Bytes())
		if errors.Join(e, spare.Close()) == nil {
			err = fmt.Errorf("%w; the report is in %s instead", err, spare.Name())
		} else {
			_ = os.Remove(spare.Name())
		}
	}
	ui.say("! %v", err)
	return usage(err)
}

// printReport is the summary by suite and by family, then each failure with
// the line that repeats it.
func printReport(cmd *cobra.Command, r *conformance.Report) {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s %s · %s · suite %s · seed %d · %.1f s\n", r.Backend.Name, r.Backend.Version, r.Backend.Math, r.Version, r.Seed, r.Seconds)
	var rows [][]string
	for _, s := range r.Suites {
		if s.Ran() > 0 || s.Unsupported > 0 {
			rows = append(rows, countRow("suite "+string(s.Suite), s.Counts, strings.ToUpper(string(s.Verdict))))
		}
	}
	for _, n := range r.Networks {
		rows = append(rows, networkRow(n))
	}
	for _, f := range r.Families {
		rows = append(rows, countRow(f.Op, f.Counts, fmt.Sprintf("%.3g", float64(f.Worst))))
	}
	_ = table(cmd, []string{"family", "pass", "fail", "unsupported", "mistrusted", "worst e/bound"}, rows) // as unwritable as the line before
	for _, n := range r.Networks {
		for _, u := range n.Untested {
			fmt.Fprintf(out, "not judged in %s: %s\n", n.Title(), u)
		}
	}
	for _, u := range r.Unsupported {
		fmt.Fprintf(out, "unsupported %s: %s (%d cases%s)\n", u.Feature, u.Why, u.Cases, word(u.Required, ", required by a suite", ""))
	}
	for _, x := range r.Failures() {
		printFailure(out, r, x)
	}
}

func countRow(name string, c conformance.Counts, last string) []string {
	return []string{name, fmt.Sprint(c.Pass), fmt.Sprint(c.Fail), fmt.Sprint(c.Unsupported), fmt.Sprint(c.Mistrusted), last}
}

func printFailure(out io.Writer, r *conformance.Report, x *conformance.Result) {
	fmt.Fprintf(out, "\n%s %s\n    %s\n", strings.ToUpper(string(x.Status)), x.Case, x.Why)
	fmt.Fprintf(out, "    again: %s\n", conformance.Repro(r, x))
}
