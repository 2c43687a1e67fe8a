package workloads

import (
	"embed"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/clsbench/clsbench/graph"
)

// DefaultRecipe is the recipe that every workload has.
const DefaultRecipe = "default"

// Recipe says how a network is trained. Recipes are data: a YAML file a
// workload, in folder recipes.
type Recipe struct {
	Data      string    `yaml:"data"` // the data set it is made for
	Optimizer Optimizer `yaml:"optimizer"`
	Schedule  Schedule  `yaml:"schedule"`
	Epochs    int       `yaml:"epochs"`
	Batch     int       `yaml:"batch"`
	DropLast  bool      `yaml:"drop_last"` // leave out an epoch's last images where they don't fill a batch
	// Target is the top-1 accuracy of the test split, in [0, 1], that time to
	// accuracy is taken at; a run that ends below Floor is void.
	Target float64 `yaml:"target_accuracy"`
	Floor  float64 `yaml:"floor_accuracy"`
}

// Optimizer is an optimizer op with its settings.
type Optimizer struct {
	Kind        string  `yaml:"kind"` // sgd or adam
	LR          float64 `yaml:"lr"`
	Momentum    float64 `yaml:"momentum"` // sgd
	Nesterov    bool    `yaml:"nesterov"` // sgd
	Beta1       float64 `yaml:"beta1"`    // adam
	Beta2       float64 `yaml:"beta2"`    // adam
	Epsilon     float64 `yaml:"epsilon"`  // adam
	WeightDecay float64 `yaml:"weight_decay"`
}

// Schedule is how the learning rate goes over a run.
type Schedule struct {
	Kind       string  `yaml:"kind"`       // constant, step or cosine
	Warmup     float64 `yaml:"warmup"`     // epochs of linear rise from 0, before any kind
	Milestones []int   `yaml:"milestones"` // step: epochs after which the rate is multiplied
	Gamma      float64 `yaml:"gamma"`      // step: by this
}

//go:embed recipes/*.yaml
var recipeFiles embed.FS

// recipesOf reads a workload's embedded file. A fault there is one of the
// build, which the package's tests would have found.
func recipesOf(workload string) map[string]*Recipe {
	all, err := embeddedRecipes()
	if err != nil {
		panic("workloads: " + err.Error())
	}
	out := map[string]*Recipe{}
	for name, r := range all[workload] {
		c := *r
		out[name] = &c
	}
	return out
}

var embeddedRecipes = sync.OnceValues(func() (map[string]map[string]*Recipe, error) {
	entries, err := recipeFiles.ReadDir("recipes")
	all := map[string]map[string]*Recipe{}
	for _, e := range entries {
		b, readErr := recipeFiles.ReadFile(path.Join("recipes", e.Name()))
		rs, loadErr := LoadRecipes(b)
		if readErr != nil || loadErr != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), errors.Join(readErr, loadErr))
		}
		all[e.Name()[:len(e.Name())-len(".yaml")]] = rs
	}
	return all, err
})

// LoadRecipes reads recipes by name from YAML, strictly: an unknown field, a
// missing one that matters or a value out of range is an error with its name.
func LoadRecipes(b []byte) (map[string]*Recipe, error) {
	out := map[string]*Recipe{}
	if err := yaml.Load(b, &out, yaml.WithKnownFields()); err != nil {
		return nil, err
	}
	for name, r := range out {
		if r == nil {
			return nil, fmt.Errorf("recipe %s: empty", name)
		}
		if err := r.Validate(); err != nil {
			return nil, fmt.Errorf("recipe %s: %w", name, err)
		}
	}
	if out[DefaultRecipe] == nil {
		return nil, fmt.Errorf("no recipe named %s", DefaultRecipe)
	}
	return out, nil
}

