package workloads

import (
	"math"
	"math/rand/v2"

	"github.com/clsbench/clsbench/tensor"
)

// mixing blends each image of a training batch with the one before it, the
// first with the last, and their labels by the same shares, as torchvision's
// reference scripts do:
//
//   - mixup adds the images, λ of one and 1-λ of the other (Zhang, Cissé,
//     Dauphin and Lopez-Paz 2018, §2);
//   - CutMix puts a rectangle of the other into one, λ the share of the area
//     that is left of it (Yun et al. 2019, §3.1).
//
// λ is drawn from Beta(α, α), once a batch. With both α given, each batch draws
// which of the two it gets. What a batch gets depends on the seed and on the
// step's number alone.
type mixing struct {
	mixup, cutmix float64 // α; 0 for none
	seed          uint64
	in            Input // of one image
	classes       int
}

// mixes says whether training's targets are distributions over the classes.
func (r *Recipe) mixes() bool { return r.Mixup > 0 || r.CutMix > 0 }

// mixStream keeps its draws from those of the batches' order, which a seed
// keys too.
const mixStream = 0x6d6978 // "mix"

// apply mixes a step's images, u8 N×H×W×C, and writes the targets of labels,
// f32 N×classes.
func (m *mixing) apply(step int64, images []byte, labels []int64, targets []byte) {
	r := rand.New(rand.NewPCG(m.seed^mixStream<<32, uint64(step)))
	share := 1.0
	if m.cutmix > 0 && (m.mixup == 0 || r.Float64() < 0.5) {
		top, left, h, w := m.box(r, beta(r, m.cutmix))
		share = 1 - float64(h*w)/float64(m.in.Height*m.in.Width)
		m.pairs(images, func(one, other []byte) { m.paste(one, other, top, left, h, w) })
	} else {
		share = beta(r, m.mixup)
		m.pairs(images, func(one, other []byte) { blend(one, other, share) })
	}
	m.targets(tensor.View[float32](targets), labels, share)
}

// pairs calls f with each image, to be changed, and the one before it as it was.
func (m *mixing) pairs(images []byte, f func(one, other []byte)) {
	size := m.in.Height * m.in.Width * m.in.Channels
	n := len(images) / size
	at := func(i int) []byte { return images[i*size : (i+1)*size] }
	last := append([]byte(nil), at(n-1)...)
	for i := n - 1; i > 0; i-- {
		f(at(i), at(i-1))
	}
	f(at(0), last)
}

// blend makes share·one + (1-share)·other, rounded to bytes.
func blend(one, other []byte, share float64) {
	const bits = 16
	a := uint32(math.Round(share * (1 << bits)))
	b := 1<<bits - a
	for i, v := range one {
		one[i] = byte((a*uint32(v) + b*uint32(other[i]) + 1<<(bits-1)) >> bits)
	}
}

// box draws the rectangle that is replaced: its middle anywhere, its sides a
// share √(1-λ) of the image's, cut off at the border.
func (m *mixing) box(r *rand.Rand, share float64) (top, left, h, w int) {
	half := 0.5 * math.Sqrt(1-share)
	span := func(side int) (from, to int) {
		middle, by := r.IntN(side), int(half*float64(side))
		return max(0, middle-by), min(side, middle+by)
	}
	left, right := span(m.in.Width)
	top, bottom := span(m.in.Height)
	return top, left, bottom - top, right - left
}

func (m *mixing) paste(one, other []byte, top, left, h, w int) {
	c := m.in.Channels
	for y := top; y < top+h; y++ {
		from := (y*m.in.Width + left) * c
		copy(one[from:from+w*c], other[from:])
	}
}

func (m *mixing) targets(out []float32, labels []int64, share float64) {
	clear(out)
	for i, label := range labels {
		row := out[i*m.classes:][:m.classes]
		row[label] += float32(share)
		row[labels[(i+len(labels)-1)%len(labels)]] += float32(1 - share)
	}
}

// beta draws from Beta(α, α): x/(x+y) of two draws from Gamma(α), whose
// logarithms are taken since a small α makes them vanish.
func beta(r *rand.Rand, alpha float64) float64 {
	x, y := logGamma(r, alpha), logGamma(r, alpha)
	return 1 / (1 + math.Exp(y-x))
}

// logGamma is the logarithm of a draw from Gamma(α) of scale 1, by Marsaglia
// and Tsang's method ("A simple method for generating gamma variables", 2000)
// for α+1, times U^(1/α).
func logGamma(r *rand.Rand, alpha float64) float64 {
	d := alpha + 1 - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return math.Log(d*v) + math.Log(1-r.Float64())/alpha
		}
	}
}
