package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// idx returns the bytes of an IDX file whose header may lie.
func idx(elementType byte, elements []byte, shape ...uint32) []byte {
	out := []byte{0, 0, elementType, byte(len(shape))}
	for _, d := range shape {
		out = binary.BigEndian.AppendUint32(out, d)
	}
	return append(out, elements...)
}

func zip(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(plain)
	z.Close()
	return b.Bytes()
}

// ramp is a set of 2×3 images whose bytes count up.
func ramp(train, test int) *Set {
	split := func(n int) Split {
		s := Split{Images: make([]byte, n*6), Labels: make([]int64, n)}
		for i := range s.Images {
			s.Images[i] = byte(i)
		}
		for i := range s.Labels {
			s.Labels[i] = int64(i*i) % 10
		}
		return s
	}
	return &Set{Name: "ramp", Classes: numbered(10), H: 2, W: 3, C: 1, Train: split(train), Test: split(test)}
}

// folder returns a folder of ramp(7, 5) with some files replaced (nil: removed).
func folder(t testing.TB, replace map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, WriteIDX(dir, ramp(7, 5), false))
	for name, content := range replace {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
		if content != nil {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
		}
	}
	return dir
}

func requireError(t testing.TB, err error, kind Kind, inMessage ...string) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, "%v", err)
	require.NotContains(t, err.Error(), "\n")
	for _, s := range inMessage {
		require.ErrorContains(t, err, s)
	}
}

func TestWhatWriteIDXWritesOpenReads(t *testing.T) {
	for _, gzipped := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "made", "ramp")
		want := ramp(7, 5)
		require.NoError(t, WriteIDX(dir, want, gzipped))
		got, err := Open(context.Background(), dir, Options{})
		require.NoError(t, err)
		require.Equal(t, want.Train, got.Train)
		require.Equal(t, want.Test, got.Test)
		require.Equal(t, want.Digest(), got.Digest())
		require.Equal(t, []any{"ramp", 2, 3, 1, 10}, []any{got.Name, got.H, got.W, got.C, len(got.Classes)})
		files, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, files, 4, "nothing else is left")
	}
}

// The digest is that of the plain files, so that anyone can check it.
func TestDigestIsThatOfTheFiles(t *testing.T) {
	set := ramp(7, 5)
	var all bytes.Buffer
	for _, f := range set.idxFiles() {
		require.NoError(t, f.writeTo(&all))
	}
	require.Equal(t, idx(8, set.Train.Images, 7, 2, 3), all.Bytes()[:16+42])
	sum := sha256.Sum256(all.Bytes())
	require.Equal(t, hex.EncodeToString(sum[:]), set.Digest())
}

