package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/harness"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/calibrate"
	"github.com/clsbench/clsbench/workloads/data"
)

// Shell completion: `clsbench completion bash|zsh|fish|powershell` prints the
// script, these functions say what there is to complete.

const noFiles = cobra.ShellCompDirectiveNoFileComp

// nothing is for values that only the user knows.
func nothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, noFiles
}

// folders lets the shell complete a folder.
func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// filesOf lets the shell complete files of some kinds.
func filesOf(ext ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return ext, cobra.ShellCompDirectiveFilterFileExt
	}
}

func fixed(values ...string) cobra.CompletionFunc {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) { return values, noFiles }
}

// list completes the last of several values with commas between.
func list(values ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		return others(typed, values), noFiles
	}
}

// others are the ways to go on with a list: what was typed up to its last
// comma, and each value that isn't in there.
func others(typed string, values []string) []string {
	head := typed[:strings.LastIndex(typed, ",")+1]
	given := strings.Split(head, ",")
	var out []string
	for _, v := range values {
		if !slices.Contains(given, v) {
			out = append(out, head+v)
		}
	}
	return out
}

// upTo completes the first n arguments with fn, and nothing after them.
func upTo(n int, fn cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, noFiles
		}
		return fn(cmd, args, typed)
	}
}

// orElse offers names; where what was typed is none of their beginnings, it
// is the beginning of a path.
func orElse(names []string, path cobra.CompletionFunc, typed string) ([]string, cobra.ShellCompDirective) {
	if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, typed) }) {
		return names, noFiles
	}
	return path(nil, nil, typed)
}

// patience is how long a completion may take to ask a backend.
const patience = 2 * time.Second

// describe asks a backend what it is; nil if it does not say soon.
func describe(spec plugin.Spec) *backends.Description {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p, err := openPlugin(ctx, spec)
	if err != nil {
		return nil
	}
	defer p.Close()
	d, err := p.Describe(ctx)
	if err != nil {
		return nil
	}
	return &d
}

// completeBackends offers names, and behind a name and its colon the options
// of that backend and their values. A label in front is kept.
func completeBackends(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	const open = noFiles | cobra.ShellCompDirectiveNoSpace
	label := ""
	if i := strings.IndexAny(typed, "=:"); i >= 0 && typed[i] == '=' {
		label = typed[:i+1]
	}
	name, options, colon := strings.Cut(typed[len(label):], ":")
	if name == plugin.Exec && colon {
		return nil, cobra.ShellCompDirectiveDefault // a command
	}
	if colon {
		var known []backends.Option
		if d := describe(plugin.Spec{Label: name, Name: name}); d != nil {
			known = d.Options
		}
		return completeOptions(label+name+":", options, ",", known), open
	}
	entries, _ := plugin.List(plugin.Options{Registry: embedded()}) // a bad manifest completes nothing
	var names []string
	for _, e := range entries {
		names = append(names, label+e.Name)
	}
	return append(names, label+plugin.Exec+":"), open
}

// completeOptions offers what a list of options can go on with behind head:
// `isa=`, and once an option's equals sign is typed its values. Options given
// already are left out.
func completeOptions(head, typed, separators string, options []backends.Option) (out []string) {
	cut := strings.LastIndexAny(typed, separators) + 1
	given := strings.FieldsFunc(typed[:cut], func(r rune) bool { return strings.ContainsRune(separators, r) })
	head, last := head+typed[:cut], typed[cut:]
	for _, o := range options {
		key := o.Name + "="
		switch {
		case slices.ContainsFunc(given, func(g string) bool { return strings.HasPrefix(g, key) }):
		case strings.HasPrefix(last, key):
			for _, v := range o.Values {
				out = append(out, head+key+v)
			}
		case strings.HasPrefix(key, last):
			out = append(out, head+key+"\t"+o.Help)
		}
	}
	return out
}

// completeMath offers the math modes of the backends that the flag --backend
// names so far.
func completeMath(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	modes := []string{graph.Strict}
	for _, text := range flagWords(cmd, "backend") {
		if spec, err := plugin.ParseSpec(text); err == nil {
			if d := describe(spec); d != nil {
				modes = append(modes, d.Math...)
			}
		}
	}
	return others(typed, once(modes)), noFiles
}

// flagWords are the values of a flag that is a word or a list of words.
func flagWords(cmd *cobra.Command, name string) []string {
	if words, err := cmd.Flags().GetStringArray(name); err == nil {
		return once(words) // cobra reads the flags more than once, and lists grow with each time
	}
	word, err := cmd.Flags().GetString(name)
	if err != nil {
		return nil
	}
	return []string{word}
}

// completeSelection offers families beside what completeWorkloads does.
func completeSelection(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	names, then := completeWorkloads(cmd, args, typed)
	if !strings.ContainsAny(typed, ";,") {
		for _, family := range workloads.Families() {
			names = append(names, family+"\tnetworks of a kind")
		}
	}
	return names, then
}

