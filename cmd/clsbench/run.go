package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/plots"
	"github.com/clsbench/clsbench/results"
)

// runFlags are the flags of `run`, as typed.
type runFlags struct {
	formatFlags
	backends  []string
	workloads []string
	modes     []string
	scenario  string
	batches   []int
	precision []string
	quant     []string
	sensitive bool
	threads   int
	data      string
	classMap  string
	skipBad   bool
	weights   string
	newHead   bool
	keep      bool
	set       []string
	epochs    int
	target    float64
	effort    string
	seed      uint64
	filter    string
	math      []string
	timeout   time.Duration
	memory    int64 // MiB
	dryRun    bool
	resume    string
	out       string
	failOn    string
	noPlots   bool
}

func newRunCmd() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Check, train and measure workloads on backends: the main job",
		Long: `run starts each backend as a process of its own, checks it against the float64
reference, trains and infers the workloads, and measures throughput, latency,
accuracy and memory. The result goes to a new file under --out, with plots
beside it. Several backends are measured in interleaved rounds and compared in
pairs.

Exit codes: 0 done; 1 a negative verdict; 2 bad input; 3 some cells errored, the
rest stands; 130 interrupted (what was finished is kept: --resume RUN goes on).`,
		Example: `  clsbench run                                        LeNet-5 on the cpu backend, under a minute
  clsbench run --backend cpu --backend cpu:isa=avx2   two instruction sets, side by side
  clsbench run --backend 'new=exec:./my-plugin' --backend cpu --effort standard
  clsbench run --mode infer --batch 1,8,64 --threads 1
  clsbench run --precision f32,bf16,fp16,int8         accuracy, size and speed side by side
  clsbench run --precision f32,int8 --quant static:entropy --quant dynamic
  clsbench run --data ~/mnist --epochs 30             IDX files in place of digits/v1
  clsbench run --workload resnet18 --mode infer --weights resnet18.safetensors
  clsbench run --set optimizer.lr=0.1 --set ema=0.99   training by a changed recipe
  clsbench run --dry-run                              which cells, how long, how much memory
  clsbench run --workload all --effort smoke          every network once; shapes/v1 where ImageNet is not here
  clsbench run --filter 'infer/.*/32/' --json         one document on standard output`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	f.register(cmd)
	return cmd
}

func (f *runFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.backends, "backend", []string{"cpu"}, "backend to measure, repeatable: [LABEL=]NAME[:KEY=VALUE,…] or [LABEL=]exec:COMMAND")
	fl.StringArrayVar(&f.workloads, "workload", []string{"lenet5"}, "networks, a list, repeatable: names with options as in 'lenet5;pool=max', families (resnet, vit, …), all")
	fl.StringSliceVar(&f.modes, "mode", harness.Modes, "infer, train")
	fl.StringVar(&f.scenario, "scenario", "offline", strings.Join(harness.Scenarios, " or "))
	fl.IntSliceVar(&f.batches, "batch", nil, "images a step, a list (default 1,32 for infer, 64 for train)")
	fl.StringSliceVar(&f.precision, "precision", []string{"f32"}, "a list of "+strings.Join(harness.Precisions, ", ")+"; bf16 and fp16 choose op by op as PyTorch's autocast does")
	fl.StringArrayVar(&f.quant, "quant", nil, "how int8 is made, repeatable: dynamic, static[:minmax|percentile|mse|entropy] or aware[:…], which trains on for an epoch, then ,act=s8 ,keep=first ,keep=last ,exclude=RE2 (default static:mse)")
	fl.BoolVar(&f.sensitive, "sensitivity", false, "the accuracy that the quantization of each layer alone costs")
	fl.IntVar(&f.threads, "threads", 0, "threads of a backend (default all that the process may use)")
	fl.StringVar(&f.data, "data", "", "data set: a name (clsbench data list) or a folder of IDX or CIFAR files or of an image tree (default the recipe's)")
	fl.StringVar(&f.classMap, "class-map", "", classMapHelp)
	fl.BoolVar(&f.skipBad, "skip-bad", false, skipBadHelp)
	fl.StringVar(&f.weights, "weights", "", weightsHelp)
	fl.BoolVar(&f.newHead, "new-head", false, "let --weights have a classifier of other classes, and begin with a fresh one")
	fl.BoolVar(&f.keep, "save-weights", false, "keep what training ends with as safetensors under --out, for --weights of run and export")
	fl.StringArrayVar(&f.set, "set", nil, "change the recipe, repeatable: KEY=VALUE, as in optimizer.lr=0.05 or augment=[]")
	fl.IntVar(&f.epochs, "epochs", 0, "epochs to train (default the recipe's)")
	fl.Float64Var(&f.target, "target-accuracy", 0, "top-1, a fraction, at which training may stop")
	fl.StringVar(&f.effort, "effort", "quick", "smoke, quick, standard or publish")
	fl.Uint64Var(&f.seed, "seed", 0, "seed of everything that is drawn (default a fresh one, recorded)")
	fl.StringVar(&f.filter, "filter", "", "only cells whose name matches this RE2 expression")
	fl.StringSliceVar(&f.math, "math", []string{"strict"}, "math modes; strict is always measured too")
	fl.DurationVar(&f.timeout, "timeout", time.Minute, "how long a plugin may take for one answer")
	fl.Int64Var(&f.memory, "memory", 0, "MiB of memory that a plugin may take (default 90 % of the machine's)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "say what would run and what it would cost, and stop")
	fl.StringVar(&f.resume, "resume", "", "take up an interrupted run by its id or a prefix of it, with its flags")
	fl.StringVar(&f.failOn, "fail-on", "", "exit 1 if a backend is slower than the first one, as in slower:2%")
	f.registerPresentation(cmd)
	f.registerCompletions(cmd)
}

