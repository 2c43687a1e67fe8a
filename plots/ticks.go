package plots

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// unitTicks labels ticks by format; their places are those of logTicks or of linearTicks. On an axis of a known width
// no two labels overlap.
type unitTicks struct {
	log    bool
	format func(float64) string
	room   vg.Length // the axis's width; 0 is any
}

// Ticks implements plot.Ticker.
func (u unitTicks) Ticks(low, high float64) []plot.Tick {
	ticks := linearTicks(low, high)
	if u.log {
		ticks = logTicks(low, high)
	}
	for i := range ticks {
		if !ticks[i].IsMinor() {
			ticks[i].Label = u.format(ticks[i].Value)
		}
	}
	u.thin(ticks, low, high)
	return ticks
}

// linearTicks labels four to eight multiples of 1, 2, 2.5 or 5 times a power of ten, and marks the halves between.
func linearTicks(low, high float64) []plot.Tick {
	power := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	step := power
	for _, m := range []float64{2, 2.5, 5} {
		if (high-low)/(m*power) >= 4 {
			step = m * power
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(2 * low / step); i*step/2 <= high*(1+1e-9); i++ {
		t := plot.Tick{Value: i * step / 2}
		if math.Mod(i, 2) == 0 {
			t.Label = "label"
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// linearDecades is the range below which a log axis has the ticks of a linear one.
const linearDecades = 0.5

// logTicks marks 1 … 9 times each power of ten within the range, and labels as many of them as the eye can take: only
// powers of ten over three decades and more; 1, 2 and 5 times them over less; over less than half a decade, whatever
// round numbers divide the range.
func logTicks(low, high float64) []plot.Tick {
	decades := math.Log10(high / low)
	if decades < linearDecades {
		return linearTicks(low, high)
	}
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(low)); e <= math.Log10(high); e++ {
		for m := 1.0; m <= 9; m++ {
			v := m * math.Pow(10, e)
			if v < low*(1-1e-9) || v > high*(1+1e-9) {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 || decades < 3 && (m == 2 || m == 5) || decades < 0.8 {
				t.Label = "label"
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// rateLabel writes a round number with a decimal prefix: 500, 2k, 1M.
func rateLabel(x float64) string {
	for _, p := range []struct {
		scale float64
		name  string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(x) >= p.scale*(1-1e-9) {
			return short(x/p.scale) + p.name
		}
	}
	return short(x)
}

// timeLabel writes a round time given in ms with its unit.
func timeLabel(ms float64) string {
	for _, u := range []struct {
		scale float64
		name  string
	}{{1e3, " s"}, {1, " ms"}, {1e-3, " µs"}} {
		if math.Abs(ms) >= u.scale*(1-1e-9) {
			return short(ms/u.scale) + u.name
		}
	}
	return short(ms*1e6) + " ns"
}

func percentLabel(x float64) string { return short(100 * x) }

// short writes a number that is round but for the error of its computation.
func short(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// spread is the range of positive values, and whether it wants a log axis.
func spread(xs []float64) (low, high float64, log bool) {
	low, high = math.Inf(1), 0
	for _, x := range xs {
		if x > 0 {
			low, high = min(low, x), max(high, x)
		}
	}
	return low, high, high > 10*low
}
