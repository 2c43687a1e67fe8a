package workloads

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// rule is what one field of a recipe has to be.
type rule struct {
	ok    bool
	field string
	value any
	want  string
}

// Validate names the first field that is out of range, or that is not one of
// the chosen kind's.
func (r *Recipe) Validate() error {
	rules := slices.Concat(
		[]rule{{r.Data != "", "data", r.Data, "a data set"}},
		r.Optimizer.rules(),
		[]rule{{r.Epochs >= 1, "epochs", r.Epochs, "1 or more"}},
		r.Schedule.rules(r.Epochs),
		[]rule{
			{r.Batch >= 1, "batch", r.Batch, "1 or more"},
			{upTo(1, r.LabelSmoothing), "label_smoothing", r.LabelSmoothing, "a share in [0, 1]"},
			{upTo(maxAlpha, r.Mixup), "mixup", r.Mixup, alphaWanted},
			{upTo(maxAlpha, r.CutMix), "cutmix", r.CutMix, alphaWanted},
			{upTo(1, r.NormMomentum), "bn_momentum", r.NormMomentum, "a share in [0, 1], 0 for the network's own"},
			{r.EMA >= 0 && r.EMA < 1, "ema", r.EMA, "a decay in [0, 1), 0 for no averages"},
			{r.Resize >= 0 && r.Resize <= maxResize, "resize", r.Resize, fmt.Sprintf("a side of up to %d pixels, 0 for the network's", maxResize)},
		})
	if err := firstBroken(rules); err != nil {
		return err
	}
	for i, s := range r.Augment {
		if err := s.Validate(); err != nil {
			return fmt.Errorf("augment[%d].%w", i, err)
		}
	}
	return firstBroken([]rule{
		{r.Target > 0 && r.Target <= 1, "target_accuracy", r.Target, "a share in (0, 1]"},
		{r.Floor >= 0 && r.Floor <= r.Target, "floor_accuracy", r.Floor, "a share up to target_accuracy"},
	})
}

// maxAlpha bounds what mixing is drawn by: above it every share is a half.
const maxAlpha = 1000

const alphaWanted = "a number in [0, 1000], 0 for none"

const maxResize = 1 << 12

func firstBroken(rules []rule) error {
	for _, c := range rules {
		if !c.ok {
			return fmt.Errorf("%s: %v, want %s", c.field, c.value, c.want)
		}
	}
	return nil
}

// upTo is false of what is no number.
func upTo(high, v float64) bool { return v >= 0 && v <= high }

func positive(v float64) bool { return v > 0 && !math.IsInf(v, 0) }

var scheduleKinds = []string{"constant", "step", "cosine", "one-cycle"}

func (o Optimizer) rules() []rule {
	kinds := slices.Sorted(maps.Keys(optimizerOps))
	_, known := optimizerOps[o.Kind]
	rules := []rule{
		{known, "optimizer.kind", o.Kind, oneOf(kinds)},
		{positive(o.LR), "optimizer.lr", o.LR, "a positive number"},
		{o.Momentum >= 0 && o.Momentum < 1, "optimizer.momentum", o.Momentum, "a number in [0, 1)"},
		{!o.Nesterov || o.Momentum > 0 && o.Dampening == 0, "optimizer.nesterov", o.Nesterov, "a momentum beside it and no dampening"},
		{o.Dampening == 0 || o.Momentum > 0 && upTo(1, o.Dampening), "optimizer.dampening", o.Dampening, "a share in [0, 1], with a momentum beside it"},
		{o.WeightDecay >= 0 && !math.IsInf(o.WeightDecay, 0), "optimizer.weight_decay", o.WeightDecay, "0 or more"},
		{o.ClipNorm == 0 || positive(o.ClipNorm), "optimizer.clip_norm", o.ClipNorm, "a positive number, or 0 for no limit"},
		{len(o.NoDecay) == 0 || o.WeightDecay > 0, "optimizer.no_decay", o.NoDecay, "a weight_decay beside it"},
	}
	for i, k := range o.NoDecay {
		rules = append(rules, rule{slices.Contains(kindsOfParam, k) && !slices.Contains(o.NoDecay[:i], k), "optimizer.no_decay", k, "each of norm, bias, embedding at most once"})
	}
	if o.adaptive() {
		rules = append(rules,
			rule{o.Beta1 >= 0 && o.Beta1 < 1, "optimizer.beta1", o.Beta1, "a number in [0, 1)"},
			rule{o.Beta2 > 0 && o.Beta2 < 1, "optimizer.beta2", o.Beta2, "a number in (0, 1)"})
	}
	if o.Kind == "rmsprop" {
		rules = append(rules, rule{o.Alpha > 0 && o.Alpha < 1, "optimizer.alpha", o.Alpha, "a number in (0, 1)"})
	}
	if o.Kind != "sgd" {
		rules = append(rules, rule{positive(o.Epsilon), "optimizer.epsilon", o.Epsilon, "a positive number"})
	}
	return append(rules,
		o.only("momentum", o.Momentum != 0, "sgd", "rmsprop"), o.only("dampening", o.Dampening != 0, "sgd"), o.only("nesterov", o.Nesterov, "sgd"),
		o.only("beta1", o.Beta1 != 0, "adam", "adamw"), o.only("beta2", o.Beta2 != 0, "adam", "adamw"),
		o.only("alpha", o.Alpha != 0, "rmsprop"), o.only("centered", o.Centered, "rmsprop"),
		o.only("epsilon", o.Epsilon != 0, "adam", "adamw", "rmsprop"))
}

// only refuses a setting that other kinds have: it would be passed over.
func (o Optimizer) only(field string, set bool, kinds ...string) rule {
	return rule{!set || slices.Contains(kinds, o.Kind), "optimizer." + field, "given", "it with " + oneOf(kinds) + " alone, not with " + o.Kind}
}

func (s Schedule) rules(epochs int) []rule {
	cycle := s.Kind == "one-cycle"
	only := func(field string, set bool, kinds ...string) rule {
		return rule{!set || slices.Contains(kinds, s.Kind), "schedule." + field, "given", "it with " + oneOf(kinds) + " alone, not with " + s.Kind}
	}
	return []rule{
		{slices.Contains(scheduleKinds, s.Kind), "schedule.kind", s.Kind, oneOf(scheduleKinds)},
		{upTo(float64(epochs), s.Warmup), "schedule.warmup", s.Warmup, "at least 0 and at most the epochs"},
		{!cycle || s.Warmup > 0 && s.Warmup < float64(epochs), "schedule.warmup", s.Warmup, "more than 0 and less than the epochs, with one-cycle"},
		{!cycle || s.Start > 0 && s.Start <= 1, "schedule.start", s.Start, "a share in (0, 1]"},
		{s.Final >= 0 && s.Final < 1, "schedule.final", s.Final, "a share in [0, 1)"},
		{s.Kind != "step" || len(s.Milestones) > 0 && slices.IsSorted(s.Milestones) && s.Milestones[0] > 0, "schedule.milestones", s.Milestones, "ascending epochs"},
		{s.Kind != "step" || positive(s.Gamma), "schedule.gamma", s.Gamma, "a positive number"},
		only("start", s.Start != 0, "one-cycle"),
		only("final", s.Final != 0, "cosine", "one-cycle"),
		only("milestones", len(s.Milestones) > 0, "step"),
		only("gamma", s.Gamma != 0, "step"),
	}
}

// oneOf lists words: "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
