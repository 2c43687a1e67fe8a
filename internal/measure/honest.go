package measure

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Violation is a check of honest work that failed. Its cell's status is `invalid`.
type Violation struct {
	Rule   string // "clock", "peak", "repeat"
	Detail string
}

func (v *Violation) Error() string { return "dishonest work (" + v.Rule + "): " + v.Detail }

func violation(rule, format string, args ...any) error {
	return &Violation{rule, fmt.Sprintf(format, args...)}
}

// PeakTolerance is what a rate may be of the machine's limit: beyond it the work was not done. Peaks are measured too.
const PeakTolerance = 1.10

const (
	// clockTolerance allows for a plugin that reads a coarse clock: CLOCK_MONOTONIC_COARSE ticks at 250 to 1000 Hz.
	clockTolerance = int64(4 * time.Millisecond)
	// hiddenShare is how much of a synchronised call's time may lie outside of its samples, beside what a call and a
	// step are allowed: half would be a plugin that reports half its time.
	hiddenShare    = 0.3
	hiddenPerCall  = int64(time.Millisecond)
	hiddenPerStep  = int64(time.Microsecond) // at least; the harness's own cost of a step if that is more
	repeatMargin   = 0.05
	repeatCertain  = 0.025 // one-sided
	repeatMinPairs = 6     // fewer cannot reach it: 2⁻⁵ > 0.025
)

// Step is one step's sample as the plugin gave it, in ns of CLOCK_MONOTONIC, which host and plugin share.
type Step struct {
	Start, End int64
	Queue      int64 // waited before Start
	Split      int64 // sum of the split's other parts: copies, device, host
}

// Call is one call of Run, as the harness saw it.
type Call struct {
	Begin, End int64 // the harness's clock around the call and the reading of its fetches, ns
	Asked      int   // steps
	Steps      []Step
	Sync       bool // each step waited for: steps do not overlap
	Paced      bool // steps waited for arrivals: gaps between them are idle, not hidden
}

// Check holds the plugin's samples against the harness's clock. There must be as many as were asked for; none may
// start before the call or the one before it, end before it starts or after the call; no part may be negative or
// longer than its step, and none may have waited since before the call. Synchronised steps may not overlap and must take some time. The error is a *Violation.
func (c Call) Check() error {
	if c.End < c.Begin {
		return fmt.Errorf("the harness's call ends %d ns before it begins", c.Begin-c.End)
	}
	if len(c.Steps) != c.Asked {
		return violation("clock", "%d samples for %d steps", len(c.Steps), c.Asked)
	}
	last := Step{Start: c.Begin - clockTolerance, End: math.MinInt64}
	for i, s := range c.Steps {
		switch {
		case s.End < s.Start:
			return violation("clock", "step %d ends %d ns before it starts", i, s.Start-s.End)
		case i == 0 && s.Start < last.Start:
			return violation("clock", "step 0 starts %d ns before the call", c.Begin-s.Start)
		case s.Start < last.Start:
			return violation("clock", "step %d starts %d ns before the one before it", i, last.Start-s.Start)
		case c.Sync && s.Start < last.End:
			return violation("clock", "step %d starts %d ns before the end of the one before it, though each was waited for", i, last.End-s.Start)
		case s.End > c.End+clockTolerance:
			return violation("clock", "step %d ends %d ns after the call", i, s.End-c.End)
		case s.Queue < 0 || s.Split < 0:
			return violation("clock", "step %d has a negative part", i)
		case s.Queue > s.Start-c.Begin+clockTolerance:
			return violation("clock", "step %d waited %d ns, but started %d ns after the call began", i, s.Queue, s.Start-c.Begin)
		case s.Split > s.End-s.Start+clockTolerance:
			return violation("clock", "the parts of step %d sum to %d ns, the step takes %d", i, s.Split, s.End-s.Start)
		}
		last = s
	}
	if c.Sync && c.Asked > 0 && c.busy() == 0 {
		return violation("clock", "%d steps took no time at all", len(c.Steps))
	}
	return nil
}

