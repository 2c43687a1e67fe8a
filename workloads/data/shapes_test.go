package data

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/paint"
	"github.com/clsbench/clsbench/workloads/data/shapes"
)

// The whole set has the digest that is pinned, and is kept under a name of its
// size; a size without one is not kept.
func TestShapesAreCached(t *testing.T) {
	opts, err := Options{CacheDir: t.TempDir()}.withDefaults()
	require.NoError(t, err)
	set, err := openShapesAt(context.Background(), 32, opts)
	require.NoError(t, err)
	require.Equal(t, []int{20_000, 4_000}, []int{set.Train.Len(), set.Test.Len()})
	require.Equal(t, shapesDigests[32], set.Digest())
	info := shapesV1
	info.Name, info.H, info.W, info.Digest = "shapes/v1@32", 32, 32, shapesDigests[32]
	kept, err := cached(context.Background(), info, opts, func() (*Set, error) { return nil, errors.New("drawn again") })
	require.NoError(t, err)
	require.Equal(t, set.Test, kept.Test)
	require.Equal(t, "shapes/v1@32", kept.Name)

	_, err = openShapesAt(context.Background(), 224, opts)
	require.NoError(t, err)
	entries, err := os.ReadDir(opts.CacheDir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "the set and its lock")
	require.DirExists(t, filepath.Join(opts.CacheDir, "shapes-v1@32"))
}

// A size is drawn, not resized: as it is asked for, by name or by option.
func TestShapesAtAnySize(t *testing.T) {
	for _, c := range []struct {
		spec       string
		opts       Options
		name       string
		h, w       int
		drawn      int // side of the pixels that must come out; 0 for resized ones
		inOnePiece bool
	}{
		{"shapes/v1", Options{}, "shapes/v1", 64, 64, 64, true},
		{"shapes/v1", Options{Height: 48, Width: 48}, "shapes/v1@48", 48, 48, 48, true},
		{"shapes/v1", Options{Height: 112, Width: 112}, "shapes/v1@112", 112, 112, 112, false},
		{"shapes/v1@16", Options{}, "shapes/v1@16", 16, 16, 16, true},
		{"shapes/v1@224", Options{}, "shapes/v1@224", 224, 224, 224, false},
		{"shapes/v1", Options{Height: 40, Width: 30}, "shapes/v1", 40, 30, 0, true},
		{"shapes/v1", Options{Height: 300, Width: 300}, "shapes/v1", 300, 300, 0, true},
		{"shapes/v1@128", Options{Height: 32, Width: 32}, "shapes/v1@128", 32, 32, 0, false},
	} {
		c.opts.TrainLimit, c.opts.TestLimit = 12, 10
		set, err := Open(context.Background(), c.spec, c.opts)
		require.NoError(t, err)
		require.Equal(t, c.name, set.Name)
		require.Equal(t, []int{c.h, c.w, 3, 12, 10}, []int{set.H, set.W, set.C, set.Train.Len(), set.Test.Len()})
		require.Equal(t, c.inOnePiece, set.Train.Source == nil)
		got, err := pixels(set.Train)
		require.NoError(t, err)
		require.Len(t, got, 12*c.h*c.w*3)
		if c.drawn == 0 {
			continue
		}
		want, labels := make([]byte, len(got)), make([]int64, 12)
		require.NoError(t, shapes.Fill(context.Background(), c.drawn, paint.Train, want, labels, 1))
		require.Equal(t, want, got, c.name)
		require.Equal(t, labels, set.Train.Labels)
	}
}

func TestSizesThatAreNotDrawn(t *testing.T) {
	for spec, want := range map[string]string{
		"shapes/v1@15":         "shapes/v1@15 is of no size that is drawn; give 16 to 224",
		"shapes/v1@225":        "give 16 to 224",
		"shapes/v1@":           "has no number after @",
		"shapes/v1@large":      "has no number after @",
		"digits/v1@32":         "digits/v1 has one size, 28×28; give its name without @32",
		"digits-color/v1@size": "has one size, 32×32",
	} {
		_, err := Open(context.Background(), spec, Options{})
		requireError(t, err, BadOption, want)
		require.True(t, Registered(spec))
	}
	info, found := Describe("shapes/v1@224")
	require.True(t, found)
	require.Equal(t, 20_000, info.Train)
	require.False(t, Registered("shapes"))
	require.False(t, Registered("./shapes/v1"))
}
