package machine

import "fmt"

// Names of the peaks that every session measures. A name may be made narrower by suffixes: PeakFMA + ".avx2" is the
// same probe held to AVX2.
const (
	PeakFMA    = "fma.f32" // GFLOP/s; a fused multiply-add counts as two operations
	PeakRead   = "read"    // GB/s (10⁹ bytes) read from memory, far beyond the caches
	PeakCopy   = "copy"    // GB/s moved by a copy, the bytes read and the bytes written both counted
	PeakLaunch = "launch"  // µs from handing over an empty region of work until it is done
	PeakRPC    = "rpc"     // µs for an empty call to a plugin and back

	// PeakHarness is what the harness and the plugin boundary add to a step, µs: below it nothing can be told.
	PeakHarness = "harness"
)

// Peak is one measured limit.
type Peak struct {
	Name    string  `json:"name"`    // one of the Peak… names, or a narrower one
	Threads int     `json:"threads"` // 0 where threads have no meaning
	Value   float64 `json:"value"`   // median over the probe's rounds
	Unit    string  `json:"unit"`    // "GFLOP/s", "GB/s", "µs"
	// How says how it was measured: instruction set, size, count, clock.
	How    string    `json:"how"`
	Rounds []float64 `json:"rounds,omitempty"` // every round's figure, in order
}

// Key is the peak's place in Peaks: "fma.f32/2", "rpc".
func (p Peak) Key() string { return peakKey(p.Name, p.Threads) }

func peakKey(name string, threads int) string {
	if threads == 0 {
		return name
	}
	return fmt.Sprintf("%s/%d", name, threads)
}

// Peaks are a session's measured limits by Peak.Key.
type Peaks map[string]Peak

// Put adds a peak, or replaces the one of the same name and thread count.
func (p Peaks) Put(k Peak) { p[k.Key()] = k }

// Of gives the peak of that name at that many threads.
func (p Peaks) Of(name string, threads int) (Peak, bool) {
	k, ok := p[peakKey(name, threads)]
	return k, ok
}
