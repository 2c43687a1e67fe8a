package data

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// cifarRecord is a record whose red, green and blue planes are told apart:
// plane c of pixel p is byte(p + 100·c + shift).
func cifarRecord(shift int, labels ...byte) []byte {
	out := append([]byte(nil), labels...)
	for c := range 3 {
		for p := range cifarPlane {
			out = append(out, byte(p+100*c+shift))
		}
	}
	return out
}

// cifarFolder is a whole folder of the layout: three records a file, labels
// counting up, with some files replaced (nil: removed).
func cifarFolder(t testing.TB, l *cifarLayout, replace map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if r, ok := replace[name]; ok {
			content = r
		}
		if content != nil {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
		}
	}
	shift := 0
	for _, name := range append(append([]string(nil), l.train...), l.test...) {
		var content []byte
		for range 3 {
			labels := bytes.Repeat([]byte{19}, l.labels)
			labels[l.labels-1] = byte(shift % l.classes)
			content = append(content, cifarRecord(shift, labels...)...)
			shift++
		}
		write(name, content)
	}
	write(l.names, []byte(cifarNamesOf(l.classes)+"\n"))
	return dir
}

func cifarNamesOf(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "class %d\n", i)
	}
	return b.String()
}

func TestCIFARFolders(t *testing.T) {
	for i := range cifarLayouts {
		l := &cifarLayouts[i]
		t.Run(l.name, func(t *testing.T) {
			dir := cifarFolder(t, l, nil)
			set, err := Open(context.Background(), dir, Options{})
			require.NoError(t, err)
			require.Equal(t, filepath.Base(dir), set.Name)
			require.Equal(t, []int{32, 32, 3, l.classes}, []int{set.H, set.W, set.C, len(set.Classes)})
			require.Equal(t, "class 7", set.Classes[7])
			n := 3 * len(l.train)
			require.Equal(t, []int{n, 3}, []int{set.Train.Len(), set.Test.Len()})
			for k := range n {
				require.Equal(t, int64(k%l.classes), set.Train.Labels[k], "the fine label, files in order")
				image := set.Train.Image(k)
				for _, p := range []int{0, 31, 32, 1023} {
					require.Equal(t, []byte{byte(p + k), byte(p + 100 + k), byte(p + 200 + k)}, image[3*p:3*p+3], "image %d, pixel %d", k, p)
				}
			}
			require.Equal(t, int64(n%l.classes), set.Test.Labels[0])
			require.Len(t, set.Mean, 3)

			short, err := Open(context.Background(), dir, Options{TrainLimit: 2, TestLimit: 1})
			require.NoError(t, err)
			require.Equal(t, Split{Images: set.Train.Images[:2*cifarPixels], Labels: set.Train.Labels[:2]}, short.Train)
			require.Equal(t, 1, short.Test.Len())
		})
	}
}

// Every fault has its kind and a line that names the file and the field.
func TestBrokenCIFARFolders(t *testing.T) {
	ten, hundred := &cifarLayouts[0], &cifarLayouts[1]
	whole := bytes.Repeat(cifarRecord(0, 3), 3)
	for name, c := range map[string]struct {
		layout  *cifarLayout
		file    string
		content []byte
		kind    Kind
		message string
	}{
		"missing batch":     {ten, "data_batch_3.bin", nil, Missing, "is missing; a folder of CIFAR-10's binary version has batches.meta.txt, data_batch_1.bin"},
		"missing first":     {ten, "data_batch_1.bin", nil, Missing, "is missing"},
		"missing test":      {hundred, "test.bin", nil, Missing, "CIFAR-100"},
		"missing names":     {ten, "batches.meta.txt", nil, Missing, "is missing"},
		"empty batch":       {ten, "data_batch_5.bin", []byte{}, Truncated, "length: is 0 bytes"},
		"cut":               {ten, "test_batch.bin", whole[:len(whole)-1], Truncated, "9218 bytes are 2 records of 3073 bytes and 3072 bytes more"},
		"one byte more":     {ten, "test_batch.bin", append(whole[:len(whole):len(whole)], 1), Truncated, "and 1 bytes more"},
		"ten as hundred":    {hundred, "train.bin", whole, Truncated, "records of 3074 bytes"},
		"label 10":          {ten, "data_batch_2.bin", append(cifarRecord(0, 9), cifarRecord(0, 10)...), LabelRange, "label of record 1: is 10, outside the 10 classes 0 to 9"},
		"fine label 100":    {hundred, "test.bin", cifarRecord(0, 1, 100), LabelRange, "label of record 0: is 100"},
		"too few names":     {ten, "batches.meta.txt", []byte("cat\ndog\n"), Mismatch, "class names: are 2, not 10"},
		"a name twice":      {ten, "batches.meta.txt", []byte("cat\ndog\n\ncat\n"), Mismatch, `line 4: names "cat" a second time`},
		"names without end": {ten, "batches.meta.txt", make([]byte, cifarNames+1), Oversized, "length: has 1048577 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(context.Background(), cifarFolder(t, c.layout, map[string][]byte{c.file: c.content}), Options{})
			requireError(t, err, c.kind, c.file, c.message)
		})
	}
}

