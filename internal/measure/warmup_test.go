package measure

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// warm feeds step lengths until the warm-up ends; the clock is their sum.
func warm(limit time.Duration, length func(i int) float64) *Warmup {
	w := NewWarmup(limit)
	elapsed := time.Duration(0)
	for i := 0; !w.Done() && i < 1_000_000; i++ {
		step := time.Duration(length(i))
		elapsed += step
		w.Add(step, elapsed)
	}
	return w
}

func TestWarmup(t *testing.T) {
	const ms = 1e6
	r := rand.New(rand.NewPCG(7, 7))
	for _, c := range []struct {
		name        string
		limit       time.Duration
		length      func(i int) float64
		state       WarmupState
		least, most int
	}{
		{"steady from the start", 10 * time.Second, func(int) float64 { return ms }, Stable, 10, 10},
		{"a slow first step", 10 * time.Second, func(i int) float64 {
			if i == 0 {
				return 80 * ms
			}
			return ms
		}, Stable, 11, 11},
		{"falls, then steady", 10 * time.Second, func(i int) float64 { return ms * (1 + 5*math.Exp(-float64(i)/10)) }, Stable, 40, 70},
		{"noisy without end", 10 * time.Second, func(int) float64 { return ms * (1 + 0.2*r.Float64()) }, Settled, 20, 60},
		{"drifts down all the time", 100 * time.Millisecond, func(i int) float64 { return ms * math.Exp(-float64(i)/200) }, Unstable, 100, 200},
		{"noise that keeps falling is waited for", time.Minute, func(i int) float64 {
			return ms * (1 + 0.5*math.Exp(-float64(i)/15)*float64(i%2))
		}, Stable, 40, 80},
		{"steps too long for the cap", 3 * time.Second, func(int) float64 { return 2000 * ms }, Unstable, 2, 2},
		{"two steps run whatever the cap", 3 * time.Second, func(int) float64 { return 9000 * ms }, Unstable, 2, 2},
		{"capped before ten", 3 * time.Second, func(int) float64 { return 500 * ms }, Unstable, 6, 6},
		{"no warm-up asked for", 0, func(int) float64 { return ms }, Stable, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := warm(c.limit, c.length)
			require.Equal(t, c.state, w.State())
			require.GreaterOrEqual(t, w.Steps(), c.least)
			require.LessOrEqual(t, w.Steps(), c.most)
			before := w.Steps()
			require.Equal(t, c.state, w.Add(time.Hour, time.Hour), "once done, done")
			require.Equal(t, before, w.Steps())
		})
	}
}

func TestWarmupWithAStoppedClockEnds(t *testing.T) {
	w := NewWarmup(time.Second)
	for i := 1; !w.Done(); i++ {
		require.Less(t, i, 1000)
		w.Add(0, time.Duration(i)*10*time.Millisecond)
	}
	require.Equal(t, Unstable, w.State(), "steps of no length are not alike, they are unmeasured")
	require.Equal(t, time.Second, w.Elapsed())
}

func TestWarmupAlwaysEndsAndKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.Float64Range(1e5, 1e9), 1, 40).Draw(t, "lengths")
		w := warm(2*time.Second, func(i int) float64 { return lengths[i%len(lengths)] })
		require.True(t, w.Done())
		require.GreaterOrEqual(t, w.Steps(), 2)
		switch w.State() {
		case Stable:
			require.GreaterOrEqual(t, w.Steps(), 10)
			require.Less(t, w.Spread(), 0.025)
		case Settled:
			require.GreaterOrEqual(t, w.Steps(), 20)
		default:
			require.GreaterOrEqual(t, w.Elapsed(), 2*time.Second)
		}
	})
}

func TestEfforts(t *testing.T) {
	// METHOD's first rule, number by number.
	require.Equal(t, Effort{Name: "smoke", Rounds: 1}, Smoke)
	require.Equal(t, 6, Quick.Rounds)
	require.Equal(t, 300*time.Millisecond, Quick.Round)
	require.False(t, Quick.FreshProcess)
	require.Equal(t, 3*time.Second, Quick.WarmupCap)
	require.Equal(t, 10, Standard.Rounds)
	require.Equal(t, 2*time.Second, Standard.Round)
	require.True(t, Standard.FreshProcess)
	require.Equal(t, 10*time.Second, Standard.WarmupCap)
	require.Equal(t, 6*time.Second, Publish.Round)
	require.Equal(t, 662, Publish.Samples())
	require.True(t, MedianOf(make([]float64, Quick.Rounds)).Bounded(), "quick gives an interval")
	require.GreaterOrEqual(t, Standard.Rounds, MinRounds(1), "standard decides a comparison")

	for _, e := range Efforts() {
		got, err := EffortByName(e.Name)
		require.NoError(t, err)
		require.Equal(t, e, got)
		require.Equal(t, e.Name != "smoke", e.Figures)
	}
	_, err := EffortByName("huge")
	require.ErrorContains(t, err, `effort "huge": there are smoke, quick, standard, publish`)
}

func TestEffortSteps(t *testing.T) {
	require.Equal(t, 1, Smoke.Steps(time.Microsecond))
	require.Equal(t, 300, Quick.Steps(time.Millisecond))
	require.Equal(t, 301, Quick.Steps(999*time.Microsecond), "at least the round, never less")
	require.Equal(t, 1, Quick.Steps(time.Minute))
	require.Equal(t, MaxSteps, Publish.Steps(time.Nanosecond))
	require.Equal(t, 1, Quick.Steps(0), "a step of unknown length is tried first")
}

func TestEffortTime(t *testing.T) {
	require.Equal(t, 5*time.Millisecond, Smoke.Time(5*time.Millisecond))
	require.Equal(t, 6*300*time.Millisecond+10*time.Millisecond, Quick.Time(time.Millisecond))
	require.Equal(t, 6*4*time.Second+8*time.Second, Quick.Time(4*time.Second), "long steps: two to warm up, one a round")
}
