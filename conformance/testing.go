package conformance

import (
	"context"
	"testing"

	"github.com/clsbench/clsbench/backends"
)

// Run is the one line that a backend in Go needs in its tests: every suite at
// quick effort, on fresh data, each case a subtest. Cases that the backend
// refuses are skipped, unless a suite needs them.
func Run(t *testing.T, b backends.Backend) {
	t.Helper()
	RunWith(t, b, Options{Effort: Quick})
}

// RunWith is Run with options: another device, another effort, fewer suites.
func RunWith(t *testing.T, b backends.Backend, o Options) {
	t.Helper()
	r, err := NewRunner(b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("conformance seed %d", r.opt.Seed)
	rep, err := r.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range rep.Results {
		t.Run(res.Case, func(t *testing.T) {
			switch {
			case res.Status == StatusPass:
			case res.Status == StatusUnsupported && !res.Required:
				t.Skipf("%s: %s", res.Feature, res.Why)
			default:
				t.Errorf("%s: %s\nagain with seed %d", res.Status, res.Why, rep.Seed)
			}
		})
	}
	if c := rep.Counts(); c.Ran() == 0 {
		t.Fatal("no case ran")
	}
}