func TestCIFARFileThatIsAFolder(t *testing.T) {
	dir := cifarFolder(t, &cifarLayouts[0], map[string][]byte{"data_batch_4.bin": nil})
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data_batch_4.bin"), 0o755))
	_, err := Open(context.Background(), dir, Options{})
	requireError(t, err, Unreadable, "data_batch_4.bin", "not a regular file")
}

// A network of ten classes is not fed a hundred.
func TestMoreClassesThanAreWanted(t *testing.T) {
	dir := cifarFolder(t, &cifarLayouts[1], nil)
	_, err := Open(context.Background(), dir, Options{Classes: 10})
	requireError(t, err, LabelRange, dir, "classes: are 100, more than the 10 that are wanted")
	_, err = Open(context.Background(), dir, Options{Classes: 100})
	require.NoError(t, err)
	_, err = Open(context.Background(), "digits/v1", Options{Classes: 9, TrainLimit: 1, TestLimit: 1})
	requireError(t, err, LabelRange, "digits/v1")
}

func TestCIFARStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Open(ctx, cifarFolder(t, &cifarLayouts[0], nil), Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// A file of terabytes, or a limit of a few images, takes no memory for the
// rest: sparse files claim their size for nothing.
func TestCIFARSizeIsCheckedBeforeMemory(t *testing.T) {
	dir := cifarFolder(t, &cifarLayouts[0], nil)
	require.NoError(t, os.Truncate(filepath.Join(dir, "data_batch_2.bin"), 3073<<25))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Open(context.Background(), dir, Options{})
	requireError(t, err, Oversized, "limit the number of images")
	set, err := Open(context.Background(), dir, Options{TrainLimit: 5})
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1, 2, 3, 4}, set.Train.Labels)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
}

// FuzzCIFARRecords holds the reader to this: it fails with an *Error, or every
// byte of the image is where the format says.
func FuzzCIFARRecords(f *testing.F) {
	f.Add(cifarRecord(3, 9), 1, false)
	f.Add(cifarRecord(3, 9, 99), 1, true)
	f.Add(cifarRecord(3, 10), 1, false)
	f.Add(cifarRecord(3, 1)[:3000], 2, false)
	f.Fuzz(func(t *testing.T, content []byte, n int, hundred bool) {
		l := &cifarLayouts[0]
		if hundred {
			l = &cifarLayouts[1]
		}
		n = max(0, n%4)
		into := Split{Images: make([]byte, n*cifarPixels), Labels: make([]int64, n)}
		if err := l.readRecords(bytes.NewReader(content), "f", into); err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "f", e.File)
			return
		}
		for i, label := range into.Labels {
			record := content[i*(l.labels+cifarPixels):]
			require.Equal(t, int64(record[l.labels-1]), label)
			require.Less(t, label, int64(l.classes))
			for k, v := range into.Image(i) {
				if record[l.labels+k%3*cifarPlane+k/3] != v { // the fuzzer asks often: require would take milliseconds
					t.Fatalf("byte %d of image %d is %d", k, i, v)
				}
			}
		}
	})
}

// FuzzCIFARNames: an *Error, or as many names as classes, none twice.
func FuzzCIFARNames(f *testing.F) {
	f.Add([]byte(cifarNamesOf(10)))
	f.Add([]byte("cat\r\ncat"))
	f.Add([]byte{0xff, '\n'})
	f.Fuzz(func(t *testing.T, content []byte) {
		names, err := cifarLayouts[0].parseNames("f", content)
		if err != nil {
			var e *Error
			require.ErrorAs(t, err, &e)
			return
		}
		seen := map[string]bool{}
		for _, n := range names {
			require.NotEmpty(t, n)
			seen[n] = true
		}
		require.Len(t, seen, 10)
	})
}
