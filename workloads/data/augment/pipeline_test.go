package augment

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// picture is an image whose bytes all differ from their neighbours'.
func picture(h, w, c, seed int) Image {
	m := New(h, w, c)
	for i := range m.Pix {
		m.Pix[i] = byte(i*37 + seed*11 + i/7)
	}
	return m
}

func everything(size int) *Pipeline {
	return &Pipeline{
		H: size, W: size, Fill: []byte{120, 116, 104},
		Steps: []Step{
			{Kind: KindCrop, Pad: 2}, {Kind: KindResizedCrop}, {Kind: KindFlip, P: 0.5}, {Kind: KindRandAugment, Ops: 2, Magnitude: 9},
			{Kind: KindJitter, Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.1}, {Kind: KindErase, P: 0.25},
		},
	}
}

// A batch has the same bytes on any number of workers, for any order of its
// images, and other bytes in another epoch and under another seed.
func TestBatchDependsOnSeedEpochAndImageAlone(t *testing.T) {
	p := everything(16)
	const each = 16 * 16 * 3
	batch := func(seed, epoch uint64, indices []int32, workers int) []byte {
		dst := make([]byte, len(indices)*each)
		require.NoError(t, p.Batch(context.Background(), dst, seed, epoch, indices, func(i int32) (Image, error) {
			return picture(20+int(i), 31, 3, int(i)), nil
		}, workers))
		return dst
	}
	indices := []int32{3, 0, 7, 5, 11, 2, 9}
	want := batch(1, 2, indices, 1)
	for _, workers := range []int{2, 3, 16} {
		require.Equal(t, want, batch(1, 2, indices, workers), "%d workers", workers)
	}
	alone := batch(1, 2, []int32{5}, 1)
	require.Equal(t, want[3*each:4*each], alone)
	require.NotEqual(t, want, batch(1, 3, indices, 1))
	require.NotEqual(t, want, batch(2, 2, indices, 1))
	require.NotEqual(t, batch(1, 3, indices, 1), batch(2, 2, indices, 1))
}

func TestPipelineWithoutStepsChangesNothing(t *testing.T) {
	m := picture(9, 12, 3, 1)
	require.Equal(t, m, (&Pipeline{H: 9, W: 12}).Apply(m, 1, 2, 3))
}

// Boxes lie in the image, keep to the ranges, and use them.
func TestCropsKeepToTheirRanges(t *testing.T) {
	p := Step{Kind: KindResizedCrop, Scale: Range{0.1, 0.6}}
	m := New(100, 150, 1)
	var low, high, mean float64 = 1, 0, 0
	corners := map[[2]bool]int{}
	const n = 5000
	for i := range uint64(n) {
		top, left, h, w := p.cropBox(m, newStream(1, 0, i))
		require.True(t, top >= 0 && left >= 0 && top+h <= 100 && left+w <= 150 && h > 0 && w > 0)
		share, ratio := float64(h*w)/15000, float64(w)/float64(h)
		require.InDelta(t, 0.35, share, 0.27)
		require.InDelta(t, 0, math.Log(ratio), math.Log(4.0/3)+0.05)
		low, high, mean = min(low, share), max(high, share), mean+share/n
		corners[[2]bool{top+h/2 < 50, left+w/2 < 75}]++
	}
	require.Less(t, low, 0.11)
	require.Greater(t, high, 0.58)
	require.InDelta(t, 0.35, mean, 0.01)
	for c, count := range corners {
		require.InDelta(t, n/4, count, n/20, "%v", c)
	}
}

// An image that no drawn box fits gets the largest middle box.
func TestCropOfAStrip(t *testing.T) {
	p := Step{Kind: KindResizedCrop, Scale: Range{1, 1}}
	top, left, h, w := p.cropBox(New(3, 300, 1), newStream(1, 0, 0))
	require.Equal(t, [4]int{0, 148, 3, 4}, [4]int{top, left, h, w})
	top, left, h, w = p.cropBox(New(300, 3, 1), newStream(1, 0, 0))
	require.Equal(t, [4]int{148, 0, 4, 3}, [4]int{top, left, h, w})
}

// How often things happen is what was asked for.
func TestProbabilities(t *testing.T) {
	m := picture(12, 12, 1, 3)
	flips := Pipeline{H: 12, W: 12, Steps: []Step{{Kind: KindFlip, P: 0.3}}}
	erases := Pipeline{H: 12, W: 12, Steps: []Step{{Kind: KindErase, P: 0.25}}}
	const n = 4000
	flipped, erased := 0, 0
	for i := range uint64(n) {
		if out := flips.Apply(m, 5, 0, i); out.Pix[0] != m.Pix[0] {
			require.Equal(t, FlipHorizontal(m), out)
			flipped++
		}
		if out := erases.Apply(m, 5, 0, i); !equal(out, m) {
			erased++
		}
	}
	require.InDelta(t, 0.3*n, flipped, 120)
	require.InDelta(t, 0.25*n, erased, 120)
}

func equal(a, b Image) bool { return string(a.Pix) == string(b.Pix) }

// RandAugment draws each of its transforms about as often as the others.
func TestRandAugmentDrawsAll(t *testing.T) {
	counts := make([]int, len(ops))
	for i := range uint64(14000) {
		counts[newStream(1, 0, i).below(len(ops))]++
	}
	for k, c := range counts {
		require.InDelta(t, 1000, c, 150, ops[k].name)
	}
	require.Equal(t, []float64{8, 7, 4}, []float64{ops[10].level(0, 1, 1), ops[10].level(9, 1, 1), ops[10].level(30, 1, 1)})
	require.InDelta(t, 150.0/331*64, ops[3].level(30, 64, 1), 1e-12)
}

