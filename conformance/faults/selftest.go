package faults

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
)

// Matrix is what a self-test of the suite found out.
type Matrix struct {
	Version  string          `json:"suite_version"`
	Seed     uint64          `json:"seed"`
	Seconds  float64         `json:"seconds"`
	Faults   []FaultResult   `json:"faults"`
	Variants []VariantResult `json:"variants"`
	// Mistrusted are cases that take a liar's answer for right.
	Mistrusted []string `json:"mistrusted,omitempty"`
	// Untried are the faults and variants of cpu where it can't be built, Why
	// says why not.
	Untried []string `json:"untried,omitempty"`
	Why     string   `json:"untried_why,omitempty"`
	Cases   int      `json:"cases"`
}

// FaultResult is one fault's row of the kill matrix.
type FaultResult struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	Why  string `json:"why"`
	// StandsFor is the listed fault that it is planted for, see FAULTS.md.
	StandsFor string `json:"stands_for,omitempty"`
	// Caught says that the suite rejects it; a fault in a core op's kernel by
	// two independent kinds of cases.
	Caught bool `json:"caught"`
	// By are the kinds of cases (op/class) that reject it, Failed of Ran cases.
	By     []string `json:"by"`
	Once   string   `json:"one_kind_because,omitempty"` // why it is let off the second kind
	Failed int      `json:"failed"`
	Ran    int      `json:"ran"`
}

// VariantResult is one legal implementation's.
type VariantResult struct {
	Name   string   `json:"name"`
	Why    string   `json:"why"`
	Passed bool     `json:"passed"`
	Wrong  []string `json:"wrongly_rejected,omitempty"`
	Ran    int      `json:"ran"`
	// Worst is the largest error of all cases as a multiple of its bound.
	Worst conformance.Number `json:"worst"`
}

// Config says how a self-test runs.
type Config struct {
	Seed   uint64             // 0: drawn
	Effort conformance.Effort // of the cases that variants must pass; faults meet quick ones
	Extra  []Fault            // beside Faults
	Only   func(name string) bool
	// Progress, if not nil, is called now and then.
	Progress func(done, total int)
}

// OK says whether every fault was caught, every variant passed and every case
// can be trusted; the error names the first that was not.
func (m *Matrix) OK() error {
	for _, f := range m.Faults {
		if !f.Caught {
			return fmt.Errorf("fault %s (%s) is not caught well enough: by %v", f.Name, f.Why, f.By)
		}
	}
	for _, v := range m.Variants {
		if !v.Passed {
			return fmt.Errorf("legal variant %s (%s) is rejected by %s", v.Name, v.Why, v.Wrong[0])
		}
	}
	if len(m.Untried) > 0 {
		return fmt.Errorf("%s and %d more were not tried: %s", m.Untried[0], len(m.Untried)-1, m.Why)
	}
	if len(m.Mistrusted) > 0 {
		return fmt.Errorf("case %s takes a liar's answer for right", m.Mistrusted[0])
	}
	if m.Cases == 0 {
		return fmt.Errorf("no case ran")
	}
	return nil
}

// subject is a backend under the self-test.
type subject struct {
	name     string
	math     string
	ops      []string // nil: all
	effort   conformance.Effort
	backend  func() backends.Backend
	proxy    bool // it runs as a process of its own
	cpu      *cpuSubject
	features []string

	mu      sync.Mutex
	session backends.Session
	kinds   map[string]int
	wrong   []string
	failed  int
	ran     int
	worst   float64
}

// SelfTest runs faults, variants and liars against the suite. Each case is
// prepared once for all of them.
func SelfTest(ctx context.Context, cfg Config) (*Matrix, error) {
	start := time.Now()
	if cfg.Seed == 0 {
		cfg.Seed = conformance.NewSeed()
	}
	m := &Matrix{Version: conformance.Version, Seed: cfg.Seed}
	all := append(Faults(), cfg.Extra...)
	var subjects []*subject
	for _, f := range all {
		subjects = append(subjects, &subject{name: f.Name, math: f.Math, ops: f.Ops, effort: f.Effort, backend: f.Backend, proxy: f.Kind == KindProxy, cpu: f.cpu})
	}
	for _, v := range Variants() {
		subjects = append(subjects, &subject{name: v.Name, math: v.Math, ops: v.Ops, effort: cfg.Effort, backend: v.Backend, proxy: v.Name == unbentProxy, cpu: v.cpu})
	}
	subjects = slices.DeleteFunc(subjects, func(s *subject) bool { return cfg.Only != nil && !cfg.Only(s.name) })
	running, err := newProcesses()
	if err != nil {
		return nil, err
	}
	defer running.Close()
	if slices.ContainsFunc(subjects, ofCPU) {
		if running.cpu, err = buildCPU(running.dir); err != nil {
			m.Why = errUnbuilt(err).Error()
			subjects = slices.DeleteFunc(subjects, func(s *subject) bool {
				if ofCPU(s) {
					m.Untried = append(m.Untried, s.name)
				}
				return ofCPU(s)
			})
		}
	}
	for _, s := range subjects {
		if s.session, err = s.open(ctx, running); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		defer s.session.Close()
	}
	for _, mode := range append([]string{""}, graph.MathModes()...) {
		in := slices.DeleteFunc(slices.Clone(subjects), func(s *subject) bool { return s.math != mode })
		if err := m.runCases(ctx, cfg, mode, in); err != nil {
			return nil, err
		}
	}
	byName := map[string]*subject{}
	for _, s := range subjects {
		byName[s.name] = s
	}
	for _, f := range all {
		if s := byName[f.Name]; s != nil {
			m.Faults = append(m.Faults, s.fault(f))
		}
	}
	for _, v := range Variants() {
		if s := byName[v.Name]; s != nil {
			m.Variants = append(m.Variants, VariantResult{v.Name, v.Why, len(s.wrong) == 0 && s.ran > 0, s.wrong, s.ran, conformance.Number(s.worst)})
		}
	}
	m.Seconds = time.Since(start).Seconds()
	return m, nil
}

