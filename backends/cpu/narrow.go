package cpu

import (
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// What has no kernel for 16-bit floats is computed by the one for f32, between
// conversions: sums are then f32, as CUDA's and oneDNN's are, and the result
// is rounded once.

// wideSuffix marks the names of converted values; no program has it.
const wideSuffix = "\x00f32"

func isNarrow(t tensor.Type) bool { return t.DType == tensor.F16 || t.DType == tensor.BF16 }

// widen is the call on f32 in place of 16-bit floats, its values under names of
// their own; nil if it has none.
func widen(c *graph.Call) *graph.Call {
	node, in := *c.Node, slices.Clone(c.In)
	node.Inputs, node.Outputs = slices.Clone(c.Inputs), slices.Clone(c.Outputs)
	changed := false
	for i, t := range in {
		if c.Has(i) && isNarrow(t) {
			in[i].DType, changed = tensor.F32, true
			node.Inputs[i] += wideSuffix
		}
	}
	if !changed {
		return nil
	}
	for i := range node.Outputs {
		if c.Wants(i) && isNarrow(c.Out[i]) {
			node.Outputs[i] += wideSuffix
		}
	}
	w, err := graph.Resolve(&node, in)
	if err != nil { // an op that f32 is not one of the types of
		return nil
	}
	return w
}

// widened computes c, of 16-bit floats, by what computes w, the same in f32.
func widened(w *graph.Call, impl *implementation) *implementation {
	return &implementation{
		kernel: impl.kernel, algorithm: impl.algorithm + ", in f32",
		build: func(b *builder, p *part) error {
			c := p.head()
			var before, after []phase
			for i := range w.Inputs {
				if w.Has(i) && w.Inputs[i] != c.Inputs[i] && b.values[w.Inputs[i]] == nil {
					before = append(before, b.conversion(b.values[c.Inputs[i]], b.wide(w.Inputs[i], w.In[i])))
				}
			}
			for i := range w.Outputs {
				if w.Wants(i) && w.Outputs[i] != c.Outputs[i] {
					after = append(after, b.conversion(b.wide(w.Outputs[i], w.Out[i]), b.values[c.Outputs[i]]))
				}
			}
			inner := &part{impl: impl, calls: []*graph.Call{w}, at: p.at}
			err := impl.build(b, inner)
			p.phases, p.overlaps = slices.Concat(before, inner.phases, after), inner.overlaps
			b.forget(w)
			return err
		},
	}
}

// wide is scratch memory for a converted value, of this partition alone.
func (b *builder) wide(name string, t tensor.Type) *value {
	v := &value{name, t, b.scratch(t.Bytes())}
	b.values[name] = v
	b.inner = append(b.inner, v)
	return v
}

// forget takes the converted values of a partition out again: the next one
// converts anew.
func (b *builder) forget(w *graph.Call) {
	for _, name := range slices.Concat(w.Inputs, w.Outputs) {
		if len(name) > len(wideSuffix) && name[len(name)-len(wideSuffix):] == wideSuffix {
			delete(b.values, name)
		}
	}
}

func (b *builder) conversion(from, to *value) phase {
	n := to.elements()
	r := buildCast(b, &graph.Call{In: []tensor.Type{from.typ}, Out: []tensor.Type{to.typ}}, []*value{from}, to)
	return phase{task: shareChain([]ranger{r}, n), serial: n < serialElements}
}
