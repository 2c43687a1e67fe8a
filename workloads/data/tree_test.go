package data

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// flat is a PNG of one colour.
func flat(t testing.TB, w, h int, c color.Color) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// imageTree is a tree of three classes: three, one and two training images,
// one of each for testing. Red tells the class, green the image.
func imageTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for split, counts := range map[string][3]int{"train": {3, 1, 2}, "val": {1, 1, 1}} {
		for class, n := range counts {
			for k := range n {
				put(t, flat(t, 20+4*k, 30-5*class, color.NRGBA{byte(50 * class), byte(10 * k), 200, 255}), dir, split, fmt.Sprintf("n%d", class), fmt.Sprintf("%d.png", k))
			}
		}
	}
	return dir
}

func put(t testing.TB, content []byte, path ...string) {
	t.Helper()
	at := filepath.Join(path...)
	require.NoError(t, os.MkdirAll(filepath.Dir(at), 0o755))
	require.NoError(t, os.WriteFile(at, content, 0o644))
}

func openTree(t testing.TB, dir string, o Options) (*Set, error) {
	t.Helper()
	if o.CacheDir == "" {
		o.CacheDir = t.TempDir()
	}
	if o.Height == 0 {
		o.Height, o.Width = 8, 6
	}
	return Open(context.Background(), dir, o)
}

// pixels reads a whole split.
func pixels(s Split) ([]byte, error) {
	indices := make([]int32, s.Len())
	for i := range indices {
		indices[i] = int32(i)
	}
	out := make([]byte, len(indices)*s.Size())
	return out, s.Read(out, indices)
}

func TestImageTree(t *testing.T) {
	dir := imageTree(t)
	put(t, []byte("no image"), dir, "train", "n0", "README.txt")
	put(t, []byte("no image"), dir, "train", "n0", "._0.png")
	for _, workers := range []int{1, 3} {
		set, err := openTree(t, dir, Options{Workers: workers})
		require.NoError(t, err)
		require.Equal(t, []string{"n0", "n1", "n2"}, set.Classes)
		require.Equal(t, []int{8, 6, 3}, []int{set.H, set.W, set.C})
		require.Equal(t, []int64{0, 1, 2, 0, 2, 0}, set.Train.Labels, "in turn from every class")
		require.Equal(t, []int64{0, 1, 2}, set.Test.Labels)
		all, err := pixels(set.Train)
		require.NoError(t, err)
		for i, green := range []byte{0, 0, 0, 10, 10, 20} {
			image := all[i*8*6*3:][:8*6*3]
			want := []byte{byte(50 * set.Train.Labels[i]), green, 200}
			for p := 0; p < len(image); p += 3 {
				require.Equal(t, want, image[p:p+3], "image %d", i)
			}
		}
	}
	set, err := openTree(t, dir, Options{TrainLimit: 4, TestLimit: 2})
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1, 2, 0}, set.Train.Labels)
	require.Equal(t, 2, set.Test.Len())
}

func TestClassMap(t *testing.T) {
	dir := imageTree(t)
	path := filepath.Join(t.TempDir(), "map.txt")
	require.NoError(t, os.WriteFile(path, []byte("n2 zebra, with stripes\n\nn0\r\nn1  tench\n"), 0o644))
	set, err := openTree(t, dir, Options{ClassMap: path})
	require.NoError(t, err)
	require.Equal(t, []string{"zebra, with stripes", "n0", "tench"}, set.Classes)
	require.Equal(t, []int64{0, 1, 2, 0, 1, 1}, set.Train.Labels)
	all, err := pixels(set.Train)
	require.NoError(t, err)
	require.Equal(t, byte(100), all[0])

	for content, want := range map[string]string{
		"n0\nn1\n":         "is none of the 2 classes",
		"n0\nn1\nn2\nn3\n": "n3: class: has no images",
		"n0\nn0 again\n":   "line 2: n0 is on line 1 already",
		"../n0 up\n":       "line 1: \"../n0\" is not the name of a folder",
		"\n \n":            "has no classes",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		_, err := openTree(t, dir, Options{ClassMap: path})
		var e *Error
		require.ErrorAs(t, err, &e)
		require.ErrorContains(t, err, want)
	}
	_, err = openTree(t, dir, Options{ClassMap: path + "x"})
	requireError(t, err, Unreadable, "map.txtx")
}

// Every fault has one line that names the file.
func TestBrokenTrees(t *testing.T) {
	whole := flat(t, 9, 9, color.White)
	for name, c := range map[string]struct {
		spoil   func(t *testing.T, dir string)
		kind    Kind
		message string
	}{
		"empty class": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "train", "n1", "0.png")))
		}, Missing, "train/n1: class: has no images"},
		"class without test images": {func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "val", "n2")))
		}, Missing, "val/n2: class: has no images"},
		"class that is not trained": {func(t *testing.T, dir string) { put(t, whole, dir, "val", "n7", "0.png") }, LabelRange, "val/n7: is none of the 3 classes"},
		"no test split":             {func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Join(dir, "val"))) }, Missing, "val: is missing"},
		"no classes": {func(t *testing.T, dir string) {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, "train")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "train"), 0o755))
		}, Missing, "train: has no folders"},
		"cut image":   {func(t *testing.T, dir string) { put(t, whole[:len(whole)-20], dir, "train", "n0", "1.png") }, BadImage, "train/n0/1.png: cannot be decoded"},
		"empty image": {func(t *testing.T, dir string) { put(t, nil, dir, "val", "n0", "0.png") }, BadImage, "val/n0/0.png: cannot be decoded"},
		"text":        {func(t *testing.T, dir string) { put(t, []byte("<html>"), dir, "val", "n0", "9.jpeg") }, BadImage, "9.jpeg"},
		"dangling link": {func(t *testing.T, dir string) {
			require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "train", "n1", "9.jpg")))
		}, Unreadable, "train/n1/9.jpg: cannot be read (no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := imageTree(t)
			c.spoil(t, dir)
			set, err := openTree(t, dir, Options{})
			if err == nil { // what is not in the sample for the statistics shows when it is read
				_, err = pixels(set.Test)
			}
			requireError(t, err, c.kind, c.message)
		})
	}
}

