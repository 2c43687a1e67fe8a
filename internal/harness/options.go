// Package harness carries a run out: it plans cells from what was asked, opens
// backends as processes, trains, judges and measures them in interleaved
// rounds, and keeps each finished cell. What a backend does wrong becomes the
// status of its cell and never ends the run.
package harness

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// Options is a run as it was asked for. Zero values take the defaults that the
// fields name.
type Options struct {
	Backends  []plugin.Spec
	Workloads []string // lists as workloads.Select reads, "lenet5;pool=max,resnet"; default lenet5
	Modes     []string // infer, train; default both
	Scenario  string   // offline or singlestream; default offline
	Batches   []int    // default 1 and 32 for inference, 64 for training
	Precision []string // of workloads.Precisions, and int8; default f32
	Quant     []string // how int8 is made, see workloads.ParseQuantization; default static
	// Sensitivity asks for the accuracy that each layer's quantization alone costs.
	Sensitivity bool
	Threads     int      // default: all that the process may use
	Data        string   // name or folder; default the workload's
	ClassMap    string   // file that numbers and names an image tree's classes
	Weights     string   // file that they begin with; default what the seed draws
	NewHead     bool     // its classifier may be of other classes, and is drawn anew
	SaveWeights bool     // keep what training ends with, in Store
	SkipBad     bool     // leave out, and count, images that cannot be decoded
	Epochs      int      // default the recipe's
	Set         []string // changes of the recipe, "optimizer.lr=0.05"
	Target      float64  // top-1 at which training may stop; default none
	Effort      string   // smoke, quick, standard, publish; default quick
	Seed        uint64
	Filter      *regexp.Regexp // on cell names
	Math        []string       // beside strict, which is always measured
	Timeout     time.Duration  // for one answer of a plugin; default a minute
	Memory      int64          // bytes that a plugin may take; default 90 % of the machine's

	Command []string      // the command line, for the record
	Store   results.Store // where journal, checkpoints and document go
}

// UsageError is a fault in what was asked: it names the flag and the mend.
type UsageError struct {
	Flag string
	Err  error
}

func (e *UsageError) Error() string { return fmt.Sprintf("flag --%s: %v", e.Flag, e.Err) }
func (e *UsageError) Unwrap() error { return e.Err }

func badFlag(flag, format string, args ...any) error {
	return &UsageError{flag, fmt.Errorf(format, args...)}
}

// The values of closed flags.
var (
	Modes      = []string{"infer", "train"}
	Scenarios  = []string{"offline", "singlestream"}
	Precisions = append(workloads.Precisions(), precisionInt8)
)

const (
	maxBatch  = 1 << 16
	maxEpochs = 10_000
)

// complete fills defaults in and refuses what can't be meant.
func (o *Options) complete() error {
	o.Workloads = orDefault(o.Workloads, "lenet5")
	o.Modes = orDefault(o.Modes, Modes...)
	o.Precision = orDefault(o.Precision, precisionF32)
	o.Scenario = cmpOr(o.Scenario, "offline")
	o.Effort = cmpOr(o.Effort, "quick")
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	for _, c := range []struct {
		flag   string
		values []string
		known  []string
	}{
		{"mode", o.Modes, Modes},
		{"scenario", []string{o.Scenario}, Scenarios},
		{"precision", o.Precision, Precisions},
		{"effort", []string{o.Effort}, effortNames()},
	} {
		if err := oneOf(c.flag, c.values, c.known); err != nil {
			return err
		}
	}
	for _, b := range o.Batches {
		if b < 1 || b > maxBatch {
			return badFlag("batch", "%d: want 1 to %d", b, maxBatch)
		}
	}
	switch {
	case o.Threads < 0 || o.Threads > backends.MaxThreads:
		return badFlag("threads", "%d: want 0 (all) to %d", o.Threads, backends.MaxThreads)
	case o.Epochs < 0 || o.Epochs > maxEpochs:
		return badFlag("epochs", "%d: want 1 to %d", o.Epochs, maxEpochs)
	case !(o.Target >= 0 && o.Target <= 1):
		return badFlag("target-accuracy", "%v: want a fraction between 0 and 1", o.Target)
	case o.Seed > results.MaxSeed:
		return badFlag("seed", "%d: want at most 2^53", o.Seed)
	case o.Timeout < time.Second:
		return badFlag("timeout", "%v: want at least 1s", o.Timeout)
	case o.Memory < 0:
		return badFlag("memory", "%d: want a number of MiB, or 0 for 90 %% of the machine's", o.Memory>>20)
	}
	if err := o.completeQuant(); err != nil {
		return err
	}
	for _, s := range o.Set {
		if key, _, _ := strings.Cut(s, "="); key == "data" {
			return badFlag("set", "%s: give --data", s)
		}
	}
	o.Math = slices.DeleteFunc(slices.Clone(o.Math), func(m string) bool { return m == graph.Strict })
	if len(o.Backends) == 0 {
		return badFlag("backend", "none given")
	}
	return nil
}

