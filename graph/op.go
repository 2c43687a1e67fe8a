package graph

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/clsbench/clsbench/tensor"
)

// Op is one row of the op table: all that the harness knows of an op. Its
// meaning in numbers is the function of the same name in package reference,
// its bounds are in package conformance.
type Op struct {
	Name    string
	Domain  string
	Version int  // Std: the opset that gave it its present meaning; Own: its own count
	Core    bool // every backend must have it; all other ops decompose into such

	Inputs  []Param
	Outputs []Param
	Attrs   []AttrSpec
	Folded  []string // attributes that ONNX passes as inputs, in their order
	// FoldedAt is before which input they stand; 0: behind all of them.
	FoldedAt int

	// Infer gives the types of all outputs, optional ones included, and of as
	// many variadic ones as the node has.
	Infer func(c *Call) ([]tensor.Type, error)
	// Work is the FLOPs of the direct algorithm; nil for ops that move data.
	Work func(c *Call) int64
	// Saves are the optional outputs that Grad reads: autodiff asks the
	// forward node for them, which makes it its own training twin.
	Saves []int
	// Detached are the outputs that count as constants to autodiff, though they
	// depend on the inputs: running statistics, and those that are saved.
	Detached []int
	// Grad writes the nodes that give each input's gradient from the outputs'
	// gradients dy (zero Value: not needed there). A zero Value in the answer
	// means that no gradient flows. nil: the op is not differentiable.
	Grad func(b *Builder, c *Call, dy []Value) []Value
	// StraightThrough says that Grad is an estimate of what has no useful
	// derivative, so that differences say nothing of it.
	StraightThrough bool
	// Decompose writes the same function in other ops and gives its outputs.
	// nil for core ops.
	Decompose func(b *Builder, c *Call) []Value
}

// Param is an input or output in an op's signature.
type Param struct {
	Name     string
	Types    TypeSet
	Var      string // parameters of one Var share their element type
	Optional bool
	Fixed    bool // an input that no gradient is defined for: labels, weights of classes
	// Variadic says that the last parameter stands for one or more in a row
	// (ONNX's variadic): Concat's inputs, Split's outputs.
	Variadic bool
}

// In is the parameter that input i belongs to; nil beyond the signature.
func (op *Op) In(i int) *Param { return param(op.Inputs, i) }

// Out is the parameter that output i belongs to; nil beyond the signature.
func (op *Op) Out(i int) *Param { return param(op.Outputs, i) }

func param(list []Param, i int) *Param {
	if last := len(list) - 1; i > last && last >= 0 && list[last].Variadic {
		i = last
	}
	if i >= len(list) {
		return nil
	}
	return &list[i]
}

// TypeSet is a set of element types.
type TypeSet uint16

func typeSet(ds ...tensor.DType) (s TypeSet) {
	for _, d := range ds {
		s |= 1 << d
	}
	return s
}

// The sets that signatures are written with.
var (
	Floats  = typeSet(tensor.F32, tensor.F64, tensor.F16, tensor.BF16)
	Ints    = typeSet(tensor.S8, tensor.U8, tensor.S32, tensor.U32, tensor.S64)
	Numeric = Floats | Ints
	Any     = Numeric | typeSet(tensor.Bool)
	Bools   = typeSet(tensor.Bool)
	Indices = typeSet(tensor.S32, tensor.S64)
	Int64s  = typeSet(tensor.S64)
	// Statistics are what sums over 16-bit floats are kept in, and over others.
	Statistics = typeSet(tensor.F32, tensor.F64)
	// EightBits is what networks are quantized to.
	EightBits = typeSet(tensor.S8, tensor.U8)
)

// Has reports membership.
func (s TypeSet) Has(d tensor.DType) bool { return s&(1<<d) != 0 }

// DTypes lists the members.
func (s TypeSet) DTypes() (ds []tensor.DType) {
	for _, d := range tensor.DTypes() {
		if s.Has(d) {
			ds = append(ds, d)
		}
	}
	return ds
}

// AttrKind is the type of an attribute.
type AttrKind uint8

// The kinds, as in ONNX's AttributeProto.
const (
	Int AttrKind = iota + 1
	Float
	String
	IntList
	FloatList
)

