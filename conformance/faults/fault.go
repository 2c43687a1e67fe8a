package faults

import (
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/conformance"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
)

// Kind is where a fault sits.
type Kind string

// The kinds of faults.
const (
	KindKernel Kind = "kernel" // a wrong formula in the reference
	KindPlan   Kind = "plan"   // a wrong rewrite of the program, as a fusion would do it
	KindProxy  Kind = "proxy"  // a right backend, and something that corrupts what passes
	KindMutant Kind = "mutant" // a real backend's kernel with a line changed
)

// Fault is a backend that is wrong in one way.
type Fault struct {
	Name string
	Kind Kind
	Why  string // what it does, or where real stacks have shipped it
	// StandsFor is the listed fault that it is planted for; "" for one of our own.
	StandsFor string
	// Ops are the ops, or families of programs, whose cases are run against
	// it. Core says that two independent kinds of cases must reject it.
	Ops     []string
	Effort  conformance.Effort
	Core    bool
	Once    string // why one kind must do, where a kernel's fault is let off the second
	Math    string // the mode that its cases are judged in; "" is strict
	Backend func() backends.Backend
	cpu     *cpuSubject // instead of Backend: a fault in the build of cpu
}

// Faults lists what the suite must reject, as far as this processor can show it.
func Faults() []Fault {
	return slices.DeleteFunc(planted(), func(f Fault) bool { return f.cpu != nil && f.cpu.isa != "" && !available(f.cpu.isa) })
}

// planted are all faults.
func planted() []Fault {
	var all []Fault
	for _, list := range [][]Fault{productFaults, elementwiseFaults, functionFaults, poolFaults, softmaxFaults, lossFaults, optimizerFaults, weightFaults, scalingFaults, quantizationFaults, attentionFaults, randomFaults, normFaults, indexingFaults, mixedFaults, relaxedFaults, planFaults, fusionFaults, proxyFaults} {
		all = append(all, list...)
	}
	all = append(all, kernelFaults()...)
	listed := standsFor()
	for i := range all {
		all[i].StandsFor = listed[all[i].Name]
	}
	return all
}

// kernel is a fault of one op's kernel.
func kernel(name, op, why string, k Kernel) Fault {
	return Fault{Name: name, Kind: KindKernel, Why: why, Ops: []string{op}, Effort: conformance.Quick, Core: true, Backend: func() backends.Backend {
		return &Rig{Mode: reference.Mode{Round: true}, Kernels: map[string]Kernel{op: k}}
	}}
}

// also adds cases of other ops, whose programs have the faulty one in them.
func (f Fault) also(ops ...string) Fault {
	f.Ops = append(f.Ops, ops...)
	return f
}

// standard has it meet cases of standard effort too: shapes that cost too much
// for a quick run.
func (f Fault) standard() Fault {
	f.Effort = conformance.Standard
	return f
}

// once says that one kind of cases can see the fault, and why there is no
// second; the kill matrix prints it.
func (f Fault) once(why string) Fault {
	if why == "" {
		panic("faults: " + f.Name + " is let off its second kind of cases for no reason")
	}
	f.Core, f.Once = false, why
	return f
}

// attr changes attributes and computes plainly.
func attr(change func(a graph.Attrs, c *graph.Call)) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		change(k.attrs(), k.Call)
		return k.Plain()
	}
}

// attrs gives the launch attributes of its own, to be changed.
func (k *Launch) attrs() graph.Attrs {
	call, node := *k.Call, *k.Call.Node
	node.Attrs = graph.Attrs{}
	for name, a := range k.Call.Attrs {
		node.Attrs[name] = a
	}
	call.Node = &node
	k.Call = &call
	return node.Attrs
}

// on changes one input and computes plainly; the change leaves the original
// as it is.
func on(input int, change func(x *reference.Array, k *Launch) *reference.Array) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		if k.In[input] != nil {
			k.In[input] = change(k.In[input], k)
		}
		return k.Plain()
	}
}

// after changes output 0 of a plain computation, element by element.
func after(change func(y float64, i int, k *Launch) float64) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		in := *k
		out, err := k.Plain()
		if err == nil {
			y := reference.New(out[0].Shape...)
			for i, v := range out[0].Data {
				y.Data[i] = change(v, i, &in)
			}
			out[0] = y
		}
		return out, err
	}
}

// element computes an op of one input anew.
func element(f func(x float64) float64) Kernel {
	return func(k *Launch) ([]*reference.Array, error) {
		return []*reference.Array{mapped(k.In[0], f)}, nil
	}
}