func TestSkipBad(t *testing.T) {
	dir := imageTree(t)
	put(t, []byte("<html>"), dir, "train", "n0", "1.png")
	put(t, []byte("<html>"), dir, "train", "n2", "0.png")
	_, err := openTree(t, dir, Options{})
	requireError(t, err, BadImage, ".png", "--skip-bad")
	set, err := openTree(t, dir, Options{SkipBad: true})
	require.NoError(t, err)
	require.Equal(t, 2, set.Skipped)
	require.Equal(t, []int64{0, 1, 2, 0}, set.Train.Labels)
	last := make([]byte, set.Train.Size())
	require.NoError(t, set.Train.Read(last, []int32{3}))
	require.Equal(t, []byte{0, 20, 200}, last[:3], "the gaps are closed")
	for k := range 3 {
		put(t, nil, dir, "val", fmt.Sprintf("n%d", k), "0.png")
	}
	_, err = openTree(t, dir, Options{SkipBad: true})
	requireError(t, err, Missing, "none of its 3 images can be decoded")
}

// Images are decoded when they are read, as the files are then, each at its own
// size for augmentation.
func TestTreeIsReadOnDemand(t *testing.T) {
	dir := imageTree(t)
	set, err := openTree(t, dir, Options{})
	require.NoError(t, err)
	before := set.Digest()
	m, err := set.Decode(set.Train, 3) // n0's second
	require.NoError(t, err)
	require.Equal(t, []int{30, 24, 3}, []int{m.H, m.W, m.C})
	require.Equal(t, []byte{0, 10, 200}, m.Pix[:3])

	put(t, flat(t, 5, 40, color.NRGBA{1, 2, 3, 255}), dir, "train", "n0", "1.png")
	got := make([]byte, 2*set.Train.Size())
	require.NoError(t, set.Train.Read(got, []int32{3, 0}))
	require.Equal(t, []byte{1, 2, 3}, got[:3])
	require.Equal(t, []byte{0, 0, 200}, got[set.Train.Size():][:3])
	require.Equal(t, before, set.Digest(), "it is of the list")

	put(t, []byte("<html>"), dir, "train", "n2", "0.png")
	require.NoError(t, os.Remove(filepath.Join(dir, "train", "n0", "1.png")))
	requireError(t, set.Train.Read(got, []int32{3, 2}), Unreadable, "train/n0/1.png: cannot be read")
	requireError(t, set.Train.Read(got, []int32{2, 0}), BadImage, "train/n2/0.png: cannot be decoded")
	require.Panics(t, func() { _ = set.Train.Read(got, []int32{0}) })
	again, err := openTree(t, dir, Options{TrainLimit: 2})
	require.NoError(t, err)
	require.NotEqual(t, before, again.Digest())

	batches, err := Evaluation(set.Train, 4)
	require.NoError(t, err)
	_, err = batches.Fill(0, make([]byte, 4*set.Train.Size()), make([]int64, 4))
	requireError(t, err, BadImage, "train/n2/0.png")
}

// A set that is read on demand can be written as IDX files, and says which
// image stands against it.
func TestWriteIDXOfATree(t *testing.T) {
	dir, out := imageTree(t), filepath.Join(t.TempDir(), "idx")
	set, err := openTree(t, dir, Options{})
	require.NoError(t, err)
	require.NoError(t, WriteIDX(out, set, true))
	again, err := Open(context.Background(), out, Options{Classes: 3})
	require.NoError(t, err)
	want, err := pixels(set.Train)
	require.NoError(t, err)
	require.Equal(t, want, again.Train.Images)
	require.Equal(t, set.Test.Labels, again.Test.Labels)
	put(t, nil, dir, "val", "n1", "0.png")
	requireError(t, WriteIDX(out+"2", set, false), BadImage, "val/n1/0.png")
}

// A set that is read on demand is resized as it is read.
func TestTreeAtAnotherSize(t *testing.T) {
	set, err := openTree(t, imageTree(t), Options{})
	require.NoError(t, err)
	require.NoError(t, set.resize(context.Background(), 5, 9, 1))
	require.Equal(t, []int{5, 9}, []int{set.H, set.W})
	require.Equal(t, 5*9*3, set.Train.Size())
	all, err := pixels(set.Test)
	require.NoError(t, err)
	require.Equal(t, []byte{100, 0, 200}, all[2*5*9*3:][:3])
}

func FuzzClassMap(f *testing.F) {
	f.Add([]byte("n01440764 tench, Tinca tinca\nn01443537 goldfish\n"))
	f.Add([]byte("a\na\n"))
	f.Add([]byte("/ x\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		folders, names, err := parseClassMap("f", content)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			return
		}
		require.Len(t, names, len(folders))
		seen := map[string]bool{}
		for i, folder := range folders {
			require.Equal(t, folder, filepath.Base(folder))
			require.False(t, seen[folder])
			require.NotEmpty(t, names[i])
			seen[folder] = true
		}
	})
}
