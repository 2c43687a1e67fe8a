// Package faulty is a plugin that misbehaves in one chosen way, for the tests
// of those who must contain it. It wraps a healthy backend; nothing outside of
// tests uses it.
package faulty

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clsbench/clsbench/graph"
)

// Fault is what goes wrong, and where: `CALL=HOW`, then `mode=train|infer`,
// `batch=N` and `after=N` to spare other programs and the first N runs.
type Fault struct {
	Call  string // start, describe, open, map, check, compile, run, read, write, stats, close
	How   string
	Mode  string // "" is both
	Batch int    // 0 is any
	After int    // runs that go well first
}

var calls = []string{"start", "describe", "open", "map", "check", "compile", "run", "read", "write", "stats", "close"}

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
		case slices.Contains(calls, k):
			f.Call, f.How = k, v
		default:
			err = fmt.Errorf("want one of %s, mode, batch, after", strings.Join(calls, ", "))
		}
		if err != nil {
			return f, fmt.Errorf("fault %q: %w", w, err)
		}
	}
	return f, nil
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
