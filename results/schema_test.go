package results

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the schema and the golden files")

const schemaFile = "schema/result-v1.schema.json"

// reflected is the schema as the structs and their comments say.
func reflected(t *testing.T) *jsonschema.Schema {
	r := &jsonschema.Reflector{ExpandedStruct: true, Namer: func(t reflect.Type) string {
		if strings.HasSuffix(t.PkgPath(), "/machine") {
			return "Machine" + t.Name() // both packages have a Memory
		}
		return t.Name()
	}}
	require.NoError(t, r.AddGoComments("github.com/clsbench/clsbench/results", "."))
	// The reflector knows packages by folder, and "." is none.
	for k, v := range r.CommentMap {
		delete(r.CommentMap, k)
		r.CommentMap[strings.Replace(k, "results/.", "results.", 1)] = strings.Join(strings.Fields(v), " ")
	}
	s := r.Reflect(&Document{})
	s.ID = SchemaURL
	s.Title = Schema
	return s
}

// TestSchemaIsTheStructs holds the committed schema to the structs. After a change of either: go test ./results -update.
func TestSchemaIsTheStructs(t *testing.T) {
	want, err := json.MarshalIndent(reflected(t), "", "  ")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(schemaFile, append(want, '\n'), 0o644))
		return // the embedded one is still the old
	}
	got, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	require.JSONEq(t, string(want), string(got), "go test ./results -update writes it anew")
	require.Equal(t, string(got), string(SchemaJSON), "rebuild: the embedded schema is not the file")
	require.NotNil(t, documentSchema())
	require.NotNil(t, resultSchema())
}

func TestSchemaHasTheStableKeys(t *testing.T) {
	s := reflected(t)
	for _, k := range []string{"schema", "machine", "peaks", "results"} {
		require.Contains(t, s.Required, k)
	}
	r := s.Definitions["Result"]
	for _, k := range []string{"cell", "status", "backend", "workload", "mode", "scenario", "data", "precision", "batch",
		"threads", "math", "throughput", "latency_ms", "accuracy", "memory", "setup_ms", "peak_share", "conformance",
		"plugin_hash", "plan_digest", "repro"} {
		_, ok := r.Properties.Get(k)
		require.True(t, ok, k)
	}
	for def, keys := range map[string][]string{
		"Throughput": {"median", "low", "high", "unit", "rounds"}, "Latency": {"p50", "p90"}, "Accuracy": {"top1"},
		"Memory": {"peak_bytes"}, "Setup": {"open", "compile", "first_run"}, "Conformance": {"verdict"},
	} {
		for _, k := range keys {
			_, ok := s.Definitions[def].Properties.Get(k)
			require.True(t, ok, "%s.%s", def, k)
		}
	}
}
