package conformance

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// notPointwise are the ops of one float that keep its shape and yet are no
// function of each element by itself.
var notPointwise = map[string]bool{
	"Flatten": true, "Identity": true, "Split": true, "Squeeze": true, // movement
	"Softmax": true, "LogSoftmax": true, // of rows
}

// In f16 and bf16 a function of one element is asked at every number there is.
func TestPointwiseOpsAreAskedAtEveryNumber(t *testing.T) {
	every := map[string]map[tensor.DType]bool{}
	for _, c := range Cases() {
		if c.Class == "every-number" {
			if every[c.Op] == nil {
				every[c.Op] = map[tensor.DType]bool{}
			}
			every[c.Op][c.DType] = true
		}
	}
	for _, op := range graph.Ops() {
		if !pointwise(op) && op.Name != "ReluGrad" && op.Name != "PRelu" || notPointwise[op.Name] {
			continue
		}
		for _, d := range narrowFloats {
			assert.True(t, every[op.Name][d], "%s is not asked at every number of %v", op.Name, d)
		}
	}
}

// pointwise says whether an op can take one float, without attributes, to as
// many elements.
func pointwise(op *graph.Op) bool {
	s := tensor.T(tensor.F16, 2, 3)
	call, err := graph.Resolve(&graph.Node{Op: op.Name, Domain: op.Domain, Inputs: []string{"x"}, Outputs: []string{"y"}}, []tensor.Type{s})
	return err == nil && call.Out[0].Shape.Equal(s.Shape)
}

// What the table types with a 16-bit float has a case in it.
func TestEveryOpHasCasesInItsNarrowTypes(t *testing.T) {
	asked := map[string]map[tensor.DType]bool{}
	for _, c := range Cases() {
		if asked[c.Op] == nil {
			asked[c.Op] = map[tensor.DType]bool{}
		}
		asked[c.Op][c.DType] = true
	}
	for _, op := range graph.Ops() {
		for _, d := range narrowFloats {
			if len(op.Inputs) > 0 && op.Inputs[0].Types.Has(d) {
				assert.True(t, asked[op.Name][d], "no case of %s in %v", op.Name, d)
			}
		}
	}
}

// typed is a type variable of an op, or a parameter with types of its own, at
// one of the types that the table allows there.
type typed struct {
	op, variable string
	dtype        tensor.DType
}

// variableOf names what p's type belongs to.
func variableOf(p *graph.Param) string {
	if p.Var != "" {
		return p.Var
	}
	return p.Name
}

// What the table says an op takes is judged somewhere, be it by a case that only
// the reference can run. There is no exception: a type that no program can have
// there does not belong into the row.
func TestEveryTypeOfTheTableHasACase(t *testing.T) {
	asked := map[typed]bool{}
	for _, c := range Cases() {
		if _, ok := c.subject.(*opSubject); !ok || c.sampled != 0 {
			continue
		}
		p, err := c.program(Draw{Case: c.Name(), Seed: 1})
		require.NoError(t, err, c.Name())
		g, err := p.Infer()
		require.NoError(t, err, c.Name())
		for i := range g.Calls {
			if g.Calls[i].Op.Name == c.Op {
				noteTypes(asked, &g.Calls[i])
			}
		}
	}
	for _, op := range graph.Ops() {
		for _, p := range slices.Concat(op.Inputs, op.Outputs) {
			for _, d := range p.Types.DTypes() {
				k := typed{op.Name, variableOf(&p), d}
				if !asked[k] {
					asked[k] = true // once
					t.Errorf("no case has %s of %s in %v", k.variable, k.op, k.dtype)
				}
			}
		}
	}
}

func noteTypes(asked map[typed]bool, c *graph.Call) {
	for i := range c.In {
		if c.Has(i) {
			asked[typed{c.Op.Name, variableOf(c.Op.In(i)), c.In[i].DType}] = true
		}
	}
	for i := range c.Outputs {
		if c.Wants(i) {
			asked[typed{c.Op.Name, variableOf(c.Op.Out(i)), c.Out[i].DType}] = true
		}
	}
}
