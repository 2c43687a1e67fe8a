package measure

import (
	"fmt"
	"strings"
	"time"
)

// Effort is how much to measure of each cell.
type Effort struct {
	Name   string
	Rounds int
	// Round is how long a round of one cell takes at least; 0 is one step.
	Round time.Duration
	// FreshProcess starts the backend anew for every round, so that luck in the layout of memory, which lasts as long
	// as a process, is averaged over too.
	FreshProcess bool
	// WarmupCap is how long the warm-up may take (or two steps, if they take longer); 0 is no warm-up.
	WarmupCap time.Duration
	// Tail is the percentile, as a fraction, whose sample count must be reached; 0 is none.
	Tail float64
	// Figures says whether the rows may claim figures. A smoke test shows that things run, no more.
	Figures bool
}

// The efforts. Rounds and times are METHOD's: six rounds are the fewest whose smallest and largest bound the median
// with 95 % confidence, ten the fewest that a comparison can be decided on (MinRounds).
var (
	Smoke    = Effort{Name: "smoke", Rounds: 1}
	Quick    = Effort{Name: "quick", Rounds: 6, Round: 300 * time.Millisecond, WarmupCap: 3 * time.Second, Figures: true}
	Standard = Effort{Name: "standard", Rounds: 10, Round: 2 * time.Second, FreshProcess: true, WarmupCap: 10 * time.Second, Figures: true}
	Publish  = Effort{Name: "publish", Rounds: 10, Round: 6 * time.Second, FreshProcess: true, WarmupCap: 10 * time.Second, Tail: 0.99, Figures: true}
)

// Efforts are all of them, the least first.
func Efforts() []Effort { return []Effort{Smoke, Quick, Standard, Publish} }

// EffortByName finds an effort; the error lists those that there are.
func EffortByName(name string) (Effort, error) {
	var names []string
	for _, e := range Efforts() {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return Effort{}, fmt.Errorf("effort %q: there are %s", name, strings.Join(names, ", "))
}

// MaxSteps is the most steps to ask of one call: each brings a sample back, and a call cannot be stopped before its
// current step is done. A round of shorter steps takes several calls.
const MaxSteps = 100_000

// Steps is how many steps of about that length fill a round: at least 1, at most MaxSteps.
func (e Effort) Steps(step time.Duration) int {
	if e.Round == 0 || step <= 0 {
		return 1
	}
	return int(min((e.Round+step-1)/step, MaxSteps))
}

// Samples is how many latency samples a cell needs over all its rounds.
func (e Effort) Samples() int {
	if e.Tail == 0 {
		return e.Rounds
	}
	return max(e.Rounds, MinSamples(e.Tail))
}

// Time is about how long one cell takes whose steps take that long: at most the warm-up's cap, and its rounds.
func (e Effort) Time(step time.Duration) time.Duration {
	t := time.Duration(e.Rounds) * max(e.Round, step)
	if e.WarmupCap > 0 {
		t += max(2*step, min(10*step, e.WarmupCap))
	}
	return t
}
