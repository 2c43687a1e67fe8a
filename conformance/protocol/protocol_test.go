package protocol

import (
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/backends/reference"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// mutant is the reference with one fault of the contract.
type mutant struct {
	backends.Backend
	fault string
}

func (m mutant) Open(ctx context.Context, cfg backends.SessionConfig) (backends.Session, error) {
	switch m.fault {
	case "any-device":
		cfg.Device = 0
	case "any-mode":
		cfg.Math = ""
	case "any-option":
		cfg.Options = nil
	}
	s, err := m.Backend.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &mutantSession{s, m.fault, map[uint32]*backends.Region{}}, nil
}

type mutantSession struct {
	backends.Session
	fault  string
	mapped map[uint32]*backends.Region
}

func (s *mutantSession) Map(ctx context.Context, r *backends.Region) error {
	err := s.Session.Map(ctx, r)
	s.mapped[r.ID] = r
	if s.fault == "map-twice" {
		return nil
	}
	return err
}

func (s *mutantSession) Unmap(ctx context.Context, id uint32) error {
	err := s.Session.Unmap(ctx, id)
	if s.fault == "unmap-bound" {
		return nil
	}
	return err
}

func (s *mutantSession) Check(ctx context.Context, p *graph.Program) ([]backends.NodeVerdict, error) {
	v, err := s.Session.Check(ctx, p)
	if s.fault == "check-refuses-mul" {
		for i := range v {
			if p.Nodes[i].Op == "Exp" {
				v[i].Supported, v[i].Why = false, "no"
			}
		}
	}
	if s.fault == "check-refuses-all" {
		for i := range v {
			v[i].Supported = false
		}
	}
	if s.fault == "goes-on-after-failure" && backends.CodeOf(err) == backends.FailedPrecondition {
		return nil, nil
	}
	return v, err
}

func (s *mutantSession) Compile(ctx context.Context, p *graph.Program, b []backends.Binding) (backends.Executable, error) {
	q := p.Clone()
	switch s.fault {
	case "one-slot":
		b = slices.Clone(b)
		for i := range b {
			b[i].Slots = min(b[i].Slots, 1)
		}
	case "first-binding-wins":
		if len(b) > 2 {
			b = b[:2]
		}
	case "updates-in-order": // the second update reads what the first has written
		if len(q.Updates) == 2 && q.Updates[1].Value == q.Updates[0].State {
			q.Updates[1].Value = q.Updates[0].Value
		}
	case "no-updates":
		q.Updates = nil
	case "consts-zeroed":
		for i := range q.Consts {
			if x := q.Consts[i].Tensor; x.Bytes() > 1<<20 {
				q.Consts[i].Tensor = tensor.New(x.DType, x.Shape...)
			}
		}
	case "state-zeroed-by-compile":
		for _, v := range q.State {
			_ = s.Write(ctx, []string{v.Name}, []*tensor.Tensor{tensor.New(v.Type.DType, v.Type.Shape...)})
		}
	}
	e, err := s.Session.Compile(ctx, &q, b)
	if err != nil {
		return nil, err
	}
	return &mutantExecutable{e, s.fault, s.mapped, b}, nil
}

func (s *mutantSession) Read(ctx context.Context, names []string, dst []*tensor.Tensor) error {
	err := s.Session.Read(ctx, names, dst)
	if s.fault == "read-never-refuses" {
		return nil
	}
	return err
}

func (s *mutantSession) Write(ctx context.Context, names []string, src []*tensor.Tensor) error {
	if s.fault == "write-drops-large" {
		for _, x := range src {
			if x.Bytes() > 1<<20 {
				return nil
			}
		}
	}
	return s.Session.Write(ctx, names, src)
}

func (s *mutantSession) Stats(ctx context.Context) (backends.Stats, error) {
	st, err := s.Session.Stats(ctx)
	if s.fault == "no-stats" {
		st = backends.Stats{}
	}
	return st, err
}

func (s *mutantSession) Close() error {
	if s.fault == "close-nothing" {
		return nil
	}
	return s.Session.Close()
}

type mutantExecutable struct {
	backends.Executable
	fault    string
	mapped   map[uint32]*backends.Region
	bindings []backends.Binding
}

// spoil writes to a slot of every ring of feeds or of fetches.
func (e *mutantExecutable) spoil(feeds bool, slot int64) {
	for _, b := range e.bindings {
		if (b.Value == "at") == feeds {
			e.mapped[b.Region].Data[b.Offset+slot*b.Stride] ^= 1
		}
	}
}

func (e *mutantExecutable) Plan() backends.Plan {
	p := e.Executable.Plan()
	switch e.fault {
	case "plan-lacks-a-node":
		p.Partitions = p.Partitions[:len(p.Partitions)-1]
	case "plan-of-one-digest":
		p.Digest = "0123456789abcdef"
	case "plan-of-many-digests":
		p.Digest = time.Now().Format("150405.000000000")
	}
	return p
}

func (e *mutantExecutable) Run(ctx context.Context, r backends.RunRequest) (backends.Samples, error) {
	switch e.fault {
	case "steps-off-by-one":
		r.First++
	case "steps-of-32-bits":
		r.First = int64(uint32(r.First))
	case "never-cancelled":
		ctx = context.WithoutCancel(ctx)
	case "no-arrivals":
		r.Arrival = nil
	case "negative-is-none":
		r.Steps = max(0, r.Steps)
	}
	s, err := e.Executable.Run(ctx, r)
	if backends.CodeOf(err) == backends.InvalidArgument {
		switch e.fault {
		case "data-unchecked":
			return s, nil
		case "data-fault-is-internal":
			return s, backends.Errorf(backends.Internal, "a kernel failed")
		case "failure-spoils-feeds":
			e.spoil(true, 0)
		case "failure-spoils-next-slot":
			e.spoil(false, 1)
		case "failure-ends-all-sessions":
			failedSessions.Store(true)
		}
	}
	switch e.fault {
	case "failure-ends-all-sessions":
		if failedSessions.Load() && err == nil {
			return s, backends.Errorf(backends.FailedPrecondition, "a session has failed")
		}
	case "goes-on-after-failure":
		if backends.CodeOf(err) == backends.FailedPrecondition {
			return s, nil
		}
	case "data-refused-throughout":
		if err == nil {
			return s, backends.Errorf(backends.InvalidArgument, "no")
		}
	case "last-step-lost":
		if len(s.Steps) > 1 {
			s.Steps = s.Steps[1:]
		}
	case "clock-of-another":
		for i := range s.Steps {
			s.Steps[i].Start += 1e9
			s.Steps[i].End += 1e9
		}
	case "cancel-counts-one-more":
		if backends.CodeOf(err) != "" && len(s.Steps) > 0 {
			s.Steps = s.Steps[1:]
		}
	case "deadline-is-cancel":
		if backends.CodeOf(err) == backends.DeadlineExceeded {
			err = backends.Errorf(backends.Canceled, "stopped")
		}
	}
	return s, err
}

func (e *mutantExecutable) Close() error {
	if e.fault == "close-nothing" {
		return nil
	}
	return e.Executable.Close()
}

// kills names for each fault cases that must see it.
var kills = map[string][]string{
	"none":                    {},
	"any-device":              {"open-refuses"},
	"any-mode":                {"open-refuses"},
	"any-option":              {"open-refuses"},
	"map-twice":               {"region-mapped-twice"},
	"unmap-bound":             {"region-in-use"},
	"check-refuses-mul":       {"check-agrees-with-compile"},
	"one-slot":                {"ring-slots", "regions-shared-and-private"},
	"first-binding-wins":      {"bindings-refused"},
	"updates-in-order":        {"updates-after-reads"},
	"no-updates":              {"state-starts-at-zero", "state-shared", "steps-in-one-call"},
	"consts-zeroed":           {"large-const"},
	"state-zeroed-by-compile": {"state-starts-at-zero"},
	"read-never-refuses":      {"state-types", "state-apart"},
	"write-drops-large":       {"read-write"},
	"no-stats":                {"read-write"},
	"close-nothing":           {"closed-executable", "closed-session", "region-in-use"},
	"plan-lacks-a-node":       {"plan"},
	"plan-of-one-digest":      {"plan"},
	"plan-of-many-digests":    {"plan"},
	"steps-off-by-one":        {"ring-slots", "steps-in-one-call"},
	"steps-of-32-bits":        {"ring-slots"},
	"never-cancelled":         {"cancel-between-steps", "deadline"},
	"no-arrivals":             {"arrivals"},
	"negative-is-none":        {"run-refuses"},
	"last-step-lost":          {"samples", "ring-slots"},
	"clock-of-another":        {"samples", "arrivals"},
	"cancel-counts-one-more":  {"cancel-between-steps"},
	"deadline-is-cancel":      {"deadline"},

	"data-unchecked":            named(dataCases()),
	"data-fault-is-internal":    named(dataCases()),
	"data-refused-throughout":   named(dataCases()),
	"failure-spoils-feeds":      named(dataCases()),
	"failure-spoils-next-slot":  named(dataCases()),
	"failure-ends-all-sessions": named(dataCases()),
	"goes-on-after-failure":     append(named(dataCases()), "closed-session", "closed-executable"),
}

// failedSessions is set by the fault of that name.
var failedSessions atomic.Bool

func named(cases []Case) (names []string) {
	for _, c := range cases {
		names = append(names, c.Name)
	}
	return names
}

func TestFaultsAreSeen(t *testing.T) {
	for _, fault := range slices.Sorted(maps.Keys(kills)) {
		t.Run(fault, func(t *testing.T) {
			t.Parallel() // some wait for arrivals
			b := mutant{reference.New(), fault}
			for _, c := range Cases() {
				must := slices.Contains(kills[fault], c.Name)
				if !must && fault != "none" {
					continue
				}
				failedSessions.Store(false)
				err := c.Run(t.Context(), b)
				require.Equal(t, must, err != nil, "%s: %v", c.Name, err)
			}
		})
	}
}

func TestEveryCaseIsDistinct(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		require.Regexp(t, `^[a-z]+(-[a-z]+)*$`, c.Name)
		require.False(t, seen[c.Name], c.Name)
		seen[c.Name] = true
	}
	for fault, cases := range kills {
		for _, c := range cases {
			require.True(t, seen[c], "%s: %s", fault, c)
		}
	}
}

// Each legal value of a case of data is legal, each one outside is not: nothing
// stands in both lists, and one value at a time is wrong.
func TestDataCasesMeanWhatTheySay(t *testing.T) {
	for _, f := range forbiddings() {
		require.Len(t, f.legal, f.shape.Elements(), f.name)
		require.GreaterOrEqual(t, len(f.outside), 4, f.name)
		for _, o := range f.outside {
			require.NotEqual(t, f.legal[o.at], o.value, f.name)
		}
	}
}

// A backend without an op is not asked for its data, and says so.
func TestLackedOpsAreNotAsked(t *testing.T) {
	for _, c := range dataCases() {
		err := c.Run(t.Context(), mutant{reference.New(), "check-refuses-all"})
		require.ErrorIs(t, err, ErrLacksOp, c.Name)
		require.ErrorContains(t, err, c.Op)
	}
}
