package results

import (
	"math"

	"github.com/clsbench/clsbench/internal/measure"
)

// Latency is what one step takes when every step is waited for: from its scheduled time to its end in the plugin, ms.
type Latency struct {
	Count int     `json:"count" jsonschema:"minimum=1"`
	P50   float64 `json:"p50" jsonschema:"minimum=0"`
	// The percentiles above stand only where Count bears them: from 64, 662 and 6,636 samples on.
	P90  *float64 `json:"p90,omitempty" jsonschema:"minimum=0"`
	P99  *float64 `json:"p99,omitempty" jsonschema:"minimum=0"`
	P999 *float64 `json:"p99.9,omitempty" jsonschema:"minimum=0"`
	Min  float64  `json:"min" jsonschema:"minimum=0"`
	Max  float64  `json:"max" jsonschema:"minimum=0"`
	// Return is the way back from the step's end to the harness's knowledge of it, median, ms.
	Return *float64 `json:"return,omitempty" jsonschema:"minimum=0"`
	// Samples are all of them, in the order measured, if there are at most 100,000. Else Histogram.
	Samples   []float64  `json:"samples,omitempty" jsonschema:"maxItems=100000"`
	Histogram *Histogram `json:"histogram,omitempty"`
}

// Histogram counts samples in bins: Counts[i] of them lie in [Edges[i], Edges[i+1]).
type Histogram struct {
	Edges  []float64 `json:"edges" jsonschema:"minItems=2,maxItems=10001"` // ascending, ms
	Counts []int64   `json:"counts" jsonschema:"minItems=1,maxItems=10000"`
}

// percentile is one of Latency's above the median.
type percentile struct {
	name  string
	p     float64
	value **float64
}

func (l *Latency) percentiles() []percentile {
	return []percentile{{"p90", 0.9, &l.P90}, {"p99", 0.99, &l.P99}, {"p99.9", 0.999, &l.P999}}
}

// NewLatency makes the record of collected samples; nil where there are none.
func NewLatency(s *measure.Latencies) *Latency {
	if s.Count() == 0 {
		return nil
	}
	l := &Latency{Count: s.Count(), Min: millis(s.Min()), Max: millis(s.Max())}
	for _, q := range s.Percentiles() {
		ms := math.Round(q.Value*1e3) / 1e9 // to a thousandth of a nanosecond: percentiles lie between samples
		if q.P == 0.5 {
			l.P50 = ms
		}
		for _, p := range l.percentiles() {
			if p.p == q.P {
				*p.value = &ms
			}
		}
	}
	if edges, counts := s.Histogram(); edges != nil {
		l.Histogram = &Histogram{Counts: counts}
		for _, e := range edges {
			l.Histogram.Edges = append(l.Histogram.Edges, millis(e))
		}
		return l
	}
	for _, ns := range s.Samples() {
		l.Samples = append(l.Samples, millis(ns))
	}
	return l
}

func millis(ns int64) float64 { return float64(ns) / 1e6 }
