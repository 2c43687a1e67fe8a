package data

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/color"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listing is a tree's training folder, an index of it, and ways to look.
type listing struct {
	t       *testing.T
	train   string
	folders []string
	opts    Options
}

func newListing(t *testing.T) *listing {
	opts, err := Options{CacheDir: t.TempDir()}.withDefaults()
	require.NoError(t, err)
	l := &listing{t, filepath.Join(imageTree(t), "train"), []string{"n0", "n1", "n2"}, opts}
	for _, name := range l.folders {
		l.age(name, time.Hour)
	}
	return l
}

// age makes a folder look changed so long ago.
func (l *listing) age(name string, by time.Duration) {
	at := time.Now().Add(-by)
	require.NoError(l.t, os.Chtimes(filepath.Join(l.train, name), at, at))
}

// list returns the files of each folder and keeps the index.
func (l *listing) list() [][]string {
	l.t.Helper()
	x, err := indexTree(context.Background(), l.train, l.folders, l.opts)
	require.NoError(l.t, err)
	x.save(l.opts)
	out := make([][]string, len(x.classes))
	for i, c := range x.classes {
		for k := range c.names.len() {
			out[i] = append(out[i], c.names.at(k))
		}
	}
	return out
}

// plant changes what the index says of a folder: what is taken from the index
// shows by it.
func (l *listing) plant(folder string, files ...string) {
	l.t.Helper()
	path := treeIndexPath(l.train, l.opts)
	known := loadTreeIndex(path)
	c := known[folder]
	c.names = namesOf(strings.Join(files, "\x00")+"\x00", len(files))
	known[folder] = c
	writeIndex(l.t, path, known)
}

func writeIndex(t testing.TB, path string, classes map[string]treeClass) {
	t.Helper()
	x := &treeIndex{}
	for folder, c := range classes {
		x.folders, x.classes = append(x.folders, folder), append(x.classes, c)
	}
	content, err := x.encode()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content, 0o644))
}

var planted = []string{"planted.png"}

// The index spares listing, and never outlives what it lists.
func TestTreeIndex(t *testing.T) {
	l := newListing(t)
	want := [][]string{{"0.png", "1.png", "2.png"}, {"0.png"}, {"0.png", "1.png"}}
	require.Equal(t, want, l.list())
	l.plant("n1", planted...)
	require.Equal(t, planted, l.list()[1])

	// A change of a folder is seen, and of that folder alone: a file more, …
	put(t, nil, l.train, "n0", "3.jpg")
	got := l.list()
	require.Equal(t, []string{"0.png", "1.png", "2.png", "3.jpg"}, got[0])
	require.Equal(t, planted, got[1])
	// … a file less, a file renamed.
	l.age("n0", time.Hour)
	l.list()
	require.NoError(t, os.Remove(filepath.Join(l.train, "n0", "3.jpg")))
	require.Equal(t, want[0], l.list()[0])
	l.age("n0", time.Hour)
	l.list()
	require.NoError(t, os.Rename(filepath.Join(l.train, "n0", "0.png"), filepath.Join(l.train, "n0", "7.png")))
	require.Equal(t, []string{"1.png", "2.png", "7.png"}, l.list()[0])

	// A folder that changed a moment ago is not believed.
	l.age("n2", 0)
	l.list()
	l.plant("n2", planted...)
	require.Equal(t, want[2], l.list()[2])
}

// Two classes that change names have the times that they had, as archives give
// every folder the same; their numbers tell.
func TestRenamedClassIsListedAgain(t *testing.T) {
	l := newListing(t)
	at := time.Now().Add(-time.Hour)
	for _, name := range l.folders {
		require.NoError(t, os.Chtimes(filepath.Join(l.train, name), at, at))
	}
	before := l.list()
	move := func(from, to string) {
		require.NoError(t, os.Rename(filepath.Join(l.train, from), filepath.Join(l.train, to)))
	}
	move("n0", "aside")
	move("n1", "n0")
	move("aside", "n1")
	require.Equal(t, [][]string{before[1], before[0], before[2]}, l.list())

	l.folders = []string{"n0", "n1", "zebra"}
	move("n2", "zebra")
	require.Equal(t, before[2], l.list()[2])
	l.folders = []string{"n0", "n1", "gone"}
	require.Empty(t, l.list()[2])
}

// Damage and foreign content cost a listing.
func TestDamagedTreeIndex(t *testing.T) {
	l := newListing(t)
	want := l.list()
	path := treeIndexPath(l.train, l.opts)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-3] ^= 1
	for _, content := range [][]byte{nil, []byte("{"), []byte("[]\n"), []byte("{\"version\": 9}\n"), whole[:len(whole)-1], append(bytes.Clone(whole), 0), flipped} {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		require.Equal(t, want, l.list())
	}
	for _, files := range [][]string{{"../../secret.png"}, {"b.png", "a.png"}, {"a.png", "a.png"}, {"README"}, {""}, {"a.png", ""}} {
		l.plant("n1", files...)
		require.Equal(t, want, l.list(), "%q", files)
	}
}

