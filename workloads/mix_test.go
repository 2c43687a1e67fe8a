package workloads

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/tensor"
)

// mixed applies m to n images whose every byte is ten times their number, of
// label n%3.
func mixed(m *mixing, n int, step int64) (images []byte, targets []float32) {
	labels := make([]int64, n)
	size := m.in.bytes()
	for i := range n {
		labels[i] = int64(i % m.classes)
		for range size {
			images = append(images, byte(10*i))
		}
	}
	out := make([]byte, 4*n*m.classes)
	m.apply(step, images, labels, out)
	return images, tensor.View[float32](out)
}

// Images and targets are mixed by the same share, each with its neighbour.
func TestMixupBlends(t *testing.T) {
	m := &mixing{mixup: 0.8, seed: 3, in: Input{2, 3, 1}, classes: 3}
	for step := range int64(20) {
		images, targets := mixed(m, 5, step)
		share := float64(targets[1*3+1])
		for i := range 5 {
			before := (i + 4) % 5
			for _, v := range images[i*6 : (i+1)*6] {
				require.InDelta(t, share*float64(10*i)+(1-share)*float64(10*before), v, 0.5+1e-3)
			}
			want := make([]float64, 3)
			want[i%3] += share
			want[before%3] += 1 - share
			for c := range want {
				require.InDelta(t, want[c], targets[i*3+c], 1e-6)
			}
		}
	}
}

// The share of the targets is that of the pixels that were left.
func TestCutMixPastesOneRectangle(t *testing.T) {
	m := &mixing{cutmix: 1, seed: 3, in: Input{8, 6, 3}, classes: 3}
	shares := map[float32]bool{}
	for step := range int64(60) {
		images, targets := mixed(m, 4, step)
		kept, top, left, bottom, right := 0, 8, 6, -1, -1
		for i, v := range images[m.in.bytes() : 2*m.in.bytes()] { // the second, which the first is pasted into
			y, x := i/18, i/3%6
			if v == 10 {
				kept++
				continue
			}
			require.Zero(t, v)
			top, left, bottom, right = min(top, y), min(left, x), max(bottom, y), max(right, x)
		}
		if bottom >= 0 {
			require.Equal(t, 48-kept/3, (bottom-top+1)*(right-left+1), "a rectangle, of whole pixels")
		}
		require.InDelta(t, float64(kept)/144, targets[1*3+1], 1e-6)
		shares[targets[1*3+1]] = true
	}
	require.Greater(t, len(shares), 10)
}

func TestMixingDependsOnSeedAndStepAlone(t *testing.T) {
	both := &mixing{mixup: 1, cutmix: 1, seed: 3, in: Input{8, 8, 1}, classes: 3}
	first, _ := mixed(both, 6, 7)
	again, _ := mixed(both, 6, 7)
	require.Equal(t, first, again)
	next, _ := mixed(both, 6, 8)
	require.NotEqual(t, first, next)
	other := *both
	other.seed++
	next, _ = mixed(&other, 6, 7)
	require.NotEqual(t, first, next)
	pasted := 0
	for step := range int64(400) {
		images, _ := mixed(both, 2, step)
		levels := map[byte]bool{}
		for _, v := range images {
			levels[v] = true
		}
		if levels[0] && levels[10] {
			pasted++
		}
	}
	require.InDelta(t, 200, pasted, 60, "each batch draws which of the two")
}

// Beta(α, α) has a mean of 1/2 and a variance of 1/(4·(2α+1)).
func TestBetaHasItsMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, alpha := range []float64{1e-3, 0.2, 1, 4, 1000} {
		const n = 20000
		sum, squares := 0.0, 0.0
		for range n {
			v := beta(r, alpha)
			require.True(t, v >= 0 && v <= 1, v)
			sum, squares = sum+v, squares+(v-0.5)*(v-0.5)
		}
		want := 1 / (4 * (2*alpha + 1))
		require.InDelta(t, 0.5, sum/n, 5*math.Sqrt(want/n), alpha)
		require.InEpsilon(t, want, squares/n, 0.05, alpha)
	}
}
