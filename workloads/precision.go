package workloads

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/graph/autodiff"
	"github.com/clsbench/clsbench/graph/pass"
	"github.com/clsbench/clsbench/tensor"
)

// precision is a float precision that a network can compute in.
type precision struct {
	name string
	half tensor.DType // of products and what follows from them; Invalid: all is f32
}

var precisions = []precision{{"f32", tensor.Invalid}, {"bf16", tensor.BF16}, {"fp16", tensor.F16}}

// Precisions are the names that In takes; the first is the default.
func Precisions() (names []string) {
	for _, p := range precisions {
		names = append(names, p.name)
	}
	return names
}

// In is the workload in a precision: its programs, training and inference
// alike, compute as PyTorch's autocast would have them, see pass.Autocast. What
// is learned, its averages, an optimizer's slots and running statistics stay
// f32. In fp16, training scales the loss, see scaledGradients.
func (w *Workload) In(name string) (*Workload, error) {
	i := slices.IndexFunc(precisions, func(p precision) bool { return p.name == name })
	if i < 0 {
		return nil, fmt.Errorf("precision %q is not known: want %s", name, strings.Join(Precisions(), ", "))
	}
	c := *w
	c.precision = precisions[i]
	return &c, nil
}

// Precision is the name of what the workload's programs compute in.
func (w *Workload) Precision() string {
	if w.precision.half == tensor.Invalid {
		return precisions[0].name
	}
	return w.precision.name
}

// title names a program of the workload.
func (w *Workload) title(what string) string {
	if w.precision.half != tensor.Invalid {
		what += " in " + w.precision.name
	}
	return w.String() + " " + what
}

// finish ends a forward program, in the workload's precision.
func (w *Workload) finish(b *graph.Builder) (*graph.Program, error) {
	p, err := b.Program()
	if err != nil || w.precision.half == tensor.Invalid {
		return p, err
	}
	return pass.Autocast(p, w.precision.half)
}

// cast brings what n has so far, the forward pass with the loss as its fetch, to
// the workload's precision; n goes on behind it. State, updates and the loss
// keep names and types.
func (w *Workload) cast(n *Net) {
	if w.precision.half == tensor.Invalid || n.Err() != nil {
		return
	}
	p, err := w.finish(n.Builder)
	if err != nil {
		n.Fail(err)
		return
	}
	b, err := graph.Extend(p)
	if err != nil {
		n.Fail(err)
		return
	}
	n.Builder = b
}

// The state of loss scaling.
const (
	StateLossScale     = "loss_scale"     // f32 scalar
	StateGrowthCounter = "growth_counter" // s64 scalar: steps in a row without a skipped one
)

// firstLossScale is what torch.cuda.amp.GradScaler begins with; it grows and
// backs off by the defaults of the op, which are GradScaler's too.
const firstLossScale = 1 << 16

// gradients are those of the loss by each of values.
func (w *Workload) gradients(n *Net, loss graph.Value, values []graph.Value) ([]graph.Value, error) {
	if w.precision.half == tensor.F16 {
		return n.scaledGradients(loss, values)
	}
	return autodiff.Gradients(n.Builder, loss, values)
}

// scaledGradients differentiates the loss times a scale, so that small
// gradients are no zeros in f16, and takes the scale out again in f32
// (Micikevicius et al., "Mixed Precision Training", 2018, §3.2). A step in
// which a gradient is not finite is skipped, and halves the scale, see
// graph.DynamicLossScale: it leaves all state as it is, running statistics and
// the step too (PyTorch's forward pass has by then moved its statistics, maybe
// to infinity).
func (n *Net) scaledGradients(loss graph.Value, values []graph.Value) (grads []graph.Value, err error) {
	scale, counter := n.State(StateLossScale, tensor.T(tensor.F32)), n.State(StateGrowthCounter, tensor.T(tensor.S64))
	var scaled graph.Value
	n.Scoped("scaling", func() { scaled = n.Op("Mul", nil, loss, scale) })
	if grads, err = autodiff.Gradients(n.Builder, scaled, values); err != nil {
		return nil, err
	}
	n.Scoped("scaling", func() {
		n.skip = n.Op("Not", nil, n.Op("AllFinite", nil, grads...))
		inverse := n.Op("Reciprocal", nil, scale)
		for i, g := range grads {
			grads[i] = n.Op("Mul", nil, g, inverse)
		}
		for i, u := range n.updates {
			n.updates[i].value = n.unlessSkipped(u.state, u.value)
			n.next[u.state.Name] = n.updates[i].value
		}
		next := n.OpN("DynamicLossScale", nil, 2, scale, counter, n.skip)
		n.Update(scale, next[0])
		n.Update(counter, next[1])
	})
	return grads, n.Err()
}

// unlessSkipped is a state's next value, or the state itself where the step is
// skipped.
func (n *Net) unlessSkipped(state, next graph.Value) graph.Value {
	if n.skip.Name == "" {
		return next
	}
	return n.Op("Where", nil, n.skip, state, next)
}