// registerPresentation adds the flags that change no figure.
func (f *runFlags) registerPresentation(cmd *cobra.Command) {
	fl := cmd.Flags()
	f.formatFlags.register(cmd)
	fl.StringVar(&f.out, "out", defaultOut, "folder for the result file, the journal and the plots")
	fl.BoolVar(&f.noPlots, "no-plots", false, "draw no plots, as in every --format but table")
	complete(cmd, map[string]cobra.CompletionFunc{"out": folders})
}

// options turns flags into the harness's options.
func (f *runFlags) options(cmd *cobra.Command) (*harness.Options, error) {
	o := &harness.Options{
		Workloads: f.workloads, Modes: f.modes, Scenario: f.scenario, Batches: f.batches,
		Precision: f.precision, Quant: f.quant, Sensitivity: f.sensitive, Threads: f.threads, Data: f.data,
		ClassMap: f.classMap, SkipBad: f.skipBad, Weights: f.weights, NewHead: f.newHead, SaveWeights: f.keep, Set: f.set, Epochs: f.epochs, Target: f.target,
		Effort: f.effort, Seed: f.seed, Math: f.math, Timeout: f.timeout, Memory: f.memory << 20,
		Command: f.command(cmd), Store: results.Store{Dir: f.out},
	}
	for _, flag := range []string{"epochs", "target-accuracy"} {
		if f := cmd.Flags().Lookup(flag); f.Changed && f.Value.String() == "0" {
			return nil, usagef("flag --%s: 0: leave it out to take the recipe's", flag)
		}
	}
	if f.timeout == 0 { // which is the default to the harness
		return nil, usagef("flag --timeout: 0s: want at least 1s")
	}
	if !cmd.Flags().Changed("seed") {
		o.Seed = harness.FreshSeed()
	}
	if f.filter != "" {
		re, err := regexp.Compile(f.filter)
		if err != nil {
			return nil, usagef("flag --filter: %w", err)
		}
		o.Filter = re
	}
	specs, err := plugin.ParseSpecs(f.backends)
	if err != nil {
		return nil, usagef("flag --backend: %w", err)
	}
	o.Backends = specs
	return o, nil
}

// run carries out what the flags say.
func (f *runFlags) run(cmd *cobra.Command) error {
	if err := f.formatFlags.check(); err != nil {
		return err
	}
	if cmd.Flags().Changed("resume") && f.resume == "" {
		return usagef("flag --resume: \"\": want a run's id or a prefix of it; clsbench results lists them")
	}
	if f.resume == "" {
		return f.measure(cmd, cmd, nil)
	}
	again, flags, before, err := f.takeUp(cmd)
	if err != nil {
		return err
	}
	defer before.Journal.Close() // the run closes it too, unless it does not come to that
	return again.measure(cmd, flags, before)
}

