package harness

import (
	"fmt"
	"path/filepath"

	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
)

// weightDigits are how many hex digits of their file's hash tell weights apart in
// the names of cells.
const weightDigits = 6

// readWeights reads the file that was asked for, which is one network's.
func (p *Plan) readWeights() error {
	o := p.opts
	switch {
	case o.Weights == "" && o.NewHead:
		return badFlag("new-head", "it is of weights that are read: add --weights")
	case o.Weights == "":
		return nil
	case len(o.Workloads) != 1:
		return badFlag("weights", "%s holds the weights of one network, %d are asked for: name it by --workload", o.Weights, len(o.Workloads))
	}
	w, err := workloads.Lookup(o.Workloads[0])
	if err != nil {
		return &UsageError{"workload", err}
	}
	if p.weights, err = w.ReadWeights(o.Weights, o.NewHead); err != nil {
		return &UsageError{"weights", err}
	}
	return nil
}

// first are the weights that a workload begins with.
func (p *Plan) first(w *workloads.Workload) workloads.Weights {
	if p.weights == nil {
		return w.Init(p.opts.Seed)
	}
	return p.weights.First(w, p.opts.Seed)
}

// given says whether the workload's weights are all somebody's who trained them.
func (p *Plan) given() bool { return p.weights != nil && !p.weights.NewHead }

// saveWeights keeps what a training ended with, if that was asked for, for
// --weights of later commands.
func (h *run) saveWeights(c *Cell, w workloads.Weights) error {
	if !h.opts.SaveWeights {
		return nil
	}
	path := h.fileOf(c, "weights")
	if err := workloads.SaveWeights(path, w); err != nil {
		return fmt.Errorf("keeping the weights: %w", err)
	}
	h.events.Note(fmt.Sprintf("weights of %s: %s", c, path))
	return nil
}

// noteWeights records in a result where its weights came from.
func (p *Plan) noteWeights(r *results.Result) {
	if f := p.weights; f != nil {
		r.Weights = &results.Weights{File: filepath.Base(f.Path), SHA256: f.SHA256, NewHead: f.NewHead}
	}
}

// weightFlags are the flags that give a cell its weights.
func (o *Options) weightFlags() string {
	if o.Weights == "" {
		return ""
	}
	s := " --weights " + ShellQuote(o.Weights)
	if o.NewHead {
		s += " --new-head"
	}
	return s
}
