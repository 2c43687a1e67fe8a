// Package opbench times single conformance cases on backends: hot and cold, in
// interleaved rounds, each only after it has passed its check.
package opbench

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
)

// Schema names the version of the document's form.
const Schema = "clsbench.ops/v1"

// Document is what a run of micro-benchmarks found.
type Document struct {
	Schema       string                    `json:"schema"`
	SuiteVersion string                    `json:"suite_version"`
	Started      time.Time                 `json:"started"`
	Seconds      float64                   `json:"seconds"`
	Seed         uint64                    `json:"seed"` // what all data follow from
	Effort       string                    `json:"effort"`
	Rounds       int                       `json:"rounds"`
	RoundMillis  float64                   `json:"round_ms"`    // how long a round of one case lasts at least
	EvictBytes   int                       `json:"evict_bytes"` // written before each cold run
	Machine      machine.Info              `json:"machine"`
	Peaks        machine.Peaks             `json:"peaks"`
	Backends     []conformance.BackendInfo `json:"backends"`
	Results      []*Result                 `json:"results"`
	Comparisons  []Comparison              `json:"comparisons,omitempty"`
	Interrupted  bool                      `json:"interrupted,omitempty"`
}

// Status is how a case ended on a backend.
type Status string

// The statuses beside conformance's, which stand for a check that was not
// passed.
const (
	StatusOK      Status = "ok"
	StatusInvalid Status = "invalid" // the times contradict the harness's clock or the machine's limit
)

// Measured says whether the row may have figures.
func (s Status) Measured() bool { return s == StatusOK }

// Negative says whether the status is a verdict against the backend.
func (s Status) Negative() bool {
	return s == StatusInvalid || s == Status(conformance.StatusFail)
}

// Result is one case on one backend. Without the status ok it has no figures.
type Result struct {
	Case       string             `json:"case"`
	Backend    string             `json:"backend"` // label
	Status     Status             `json:"status"`
	Why        string             `json:"why,omitempty"`
	Worst      conformance.Number `json:"worst"` // error of the check, as a multiple of its bound
	Decomposed bool               `json:"decomposed,omitempty"`
	Kernels    []string           `json:"kernels,omitempty"`
	FLOPs      int64              `json:"flops"` // of one step, direct algorithm
	Bytes      int64              `json:"bytes"` // read and written once, the same
	Hot        *Time              `json:"hot,omitempty"`
	Cold       *Time              `json:"cold,omitempty"`
	// ShareFMA is the hot rate over the machine's multiply-adds, ShareCopy the
	// cold traffic over its copying, as measured in this session. Null for a
	// device that is not the processor, and the former for types that have no
	// such peak.
	ShareFMA  *float64 `json:"share_fma"`
	ShareCopy *float64 `json:"share_copy"`
}

// Time is one step's time over rounds.
type Time struct {
	measure.Estimate           // ns
	GFLOPS           float64   `json:"gflop_per_s"` // at the median
	GBps             float64   `json:"gb_per_s"`
	Rounds           []float64 `json:"rounds"` // ns, each round's figure
	Steps            int       `json:"steps"`  // of a call in the last round
}

func newTime(rounds []float64, steps int, r *Result) *Time {
	t := &Time{Estimate: measure.MedianOf(rounds), Rounds: rounds, Steps: steps}
	t.GFLOPS, t.GBps = float64(r.FLOPs)/t.Median, float64(r.Bytes)/t.Median
	return t
}

// Comparison holds a backend against the first one, on one case, hot. Ratio
// is A's speed over B's.
type Comparison struct {
	Case    string           `json:"case"`
	A       string           `json:"a"`
	B       string           `json:"b"`
	Rounds  int              `json:"rounds"`
	Ratio   measure.Estimate `json:"ratio"`
	PHolm   float64          `json:"p_holm"`
	Word    measure.Word     `json:"word"`
	Visible float64          `json:"visible"`        // the smallest difference that these rounds could have shown
	Need    int              `json:"need,omitempty"` // rounds that a word needs, where there were fewer
}

// Encode writes the document as JSON.
func (d *Document) Encode(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}

// Count counts the rows that a condition holds for.
func (d *Document) Count(is func(Status) bool) (n int) {
	for _, r := range d.Results {
		if is(r.Status) {
			n++
		}
	}
	return n
}

// Repro is the line that times a case again.
func (d *Document) Repro(name, backend string) string {
	return fmt.Sprintf("clsbench ops --backend '%s' --effort %s --seed %d --filter", backend, d.Effort, d.Seed) + " '^" + name + "$'"
}
