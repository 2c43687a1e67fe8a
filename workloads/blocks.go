package workloads

import (
	"github.com/clsbench/clsbench/graph"
	"github.com/clsbench/clsbench/tensor"
)

// SqueezeExcite scales every channel of N×C×H×W by a number that a small
// network of two 1×1 convolutions, name.fc1 and name.fc2, makes from all the
// channels' averages (Hu, Shen and Sun 2018), with the hard sigmoid of
// MobileNetV3 (Howard et al. 2019, §5.3).
func (n *Net) SqueezeExcite(name string, x graph.Value, squeeze int, init Init) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 4) {
			return graph.Value{}
		}
		y := n.GlobalAvgPool2d(x)
		y = n.ReLU(n.Conv2d("fc1", y, Conv{Out: squeeze, Kernel: 1, Init: init}))
		y = n.HardSigmoid(n.Conv2d("fc2", y, Conv{Out: x.Type.Shape[1], Kernel: 1, Init: init}))
		return n.Op("Mul", nil, x, y)
	})
}

// SelfAttention lets every token of N×tokens×features look at all of its image
// (Vaswani et al. 2017, §3.2), with the parameters of PyTorch's
// MultiheadAttention: queries, keys and values are one product by
// name.in_proj_weight.
func (n *Net) SelfAttention(name string, x graph.Value, heads int) graph.Value {
	return n.In(name, func() graph.Value {
		if !n.wantRank(x, 3) {
			return graph.Value{}
		}
		d := x.Type.Shape[2]
		w, b := n.Param("in_proj_weight", xavier(d, 3*d), 3*d, d), n.Param("in_proj_bias", constant(0), 3*d)
		qkv := n.In("in_proj", func() graph.Value { return n.affine(x, w, b) })
		part := n.OpN("Split", graph.Attrs{"axis": graph.I(2), "num_outputs": graph.I(3)}, 3, qkv)
		y := n.Op("Attention", graph.Attrs{"q_num_heads": graph.I(heads), "kv_num_heads": graph.I(heads)}, part...)
		return n.Linear("out_proj", y, d, func(fanIn, fanOut int) (weight, bias tensor.Fill) {
			weight, _ = initDefault(fanIn, fanOut)
			return weight, constant(0)
		})
	})
}

// PatchEmbedding makes a token of features from every square patch of an image
// (Dosovitskiy et al. 2021, §3.1): N×C×H×W to N×patches×features, row by row.
func (n *Net) PatchEmbedding(name string, x graph.Value, patch, features int, init Init) graph.Value {
	x = n.Conv2d(name, x, Conv{Out: features, Kernel: patch, Stride: patch, Init: init})
	if n.Err() != nil {
		return graph.Value{}
	}
	x = n.Reshape(x, x.Type.Shape[0], features, x.Type.Shape[2]*x.Type.Shape[3])
	return n.Op("Transpose", graph.Attrs{"perm": graph.L(0, 2, 1)}, x)
}

// ClassToken puts one learned token, the same for all images, before the others.
func (n *Net) ClassToken(name string, x graph.Value) graph.Value {
	if !n.wantRank(x, 3) {
		return graph.Value{}
	}
	batch, d := x.Type.Shape[0], x.Type.Shape[2]
	token := n.Op("Expand", graph.Attrs{"shape": graph.L(batch, 1, d)}, n.special(KindEmbedding, name, constant(0), 1, 1, d))
	return n.Op("Concat", graph.Attrs{"axis": graph.I(1)}, token, x)
}

// Positions adds to every token what is learned of its place.
func (n *Net) Positions(name string, x graph.Value) graph.Value {
	if !n.wantRank(x, 3) {
		return graph.Value{}
	}
	return n.Plus(x, n.special(KindEmbedding, name, normal(0.02), 1, x.Type.Shape[1], x.Type.Shape[2]))
}

// FirstToken is that of the class: N×tokens×features to N×features.
func (n *Net) FirstToken(x graph.Value) graph.Value {
	if !n.wantRank(x, 3) {
		return graph.Value{}
	}
	y := n.Op("Slice", graph.Attrs{"axes": graph.L(1), "starts": graph.L(0), "ends": graph.L(1)}, x)
	return n.Reshape(y, x.Type.Shape[0], x.Type.Shape[2])
}
