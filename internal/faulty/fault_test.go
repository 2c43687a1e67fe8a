package faulty

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	f, err := Parse([]string{"run=late", "batch=4", "mode=train", "after=2"})
	require.NoError(t, err)
	require.Equal(t, Fault{Call: "run", How: "late", Mode: "train", Batch: 4, After: 2}, f)
	f, err = Parse(nil)
	require.NoError(t, err)
	require.Zero(t, f)
	for words, say := range map[string]string{
		"run": "want key=value", "fly=kill": "want one of start, describe", "run=nap": "want one of ahead", "open=late": "want one of children",
		"plan=kill": "want one of no-digest", "batch=x": "invalid",
	} {
		_, err := Parse([]string{words})
		require.ErrorContains(t, err, say, words)
	}
}

// No word means two things: a wrong answer is not a vice too, or the vice
// would come first.
func TestWordsAreApart(t *testing.T) {
	for _, call := range Calls() {
		all := hows(call)
		require.Len(t, slices.Compact(slices.Clone(all)), len(all), call)
	}
}
