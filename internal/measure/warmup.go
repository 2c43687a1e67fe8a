package measure

import (
	"math"
	"slices"
	"time"
)

// WarmupState is where a warm-up stands.
type WarmupState string

const (
	Warming  WarmupState = "warming"
	Stable   WarmupState = "stable"   // the last steps are alike
	Settled  WarmupState = "settled"  // they are noisy, and the noise has stopped falling
	Unstable WarmupState = "unstable" // time ran out first; figures are shown all the same, under this name
)

const (
	// warmupWindow is how many steps are looked at, and the fewest that must have run.
	warmupWindow = 10
	// warmupSpread is how far apart, relative to their median, the longest and the shortest of them may be.
	warmupSpread = 0.025
	// warmupFalling: noise that is below this share of the window's before is still falling.
	warmupFalling = 0.9
	// warmupSteps is how many steps run whatever the cap says.
	warmupSteps = 2
)

// Warmup decides from the lengths of its steps when a backend is warm. It ends as soon as
//   - at least ten steps have run and the last ten differ by less than 2.5 %, or
//   - at least twenty have run, the noise (standard deviation over mean) of the last ten is no longer clearly below
//     that of the ten before, and their medians are alike within the noise: waiting longer brings nothing, or
//   - the cap has passed and at least two steps have run.
//
// The range, not the deviation, decides on likeness: a slow drift keeps its deviation small for long.
type Warmup struct {
	limit   time.Duration
	state   WarmupState
	recent  []float64 // lengths of the last two windows, the latest last
	steps   int
	elapsed time.Duration
}

// NewWarmup begins a warm-up that ends at the cap (Effort.WarmupCap). A cap of 0 is no warm-up: it is done already.
func NewWarmup(limit time.Duration) *Warmup {
	w := &Warmup{limit: limit, state: Warming}
	if limit <= 0 {
		w.state = Stable
	}
	return w
}

// Add takes the length of one more step by the plugin's clock, and the time since the warm-up began by the harness's:
// a plugin whose own clock stands still must not warm up for ever. Once done, it changes nothing.
func (w *Warmup) Add(step, elapsed time.Duration) WarmupState {
	if w.Done() {
		return w.state
	}
	w.steps++
	w.elapsed = max(w.elapsed, elapsed)
	w.recent = append(w.recent, float64(step))
	if len(w.recent) > 2*warmupWindow {
		w.recent = w.recent[1:]
	}
	switch {
	case w.steps >= warmupWindow && w.Spread() < warmupSpread:
		w.state = Stable
	case w.steps >= 2*warmupWindow && w.settled():
		w.state = Settled
	case w.elapsed >= w.limit && w.steps >= warmupSteps:
		w.state = Unstable
	}
	return w.state
}

// State is where the warm-up stands; Done whether it has ended.
func (w *Warmup) State() WarmupState { return w.state }
func (w *Warmup) Done() bool         { return w.state != Warming }

// Steps is how many steps ran, and Elapsed how long they took by the harness's clock.
func (w *Warmup) Steps() int             { return w.steps }
func (w *Warmup) Elapsed() time.Duration { return w.elapsed }

// Spread is the range of the last ten steps (or of all, if fewer) over their median; +Inf if that is 0.
func (w *Warmup) Spread() float64 {
	last := slices.Sorted(slices.Values(w.recent[max(0, len(w.recent)-warmupWindow):]))
	if len(last) == 0 || last[0] < 0 || Quantile(last, 0.5) == 0 {
		return math.Inf(1)
	}
	return (last[len(last)-1] - last[0]) / Quantile(last, 0.5)
}

func (w *Warmup) settled() bool {
	before, last := w.recent[:warmupWindow], w.recent[warmupWindow:]
	noise := relativeDeviation(last)
	from, to := medianOf(before), medianOf(last)
	if from <= 0 {
		return false // a clock that stands still
	}
	alike := math.Abs(to-from) <= max(warmupSpread, noise)*from
	return alike && noise >= warmupFalling*relativeDeviation(before)
}

// relativeDeviation is the sample standard deviation over the mean; 0 if the mean is.
func relativeDeviation(xs []float64) float64 {
	mean := 0.0
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	if mean == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range xs {
		sum += (x - mean) * (x - mean)
	}
	return math.Sqrt(sum/float64(len(xs)-1)) / mean
}
