package graph

import (
	"errors"
	"fmt"
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// randomOps draw numbers. ONNX leaves the generator of its RandomUniform,
// RandomNormal, Bernoulli and of Dropout in training open ("we will auto
// generate one", Operators.md), so that no two backends could be held against
// each other; these are of our own domain and say which bits: all follow from
// RandomBits, whose key is the attribute seed, and differ from step to step by
// the input step, which is state. Streams keep the nodes of a program apart.
var randomOps = []*Op{
	{
		// Philox4x32-10 (tensor.Philox): element i, in row-major order, is
		// word i&3 of the block of counter (lo(i>>2), hi(i>>2), stream, step).
		Name: "RandomBits", Domain: Own, Version: 1, Core: true,
		Inputs:  []Param{stepParam},
		Outputs: []Param{{Name: "bits", Types: typeSet(tensor.U32)}},
		Attrs:   []AttrSpec{seedAttr, streamAttr, {Name: "shape", Kind: IntList, Required: true}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			return []tensor.Type{tensor.T(tensor.U32, c.Ints("shape")...)}, c.checkRandom(0, math.MaxUint32)
		},
		Work: func(c *Call) int64 { return philoxOps * elements(c.Out[0]) },
	},
	{
		// low + (high - low)·u, u the upper 24 bits of each word as a fraction
		// in [0, 1): the numbers that every float type but the 16-bit ones
		// holds exactly.
		Name: "RandomUniform", Domain: Own, Version: 1,
		Inputs:  []Param{stepParam},
		Outputs: []Param{{Name: "output", Types: Floats}},
		Attrs: []AttrSpec{seedAttr, streamAttr, {Name: "shape", Kind: IntList, Required: true}, randomDType,
			{Name: "low", Kind: Float, Default: F(0)}, {Name: "high", Kind: Float, Default: F(1)}},
		Infer:     func(c *Call) ([]tensor.Type, error) { return c.inferRandom(math.MaxUint32) },
		Work:      func(c *Call) int64 { return (philoxOps + 3) * elements(c.Out[0]) },
		Decompose: decomposeUniform,
	},
	{
		// mean + scale·√(-2 ln u₁)·cos(2π u₂) (Box and Muller, "A Note on the
		// Generation of Random Normal Deviates", 1958): u₁ in (0, 1] from the
		// stream, u₂ in [0, 1) from the stream whose top bit is set.
		Name: "RandomNormal", Domain: Own, Version: 1,
		Inputs:  []Param{stepParam},
		Outputs: []Param{{Name: "output", Types: Floats}},
		Attrs: []AttrSpec{seedAttr, streamAttr, {Name: "shape", Kind: IntList, Required: true}, randomDType,
			{Name: "mean", Kind: Float, Default: F(0)}, {Name: "scale", Kind: Float, Default: F(1)}},
		Infer:     func(c *Call) ([]tensor.Type, error) { return c.inferRandom(AngleStream - 1) },
		Work:      func(c *Call) int64 { return (2*philoxOps + 8) * elements(c.Out[0]) },
		Decompose: decomposeNormal,
	},
	{
		// 1 where u < ⌊p·2³²⌋, u the word of the element and p its input; 0
		// where p is NaN.
		Name: "Bernoulli", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "input", Types: Floats}, stepParam},
		Outputs: []Param{{Name: "output", Types: Any}},
		Attrs:   []AttrSpec{seedAttr, streamAttr, {Name: "dtype", Kind: String, OneOf: dtypeNames()}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			out := c.In[0]
			if s := c.Str("dtype"); s != "" {
				d, err := tensor.ParseDType(s)
				if err != nil {
					return nil, err
				}
				out.DType = d
			}
			return []tensor.Type{out}, c.checkRandom(1, math.MaxUint32)
		},
		Work:      func(c *Call) int64 { return (philoxOps + 2) * elements(c.Out[0]) },
		Decompose: decomposeBernoulli,
	},
	{
		// Dropout in training (Srivastava et al., "Dropout", JMLR 2014): an
		// element is dropped, or all of a row (stochastic depth: Huang et al.,
		// "Deep Networks with Stochastic Depth", 2016), iff u < ⌊ratio·2³²⌋, u
		// being the word of its index, or of its row's; what is kept is
		// divided by 1 - ratio. Linear in the data, so that its gradient is
		// the op itself, with the same key, on dY.
		Name: "TrainingDropout", Domain: Own, Version: 1,
		Inputs:  []Param{{Name: "data", Types: Floats, Var: "T"}, stepParam},
		Outputs: []Param{{Name: "output", Types: Floats, Var: "T"}, {Name: "mask", Types: Bools, Optional: true}},
		Attrs: []AttrSpec{seedAttr, streamAttr, {Name: "ratio", Kind: Float, Default: F(0.5)},
			{Name: "mode", Kind: String, Default: S("element"), OneOf: []string{"element", "row"}}},
		Infer: func(c *Call) ([]tensor.Type, error) {
			if p := c.Float("ratio"); !(p >= 0 && p <= 1) {
				return nil, fmt.Errorf("attribute ratio: %v, want 0 to 1", p)
			}
			if c.Str("mode") == "row" && len(c.In[0].Shape) == 0 {
				return nil, errors.New("attribute mode: a scalar has no rows")
			}
			return []tensor.Type{c.In[0], {DType: tensor.Bool, Shape: c.dropShape()}}, c.checkRandom(1, math.MaxUint32)
		},
		Work: func(c *Call) int64 { return (philoxOps + 2) * elements(c.Out[0]) },
		Grad: func(b *Builder, c *Call, dy []Value) []Value {
			return []Value{b.Op("TrainingDropout", c.Attrs, dy[0], c.Input(1))}
		},
		Decompose: decomposeDropout,
	},
}

