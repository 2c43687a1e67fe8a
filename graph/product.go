package graph

// The product of a list in core ops: halves are multiplied with each other
// until one element is left. Divisions by elements, which may be 0, are not
// needed for its gradient either: it goes back the same tree.

// halving is one level of the tree: x of rows×n elements is left times right.
type halving struct {
	n           int // before a 1 was put behind an odd number
	left, right Value
}

// products is the product along the last of two axes, rows×1, and the tree.
func (b *Builder) products(x Value) (Value, []halving) {
	var tree []halving
	for b.err == nil && x.Type.Shape[1] != 1 {
		n := x.Type.Shape[1]
		level := halving{n: n}
		if n%2 == 1 || n == 0 {
			x = b.Op("Pad", Attrs{"pads": L(0, 0, 0, 1), "value": F(1)}, x)
			n++
		}
		if n == 1 {
			break
		}
		level.left, level.right = b.part(x, 1, 0, n/2), b.part(x, 1, n/2, n)
		x = b.Op("Mul", nil, level.left, level.right)
		tree = append(tree, level)
	}
	return x, tree
}

// foldedLast brings the folded axes of a reduction's input behind the others:
// rows×n. perm is how the axes were permuted.
func (b *Builder) foldedLast(c *Call) (x Value, perm []int) {
	axes, err := c.Axes("axes")
	b.Fail(err)
	if b.err != nil {
		return Value{}, nil
	}
	folded := make([]bool, len(c.In[0].Shape))
	for _, a := range axes {
		folded[a] = true
	}
	for _, want := range []bool{false, true} {
		for a, f := range folded {
			if f == want {
				perm = append(perm, a)
			}
		}
	}
	rows, n := c.keptShape().Elements(), 1
	for _, a := range axes {
		n *= c.In[0].Shape[a]
	}
	return b.reshape(b.transpose(c.Input(0), perm), rows, n), perm
}

func (b *Builder) transpose(x Value, perm []int) Value {
	if len(perm) == 0 {
		return x
	}
	return b.Op("Transpose", Attrs{"perm": L(perm...)}, x)
}

func decomposeReduceProd(b *Builder, c *Call) Value {
	x, _ := b.foldedLast(c)
	if b.err != nil {
		return Value{}
	}
	y, _ := b.products(x)
	return b.reshape(y, c.Out[0].Shape...)
}

func gradReduceProd(b *Builder, c *Call, dy Value) Value {
	if elements(c.In[0]) == 0 {
		return b.zeros(c.In[0])
	}
	x, perm := b.foldedLast(c)
	if b.err != nil {
		return Value{}
	}
	_, tree := b.products(x)
	g := b.reshape(dy, dy.Type.Shape.Elements(), 1)
	for i := len(tree) - 1; i >= 0; i-- {
		level := tree[i]
		g = b.Op("Concat", Attrs{"axis": I(1)}, b.Op("Mul", nil, g, level.right), b.Op("Mul", nil, g, level.left))
		if g.Type.Shape[1] != level.n {
			g = b.part(g, 1, 0, level.n)
		}
	}
	inverse, shape := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		inverse[p], shape[i] = i, c.In[0].Shape[p]
	}
	return b.transpose(b.reshape(g, shape...), inverse)
}
