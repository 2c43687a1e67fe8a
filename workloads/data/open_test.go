package data

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/clsbench/clsbench/workloads/data/digits"
	"github.com/clsbench/clsbench/workloads/data/paint"
)

func TestOpenRefusesWhatItDoesNotKnow(t *testing.T) {
	ctx := context.Background()
	_, err := Open(ctx, "digits/v0", Options{})
	requireError(t, err, UnknownSet, `"digits/v0" is neither registered (digits/v1, digits-color/v1, shapes/v1) nor a folder`)

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err = Open(ctx, file, Options{})
	requireError(t, err, UnknownSet, "file: is a file; give the folder that holds the files")

	_, err = Open(ctx, filepath.Dir(file), Options{ClassMap: file})
	requireError(t, err, BadOption, "ClassMap: is of image trees")

	for field, o := range map[string]Options{
		"TrainLimit":       {TrainLimit: -1},
		"TestLimit":        {TestLimit: -5},
		"Classes":          {Classes: -1},
		"Height":           {Height: 1 << 20, Width: 1},
		"Height and Width": {Height: 28},
	} {
		_, err := Open(ctx, "digits/v1", o)
		requireError(t, err, BadOption, field)
	}
}

func TestListDescribesWhatOpenGives(t *testing.T) {
	for _, info := range List() {
		set, err := Open(context.Background(), info.Name, Options{TrainLimit: 20, TestLimit: 10})
		require.NoError(t, err)
		require.Equal(t, info.Name, set.Name)
		require.Equal(t, info.Classes, set.Classes)
		require.Equal(t, []int{info.H, info.W, info.C}, []int{set.H, set.W, set.C})
		require.NotEmpty(t, info.Description)
	}
}

// A limited set is drawn alone, without the cache, and is a prefix of the whole.
func TestLimitedDigits(t *testing.T) {
	dir := t.TempDir()
	set, err := Open(context.Background(), "digits/v1", Options{TrainLimit: 30, TestLimit: 20, CacheDir: dir})
	require.NoError(t, err)
	images, labels := make([]byte, 40*28*28), make([]int64, 40)
	require.NoError(t, digits.Grey.Fill(context.Background(), paint.Test, images, labels, 1))
	require.Equal(t, images[:20*28*28], set.Test.Images)
	require.Equal(t, labels[:20], set.Test.Labels)
	require.Equal(t, 30, set.Train.Len())
	require.Equal(t, images[28*28:2*28*28], set.Test.Image(1))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

// The whole set has its pinned digest, drawn and from the cache; Open itself
// refuses it otherwise.
func TestWholeDigits(t *testing.T) {
	if testing.Short() {
		t.Skip("draws 140,000 images")
	}
	dir := t.TempDir()
	t.Setenv(CacheEnv, dir)
	for _, c := range []struct {
		info      Info
		mean, std []float64
	}{
		{digitsV1, []float64{0.1282}, []float64{0.2260}},
		{digitsColorV1, []float64{0.4097, 0.3903, 0.4190}, []float64{0.1862, 0.1636, 0.1958}},
	} {
		var log bytes.Buffer
		opts := Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
		drawn, err := Open(context.Background(), c.info.Name, opts)
		require.NoError(t, err)
		require.Equal(t, []int{60_000, 10_000}, []int{drawn.Train.Len(), drawn.Test.Len()})
		require.Equal(t, c.info.Digest, drawn.Digest())
		require.InDeltaSlice(t, c.mean, drawn.Mean, 0.0001)
		require.InDeltaSlice(t, c.std, drawn.Std, 0.0001)

		// Were it not taken from the cache, the broken recipe would show.
		kept, err := cached(context.Background(), c.info, opts, func() (*Set, error) { return nil, errors.New("drawn again") })
		require.NoError(t, err)
		require.Equal(t, drawn.Train, kept.Train)
		require.Equal(t, drawn.Test, kept.Test)
		require.Equal(t, []int{c.info.H, c.info.W, c.info.C}, []int{kept.H, kept.W, kept.C})
		require.Empty(t, log.String())
	}
}

// tiny is a registered set of 7 and 5 images, and a count of how often it is drawn.
func tiny() (Info, func() (*Set, error), *atomic.Int32) {
	set := ramp(7, 5)
	info := Info{Name: "tiny/v1", Classes: set.Classes, H: 2, W: 3, C: 1, Train: 7, Test: 5, Digest: set.Digest()}
	var drawn atomic.Int32
	return info, func() (*Set, error) { drawn.Add(1); return ramp(7, 5), nil }, &drawn
}

func TestTornCacheIsDrawnAgain(t *testing.T) {
	info, draw, drawn := tiny()
	dir := t.TempDir()
	opts, err := Options{CacheDir: dir}.withDefaults()
	require.NoError(t, err)
	open := func(want int32) {
		t.Helper()
		set, err := cached(context.Background(), info, opts, draw)
		require.NoError(t, err)
		require.Equal(t, info.Digest, set.Digest())
		require.Equal(t, want, drawn.Load())
	}
	open(1)
	open(1)
	images := filepath.Join(dir, "tiny-v1", trainImagesName)
	content, err := os.ReadFile(images)
	require.NoError(t, err)
	for i, tear := range []func() error{
		func() error { return os.Truncate(images, 20) },
		func() error { return os.Remove(filepath.Join(dir, "tiny-v1", testLabelsName)) },
		func() error { content[30]++; return os.WriteFile(images, content, 0o644) },
		func() error { return os.WriteFile(images, []byte("junk"), 0o644) },
		func() error { return os.RemoveAll(filepath.Join(dir, "tiny-v1")) },
		// What a process killed while writing leaves behind goes too.
		func() error {
			return errors.Join(os.Remove(images), os.WriteFile(filepath.Join(dir, "tiny-v1", ".train-images123"), content, 0o600))
		},
	} {
		require.NoError(t, tear())
		open(int32(2 + i))
		files, err := os.ReadDir(filepath.Join(dir, "tiny-v1"))
		require.NoError(t, err)
		require.Len(t, files, 4)
	}
}

func TestUnusableCacheCostsOnlyTime(t *testing.T) {
	info, draw, drawn := tiny()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	var log bytes.Buffer
	opts, err := Options{CacheDir: file, Log: slog.New(slog.NewTextHandler(&log, nil))}.withDefaults()
	require.NoError(t, err)
	for want := range int32(2) {
		set, err := cached(context.Background(), info, opts, draw)
		require.NoError(t, err)
		require.Equal(t, info.Digest, set.Digest())
		require.Equal(t, want+1, drawn.Load())
	}
	require.Contains(t, log.String(), "not cached")
}

func TestWrongDigestIsRefused(t *testing.T) {
	info, draw, _ := tiny()
	info.Digest = "0000"
	opts, err := Options{CacheDir: t.TempDir()}.withDefaults()
	require.NoError(t, err)
	_, err = cached(context.Background(), info, opts, draw)
	require.ErrorContains(t, err, "not 0000")
	_, err = os.Stat(filepath.Join(opts.CacheDir, "tiny-v1"))
	require.ErrorIs(t, err, os.ErrNotExist, "a wrong set is not kept")
}

func TestOneDrawsWhileOthersWait(t *testing.T) {
	info, draw, drawn := tiny()
	opts, err := Options{CacheDir: t.TempDir()}.withDefaults()
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			set, err := cached(context.Background(), info, opts, draw)
			if err != nil || set.Digest() != info.Digest {
				t.Errorf("%v, %v", set, err)
			}
		})
	}
	group.Wait()
	require.Equal(t, int32(1), drawn.Load())
}

