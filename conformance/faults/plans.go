package faults

import (
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Wrong plans: fusions and lifetimes, as rewrites of the program that a faulty
// planner would make. The nodes themselves are computed right.

var planFaults = []Fault{
	plan("relu-fused-into-fetched-product", "a fused ReLU applied to the product that is fetched too", func(p *graph.Program) {
		for _, n := range p.Nodes {
			if n.Op == "Relu" && slices.Contains(p.Fetches, n.Inputs[0]) {
				swapValues(p, n.Inputs[0], n.Outputs[0])
				return
			}
		}
	}),
	plan("residual-added-after-activation", "a residual moved behind the activation of the block", func(p *graph.Program) {
		for i := range p.Nodes {
			act := &p.Nodes[i]
			if act.Op != "Relu" && act.Op != "Tanh" && act.Op != "Sigmoid" {
				continue
			}
			// y = act(a + b) becomes act(a) + b: the two nodes exchange their ops.
			if j := producer(p, act.Inputs[0]); j >= 0 && p.Nodes[j].Op == "Add" && readers(p, act.Inputs[0]) == 1 {
				add := &p.Nodes[j]
				sum, y, a, b := add.Outputs[0], act.Outputs[0], add.Inputs[0], add.Inputs[1]
				add.Op, act.Op = act.Op, "Add"
				add.Inputs, act.Inputs = []string{a}, []string{sum, b}
				add.Outputs, act.Outputs = []string{sum}, []string{y}
			}
		}
	}),
	plan("residual-lost-when-fused", "a residual after an activation left out", func(p *graph.Program) {
		for i := range p.Nodes {
			n := &p.Nodes[i]
			if n.Op != "Add" {
				continue
			}
			if j := producer(p, n.Inputs[0]); j >= 0 && slices.Contains([]string{"Relu", "Tanh", "Sigmoid"}, p.Nodes[j].Op) {
				n.Op, n.Inputs = "Mul", []string{n.Inputs[0], one(p)}
			}
		}
	}),
	plan("activation-from-cache", "a fused kernel cached without its activation in the key (tensorflow#58149)", func(p *graph.Program) {
		first := ""
		for i := range p.Nodes {
			n := &p.Nodes[i]
			if n.Op == "Relu" || n.Op == "Tanh" || n.Op == "Sigmoid" {
				if first == "" {
					first = n.Op
				}
				n.Op = first
			}
		}
	}),
	plan("shared-weight-gradient-once", "of two gradients of a shared value one is written, not added", func(p *graph.Program) {
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Op == "Add" && len(n.Name) > 5 && n.Name[:4] == "grad" {
				n.Op, n.Inputs = "Mul", []string{n.Inputs[0], one(p)}
			}
		}
	}),
	plan("sum-with-itself", "x + x planned in place, and read once", func(p *graph.Program) {
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Op == "Add" && n.Inputs[0] == n.Inputs[1] {
				n.Op, n.Inputs = "Mul", []string{n.Inputs[0], one(p)}
			}
		}
	}),
	plan("buffer-reused-before-last-reader", "a value's buffer given to another while it is still read", func(p *graph.Program) {
		// The last reader of a value with two readers sees what the first made
		// in its place.
		for i := len(p.Nodes) - 1; i >= 0; i-- {
			for j, in := range p.Nodes[i].Inputs {
				k := producer(p, in)
				if k < 0 || readers(p, in) < 2 {
					continue
				}
				for m := k + 1; m < i; m++ {
					if f := p.Nodes[m]; f.Op == "Tanh" || f.Op == "Neg" || f.Op == "Relu" {
						if f.Inputs[0] == in {
							p.Nodes[i].Inputs[j] = f.Outputs[0]
							return
						}
					}
				}
			}
		}
	}),
	plan("donated-state-read", "a variable's memory given to its next value while nodes have yet to read it", func(p *graph.Program) {
		for _, u := range p.Updates {
			j := producer(p, u.Value)
			if j < 0 {
				continue
			}
			first := leadingTo(p, j)
			for i := range p.Nodes {
				for k, in := range p.Nodes[i].Inputs {
					if in == u.State && !first[i] {
						p.Nodes[i].Inputs[k] = u.Value
					}
				}
			}
		}
		inOrderOfUse(p)
	}),
	plan("update-lost", "one state variable's update left out", func(p *graph.Program) {
		if len(p.Updates) > 1 {
			p.Updates = p.Updates[:len(p.Updates)-1]
		}
	}),
	plan("gradient-of-stale-activation", "the backward pass reads an activation's input for its output", func(p *graph.Program) {
		for i := range p.Nodes {
			if n := &p.Nodes[i]; n.Op == "ReluGrad" {
				if j := producer(p, n.Inputs[1]); j >= 0 && p.Nodes[j].Op == "Relu" {
					n.Inputs[1] = p.Nodes[j].Inputs[0]
					n.Inputs[0], n.Inputs[1] = n.Inputs[1], n.Inputs[0]
				}
			}
		}
	}),
}

