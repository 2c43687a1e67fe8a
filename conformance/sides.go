package conformance

import (
	"math"
	"math/rand/v2"

	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// A network of some hundred thousand elements has one nearer to a jump than
// legal implementations differ, whatever is drawn: a ReLU's input of 1e-9 beside
// errors of 1e-7, whose sign is anybody's and with it a gradient's mask. There
// the rounded runs of the program rule put such elements on either side, as they
// do at the ties of quantizers, so that the rule's limits hold what comes of
// that. What may jump is measured: an element at a kink by the criterion that
// data are drawn anew by, and no other. Limits stay as they are wherever no
// jump's consequence reaches.

const (
	// hopelessKinks is the number of elements at a kink from which on no other
	// data are tried: of Poisson's distribution with this mean one draw in 150
	// has none.
	hopelessKinks = 5
	// mostAtKinks is the share of all watched elements that may be put on
	// either side. More would make a rule that everything passes: the relaxed
	// modes, whose errors reach a thousandth, have more.
	mostAtKinks = 1e-4
	// mostInHalves is that share where the values are 16-bit floats, of whose
	// roundings every draw has elements at a kink: of LeNet-5's training ½ % in
	// f16, 2 to 5 % in bf16. Legal implementations have those on either side, and
	// gradients that differ by as much.
	mostInHalves = 0.1
)

// jumps are the sites of a run's watched values that legal implementations may
// have on either side.
type jumps struct {
	sites [][]int // by watched value
	count int     // of all sites at a kink
	of    int     // sites that were watched
	most  float64 // of them that may be put on a side
	kept  bool    // one of them can't be put on a side
}

// atKinks finds the sites of the float64 run that are nearer to a jump than some
// times the largest difference between the runs of their group of elements, the
// rule's groups.
func (e *ensemble) atKinks(runs []*run) *jumps {
	j := &jumps{sites: make([][]int, len(e.watched))}
	for k, watched := range e.watched {
		x := runs[0].watched[k]
		axis := len(x.Shape) - 1
		if len(x.Shape) >= 4 {
			axis = 1
		}
		n, group := grouping(x.Shape, axis)
		spread := make([]float64, n)
		for _, r := range runs[1:] {
			for i, y := range r.watched[k].Data {
				g := group(i)
				spread[g] = max(spread[g], math.Abs(y-x.Data[i]))
			}
		}
		distances := watched.distance(x)
		j.of += len(distances)
		j.most += mostOf(e.graph.Types[watched.value].DType) * float64(len(distances))
		for site, d := range distances {
			if d <= kinkDistance*spread[group(watched.element(site))] {
				j.sites[k] = append(j.sites[k], site)
				j.kept = j.kept || watched.put == nil
			}
		}
		j.count += len(j.sites[k])
	}
	return j
}

// mostOf is the share of watched elements of a type that may be put on a side.
func mostOf(d tensor.DType) float64 {
	if d == tensor.F16 || d == tensor.BF16 {
		return mostInHalves
	}
	return mostAtKinks
}

// redraw says whether other data are to be tried: there may be some without a
// kink, or both sides of these ones are more than the rule bears. Of the last
// data that can be drawn only that counts.
func (j *jumps) redraw(last bool) bool {
	switch {
	case j.count == 0:
		return false
	case j.kept, float64(j.count) > j.most:
		return true
	}
	return !last && j.count < hopelessKinks
}

// put moves the sites of a value at a kink as run r has them: run 2 has all up,
// run 3 all down, so that each is beside the float64 run's in one of the two; the
// others have them as it falls, and run 1 as its roundings have left them.
func (e *ensemble) put(name string, env map[string]*reference.Array, r int) {
	if e.jumps == nil || r < backwardRun {
		return
	}
	for k, watched := range e.watched {
		if watched.value != name || len(e.jumps.sites[k]) == 0 {
			continue
		}
		x := &reference.Array{Shape: env[name].Shape, Data: append([]float64(nil), env[name].Data...)}
		rng := rand.New(rand.NewPCG(uint64(r), uint64(k)))
		for _, site := range e.jumps.sites[k] {
			up := r == backwardRun
			if r > backwardRun+1 {
				up = rng.IntN(2) == 0
			}
			watched.put(x, site, up)
		}
		env[name] = x
	}
}