// completeWorkloads offers names, and behind a name and its semicolon the
// options of that network and their values.
func completeWorkloads(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	const separators = ";,"
	var names []string
	at := strings.IndexAny(typed, separators)
	for _, w := range workloads.All() {
		if at >= 0 && w.Name == typed[:at] {
			var options []backends.Option
			for _, o := range w.Options {
				options = append(options, backends.Option{Name: o.Name, Help: o.Help, Values: o.Values})
			}
			return completeOptions(typed[:at+1], typed[at+1:], separators, options), noFiles | cobra.ShellCompDirectiveNoSpace
		}
		names = append(names, w.Name+"\t"+w.Description)
	}
	return names, noFiles
}

// completeData offers the sets that have a name, or folders.
func completeData(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, i := range data.List() {
		names = append(names, i.Name+"\t"+i.Description)
	}
	return orElse(names, folders, typed)
}

// completeCells offers the names of the cells that the flags typed so far
// select.
func (f *runFlags) completeCells(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	plain := *f
	plain.filter = ""
	// cobra reads the flags more than once, and lists grow with each time.
	plain.backends, plain.workloads, plain.modes = once(f.backends), once(f.workloads), once(f.modes)
	plain.batches, plain.precision, plain.math, plain.quant = once(f.batches), once(f.precision), once(f.math), once(f.quant)
	o, err := plain.options(cmd)
	if err != nil {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	plan, err := harness.NewPlan(ctx, o, embedded())
	if err != nil {
		return nil, noFiles
	}
	return plan.Names(), noFiles
}

// once is a list with each of its elements once.
func once[T comparable](list []T) (out []T) {
	for _, x := range list {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// completeRuns offers the runs in the store, or result files.
func completeRuns(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	entries, _ := storeOf(cmd).List() // an unreadable store completes nothing
	var ids []string
	for _, e := range entries {
		if e.Err == nil {
			ids = append(ids, e.RunID+"\t"+e.Started.Format(time.DateTime)+" "+strings.Join(e.Backends, " "))
		}
	}
	return orElse(ids, filesOf("json"), typed)
}

// completeJournals offers the runs that can be taken up.
func completeJournals(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, u := range storeOf(cmd).Unfinished() {
		if u.Err == nil {
			ids = append(ids, fmt.Sprintf("%s\t%d cells finished", u.RunID, u.Cells))
		}
	}
	return ids, noFiles
}

// storeOf is the store that the flag --out names.
func storeOf(cmd *cobra.Command) results.Store {
	out, err := cmd.Flags().GetString("out")
	if err != nil {
		out = defaultOut
	}
	return results.Store{Dir: out}
}

func (f *runFlags) registerCompletions(cmd *cobra.Command) {
	var efforts []string
	for _, e := range measure.Efforts() {
		efforts = append(efforts, e.Name)
	}
	complete(cmd, map[string]cobra.CompletionFunc{
		"backend": completeBackends, "workload": completeSelection, "data": completeData, "filter": f.completeCells,
		"mode": list(harness.Modes...), "scenario": fixed(harness.Scenarios...), "precision": list(harness.Precisions...), "quant": fixed(quantRecipes()...),
		"effort": fixed(efforts...), "set": completeSet, "class-map": filesOf("txt"), "weights": filesOf("safetensors", "onnx"), "math": completeMath, "resume": completeJournals, "fail-on": fixed("slower:2%"),
	})
}

// quantRecipes are those without settings.
func quantRecipes() []string {
	list := []string{"dynamic"}
	for _, m := range calibrate.Methods() {
		list = append(list, "static:"+string(m), "aware:"+string(m))
	}
	return list
}

// completeSet offers the recipe's fields, to be given values.
func completeSet(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var keys []string
	for _, k := range workloads.Keys() {
		if k != "data" { // --data's
			keys = append(keys, k+"=")
		}
	}
	return keys, noFiles | cobra.ShellCompDirectiveNoSpace
}

// complete ties flags to what completes them.
func complete(cmd *cobra.Command, flags map[string]cobra.CompletionFunc) {
	for flag, fn := range flags {
		if err := cmd.RegisterFlagCompletionFunc(flag, fn); err != nil {
			panic(err) // a flag of that name does not exist: our own fault
		}
	}
}

// completeRest keeps the shell from offering files where a flag takes none:
// for every flag of every command that nothing else completes.
func completeRest(c *cobra.Command) {
	c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if _, has := c.GetFlagCompletionFunc(f.Name); !has && f.Value.Type() != "bool" {
			complete(c, map[string]cobra.CompletionFunc{f.Name: nothing})
		}
	})
	for _, sub := range c.Commands() {
		completeRest(sub)
	}
}