func oneOf(flag string, values, known []string) error {
	seen := map[string]bool{}
	for _, v := range values {
		if !slices.Contains(known, v) {
			return badFlag(flag, "%q is not known: want %s", v, strings.Join(known, ", "))
		}
		if seen[v] {
			return badFlag(flag, "%q is named twice", v)
		}
		seen[v] = true
	}
	return nil
}

// repeated is the flag whose list names something twice.
func (o *Options) repeated() string {
	batches := make([]string, len(o.Batches))
	for i, b := range o.Batches {
		batches[i] = strconv.Itoa(b)
	}
	quant := make([]string, len(o.Quant))
	for i, spec := range o.Quant {
		q, _ := workloads.ParseQuantization(spec) // which completeQuant has done
		quant[i] = q.String()
	}
	for _, f := range []struct {
		flag string
		list []string
	}{{"batch", batches}, {"math", o.Math}, {"quant", quant}, {"workload", o.Workloads}} {
		list := slices.Sorted(slices.Values(f.list))
		if len(slices.Compact(list)) < len(f.list) {
			return f.flag
		}
	}
	return "workload" // two spellings of one
}

func orDefault(list []string, def ...string) []string {
	if len(list) == 0 {
		return def
	}
	return list
}

func cmpOr(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func effortNames() (names []string) {
	for _, e := range measure.Efforts() {
		names = append(names, e.Name)
	}
	return names
}

// dataOptions say how data sets are opened.
func (o *Options) dataOptions() data.Options {
	return data.Options{ClassMap: o.ClassMap, SkipBad: o.SkipBad}
}

// reproFlags are the flags beside backend, workload, effort, seed and filter
// that a cell's figures depend on.
func (o *Options) reproFlags(c *Cell) string {
	s := fmt.Sprintf(" --batch %d", c.Batch)
	if c.Mode == "train" && c.Batch == c.Recipe.Batch && len(o.Batches) == 0 {
		s = ""
	}
	s += precisionFlags(c)
	if o.Sensitivity && c.Precision == precisionInt8 {
		s += " --sensitivity"
	}
	if c.Scenario == "singlestream" {
		s += " --scenario singlestream"
	}
	if c.Math != graph.Strict {
		s += " --math " + c.Math
	}
	if o.Threads != 0 {
		s += fmt.Sprintf(" --threads %d", o.Threads)
	}
	if o.Data != "" || c.Data == standIn {
		s += " --data " + ShellQuote(c.Data)
	}
	if o.ClassMap != "" {
		s += " --class-map " + ShellQuote(o.ClassMap)
	}
	if o.SkipBad {
		s += " --skip-bad"
	}
	s += o.weightFlags()
	for _, assignment := range o.Set {
		s += " --set " + ShellQuote(assignment)
	}
	if o.Epochs != 0 {
		s += fmt.Sprintf(" --epochs %d", o.Epochs)
	}
	if o.Target != 0 {
		s += fmt.Sprintf(" --target-accuracy %v", o.Target)
	}
	return s
}

// ShellQuote makes a word that a shell takes as one.
func ShellQuote(w string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=,@%+", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !plain(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
