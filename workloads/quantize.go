package workloads

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
	"github.com/clsbench/clsbench/workloads/calibrate"
	"github.com/clsbench/clsbench/workloads/data"
)

// Quantization is how a network's inference is brought to 8-bit integers.
type Quantization struct {
	// Method finds the ranges of activations ahead, on images for training; ""
	// leaves that to every step: dynamic quantization.
	Method      calibrate.Method
	Aware       bool           // after a calibration the network is trained on between quantizers
	Activations tensor.DType   // u8 or s8
	KeepFirst   bool           // the first product stays in floats
	KeepLast    bool           // so does the last
	Exclude     *regexp.Regexp // nodes that stay in floats; nil: none
}

// Dynamic says whether each step finds the ranges of its activations.
func (q *Quantization) Dynamic() bool { return q.Method == "" }

// ParseQuantization reads what String writes: "dynamic", "static" or "aware", the
// method behind a colon ("mse" if there is none), then, each behind a comma, act=s8,
// keep=first, keep=last, and last exclude=EXPRESSION, which takes all the rest.
func ParseQuantization(spec string) (*Quantization, error) {
	q := &Quantization{Activations: tensor.U8}
	kind, rest, more := strings.Cut(spec, ",")
	way, method, given := strings.Cut(kind, ":")
	switch {
	case way == "dynamic" && !given:
	case (way == "static" || way == "aware") && !given:
		q.Method, q.Aware = calibrate.MSE, way == "aware"
	case way == "static" || way == "aware":
		m, err := calibrate.Parse(method)
		if err != nil {
			return nil, fmt.Errorf("quantization %q: %w", spec, err)
		}
		q.Method, q.Aware = m, way == "aware"
	default:
		return nil, fmt.Errorf("quantization %q: want dynamic, static[:METHOD] or aware[:METHOD]", spec)
	}
	for more {
		var setting string
		if strings.HasPrefix(rest, "exclude=") {
			setting, more = rest, false
		} else {
			setting, rest, more = strings.Cut(rest, ",")
		}
		if err := q.set(setting); err != nil {
			return nil, fmt.Errorf("quantization %q: %w", spec, err)
		}
	}
	if q.Dynamic() && q.Activations != tensor.U8 {
		return nil, fmt.Errorf("quantization %q: dynamic quantization is to u8 (ONNX's DynamicQuantizeLinear)", spec)
	}
	return q, nil
}

func (q *Quantization) set(setting string) error {
	switch setting {
	case "act=u8":
		q.Activations = tensor.U8
	case "act=s8":
		q.Activations = tensor.S8
	case "keep=first":
		q.KeepFirst = true
	case "keep=last":
		q.KeepLast = true
	default:
		expression, ok := strings.CutPrefix(setting, "exclude=")
		if !ok {
			return fmt.Errorf("%q: want act=u8, act=s8, keep=first, keep=last or exclude=EXPRESSION", setting)
		}
		re, err := regexp.Compile(expression)
		if err != nil {
			return err
		}
		q.Exclude = re
	}
	return nil
}

// String is the spec that ParseQuantization reads back, the same for all that
// mean the same.
func (q *Quantization) String() string {
	s := "dynamic"
	switch {
	case q.Aware:
		s = "aware:" + string(q.Method)
	case !q.Dynamic():
		s = "static:" + string(q.Method)
	}
	if q.Activations == tensor.S8 {
		s += ",act=s8"
	}
	if q.KeepFirst {
		s += ",keep=first"
	}
	if q.KeepLast {
		s += ",keep=last"
	}
	if q.Exclude != nil {
		s += ",exclude=" + q.Exclude.String()
	}
	return s
}

// pass is what the rewriting of a program is told.
func (q *Quantization) pass(ranges map[string]pass.Range) pass.Quantization {
	if q.Dynamic() {
		ranges = nil
	} else if ranges == nil {
		ranges = map[string]pass.Range{}
	}
	return pass.Quantization{Ranges: ranges, Activations: q.Activations, Exclude: q.Exclude, KeepFirst: q.KeepFirst, KeepLast: q.KeepLast}
}