func (k AttrKind) String() string {
	return [...]string{"none", "int", "float", "string", "ints", "floats"}[k]
}

// Attr is the value of an attribute; the field that Kind names counts.
type Attr struct {
	Kind   AttrKind
	Int    int64
	Float  float32
	String string
	Ints   []int64
	Floats []float32
}

// Attrs are a node's attributes by name; an absent one takes its default.
type Attrs map[string]Attr

// I, F, S and L make attribute values.
func I(v int) Attr     { return Attr{Kind: Int, Int: int64(v)} }
func F(v float64) Attr { return Attr{Kind: Float, Float: float32(v)} }
func S(v string) Attr  { return Attr{Kind: String, String: v} }
func L[N ~int | ~int64](v ...N) Attr {
	a := Attr{Kind: IntList, Ints: make([]int64, len(v))}
	for i, x := range v {
		a.Ints[i] = int64(x)
	}
	return a
}

// AttrSpec is an attribute in an op's signature.
type AttrSpec struct {
	Name     string
	Kind     AttrKind
	Default  Attr // used when absent; its zero value leaves Ints empty
	Required bool
	OneOf    []string // String only: the values allowed; nil for any
}

// table gathers the rows, a file a family. A function and not a variable: rows
// refer to the builder, and Go forbids the cycle.
func table() []*Op {
	return slices.Concat(elementwiseOps, pointwiseOps, logicOps, activationOps, reduceOps, movementOps, sliceOps, padOps, gatherOps, scatterOps, selectOps, rearrangeOps, resizeOps, matmulOps, convOps, poolOps, globalPoolOps, softmaxOps,
		randomOps, attentionOps,
		lossOps, normOps, lrnOps, optimizerOps, scalingOps, quantizationOps, qproductOps)
}

type opKey struct{ domain, name string }

var opIndex = sync.OnceValue(func() map[opKey]*Op {
	m := make(map[opKey]*Op)
	for _, op := range table() {
		m[opKey{op.Domain, op.Name}] = op
	}
	return m
})

// Ops lists every row of the table, in the table's order.
func Ops() []*Op { return table() }

// Lookup finds a row; nil if there is none.
func Lookup(domain, name string) *Op { return opIndex()[opKey{domain, name}] }

// Call is a node with its op and types resolved: what rows, reference and
// kernels are given.
type Call struct {
	*Node
	Op  *Op
	In  []tensor.Type // zero Type for an optional input left out
	Out []tensor.Type // all outputs of the signature, wanted or not; variadic ones as many as the node has
}

// Resolve checks one node against its row and infers its output types. in has
// one type an input, zero for an optional one left out.
func Resolve(n *Node, in []tensor.Type) (*Call, error) {
	c, err := resolveCall(n, in)
	if err != nil {
		return nil, &NodeError{Node: n.Name, Op: n.Op, Err: err}
	}
	return c, nil
}

func resolveCall(n *Node, in []tensor.Type) (*Call, error) {
	op := Lookup(n.Domain, n.Op)
	if op == nil {
		return nil, &UnknownOpError{n.Domain, n.Op}
	}
	return op.call(n, in)
}

// UnknownOpError says that the op table lacks an op.
type UnknownOpError struct{ Domain, Op string }

func (e *UnknownOpError) Error() string {
	if e.Domain == Std {
		return fmt.Sprintf("op %s is not in the op table", e.Op)
	}
	return fmt.Sprintf("op %s::%s is not in the op table", e.Domain, e.Op)
}

func (op *Op) call(n *Node, in []tensor.Type) (*Call, error) {
	c := &Call{Node: n, Op: op, In: in}
	if err := c.checkInputs(); err != nil {
		return nil, err
	}
	if err := c.checkAttrs(); err != nil {
		return nil, err
	}
	if len(n.Outputs) == 0 || op.Out(len(n.Outputs)-1) == nil {
		return nil, fmt.Errorf("%d outputs, the op has %d", len(n.Outputs), len(op.Outputs))
	}
	out, err := op.Infer(c)
	if err != nil {
		return nil, err
	}
	for i, t := range out {
		if err := t.Validate(); err != nil {
			return nil, fmt.Errorf("output %s: %w", op.Out(i).Name, err)
		}
	}
	c.Out = out
	return c, nil
}

