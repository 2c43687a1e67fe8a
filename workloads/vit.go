package workloads

import (
	"fmt"
	"math"
	"strconv"

	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// Vision transformers (Dosovitskiy et al., "An image is worth 16x16 words",
// 2021, figure 1), with torchvision's names and first weights: a class token,
// learned positions, and blocks that normalise first. S is DeiT's small one
// (Touvron et al., "Training data-efficient image transformers", 2021, table
// 1), Tiny has the width of its smallest.

// transformer is what networks of the family differ in.
type transformer struct {
	patch, width, depth, heads int
	classes                    int
	dropout, droppedBlocks     float64 // probabilities, in training
}

// mlpRatio is how many times a token's width the hidden layers have.
const mlpRatio = 4

// vitEpsilon is that of every norm.
const vitEpsilon = 1e-6

var transformers = []*Workload{
	vit("vit-micro", "ViT-Micro", Input{32, 32, 3}, transformer{patch: 4, width: 128, depth: 6, heads: 4, classes: 10}),
	vit("vit-tiny", "ViT-Tiny", Input{32, 32, 3}, transformer{patch: 4, width: 192, depth: 12, heads: 3, classes: 10}),
	vit("vit-s16", "ViT-S/16", imageNetInput, transformer{patch: 16, width: 384, depth: 12, heads: 6, classes: imageNetClasses}),
	vit("vit-b16", "ViT-B/16", imageNetInput, transformer{patch: 16, width: 768, depth: 12, heads: 12, classes: imageNetClasses}),
}

func vit(name, title string, in Input, v transformer) *Workload {
	return &Workload{
		Name: name,
		Description: fmt.Sprintf("%s (Dosovitskiy et al. 2021): patches of %d×%d, width %d, depth %d, %d heads",
			title, v.patch, v.patch, v.width, v.depth, v.heads),
		Input: in, Classes: v.classes,
		timm: &naming{whose: "timm's", theirs: vitOfTimm.Replace},
		Options: []Option{
			{Name: "dropout", Help: "share of elements dropped after positions and linear layers, in training", Values: []string{"0", "0.1"}},
			{Name: "stochastic_depth", Help: "share of images that the last block leaves out, in training; fewer before", Values: []string{"0", "0.1"}},
		},
		network: func(n *Net, x graph.Value, option map[string]string) graph.Value {
			v, err := v, error(nil)
			v.dropout, err = strconv.ParseFloat(option["dropout"], 64)
			n.Fail(err)
			v.droppedBlocks, err = strconv.ParseFloat(option["stochastic_depth"], 64)
			n.Fail(err)
			return v.build(n, x)
		},
	}
}

func (v transformer) build(n *Net, x graph.Value) graph.Value {
	x = n.PatchEmbedding("conv_proj", x, v.patch, v.width, initPatches)
	x = n.ClassToken("class_token", x)
	x = n.In("encoder", func() graph.Value {
		y := n.Dropout("dropout", n.Positions("pos_embedding", x), v.dropout)
		for i := range v.depth {
			// Huang et al. 2016, eq. 4: the deeper, the likelier.
			dropped := v.droppedBlocks * float64(i) / float64(v.depth-1)
			y = n.In(fmt.Sprintf("layers.encoder_layer_%d", i), func() graph.Value { return v.block(n, y, dropped) })
		}
		return n.LayerNorm("ln", y, vitEpsilon)
	})
	return n.Linear("heads.head", n.FirstToken(x), v.classes, initZero)
}

// block is attention and two linear layers, each normalised before and added to
// what came in: N×tokens×width.
func (v transformer) block(n *Net, x graph.Value, dropped float64) graph.Value {
	y := n.SelfAttention("self_attention", n.LayerNorm("ln_1", x, vitEpsilon), v.heads)
	y = n.StochasticDepth("depth_1", n.Dropout("dropout", y, v.dropout), dropped)
	x = n.Plus(x, y)
	y = n.LayerNorm("ln_2", x, vitEpsilon)
	y = n.GELU(n.Linear("mlp.0", y, mlpRatio*v.width, initMLP))
	y = n.Linear("mlp.3", n.Dropout("mlp.2", y, v.dropout), v.width, initMLP)
	y = n.StochasticDepth("depth_2", n.Dropout("mlp.4", y, v.dropout), dropped)
	return n.Plus(x, y)
}

// initPatches keeps the variance of the pixels. torchvision cuts its normal
// distribution off at ±2, dozens of deviations out.
func initPatches(fanIn, _ int) (weight, bias tensor.Fill) {
	return normal(1 / math.Sqrt(float64(fanIn))), constant(0)
}

func initMLP(fanIn, fanOut int) (weight, bias tensor.Fill) {
	return xavier(fanIn, fanOut), normal(1e-6)
}

// initZero begins with equal answers to all images.
func initZero(int, int) (weight, bias tensor.Fill) { return constant(0), constant(0) }
