package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// ONNXResult is what became of one of ONNX's tests.
type ONNXResult struct {
	Test   string `json:"test"`
	Status Status `json:"status"`
	Why    string `json:"why,omitempty"`
	// Op is, when unsupported, the op that the table or the backend lacks, or the
	// first with values of the Type that programs lack.
	Op    string   `json:"op,omitempty"`
	Type  string   `json:"type,omitempty"`
	Ops   []string `json:"ops,omitempty"` // that ran
	Sets  int      `json:"sets,omitempty"`
	Worst Number   `json:"worst"` // largest error as a multiple of ONNX's own tolerance
}

// StatusFolded is of tests of which nothing is left to run once shapes are
// known: the answer was read off the model, no backend was asked.
const StatusFolded Status = "folded"

// StatusSuperseded is of tests whose data ONNX has since corrected: the answer
// was held against the reference alone.
const StatusSuperseded Status = "superseded"

// onnxBound is the tolerance of ONNX's own runner.
var onnxBound = &Bound{
	Name: "onnx", Formula: "|y − t| ≤ 10⁻³|t| + 10⁻⁷, t the test's output; integers and truth values equal",
	Source: "onnx/backend/test/runner: assert_allclose with rtol 1e-3, atol 1e-7",
}

// onnxRoom is how often the program rule's limit an answer may err: its groups
// show what orders of summation do, not the ulps that single functions may.
const onnxRoom = 8

// Check runs one test on a session. It never returns nil.
func (t ONNXTest) Check(ctx context.Context, s backends.Session, o *Oracle, features []string) *ONNXResult {
	r := &ONNXResult{Test: t.Name, Status: StatusPass}
	sets, err := t.sets()
	if err != nil {
		return r.fail(err)
	}
	corrected := t.corrected()
	for _, set := range sets {
		if set.superseded = corrected != ""; set.superseded {
			r.Status, r.Why = StatusSuperseded, "ONNX has corrected these data in onnx/onnx"+corrected
		}
		if set.folded {
			r.Status = StatusFolded
			return r
		}
		if err := set.check(ctx, s, o, features, r); err != nil {
			return r.fail(err)
		}
		r.Sets++
	}
	return r
}

func (r *ONNXResult) fail(err error) *ONNXResult {
	var u unread
	var refused refusal
	var typed *backends.Error
	switch {
	case errors.As(err, &u):
		r.Status, r.Op, r.Type, r.Why = StatusUnsupported, u.op, u.typ, u.why
	case errors.As(err, &refused):
		r.Status, r.Op, r.Why = StatusUnsupported, refused.cause.Op, refused.Error()
	case errors.Is(err, context.DeadlineExceeded), backends.CodeOf(err) == backends.DeadlineExceeded:
		r.Status, r.Why = StatusTimeout, err.Error()
	case errors.As(err, &typed):
		r.Status, r.Why = StatusCrashed, err.Error()
	default: // a wrong answer, memory touched, a test that can't be right
		r.Status, r.Why = StatusFail, err.Error()
	}
	return r
}

// check runs the set twice, from two slots, and holds both answers against the
// test's outputs and against the reference.
func (s *onnxSet) check(ctx context.Context, session backends.Session, o *Oracle, features []string, r *ONNXResult) (err error) {
	low, err := lower(ctx, session, s.program, false)
	if err != nil {
		return err
	}
	d, err := compile(ctx, session, low)
	if err != nil {
		return err
	}
	defer closing(d, &err)
	r.Ops = r.Ops[:0]
	for _, c := range s.graph.Calls {
		r.Ops = append(r.Ops, c.Op.Name)
	}
	got, err := d.run(ctx, 0, []Values{s.feeds, s.feeds})
	if err != nil {
		return err
	}
	expected, err := s.expectations(o)
	if err != nil {
		return err
	}
	for _, answer := range got {
		for _, e := range expected {
			f := e.judge(answer[e.output.key], features)
			r.Worst = Number(math.Max(float64(r.Worst), WorstMultiple([]*Finding{f})))
			if !f.OK {
				return fmt.Errorf("%s", f.Summary())
			}
		}
	}
	return nil
}

