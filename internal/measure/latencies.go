package measure

import (
	"math"
	"math/bits"
	"slices"
)

// MaxSamples is how many samples of a cell are kept as they are.
const MaxSamples = 100_000

// Latencies collects a cell's samples in nanoseconds: all of them up to MaxSamples, a histogram of all beyond. The zero
// value is ready for use.
//
// The histogram's buckets are spaced logarithmically, 128 to each doubling (linear within it, after Tene's
// HdrHistogram), so that a value read from it is off by less than 0.8 %.
type Latencies struct {
	samples  []int64 // in the order measured; nil once there is a histogram
	counts   []int64 // by bucket, up to the largest in use
	n        int
	min, max int64

	sorted []int64 // of samples, for the last read; stale once their numbers differ
}

const (
	bucketBits = 7 // of the mantissa
	halfBucket = 1 << bucketBits
)

// bucketOf numbers the bucket of a value ≥ 0. The first 256 hold one value each.
func bucketOf(ns int64) int {
	e := max(0, bits.Len64(uint64(ns))-bucketBits-1)
	return e<<bucketBits + int(ns>>e)
}

// bucketLow is the least value of a bucket, math.MaxInt64 past the last.
func bucketLow(b int) int64 {
	if b < 2*halfBucket {
		return int64(b)
	}
	e := b>>bucketBits - 1
	mantissa := uint64(b&(halfBucket-1) + halfBucket)
	return int64(min(mantissa<<e, math.MaxInt64))
}

// Add takes one sample. A negative one, which Call.Check refuses, counts as 0.
func (l *Latencies) Add(ns int64) {
	ns = max(ns, 0)
	if l.n == 0 || ns < l.min {
		l.min = ns
	}
	l.max = max(l.max, ns)
	l.n++
	switch {
	case l.counts != nil:
		l.count(ns)
	case l.n <= MaxSamples:
		l.samples = append(l.samples, ns)
	default:
		l.counts = []int64{}
		for _, s := range l.samples {
			l.count(s)
		}
		l.count(ns)
		l.samples, l.sorted = nil, nil
	}
}

func (l *Latencies) count(ns int64) {
	b := bucketOf(ns)
	if b >= len(l.counts) {
		l.counts = append(l.counts, make([]int64, b+1-len(l.counts))...)
	}
	l.counts[b]++
}

// Count is how many samples were added; Min and Max are the extremes in ns, exact in either form, 0 without samples.
func (l *Latencies) Count() int { return l.n }
func (l *Latencies) Min() int64 { return l.min }
func (l *Latencies) Max() int64 { return l.max }

// Samples are all samples in ns in the order measured, or nil where there are more than MaxSamples. They are the
// collection's own: do not write to them.
func (l *Latencies) Samples() []int64 { return l.samples }

// Histogram gives the buckets from the first to the last in use: counts[i] samples lie in [edges[i], edges[i+1]) ns.
// It is nil where Samples are not.
func (l *Latencies) Histogram() (edges, counts []int64) {
	if l.counts == nil {
		return nil, nil
	}
	first := slices.IndexFunc(l.counts, func(c int64) bool { return c > 0 })
	for b := first; b <= len(l.counts); b++ {
		edges = append(edges, bucketLow(b))
	}
	return edges, slices.Clone(l.counts[first:])
}

// Percentiles gives those that the count bears (see MinSamples), in ns.
func (l *Latencies) Percentiles() []Percentile { return percentilesAt(l.n, l.at()) }

// at makes a function of the k-th smallest sample, from 0.
func (l *Latencies) at() func(k int) float64 {
	if l.counts != nil {
		return l.atBucket
	}
	if len(l.sorted) != len(l.samples) {
		l.sorted = slices.Sorted(slices.Values(l.samples))
	}
	return func(k int) float64 { return float64(l.sorted[k]) }
}

// atBucket spreads a bucket's samples evenly over it; the extremes are known exactly.
func (l *Latencies) atBucket(k int) float64 {
	before := 0
	for b, c := range l.counts {
		if k < before+int(c) {
			low, high := float64(bucketLow(b)), float64(bucketLow(b+1))
			x := low + (high-low)*(float64(k-before)+0.5)/float64(c)
			return min(max(x, float64(l.min)), float64(l.max))
		}
		before += int(c)
	}
	return float64(l.max)
}