// measure plans and runs. The flags were parsed by a command that may be
// another than the one that speaks with the user.
func (f *runFlags) measure(cmd, flags *cobra.Command, before *harness.Interrupted) error {
	o, err := f.options(flags)
	if err != nil {
		return err
	}
	plan, err := harness.NewPlan(cmd.Context(), o, embedded())
	if err != nil {
		return asUsage(err)
	}
	limit, err := f.limit(plan)
	if err != nil {
		return err
	}
	if f.dryRun {
		return printPlan(cmd, plan, before, f.format)
	}
	ui := newProgress(cmd)
	defer ui.Close()
	doc, path, err := plan.Run(cmd.Context(), before, ui)
	ui.Close()
	if doc == nil {
		if cmd.Context().Err() != nil {
			return &exitError{exitInterrupted, errors.New("interrupted before anything was measured")}
		}
		return asUsage(err)
	}
	ro := renderOptions(cmd)
	if path != "" {
		ro.Saved, ro.Again = path, o.Store.Short(doc.Run.ID)+besideOut(f.out)
	}
	if rerr := results.Render(cmd.OutOrStdout(), doc, f.format, ro); rerr != nil {
		return rerr
	}
	verdict := firstError(err, doc, limit, f.out)
	if err == nil && !f.noPlots && f.format == "table" {
		if err := drawBeside(cmd.Context(), doc, path, ui.Note); err != nil && verdict == nil {
			return err
		} else if err != nil {
			ui.Note(err.Error())
		}
	}
	return verdict
}

// drawBeside draws the plots next to the result that is saved at path.
func drawBeside(ctx context.Context, doc *results.Document, path string, note func(string)) error {
	_, err := plots.Draw([]*results.Document{doc}, strings.TrimSuffix(path, ".json")+"-plots", plotOptions(ctx, note))
	if err == nil || errors.Is(err, plots.ErrNothing) { // a smoke run has no figures
		return nil
	}
	return usagef("the result is saved, its plots are not: %w", err)
}

// limit reads --fail-on, for a plan that can answer it.
func (f *runFlags) limit(plan *harness.Plan) (float64, error) {
	limit, err := parseFailOn(f.failOn)
	if err != nil || limit == 0 {
		return limit, err
	}
	rows := plan.Comparisons()
	if rows == 0 {
		return 0, usagef("flag --fail-on: nothing is compared: name a second backend or math mode")
	}
	if need := measure.MinRounds(rows); plan.Effort.Rounds < need {
		return 0, usagef("flag --fail-on: effort %s has %d rounds and a verdict needs %d: use --effort %s",
			plan.Effort.Name, plan.Effort.Rounds, need, measure.Standard.Name)
	}
	return limit, nil
}

// asUsage gives the harness's complaints about what was asked exit code 2.
func asUsage(err error) error {
	var u *harness.UsageError
	if errors.As(err, &u) {
		return usage(err)
	}
	return err
}

// firstError is what the run's exit code is made of: a negative verdict beats
// errored cells. A gate is not green on comparisons that could not be made.
func firstError(err error, doc *results.Document, limit float64, out string) error {
	failed, errored := 0, 0
	for i := range doc.Results {
		r := &doc.Results[i]
		if r.Conformance.Verdict == results.VerdictFail || r.Status == results.StatusInvalid {
			failed++
		}
		if !r.Status.Measured() {
			errored++
		}
	}
	slower := slowerThan(doc, limit)
	var unsaved *harness.Unsaved
	switch {
	case doc.Run.Interrupted && errors.As(err, &unsaved):
		return &exitError{exitInterrupted, fmt.Errorf("interrupted with %d cells finished: %w", len(doc.Results), err)}
	case doc.Run.Interrupted:
		return &exitError{exitInterrupted, fmt.Errorf("interrupted with %d cells finished, which are kept: clsbench run --resume %s%s goes on", len(doc.Results), doc.Run.ID, besideOut(out))}
	case err != nil:
		return asUsage(err)
	case failed > 0:
		return &exitError{exitVerdict, fmt.Errorf("%d of %d cells are judged wrong", failed, len(doc.Results))}
	case slower != nil:
		return &exitError{exitVerdict, slower}
	case errored > 0:
		return &exitError{exitPartial, fmt.Errorf("%d of %d cells errored; the rest stands", errored, len(doc.Results))}
	case limit > 0 && doc.Split() != "":
		return usagef("flag --fail-on: an interruption left the cells of %s to different sessions, so they are not compared: clsbench rerun %s%s measures all anew",
			doc.Split(), doc.Run.ID, besideOut(out))
	}
	return nil
}
