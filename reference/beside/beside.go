// Package beside computes the reference's sums of products many at a time: the
// elements of a convolution or a matrix product that add up equally many terms
// go side by side through one loop, each in its own order. The numbers are the
// reference's to the last bit, some ten times as soon, which is what whole
// networks take. Formulas to read are those of package reference.
package beside

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Mode is m with sums side by side in the calls that a math mode leaves alone.
func Mode(m reference.Mode) reference.Mode {
	relax := m.Relax
	m.Relax = func(acc *reference.Acc, c *graph.Call, in []*reference.Array) ([]*reference.Array, error) {
		if relax != nil {
			if out, err := relax(acc, c, in); out != nil || err != nil {
				return out, err
			}
		}
		f := functions[c.Op.Name]
		if f == nil || !c.Out[0].DType.IsFloat() {
			return nil, nil
		}
		y, err := f(acc, c, in)
		if y == nil || err != nil {
			return nil, err
		}
		return []*reference.Array{y}, nil
	}
	return m
}

// functions give an op's output; nil for a call that has too few sums of a kind.
var functions = map[string]func(acc *reference.Acc, c *graph.Call, in []*reference.Array) (*reference.Array, error){
	"Conv": conv, "ConvInputGrad": inputGrad, "ConvWeightGrad": weightGrad, "MatMul": matMul, "Gemm": gemm,
}

// fewest is how many sums go side by side at least.
const fewest = 4

// matMul has the columns of a row side by side.
func matMul(acc *reference.Acc, _ *graph.Call, in []*reference.Array) (*reference.Array, error) {
	a, b := in[0], in[1]
	n := b.Shape[len(b.Shape)-1]
	if n < fewest {
		return nil, nil
	}
	m, k := a.Shape[len(a.Shape)-2], a.Shape[len(a.Shape)-1]
	y := reference.New(reference.MatMul(a, b).Shape...)
	stack := y.Shape[:len(y.Shape)-2]
	ofA, ofB := places(a.Shape[:len(a.Shape)-2], stack), places(b.Shape[:len(b.Shape)-2], stack)
	skip := finite(b.Data)
	acc.Parallel(stack.Elements()*m, func(from, to int) {
		s := newSums(acc.Order(), n, skip)
		for row := from; row < to; row++ {
			p, i := row/m, row%m
			left, right := a.Data[(ofA[p]*m+i)*k:][:k], b.Data[ofB[p]*k*n:]
			for l, x := range left {
				s.scaled(x, right[l*n:][:n])
			}
			s.values(y.Data[row*n:][:n])
		}
	})
	return y, nil
}

// places are, for every index of a stack of matrices, the number of the matrix
// there of an operand whose own stack broadcasts to it.
func places(own, stack tensor.Shape) []int {
	list := []int{0}
	strides := tensor.BroadcastStrides(own, stack)
	for axis, extent := range stack {
		var longer []int
		for _, at := range list {
			for i := range extent {
				longer = append(longer, at+i*strides[axis])
			}
		}
		list = longer
	}
	return list
}

func gemm(acc *reference.Acc, c *graph.Call, in []*reference.Array) (*reference.Array, error) {
	a, b := in[0], in[1]
	if c.Int("transA") != 0 {
		a = reference.Transpose(a, []int{1, 0})
	}
	if c.Int("transB") != 0 {
		b = reference.Transpose(b, []int{1, 0})
	}
	y, err := matMul(acc, c, []*reference.Array{a, b})
	if y == nil || err != nil {
		return nil, err
	}
	alpha, beta := c.Float("alpha"), c.Float("beta")
	var bias *reference.Array
	if in[2] != nil {
		bias = reference.Expand(in[2], y.Shape)
	}
	for i := range y.Data {
		y.Data[i] *= alpha
		if bias != nil {
			y.Data[i] += beta * bias.Data[i]
		}
	}
	return y, nil
}