func TestBatchReportsWhatGoesWrong(t *testing.T) {
	p := Pipeline{H: 2, W: 2}
	broken := errors.New("broken")
	require.ErrorIs(t, p.Batch(context.Background(), make([]byte, 8), 1, 1, []int32{0, 1}, func(int32) (Image, error) {
		return Image{}, broken
	}, 2), broken)
	require.ErrorContains(t, p.Batch(context.Background(), make([]byte, 8), 1, 1, []int32{4, 1}, func(int32) (Image, error) {
		return New(3, 3, 3), nil
	}, 1), "image 4 comes out as 2×2×3, the batch holds 4 bytes an image")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, p.Batch(ctx, make([]byte, 9), 1, 1, []int32{4}, nil, 1), context.Canceled)
	require.NoError(t, p.Batch(ctx, nil, 1, 1, nil, nil, 1))
}

// Any image survives any transform, and a level never leaves its range.
func TestTransformsTakeAnyImage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 12).Draw(t, "h"), rapid.IntRange(1, 12).Draw(t, "w")
		c := rapid.SampledFrom([]int{1, 3}).Draw(t, "c")
		m := Image{h, w, c, rapid.SliceOfN(rapid.Byte(), h*w*c, h*w*c).Draw(t, "pix")}
		p := everything(rapid.IntRange(1, 9).Draw(t, "size"))
		p.Fill, p.Resize = nil, rapid.IntRange(0, 9).Draw(t, "resize")
		out := p.Apply(m, rapid.Uint64().Draw(t, "seed"), 0, 0)
		require.Equal(t, []int{p.H, p.W, c, p.H * p.W * c}, []int{out.H, out.W, out.C, len(out.Pix)})
		p.Steps = nil
		out = p.Apply(m, 0, 0, 0)
		require.Equal(t, []int{p.H, p.W, c, p.H * p.W * c}, []int{out.H, out.W, out.C, len(out.Pix)})
		require.Equal(t, m, FlipHorizontal(FlipHorizontal(m)))
		require.Equal(t, m, Resize(m, h, w))
	})
}

// BenchmarkPipeline is ImageNet's: crops of 224 from 500 × 375.
func BenchmarkPipeline(b *testing.B) {
	p := Pipeline{H: 224, W: 224, Steps: []Step{{Kind: KindResizedCrop}, {Kind: KindFlip, P: 0.5}}}
	m := picture(375, 500, 3, 1)
	i := uint64(0)
	for b.Loop() {
		p.Apply(m, 1, 0, i)
		i++
	}
}

// A window of the padded image: every place is as likely, and what it shows of
// the image stays as it is.
func TestCropOfThePaddedImage(t *testing.T) {
	p := Pipeline{H: 4, W: 4, Steps: []Step{{Kind: KindCrop, Pad: 1}}}
	m := picture(4, 4, 1, 9)
	seen := map[string]int{}
	for i := range uint64(900) {
		seen[string(p.Apply(m, 3, 0, i).Pix)]++
	}
	require.Len(t, seen, 9)
	for top := range 3 {
		for left := range 3 {
			require.InDelta(t, 100, seen[string(Crop(m, top-1, left-1, 4, 4).Pix)], 40)
		}
	}
	p.Steps[0].Pad = 0
	require.Equal(t, Cover(picture(2, 2, 1, 5), 4, 4), p.Apply(picture(2, 2, 1, 5), 1, 1, 1), "too small, and enlarged")
}

// Steps act in the order in which they stand.
func TestStepsKeepTheirOrder(t *testing.T) {
	m := picture(6, 6, 1, 2)
	flip, erase := Step{Kind: KindFlip, P: 1}, Step{Kind: KindErase, P: 1}
	one := Pipeline{H: 6, W: 6, Steps: []Step{flip, erase}}
	two := Pipeline{H: 6, W: 6, Steps: []Step{erase, flip}}
	differ := 0
	for i := range uint64(20) {
		if !equal(one.Apply(m, 1, 1, i), two.Apply(m, 1, 1, i)) {
			differ++
		}
	}
	require.Greater(t, differ, 10)
}

func TestStepsRefuse(t *testing.T) {
	for want, s := range map[string]Step{
		"kind: mosaic, want crop, resized-crop, flip": {Kind: "mosaic"},
		"p: 0, want a probability":                    {Kind: KindFlip},
		"p: NaN, want a probability":                  {Kind: KindErase, P: math.NaN()},
		"pad: -1, want 0 to":                          {Kind: KindCrop, Pad: -1},
		"pad: 4, which flip has not":                  {Kind: KindFlip, P: 0.5, Pad: 4},
		"scale: [0.5 0.2], want two ascending":        {Kind: KindResizedCrop, Scale: Range{0.5, 0.2}},
		"scale: [0.5 2], want two ascending":          {Kind: KindResizedCrop, Scale: Range{0.5, 2}},
		"ratio: [0 1], want":                          {Kind: KindErase, P: 1, Ratio: Range{0, 1}},
		"ops: 0, want 1 to 100":                       {Kind: KindRandAugment},
		"magnitude: 31, want 0 to 30":                 {Kind: KindRandAugment, Ops: 2, Magnitude: 31},
		"brightness: -1, want":                        {Kind: KindJitter, Brightness: -1},
		"contrast: NaN, want":                         {Kind: KindJitter, Contrast: math.NaN()},
		"hue: 0.7, want":                              {Kind: KindJitter, Hue: 0.7},
	} {
		require.ErrorContains(t, s.Validate(), want)
	}
	for _, s := range everything(4).Steps {
		require.NoError(t, s.Validate(), s.Kind)
	}
}
