package measure

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const ms = int64(time.Millisecond)

// honest is a synchronised call of n steps of 2 ms with 5 µs between them, and 100 µs on either side.
func honest(n int) Call {
	c := Call{Begin: 1000 * ms, Asked: n, Sync: true}
	at := c.Begin + 100_000
	for range n {
		c.Steps = append(c.Steps, Step{Start: at, End: at + 2*ms, Split: 19 * ms / 10})
		at += 2*ms + 5_000
	}
	c.End = at + 100_000
	return c
}

func TestCallCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Call)
		says  string // empty: passes
	}{
		{"honest", func(*Call) {}, ""},
		{"a sample is missing", func(c *Call) { c.Steps = c.Steps[:9] }, "9 samples for 10 steps"},
		{"a sample too many", func(c *Call) { c.Asked = 9 }, "10 samples for 9 steps"},
		{"ends before it starts", func(c *Call) { c.Steps[3].End = c.Steps[3].Start - 5 }, "step 3 ends 5 ns before it starts"},
		{"starts before the call", func(c *Call) { c.Steps[0].Start = c.Begin - 10*ms }, "step 0 starts 10000000 ns before the call"},
		{"a coarse clock", func(c *Call) { c.Steps[0].Start = c.Begin - 1*ms }, ""},
		{"ends after the call", func(c *Call) { c.Steps[9].End = c.End + 10*ms }, "step 9 ends 10000000 ns after the call"},
		{"another clock", func(c *Call) {
			for i := range c.Steps {
				c.Steps[i].Start -= 1e12
				c.Steps[i].End -= 1e12
			}
		}, "before the call"},
		{"out of order", func(c *Call) { c.Steps[4], c.Steps[5] = c.Steps[5], c.Steps[4] }, "step 5"},
		{"out of order in flight", func(c *Call) { c.Sync = false; c.Steps[4], c.Steps[5] = c.Steps[5], c.Steps[4] }, "step 5 starts 2005000 ns before the one before it"},
		{"overlaps though waited for", func(c *Call) { c.Steps[4].Start -= ms }, "before the end of the one before"},
		{"overlaps in flight", func(c *Call) { c.Sync = false; c.Steps[4].Start -= ms }, ""},
		{"negative queue", func(c *Call) { c.Steps[2].Queue = -1 }, "negative part"},
		{"waited for longer than the call", func(c *Call) { c.Steps[2].Queue = math.MaxInt64 }, "step 2 waited"},
		{"waited since the call began", func(c *Call) { c.Steps[2].Queue = c.Steps[2].Start - c.Begin }, ""},
		{"negative split", func(c *Call) { c.Steps[2].Split = -1 }, "negative part"},
		{"parts longer than the step", func(c *Call) { c.Steps[2].Split = 30 * ms }, "parts of step 2"},
		{"no time at all", func(c *Call) {
			for i := range c.Steps {
				c.Steps[i] = Step{Start: c.Begin + 1, End: c.Begin + 1}
			}
		}, "took no time"},
		{"no steps, none asked for", func(c *Call) { c.Steps, c.Asked = nil, 0 }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			call := honest(10)
			c.spoil(&call)
			err := call.Check()
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			var v *Violation
			require.ErrorAs(t, err, &v)
			require.Equal(t, "clock", v.Rule)
			require.ErrorContains(t, err, c.says)
		})
	}
	backwards := Call{Begin: 5, End: 3}
	var v *Violation
	err := backwards.Check()
	require.Error(t, err)
	require.NotErrorAs(t, err, &v, "the harness's own fault is nobody's dishonesty")
}

func TestHiddenTime(t *testing.T) {
	lying := honest(10)
	lying.End += 40 * ms
	for i := range lying.Steps {
		lying.Steps[i].End = lying.Steps[i].Start + ms/5
	}
	require.Greater(t, lying.Hidden(0), 0.5)
	require.Zero(t, honest(10).Hidden(0))
	suspended := honest(10)
	suspended.End += 1000 * ms
	require.Greater(t, suspended.Hidden(0), 0.9)
	require.Zero(t, suspended.Hidden(200*time.Millisecond), "a slow harness accuses nobody")
	paced, inFlight := suspended, suspended
	paced.Paced, inFlight.Sync = true, false
	require.Zero(t, paced.Hidden(0))
	require.Zero(t, inFlight.Hidden(0))

	var v *Violation
	require.ErrorAs(t, CheckHidden([]float64{0.8, 0.9, 0.4}), &v)
	require.Equal(t, "clock", v.Rule)
	require.NoError(t, CheckHidden([]float64{0.1, 0.95, 0.2}), "one suspended call accuses nobody")
	require.NoError(t, CheckHidden(nil))
}

func TestHonestCallsPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "steps")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		begin := rapid.Int64Range(0, 1<<50).Draw(t, "begin")
		c := Call{Begin: begin, Asked: n, Sync: true}
		at := begin + r.Int64N(2*ms) // the way to the plugin
		for range n {
			length := 1 + r.Int64N(20*ms)
			c.Steps = append(c.Steps, Step{Start: at, End: at + length, Split: r.Int64N(length + 1)})
			at += length + r.Int64N(10_000)
		}
		c.End = at + r.Int64N(2*ms)
		require.NoError(t, c.Check())
		require.GreaterOrEqual(t, c.Overhead(), time.Duration(0))
		require.LessOrEqual(t, int64(c.Overhead())*int64(n), c.End-c.Begin)
	})
}