// A file is judged once for as long as it stays as it is.
func TestVerdicts(t *testing.T) {
	dir, cache := imageTree(t), t.TempDir()
	good, bad := flat(t, 9, 9, color.White), []byte("<html>")
	put(t, bad, dir, "train", "n0", "1.png")
	var log bytes.Buffer
	skipped := func(limit int) int {
		t.Helper()
		log.Reset()
		set, err := openTree(t, dir, Options{SkipBad: true, TrainLimit: limit, CacheDir: cache, Log: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		_, err = pixels(set.Train)
		require.NoError(t, err)
		return set.Skipped
	}
	require.Equal(t, 0, skipped(3), "what is not asked for is not judged")
	require.Equal(t, 1, skipped(0))
	require.Contains(t, log.String(), "cannot be decoded")
	require.Equal(t, 1, skipped(0))
	require.Contains(t, log.String(), "could not be decoded before", "from the index")
	for _, name := range []string{"n0", "n1", "n2"} { // settled, from here on the folders are not listed
		at := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(filepath.Join(dir, "train", name), at, at))
	}
	require.Equal(t, 1, skipped(0))
	require.Contains(t, log.String(), "could not be decoded before", "listing again forgets nothing")

	put(t, good, dir, "train", "n0", "1.png") // in place: the folder does not change
	require.Equal(t, 0, skipped(0), "mended")
	put(t, bad, dir, "train", "n2", "1.png")
	require.Equal(t, 1, skipped(0), "spoilt")
	require.NoError(t, os.Remove(filepath.Join(dir, "train", "n2", "1.png")))
	put(t, bad, dir, "train", "n2", "9.png")
	put(t, bad, dir, "train", "n0", "0.png")
	require.Equal(t, 2, skipped(0))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "train", "n0", "8.png")))
	require.Equal(t, 3, skipped(0))
	require.Equal(t, 3, skipped(0))
	require.Contains(t, log.String(), "no such file", "a link is followed anew")
}

// bigIndex is an index of so many classes of a thousand files.
func bigIndex(classes int) map[string]treeClass {
	out := map[string]treeClass{}
	for c := range classes {
		var blob strings.Builder
		for k := range 1000 {
			fmt.Fprintf(&blob, "n%08d_%06d.JPEG\x00", c, k)
		}
		at := time.Now()
		out[fmt.Sprintf("n%08d", c)] = treeClass{changed: at.Add(-time.Hour), listed: at, names: namesOf(blob.String(), 1000)}
	}
	return out
}

// loadBig opens such an index as a start does.
func loadBig(t testing.TB, path string) *treeSource {
	t.Helper()
	var folders []string
	var classes []treeClass
	known := loadTreeIndex(path)
	for folder := range known {
		folders = append(folders, folder)
	}
	slices.Sort(folders)
	for _, folder := range folders {
		classes = append(classes, known[folder])
	}
	s, err := newTreeSource("dir", folders, classes, 0, Options{})
	require.NoError(t, err)
	return s
}

// An image costs its name and some bytes, not a string, a path and a header.
func TestTreeIndexIsSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	writeIndex(t, path, bigIndex(100))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := loadBig(t, path)
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Len(t, s.files, 100_000)
	require.Equal(t, filepath.Join("dir", "n00000099", "n00000099_000999.JPEG"), s.path(s.files[99_999]))
	name := len("n00000000_000000.JPEG") + 1
	require.Less(t, int(after.HeapAlloc-before.HeapAlloc)/len(s.files), name+24)
	runtime.KeepAlive(s)
}

func FuzzTreeIndex(f *testing.F) {
	small := map[string]treeClass{
		"n0": {changed: time.Unix(9, 0), listed: time.Unix(99, 0), number: 7, names: namesOf("a.png\x00b.jpg\x00", 2), verdicts: []verdict{2, 5}},
	}
	x := &treeIndex{folders: []string{"n0"}, classes: []treeClass{small["n0"]}}
	content, err := x.encode()
	require.NoError(f, err)
	line, body, _ := bytes.Cut(content, []byte("\n"))
	f.Add(string(line), string(body))
	f.Add(`{"version":2,"classes":[{"folder":"n0","files":1000000000,"bytes":2000000000}]}`, "")
	f.Add(`{"version":2,"classes":[{"folder":"n0","files":-1,"bytes":-1}]}`, "a")
	f.Fuzz(func(t *testing.T, line, body string) {
		var head treeHeader
		if parseTreeIndex([]byte(line+"\n"+body)) != nil || json.Unmarshal([]byte(line), &head) != nil {
			return // a body that fits its hash is one that was written
		}
		for folder, c := range head.split([]byte(body)) {
			require.True(t, c.names.valid(c.names.len()))
			require.True(t, c.verdicts == nil || len(c.verdicts) == c.names.len())
			again, err := (&treeIndex{folders: []string{folder}, classes: []treeClass{c}}).encode()
			require.NoError(t, err)
			require.Len(t, parseTreeIndex(again), 1)
		}
	})
}

// BenchmarkTreeIndex lists 100 classes of 1,000 files, anew and by the index.
func BenchmarkTreeIndex(b *testing.B) {
	dir := b.TempDir()
	var folders []string
	for c := range 100 {
		folders = append(folders, fmt.Sprintf("n%03d", c))
		for k := range 1000 {
			put(b, nil, dir, folders[c], fmt.Sprintf("n%03d_%06d.JPEG", c, k))
		}
		at := time.Now().Add(-time.Hour)
		require.NoError(b, os.Chtimes(filepath.Join(dir, folders[c]), at, at))
	}
	opts, err := Options{CacheDir: b.TempDir()}.withDefaults()
	require.NoError(b, err)
	for _, fresh := range []bool{false, true} {
		b.Run(fmt.Sprintf("cached=%t", fresh), func(b *testing.B) {
			for b.Loop() {
				if !fresh {
					os.Remove(treeIndexPath(dir, opts))
				}
				x, err := indexTree(context.Background(), dir, folders, opts)
				require.NoError(b, err)
				x.save(opts)
			}
		})
	}
}

// BenchmarkMillionFiles reads an index of 1,000 classes of 1,000 files and puts
// them in order.
func BenchmarkMillionFiles(b *testing.B) {
	path := filepath.Join(b.TempDir(), "index")
	writeIndex(b, path, bigIndex(1000))
	b.ReportAllocs()
	for b.Loop() {
		require.Len(b, loadBig(b, path).files, 1_000_000)
	}
}
