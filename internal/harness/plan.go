package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/clsbench/clsbench/backends/plugin"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/internal/machine"
	"github.com/clsbench/clsbench/internal/measure"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// Plan is what a run will do: its cells, resolved.
type Plan struct {
	Cells  []*Cell
	Effort measure.Effort
	// Directory is the working directory where the command depends on it, else "".
	Directory string

	opts     *Options
	known    machine.Peaks // in place of measuring them; tests have better things to do
	registry plugin.Registry
	sets     *datasets
	weights  *workloads.WeightsFile // of the one workload; nil: drawn
}

// Cell is one thing to measure.
type Cell struct {
	results.Cell
	Spec     plugin.Spec
	Workload *workloads.Workload
	Recipe   *workloads.Recipe
	Scenario string // offline, singlestream, train
	Math     string
	Data     string                  // what data.Open is given
	Quant    *workloads.Quantization // of int8
}

// label is the cell's task, short enough for a progress bar.
func (c *Cell) label() string { return fmt.Sprintf("%s b%d", c.Mode, c.Batch) }

// The batches measured when none are asked for.
var defaultBatches = map[string][]int{"infer": {1, 32}}

// NewPlan checks everything that was asked for, before any process starts, and
// lists the cells in the order in which they will run. Faults are *UsageError.
func NewPlan(ctx context.Context, o *Options, registry plugin.Registry) (*Plan, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	effort, err := measure.EffortByName(o.Effort)
	if err != nil {
		return nil, &UsageError{"effort", err}
	}
	p := &Plan{Effort: effort, opts: o, registry: registry, sets: &datasets{options: o.dataOptions(), sets: map[setKey]*data.Set{}}}
	if p.Directory, err = o.place(); err != nil {
		return nil, err
	}
	if err := p.readWeights(); err != nil {
		return nil, err
	}
	for _, s := range o.Backends {
		if err := plugin.Check(s, plugin.Options{Registry: registry}); err != nil {
			return nil, &UsageError{"backend", err}
		}
	}
	for _, list := range o.Workloads {
		selected, err := workloads.Select(list)
		if err != nil {
			return nil, &UsageError{"workload", err}
		}
		for _, s := range selected {
			for _, w := range s.Of {
				if err := p.addWorkload(ctx, w, p.dataFor(w, s.Group)); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := p.checkBatches(); err != nil {
		return nil, err
	}
	if len(p.Cells) == 0 {
		return nil, badFlag("filter", "%q matches no cell; clsbench run --dry-run lists them", o.Filter)
	}
	if err := p.checkNames(); err != nil {
		return nil, err
	}
	if need := measure.MinRounds(p.Comparisons()); p.Comparisons() > 0 && effort.FreshProcess {
		// An effort that is meant to decide gets the rounds that this takes.
		p.Effort.Rounds = max(effort.Rounds, need)
	}
	return p, nil
}

// checkNames refuses cells of one name, and names that would not read back.
func (p *Plan) checkNames() error {
	seen := map[string]bool{}
	for _, c := range p.Cells {
		name := c.String()
		if seen[name] {
			return badFlag(p.opts.repeated(), "cell %s would be measured twice", name)
		}
		seen[name] = true
		if err := c.Check(); err != nil {
			return &UsageError{"data", err}
		}
	}
	return nil
}

// Comparisons is how many cells will be held against that of the first backend
// and mode on the same task.
func (p *Plan) Comparisons() int { return len(p.Cells) - len(p.groups()) }

// addWorkload adds a workload's cells, with the data set of that name or folder;
// "" for its recipe's.
func (p *Plan) addWorkload(ctx context.Context, w *workloads.Workload, set string) error {
	recipe, err := p.recipe(ctx, w, set)
	if err != nil {
		return err
	}
	// Training first: inference then runs with trained weights.
	for _, mode := range []string{"train", "infer"} {
		if !slices.Contains(p.opts.Modes, mode) {
			continue
		}
		batches := p.opts.Batches
		if len(batches) == 0 {
			batches = defaultBatches[mode]
		}
		if mode == "train" && len(p.opts.Batches) == 0 {
			batches = []int{p.trainingBatch(w, recipe, set)}
		}
		for _, v := range p.versions(mode) {
			for _, batch := range batches {
				p.addTask(w, recipe, mode, v, batch, set)
			}
		}
	}
	return nil
}

// recipe is the one made for the data set asked for, or else the default one
// without its claims on accuracy, with the flags' changes.
func (p *Plan) recipe(ctx context.Context, w *workloads.Workload, spec string) (*workloads.Recipe, error) {
	r := *w.Recipes[workloads.DefaultRecipe]
	if spec != "" && spec != r.Data {
		name, err := p.dataName(ctx, w, spec)
		if err != nil {
			return nil, err
		}
		found := false
		for _, other := range w.Recipes {
			if other.Data == name && !found {
				r, found = *other, true
			}
		}
		if !found {
			r.Target, r.Floor = 1, 0 // no claim
		}
		r.Data = spec
	}
	for _, assignment := range p.opts.Set {
		if err := r.Set(assignment); err != nil {
			return nil, &UsageError{"set", err}
		}
	}
	if p.opts.Epochs > 0 {
		r.Epochs = p.opts.Epochs
	}
	if p.opts.Target > 0 {
		r.Target = p.opts.Target
		r.Floor = min(r.Floor, r.Target)
	}
	if err := r.Validate(); err != nil {
		return nil, p.blame(err)
	}
	return &r, nil
}

// blame names the flag that has made a recipe wrong: each flag's own value is
// right, so that it is the one that says most.
func (p *Plan) blame(err error) error {
	flag := "epochs"
	if len(p.opts.Set) > 0 {
		flag = "set"
	}
	return &UsageError{flag, fmt.Errorf("the recipe would have %w; --set KEY=VALUE changes it", err)}
}

// dataName is what the data set asked for is called. Folders are read now, so
// that a fault in them is told before anything runs.
func (p *Plan) dataName(ctx context.Context, w *workloads.Workload, spec string) (string, error) {
	if data.Registered(spec) {
		return spec, nil
	}
	set, err := p.sets.open(ctx, spec, w)
	if err != nil {
		return "", err
	}
	return set.Name, nil
}

// inputDigits are how many hex digits of its contents' hash tell a folder from
// others of its name: cells of different data are no pair.
const inputDigits = 6

// recipeDigits do the same for recipes.
const recipeDigits = 6

// inputName is what the data set asked for is called in the names of cells: a
// folder by its own name, wherever it is seen from, and by what is in it.
func (p *Plan) inputName(w *workloads.Workload, spec string) string {
	if data.Registered(spec) {
		return spec
	}
	folder := spec
	if abs, err := filepath.Abs(folder); err == nil {
		folder = abs
	}
	name := filepath.Base(folder)
	if set := p.sets.opened(spec, w); set != nil { // which dataName has opened
		name += "-" + set.Digest()[:inputDigits]
	}
	return name
}

// checkBatches refuses training batches that the images read so far don't fill.
func (p *Plan) checkBatches() error {
	for _, c := range p.Cells {
		set := p.sets.opened(c.Data, c.Workload)
		if set != nil && c.Mode == "train" && set.Train.Len() < c.Batch {
			return badFlag("data", "%s has %d training images, which fill no batch of %d: give --batch or --mode infer", set.Name, set.Train.Len(), c.Batch)
		}
	}
	return nil
}

// addTask adds one cell a backend and math mode.
func (p *Plan) addTask(w *workloads.Workload, recipe *workloads.Recipe, mode string, v version, batch int, set string) {
	scenario, input := p.opts.Scenario, ""
	if mode == "train" {
		scenario = "train"
	}
	if set != "" && set != w.Recipes[workloads.DefaultRecipe].Data {
		input = p.inputName(w, set)
	}
	r := *recipe
	if mode == "train" {
		r.Batch = batch
	}
	in := v.of(w)
	for _, s := range p.opts.Backends {
		for _, math := range append([]string{graph.Strict}, p.opts.Math...) {
			c := &Cell{Spec: s, Workload: in, Recipe: &r, Scenario: scenario, Math: math, Data: cmpOr(set, recipe.Data), Quant: v.quant,
				Cell: results.Cell{Workload: w.Name, Mode: mode, Precision: v.precision, Batch: batch, Backend: s.Label, Settings: map[string]string{}}}
			if v.quant != nil {
				c.Settings[results.KeyQuant] = v.quant.String()
			}
			if scenario == "singlestream" {
				c.Settings[results.KeyScenario] = scenario
			}
			if math != graph.Strict {
				c.Settings[results.KeyMath] = math
			}
			if p.opts.Threads != 0 {
				c.Settings[results.KeyThreads] = strconv.Itoa(p.opts.Threads)
			}
			if v := w.Variant(); v != "" {
				c.Settings[results.KeyVariant] = v
			}
			if mode == "train" && len(p.opts.Set) > 0 {
				c.Settings[results.KeyRecipe] = r.Digest()[:recipeDigits]
			}
			if p.weights != nil {
				c.Settings[results.KeyWeights] = p.weights.SHA256[:weightDigits]
			}
			if input != "" {
				c.Settings[results.KeyInput] = input
			}
			if p.opts.Filter == nil || p.opts.Filter.MatchString(c.String()) {
				p.Cells = append(p.Cells, c)
			}
		}
	}
}

// Rest is what is left to do of a plan whose interrupted run is taken up; the
// plan itself where none is.
func (p *Plan) Rest(before *Interrupted) *Plan {
	if before == nil {
		return p
	}
	finished := map[string]bool{}
	for i := range before.Document.Results {
		finished[before.Document.Results[i].Cell] = true
	}
	rest := *p
	rest.Cells = nil
	for _, c := range p.Cells {
		if !finished[c.String()] {
			rest.Cells = append(rest.Cells, c)
		}
	}
	return &rest
}

// groups are the cells of equal task, which are measured in the same rounds,
// in the plan's order.
func (p *Plan) groups() [][]*Cell {
	var order []string
	by := map[string][]*Cell{}
	for _, c := range p.Cells {
		t := c.Task()
		if by[t] == nil {
			order = append(order, t)
		}
		by[t] = append(by[t], c)
	}
	out := make([][]*Cell, len(order))
	for i, t := range order {
		out[i] = by[t]
	}
	return out
}

// Names lists the cells by name.
func (p *Plan) Names() []string {
	names := make([]string, len(p.Cells))
	for i, c := range p.Cells {
		names[i] = c.String()
	}
	return names
}
