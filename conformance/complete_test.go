package conformance

import (
	"bytes"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
)

// passed is the report of a backend that passes all that it is asked; edit may
// change each result.
func passed(o Options, edit func(*Result)) *Report {
	r := &Report{
		Schema: ReportSchema, Version: Version, Bounds: BoundsDigest(), Seed: 7, Effort: o.Effort,
		Backend:     BackendInfo{Name: "b", Version: "1", Math: graph.Strict, Threads: 1},
		Environment: map[string]string{"go": "go1.26"},
	}
	if o.Filter != nil {
		r.Filter = o.Filter.String()
	}
	items, complete := o.selection()
	for _, it := range items {
		x := &Result{Case: it.name, Status: StatusPass}
		x.Suite, x.Op, x.Required = it.row()
		if edit != nil {
			edit(x)
		}
		r.Results = append(r.Results, x)
	}
	r.summarise(o.Suites, complete)
	return r
}

// reread writes a report and reads it.
func reread(t *testing.T, r *Report) error {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	_, err := ReadReport(b.Bytes())
	return err
}

// drop takes n cases of a family out of a report, and of the suite's counts.
func drop(r *Report, op string, s Suite, n, required int) {
	r.Families[familyAt(r, op)].Pass -= n
	i := slices.IndexFunc(r.Suites, func(x SuiteReport) bool { return x.Suite == s })
	r.Suites[i].Pass -= n
	r.Suites[i].Required -= required
}

func familyAt(r *Report, op string) int {
	return slices.IndexFunc(r.Families, func(f FamilyReport) bool { return f.Op == op })
}

func refuses(op string) func(*Result) {
	return func(x *Result) {
		if x.Op == op {
			x.Status, x.Feature = StatusUnsupported, op
		}
	}
}

// A report counts as this build's own list does, whatever it says of itself.
func TestReadReportCounts(t *testing.T) {
	all := Options{Effort: Quick, Suites: Suites()}
	for name, c := range map[string]struct {
		o     Options
		edit  func(*Result)
		spoil func(*Report)
		says  string
	}{
		"whole":                 {o: all},
		"standard":              {o: Options{Effort: Standard, Suites: Suites()}},
		"one suite":             {o: Options{Effort: Quick, Suites: []Suite{Attention}}},
		"filtered":              {o: Options{Effort: Quick, Suites: Suites(), Filter: regexp.MustCompile("^Conv/")}},
		"smoke":                 {o: Options{Effort: Smoke, Suites: Suites()}},
		"an op refused":         {o: all, edit: refuses("Conv")},
		"failed":                {o: all, edit: func(x *Result) { x.Status = map[bool]Status{true: StatusFail, false: StatusPass}[x.Op == "Softmax"] }},
		"a case dropped":        {o: all, spoil: func(r *Report) { drop(r, "Conv", InferenceCore, 1, 1) }, says: "this build's suite inference-core has"},
		"the required lowered":  {o: all, spoil: func(r *Report) { r.Suites[1].Required-- }, says: "/suites/1/required"},
		"the required raised":   {o: all, spoil: func(r *Report) { r.Suites[1].Required++ }, says: "/suites/1/required"},
		"moved between ops":     {o: all, spoil: func(r *Report) { r.Families[familyAt(r, "Conv")].Pass--; r.Families[familyAt(r, "Relu")].Pass++ }, says: "cases of "},
		"an op renamed":         {o: all, spoil: func(r *Report) { r.Families[familyAt(r, "Conv")].Op = "Convolution" }, says: "of Convolution, this build has 0"},
		"an op twice":           {o: all, spoil: func(r *Report) { r.Families = append(r.Families, FamilyReport{Op: "Conv"}) }, says: "family Conv stands there already"},
		"an op left out":        {o: all, spoil: func(r *Report) { dropFamily(r, "Celu") }, says: "/families"},
		"less effort than said": {o: all, spoil: func(r *Report) { r.Effort = Standard }, says: "at effort standard"},
		"smoke taken for all":   {o: Options{Effort: Smoke, Suites: Suites()}, spoil: claim, says: "leaves required cases out"},
		"missing ones not told": {o: all, edit: refuses("Conv"), spoil: func(r *Report) {
			for i := range r.Suites {
				r.Suites[i].Missing = 0
			}
			claim(r)
		}, says: "required cases are missing, by what the families"},
		"refused under tf32": {o: all, edit: func(x *Result) {
			if refuses("Conv")(x); x.Status == StatusUnsupported {
				x.Required = false
			}
		}, spoil: func(r *Report) { r.Backend.Math = graph.TF32 }},
		"required lost under tf32": {o: all, spoil: func(r *Report) { r.Backend.Math = graph.TF32; r.Suites[1].Required-- }, says: "/suites/1/required"},
		"interrupted":              {o: all, spoil: func(r *Report) { r.Interrupted = true; disclaim(r); drop(r, "Conv", InferenceCore, 1, 1) }},
		"interrupted, and too many": {o: all, spoil: func(r *Report) { r.Interrupted = true; disclaim(r); drop(r, "Conv", InferenceCore, -1, 0) },
			says: "this build's suite inference-core has"},
		"a filter that is none": {o: all, spoil: func(r *Report) { r.Filter = "("; disclaim(r) }, says: "/filter: "},
		"networks and suites": {o: all, spoil: func(r *Report) {
			r.Networks = []NetworkReport{{Network: "a", Verdict: Partial, Untested: []string{}}}
			r.Verdict = Partial
		},
			says: "/networks: a run has suites or networks"},
	} {
		r := passed(c.o, c.edit)
		if c.spoil != nil {
			c.spoil(r)
		}
		if c.says == "" {
			require.NoError(t, reread(t, r), name)
			continue
		}
		require.ErrorContains(t, reread(t, r), c.says, name)
	}
}

// claim makes passes of what was partial, disclaim the other way about.
func claim(r *Report)    { turn(r, Partial, Pass) }
func disclaim(r *Report) { turn(r, Pass, Partial) }

func turn(r *Report, was, is Outcome) {
	for i := range r.Suites {
		if r.Suites[i].Verdict == was {
			r.Suites[i].Verdict = is
		}
	}
	r.Verdict = is
}

// dropFamily takes a whole family out, which is of one suite and the other.
func dropFamily(r *Report, op string) {
	i := familyAt(r, op)
	r.Families[familyAt(r, "Relu")].Pass += r.Families[i].Pass
	r.Families = slices.Delete(r.Families, i, i+1)
}

// An outdated report can't be counted, and says so.
func TestOutdatedReports(t *testing.T) {
	r := passed(Options{Effort: Quick, Suites: Suites()}, nil)
	require.Empty(t, r.Outdated())
	drop(r, "Conv", InferenceCore, 10, 10)
	require.Error(t, reread(t, r))
	r.Bounds = "0000000000000000"
	require.NoError(t, reread(t, r), "its form is right")
	require.Contains(t, r.Outdated(), "outdated: bounds \"0000000000000000\"")
	require.Contains(t, r.Outdated(), "not checked for completeness")
	r.Bounds, r.Version = BoundsDigest(), "1"
	require.Contains(t, r.Outdated(), "outdated: suite version \"1\"")
}
