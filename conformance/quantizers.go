package conformance

import (
	"math"
	"math/rand/v2"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// Between quantizers a network jumps at every tie of every one of them. In a
// program of some thousand elements data can be drawn that keep away from all;
// in one of a hundred thousand there is always an element that a legal
// implementation may round to either side. There the rounded runs of the
// program rule take such elements to either side, so that the rule's limits
// hold what comes of that: an 8-bit result may differ by one step where it was
// near a tie, and nowhere else, and a result in floats by as much as
// quantizers rounding near ties this way and that make it differ.

// tieElements is the number of quantized elements from which on data are not
// drawn anew: sixteen draws would not do.
const tieElements = 1 << 12

// nearTie is how near to a tie an element may be rounded either way, in steps:
// the error of a legal sum of some thousand products in f32, which is 127 steps
// at most, and more than that of the quotient.
const nearTie = 1.0 / 256

// loose says whether legal implementations of a program round some elements to
// either side, whatever the data.
func loose(g *graph.Graph) bool {
	elements := 0
	for i := range g.Calls {
		switch c := &g.Calls[i]; c.Op.Name {
		case "QuantizeLinear":
			elements += c.Out[0].Shape.Elements()
		case "DynamicQuantizeLinear":
			if len(g.Calls) > 1 { // alone it has a bound of its own
				return true
			}
		}
	}
	return elements >= tieElements
}

// isQuantizer says whether c rounds floats to 8 bits.
func isQuantizer(c *graph.Call) bool {
	return c.Op.Name == "QuantizeLinear" || c.Op.Name == "DynamicQuantizeLinear"
}

// eitherSide evaluates a quantizer as run r of a loose program does: run 2
// rounds all that is near a tie up, run 3 down, the others as it falls.
func eitherSide(c *graph.Call, env map[string]*reference.Array, r int, mode reference.Mode, rng *rand.Rand) error {
	if err := reference.EvalNode(c, env, mode); err != nil {
		return err
	}
	x, scale, zero, at := env[c.Inputs[0]].Data, (*reference.Array)(nil), (*reference.Array)(nil), func(int) int { return 0 }
	if c.Op.Name == "QuantizeLinear" {
		by, err := c.Granularity()
		if err != nil {
			return err
		}
		scale, at = env[c.Inputs[1]], by.At
		if c.Has(2) {
			zero = env[c.Inputs[2]]
		}
	} else if c.Wants(1) && c.Wants(2) {
		scale, zero = env[c.Outputs[1]], env[c.Outputs[2]]
	}
	if scale == nil || !c.Wants(0) {
		return nil
	}
	lo, hi := tensor.IntRange(c.Out[0].DType)
	y := reference.New(c.Out[0].Shape...)
	for i, v := range x {
		side := nearTie
		if r == 3 || r > 3 && rng.IntN(2) == 0 {
			side = -nearTie
		}
		k := at(i)
		q := math.RoundToEven(v/scale.Data[k] + side)
		if zero != nil {
			q += zero.Data[k]
		}
		y.Data[i] = min(max(q, lo), hi)
	}
	env[c.Outputs[0]] = y
	return nil
}
