package conformance

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A report says by which bounds it was made: the digest changes with a constant,
// wherever it stands, and with nothing that is none of a bound's.
func TestBoundsDigestSeesConstants(t *testing.T) {
	sources := map[string]string{}
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		if !strings.HasSuffix(name, "_test.go") {
			sources[name] = string(text)
		}
	}
	require.Equal(t, BoundsDigest(), digestOf(sources))
	reached := map[string]bool{}
	for _, c := range []struct {
		file, was, is string
		same          bool
	}{
		{file: "rule.go", was: "groupFactor   = 2", is: "groupFactor   = 3"},
		{file: "rule.go", was: "dependence    = 5", is: "dependence    = 6"},
		{file: "rule.go", was: "minGroup      = 64", is: "minGroup      = 32"},
		{file: "bounds.go", was: "return 2.5", is: "return 3.5"},
		{file: "bounds.go", was: "return 6\n", is: "return 7\n"},
		{file: "bounds.go", was: "1.6 * k * t", is: "1.7 * k * t"},
		{file: "softmax.go", was: "(8+2*far)", is: "(9+2*far)"},
		{file: "normbounds.go", was: "first := 8 * v", is: "first := 9 * v"},
		{file: "relax.go", was: "winogradSlack = 0.25", is: "winogradSlack = 0.5"},
		{file: "bounds.go", was: "// twin evaluates", is: "// the twin evaluates", same: true},
		{file: "softmax.go", was: "{32, 10, 4}", is: "{31, 10, 4}", same: true},
		{file: "norm.go", was: "spread(r, 0x1p-8, 0)", is: "spread(r, 0x1p-9, 0)", same: true},
	} {
		require.Contains(t, sources[c.file], c.was)
		changed := maps.Clone(sources)
		changed[c.file] = strings.Replace(changed[c.file], c.was, c.is, 1)
		digest := digestOf(changed)
		require.Equal(t, c.same, digest == BoundsDigest(), "%s → %s", c.was, c.is)
		require.True(t, c.same || !reached[digest])
		reached[digest] = true
	}
}

func TestBoundsTableIsCurrent(t *testing.T) {
	const file = "BOUNDS.md"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(BoundsTable()), 0o644))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, BoundsTable(), string(text), "go test ./conformance -run BoundsTable -update writes it anew")
}
