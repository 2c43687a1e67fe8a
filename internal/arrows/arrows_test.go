// Package arrows holds the house's rule of who may import whom, over what
// `go list` says; it has no code of its own.
package arrows

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/clsbench/clsbench/"

// rule forbids imports: packages whose path (below the module) starts with
// from, but not with any of unless, must not import what starts with to.
type rule struct {
	from   string
	unless []string
	to     []string
	why    string
}

var backendPackages = []string{"backends/cpu", "backends/reference", "backends/null"}

var rules = []rule{
	{"tensor", nil, []string{""}, "tensor stands on the standard library alone"},
	{"graph", nil, []string{"backends", "reference", "conformance", "workloads", "results", "plots", "internal", "cmd"}, "a program is data: it knows only tensor"},
	{"reference", nil, []string{"backends", "conformance", "workloads", "results", "plots", "internal", "cmd"}, "the reference knows only graph and tensor"},
	{"", []string{"reference", "conformance", "backends/reference"}, []string{"reference"}, "only conformance and backends/reference use the reference"},
	{"backends", nil, []string{"conformance", "workloads", "results", "plots", "cmd"}, "no backend knows who judges or measures it"},
	{"conformance", nil, append([]string{"workloads/data", "results", "plots", "cmd"}, backendPackages...), "the suite knows no concrete backend"},
	{"workloads", nil, append([]string{"conformance", "results", "plots", "cmd"}, backendPackages...), "workloads run on any backend"},
	{"results", nil, []string{"backends", "graph", "workloads", "conformance", "plots", "cmd"}, "a result file can be read without the stack that made it"},
	{"plots", nil, []string{"backends", "graph", "workloads", "conformance", "cmd"}, "charts are drawn from results alone"},
	{"internal", nil, append([]string{"cmd"}, backendPackages...), "the harness takes backends as given"},
}

func under(path, prefix string) bool {
	return prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/")
}

func (r rule) covers(path string) bool {
	if !under(path, r.from) {
		return false
	}
	for _, u := range r.unless {
		if under(path, u) {
			return false
		}
	}
	return true
}

func (r rule) forbids(path, imported string) bool {
	for _, to := range r.to {
		// What a rule is about may import its own parts.
		if under(imported, to) && !(r.from != "" && under(imported, r.from)) {
			return r.covers(path)
		}
	}
	return false
}

func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	require.NoError(t, err)
	seen := 0
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		seen++
		path := strings.TrimPrefix(p.ImportPath+"/", module)
		path = strings.TrimSuffix(path, "/")
		for _, imported := range p.Imports {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			for _, r := range rules {
				if r.forbids(path, strings.TrimPrefix(imported, module)) {
					t.Errorf("%s imports %s: %s", path, imported, r.why)
				}
			}
		}
	}
	require.Greater(t, seen, 5)
}

func TestRulesBite(t *testing.T) {
	forbidden := func(path, imported string) bool {
		for _, r := range rules {
			if r.forbids(path, imported) {
				return true
			}
		}
		return false
	}
	require.True(t, forbidden("tensor", "graph"))
	require.True(t, forbidden("graph/pass", "backends"))
	require.True(t, forbidden("backends/cpu", "reference"))
	require.True(t, forbidden("workloads", "reference"))
	require.True(t, forbidden("conformance", "backends/cpu"))
	require.True(t, forbidden("backends/wire", "conformance/protocol"))
	require.False(t, forbidden("graph/pass", "graph"))
	require.False(t, forbidden("backends/reference", "reference"))
	require.False(t, forbidden("conformance", "reference"))
	require.False(t, forbidden("cmd/clsbench", "backends/cpu"))
}
