package conformance

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// ReportSchemaURL identifies the JSON Schema of reports. It names, it is not
// fetched.
const ReportSchemaURL = "https://clsbench.github.io/schema/conformance-v1.schema.json"

// ReportSchemaJSON is the JSON Schema of clsbench.conformance/v1.
//
//go:embed schema/conformance-v1.schema.json
var ReportSchemaJSON []byte

// MaxReport bounds a report's file, bytes.
const MaxReport = 32 << 20

var reportSchema = sync.OnceValue(func() *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(ReportSchemaJSON))
	if err != nil {
		panic("conformance: embedded schema: " + err.Error())
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(ReportSchemaURL, doc); err != nil {
		panic("conformance: embedded schema: " + err.Error())
	}
	return c.MustCompile(ReportSchemaURL)
})

// ReadReport reads a report and holds it against its schema, against itself and,
// unless it is Outdated, against this build's own cases. The error names what is
// wrong.
func ReadReport(data []byte) (*Report, error) {
	if len(data) > MaxReport {
		return nil, fmt.Errorf("%d bytes, more than a report can have (%d)", len(data), MaxReport)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if err := reportSchema().Validate(tree); err != nil {
		var v *jsonschema.ValidationError
		if errors.As(err, &v) {
			return nil, schemaProblem(v)
		}
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, err
	}
	return r, r.check()
}

// schemaProblem is the innermost complaint of the schema, with its place.
func schemaProblem(v *jsonschema.ValidationError) error {
	for len(v.Causes) > 0 {
		v = v.Causes[0]
	}
	lines := strings.Split(v.Error(), "\n")
	why := strings.TrimSpace(lines[len(lines)-1])
	if i := strings.LastIndex(why, "': "); i >= 0 {
		why = why[i+3:]
	}
	return fmt.Errorf("/%s: %s", strings.Join(v.InstanceLocation, "/"), why)
}

// check looks for what a schema can't say.
func (r *Report) check() error {
	if r.Schema != ReportSchema {
		return fmt.Errorf("/schema: %q: this build knows %s", r.Schema, ReportSchema)
	}
	if r.Seed == 0 || r.Seed >= MaxSeed {
		return fmt.Errorf("/seed: %d: want 1 to 2^53 - 1", r.Seed)
	}
	var bySuite, byFamily Counts
	verdict, seen := Pass, map[string]bool{}
	for i, s := range r.Suites {
		if s.Missing > s.Required || s.Missing > s.Unsupported {
			return fmt.Errorf("/suites/%d: %d required cases are missing, of %d required and %d unsupported", i, s.Missing, s.Required, s.Unsupported)
		}
		if s.Verdict == Pass && s.outcome(true) != Pass || (s.Verdict == Fail) != (s.Fail > 0) {
			return fmt.Errorf("/suites/%d/verdict: %s contradicts its counts", i, s.Verdict)
		}
		if s.Verdict == Pass && (r.Filter != "" || r.Interrupted) {
			return fmt.Errorf("/suites/%d/verdict: pass, but a filter or an interruption kept cases from being run: partial at most", i)
		}
		if _, err := ParseSuite(string(s.Suite)); err != nil {
			return fmt.Errorf("/suites/%d/suite: %w", i, err)
		}
		if seen[string(s.Suite)] {
			return fmt.Errorf("/suites/%d: suite %s stands there already", i, s.Suite)
		}
		seen[string(s.Suite)] = true
		verdict = worse(verdict, s.Verdict)
		bySuite.sum(s.Counts)
	}
	for i, n := range r.Networks {
		if n.Verdict != n.outcome(true) && n.Verdict != n.outcome(false) {
			return fmt.Errorf("/networks/%d/verdict: %s contradicts its counts", i, n.Verdict)
		}
		if n.Verdict == Pass && (r.Filter != "" || r.Interrupted) {
			return fmt.Errorf("/networks/%d/verdict: pass, but a filter or an interruption kept cases from being run: partial at most", i)
		}
		verdict = worse(verdict, n.Verdict)
		bySuite.sum(n.Counts)
	}
	for _, f := range r.Families {
		byFamily.sum(f.Counts)
	}
	if bySuite.Ran() == 0 {
		verdict = Fail
	}
	switch {
	case bySuite != byFamily:
		return fmt.Errorf("/families: they count %+v, the suites %+v", byFamily, bySuite)
	case r.Verdict != verdict:
		return fmt.Errorf("/verdict: %s, by its suites it is %s", r.Verdict, verdict)
	case len(r.Failed) != bySuite.Fail+bySuite.Mistrusted:
		return fmt.Errorf("/failures: %d, by the suites' counts there are %d", len(r.Failed), bySuite.Fail+bySuite.Mistrusted)
	case len(r.Networks) > 0 && len(r.Suites) > 0:
		return errors.New("/networks: a run has suites or networks, not both")
	case len(r.Networks) > 0 || r.Outdated() != "":
		return nil // a network's cases follow from the backend's plans
	}
	return r.complete()
}

func (c *Counts) sum(o Counts) {
	c.Pass += o.Pass
	c.Fail += o.Fail
	c.Unsupported += o.Unsupported
	c.Mistrusted += o.Mistrusted
}