func TestOverhead(t *testing.T) {
	c := honest(10)
	require.Equal(t, time.Duration((200_000+10*5_000)/10), c.Overhead(), "the way there and back, and the gaps")
	c.Sync = false
	require.Equal(t, time.Duration((200_000+5_000)/10), c.Overhead(), "in flight, from the first start to the last end")
	require.Zero(t, Call{Begin: 1, End: 9}.Overhead())
}

func TestCheckPeak(t *testing.T) {
	require.NoError(t, CheckPeak(109, 100))
	require.NoError(t, CheckPeak(1e9, 0), "an unknown limit forbids nothing")
	require.ErrorContains(t, CheckPeak(111, 100), "111 % of the machine's measured 100")
	for _, rate := range []float64{math.NaN(), math.Inf(1), -1} {
		require.Error(t, CheckPeak(rate, 0))
	}
}

func TestCheckRepeat(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	rounds := func(n int, saved float64) (fresh, repeated []float64) {
		for range n {
			f := 0.010 * (1 + 0.02*r.Float64())
			fresh, repeated = append(fresh, f), append(repeated, f-saved*(1+0.1*r.Float64()))
		}
		return fresh, repeated
	}
	for _, c := range []struct {
		name     string
		n        int
		saved    float64 // seconds of 0.010
		readFeed float64
		caught   bool
	}{
		{"nothing kept", 6, 0, 0, false},
		{"the answer kept", 6, 0.009, 0, true},
		{"a tenth kept", 6, 0.001, 0, true},
		{"the feed still in the cache", 10, 0.001, 0.0008, false},
		{"more than the feed", 10, 0.003, 0.0008, true},
		{"below 5 %", 20, 0.0003, 0, false},
		{"too few rounds to say", 5, 0.009, 0, false},
	} {
		fresh, repeated := rounds(c.n, c.saved)
		err := CheckRepeat(fresh, repeated, c.readFeed)
		require.Equal(t, c.caught, err != nil, "%s: %v", c.name, err)
		if err != nil {
			require.ErrorContains(t, err, "a repeated input takes")
		}
	}
	// Three rounds of six gain much, three lose as much: noise, not memory.
	require.NoError(t, CheckRepeat([]float64{1, 1, 1, 1, 1, 1}, []float64{0.7, 1.1, 0.6, 1.1, 0.8, 1.2}, 0))
	require.ErrorContains(t, CheckRepeat(make([]float64, 2), nil, 0), "pairs")
}

func TestOutliers(t *testing.T) {
	for _, c := range []struct {
		name   string
		rounds []float64
		want   []int
	}{
		{"none", []float64{10, 10.1, 9.9, 10.05, 9.95, 10}, nil},
		{"one slow", []float64{10, 10.1, 9.9, 5, 9.95, 10}, []int{3}},
		{"both ways", []float64{10, 10.1, 30, 9.9, 10.05, 2, 10, 9.95}, []int{2, 5}},
		{"all equal but one", []float64{1, 1, 1, 1, 1, 9}, []int{5}},
		{"all equal", []float64{1, 1, 1, 1}, nil},
		{"too few to tell", []float64{1, 100}, nil},
	} {
		require.Equal(t, c.want, Outliers(c.rounds), c.name)
	}
}

func TestRisingTrendOfTies(t *testing.T) {
	slope, p := risingTrend([]float64{2, 2, 2, 2, 2})
	require.Zero(t, slope)
	require.InDelta(t, 1, p, 1e-12, "what stands still does not rise")
	slope, p = risingTrend([]float64{1, 2, 3, 4, 5})
	require.Equal(t, 1.0, slope)
	require.InDelta(t, 1.0/120, p, 1e-12)
}

func TestThrottling(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 9))
	rounds := func(n, steps int, length func(round, step int) float64) [][]float64 {
		all := make([][]float64, n)
		for i := range all {
			for j := range steps {
				all[i] = append(all[i], length(i, j)*(1+0.01*r.NormFloat64()))
			}
		}
		return all
	}
	for _, c := range []struct {
		name           string
		rounds         [][]float64
		flagged        bool
		within, across float64
	}{
		{"steady", rounds(6, 40, func(_, _ int) float64 { return 1 }), false, 0, 0},
		{"slows within each round", rounds(6, 40, func(_, j int) float64 { return 1 + 0.004*float64(j) }), true, 0.12, 0},
		{"slows from round to round", rounds(6, 40, func(i, _ int) float64 { return 1 + 0.05*float64(i) }), true, 0, 0.25},
		{"rounds of one long step", rounds(6, 1, func(i, _ int) float64 { return 1 + 0.05*float64(i) }), true, 0, 0.25},
		{"speeds up", rounds(6, 40, func(i, j int) float64 { return 2 - 0.05*float64(i) - 0.005*float64(j) }), false, -0.09, -0.13},
		{"too small to matter", rounds(10, 400, func(i, j int) float64 { return 1 + 0.00002*float64(j) }), false, 0.006, 0},
		{"one bad round is no trend", append(rounds(5, 40, func(_, _ int) float64 { return 1 }), rounds(1, 40, func(_, j int) float64 { return 1 + 0.01*float64(j) })...), false, 0, 0},
		{"up and down", [][]float64{{1}, {1.2}, {0.95}, {1.15}, {1}, {1.18}}, false, 0, 0.06},
		{"nothing", nil, false, 0, 0},
		{"empty rounds", make([][]float64, 3), false, 0, 0},
	} {
		got := Throttling(c.rounds)
		require.Equal(t, c.flagged, got.Flagged, "%s: %+v", c.name, got)
		require.InDelta(t, c.within, got.Within, 0.025, c.name)
		require.InDelta(t, c.across, got.Across, 0.03, c.name)
	}
}
