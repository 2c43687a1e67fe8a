package workloads

import "math"

// Schedule is how the learning rate goes over a run. Rates are shares of the
// optimizer's.
type Schedule struct {
	Kind       string  `yaml:"kind"`       // constant, step, cosine or one-cycle
	Warmup     float64 `yaml:"warmup"`     // epochs in which the rate rises: evenly from 0, or with one-cycle on a cosine from start
	Start      float64 `yaml:"start"`      // one-cycle: where it begins
	Final      float64 `yaml:"final"`      // cosine, one-cycle: where it ends
	Milestones []int   `yaml:"milestones"` // step: epochs after which the rate is multiplied
	Gamma      float64 `yaml:"gamma"`      // step: by this
}

// Rate is the learning rate of a step, counted from 0, when an epoch has
// perEpoch steps.
//
// Cosine falls step by step (Loshchilov and Hutter 2017, eq. 5, one cycle): the
// step behind the last would have the final rate. One-cycle (Smith 2018) has
// the shape of PyTorch's OneCycleLR, two cosines, whose last step has the
// final rate; the momentum stays as it is.
func (r *Recipe) Rate(step, perEpoch int64) float64 {
	lr, s := r.Optimizer.LR, r.Schedule
	warm, total := s.Warmup*float64(perEpoch), float64(int64(r.Epochs)*perEpoch)
	at := float64(step)
	switch {
	case s.Kind == "one-cycle" && at < warm-1:
		return lr * anneal(s.Start, 1, at/(warm-1))
	case s.Kind == "one-cycle":
		return lr * anneal(1, s.Final, (at-warm+1)/(total-warm))
	case at < warm:
		return lr * (at + 1) / warm
	}
	switch s.Kind {
	case "cosine":
		return lr * anneal(1, s.Final, (at-warm)/(total-warm))
	case "step":
		for _, m := range s.Milestones {
			if step >= int64(m)*perEpoch {
				lr *= s.Gamma
			}
		}
	}
	return lr
}

// anneal goes from a to b on half a cosine as t goes from 0 to 1.
func anneal(a, b, t float64) float64 { return b + (a-b)*0.5*(1+math.Cos(math.Pi*t)) }