func TestWriteIDXOverwritesNothing(t *testing.T) {
	dir := folder(t, nil)
	before, err := os.ReadFile(filepath.Join(dir, trainImagesName))
	require.NoError(t, err)
	for _, gzipped := range []bool{false, true} {
		requireError(t, WriteIDX(dir, ramp(3, 3), gzipped), Exists, trainImagesName, "exists and is not overwritten")
	}
	after, err := os.ReadFile(filepath.Join(dir, trainImagesName))
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestWriteIDXRefusesWhatTheFormatCannotHold(t *testing.T) {
	many := ramp(3, 3)
	many.Classes = numbered(257)
	requireError(t, WriteIDX(t.TempDir(), many, false), Unsupported, "257 classes")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	requireError(t, WriteIDX(filepath.Join(file, "sub"), ramp(3, 3), false), Unwritable, "cannot be written", "not a directory")
}

// Every fault, in a plain and in a gzipped file, has its kind and a line that
// names the file and the field.
func TestBrokenFolders(t *testing.T) {
	good := ramp(7, 5)
	pixels := good.Train.Images
	labels := []byte{0, 1, 4, 9, 6, 5, 6}
	for name, c := range map[string]struct {
		file    string
		content []byte
		kind    Kind
		message string
	}{
		"missing":            {trainLabelsName, nil, Missing, "an MNIST-format folder has"},
		"empty":              {trainImagesName, []byte{}, Truncated, "magic number: ends after 0 of 4 bytes"},
		"magic cut":          {trainImagesName, []byte{0, 0, 8}, Truncated, "ends after 3 of 4"},
		"png":                {trainImagesName, []byte("\x89PNG\r\n\x1a\n0123456789"), NotIDX, "starts with 89 50 4e 47"},
		"text":               {testLabelsName, []byte("label\n7\n2\n"), NotIDX, "magic number"},
		"float elements":     {trainImagesName, idx(0x0d, make([]byte, 4*42), 7, 2, 3), NotIDX, "element type: is 0x0d"},
		"labels as images":   {trainImagesName, idx(8, labels, 7), NotIDX, "dimensions: are 1, not 3 or 4"},
		"images as labels":   {trainLabelsName, idx(8, pixels, 7, 2, 3), NotIDX, "are the files swapped?"},
		"dimensions cut":     {trainImagesName, idx(8, nil, 7, 2, 3)[:11], Truncated, "dimensions: ends after 7 of 12"},
		"no images":          {trainImagesName, idx(8, nil, 0, 2, 3), NotIDX, "count: is 0"},
		"no columns":         {trainImagesName, idx(8, nil, 7, 2, 0), NotIDX, "columns: is 0"},
		"wide":               {trainImagesName, idx(8, nil, 7, 2, 1<<20), Oversized, "columns: is 1048576"},
		"overflow":           {trainImagesName, idx(8, nil, 1<<32-1, 1<<32-1, 1<<32-1), Oversized, "rows: is 4294967295"},
		"huge claim":         {trainImagesName, idx(8, pixels, 1<<30, 1<<14, 1<<14), Truncated, "the header claims"},
		"one pixel short":    {trainImagesName, idx(8, pixels[:41], 7, 2, 3), Truncated, "of"},
		"one pixel long":     {trainImagesName, idx(8, append(pixels[:42:42], 1), 7, 2, 3), Oversized, "claims"},
		"short labels":       {testLabelsName, idx(8, labels[:3], 5), Truncated, ""},
		"fewer labels":       {trainLabelsName, idx(8, labels[:6], 6), Mismatch, "count: is 6, but"},
		"more labels":        {testLabelsName, idx(8, labels, 7), Mismatch, "has 5 images"},
		"other size in test": {testImagesName, idx(8, good.Test.Images, 5, 3, 2), Mismatch, "rows, columns and channels: are 3×2×1, the training images' are 2×3×1"},
		"colour in test":     {testImagesName, idx(8, make([]byte, 5*6*3), 5, 2, 3, 3), Mismatch, "are 2×3×3, the training images' are 2×3×1"},
		"channels":           {trainImagesName, idx(8, make([]byte, 7*6*5), 7, 2, 3, 5), Oversized, "channels: is 5"},
		"no channels":        {trainImagesName, idx(8, nil, 7, 2, 3, 0), NotIDX, "channels: is 0"},
		"five dimensions":    {trainImagesName, idx(8, make([]byte, 42), 7, 2, 3, 1, 1), NotIDX, "dimensions: are 5"},
		"label 10":           {trainLabelsName, idx(8, []byte{0, 1, 2, 3, 4, 5, 10}, 7), LabelRange, "label 6: is 10, outside the 10 classes 0 to 9"},
		"label 255":          {testLabelsName, idx(8, []byte{255, 1, 2, 3, 4}, 5), LabelRange, "label 0: is 255"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(context.Background(), folder(t, map[string][]byte{c.file: c.content}), Options{})
			requireError(t, err, c.kind, c.file, c.message)
			if c.content == nil {
				return
			}
			// Compressed, the same under the .gz name and under the plain one.
			for _, suffix := range []string{"", ".gz"} {
				dir := folder(t, map[string][]byte{c.file: nil, c.file + suffix: zip(c.content)})
				_, err = Open(context.Background(), dir, Options{})
				requireError(t, err, c.kind, c.file)
			}
		})
	}
}

