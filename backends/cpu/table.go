package cpu

import (
	"fmt"
	"slices"

	"github.com/clsbench/clsbench/backends"
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// implementation is one way to compute an op, alone or with nodes that follow
// it.
type implementation struct {
	kernel    string // as the plan names it
	algorithm string
	// takes says why it can't compute the call; nil: it can.
	takes func(c *graph.Call) error
	// absorbs tells whether p, whose first node this implementation computes,
	// may go on with c, the only reader of p's output; nil: never.
	absorbs func(t table, p *part, c *graph.Call) bool
	// joins tells whether p may go on with c, the next node of the program,
	// which reads nothing of p; nil: never.
	joins func(p *part, c *graph.Call) bool
	// build makes the partition's phases.
	build func(b *builder, p *part) error
	// elements computes a range of elements, for what can be part of a chain.
	elements func(b *builder, c *graph.Call, in []*value, out *value) ranger
}

// table is what the backend can do: for each op its implementations, the
// first that takes a call computing it. A faster one for some shapes is one
// more row before the others.
type table map[string][]implementation

func newTable() table {
	t := table{}
	for _, r := range slices.Concat(elementwiseRows(), reduceRows(), movementRows(), indexingRows(), selectRows(), matmulRows(), convRows(), poolRows(), softmaxRows(), lossRows(), normRows(), lrnRows(), randomRows(), attentionRows(), optimizerRows(), scalingRows(), quantizationRows(), qproductRows()) {
		t[r.op] = r.implementations
	}
	return t
}

// row is the implementations of one op.
type row struct {
	op              string
	implementations []implementation
}

// choose is the first implementation that takes the call, or why the last one
// does not.
func (t table) choose(c *graph.Call) (*implementation, error) {
	err := fmt.Errorf("op %s: there is no kernel for it", c.Op.Name)
	list := t[c.Op.Name]
	for i := range list {
		if err = list[i].takes(c); err == nil {
			return &list[i], nil
		}
	}
	if w := widen(c); w != nil {
		for i := range list {
			if list[i].takes(w) == nil {
				return widened(w, &list[i]), nil
			}
		}
	}
	return nil, err
}

// has says whether there is a kernel for the call.
func (t table) has(c *graph.Call) bool {
	_, err := t.choose(c)
	return err == nil
}

func (t table) verdict(c *graph.Call) backends.NodeVerdict {
	v := backends.NodeVerdict{Node: c.Name}
	if len(t[c.Op.Name]) > 0 {
		v.Version = c.Op.Version
	}
	if _, err := t.choose(c); err != nil {
		v.Why = err.Error()
		return v
	}
	v.Supported = true
	return v
}

// The sets of element types that kernels are written for. 16-bit floats are
// moved and converted; what computes with them computes in f32, see widened.
const (
	f32Only   = graph.TypeSet(1 << tensor.F32)
	wideFloat = f32Only | 1<<tensor.F64
)

// wide is the numbers that arithmetic is written for.
var wide = graph.Ints | wideFloat

// ofTypes takes calls whose inputs so numbered have one of these types.
func ofTypes(types graph.TypeSet, inputs ...int) func(c *graph.Call) error {
	return func(c *graph.Call) error {
		for _, i := range inputs {
			if c.Has(i) && !types.Has(c.In[i].DType) {
				return fmt.Errorf("input %s is %v: there is a kernel for %v", c.Op.In(i).Name, c.In[i].DType, types.DTypes())
			}
		}
		return nil
	}
}