// expectations are two of each output: ONNX's, and the reference's where the
// data do not lie at a kink and the model is not large.
func (s *onnxSet) expectations(o *Oracle) ([]*expectation, error) {
	var list []*expectation
	for _, out := range outputsOf(s.graph) {
		if t := s.want[out.key]; t != nil {
			list = append(list, onnxExpectation(out, t))
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("the test has no output")
	}
	if s.graph.FLOPs() > manyRounds || s.elements() > manyElements {
		return list, nil // the reference would take minutes, or all memory
	}
	ruled, err := o.rule(s.graph, arraysOf(s.feeds), true)
	switch {
	case errors.Is(err, errKink):
		return atTies(list), nil
	case err != nil:
		return nil, err
	}
	for _, e := range ruled.list {
		if torn(list, e) {
			return atTies(list), nil
		}
		loose := *e
		loose.limit = make([]float64, len(e.limit))
		for i, l := range e.limit {
			loose.limit[i] = onnxRoom * l
		}
		if e.limit == nil {
			loose.limit = nil
		}
		list = append(list, &loose)
	}
	if s.superseded {
		list = slices.DeleteFunc(list, func(e *expectation) bool { return e.bound == onnxBound })
	}
	return list, nil
}

// manyElements is how many all values of a model may have for the reference's
// rounded runs, which hold them in float64.
const manyElements = 8 << 20

func (s *onnxSet) elements() (n int) {
	for _, t := range s.graph.Types {
		n += t.Shape.Elements()
	}
	return n
}

// torn says that ONNX and the reference are a step apart in an 8-bit output.
func torn(list []*expectation, ref *expectation) bool {
	for _, e := range list {
		if e.output.key != ref.output.key || !graph.EightBits.Has(e.output.typ.DType) {
			continue
		}
		for i, w := range e.want {
			if math.Abs(w-ref.want[i]) == 1 {
				return true
			}
		}
	}
	return false
}

// atTies allows 8-bit integers a step, in data that lie at a kink: ONNX rounded
// quotients of f32, which more precision sees on the other side of a tie.
func atTies(list []*expectation) []*expectation {
	for _, e := range list {
		if graph.EightBits.Has(e.output.typ.DType) {
			e.limit = slices.Repeat([]float64{1}, len(e.want))
		}
	}
	return list
}

func onnxExpectation(out output, t *tensor.Tensor) *expectation {
	e := &expectation{output: out, bound: onnxBound, want: t.Float64s()}
	if t.DType.IsFloat() {
		e.limit = make([]float64, len(e.want))
		for i, w := range e.want {
			if !math.IsNaN(w) && !math.IsInf(w, 0) {
				e.limit[i] = 1e-3*math.Abs(w) + 1e-7
			}
		}
	}
	return e
}

// ONNXReport is what became of a folder of ONNX's tests.
type ONNXReport struct {
	Schema  string        `json:"schema"`
	Backend BackendInfo   `json:"backend"`
	Dir     string        `json:"dir"`
	Results []*ONNXResult `json:"results"`
}

// ONNXReportSchema names the form of the report.
const ONNXReportSchema = "clsbench.onnx-report/v1"

// Count says how many tests ended so.
func (r *ONNXReport) Count(s Status) (n int) {
	for _, x := range r.Results {
		if x.Status == s {
			n++
		}
	}
	return n
}

// Failed lists the tests that ran and did not pass.
func (r *ONNXReport) Failed() (list []*ONNXResult) {
	for _, x := range r.Results {
		switch x.Status {
		case StatusFail, StatusCrashed, StatusTimeout:
			list = append(list, x)
		}
	}
	return list
}

// UnsupportedOps counts the tests that were not run by the op at fault, the
// most frequent first.
func (r *ONNXReport) UnsupportedOps() (ops []string, tests map[string]int) {
	tests = map[string]int{}
	for _, x := range r.Results {
		if x.Status == StatusUnsupported {
			tests[x.Op]++
		}
	}
	for op := range tests {
		ops = append(ops, op)
	}
	sort.Slice(ops, func(i, j int) bool {
		if tests[ops[i]] != tests[ops[j]] {
			return tests[ops[i]] > tests[ops[j]]
		}
		return ops[i] < ops[j]
	})
	return ops, tests
}

// Error is nil if at least one test ran and all that ran passed.
func (r *ONNXReport) Error() error {
	switch failed := r.Failed(); {
	case len(failed) > 0:
		return fmt.Errorf("%d of %d tests failed, first %s: %s", len(failed), len(failed)+r.Count(StatusPass), failed[0].Test, failed[0].Why)
	case r.Count(StatusPass) == 0:
		return errors.New("no test ran: that is no pass")
	}
	return nil
}

// WriteJSON writes the report.
func (r *ONNXReport) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", " ")
	return enc.Encode(r)
}

// RunONNX runs tests on a backend, a session each time one has crashed.
func (r *Runner) RunONNX(ctx context.Context, dir string, tests []ONNXTest, progress func(done int, x *ONNXResult)) (*ONNXReport, error) {
	d, err := r.backend.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("describing the backend: %w", err)
	}
	r.features = d.Features
	if err := r.open(ctx); err != nil {
		return nil, fmt.Errorf("opening a session: %w", err)
	}
	defer r.close()
	rep := &ONNXReport{Schema: ONNXReportSchema, Dir: dir, Backend: NewBackendInfo(r.opt.Label, d, r.opt.Config)}
	for i, t := range tests {
		if ctx.Err() != nil {
			break
		}
		x := r.oneONNX(ctx, t)
		if ctx.Err() != nil {
			break // stopped in the middle: it says nothing
		}
		rep.Results = append(rep.Results, x)
		if progress != nil {
			progress(i+1, x)
		}
	}
	return rep, nil
}

// oneONNX runs a test under its deadline, on a session that works.
func (r *Runner) oneONNX(ctx context.Context, t ONNXTest) *ONNXResult {
	limited, cancel := context.WithTimeout(ctx, r.opt.Timeout)
	defer cancel()
	if r.session == nil {
		return &ONNXResult{Test: t.Name, Status: StatusCrashed, Why: "the backend has gone and could not be opened again"}
	}
	x := t.Check(limited, r.session, r.oracle, r.features)
	if limited.Err() != nil && x.Status == StatusCrashed {
		x.Status = StatusTimeout
	}
	if x.Status == StatusCrashed || x.Status == StatusTimeout {
		r.reopen(ctx)
	}
	return x
}
