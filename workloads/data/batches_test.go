package data

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// numberedSplit has n images of 3 bytes; image i is made of i, label i%10.
func numberedSplit(n int) Split {
	s := Split{Images: make([]byte, 3*n), Labels: make([]int64, n)}
	for i := range n {
		s.Images[3*i], s.Images[3*i+1], s.Images[3*i+2] = byte(i), byte(i>>8), 0xaa
		s.Labels[i] = int64(i % 10)
	}
	return s
}

// seen runs an epoch and returns which images came, checking each one's bytes
// and label.
func seen(t require.TestingT, b *Batches, size int) []int {
	images, labels := make([]byte, 3*size), make([]int64, size)
	var out []int
	for i := range b.Len() {
		for k := range images {
			images[k] = 0x55
		}
		valid, err := b.Fill(i, images, labels)
		require.NoError(t, err)
		for k := range valid {
			index := int(images[3*k]) | int(images[3*k+1])<<8
			require.Equal(t, byte(0xaa), images[3*k+2])
			require.Equal(t, int64(index%10), labels[k])
			out = append(out, index)
		}
		require.Zero(t, slices.Max(append(images[3*valid:], 0)), "padding")
		require.Zero(t, slices.Max(append(labels[valid:], 0)), "padding")
		require.Len(t, b.Indices(i), valid)
	}
	return out
}

func TestTrainingSeesEachImageOnceInANewOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 300).Draw(t, "n")
		size := rapid.IntRange(1, n).Draw(t, "size")
		seed, epoch := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 100).Draw(t, "epoch")
		b, err := Training(numberedSplit(n), size, seed)
		require.NoError(t, err)
		require.Equal(t, n/size, b.Len())
		b.Shuffle(epoch)
		first := seen(t, b, size)
		require.Len(t, first, n/size*size, "the partial batch is dropped")
		unique := slices.Clone(first)
		slices.Sort(unique)
		require.Len(t, slices.Compact(unique), len(first), "none comes twice")

		// Another pass, from other epochs, gives the same order.
		b.Shuffle(epoch + 1)
		if n > 50 {
			require.NotEqual(t, first, seen(t, b, size))
		}
		b.Shuffle(epoch)
		require.Equal(t, first, seen(t, b, size))
	})
}

// The order is part of what a seed means: a change would make recorded runs
// unrepeatable.
func TestTrainingOrderIsPinned(t *testing.T) {
	b, err := Training(numberedSplit(10), 10, 1)
	require.NoError(t, err)
	require.Equal(t, []int{7, 6, 1, 3, 2, 4, 8, 9, 0, 5}, seen(t, b, 10))
	b.Shuffle(1)
	require.Equal(t, []int{2, 5, 8, 3, 4, 1, 7, 6, 0, 9}, seen(t, b, 10))
	other, err := Training(numberedSplit(10), 10, 2)
	require.NoError(t, err)
	require.Equal(t, []int{4, 2, 9, 5, 8, 0, 1, 3, 7, 6}, seen(t, other, 10))
}

// Every image must reach every place about equally often.
func TestShuffleIsFair(t *testing.T) {
	const n, epochs = 8, 8000
	b, err := Training(numberedSplit(n), n, 7)
	require.NoError(t, err)
	var counts [n][n]float64
	for epoch := range epochs {
		b.Shuffle(epoch)
		for place, index := range b.Indices(0) {
			counts[index][place]++
		}
	}
	chi2 := 0.0
	for _, row := range counts {
		for _, c := range row {
			chi2 += (c - epochs/n) * (c - epochs/n) / (epochs / n)
		}
	}
	require.Less(t, chi2, 91.0, "p < 1e-4 at 49 degrees of freedom")
}

func TestEvaluationPadsTheLastBatch(t *testing.T) {
	b, err := Evaluation(numberedSplit(23), 8)
	require.NoError(t, err)
	require.Equal(t, 3, b.Len())
	b.Shuffle(5) // does nothing
	want := make([]int, 23)
	for i := range want {
		want[i] = i
	}
	require.Equal(t, want, seen(t, b, 8))
	valid, err := b.Fill(2, make([]byte, 24), make([]int64, 8))
	require.NoError(t, err)
	require.Equal(t, 7, valid)

	big, err := Evaluation(numberedSplit(5), 8)
	require.NoError(t, err)
	require.Equal(t, 1, big.Len())
	require.Equal(t, []int{0, 1, 2, 3, 4}, seen(t, big, 8))
}

func TestBatchesRefuse(t *testing.T) {
	_, err := Training(numberedSplit(5), 6, 1)
	requireError(t, err, BadOption, "batch: is 6, the split has 5 images")
	_, err = Training(numberedSplit(5), 0, 1)
	requireError(t, err, BadOption, "batch: is 0")
	_, err = Evaluation(Split{}, 1)
	requireError(t, err, BadOption, "has no images")

	b, err := Evaluation(numberedSplit(5), 2)
	require.NoError(t, err)
	require.Panics(t, func() { b.Fill(0, make([]byte, 5), make([]int64, 2)) })
	require.Panics(t, func() { b.Fill(3, make([]byte, 6), make([]int64, 2)) })
}

func TestBatchesDoNotAllocate(t *testing.T) {
	b, err := Training(numberedSplit(1000), 64, 1)
	require.NoError(t, err)
	images, labels := make([]byte, 3*64), make([]int64, 64)
	epoch := 0
	require.Zero(t, testing.AllocsPerRun(5, func() {
		b.Shuffle(epoch)
		epoch++
		for i := range b.Len() {
			b.Fill(i, images, labels)
		}
	}))
}

// BenchmarkFill fills batches of 64 images of 28×28.
func BenchmarkFill(b *testing.B) {
	split := Split{Images: make([]byte, 60_000*784), Labels: make([]int64, 60_000)}
	batches, err := Training(split, 64, 1)
	require.NoError(b, err)
	images, labels := make([]byte, 64*784), make([]int64, 64)
	b.SetBytes(int64(len(images)))
	i := 0
	for b.Loop() {
		batches.Fill(i, images, labels)
		i = (i + 1) % batches.Len()
	}
	b.ReportMetric(float64(b.N)*64/b.Elapsed().Seconds(), "images/s")
}

// BenchmarkShuffle makes an epoch's order of 60,000.
func BenchmarkShuffle(b *testing.B) {
	batches, err := Training(Split{Images: make([]byte, 60_000), Labels: make([]int64, 60_000)}, 64, 1)
	require.NoError(b, err)
	epoch := 0
	for b.Loop() {
		batches.Shuffle(epoch)
		epoch++
	}
}
