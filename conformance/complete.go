package conformance

import (
	"fmt"
	"regexp"

	"github.com/clsbench/clsbench/graph"
)

// Outdated says in what a report is of other suites than this build's; empty if
// in nothing. Only a report that is current can be counted case by case: an
// outdated one may lack anything, and claims nothing.
func (r *Report) Outdated() string {
	for _, x := range []struct{ what, was, is string }{{"suite version", r.Version, Version}, {"bounds", r.Bounds, BoundsDigest()}} {
		if x.was != x.is {
			return fmt.Sprintf("outdated: %s %q, this build has %q: not checked for completeness; run the suites again", x.what, x.was, x.is)
		}
	}
	return ""
}

// tally counts cases of this build: all, and those that are required.
type tally struct{ cases, required int }

// tallies are by suite, or by family.
type tallies map[string]tally

func (t tallies) enter(name string, required bool) {
	x := t[name]
	x.cases++
	if required {
		x.required++
	}
	t[name] = x
}

// lacks says how a count differs from what it must be. Of a run that was
// interrupted only what is too much can be told.
func (r *Report) lacks(is, want int) bool {
	return is > want || is < want && !r.Interrupted
}

// complete holds a current report against this build's own cases: those of its
// suites, by its effort and filter. Nothing that a report says of itself stands
// in for the count.
func (r *Report) complete() error {
	o := Options{Effort: r.Effort}
	for _, s := range r.Suites {
		o.Suites = append(o.Suites, s.Suite)
	}
	if r.Filter != "" {
		var err error
		if o.Filter, err = regexp.Compile(r.Filter); err != nil {
			return fmt.Errorf("/filter: %w", err)
		}
	}
	items, whole := o.selection()
	suites, families := tallies{}, tallies{}
	for _, it := range items {
		suite, op, required := it.row()
		suites.enter(string(suite), required)
		families.enter(op, required)
	}
	for i, s := range r.Suites {
		if err := r.completeSuite(i, suites[string(s.Suite)]); err != nil {
			return err
		}
		if s.Verdict == Pass && !whole {
			return fmt.Errorf("/suites/%d/verdict: pass, but effort %s leaves required cases out: partial at most", i, r.Effort)
		}
	}
	return r.completeFamilies(families)
}

// completeSuite compares one suite's counts. A relaxed math mode takes the
// demand from cases that it can't be judged by: they stand among the unsupported
// ones, and are not missing.
func (r *Report) completeSuite(i int, known tally) error {
	s := r.Suites[i]
	if r.lacks(s.counted(), known.cases) {
		return fmt.Errorf("/suites/%d: %d cases, this build's suite %s has %d at effort %s", i, s.counted(), s.Suite, known.cases, r.Effort)
	}
	want := known.required
	if r.Backend.Math != graph.Strict && s.Required < want {
		want = max(s.Required, want-(s.Unsupported-s.Missing))
	}
	if r.lacks(s.Required, want) {
		return fmt.Errorf("/suites/%d/required: %d, this build's suite %s has %d at effort %s", i, s.Required, s.Suite, want, r.Effort)
	}
	return nil
}

// completeFamilies compares the families' counts, and what is missing with what
// they can't do without.
func (r *Report) completeFamilies(known tallies) error {
	seen := map[string]bool{}
	missing, least := 0, 0
	for i, f := range r.Families {
		k := known[f.Op]
		switch {
		case seen[f.Op]:
			return fmt.Errorf("/families/%d: family %s stands there already", i, f.Op)
		case r.lacks(f.counted(), k.cases):
			return fmt.Errorf("/families/%d: %d cases of %s, this build has %d at effort %s", i, f.counted(), f.Op, k.cases, r.Effort)
		}
		seen[f.Op] = true
		least += max(0, f.Unsupported-(k.cases-k.required))
	}
	for op, k := range known {
		if !seen[op] && r.lacks(0, k.cases) {
			return fmt.Errorf("/families: %s is not there, this build has %d cases of it at effort %s", op, k.cases, r.Effort)
		}
	}
	for _, s := range r.Suites {
		missing += s.Missing
	}
	if r.Backend.Math == graph.Strict && missing < least {
		return fmt.Errorf("/suites: %d required cases are missing, by what the families do not support at least %d are", missing, least)
	}
	return nil
}
