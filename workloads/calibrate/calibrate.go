// Package calibrate chooses, from what was seen of a tensor, the range that its
// 8-bit integers shall stand for: a wide one rounds coarsely, a narrow one
// clips. The ways to choose are those that Wu et al. compare ("Integer
// Quantization for Deep Learning Inference: Principles and Empirical
// Evaluation", 2020, §3.3), and the mean squared error.
package calibrate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/graph/pass"
)

// Method is a way to choose a range.
type Method string

// The methods.
const (
	MinMax     Method = "minmax"     // all that was seen
	Percentile Method = "percentile" // but for a ten-thousandth at the ends
	MSE        Method = "mse"        // what rounding and clipping cost together, squared, is least
	Entropy    Method = "entropy"    // so is the information lost
)

// Methods lists them.
func Methods() []Method { return []Method{MinMax, Percentile, MSE, Entropy} }

// Parse finds a method by its name.
func Parse(name string) (Method, error) {
	if m := Method(name); slices.Contains(Methods(), m) {
		return m, nil
	}
	var names []string
	for _, m := range Methods() {
		names = append(names, string(m))
	}
	return "", fmt.Errorf("calibration method %q: want %s", name, strings.Join(names, ", "))
}

const (
	bins     = 2048  // of a histogram, TensorRT's number
	levels   = 256   // that 8 bits tell apart
	kept     = .9999 // share of the values that a percentile's range holds
	shrinks  = 128   // ranges tried: these parts of the whole one
	vanished = 1e-4  // what a histogram's empty bins count when entropies are compared
)

// Histogram counts the values of a tensor over the range that they have, which
// is widened to hold 0. Exact zeros, of which a ReLU makes half of a tensor,
// are counted apart: every range holds them exactly.
type Histogram struct {
	pass.Range
	Counts []float64
	Zeros  float64
}

// NewHistogram is an empty one.
func NewHistogram(r pass.Range) *Histogram {
	return &Histogram{Range: pass.Range{Lo: min(r.Lo, 0), Hi: max(r.Hi, 0)}, Counts: make([]float64, bins)}
}

// Add counts values, which lie in the range.
func (h *Histogram) Add(values []float32) {
	scale := float64(len(h.Counts)) / (h.Hi - h.Lo)
	for _, v := range values {
		if v == 0 {
			h.Zeros++
			continue
		}
		h.Counts[min(max(int((float64(v)-h.Lo)*scale), 0), len(h.Counts)-1)]++
	}
}

// width is a bin's.
func (h *Histogram) width() float64 { return (h.Hi - h.Lo) / float64(len(h.Counts)) }

// zero is the bin where the values above 0 begin.
func (h *Histogram) zero() int {
	return min(max(int(math.Round(-h.Lo/h.width())), 0), len(h.Counts))
}

// Widen is r with what some values need of it. Values that are no numbers, or
// infinite, are an error.
func Widen(r pass.Range, values []float32) (pass.Range, error) {
	for _, v := range values {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return r, fmt.Errorf("a value is %v", v)
		}
		r.Lo, r.Hi = min(r.Lo, x), max(r.Hi, x)
	}
	return r, nil
}

// Range chooses from what was seen.
func (m Method) Range(h *Histogram) pass.Range {
	if h.Hi == h.Lo {
		return h.Range
	}
	switch m {
	case Percentile:
		return h.percentile()
	case MSE:
		return h.best(h.squaredError)
	case Entropy:
		return h.best(h.divergence)
	}
	return h.Range
}

// percentile leaves out as many values at either end.
func (h *Histogram) percentile() pass.Range {
	total := h.Zeros
	for _, n := range h.Counts {
		total += n
	}
	out := (1 - kept) / 2 * total
	lo, hi, z := 0, len(h.Counts), h.zero()
	for sum := 0.0; lo < z && sum+h.Counts[lo] <= out; lo++ {
		sum += h.Counts[lo]
	}
	for sum := 0.0; hi > z && sum+h.Counts[hi-1] <= out; hi-- {
		sum += h.Counts[hi-1]
	}
	return h.window(lo, hi)
}

// window is the range of some bins, from the first to before the last.
func (h *Histogram) window(lo, hi int) pass.Range {
	r := pass.Range{Lo: h.Lo + float64(lo)*h.width(), Hi: h.Lo + float64(hi)*h.width()}
	return pass.Range{Lo: min(r.Lo, 0), Hi: max(r.Hi, 0)}
}

// best tries windows that are smaller and smaller parts of the whole on both
// sides of 0, and gives that which costs least; the wider of equal ones.
func (h *Histogram) best(cost func(lo, hi int) float64) pass.Range {
	z, n := h.zero(), len(h.Counts)
	least, best := math.Inf(1), h.Range
	for i := shrinks; i > 0; i-- {
		lo, hi := z-z*i/shrinks, z+(n-z)*i/shrinks
		if hi-lo < levels {
			break
		}
		if c := cost(lo, hi); c < least {
			least, best = c, h.window(lo, hi)
		}
	}
	return best
}

// squaredError is the sum over all values of what a window makes of them.
func (h *Histogram) squaredError(lo, hi int) float64 {
	r := h.window(lo, hi)
	step := (r.Hi - r.Lo) / (levels - 1)
	first := math.RoundToEven(r.Lo / step)
	sum := 0.0
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		v := h.Lo + (float64(i)+0.5)*h.width()
		q := min(max(math.RoundToEven(v/step), first), first+levels-1) * step
		sum += n * (v - q) * (v - q)
	}
	return sum
}

// divergence is the relative entropy, as TensorRT's calibration has it (Migacz,
// "8-bit Inference with TensorRT", GTC 2017): of the window's bins, what is
// outside of it added to the outermost, from the same bins without that, when
// they are put together into as many as there are levels and spread out again
// over those that had anything. Both are smoothed, since a bin may be empty in
// one alone; ONNX Runtime's calibration does so too.
func (h *Histogram) divergence(lo, hi int) float64 {
	p, q := slices.Clone(h.Counts[lo:hi]), make([]float64, hi-lo)
	for _, n := range h.Counts[:lo] {
		p[0] += n
	}
	for _, n := range h.Counts[hi:] {
		p[len(p)-1] += n
	}
	for level := range levels {
		from, to := len(q)*level/levels, len(q)*(level+1)/levels
		sum, some := 0.0, 0.0
		for i := from; i < to; i++ {
			sum += h.Counts[lo+i]
			if p[i] > 0 {
				some++
			}
		}
		for i := from; i < to; i++ {
			if p[i] > 0 {
				q[i] = sum / some
			}
		}
	}
	total, again := smooth(p), smooth(q)
	d := 0.0
	for i := range p {
		d += p[i] / total * math.Log(p[i]/total*again/q[i])
	}
	return d
}

// smooth gives empty bins a little of what the others have, and returns the
// sum. A histogram without anything is spread evenly.
func smooth(p []float64) (sum float64) {
	empty := 0.0
	for _, n := range p {
		if sum += n; n == 0 {
			empty++
		}
	}
	for i, n := range p {
		if n == 0 {
			p[i] = vanished
		}
	}
	return sum + empty*vanished
}