// philoxOps is the work of a word: ten rounds of two products and four
// exclusive ors give four.
const philoxOps = 15

// AngleStream is the bit that tells the stream of a normal's angle from that
// of its radius.
const AngleStream = 1 << 31

var (
	stepParam   = Param{Name: "step", Types: Indices}
	seedAttr    = AttrSpec{Name: "seed", Kind: Int, Default: I(0)}
	streamAttr  = AttrSpec{Name: "stream", Kind: Int, Default: I(0)}
	randomDType = AttrSpec{Name: "dtype", Kind: String, Default: S("f32"), OneOf: []string{"f32", "f64", "f16", "bf16"}}
)

// Philox is the generator that a call's attributes name, at a step.
func (c *Call) Philox(step int64) tensor.Philox {
	return tensor.Philox{Key: uint64(c.Attr("seed").Int), Stream: uint32(c.Attr("stream").Int), Step: uint32(step)}
}

// DropThreshold is ⌊ratio·2³²⌋: words below it drop.
func (c *Call) DropThreshold() uint64 { return uint64(c.Float("ratio") * (1 << 32)) }

// checkRandom wants input step to be a scalar and the stream to fit.
func (c *Call) checkRandom(step int, streams int64) error {
	if s := c.In[step].Shape; len(s) != 0 {
		return fmt.Errorf("step is %v, want a scalar", s)
	}
	if v := c.Attr("stream").Int; v < 0 || v > streams {
		return fmt.Errorf("attribute stream: %d, want 0 to %d", v, streams)
	}
	return nil
}

func (c *Call) inferRandom(streams int64) ([]tensor.Type, error) {
	d, err := tensor.ParseDType(c.Str("dtype"))
	if err != nil {
		return nil, err
	}
	return []tensor.Type{tensor.T(d, c.Ints("shape")...)}, c.checkRandom(0, streams)
}

// dropShape is that of a dropout's mask: the data's, or one an index of axis 0.
func (c *Call) dropShape() tensor.Shape {
	s := c.In[0].Shape.Clone()
	if c.Str("mode") == "row" {
		for i := 1; i < len(s); i++ {
			s[i] = 1
		}
	}
	return s
}

// bits writes the words of one stream.
func (b *Builder) bits(c *Call, step Value, stream int64, shape tensor.Shape) Value {
	return b.Op("RandomBits", Attrs{"seed": c.Attr("seed"), "stream": {Kind: Int, Int: stream}, "shape": L(shape...)}, step)
}

// fraction is the upper 24 bits of each word as a number in [0, 1) of f32, or
// of f64.
func (b *Builder) fraction(bits Value, d tensor.DType) Value {
	upper := b.Op("Div", nil, bits, b.Scalar(tensor.U32, 256))
	return b.scaled(b.cast(upper, d), 1.0/(1<<24))
}

func decomposeUniform(b *Builder, c *Call) []Value {
	d := single(c.Out[0].DType)
	low, high := c.Float("low"), c.Float("high")
	u := b.fraction(b.bits(c, c.Input(0), c.Attr("stream").Int, c.Out[0].Shape), d)
	return []Value{b.raised(b.scaled(u, high-low), low)}
}

func (b *Builder) raised(v Value, by float64) Value {
	if by == 0 {
		return v
	}
	return b.Op("Add", nil, v, b.Scalar(v.Type.DType, by))
}

func decomposeNormal(b *Builder, c *Call) []Value {
	d, stream := single(c.Out[0].DType), c.Attr("stream").Int
	u1 := b.raised(b.fraction(b.bits(c, c.Input(0), stream, c.Out[0].Shape), d), 1.0/(1<<24))
	u2 := b.fraction(b.bits(c, c.Input(0), stream|AngleStream, c.Out[0].Shape), d)
	r := b.Op("Sqrt", nil, b.scaled(b.Op("Log", nil, u1), -2))
	z := b.Op("Mul", nil, r, b.Op("Cos", nil, b.scaled(u2, 2*math.Pi)))
	return []Value{b.raised(b.scaled(z, c.Float("scale")), c.Float("mean"))}
}

func decomposeBernoulli(b *Builder, c *Call) []Value {
	// In s64, which holds 2³² itself; a cast truncates.
	threshold := b.cast(b.scaled(c.Input(0), 1<<32), tensor.S64)
	bits := b.cast(b.bits(c, c.Input(1), c.Attr("stream").Int, c.In[0].Shape), tensor.S64)
	d := c.Out[0].DType
	return []Value{b.Op("Where", nil, b.Op("LessOrEqual", nil, threshold, bits), b.Scalar(d, 0), b.Scalar(d, 1))}
}

func decomposeDropout(b *Builder, c *Call) []Value {
	x, shape, threshold := c.Input(0), c.dropShape(), c.DropThreshold()
	d := x.Type.DType
	var keep Value
	if threshold > math.MaxUint32 {
		keep = b.Op("Expand", Attrs{"shape": L(shape...)}, b.Scalar(tensor.Bool, 0))
	} else {
		keep = b.Op("LessOrEqual", nil, b.Scalar(tensor.U32, float64(threshold)), b.bits(c, c.Input(1), c.Attr("stream").Int, shape))
	}
	kept := x
	if p := c.Float("ratio"); p < 1 {
		kept = b.scaled(kept, 1/(1-p))
	}
	return []Value{b.Op("Where", nil, keep, kept, b.Scalar(d, 0)), keep}
}
