package plots

import (
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// labelGap is the least space between two labels of an axis.
const labelGap = vg.Length(5)

// thin takes labels away until those left stand apart on an axis of the width u.room. Their ticks stay, as minor ones.
func (u unitTicks) thin(ticks []plot.Tick, low, high float64) {
	if u.room == 0 {
		return
	}
	var labelled []int
	for i := range ticks {
		if !ticks[i].IsMinor() {
			labelled = append(labelled, i)
		}
	}
	if len(labelled) < 2 {
		return
	}
	sty := textStyle(sizeTick, ink)
	apart := func(i, j int) bool {
		at := func(v float64) float64 { return (v - low) / (high - low) }
		if u.log {
			at = func(v float64) float64 { return math.Log(v/low) / math.Log(high/low) }
		}
		distance := u.room * vg.Length(math.Abs(at(ticks[j].Value)-at(ticks[i].Value)))
		return distance >= (sty.Width(ticks[i].Label)+sty.Width(ticks[j].Label))/2+labelGap
	}
	kept := everyNth(ticks, labelled, apart)
	if u.log && math.Log10(high/low) >= linearDecades {
		kept = roundestFirst(ticks, labelled, apart)
	}
	for _, i := range labelled {
		if !slices.Contains(kept, i) {
			ticks[i].Label = ""
		}
	}
}

// everyNth keeps the labels at multiples of 1, 2, 4, 5, 10, … steps, as many as stand apart; at least the first.
func everyNth(ticks []plot.Tick, labelled []int, apart func(i, j int) bool) []int {
	step := ticks[labelled[1]].Value - ticks[labelled[0]].Value
	for _, n := range []float64{1, 2, 4, 5, 10, 20} {
		var kept []int
		fits := true
		for _, i := range labelled {
			if math.Mod(math.Round(ticks[i].Value/step), n) != 0 {
				continue
			}
			if k := len(kept); k > 0 && !apart(kept[k-1], i) {
				fits = false
				break
			}
			kept = append(kept, i)
		}
		if fits && len(kept) > 0 {
			return kept
		}
	}
	return labelled[:1]
}

// roundestFirst keeps labels that stand apart from those kept before them: powers of ten first, then 2 and 5 times
// them, then the others.
func roundestFirst(ticks []plot.Tick, labelled []int, apart func(i, j int) bool) (kept []int) {
	for _, multiples := range [][]float64{{1}, {2}, {5}, {3, 4, 6, 7, 8, 9}} {
		for _, i := range labelled {
			v := ticks[i].Value
			m := math.Round(v / math.Pow(10, math.Floor(math.Log10(v)+1e-9)))
			collides := func(k int) bool { return !apart(k, i) }
			if slices.Contains(multiples, m) && !slices.ContainsFunc(kept, collides) {
				kept = append(kept, i)
			}
		}
	}
	return kept
}
