package workloads

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/clsbench/clsbench/workloads/data/augment"
)

const goodRecipe = `
default:
  data: d
  optimizer: {kind: sgd, lr: 0.1}
  schedule: {kind: constant}
  epochs: 2
  batch: 8
  target_accuracy: 0.9
`

func TestLoadRecipesIsStrict(t *testing.T) {
	rs, err := LoadRecipes([]byte(goodRecipe))
	require.NoError(t, err)
	require.Equal(t, &Recipe{Data: "d", Optimizer: Optimizer{Kind: "sgd", LR: 0.1}, Schedule: Schedule{Kind: "constant"},
		Epochs: 2, Batch: 8, Target: 0.9}, rs[DefaultRecipe])
	for _, c := range []struct{ old, new, want string }{
		{"epochs: 2", "epoch: 2", "epoch"},
		{"epochs: 2", "epochs: 0", "epochs: 0, want 1 or more"},
		{"epochs: 2", "epochs: two", "line 6"},
		{"default:", "other:", "no recipe named default"},
		{"kind: sgd", "kind: lion", "optimizer.kind: lion, want adam, adamw, rmsprop or sgd"},
		{"lr: 0.1", "lr: -1", "optimizer.lr"},
		{"lr: 0.1", "lr: .nan", "optimizer.lr"},
		{"lr: 0.1", "lr: 0.1, nesterov: true", "optimizer.nesterov"},
		{"lr: 0.1", "lr: 0.1, momentum: 1", "optimizer.momentum"},
		{"kind: sgd", "kind: adam", "optimizer.beta2"},
		{"lr: 0.1", "lr: 0.1, momentum: 0.9, nesterov: true, dampening: 0.1", "optimizer.nesterov"},
		{"lr: 0.1", "lr: 0.1, dampening: 0.1", "optimizer.dampening"},
		{"lr: 0.1", "lr: 0.1, no_decay: [norm]", "optimizer.no_decay: [norm], want a weight_decay"},
		{"lr: 0.1", "lr: 0.1, weight_decay: 1, no_decay: [norms]", "optimizer.no_decay: norms, want each of norm, bias, embedding"},
		{"lr: 0.1", "lr: 0.1, weight_decay: 1, no_decay: [bias, bias]", "optimizer.no_decay"},
		{"lr: 0.1", "lr: 0.1, weight_decay: .inf", "optimizer.weight_decay"},
		{"lr: 0.1", "lr: 0.1, clip_norm: -1", "optimizer.clip_norm"},
		{"lr: 0.1", "lr: 0.1, beta1: 0.9", "optimizer.beta1: given, want it with adam or adamw alone, not with sgd"},
		{"lr: 0.1", "lr: 0.1, epsilon: 1", "optimizer.epsilon"},
		{"kind: sgd", "kind: rmsprop, epsilon: 1", "optimizer.alpha"},
		{"kind: sgd", "kind: rmsprop, alpha: 0.9", "optimizer.epsilon"},
		{"kind: sgd", "kind: adamw, beta1: 0.9, beta2: 0.9, epsilon: 1, momentum: 0.9", "optimizer.momentum"},
		{"kind: constant", "kind: one-cycle, warmup: 1", "schedule.start"},
		{"kind: constant", "kind: one-cycle, start: 0.1", "schedule.warmup"},
		{"kind: constant", "kind: one-cycle, start: 0.1, warmup: 2", "schedule.warmup"},
		{"kind: constant", "kind: cosine, final: 1", "schedule.final"},
		{"kind: constant", "kind: constant, final: 0.1", "schedule.final: given, want it with cosine or one-cycle alone, not with constant"},
		{"kind: constant", "kind: constant, gamma: 0.1", "schedule.gamma"},
		{"kind: constant", "kind: step, milestones: [0, 1], gamma: 0.1", "schedule.milestones"},
		{"batch: 8", "batch: 8\n  label_smoothing: 1.5", "label_smoothing"},
		{"batch: 8", "batch: 8\n  mixup: -1", "mixup"},
		{"batch: 8", "batch: 8\n  cutmix: .inf", "cutmix"},
		{"batch: 8", "batch: 8\n  bn_momentum: 1.5", "bn_momentum: 1.5, want a share"},
		{"batch: 8", "batch: 8\n  ema: 1", "ema"},
		{"batch: 8", "batch: 8\n  resize: -1", "resize"},
		{"batch: 8", "batch: 8\n  augment: [{kind: flip, p: 0.5}, {kind: flip, p: 2}]", "augment[1].p: 2, want a probability"},
		{"batch: 8", "batch: 8\n  augment: [{kind: flip, q: 0.5}]", "q"},
		{"kind: constant", "kind: step", "schedule.milestones"},
		{"kind: constant", "kind: step, milestones: [2, 1]", "schedule.milestones"},
		{"kind: constant", "kind: step, milestones: [1]", "schedule.gamma"},
		{"kind: constant", "kind: cosine, warmup: 3", "schedule.warmup"},
		{"batch: 8", "batch: -8", "batch"},
		{"data: d", "data: ''", "data"},
		{"target_accuracy: 0.9", "target_accuracy: 90", "target_accuracy"},
		{"target_accuracy: 0.9", "target_accuracy: 0.9\n  floor_accuracy: 0.95", "floor_accuracy"},
		{"target_accuracy: 0.9", "target_accuracy: 0.9\n---\nsecond: {}", "document"},
	} {
		require.Contains(t, goodRecipe, c.old)
		_, err := LoadRecipes([]byte(strings.Replace(goodRecipe, c.old, c.new, 1)))
		require.ErrorContains(t, err, c.want, c.new)
	}
}