// Hidden is the share of a synchronised call's time that its samples leave out, beyond what a call and a step are
// allowed: a step what the harness itself costs, measured in the same session with a backend that does nothing. One call may be suspended by other work, on either side of the boundary; CheckHidden looks at many.
func (c Call) Hidden(perStep time.Duration) float64 {
	wall := c.End - c.Begin
	if !c.Sync || c.Paced || wall <= 0 {
		return 0
	}
	hidden := wall - c.busy() - hiddenPerCall - max(hiddenPerStep, int64(perStep))*int64(len(c.Steps))
	return max(0, float64(hidden)/float64(wall))
}

// CheckHidden refuses a backend whose samples leave out more than 30 % of the time in every one of its synchronised
// calls, given each call's Hidden share. Other work on the machine suspends some calls, a plugin that reports part of its
// time shortens them all: the calmest call decides, so that no load accuses an honest one.
func CheckHidden(shares []float64) error {
	if len(shares) == 0 {
		return nil
	}
	if least := slices.Min(shares); least > hiddenShare {
		return violation("clock", "the samples leave out at least %.0f %% of the time of each of %d calls", 100*least, len(shares))
	}
	return nil
}

// busy is the time that the samples account for: the sum of the steps where each was waited for, else from the first
// start to the last end.
func (c Call) busy() int64 {
	if len(c.Steps) == 0 {
		return 0
	}
	if !c.Sync {
		last := c.Steps[0].End
		for _, s := range c.Steps {
			last = max(last, s.End)
		}
		return last - c.Steps[0].Start
	}
	sum := int64(0)
	for _, s := range c.Steps {
		sum += s.End - s.Start
	}
	return sum
}

// Overhead is what the harness and the way to the plugin add to a step: (harness − plugin) / steps. It can come out a
// little below 0 on a coarse clock. 0 without steps.
func (c Call) Overhead() time.Duration {
	if len(c.Steps) == 0 {
		return 0
	}
	return time.Duration((c.End - c.Begin - c.busy()) / int64(len(c.Steps)))
}

// CheckPeak refuses a rate above 110 % of the machine's limit for the algorithm that the plan names (both in the same
// unit): the work was not done, or not by that algorithm. A limit of 0 is unknown and allows anything finite.
func CheckPeak(rate, limit float64) error {
	switch {
	case math.IsNaN(rate) || math.IsInf(rate, 0) || rate < 0:
		return violation("peak", "a rate of %g", rate)
	case limit > 0 && rate > PeakTolerance*limit:
		return violation("peak", "%.4g is %.0f %% of the machine's measured %.4g", rate, 100*rate/limit, limit)
	}
	return nil
}

// CheckRepeat refuses a backend that is faster on an input it has seen than on a fresh one: it keeps answers. The times
// are seconds of a step, fresh[i] and repeated[i] of one round; readFeed is what reading the feed once takes, which a
// repeated input may save in honesty. The difference must exceed that and 5 % of the step for sure: a one-sided
// signed-rank test over the rounds, p ≤ 0.025. Fewer than six pairs prove nothing and pass.
func CheckRepeat(fresh, repeated []float64, readFeed float64) error {
	if len(fresh) != len(repeated) {
		return fmt.Errorf("%d fresh and %d repeated rounds: they must be pairs", len(fresh), len(repeated))
	}
	if len(fresh) < repeatMinPairs {
		return nil
	}
	saved := make([]float64, len(fresh))
	gain := make([]float64, len(fresh))
	for i, f := range fresh {
		gain[i] = f - repeated[i]
		saved[i] = gain[i] - readFeed - repeatMargin*f
	}
	// Many positive differences make a large sum of ranks: P(W ≥ w) is small.
	if _, upper := rankSigned(saved).tails(); upper <= repeatCertain {
		return violation("repeat", "a repeated input takes %.3g s less than a fresh one of %.3g s (reading it takes %.3g s), p = %.2g",
			medianOf(gain), medianOf(fresh), readFeed, upper)
	}
	return nil
}
