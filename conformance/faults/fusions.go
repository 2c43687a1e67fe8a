package faults

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// More wrong plans, see plans.go: fusions that stacks have shipped.

var fusionFaults = []Fault{
	plan("norm-folded-through-relu", "a batch norm behind a ReLU folded into the convolution before it (glow#5892)", func(p *graph.Program) {
		for i := range p.Nodes {
			norm := &p.Nodes[i]
			if norm.Op != "BatchNormalization" {
				continue
			}
			if j := producer(p, norm.Inputs[0]); j >= 0 && p.Nodes[j].Op == "Relu" && readers(p, norm.Inputs[0]) == 1 {
				relu := &p.Nodes[j]
				norm.Op, relu.Op = relu.Op, norm.Op
				norm.Attrs, relu.Attrs = relu.Attrs, norm.Attrs
				norm.Inputs, relu.Inputs = norm.Inputs[:1], append([]string{relu.Inputs[0]}, norm.Inputs[1:]...)
			}
		}
	}),
	plan("norm-folded-without-mean", "a batch norm folded into weights, its mean forgotten", func(p *graph.Program) {
		for i := range p.Nodes {
			norm := &p.Nodes[i]
			if norm.Op != "BatchNormalization" {
				continue
			}
			if j := producer(p, norm.Inputs[0]); j >= 0 && (p.Nodes[j].Op == "Conv" || p.Nodes[j].Op == "Gemm" || p.Nodes[j].Op == "Add") {
				if mean := constant(p, norm.Inputs[3]); mean != nil {
					norm.Inputs[3] = constLike(p, norm.Inputs[3], func(int, []float64) float64 { return 0 })
				}
			}
		}
	}),
	plan("added-bias-of-first-group", "a bias added behind a convolution with groups, fused and read by the index within the group (onnxruntime#12498)", func(p *graph.Program) {
		for i := range p.Nodes {
			add := &p.Nodes[i]
			if add.Op != "Add" {
				continue
			}
			j := producer(p, add.Inputs[0])
			if j < 0 || p.Nodes[j].Op != "Conv" || constant(p, add.Inputs[1]) == nil {
				continue
			}
			if groups := int(p.Nodes[j].Attrs["group"].Int); groups > 1 {
				add.Inputs[1] = constLike(p, add.Inputs[1], func(i int, v []float64) float64 { return v[i%(len(v)/groups)] })
			}
		}
	}),
	plan("relu6-fused-as-relu", "a fused clip that knows its lower bound alone", func(p *graph.Program) {
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Op == "Clip" {
				n.Op, n.Inputs = "Relu", n.Inputs[:1]
			}
		}
	}),
	plan("gate-without-broadcast", "squeeze and excite: every channel weighed by the first one's gate", func(p *graph.Program) {
		for i := range p.Nodes {
			n := &p.Nodes[i]
			if n.Op != "Sigmoid" || i+1 == len(p.Nodes) || p.Nodes[i+1].Op != "Mul" || readers(p, n.Outputs[0]) != 1 {
				continue
			}
			first := n.Outputs[0] + " of the first channel"
			at := slices.Index(p.Nodes[i+1].Inputs, n.Outputs[0])
			if at < 0 {
				continue
			}
			p.Nodes[i+1].Inputs[at] = first
			p.Nodes = slices.Insert(p.Nodes, i+1, graph.Node{Name: "slice " + first, Op: "Slice", Inputs: n.Outputs[:1], Outputs: []string{first},
				Attrs: graph.Attrs{"axes": graph.L(1), "starts": graph.L(0), "ends": graph.L(1)}})
			return
		}
	}),
	plan("consumerless-output-aliased", "an output that nobody reads written where another value still lies (onnxruntime#21019)", func(p *graph.Program) {
		g, err := p.Infer()
		if err != nil {
			return
		}
		for i, n := range p.Nodes {
			if n.Op != "MaxPool" || len(n.Outputs) < 2 || n.Outputs[1] == "" || readers(p, n.Outputs[1]) > 0 {
				continue
			}
			for k := range i {
				victim := p.Nodes[k].Outputs[0]
				t := g.Types[victim]
				if t.DType != tensor.F32 || t.Shape.Elements() != g.Types[n.Outputs[1]].Shape.Elements() || !readAfter(p, victim, i) {
					continue
				}
				name := victim + " overwritten"
				replaceAfter(p, i, victim, name)
				numbers := insertCast(p, n.Outputs[1], tensor.F32)
				cast := p.Nodes[len(p.Nodes)-1]
				p.Nodes = slices.Insert(p.Nodes[:len(p.Nodes)-1], i+1, cast, graph.Node{Name: "reshape " + name, Op: "Reshape",
					Inputs: []string{numbers}, Outputs: []string{name}, Attrs: graph.Attrs{"shape": graph.L(t.Shape...)}})
				return
			}
		}
	}),
	plan("shared-gradient-slice-unwritten", "the last row of a shared parameter's gradient left out of the sum", func(p *graph.Program) {
		g, err := p.Infer()
		if err != nil {
			return
		}
		for i := range p.Nodes {
			n := &p.Nodes[i]
			if n.Op != "Add" || len(n.Name) < 5 || n.Name[:4] != "grad" || len(g.Types[n.Outputs[0]].Shape) == 0 {
				continue
			}
			t := g.Types[n.Outputs[0]]
			mask := tensor.New(t.DType, t.Shape...)
			v := make([]float64, t.Shape.Elements())
			for k := range v[:len(v)-t.Shape[1:].Elements()] {
				v[k] = 1
			}
			mask.SetFloat64s(v)
			name := fmt.Sprintf("rows written %d", i)
			p.Consts = append(p.Consts, graph.Const{Name: name, Tensor: mask})
			masked := n.Inputs[1] + " but its last row"
			second := n.Inputs[1]
			n.Inputs[1] = masked
			p.Nodes = slices.Insert(p.Nodes, i, graph.Node{Name: "mask " + masked, Op: "Mul", Inputs: []string{second, name}, Outputs: []string{masked}})
			return
		}
	}),
}

// constant is the tensor of a const; nil if there is none of the name.
func constant(p *graph.Program, name string) *tensor.Tensor {
	for _, c := range p.Consts {
		if c.Name == name {
			return c.Tensor
		}
	}
	return nil
}

// constLike adds a const with other numbers in place of another's, and names
// it.
func constLike(p *graph.Program, name string, f func(i int, v []float64) float64) string {
	old := constant(p, name)
	v := old.Float64s()
	t := tensor.New(old.DType, old.Shape...)
	changed := make([]float64, len(v))
	for i := range v {
		changed[i] = f(i, v)
	}
	t.SetFloat64s(changed)
	p.Consts = append(p.Consts, graph.Const{Name: name + " as planned", Tensor: t})
	return name + " as planned"
}

// readAfter tells whether a node behind node i reads a value.
func readAfter(p *graph.Program, value string, i int) bool {
	return slices.ContainsFunc(p.Nodes[i+1:], func(n graph.Node) bool { return slices.Contains(n.Inputs, value) })
}

// replaceAfter has all nodes behind node i read another value.
func replaceAfter(p *graph.Program, i int, value, other string) {
	for k := range p.Nodes[i+1:] {
		in := p.Nodes[i+1+k].Inputs
		for j := range in {
			if in[j] == value {
				in[j] = other
			}
		}
	}
}