// planOps are the families of programs that plans are tried on.
var planOps = []string{"Fused", "Random", "lenet5"}

func plan(name, why string, rewrite func(p *graph.Program)) Fault {
	return Fault{Name: name, Kind: KindPlan, Why: why, Ops: planOps, Effort: conformance.Quick, Backend: func() backends.Backend {
		return &Rig{Mode: reference.Mode{Round: true}, Rewrite: func(p *graph.Program) *graph.Program {
			c := p.Clone()
			rewrite(&c)
			if _, err := c.Infer(); err != nil {
				return p // the rewrite does not fit this program
			}
			return &c
		}}
	}}
}

// one is the name of a const 1, added to the program.
func one(p *graph.Program) string {
	const name = "the faulty planner's one"
	if !slices.ContainsFunc(p.Consts, func(c graph.Const) bool { return c.Name == name }) {
		p.Consts = append(p.Consts, graph.Const{Name: name, Tensor: tensor.Scalar(tensor.F32, 1)})
	}
	return name
}

// swapValues exchanges two values of one type wherever they are made: what is
// fetched under either name, which can't change, is then the other.
func swapValues(p *graph.Program, a, b string) {
	for i := range p.Nodes {
		for _, list := range [][]string{p.Nodes[i].Inputs, p.Nodes[i].Outputs} {
			for j, v := range list {
				switch v {
				case a:
					list[j] = b
				case b:
					list[j] = a
				}
			}
		}
	}
}

func producer(p *graph.Program, value string) int {
	return slices.IndexFunc(p.Nodes, func(n graph.Node) bool { return slices.Contains(n.Outputs, value) && value != "" })
}

// readers counts the nodes, fetches and updates that read a value.
func readers(p *graph.Program, value string) int {
	n := 0
	for _, x := range p.Nodes {
		for _, in := range x.Inputs {
			if in == value {
				n++
			}
		}
	}
	for _, f := range p.Fetches {
		if f == value {
			n++
		}
	}
	for _, u := range p.Updates {
		if u.Value == value {
			n++
		}
	}
	return n
}

// leadingTo are node j and those that it follows from.
func leadingTo(p *graph.Program, j int) map[int]bool {
	before := map[int]bool{j: true}
	for open := []int{j}; len(open) > 0; open = open[1:] {
		for _, in := range p.Nodes[open[0]].Inputs {
			if i := producer(p, in); i >= 0 && !before[i] {
				before[i] = true
				open = append(open, i)
			}
		}
	}
	return before
}

// inOrderOfUse puts nodes behind those whose outputs they read, where a
// rewrite has left them in another order. Nodes in a circle are left out, and
// with them the program is none any more.
func inOrderOfUse(p *graph.Program) {
	made := map[string]bool{"": true}
	for _, c := range p.Consts {
		made[c.Name] = true
	}
	for _, v := range slices.Concat(p.Feeds, p.State) {
		made[v.Name] = true
	}
	var sorted []graph.Node
	for left := p.Nodes; len(left) > 0; {
		i := slices.IndexFunc(left, func(n graph.Node) bool {
			return !slices.ContainsFunc(n.Inputs, func(in string) bool { return !made[in] })
		})
		if i < 0 {
			break
		}
		for _, out := range left[i].Outputs {
			made[out] = true
		}
		sorted = append(sorted, left[i])
		left = slices.Delete(slices.Clone(left), i, i+1)
	}
	p.Nodes = sorted
}