// Two forms of a file need not have one content.
func TestFileInTwoFormsIsRefused(t *testing.T) {
	dir := folder(t, map[string][]byte{testLabelsName + ".gz": zip(idx(8, []byte{1, 1, 1, 1, 1}, 5))})
	_, err := Open(context.Background(), dir, Options{})
	requireError(t, err, Ambiguous, testLabelsName+".gz", "lies beside "+filepath.Join(dir, testLabelsName))
}

func TestBrokenGzip(t *testing.T) {
	whole := zip(idx(8, bytes.Repeat([]byte("noise?"), 7), 7, 2, 3))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-6] ^= 1 // in the CRC
	for name, c := range map[string]struct {
		content []byte
		kind    Kind
		message string
	}{
		"header only":  {whole[:5], Truncated, "gzip header: the gzip stream ends early"},
		"cut":          {whole[:len(whole)/2], Truncated, ""},
		"no trailer":   {whole[:len(whole)-8], Truncated, ""},
		"bad checksum": {flipped, NotIDX, "invalid checksum"},
		"trailing":     {append(bytes.Clone(whole), "garbage, long enough"...), Oversized, "trailing bytes follow the gzip stream"},
		"one trailing": {append(bytes.Clone(whole), 0), Oversized, "trailing bytes follow the gzip stream"},
		"two streams":  {append(bytes.Clone(whole), zip([]byte{1})...), Oversized, "claims"},
		"cut second":   {append(bytes.Clone(whole), whole[:5]...), Truncated, "ends early"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{trainImagesName: nil, trainImagesName + ".gz": c.content})
			_, err := Open(context.Background(), dir, Options{})
			requireError(t, err, c.kind, trainImagesName+".gz", c.message)
		})
	}
}

// A small file that claims, or inflates to, gigabytes must not take them.
func TestClaimsTakeNoMemory(t *testing.T) {
	bomb := zip(append(idx(8, nil, 7, 2, 3), make([]byte, 64<<20)...)) // 64 KB
	cut := zip(append(idx(8, nil, 60, 1000, 1000), make([]byte, 1000)...))
	claim := idx(8, make([]byte, 42), 4095, 1<<10, 1<<10)
	for name, c := range map[string]struct {
		content []byte
		kind    Kind
	}{
		"bomb":          {bomb, Oversized},
		"gzipped claim": {cut, Truncated},
		"claim":         {claim, Truncated},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{trainImagesName: c.content})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Open(context.Background(), dir, Options{})
			runtime.ReadMemStats(&after)
			requireError(t, err, c.kind, trainImagesName)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "%v", err)
		})
	}
}

func TestMoreThanIsReadNeedsALimit(t *testing.T) {
	x := idxReader{path: "f", r: bytes.NewReader(idx(8, nil, 8<<10, 1<<10, 1<<10)), size: fileSize{bytes: 16 + 8<<30}}
	_, _, err := x.images(0)
	requireError(t, err, Oversized, "limit the number of images")
}

func TestFolderOddities(t *testing.T) {
	ctx := context.Background()
	t.Run("a file that is a folder", func(t *testing.T) {
		dir := folder(t, map[string][]byte{trainImagesName: nil})
		require.NoError(t, os.Mkdir(filepath.Join(dir, trainImagesName), 0o755))
		_, err := Open(ctx, dir, Options{})
		requireError(t, err, Unreadable, trainImagesName, "not a regular file")
	})
	t.Run("dotted names", func(t *testing.T) {
		dir := folder(t, nil)
		require.NoError(t, os.Rename(filepath.Join(dir, trainImagesName), filepath.Join(dir, "train-images.idx3-ubyte")))
		set, err := Open(ctx, dir, Options{})
		require.NoError(t, err)
		require.Equal(t, ramp(7, 5).Train, set.Train)
	})
	t.Run("more classes", func(t *testing.T) {
		dir := folder(t, map[string][]byte{trainLabelsName: idx(8, []byte{0, 1, 2, 3, 4, 5, 46}, 7)})
		set, err := Open(ctx, dir, Options{Classes: 47})
		require.NoError(t, err)
		require.Equal(t, int64(46), set.Train.Labels[6])
		require.Len(t, set.Classes, 47)
	})
	t.Run("limits", func(t *testing.T) {
		set, err := Open(ctx, folder(t, nil), Options{TrainLimit: 3, TestLimit: 100})
		require.NoError(t, err)
		want := ramp(7, 5)
		require.Equal(t, Split{Images: want.Train.Images[:18], Labels: want.Train.Labels[:3]}, set.Train)
		require.Equal(t, want.Test, set.Test)
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		_, err := Open(ctx, folder(t, nil), Options{})
		require.ErrorIs(t, err, context.Canceled)
	})
}

