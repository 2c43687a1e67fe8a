package reference

import "github.com/clsbench/clsbench/tensor"

// MatMul is the product of matrices or of stacks of them:
//
//	Y[…,i,j] = Σ_k A[…,i,k] · B[…,k,j]
//
// A …×M×K, B …×K×N, Y …×M×N; the leading axes broadcast.
func MatMul(a, b *Array) Formula {
	stackA, stackB := a.Shape[:len(a.Shape)-2], b.Shape[:len(b.Shape)-2]
	m, k := a.Shape[len(a.Shape)-2], a.Shape[len(a.Shape)-1]
	n := b.Shape[len(b.Shape)-1]
	stack := broadcast(&Array{Shape: stackA}, &Array{Shape: stackB})
	ofA := offsets(stack, tensor.BroadcastStrides(stackA, stack)) // which matrix of A
	ofB := offsets(stack, tensor.BroadcastStrides(stackB, stack))
	return Formula{append(stack.Clone(), m, n), func(acc *Acc, y int) float64 {
		p, i, j := y/(m*n), y/n%m, y%n
		row := a.Data[(ofA[p]*m+i)*k:][:k]
		matrix := b.Data[ofB[p]*k*n:][:k*n]
		s := acc.New()
		for l := range k {
			s = s.Plus(row[l] * matrix[l*n+j])
		}
		return s.Value()
	}}
}

// Gemm is BLAS's matrix product (Dongarra et al., "A Set of Level 3 Basic
// Linear Algebra Subprograms", 1990):
//
//	Y[i,j] = alpha · Σ_k A′[i,k] · B′[k,j] + beta · C[i,j]
//
// A′ M×K is A or its transpose, B′ K×N likewise, C broadcasts to M×N or is
// nil, Y M×N.
func Gemm(a, b, c *Array, alpha, beta float64, transA, transB bool) Formula {
	if transA {
		a = Transpose(a, []int{1, 0})
	}
	if transB {
		b = Transpose(b, []int{1, 0})
	}
	product := MatMul(a, b)
	if c != nil {
		c = Expand(c, product.Shape)
	}
	return Formula{product.Shape, func(acc *Acc, i int) float64 {
		y := alpha * product.At(acc, i)
		if c != nil {
			y += beta * c.Data[i]
		}
		return y
	}}
}