func (c *Call) checkInputs() error {
	if n := len(c.In); n > 0 && c.Op.In(n-1) == nil {
		return fmt.Errorf("%d inputs, the op takes %d", len(c.In), len(c.Op.Inputs))
	}
	vars := map[string]tensor.DType{}
	for i := range max(len(c.In), len(c.Op.Inputs)) {
		p := c.Op.In(i)
		if !c.Has(i) {
			if !p.Optional {
				return fmt.Errorf("input %s is missing", p.Name)
			}
			continue
		}
		d := c.In[i].DType
		if !p.Types.Has(d) {
			return limited("input %s is %v, want one of %v", p.Name, d, p.Types.DTypes())
		}
		if v, ok := vars[p.Var]; p.Var != "" && ok && v != d {
			return fmt.Errorf("input %s is %v, the others are %v", p.Name, d, v)
		}
		vars[p.Var] = d
	}
	return nil
}

func (c *Call) checkAttrs() error {
	for _, name := range slices.Sorted(maps.Keys(c.Attrs)) {
		spec := c.Op.attr(name)
		if spec == nil {
			return fmt.Errorf("attribute %s is not one of the op's", name)
		}
		a := c.Attrs[name]
		if a.Kind != spec.Kind {
			return fmt.Errorf("attribute %s is of kind %v, want %v", name, a.Kind, spec.Kind)
		}
		if spec.OneOf != nil && !slices.Contains(spec.OneOf, a.String) {
			return fmt.Errorf("attribute %s is %q, want one of %q", name, a.String, spec.OneOf)
		}
	}
	for _, spec := range c.Op.Attrs {
		if _, ok := c.Attrs[spec.Name]; spec.Required && !ok {
			return fmt.Errorf("attribute %s is missing", spec.Name)
		}
	}
	return nil
}

func (op *Op) attr(name string) *AttrSpec {
	for i := range op.Attrs {
		if op.Attrs[i].Name == name {
			return &op.Attrs[i]
		}
	}
	return nil
}

// Has reports whether input i is given.
func (c *Call) Has(i int) bool { return i < len(c.In) && c.In[i].DType.Valid() }

// Wants reports whether output i has a name.
func (c *Call) Wants(i int) bool { return i < len(c.Outputs) && c.Outputs[i] != "" }

// Attr is the attribute's value or its default. It panics for a name that is
// not in the op's signature: that is a fault of our own code.
func (c *Call) Attr(name string) Attr {
	spec := c.Op.attr(name)
	if spec == nil {
		panic("graph: op " + c.Op.Name + " has no attribute " + name)
	}
	if a, ok := c.Attrs[name]; ok {
		return a
	}
	return spec.Default
}

// Int, Float, Str and Ints read one attribute of that kind.
func (c *Call) Int(name string) int       { return int(c.Attr(name).Int) }
func (c *Call) Float(name string) float64 { return float64(c.Attr(name).Float) }
func (c *Call) Str(name string) string    { return c.Attr(name).String }
func (c *Call) Ints(name string) []int {
	a := c.Attr(name).Ints
	out := make([]int, len(a))
	for i, v := range a {
		out[i] = int(v)
	}
	return out
}

// Input is input i as a value, zero if left out.
func (c *Call) Input(i int) Value {
	if !c.Has(i) {
		return Value{}
	}
	return Value{c.Inputs[i], c.In[i]}
}

// Output is output i as a value, zero if nobody wants it.
func (c *Call) Output(i int) Value {
	if !c.Wants(i) {
		return Value{}
	}
	return Value{c.Outputs[i], c.Out[i]}
}

// FLOPs is the work of the direct algorithm.
func (c *Call) FLOPs() int64 {
	if c.Op.Work == nil {
		return 0
	}
	return c.Op.Work(c)
}

// Bytes is the size of all inputs and wanted outputs.
func (c *Call) Bytes() int64 {
	var sum int64
	for i := range c.In {
		if c.Has(i) {
			sum += int64(c.In[i].Bytes())
		}
	}
	for i := range c.Outputs {
		if c.Wants(i) {
			sum += int64(c.Out[i].Bytes())
		}
	}
	return sum
}
