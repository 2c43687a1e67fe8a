package pass

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// autocastRule is what Autocast does with an op.
type autocastRule int

const (
	// promoted ops compute in the widest type of their inputs: what adds, moves,
	// pools or activates. It is the rule of all ops that are not listed.
	promoted autocastRule = iota
	// lowered ops compute in the 16-bit type.
	lowered
	// kept ops compute in f32, and what they give is f32.
	kept
	// statistical ops compute in f32 beside parameters and running statistics in
	// f32, and give the type of their first input.
	statistical
)

// autocastRules are those of PyTorch's torch.autocast for CUDA, from "Autocast
// Op Reference" in its documentation (pytorch.org/docs/stable/amp.html), for
// what the op table has of its ops. What is no single op of PyTorch follows
// those that it is made of there: its local_response_norm ends in pow. Batch
// norm, which PyTorch does not list, takes 16-bit images beside parameters in
// f32, and instance norm is made of it.
var autocastRules = map[string]autocastRule{
	// conv1d…3d, matmul, mm, bmm, addmm, linear, scaled_dot_product_attention, prelu
	"Conv": lowered, "MatMul": lowered, "Gemm": lowered, "Attention": lowered, "PRelu": lowered,

	// softmax, log_softmax, cross_entropy, nll_loss, mse_loss
	"Softmax": kept, "LogSoftmax": kept, "SoftmaxCrossEntropy": kept, "SoftmaxCrossEntropyLoss": kept,
	"NegativeLogLikelihoodLoss": kept, "MSELoss": kept,
	// layer_norm, group_norm, rms_norm, and pow in local_response_norm
	"LayerNormalization": kept, "GroupNormalization": kept, "RMSNormalization": kept, "LRN": kept,
	// exp, log, pow, reciprocal, softplus
	"Exp": kept, "Log": kept, "Pow": kept, "Reciprocal": kept, "Softplus": kept,
	// sum, prod, cumsum, norm, and log of a sum; mean is not among them
	"ReduceSum": kept, "ReduceProd": kept, "CumSum": kept, "ReduceL1": kept, "ReduceL2": kept, "ReduceSumSquare": kept,
	"ReduceLogSum": kept,

	"BatchNormalization": statistical, "BatchNormalizationTraining": statistical, "InstanceNormalization": statistical,
}

// Autocast rewrites a forward pass in f32 into one of mixed precision, op by op
// as PyTorch's autocast does: products in the 16-bit type half, what loses by
// it in f32, everything else in the type that reaches it (Micikevicius et al.,
// "Mixed Precision Training", 2018). State, feeds and fetches keep their types,
// so that parameters stay f32; each value is cast once, however many read it,
// and a constant's cast is a constant. A gradient taken afterwards is cast back
// where its value was cast.
func Autocast(p *graph.Program, half tensor.DType) (*graph.Program, error) {
	if half != tensor.F16 && half != tensor.BF16 {
		return nil, fmt.Errorf("autocasting %s to %v: want f16 or bf16", p.Name, half)
	}
	r, err := newRewriter(p)
	if err != nil {
		return nil, err
	}
	c := &caster{rewriter: r, half: half, types: map[string]tensor.Type{}, casts: map[castOf]string{}}
	for name, t := range r.from.Types {
		c.types[name] = t // of what a node gives: until that node is written
	}
	for i := range r.from.Calls {
		if err := c.node(&r.from.Calls[i]); err != nil {
			return nil, fmt.Errorf("autocasting %s: %w", p.Name, err)
		}
	}
	for i, f := range r.out.Fetches {
		r.out.Fetches[i] = c.as(f, r.from.Types[f].DType)
	}
	for i, u := range r.out.Updates {
		r.out.Updates[i].Value = c.as(u.Value, r.from.Types[u.Value].DType)
	}
	return r.finish()
}

// caster writes the program of Autocast.
type caster struct {
	*rewriter
	half  tensor.DType
	types map[string]tensor.Type // of the values written so far
	casts map[castOf]string      // values cast already
}

type castOf struct {
	value string
	to    tensor.DType
}

// node writes a node with its inputs in the types that its rule wants.
func (c *caster) node(call *graph.Call) error {
	n := cloned(call.Node)
	rule := autocastRules[call.Op.Name]
	if c.double(call) { // autocast leaves f64 alone
		rule = promoted
	}
	for i, name := range n.Inputs {
		if name == "" || !c.mixes(name) {
			continue
		}
		switch rule {
		case lowered:
			n.Inputs[i] = c.as(name, c.half)
		case kept, statistical:
			n.Inputs[i] = c.as(name, tensor.F32)
		default:
			n.Inputs[i] = c.as(name, c.widest(call, i))
		}
	}
	if result := n.Outputs[0]; rule == statistical && c.types[call.Inputs[0]].DType == c.half && result != "" {
		n.Outputs[0] = c.unique(result + "." + tensor.F32.String())
		if err := c.write(n); err != nil {
			return err
		}
		c.cast(n.Outputs[0], result, c.half)
		return nil
	}
	return c.write(n)
}

// write resolves and appends a node.
func (c *caster) write(n graph.Node) error {
	in := make([]tensor.Type, len(n.Inputs))
	for i, name := range n.Inputs {
		in[i] = c.types[name]
	}
	call, err := graph.Resolve(&n, in)
	if err != nil {
		return err
	}
	for i, name := range n.Outputs {
		if name != "" {
			c.types[name] = call.Out[i]
		}
	}
	c.out.Nodes = append(c.out.Nodes, n)
	return nil
}

// mixes says whether a value is of one of the two types that are mixed.
func (c *caster) mixes(value string) bool {
	d := c.types[value].DType
	return d == tensor.F32 || d == c.half
}

// double says whether a node has an input in f64.
func (c *caster) double(call *graph.Call) bool {
	for _, name := range call.Inputs {
		if name != "" && c.types[name].DType == tensor.F64 {
			return true
		}
	}
	return false
}

// widest is the type of input i, or f32 where one that must have the same type
// is f32.
func (c *caster) widest(call *graph.Call, i int) tensor.DType {
	group := call.Op.In(i).Var
	for j, name := range call.Inputs {
		if group != "" && name != "" && call.Op.In(j).Var == group && c.types[name].DType == tensor.F32 {
			return tensor.F32
		}
	}
	return c.types[call.Inputs[i]].DType
}

// as is the value in a type: itself, or its one cast.
func (c *caster) as(value string, d tensor.DType) string {
	if c.types[value].DType == d {
		return value
	}
	key := castOf{value, d}
	if c.casts[key] == "" {
		name := value + "." + d.String()
		if t := c.consts[value]; t != nil {
			x := tensor.New(d, t.Shape...)
			x.SetFloat64s(t.Float64s()) // rounded to nearest even, as Cast does
			name = c.constant(name, x)
			c.types[name] = x.Type
		} else {
			name = c.unique(name)
			c.cast(value, name, d)
		}
		c.casts[key] = name
	}
	return c.casts[key]
}

// cast appends a node that makes the value to of from.
func (c *caster) cast(from, to string, d tensor.DType) {
	c.out.Nodes = append(c.out.Nodes, graph.Node{Name: c.unique(to + ".Cast"), Op: "Cast", Inputs: []string{from}, Outputs: []string{to},
		Attrs: graph.Attrs{"to": graph.S(d.String())}})
	c.types[to] = tensor.Type{DType: d, Shape: c.types[from].Shape}
}
