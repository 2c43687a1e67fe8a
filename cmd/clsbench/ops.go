package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/internal/opbench"
	"github.com/clsbench/clsbench/results"
)

type opsFlags struct {
	formatFlags
	backends []string
	filter   string
	file     string
	net      string
	batch    int
	effort   string
	seed     uint64
	threads  int
	math     string
	timeout  time.Duration
	failOn   string
	list     bool
}

func newOpsCmd() *cobra.Command {
	var f opsFlags
	cmd := &cobra.Command{
		Use:   "ops",
		Short: "Time single ops and the layers of real networks: micro-benchmarks",
		Long: `ops times conformance cases, each only after it has passed its check on that
backend. Hot is steps one after the other, inside the backend's own loop; cold,
in a pass of its own, is single steps after the caches were emptied, with the
waking of parked threads. GFLOP/s and GB/s count the direct algorithm, and every
input and output once; shares are of the multiply-adds and the copying that this
machine was measured to do just before. Times are medians over rounds. Several
backends take turns round by round, and are compared with the first.

Without --filter, --file or --net it takes a case or two of each op. --net takes
the layers of a real network, equal shapes once; its products are judged at
sampled outputs, and attention is among them for a few images alone.

Exit codes: 0 done; 1 a case failed its check, or --fail-on; 2 bad input; 3 some
cases errored or are unsupported, the rest stands; 130 interrupted.`,
		Example: `  clsbench ops                                      a case or two of each op on cpu
  clsbench ops --backend cpu --backend cpu:isa=generic --filter '^Conv/f32/'
  clsbench ops --net resnet50                       its layers, one image
  clsbench ops --net vit-b16 --batch 8 --filter '^Gemm/' --effort standard
  clsbench ops --net resnet18 --list                the names of its layers' cases
  clsbench ops --file names.txt --json              case names, a line each`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.StringArrayVar(&f.backends, "backend", []string{"cpu"}, "backend to measure, repeatable: [LABEL=]NAME[:KEY=VALUE,…] or [LABEL=]exec:COMMAND")
	fl.StringVar(&f.filter, "filter", "", "only cases whose name matches this RE2 expression")
	fl.StringVar(&f.file, "file", "", "file of case names, a line each; # begins a comment")
	fl.StringVar(&f.net, "net", "", "the layers of a network: "+strings.Join(conformance.NetworkNames(), ", "))
	fl.IntVar(&f.batch, "batch", 1, "images in a step of --net")
	fl.StringVar(&f.effort, "effort", "quick", "smoke, quick, standard or publish")
	fl.Uint64Var(&f.seed, "seed", 0, "seed of all data (default a fresh one, recorded)")
	fl.IntVar(&f.threads, "threads", 0, "threads of a backend (default all that the process may use)")
	fl.StringVar(&f.math, "math", graph.Strict, "math mode of the sessions")
	fl.DurationVar(&f.timeout, "timeout", time.Minute, "how long a check, or a round of a case, may take")
	fl.StringVar(&f.failOn, "fail-on", "", "exit 1 if a backend is slower than the first one on a case, as in slower:2%")
	fl.BoolVar(&f.list, "list", false, "print the cases' names and stop")
	f.formatFlags.register(cmd)
	complete(cmd, map[string]cobra.CompletionFunc{
		"backend": completeBackends, "filter": completeOps, "net": fixed(conformance.NetworkNames()...), "file": filesOf("txt"),
		"effort": fixed("smoke", "quick", "standard", "publish"), "math": completeMath, "fail-on": fixed("slower:2%"),
	})
	ownFlags(cmd, "filter", "file", "batch", "math")
	return cmd
}

// maxNames bounds a file of case names, bytes.
const maxNames = 16 << 20

// cases are those that the flags ask for.
func (f *opsFlags) cases(cmd *cobra.Command) (list []*conformance.Case, err error) {
	batch := cmd.Flags().Changed("batch")
	switch {
	case f.timeout < time.Second:
		return nil, usagef("flag --timeout: %v: want at least 1s", f.timeout)
	case f.batch < 1 || f.batch > conformance.MaxLayerBatch:
		return nil, usagef("flag --batch: %d: want 1 to %d", f.batch, conformance.MaxLayerBatch)
	case f.file != "" && f.net != "":
		return nil, usagef("flags --file and --net: one of them")
	case batch && f.net == "":
		return nil, usagef("flag --batch: it is the batch of --net: which network's layers?")
	case f.file != "":
		list, err = f.fromFile()
	case f.net != "":
		if list, err = conformance.LayerCases(f.net, f.batch); err != nil {
			err = usagef("flag --net: %w", err)
		}
	default:
		for _, c := range conformance.Cases() {
			if c.Timeable() && (f.filter != "" || c.Effort == conformance.Smoke) {
				list = append(list, c)
			}
		}
	}
	if err != nil || f.filter == "" {
		return list, err
	}
	re, err := regexp.Compile(f.filter)
	if err != nil {
		return nil, usagef("flag --filter: %w", err)
	}
	var some []*conformance.Case
	for _, c := range list {
		if re.MatchString(c.Name()) {
			some = append(some, c)
		}
	}
	if len(some) == 0 {
		return nil, usagef("flag --filter: %q matches no case; --list prints their names", f.filter)
	}
	return some, nil
}

func (f *opsFlags) fromFile() ([]*conformance.Case, error) {
	info, err := os.Stat(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("flag --file: %s: there is no such file; --list prints names for one", f.file)
	}
	if err != nil {
		return nil, usagef("flag --file: %w", err)
	}
	if info.Size() > maxNames {
		return nil, usagef("flag --file: %s has %d bytes, more than a list of names can have (%d)", f.file, info.Size(), maxNames)
	}
	text, err := os.ReadFile(f.file)
	if err != nil {
		return nil, usagef("flag --file: %w", err)
	}
	names := conformance.ReadNames(text)
	if len(names) == 0 {
		return nil, usagef("flag --file: %s names no case: want one a line; --list prints them", f.file)
	}
	list, err := conformance.CasesNamed(names)
	if err != nil {
		return nil, usagef("flag --file: %s: %w", f.file, err)
	}
	for _, c := range list {
		if !c.Timeable() {
			return nil, usagef("flag --file: %s: %s is more than one program, and can't be timed", f.file, c.Name())
		}
	}
	return list, nil
}

// options turns flags into what to measure.
func (f *opsFlags) options(cmd *cobra.Command) (o opbench.Options, err error) {
	if o.Cases, err = f.cases(cmd); err != nil {
		return o, err
	}
	if o.Effort, err = measure.EffortByName(f.effort); err != nil {
		return o, usagef("flag --effort: %w", err)
	}
	if f.seed >= conformance.MaxSeed {
		return o, usagef("flag --seed: %d: want less than 2^53", f.seed)
	}
	if f.threads < 0 {
		return o, usagef("flag --threads: %d: want 0 (all) or more", f.threads)
	}
	specs, err := plugin.ParseSpecs(f.backends)
	if err != nil {
		return o, usagef("flag --backend: %w", err)
	}
	for _, s := range specs {
		if err := plugin.Check(s, plugin.Options{Registry: embedded()}); err != nil {
			return o, usage(err)
		}
		o.Lanes = append(o.Lanes, opbench.Lane{
			Label: s.Label, Config: backends.SessionConfig{Math: f.math, Threads: f.threads, Options: s.Options},
			Start: func(ctx context.Context) (backends.Backend, func() error, error) {
				p, err := openPlugin(ctx, s)
				if err != nil {
					return nil, nil, err
				}
				return p, p.Close, nil
			}})
	}
	o.Seed, o.Threads, o.Timeout = f.seed, f.threads, f.timeout
	return o, nil
}

func (f *opsFlags) run(cmd *cobra.Command) error {
	if err := f.formatFlags.check(); err != nil {
		return err
	}
	limit, err := parseFailOn(f.failOn)
	if err != nil {
		return err
	}
	if f.list {
		list, err := f.cases(cmd)
		for _, c := range list {
			fmt.Fprintln(cmd.OutOrStdout(), c.Name())
		}
		return err
	}
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	if rows := len(o.Cases) * (len(o.Lanes) - 1); limit > 0 && (rows == 0 || !o.Effort.FreshProcess) {
		return usagef("flag --fail-on: want a second backend to compare, and --effort %s or more", measure.Standard.Name)
	}
	ui := newProgress(cmd)
	defer ui.Close()
	o.Measured = func(p machine.Peaks) { ui.say("peak     %s", results.PeakLine(p, nil)) }
	o.Progress = func(done, total int, rows []*opbench.Result) {
		ui.Stage("ops", done, total, rows[0].Case)
		for _, r := range rows {
			if !r.Status.Measured() {
				ui.say("%-12s%s · %s: %s", r.Status, r.Case, r.Backend, r.Why)
			}
		}
	}
	doc, err := opbench.Run(cmd.Context(), o)
	ui.Close()
	var mode *opbench.ModeError
	if errors.As(err, &mode) {
		return usagef("flag --math: %w", err)
	}
	if err != nil {
		return err
	}
	if err := renderOps(cmd, doc, f.format); err != nil {
		return err
	}
	return opsError(doc, limit)
}

// opsError is what the exit code is made of: a negative verdict beats errored
// cases.
func opsError(doc *opbench.Document, limit float64) error {
	wrong := doc.Count(opbench.Status.Negative)
	errored := doc.Count(func(s opbench.Status) bool { return !s.Measured() })
	switch {
	case doc.Interrupted:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted after %d rows", len(doc.Results))}
	case len(doc.Results) == 0:
		return errors.New("nothing was timed")
	case wrong > 0:
		return &exitError{exitVerdict, fmt.Errorf("%d of %d rows are judged wrong", wrong, len(doc.Results))}
	}
	for _, c := range doc.Comparisons {
		if limit > 0 && c.Word == measure.Slower && c.Ratio.Median <= 1-limit {
			return &exitError{exitVerdict, fmt.Errorf("%s: %s is slower than %s by more than %v %%", c.Case, c.A, c.B, 100*limit)}
		}
	}
	if errored > 0 {
		return &exitError{exitPartial, fmt.Errorf("%d of %d rows have no figure; the rest stands", errored, len(doc.Results))}
	}
	return nil
}