func ofCPU(s *subject) bool { return s.cpu != nil }

func (s *subject) open(ctx context.Context, running *processes) (_ backends.Session, err error) {
	cfg := backends.SessionConfig{Math: s.math}
	var b backends.Backend
	switch {
	case s.cpu != nil:
		b, err = running.armed(ctx, s.cpu.fault)
		cfg = s.cpu.config()
	case s.proxy:
		b, err = running.proxy(ctx, s.name)
	default:
		b = s.backend()
	}
	if err != nil {
		return nil, err
	}
	d, err := b.Describe(ctx)
	if err != nil {
		return nil, err
	}
	s.features, s.kinds = d.Features, map[string]int{}
	return b.Open(ctx, cfg)
}

// wants says whether a case is run against the subject.
func (s *subject) wants(c *conformance.Case) bool {
	return c.Effort <= s.effort && (s.ops == nil || slices.Contains(s.ops, c.Op))
}

// runCases prepares cases in parallel, to be judged in a math mode, and runs
// each against every subject that wants it.
func (m *Matrix) runCases(ctx context.Context, cfg Config, math string, subjects []*subject) error {
	var cases []*conformance.Case
	for _, c := range conformance.Cases() {
		if slices.ContainsFunc(subjects, func(s *subject) bool { return s.wants(c) }) {
			cases = append(cases, c)
		}
	}
	m.Cases += len(cases)
	var mu sync.Mutex
	var group sync.WaitGroup
	next, done := make(chan *conformance.Case), 0
	o := &conformance.Oracle{Threads: 1, Cache: conformance.NewCache(""), Math: math}
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for c := range next {
				if ctx.Err() != nil {
					continue
				}
				p := c.Prepare(cfg.Seed, o)
				mistrusted := p.Mistrusted()
				for _, s := range subjects {
					if s.wants(c) && mistrusted == "" {
						s.check(ctx, p, c, o)
					}
				}
				mu.Lock()
				if mistrusted != "" {
					m.Mistrusted = append(m.Mistrusted, c.Name()+": "+mistrusted)
				}
				if done++; cfg.Progress != nil {
					cfg.Progress(done, len(cases))
				}
				mu.Unlock()
			}
		})
	}
	for _, c := range cases {
		next <- c
	}
	close(next)
	group.Wait()
	sort.Strings(m.Mistrusted)
	return ctx.Err()
}

func (s *subject) check(ctx context.Context, p *conformance.Prepared, c *conformance.Case, o *conformance.Oracle) {
	s.mu.Lock() // state is the session's, and faults count calls
	defer s.mu.Unlock()
	r := p.Check(ctx, s.session, o, s.features)
	switch r.Status {
	case conformance.StatusUnsupported:
		return
	case conformance.StatusPass:
		s.worst = max(s.worst, float64(r.Worst))
	default:
		s.failed++
		if r.Status == conformance.StatusFail { // to crash is no answer that a case could have seen through
			s.kinds[c.Op+"/"+c.Class]++
		}
		s.wrong = append(s.wrong, r.Case+": "+string(r.Status)+": "+r.Why)
	}
	s.ran++
}

// fault sums up a fault's row. Two kinds of cases are independent when they
// are of different classes or ops.
func (s *subject) fault(f Fault) FaultResult {
	r := FaultResult{Name: f.Name, Kind: f.Kind, Why: f.Why, StandsFor: f.StandsFor, Once: f.Once, Failed: s.failed, Ran: s.ran}
	for k := range s.kinds {
		r.By = append(r.By, k)
	}
	sort.Strings(r.By)
	need := 1
	if f.Core {
		need = 2
	}
	r.Caught = len(r.By) >= need
	return r
}

// String is the matrix as text: a line a row.
func (m *Matrix) String() string {
	var b strings.Builder
	for _, f := range m.Faults {
		mark := "caught"
		if !f.Caught {
			mark = "MISSED"
		}
		fmt.Fprintf(&b, "%-6s %-7s %-38s %3d of %3d cases: %s\n", mark, f.Kind, f.Name, f.Failed, f.Ran, strings.Join(f.By, " "))
		if f.StandsFor != "" {
			fmt.Fprintf(&b, "       stands for: %s\n", f.StandsFor)
		}
		if f.Once != "" {
			fmt.Fprintf(&b, "       one kind must do: %s\n", f.Once)
		}
	}
	for _, v := range m.Variants {
		mark := "passed"
		if !v.Passed {
			mark = "WRONG "
		}
		fmt.Fprintf(&b, "%-6s legal   %-38s %3d cases, worst %.2g of a bound", mark, v.Name, v.Ran, float64(v.Worst))
		for _, w := range v.Wrong {
			fmt.Fprintf(&b, "\n       rejected by %s", w)
		}
		b.WriteByte('\n')
	}
	for _, c := range m.Mistrusted {
		fmt.Fprintf(&b, "MISTRUSTED %s\n", c)
	}
	return b.String()
}
