package conformance

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the schema, and the table of bounds")

const reportSchemaFile = "schema/conformance-v1.schema.json"

// Go's struct and the committed schema agree. After a change of the struct:
// go test ./conformance -run ReportSchema -update.
func TestReportSchemaIsTheStruct(t *testing.T) {
	r := &jsonschema.Reflector{ExpandedStruct: true, Mapper: func(t reflect.Type) *jsonschema.Schema {
		switch t {
		case reflect.TypeFor[Number](): // JSON has no NaN
			return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "number"}, {Type: "string", Enum: []any{"NaN", "+Inf", "-Inf"}}}}
		case reflect.TypeFor[Effort]():
			return &jsonschema.Schema{Type: "string", Enum: []any{"smoke", "quick", "standard"}}
		}
		return nil
	}}
	s := r.Reflect(&Report{})
	s.ID, s.Title = ReportSchemaURL, ReportSchema
	want, err := json.MarshalIndent(s, "", "  ")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(reportSchemaFile, append(want, '\n'), 0o644))
		return // the embedded one is still the old
	}
	require.JSONEq(t, string(want), string(ReportSchemaJSON), "go test ./conformance -run ReportSchema -update writes it anew")
	for _, k := range []string{"schema", "suite_version", "seed", "backend", "verdict", "suites", "families", "failures"} {
		require.Contains(t, s.Required, k)
	}
}

// What is published is valid, small, and of whole suites.
func TestPublishedReports(t *testing.T) {
	files, err := filepath.Glob("reports/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		require.Less(t, len(data), 300<<10, f)
		r, err := ReadReport(data)
		require.NoError(t, err, "%s: make reports writes it anew", f)
		require.Empty(t, r.Filter, f)
		require.False(t, r.Interrupted, f)
		require.Equal(t, r.Backend.Name, strings.TrimSuffix(filepath.Base(f), ".json"))
		mend := "make reports writes them anew: " + f
		require.Empty(t, r.Outdated(), mend) // a current one has been counted
		require.Len(t, r.Suites, len(Suites()), mend)
	}
}

func TestReadReportRefuses(t *testing.T) {
	good := map[string]any{
		"schema": ReportSchema, "suite_version": "1", "bounds_digest": "x", "started": "2026-01-01T00:00:00Z", "seconds": 1, "seed": 7, "effort": "quick",
		"backend":     map[string]any{"name": "b", "version": "1", "math": "strict", "threads": 1},
		"environment": map[string]any{"go": "go1.26"}, "verdict": "fail", "failures": []any{},
		"suites":   []any{map[string]any{"suite": "protocol", "verdict": "pass", "pass": 2, "fail": 0, "unsupported": 1, "mistrusted": 0, "required": 3, "missing": 0}},
		"families": []any{map[string]any{"op": "protocol", "pass": 2, "fail": 0, "unsupported": 1, "mistrusted": 0, "worst": "NaN"}},
	}
	good["verdict"] = "pass"
	suite := func(k string, v any) func(map[string]any) {
		return func(m map[string]any) { m["suites"].([]any)[0].(map[string]any)[k] = v }
	}
	set := func(k string, v any) func(map[string]any) { return func(m map[string]any) { m[k] = v } }
	for why, spoil := range map[string]func(map[string]any){
		"":                                    func(map[string]any) {},
		"/schema: \"clsbench.conformance/v9":  set("schema", "clsbench.conformance/v9"),
		"/seed: 0":                            set("seed", 0),
		"additional properties 'extra'":       set("extra", 1),
		"missing property 'suites'":           func(m map[string]any) { delete(m, "suites") },
		"/effort: value must be one of":       set("effort", "much"),
		"by its suites it is pass":            set("verdict", "partial"),
		"/suites/0/verdict: pass contradicts": suite("missing", 1),
		"/suites/0/verdict: fail contradicts": suite("verdict", "fail"),
		"4 required cases are missing":        suite("missing", 4),
		"/families: they count":               suite("pass", 3),
		"/suites/0/pass: got string":          suite("pass", "2"),
		"pass, but a filter":                  set("filter", "^Add/"),
		"unknown suite \"vision\"":            suite("suite", "vision"),
	} {
		text, err := json.Marshal(good)
		require.NoError(t, err)
		var m map[string]any
		require.NoError(t, json.Unmarshal(text, &m))
		spoil(m)
		text, err = json.Marshal(m)
		require.NoError(t, err)
		_, err = ReadReport(text)
		if why == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, why)
	}
	_, err := ReadReport([]byte("{"))
	require.ErrorContains(t, err, "not JSON")
}

func FuzzReadReport(f *testing.F) {
	files, err := filepath.Glob("reports/*.json")
	require.NoError(f, err)
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"schema":"clsbench.conformance/v1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := ReadReport(data); err == nil {
			require.Equal(t, ReportSchema, r.Schema)
		}
	})
}
