package conformance

import (
	"testing"

	"github.com/stretchr/testify/assert"

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