func TestWaitingForTheCacheEndsWithItsContext(t *testing.T) {
	info, draw, drawn := tiny()
	opts, err := Options{CacheDir: t.TempDir()}.withDefaults()
	require.NoError(t, err)
	unlock, err := lock(context.Background(), filepath.Join(opts.CacheDir, "tiny-v1.lock"))
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithCancel(context.Background())
	entered := make(chan error)
	go func() {
		_, err := cached(ctx, info, opts, draw)
		entered <- err
	}()
	cancel()
	require.ErrorIs(t, <-entered, context.Canceled)
	require.Zero(t, drawn.Load())
}

// Processes share the cache as goroutines do: this test runs itself three
// times at once, and each must end with the whole set.
func TestProcessesShareTheCache(t *testing.T) {
	const child = "CLSBENCH_TEST_CACHE_CHILD"
	if os.Getenv(child) != "" {
		info, draw, _ := tiny()
		opts, err := Options{}.withDefaults()
		require.NoError(t, err)
		for range 20 {
			set, err := cached(context.Background(), info, opts, draw)
			require.NoError(t, err)
			require.Equal(t, info.Digest, set.Digest())
			dir, err := CacheDir()
			require.NoError(t, err)
			os.RemoveAll(filepath.Join(dir, "tiny-v1")) // under the others' feet, who may be writing
		}
		return
	}
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesShareTheCache$")
			cmd.Env = append(os.Environ(), child+"=1", CacheEnv+"="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	group.Wait()
}

func TestStatistics(t *testing.T) {
	mean, std := statistics([]byte{0, 10, 255, 10, 0, 10, 255, 10}, 2, 3)
	require.Equal(t, []float64{0.5, 10.0 / 255}, mean)
	require.Equal(t, []float64{0.5, 1}, std, "a channel that never varies keeps its scale")

	rapid.Check(t, func(t *rapid.T) {
		channels := rapid.IntRange(1, 4).Draw(t, "channels")
		pixels := rapid.IntRange(1, 50).Draw(t, "pixels")
		images := rapid.SliceOfN(rapid.Byte(), pixels*channels, pixels*channels).Draw(t, "images")
		mean, std := statistics(images, channels, rapid.IntRange(1, 9).Draw(t, "workers"))
		for c := range channels {
			var m, v float64
			for i := c; i < len(images); i += channels {
				m += float64(images[i]) / 255 / float64(pixels)
			}
			for i := c; i < len(images); i += channels {
				d := float64(images[i])/255 - m
				v += d * d / float64(pixels)
			}
			require.InDelta(t, m, mean[c], 1e-12)
			if std[c] != 1 {
				require.InDelta(t, math.Sqrt(v), std[c], 1e-7)
			}
		}
	})
}

// BenchmarkOpen measures the default set from a filled cache: reading, hashing,
// statistics.
func BenchmarkOpen(b *testing.B) {
	opts := Options{CacheDir: b.TempDir()}
	open := func() {
		_, err := Open(context.Background(), "digits/v1", opts)
		require.NoError(b, err)
	}
	open()
	for b.Loop() {
		open()
	}
}