// Folded is Inference with the batch norms that follow a convolution folded
// into it.
func (w *Workload) Folded(batch int, s Standard, weights Weights) (*graph.Program, error) {
	p, err := w.Inference(batch, s, weights)
	if err != nil {
		return nil, err
	}
	return pass.FoldBatchNorms(p)
}

// Quantized is Folded between quantizers, in ONNX's QDQ form, by what Calibrate
// found.
func (w *Workload) Quantized(batch int, s Standard, weights Weights, q *Quantization, c *Calibration) (*graph.Program, error) {
	p, err := w.tuned(batch, s, weights, c)
	if err != nil {
		return nil, err
	}
	p.Name = w.String() + " inference in 8 bits"
	return pass.Quantize(p, q.pass(c.Ranges))
}

// tuned is Folded with the constants that fine-tuning gave.
func (w *Workload) tuned(batch int, s Standard, weights Weights, c *Calibration) (*graph.Program, error) {
	p, err := w.Folded(batch, s, weights)
	if err != nil {
		return nil, err
	}
	for i := range p.Consts {
		if t := c.Tuned[p.Consts[i].Name]; t != nil {
			p.Consts[i].Tensor = t
		}
	}
	return p, nil
}

// Uncalibrated is Quantized with ranges that say nothing: the same nodes, to
// learn what they take.
func (w *Workload) Uncalibrated(batch int, s Standard, weights Weights, q *Quantization) (*graph.Program, error) {
	p, err := w.Folded(batch, s, weights)
	if err != nil {
		return nil, err
	}
	names, err := pass.Quantizable(p, q.pass(nil))
	if err != nil {
		return nil, err
	}
	ranges := map[string]pass.Range{}
	for _, n := range names {
		ranges[n] = pass.Range{Lo: -1, Hi: 1}
	}
	return pass.Quantize(p, q.pass(ranges))
}

// Loss is the accuracy lost by the quantization of one node alone, a share of
// all images; less than 0 where it gains.
type Loss struct {
	Node string
	Lost float64
}

// Sensitivity quantizes one product at a time, by what q's calibration found,
// and gives what that costs of top-1 on the test split: the
// most sensitive first.
func (w *Workload) Sensitivity(ctx context.Context, session backends.Session, batch int, set *data.Set, weights Weights, q *Quantization, c *Calibration) ([]Loss, error) {
	p, err := w.tuned(batch, StandardOf(set), weights, c)
	if err != nil {
		return nil, err
	}
	nodes, err := pass.Quantized(p, q.pass(c.Ranges))
	if err != nil {
		return nil, err
	}
	top1 := func(p *graph.Program) (float64, error) {
		e, err := NewEvaluator(ctx, session, p, evalPerCall)
		if err != nil {
			return 0, err
		}
		defer e.Close()
		got, err := e.Run(ctx, set.Test)
		if err != nil {
			return 0, err
		}
		return got.Top1, nil
	}
	whole, err := top1(p)
	if err != nil {
		return nil, err
	}
	var list []Loss
	for _, node := range nodes {
		only := q.pass(c.Ranges)
		only.Only = node
		one, err := pass.Quantize(p, only)
		if err != nil {
			return nil, err
		}
		got, err := top1(one)
		if err != nil {
			return nil, err
		}
		list = append(list, Loss{node, whole - got})
	}
	slices.SortStableFunc(list, func(a, b Loss) int { return cmp.Compare(b.Lost, a.Lost) })
	return list, nil
}

// Bytes is what a network's tensors take in a file: of a checkpoint all that it
// learned, running statistics included.
func (w Weights) Bytes() (sum int64) {
	for _, t := range w {
		sum += int64(len(t.Data))
	}
	return sum
}

// TensorBytes is what the constants of an inference program take in a file,
// those of the standardising left out.
func TensorBytes(p *graph.Program) (sum int64) {
	standard := []string{standardScale, standardShift}
	for _, c := range p.Consts {
		if !slices.Contains(standard, c.Name) {
			sum += int64(len(c.Tensor.Data))
		}
	}
	return sum
}