// Any small set survives the way through the format.
func TestIDXRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, h, w := rapid.IntRange(1, 9).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "h"), rapid.IntRange(1, 9).Draw(t, "w")
		c := rapid.IntRange(1, 4).Draw(t, "c")
		images := rapid.SliceOfN(rapid.Byte(), n*h*w*c, n*h*w*c).Draw(t, "images")
		labels := rapid.SliceOfN(rapid.Int64Range(0, 9), n, n).Draw(t, "labels")
		set := &Set{H: h, W: w, C: c, Train: Split{Images: images, Labels: labels}}
		reader := func(f idxFile) *idxReader {
			var b bytes.Buffer
			require.NoError(t, f.writeTo(&b))
			return &idxReader{path: f.name, r: &b, size: fileSize{bytes: int64(b.Len())}}
		}
		files := set.idxFiles()
		gotImages, shape, err := reader(files[0]).images(0)
		require.NoError(t, err)
		require.Equal(t, []int{n, h, w, c}, shape)
		require.Equal(t, images, gotImages)
		gotLabels, err := reader(files[1]).labels(10)
		require.NoError(t, err)
		require.Equal(t, labels, gotLabels)
	})
}

// FuzzImages holds the parser to this: it ends, it fails with an *Error, or it
// returns exactly the bytes that the header claims.
func FuzzImages(f *testing.F) {
	f.Add(idx(8, make([]byte, 42), 7, 2, 3), 0, false)
	f.Add(idx(8, make([]byte, 42), 7, 2, 3), 2, true)
	f.Add(idx(8, make([]byte, 41), 7, 2, 3), 0, true)
	f.Add(idx(8, make([]byte, 126), 7, 2, 3, 3), 0, false)
	f.Add(idx(8, nil, 1<<31, 1<<14, 1<<14), 1, true)
	f.Add(idx(9, nil, 1, 1, 1), 0, false)
	f.Add([]byte{}, 0, false)
	f.Fuzz(func(t *testing.T, content []byte, limit int, compressed bool) {
		limit = max(0, limit)
		size := fileSize{bytes: int64(len(content)), compressed: compressed}
		x := idxReader{path: "f", r: bytes.NewReader(content), size: size}
		pixels, shape, err := x.images(limit)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "f", e.File)
			return
		}
		head := 4 + 4*int(content[3])
		each := shape[1] * shape[2] * shape[3]
		require.Len(t, content, head+shape[0]*each)
		require.Equal(t, content[head:][:limited(shape[0], limit)*each], pixels)
	})
}

// FuzzLabels does the same for label files, and holds labels to the classes.
func FuzzLabels(f *testing.F) {
	f.Add(idx(8, []byte{1, 2, 3}, 3), 10)
	f.Add(idx(8, []byte{1, 2, 10}, 3), 10)
	f.Add(idx(8, nil, 1<<32-1), 1)
	f.Fuzz(func(t *testing.T, content []byte, classes int) {
		x := idxReader{path: "f", r: bytes.NewReader(content), size: fileSize{bytes: int64(len(content))}}
		labels, err := x.labels(classes)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			return
		}
		require.Len(t, content, 8+len(labels))
		for i, l := range labels {
			require.Equal(t, int64(content[8+i]), l)
			require.Less(t, l, int64(classes))
		}
	})
}
