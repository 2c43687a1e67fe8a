package faults

import (
	"math"
	"strings"

	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// What goes wrong between 16-bit floats and f32.

var mixedFaults = []Fault{
	kernel("cast-truncates-to-16-bits", "Cast", "the lower half of an f32's bits cut off for a bf16", func(k *Launch) ([]*reference.Array, error) {
		if d := k.Call.Out[0].DType; d == tensor.BF16 || d == tensor.F16 {
			step := 2 * d.UnitRoundoff()
			k.In[0] = mapped(k.In[0], func(v float64) float64 {
				if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
					return v
				}
				f, e := math.Frexp(v)
				return math.Ldexp(math.Trunc(f/(step/2))*(step/2), e)
			})
		}
		return k.Plain()
	}).also("CastChain"),
	kernel("cast-to-f16-by-bf16", "Cast", "f16 made by way of bf16", func(k *Launch) ([]*reference.Array, error) {
		if k.Call.Out[0].DType == tensor.F16 {
			k.In[0] = mapped(k.In[0], bf16)
		}
		return k.Plain()
	}).also("CastChain"),
	mixed("master-weights-in-16-bits", "parameters stored as they are multiplied, so that small steps are lost", func(p *graph.Program) {
		for i, u := range p.Updates {
			if j := producer(p, u.Value); p.Nodes[j].Op == "SGD" || p.Nodes[j].Op == "AdamW" {
				if p.Nodes[j].Outputs[0] == u.Value {
					low := insertCast(p, u.Value, tensor.BF16)
					p.Updates[i].Value = insertCast(p, low, tensor.F32)
				}
			}
		}
	}),
	mixed("loss-scale-not-unscaled-before-clip", "gradients clipped by the norm of the scaled ones", func(p *graph.Program) {
		for i := range p.Nodes {
			norm := &p.Nodes[i]
			if norm.Op != "GlobalNorm" {
				continue
			}
			for j, in := range norm.Inputs {
				norm.Inputs[j] = p.Nodes[producer(p, in)].Inputs[0]
			}
		}
	}),
	mixed("step-not-unscaled", "the optimizer takes gradients of the scaled loss", func(p *graph.Program) {
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Op == "Div" && strings.Contains(n.Inputs[1], "loss_scale") {
				n.Inputs[1] = one(p)
			}
		}
	}),
	mixed("statistics-not-skipped", "running statistics moved on by a step that is skipped", func(p *graph.Program) {
		for i, u := range p.Updates {
			if n := p.Nodes[producer(p, u.Value)]; n.Op == "Where" && strings.Contains(u.State, "running") {
				p.Updates[i].Value = n.Inputs[2]
			}
		}
	}),
	mixed("average-of-skipped-steps", "the moving average moved on by a step that is skipped", func(p *graph.Program) {
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Op == "ExponentialMovingAverage" {
				n.Inputs = n.Inputs[:2]
			}
		}
	}),
}

// mixed is a wrong plan for programs in mixed precision.
func mixed(name, why string, rewrite func(p *graph.Program)) Fault {
	f := plan(name, why, rewrite)
	f.Ops, f.Effort = []string{"Mixed"}, conformance.Quick
	return f
}

// insertCast appends a cast of a value and gives its result.
func insertCast(p *graph.Program, value string, to tensor.DType) string {
	name := value + " as " + to.String()
	p.Nodes = append(p.Nodes, graph.Node{Name: "cast " + name, Op: "Cast", Inputs: []string{value}, Outputs: []string{name},
		Attrs: graph.Attrs{"to": graph.S(to.String())}})
	return name
}
