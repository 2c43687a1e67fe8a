package conformance

import (
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/reference"
	"github.com/clsbench/clsbench/tensor"
)

// The order of a sum is one freedom of an implementation, where it rounds is
// another: fused, contracted and approximate operations all give errors that
// no order of the sums around them gives, and with rounding to nearest alone
// the reference's runs would all make the same ones. So results of elementwise
// ops are rounded at random, as in Monte Carlo arithmetic (Parker, "Monte Carlo
// Arithmetic: exploiting randomness in floating-point arithmetic", 1997), and
// those of transcendental functions within the ulps that good libraries have.
// What is exact stays exact.

// jitters is by how many ulps beyond its rounding an op's result may differ
// among good implementations. Ops that are not here are exact, or sums, which
// have their orders.
var jitters = map[string]float64{
	"Add": 0, "Sub": 0, "Mul": 0, "Div": 0.5, "Sqrt": 0.5,
	"Exp": 1.5, "Log": 1.5, "Tanh": 2, "Sigmoid": 2,
	"RandomUniform": 0.5, "RandomNormal": 2, "TrainingDropout": 0.5,
	"Softmax": 1.5, "SoftmaxCrossEntropy": 1.5, "SoftmaxCrossEntropyGrad": 1.5, "SoftmaxCrossEntropyLoss": 1.5,
	"NegativeLogLikelihoodLoss": 1, "MSELoss": 1,
	"SGD": 0.5, "Adam": 1, "AdamW": 1, "RMSprop": 1, "ExponentialMovingAverage": 0.5,
	"GlobalNorm": 1, "ClipByNorm": 1,
}

// node evaluates one node for run r of the ensemble. The first rounded run
// rounds to nearest throughout.
func (e *ensemble) node(c *graph.Call, env map[string]*reference.Array, r int, mode reference.Mode) error {
	if r >= 2 && e.loose && isQuantizer(c) {
		return eitherSide(c, env, r, mode, e.source(c, r))
	}
	ulps, free := jitters[c.Op.Name]
	if r < 2 || !free || !c.Out[0].DType.IsFloat() {
		return reference.EvalNode(c, env, mode)
	}
	// Functions of one element come unrounded; sums inside of an op (a
	// softmax's) are rounded as elsewhere, and the result once more.
	mode.Round = reduces[c.Op.Name]
	if err := reference.EvalNode(c, env, mode); err != nil {
		return err
	}
	rng := e.source(c, r)
	for i, name := range c.Outputs {
		if name != "" && c.Out[i].DType.IsFloat() {
			env[name] = shaken(env[name], c.Out[i].DType, ulps, rng)
		}
	}
	return nil
}

// source draws for a node of run r.
func (e *ensemble) source(c *graph.Call, r int) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	return rand.New(rand.NewPCG(uint64(r), h.Sum64()))
}

// reduces are the ops with a jitter that have sums inside.
var reduces = map[string]bool{"Softmax": true, "SoftmaxCrossEntropy": true, "SoftmaxCrossEntropyLoss": true, "NegativeLogLikelihoodLoss": true, "MSELoss": true, "GlobalNorm": true}

// shaken rounds every element at random: to nearest after a displacement of up
// to half an ulp and the op's own ulps. What the type holds exactly stays,
// unless the op is approximate.
func shaken(x *reference.Array, d tensor.DType, ulps float64, rng *rand.Rand) *reference.Array {
	y := reference.New(x.Shape...)
	for i, v := range x.Data {
		if near := tensor.Round(v, d); (near == v && ulps == 0) || v == 0 || math.IsInf(near, 0) || math.IsNaN(v) {
			y.Data[i] = near
			continue
		}
		y.Data[i] = tensor.Round(v+(rng.Float64()-0.5)*(1+2*ulps)*ulp(v, d), d)
	}
	return y
}