func TestEveryRecipeFileHasItsWorkload(t *testing.T) {
	all, err := embeddedRecipes()
	require.NoError(t, err)
	require.Len(t, all, len(All()))
	for _, w := range All() {
		require.Contains(t, all, w.Name)
	}
}

// Every field of every recipe file is one that takes effect, by its name.
func TestFieldsAreTheRecipes(t *testing.T) {
	r := recipe()
	r.Augment = []augment.Step{{Kind: augment.KindErase, P: 0.5, Scale: augment.Range{0.1, 0.2}}}
	r.Optimizer.WeightDecay, r.Optimizer.NoDecay = 0.1, []Kind{KindNorm}
	require.Equal(t, map[string]any{
		"data": "stripes", "epochs": 4, "batch": 8, "drop_last": true, "target_accuracy": 0.9,
		"optimizer": map[string]any{"kind": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": true, "weight_decay": 0.1, "no_decay": []any{"norm"}},
		"schedule":  map[string]any{"kind": "cosine", "warmup": 0.5},
		"augment":   []any{map[string]any{"kind": "erase", "p": 0.5, "scale": []any{0.1, 0.2}}},
	}, r.Fields())
	for _, w := range All() {
		for name, r := range w.Recipes {
			text, err := yaml.Dump(map[string]any{DefaultRecipe: r.Fields()})
			require.NoError(t, err)
			again, err := LoadRecipes(text)
			require.NoError(t, err)
			require.Equal(t, r, again[DefaultRecipe], "%s %s", w.Name, name)
		}
	}
}

func TestSetChangesOneField(t *testing.T) {
	r := recipe()
	for _, s := range []string{
		"optimizer.lr=0.5", "schedule.kind=step", "schedule.milestones=[1, 2]", "schedule.warmup=0", "schedule.gamma=1e-1",
		"epochs=3", "drop_last=false", "optimizer.weight_decay=0.1", "optimizer.no_decay=[norm, bias]", "mixup=0.2",
		"augment=[{kind: flip, p: 0.5}]",
	} {
		require.NoError(t, r.Set(s), s)
	}
	want := recipe()
	want.Optimizer.LR, want.Optimizer.WeightDecay, want.Optimizer.NoDecay = 0.5, 0.1, []Kind{KindNorm, KindBias}
	want.Schedule = Schedule{Kind: "step", Milestones: []int{1, 2}, Gamma: 0.1}
	want.Epochs, want.DropLast, want.Mixup = 3, false, 0.2
	want.Augment = []augment.Step{{Kind: augment.KindFlip, P: 0.5}}
	require.Equal(t, want, r)
	require.NoError(t, r.Set("augment=[]"))
	require.Empty(t, r.Augment)
	for s, say := range map[string]string{
		"lr":                           `"lr": want KEY=VALUE, as in optimizer.lr=0.05`,
		"=1":                           "want KEY=VALUE",
		"lr=1":                         `lr: a recipe has no field "lr"; it has data, optimizer, schedule, epochs,`,
		"optimizer.rate=1":             `optimizer.rate: optimizer has no field "rate"; it has kind, lr, momentum,`,
		"optimizer=adam":               "optimizer: want one of its fields, as in optimizer.kind=VALUE",
		"epochs.most=1":                "epochs.most: epochs has no fields of its own",
		"epochs=many":                  `epochs: "many": want a whole number`,
		"epochs=1.5":                   "want a whole number",
		"epochs=":                      `epochs: "": want a whole number`,
		"optimizer.lr=fast":            "want a number",
		"drop_last=maybe":              "want true or false",
		"schedule.kind=[a]":            "want a word",
		"schedule.milestones=x":        "want a list, as in [1, 2]",
		"augment=[{kind: flip, q: 1}]": "want a list of {kind: …, p: …,",
	} {
		before := *r
		require.ErrorContains(t, r.Set(s), say, s)
		require.Equal(t, before, *r)
	}
}

func TestRatesFollowTheSchedule(t *testing.T) {
	r := &Recipe{Optimizer: Optimizer{LR: 0.1}, Epochs: 4}
	rate := func(step int64) float64 { return r.Rate(step, 10) }

	r.Schedule = Schedule{Kind: "constant"}
	require.Equal(t, 0.1, rate(0))
	require.Equal(t, 0.1, rate(39))

	r.Schedule = Schedule{Kind: "step", Milestones: []int{1, 3}, Gamma: 0.5}
	require.Equal(t, 0.1, rate(9))
	require.Equal(t, 0.05, rate(10))
	require.Equal(t, 0.025, rate(30))

	r.Schedule = Schedule{Kind: "cosine"}
	require.Equal(t, 0.1, rate(0))
	require.InDelta(t, 0.05, rate(20), 1e-15)
	require.InDelta(t, 0, rate(40), 1e-15)
	require.Positive(t, rate(39))

	r.Schedule = Schedule{Kind: "cosine", Warmup: 0.5}
	require.InDelta(t, 0.02, rate(0), 1e-15)
	require.InDelta(t, 0.1, rate(4), 1e-15)
	require.InDelta(t, 0.1, rate(5), 1e-15)
	require.InDelta(t, 0, rate(40), 1e-15)
}

// The recipe that published accuracies on the UCI digits are held against.
func TestTheRecipeForUCIDigitsStands(t *testing.T) {
	require.Equal(t, &Recipe{
		Data: "uci-digits", Optimizer: Optimizer{Kind: "sgd", LR: 0.05, Momentum: 0.9}, Schedule: Schedule{Kind: "cosine"},
		Epochs: 30, Batch: 64, DropLast: true, Target: 0.895, Floor: 0.85,
	}, lookup(t, "lenet5").Recipes["uci-digits"])
}
