package data

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/workloads/data/augment"
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
		for i, green := range []byte{0, 0, 0, 10, 10, 20} {
			image := set.Train.Image(i)
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
	require.Equal(t, byte(100), set.Train.Image(0)[0])

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
			_, err := openTree(t, dir, Options{})
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
	require.Equal(t, []byte{0, 20, 200}, set.Train.Image(3)[:3], "the gaps are closed")
	for k := range 3 {
		put(t, nil, dir, "val", fmt.Sprintf("n%d", k), "0.png")
	}
	_, err = openTree(t, dir, Options{SkipBad: true})
	requireError(t, err, Missing, "none of its 3 images can be decoded")
}

// The index spares listing, and never outlives what it lists.
func TestTreeIndex(t *testing.T) {
	dir, cache := imageTree(t), t.TempDir()
	opts, err := Options{CacheDir: cache}.withDefaults()
	require.NoError(t, err)
	train := filepath.Join(dir, "train")
	folders := []string{"n0", "n1", "n2"}
	list := func() [][]string {
		t.Helper()
		files, err := indexTree(context.Background(), train, folders, opts)
		require.NoError(t, err)
		return files
	}
	age := func(name string, by time.Duration) {
		at := time.Now().Add(-by)
		require.NoError(t, os.Chtimes(filepath.Join(train, name), at, at))
	}
	for _, name := range folders {
		age(name, time.Hour)
	}
	want := [][]string{{"0.png", "1.png", "2.png"}, {"0.png"}, {"0.png", "1.png"}}
	require.Equal(t, want, list())

	// What is taken from the index shows by planting there.
	path := treeIndexPath(train, opts)
	planted := loadTreeIndex(path)
	c := planted.Folders["n1"]
	c.Files = []string{"planted.png"}
	planted.Folders["n1"] = c
	require.NoError(t, saveTreeIndex(path, planted))
	require.Equal(t, []string{"planted.png"}, list()[1])

	// A change of the folder is seen, and of that folder alone.
	put(t, nil, train, "n0", "3.jpg")
	got := list()
	require.Equal(t, []string{"0.png", "1.png", "2.png", "3.jpg"}, got[0])
	require.Equal(t, []string{"planted.png"}, got[1])
	age("n1", time.Minute)
	require.Equal(t, []string{"0.png"}, list()[1])

	// A folder that changed a moment ago is not believed.
	age("n2", 0)
	list()
	planted = loadTreeIndex(path)
	c = planted.Folders["n2"]
	c.Files = []string{"planted.png"}
	planted.Folders["n2"] = c
	require.NoError(t, saveTreeIndex(path, planted))
	require.Equal(t, want[2], list()[2])

	// Damage and foreign content cost a listing.
	for _, content := range []string{"", "{", `{"version": 9}`, "[]"} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		require.Equal(t, want[1:], list()[1:])
	}
	planted = loadTreeIndex(path)
	c = planted.Folders["n1"]
	c.Files = []string{"../../secret.png"}
	planted.Folders["n1"] = c
	require.NoError(t, saveTreeIndex(path, planted))
	require.Equal(t, want[1:], list()[1:])
}

// What the formats hold comes out as RGB.
func TestDecodeFormats(t *testing.T) {
	encoded := func(m image.Image) []byte {
		var b bytes.Buffer
		require.NoError(t, png.Encode(&b, m))
		return b.Bytes()
	}
	gray := image.NewGray(image.Rect(0, 0, 2, 1))
	gray.Pix = []byte{9, 200}
	deep := image.NewGray16(image.Rect(0, 0, 1, 1))
	deep.SetGray16(0, 0, color.Gray16{0xabcd})
	palette := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.NRGBA{1, 2, 3, 255}})
	clear := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	clear.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 128})
	webp, err := base64.StdEncoding.DecodeString("UklGRiAAAABXRUJQVlA4TBQAAAAvAQAAAA8wyF/4f1P0/IcWMqL/AQ==")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		content []byte
		want    []byte
	}{
		"grey":    {encoded(gray), []byte{9, 9, 9, 200, 200, 200}},
		"16 bits": {encoded(deep), []byte{0xab, 0xab, 0xab}},
		"palette": {encoded(palette), []byte{1, 2, 3}},
		"alpha":   {encoded(clear), []byte{10, 20, 30}},
		"webp":    {webp, []byte{10, 200, 30, 255, 0, 77}},
	} {
		m, err := decodeImage("f", c.content)
		require.NoError(t, err, name)
		require.Equal(t, c.want, m.Pix, name)
	}
	var b bytes.Buffer
	colour := image.NewRGBA(image.Rect(0, 0, 16, 16))
	for i := range colour.Pix {
		colour.Pix[i] = [4]byte{180, 90, 40, 255}[i%4]
	}
	require.NoError(t, jpeg.Encode(&b, colour, nil))
	m, err := decodeImage("f", b.Bytes())
	require.NoError(t, err)
	for c, want := range []float64{180, 90, 40} {
		require.InDelta(t, want, m.Pix[c], 3)
	}
}

func TestFitCoversAndCentres(t *testing.T) {
	for _, size := range [][4]int{{30, 20, 8, 6}, {20, 90, 8, 6}, {3, 4, 8, 6}, {8, 6, 8, 6}, {1, 1, 5, 9}, {500, 333, 7, 7}} {
		m := augment.New(size[0], size[1], 3)
		for i := range m.Pix {
			m.Pix[i] = 77
		}
		out := fit(m, size[2], size[3])
		require.Equal(t, []int{size[2], size[3]}, []int{out.H, out.W})
		for _, v := range out.Pix {
			require.Equal(t, byte(77), v, "%v: no frame", size)
		}
	}
}

// A small file that claims a huge image must not take its memory.
func TestImageClaimTakesNoMemory(t *testing.T) {
	content := flat(t, 1, 1, color.White)
	copy(content[16:], []byte{0, 1, 0, 0, 0, 1, 0, 0}) // 65536 × 65536, its checksum made to fit below
	content = fixIHDR(content)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := decodeImage("f.png", content)
	runtime.ReadMemStats(&after)
	requireError(t, err, Oversized, "f.png: width and height: are 65536×65536")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

// fixIHDR makes the checksum of a PNG's first chunk fit its content.
func fixIHDR(content []byte) []byte {
	binary.BigEndian.PutUint32(content[29:], crc32.ChecksumIEEE(content[12:29]))
	return content
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
				_, err := indexTree(context.Background(), dir, folders, opts)
				require.NoError(b, err)
			}
		})
	}
}
