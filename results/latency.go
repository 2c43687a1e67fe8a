package results

// MaxSamples is how many latency samples of a cell are kept; of more, a histogram.
const MaxSamples = 100_000

// A percentile needs samples to bear it, after MLPerf LoadGen's early stopping at 99 % confidence.
const (
	MinP90 = 64
	MinP99 = 662
)

// Latency is what one step takes when every step is waited for: from its scheduled time to its end in the plugin, ms.
type Latency struct {
	Count int     `json:"count" jsonschema:"minimum=1"`
	P50   float64 `json:"p50" jsonschema:"minimum=0"`
	// P90 and P99 stand only where Count bears them: from 64 and from 662 samples on.
	P90 *float64 `json:"p90,omitempty" jsonschema:"minimum=0"`
	P99 *float64 `json:"p99,omitempty" jsonschema:"minimum=0"`
	Min float64  `json:"min" jsonschema:"minimum=0"`
	Max float64  `json:"max" jsonschema:"minimum=0"`
	// Return is the way back from the step's end to the harness's knowledge of it, median, ms.
	Return *float64 `json:"return,omitempty" jsonschema:"minimum=0"`
	// Samples are all of them, in the order measured, if there are at most 100,000. Else Histogram.
	Samples   []float64  `json:"samples,omitempty" jsonschema:"maxItems=100000"`
	Histogram *Histogram `json:"histogram,omitempty"`
}

// Histogram counts samples in bins: Counts[i] of them lie in [Edges[i], Edges[i+1]), the last bin with its upper edge.
type Histogram struct {
	Edges  []float64 `json:"edges" jsonschema:"minItems=2,maxItems=10001"` // ascending, ms
	Counts []int64   `json:"counts" jsonschema:"minItems=1,maxItems=10000"`
}
