package faults

import (
	"os"
	"testing"

	"github.com/clsbench/clsbench/backends/plugin"
)

// TestMain makes the test's binary the plugin that SelfTest starts.
func TestMain(m *testing.M) {
	plugin.MaybeServe(Proxies())
	os.Exit(m.Run())
}
