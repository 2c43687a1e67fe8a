package workloads

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
		{"kind: sgd", "kind: lion", "optimizer.kind: lion, want sgd or adam"},
		{"lr: 0.1", "lr: -1", "optimizer.lr"},
		{"lr: 0.1", "lr: .nan", "optimizer.lr"},
		{"lr: 0.1", "lr: 0.1, nesterov: true", "optimizer.nesterov"},
		{"lr: 0.1", "lr: 0.1, momentum: 1", "optimizer.momentum"},
		{"kind: sgd", "kind: adam", "optimizer.beta2"},
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
