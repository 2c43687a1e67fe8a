package reference

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Mode says which legal implementation to be. Its zero value is the best one:
// float64 throughout, sums in the order of the formulas.
type Mode struct {
	// Round rounds every float that a node gives to its element type, once,
	// and every partial sum to f32 (to the element type if that is f64).
	Round bool
	// Order, if not 0, is the seed of a random order of every node's sums.
	Order uint64
	// Backwards sums one term after the other, from the last of a formula to
	// the first, whatever Order draws.
	Backwards bool
	// Relax, if not nil, computes a call in another way than its formula; it
	// gives nil where it leaves the call alone. See package relaxed.
	Relax func(acc *Acc, c *graph.Call, in []*Array) ([]*Array, error)
	// Threads is how many goroutines may work; 0: as many as run at a time.
	// Results do not depend on it.
	Threads int
}

// Acc is what the sums of one node go through.
func (m Mode) Acc(c *graph.Call) *Acc {
	a := &Acc{threads: m.Threads}
	if a.threads == 0 {
		a.threads = runtime.GOMAXPROCS(0)
	}
	d := c.Out[0].DType
	single := m.Round && d.IsFloat() && d != tensor.F64
	if single || m.Order != 0 || m.Backwards {
		o := drawOrder(m.Order, c.Name)
		if m.Backwards {
			o = order{lanes: 1, run: 1, backwards: true}
		}
		o.single = single
		o.terms = o.terms && single
		a.order = &o
	}
	return a
}

// Eval runs one step of a program. env holds, by name, the feeds and the state
// on entry, in addition every const and every node's outputs on exit; consts
// that are there already are not widened again. next holds the values that
// state variables take at the end of the step; the caller moves them into the
// state.
//
// Integers and truth values are exact in every mode: integer arithmetic that
// overflows wraps around, modulo 2 to the number of bits. An error names the
// node.
func Eval(g *graph.Graph, env map[string]*Array, m Mode) (next map[string]*Array, err error) {
	for _, c := range g.Consts {
		if env[c.Name] == nil {
			env[c.Name] = FromTensor(c.Tensor)
		}
	}
	for _, list := range [][]graph.Value{g.Feeds, g.State} {
		for _, v := range list {
			if _, err := find(env, v); err != nil {
				return nil, err
			}
		}
	}
	for i := range g.Calls {
		if err := EvalNode(&g.Calls[i], env, m); err != nil {
			return nil, err
		}
	}
	next = make(map[string]*Array, len(g.Updates))
	for _, u := range g.Updates {
		next[u.State] = env[u.Value]
	}
	return next, nil
}

// EvalNode computes one node whose inputs are in env and enters its outputs.
func EvalNode(c *graph.Call, env map[string]*Array, m Mode) error {
	out, err := evalOutputs(c, env, m)
	if err != nil {
		return nodeError(c, err)
	}
	for i, name := range c.Outputs {
		if name != "" {
			env[name] = out[i]
		}
	}
	return nil
}

// EvalAt computes output 0 of a node at flat positions: the same numbers as
// EvalNode's, each by itself where the op has a formula for that.
func EvalAt(c *graph.Call, env map[string]*Array, m Mode, at []int) ([]float64, error) {
	f, _ := Lookup(c.Op.Name)
	if f.Formula == nil {
		out, err := evalOutputs(c, env, m)
		if err != nil {
			return nil, nodeError(c, err)
		}
		y := make([]float64, len(at))
		for i, j := range at {
			y[i] = out[0].Data[j]
		}
		return y, nil
	}
	in, err := inputs(c, env)
	if err != nil {
		return nil, nodeError(c, err)
	}
	y, err := f.Formula(c, in)
	if err != nil {
		return nil, nodeError(c, err)
	}
	sampled := Formula{tensor.Shape{len(at)}, func(acc *Acc, i int) float64 { return y.At(acc, at[i]) }}
	return m.settled(sampled.Array(m.Acc(c)), c.Out[0].DType).Data, nil
}

// evalOutputs gives all outputs of a node as they stand after it.
func evalOutputs(c *graph.Call, env map[string]*Array, m Mode) ([]*Array, error) {
	f, ok := Lookup(c.Op.Name)
	if !ok {
		return nil, errors.New("the reference has no such op")
	}
	in, err := inputs(c, env)
	if err != nil {
		return nil, err
	}
	out, err := m.outputs(f, c, in)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if !out[i].Shape.Equal(c.Out[i].Shape) {
			return nil, fmt.Errorf("output %d is %v, inferred was %v", i, out[i].Shape, c.Out[i])
		}
		out[i] = m.settled(out[i], c.Out[i].DType)
	}
	return out, nil
}

func (m Mode) outputs(f Func, c *graph.Call, in []*Array) ([]*Array, error) {
	acc := m.Acc(c)
	if m.Relax != nil {
		if out, err := m.Relax(acc, c, in); out != nil || err != nil {
			return out, err
		}
	}
	return f.Outputs(acc, c, in)
}

func nodeError(c *graph.Call, err error) error {
	return &graph.NodeError{Node: c.Name, Op: c.Op.Name, Err: err}
}

// inputs are the arrays of a call, one an input of the signature or more where
// it is variadic, nil for those left out.
func inputs(c *graph.Call, env map[string]*Array) ([]*Array, error) {
	in := make([]*Array, max(len(c.In), len(c.Op.Inputs)))
	for i := range in {
		if !c.Has(i) {
			continue
		}
		x, err := find(env, c.Input(i))
		if err != nil {
			return nil, err
		}
		in[i] = x
	}
	return in, nil
}

func find(env map[string]*Array, v graph.Value) (*Array, error) {
	x := env[v.Name]
	if x == nil || !x.Shape.Equal(v.Type.Shape) {
		return nil, fmt.Errorf("value %s: missing, or not of shape %v", v.Name, v.Type.Shape)
	}
	return x, nil
}

// settled is x as values of an element type: floats rounded if the mode says
// so, integers wrapped.
func (m Mode) settled(x *Array, d tensor.DType) *Array {
	if d == tensor.Bool || d == tensor.F64 || (d.IsFloat() && !m.Round) {
		return x
	}
	return apply(x, func(v float64) float64 {
		if d.IsFloat() {
			return tensor.Round(v, d)
		}
		return wrap(v, d)
	})
}
