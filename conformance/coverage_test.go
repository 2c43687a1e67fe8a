package conformance

import (
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

// What the table types, as whatever input, has a case in it: an op that a program
// has in front of another counts for both.
func TestEveryInputHasCasesInItsTypes(t *testing.T) {
	type asked struct {
		op    string
		input int
		d     tensor.DType
	}
	seen := map[asked]bool{}
	for _, c := range Cases() {
		p, err := c.program(Draw{Seed: 1, Case: c.dataName()})
		require.NoError(t, err, c.Name())
		g, err := p.Infer()
		require.NoError(t, err, c.Name())
		for _, call := range g.Calls {
			for i, in := range call.In {
				seen[asked{call.Op.Name, min(i, len(call.Op.Inputs)-1), in.DType}] = true
			}
		}
	}
	for _, op := range graph.Ops() {
		for i, in := range op.Inputs {
			for _, d := range in.Types.DTypes() {
				assert.True(t, seen[asked{op.Name, i, d}], "no case of %s has %s in %v", op.Name, in.Name, d)
			}
		}
	}
}
