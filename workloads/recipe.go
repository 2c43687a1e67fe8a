package workloads

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/clsbench/clsbench/workloads/data/augment"
)

// DefaultRecipe is the recipe that every workload has.
const DefaultRecipe = "default"

// Recipe says how a network is trained. Recipes are data: a YAML file a
// workload, in folder recipes. A field that a recipe leaves out is off.
type Recipe struct {
	Data      string    `yaml:"data"` // the data set it is made for
	Optimizer Optimizer `yaml:"optimizer"`
	Schedule  Schedule  `yaml:"schedule"`
	Epochs    int       `yaml:"epochs"`
	Batch     int       `yaml:"batch"`
	DropLast  bool      `yaml:"drop_last"` // leave out an epoch's last images where they don't fill a batch
	// LabelSmoothing moves this share of every target to all classes alike
	// (Szegedy et al. 2016, §7).
	LabelSmoothing float64 `yaml:"label_smoothing"`
	Mixup          float64 `yaml:"mixup"`  // α of mixup; 0 for none, see mixing
	CutMix         float64 `yaml:"cutmix"` // α of CutMix
	// NormMomentum is the share of a batch in the running statistics of batch
	// norms; 0 for the network's own. Where that is small, a short run would be
	// evaluated by what the statistics began with: of 0.01, MobileNetV3's, 250
	// steps leave 0.99²⁵⁰ = 8 %, which is more than most of its variances.
	NormMomentum float64 `yaml:"bn_momentum"`
	// EMA is the decay of the weights' moving averages, which are evaluated in
	// the weights' place; 0 for none.
	EMA     float64        `yaml:"ema"`
	Augment []augment.Step `yaml:"augment"` // what training images go through, in this order
	// Resize is the shorter side that larger images of other sizes than the
	// network's are scaled to before evaluation takes the middle, and training
	// too where no step of augment cuts them to size. 0 is what just covers the
	// network's.
	Resize int `yaml:"resize"`
	// Target is the top-1 accuracy of the test split, in [0, 1], that time to
	// accuracy is taken at; a run that ends below Floor is void.
	Target float64 `yaml:"target_accuracy"`
	Floor  float64 `yaml:"floor_accuracy"`
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
