// Package faulty is a plugin that misbehaves in one chosen way, for the tests
// of those who must contain it. It wraps a healthy backend; nothing outside of
// tests uses it.
package faulty

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/clsbench/clsbench/graph"
)

// Fault is what goes wrong, and where: `CALL=HOW`, then `mode=train|infer`,
// `batch=N` and `after=N` to spare other programs and the first N runs.
type Fault struct {
	Call  string // one of Calls
	How   string // one of the vices, or a wrong answer of that call
	Mode  string // "" is both
	Batch int    // 0 is any
	After int    // runs that go well first
}

// Calls are where a fault can be: those that a backend answers, in the order
// in which a life has them, before them the process's start, and the plan of
// what was compiled.
func Calls() []string {
	return []string{"start", "describe", "open", "map", "unmap", "check", "compile", "plan", "run", "read", "write", "stats",
		"close-executable", "close-session"}
}

// hows are what can go wrong in a call.
func hows(call string) []string {
	var answers []string
	switch call {
	case "plan":
		return slices.Sorted(maps.Keys(wrongPlans)) // it is no call: the answer of Compile has it
	case "describe":
		answers = slices.Collect(maps.Keys(wrongNames))
	case "check":
		answers = slices.Collect(maps.Keys(wrongVerdicts))
	case "run":
		answers = slices.Collect(maps.Keys(lies))
	}
	return slices.Sorted(slices.Values(slices.AppendSeq(answers, maps.Keys(vices))))
}

// Parse reads a fault from words; none is no fault.
func Parse(words []string) (Fault, error) {
	var f Fault
	for _, w := range words {
		k, v, ok := strings.Cut(w, "=")
		var err error
		switch {
		case !ok:
			err = fmt.Errorf("want key=value")
		case k == "mode":
			f.Mode = v
		case k == "batch":
			f.Batch, err = strconv.Atoi(v)
		case k == "after":
			f.After, err = strconv.Atoi(v)
		case !slices.Contains(Calls(), k):
			err = fmt.Errorf("want one of %s, mode, batch, after", strings.Join(Calls(), ", "))
		case !slices.Contains(hows(k), v):
			err = fmt.Errorf("want one of %s", strings.Join(hows(k), ", "))
		default:
			f.Call, f.How = k, v
		}
		if err != nil {
			return f, fmt.Errorf("fault %q: %w", w, err)
		}
	}
	return f, nil
}

// in does the fault if it is of this call and is a vice. What spoils an answer
// comes after the call.
func (f Fault) in(call string) error {
	vice := vices[f.How]
	if f.Call != call || vice == nil {
		return nil
	}
	return vice(call)
}

// meets says whether the fault is meant for a program: images a step are the
// first dimension of its feed "image", and training has updates.
func (f Fault) meets(p *graph.Program) bool {
	mode := "infer"
	if len(p.Updates) > 0 {
		mode = "train"
	}
	if f.Mode != "" && f.Mode != mode {
		return false
	}
	for _, v := range p.Feeds {
		if v.Name == "image" {
			return f.Batch == 0 || f.Batch == v.Type.Shape[0]
		}
	}
	return f.Batch == 0
}
