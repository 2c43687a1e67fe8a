package workloads

import (
	"math"

	"github.com/clsbench/clsbench/tensor"
)

// Init draws the first weights and biases of a convolution or a linear layer,
// given how many products an output sums up and how many outputs an input goes
// to: PyTorch's fan-in and fan-out, which for a convolution count all output
// channels, whatever its groups.
type Init func(fanIn, fanOut int) (weight, bias tensor.Fill)

func (i Init) orDefault() Init {
	if i == nil {
		return initDefault
	}
	return i
}

// initDefault is PyTorch's: He's uniform initialisation (He, Zhang, Ren and Sun
// 2015, eq. 10) with a = √5, whose bound √(6/((1+a²)·fanIn)) is 1/√fanIn;
// biases take the same bound.
func initDefault(fanIn, _ int) (weight, bias tensor.Fill) {
	f := symmetric(1 / math.Sqrt(float64(fanIn)))
	return f, f
}

// initHeFanOut keeps the variance of gradients under ReLU (He, Zhang, Ren and
// Sun 2015, eq. 14): a deviation of √(2/fanOut); no bias.
func initHeFanOut(_, fanOut int) (weight, bias tensor.Fill) {
	return normal(math.Sqrt(2 / float64(fanOut))), constant(0)
}

// initNarrow has weights of a deviation of 0.01 and one first bias.
func initNarrow(bias float64) Init {
	return func(int, int) (tensor.Fill, tensor.Fill) { return normal(0.01), constant(bias) }
}

// symmetric is the uniform distribution over ±bound.
func symmetric(bound float64) tensor.Fill {
	return tensor.Fill{Kind: tensor.Uniform, Lo: -bound, Hi: bound}
}

// xavier is Glorot and Bengio's (2010, eq. 16), which weighs activations and
// gradients alike.
func xavier(fanIn, fanOut int) tensor.Fill {
	return symmetric(math.Sqrt(6 / float64(fanIn+fanOut)))
}

func normal(deviation float64) tensor.Fill {
	return tensor.Fill{Kind: tensor.Normal, Hi: deviation}
}

func constant(v float64) tensor.Fill { return tensor.Fill{Kind: tensor.Constant, Lo: v} }
