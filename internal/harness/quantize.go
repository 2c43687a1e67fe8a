package harness

import (
	"context"
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/results"
	"github.com/clsbench/clsbench/workloads"
	"github.com/clsbench/clsbench/workloads/data"
)

// precisionInt8 is the name of programs between quantizers; of inference alone.
const precisionInt8 = "int8"

// precisionF32 is the default, and what int8 is trained in.
const precisionF32 = "f32"

// completeQuant checks how int8 is to be made.
func (o *Options) completeQuant() error {
	asked := slices.Contains(o.Precision, precisionInt8)
	if len(o.Quant) > 0 && !asked {
		return badFlag("quant", "%q: it says how int8 is made: add --precision f32,int8", o.Quant[0])
	}
	if o.Sensitivity && !asked {
		return badFlag("sensitivity", "it is of int8: add --precision f32,int8")
	}
	if asked && !slices.Contains(o.Modes, "infer") {
		return badFlag("precision", "int8 is a precision of inference: add --mode infer")
	}
	if asked {
		o.Quant = orDefault(o.Quant, "static")
	}
	for _, spec := range o.Quant {
		if _, err := workloads.ParseQuantization(spec); err != nil {
			return &UsageError{"quant", err}
		}
	}
	return nil
}

// version is a precision in which a task is done, and how it is come by.
type version struct {
	precision string
	quant     *workloads.Quantization
}

// versions are those of a mode: what is measured in int8 is trained in f32, all
// else in its own precision.
func (p *Plan) versions(mode string) (list []version) {
	for _, precision := range p.opts.Precision {
		switch {
		case precision != precisionInt8:
			list = append(list, version{precision: precision})
		case mode == "infer":
			for _, spec := range p.opts.Quant {
				q, _ := workloads.ParseQuantization(spec) // which completeQuant has done
				list = append(list, version{precision, q})
			}
		case !slices.Contains(p.opts.Precision, precisionF32):
			list = append(list, version{precision: precisionF32})
		}
	}
	return list
}

// of is a workload in the version's floats.
func (v version) of(w *workloads.Workload) *workloads.Workload {
	if v.quant != nil {
		return w
	}
	in, err := w.In(v.precision)
	if err != nil {
		panic(err) // complete has refused other names
	}
	return in
}

// trainsLike tells apart what the cells' weights can come from: the network, the
// precision that it is trained in, and who trains it.
func (c *Cell) trainsLike() string {
	return c.Workload.String() + "\x00" + c.Workload.Precision() + "\x00" + benchKey(c)
}

// precisionFlags are the flags that a cell in another precision than f32 takes.
func precisionFlags(c *Cell) string {
	switch {
	case c.Quant != nil:
		return " --precision " + precisionInt8 + " --quant " + ShellQuote(c.Quant.String())
	case c.Precision != precisionF32:
		return " --precision " + c.Precision
	}
	return ""
}

// calibration is what the cell's quantization learns ahead on its backend, done
// when it is first asked for; an empty one where nothing is needed.
func (h *run) calibration(ctx context.Context, c *Cell, b *bench, set *data.Set, w workloads.Weights) (*workloads.Calibration, error) {
	if c.Quant == nil || c.Quant.Dynamic() {
		return &workloads.Calibration{}, nil
	}
	key := fmt.Sprintf("%q", []string{c.Workload.String(), benchKey(c), c.Data, c.Quant.String()})
	if r, ok := h.calibrated[key]; ok {
		return r, nil
	}
	h.events.Stage(c.label(), 0, 1, "calibrating "+c.Subject())
	r, err := c.Workload.Calibrate(ctx, b.session, set, w, c.Quant, h.opts.Seed)
	if err != nil {
		return nil, err
	}
	h.calibrated[key] = r
	return r, nil
}

// uncalibrated is the cell's program by its nodes alone: its numbers say
// nothing.
func (h *run) uncalibrated(c *Cell, set *data.Set) (*graph.Program, error) {
	w := c.Workload.Init(0)
	if c.Quant != nil {
		return c.Workload.Uncalibrated(c.Batch, standardOf(set), w, c.Quant)
	}
	return h.program(c, set, w, &workloads.Calibration{})
}

// sensitivity is what the quantization of each product alone costs, if that was
// asked for.
func (h *run) sensitivity(ctx context.Context, l *lane, found *workloads.Calibration) error {
	c := l.cell
	if c.Quant == nil || !h.opts.Sensitivity {
		return nil
	}
	losses, err := c.Workload.Sensitivity(ctx, l.bench.session, c.Batch, l.set, l.weights, c.Quant, found)
	if err != nil {
		return err
	}
	for _, x := range losses {
		l.result.Quantization.Sensitivity = append(l.result.Quantization.Sensitivity, results.Sensitivity{Node: x.Node, Lost: x.Lost})
	}
	return nil
}
