package harness

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// datasets opens each data set once a size, when it is first needed.
type datasets struct {
	options data.Options // but the size and the classes
	sets    map[setKey]*data.Set
}

type setKey struct {
	spec  string
	input workloads.Input
}

// opened is a set that open has read; nil if it has not.
func (d *datasets) opened(spec string, w *workloads.Workload) *data.Set {
	return d.sets[setKey{spec, w.Input}]
}

// open gives the set at the workload's input size; an image tree's images have
// their own until they are fed. Bad input is a *UsageError.
func (d *datasets) open(ctx context.Context, spec string, w *workloads.Workload) (*data.Set, error) {
	key := setKey{spec, w.Input}
	if s := d.sets[key]; s != nil {
		return s, nil
	}
	o := d.options
	o.Height, o.Width, o.Classes = w.Input.Height, w.Input.Width, w.Classes
	s, err := data.Open(ctx, spec, o)
	if err != nil {
		return nil, &UsageError{"data", err}
	}
	if s.C != w.Input.Channels {
		return nil, badFlag("data", "%s has %d channels, %s takes %d", s.Name, s.C, w.Name, w.Input.Channels)
	}
	d.sets[key] = s
	return s, nil
}

// skipped tells of images that no figure and no accuracy has seen.
func (d *datasets) skipped() (list []string) {
	for _, s := range d.sets {
		if s.Skipped > 0 {
			list = append(list, fmt.Sprintf("%d images of data set %s cannot be decoded and are left out", s.Skipped, s.Name))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// dataFound refuses recipes' data sets that are nowhere.
func (p *Plan) dataFound() error {
	if p.opts.Data != "" {
		return nil // which was asked for, and is told by its own flag
	}
	for _, c := range p.Cells {
		if err := c.found(); err != nil {
			return err
		}
	}
	return nil
}

// isHere says whether a data set is a name or a folder.
func isHere(spec string) bool {
	_, err := os.Stat(spec)
	return err == nil || data.Registered(spec)
}

// standIn is the set that networks of a family train on whose recipe's set is not
// here: it is drawn at any size.
const standIn = "shapes/v1"

// dataFor is the data set that was asked for, or that stands in for the recipe's
// of a network that was not asked for by its own name; "" for the recipe's.
func (p *Plan) dataFor(w *workloads.Workload, group bool) string {
	if p.opts.Data == "" && group && !isHere(w.Recipes[workloads.DefaultRecipe].Data) {
		return standIn
	}
	return p.opts.Data
}

// largeSide is the size of images from which on training is timed at a batch of
// a few, where it is not by the recipe.
const (
	largeSide  = 224
	largeBatch = 8
)

// trainingBatch is the batch at which training is measured if none is asked for:
// the recipe's, unless that would take minutes a step for no accuracy that the
// recipe claims.
func (p *Plan) trainingBatch(w *workloads.Workload, r *workloads.Recipe, set string) int {
	claims := p.Effort.Figures && (set == "" || set == w.Recipes[workloads.DefaultRecipe].Data)
	if w.Input.Height >= largeSide && !claims {
		return min(r.Batch, largeBatch)
	}
	return r.Batch
}

// found refuses a recipe's data set that is neither a name nor a folder.
func (c *Cell) found() error {
	if isHere(c.Data) {
		return nil
	}
	var fit []string
	for _, i := range data.List() {
		if i.C == c.Workload.Input.Channels && len(i.Classes) <= c.Workload.Classes {
			fit = append(fit, i.Name)
		}
	}
	mend := "give its folder, as in --data DIR"
	if len(fit) > 0 {
		mend += ", or a set that needs no files, --data " + strings.Join(fit, " or ")
	}
	return badFlag("workload", "%s: its recipe is for the data set %s, which is not here: %s", c.Workload, c.Data, mend)
}

func standardOf(s *data.Set) workloads.Standard {
	return workloads.Standard{Mean: s.Mean, Std: s.Std}
}