// Validate names the first field that is out of range.
func (r *Recipe) Validate() error {
	o, s := r.Optimizer, r.Schedule
	for _, c := range []struct {
		ok    bool
		field string
		value any
		want  string
	}{
		{r.Data != "", "data", r.Data, "a data set"},
		{o.Kind == "sgd" || o.Kind == "adam", "optimizer.kind", o.Kind, "sgd or adam"},
		{o.LR > 0 && !math.IsInf(o.LR, 0), "optimizer.lr", o.LR, "a positive number"},
		{o.Momentum >= 0 && o.Momentum < 1, "optimizer.momentum", o.Momentum, "a number in [0, 1)"},
		{!o.Nesterov || o.Momentum > 0, "optimizer.nesterov", o.Nesterov, "a momentum beside it"},
		{o.WeightDecay >= 0, "optimizer.weight_decay", o.WeightDecay, "0 or more"},
		{o.Kind != "adam" || o.Beta1 >= 0 && o.Beta1 < 1, "optimizer.beta1", o.Beta1, "a number in [0, 1)"},
		{o.Kind != "adam" || o.Beta2 > 0 && o.Beta2 < 1, "optimizer.beta2", o.Beta2, "a number in (0, 1)"},
		{o.Kind != "adam" || o.Epsilon > 0, "optimizer.epsilon", o.Epsilon, "a positive number"},
		{slices.Contains([]string{"constant", "step", "cosine"}, s.Kind), "schedule.kind", s.Kind, "constant, step or cosine"},
		{r.Epochs >= 1, "epochs", r.Epochs, "1 or more"},
		{s.Warmup >= 0 && s.Warmup <= float64(r.Epochs), "schedule.warmup", s.Warmup, "at least 0 and at most the epochs"},
		{s.Kind != "step" || len(s.Milestones) > 0 && slices.IsSorted(s.Milestones), "schedule.milestones", s.Milestones, "ascending epochs"},
		{s.Kind != "step" || s.Gamma > 0, "schedule.gamma", s.Gamma, "a positive number"},
		{r.Batch >= 1, "batch", r.Batch, "1 or more"},
		{r.Target > 0 && r.Target <= 1, "target_accuracy", r.Target, "a share in (0, 1]"},
		{r.Floor >= 0 && r.Floor <= r.Target, "floor_accuracy", r.Floor, "a share up to target_accuracy"},
	} {
		if !c.ok {
			return fmt.Errorf("%s: %v, want %s", c.field, c.value, c.want)
		}
	}
	return nil
}

// Rate is the learning rate of a step, counted from 0, when an epoch has
// perEpoch steps. Cosine falls step by step from LR to 0 at the run's end
// (Loshchilov and Hutter 2017, eq. 5, one cycle).
func (r *Recipe) Rate(step, perEpoch int64) float64 {
	lr, s := r.Optimizer.LR, r.Schedule
	warm, total := s.Warmup*float64(perEpoch), float64(int64(r.Epochs)*perEpoch)
	at := float64(step)
	if at < warm {
		return lr * (at + 1) / warm
	}
	switch s.Kind {
	case "cosine":
		return lr * 0.5 * (1 + math.Cos(math.Pi*(at-warm)/(total-warm)))
	case "step":
		for _, m := range s.Milestones {
			if step >= int64(m)*perEpoch {
				lr *= s.Gamma
			}
		}
	}
	return lr
}

// op is the optimizer's row in the op table.
func (o Optimizer) op() string {
	if o.Kind == "adam" {
		return "Adam"
	}
	return "SGD"
}

// update writes the end of a training step, the optimizer's nodes: every parameter takes its next value,
// and so do the optimizer's slots, which are state named by the parameter.
func (r *Recipe) update(n *Net, params, grads []graph.Value, lr graph.Value) {
	o, b := r.Optimizer, n.Builder
	var step graph.Value
	attrs := graph.Attrs{"weight_decay": graph.F(o.WeightDecay)}
	slots := []string{"velocity"}
	if o.Kind == "adam" {
		attrs["beta1"], attrs["beta2"], attrs["epsilon"] = graph.F(o.Beta1), graph.F(o.Beta2), graph.F(o.Epsilon)
		slots = []string{"m", "v"}
		step = n.Step()
	} else {
		attrs["momentum"] = graph.F(o.Momentum)
		if o.Nesterov {
			attrs["nesterov"] = graph.I(1)
		}
	}
	for i, p := range params {
		state := []graph.Value{p}
		in := []graph.Value{p, grads[i]}
		for _, slot := range slots {
			v := b.State(p.Name+"."+slot, p.Type)
			state, in = append(state, v), append(in, v)
		}
		if o.Kind == "adam" {
			in = append(in, step)
		}
		b.Scoped("update."+p.Name, func() {
			for j, next := range b.OpN(o.op(), attrs, len(state), append(in, lr)...) {
				b.Update(state[j], next)
			}
		})
	}
	n.count()
}
