package conformance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
)

// ReportSchema names the version of the report's form.
const ReportSchema = "clsbench.conformance/v1"

// Report is what a run of the suites found out about a backend.
type Report struct {
	Schema  string    `json:"schema"`
	Version string    `json:"suite_version"`
	Bounds  string    `json:"bounds_digest"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	// Seed is what all data follow from; the same seed repeats the run.
	Seed    uint64      `json:"seed"`
	Effort  Effort      `json:"effort"`
	Filter  string      `json:"filter,omitempty"`
	Backend BackendInfo `json:"backend"`
	// Environment is where the run took place: go, os, cpus.
	Environment map[string]string `json:"environment"`
	// Verdict is pass, fail, or partial: nothing failed, but a required case
	// did not run, or a filter left some out.
	Verdict Outcome       `json:"verdict"`
	Suites  []SuiteReport `json:"suites"`
	// Networks are the programs that a run judged by their partitions; it has no
	// suites.
	Networks    []NetworkReport `json:"networks,omitempty"`
	Families    []FamilyReport  `json:"families"`
	Unsupported []Unsupported   `json:"unsupported,omitempty"`
	// Failed are the results that are neither pass nor unsupported: what passed
	// is counted, by family.
	Failed      []*Result `json:"failures"`
	Interrupted bool      `json:"interrupted,omitempty"`

	Results []*Result `json:"-"` // all, in the order run
}

// BackendInfo says which backend was judged, and how it was opened.
type BackendInfo struct {
	Label   string            `json:"label,omitempty"` // as given on the command line
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Device  string            `json:"device,omitempty"`
	Driver  string            `json:"driver,omitempty"`
	Math    string            `json:"math"`
	Threads int               `json:"threads"`
	Options map[string]string `json:"options,omitempty"`
}

// NewBackendInfo describes a backend that was opened with a configuration.
func NewBackendInfo(label string, d backends.Description, cfg backends.SessionConfig) BackendInfo {
	b := BackendInfo{Label: label, Name: d.Name, Version: d.Version, Math: cmp.Or(cfg.Math, graph.Strict), Threads: cfg.Threads, Options: cfg.Options}
	if cfg.Device < len(d.Devices) {
		b.Device, b.Driver = d.Devices[cfg.Device].Name, d.Devices[cfg.Device].Driver
	}
	return b
}

// Outcome is a verdict in one word.
type Outcome string

// The outcomes.
const (
	Pass    Outcome = "pass"
	Fail    Outcome = "fail"
	Partial Outcome = "partial"
)

// Counts are cases by how they ended.
type Counts struct {
	Pass        int `json:"pass"`
	Fail        int `json:"fail"` // crashes and timeouts too
	Unsupported int `json:"unsupported"`
	Mistrusted  int `json:"mistrusted"`
}

func (c *Counts) add(s Status) {
	switch s {
	case StatusPass:
		c.Pass++
	case StatusUnsupported:
		c.Unsupported++
	case StatusMistrusted:
		c.Mistrusted++
	default:
		c.Fail++
	}
}

// Ran counts the cases that said something about the backend.
func (c Counts) Ran() int { return c.Pass + c.Fail }

func (c Counts) counted() int { return c.Pass + c.Fail + c.Unsupported + c.Mistrusted }

// SuiteReport is one suite's.
type SuiteReport struct {
	Suite   Suite   `json:"suite"`
	Verdict Outcome `json:"verdict"`
	Counts
	// Required are the cases that the suite can't be claimed without; Missing
	// those of them that the backend refused.
	Required int `json:"required"`
	Missing  int `json:"missing"`
}

// FamilyReport is one op's, or one family of programs'.
type FamilyReport struct {
	Op string `json:"op"`
	Counts
	Worst Number `json:"worst"` // largest error of all cases, as a multiple of its bound
}

// Unsupported is a feature that the backend lacks.
type Unsupported struct {
	Feature  string `json:"feature"` // op/type
	Why      string `json:"why"`
	Cases    int    `json:"cases"`
	Required bool   `json:"required"` // a suite can't be claimed without it
}

// Failures lists the results that are neither pass nor unsupported.
func (r *Report) Failures() []*Result {
	var list []*Result
	for _, x := range r.Results {
		if x.Status != StatusPass && x.Status != StatusUnsupported {
			list = append(list, x)
		}
	}
	return list
}

// Counts sums up all results.
func (r *Report) Counts() (c Counts) {
	for _, x := range r.Results {
		c.add(x.Status)
	}
	return c
}

// WriteJSON writes the report, indented.
func (r *Report) WriteJSON(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// summarise fills all that follows from the results. complete says that no
// filter, effort or interruption left cases of the suites out.
func (r *Report) summarise(suites []Suite, complete bool) {
	families := map[string]*FamilyReport{}
	var order []string
	missing := map[string]*Unsupported{}
	bySuite := map[Suite]*SuiteReport{}
	for _, s := range suites {
		bySuite[s] = &SuiteReport{Suite: s}
	}
	for _, x := range r.Results {
		f := families[x.Op]
		if f == nil {
			f = &FamilyReport{Op: x.Op}
			families[x.Op] = f
			order = append(order, x.Op)
		}
		f.add(x.Status)
		f.Worst = Number(math.Max(float64(f.Worst), float64(x.Worst)))
		if s := bySuite[x.Suite]; s != nil {
			s.enter(x)
		}
		if x.Status != StatusUnsupported {
			continue
		}
		u := missing[x.Feature]
		if u == nil {
			u = &Unsupported{Feature: x.Feature, Why: x.Why}
			missing[x.Feature] = u
		}
		u.Cases++
		u.Required = u.Required || x.Required
	}
	if r.Failed = r.Failures(); r.Failed == nil {
		r.Failed = []*Result{}
	}
	for _, op := range order {
		r.Families = append(r.Families, *families[op])
	}
	for _, u := range missing {
		r.Unsupported = append(r.Unsupported, *u)
	}
	slices.SortFunc(r.Unsupported, func(a, b Unsupported) int { return cmp.Compare(a.Feature, b.Feature) })
	r.Verdict, r.Suites = Pass, []SuiteReport{}
	for _, s := range suites {
		x := bySuite[s]
		x.Verdict = x.outcome(complete)
		r.Suites = append(r.Suites, *x)
		r.Verdict = worse(r.Verdict, x.Verdict)
	}
	for _, n := range r.Networks {
		r.Verdict = worse(r.Verdict, n.Verdict)
	}
	if r.Counts().Ran() == 0 {
		r.Verdict = Fail // green on nothing is no pass
	}
}

// enter counts a result of one of the suite's cases.
func (s *SuiteReport) enter(x *Result) {
	s.add(x.Status)
	if x.Required {
		s.Required++
		if x.Status == StatusUnsupported {
			s.Missing++
		}
	}
}

func (s *SuiteReport) outcome(complete bool) Outcome {
	switch {
	case s.Fail > 0:
		return Fail
	case s.Missing > 0 || s.Mistrusted > 0 || !complete || s.Ran() == 0: // a mistrusted case is the suite's fault, and no case
		return Partial
	}
	return Pass
}

func worse(a, b Outcome) Outcome {
	rank := map[Outcome]int{Pass: 0, Partial: 1, Fail: 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Error sums up why the report is no pass; nil if it is one, or if all that is
// missing was left out by a filter.
func (r *Report) Error() error {
	c := r.Counts()
	switch {
	case c.Ran() == 0:
		return fmt.Errorf("no case ran: nothing is known of backend %s", r.Backend.Name)
	case r.Verdict == Fail:
		return fmt.Errorf("backend %s: %d of %d cases failed", r.Backend.Name, c.Fail, c.Ran())
	}
	for _, s := range r.Suites {
		if s.Missing > 0 {
			return fmt.Errorf("backend %s: suite %s needs %d cases that it does not support", r.Backend.Name, s.Suite, s.Missing)
		}
	}
	for _, n := range r.Networks {
		if len(n.Untested) > 0 {
			return fmt.Errorf("backend %s: %s has parts that no case judged: %s%s", r.Backend.Name, n.Title(), n.Untested[0], andMore(len(n.Untested)-1))
		}
	}
	return nil
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d more)", n)
}

// AsVerdict is the report's finding on the code behind a figure. Ops that the
// backend refuses say nothing of it: the harness decomposes them.
func (r *Report) AsVerdict() *Verdict {
	v := newVerdict(r.Seed)
	v.Seconds = r.Seconds
	for _, x := range r.Results {
		switch x.Status {
		case StatusUnsupported, StatusMistrusted:
		case StatusTimeout: // slow is not wrong
			v.Untested = append(v.Untested, x.Case+": "+x.Why)
			v.Result = worse(v.Result, Partial)
		case StatusPass:
			v.Total++
			v.Passed++
			v.Worst = Number(math.Max(float64(v.Worst), float64(x.Worst)))
		default:
			v.Total++
			v.Result = Fail
			v.Worst = Number(math.Max(float64(v.Worst), float64(x.Worst)))
			v.Failures = append(v.Failures, VerdictFailure{x.Case, x.Worst, string(x.Status) + ": " + x.Why, x.Findings})
		}
	}
	return v
}
