package workloads

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/clsbench/clsbench/tensor"
)

// naming is what others call a network's tensors.
type naming struct {
	whose  string
	theirs func(ours string) string
	// epsilon is that of their batch norms; 0: ours.
	epsilon float64
}

// namings lists those that the network's weights may come under. timm has no
// LeNet, no AlexNet and no residual network for small images; its ImageNet
// ResNets have torchvision's names.
func (w *Workload) namings() []naming {
	list := []naming{{whose: "torchvision's", theirs: func(name string) string { return name }}}
	if w.timm != nil {
		list = append(list, *w.timm)
	}
	if strings.HasPrefix(w.Name, "vit-") {
		list = append(list, naming{whose: "torchvision's older", theirs: vitPublished.Replace})
	}
	return list
}

// vitPublished are the names that torchvision's published ViT weights still have.
var vitPublished = strings.NewReplacer(".mlp.0.", ".mlp.linear_1.", ".mlp.3.", ".mlp.linear_2.")

// vitOfTimm are those of its vision_transformer.py, whose qkv has queries, keys and
// values one below the other as PyTorch's in_proj has.
var vitOfTimm = strings.NewReplacer(
	"class_token", "cls_token", "encoder.pos_embedding", "pos_embed", "conv_proj.", "patch_embed.proj.",
	"encoder.layers.encoder_layer_", "blocks.", ".ln_1.", ".norm1.", ".ln_2.", ".norm2.",
	".self_attention.in_proj_", ".attn.qkv.", ".self_attention.out_proj.", ".attn.proj.",
	".mlp.0.", ".mlp.fc1.", ".mlp.3.", ".mlp.fc2.", "encoder.ln.", "norm.", "heads.head.", "head.",
)

// timmEpsilon is that of timm's MobileNetV3 batch norms, PyTorch's default. The
// networks that it took over from TensorFlow (tf_…) have another, and pad
// otherwise: they are not these networks.
const timmEpsilon = 1e-5

// timm is the naming of timm's mobilenetv3.py: blocks are counted within stages,
// which end where the number of channels changes, and the linear layer before
// the classifier is a convolution.
func (m mobile) timm() *naming {
	blocks := make([]string, 0, len(m.blocks))
	stage, index := 0, 0
	for i, b := range m.blocks {
		if index++; i == 0 || b.out != m.blocks[i-1].out {
			stage, index = stage+min(i, 1), 0
		}
		blocks = append(blocks, fmt.Sprintf("blocks.%d.%d.", stage, index))
	}
	pairs := []string{"features.0.0.", "conv_stem.", "features.0.1.", "bn1."}
	for i, b := range m.blocks {
		ours := fmt.Sprintf("features.%d.block.", i+1)
		in := mobileStem
		if i > 0 {
			in = m.blocks[i-1].out
		}
		convs := []string{"conv_pw", "conv_dw", "conv_pwl"}
		if b.expanded == in {
			convs = []string{"conv_dw", "conv_pw"}
		}
		part := 0
		for j, conv := range convs {
			if j == len(convs)-1 && b.excite {
				pairs = append(pairs, fmt.Sprintf("%s%d.fc1.", ours, part), blocks[i]+"se.conv_reduce.", fmt.Sprintf("%s%d.fc2.", ours, part), blocks[i]+"se.conv_expand.")
				part++
			}
			pairs = append(pairs, fmt.Sprintf("%s%d.0.", ours, part), blocks[i]+conv+".", fmt.Sprintf("%s%d.1.", ours, part), fmt.Sprintf("%sbn%d.", blocks[i], j+1))
			part++
		}
	}
	last := fmt.Sprintf("features.%d.", len(m.blocks)+1)
	pairs = append(pairs, last+"0.", fmt.Sprintf("blocks.%d.0.conv.", stage+1), last+"1.", fmt.Sprintf("blocks.%d.0.bn1.", stage+1),
		"classifier.0.", "conv_head.", "classifier.3.", "classifier.")
	return &naming{whose: "timm's", theirs: strings.NewReplacer(pairs...).Replace, epsilon: timmEpsilon}
}

// fits says whether a tensor of theirs has the elements of ours in our order: the
// same shape but for axes of one behind, as a 1×1 convolution has that is a linear
// layer.
func fits(theirs, ours tensor.Shape) bool {
	for len(theirs) > max(2, len(ours)) && theirs[len(theirs)-1] == 1 {
		theirs = theirs[:len(theirs)-1]
	}
	return theirs.Equal(ours)
}

// rescale lets batch norms of our epsilon give what they gave with theirs: they
// divide by √(variance+ε), so each scale takes the ratio of the two.
func (n naming) rescale(w Weights) {
	if n.epsilon == 0 {
		return
	}
	for name, variance := range w {
		norm, ok := strings.CutSuffix(name, "running_var")
		if !ok {
			continue
		}
		scale := w[norm+"weight"].Clone()
		values := tensor.View[float32](scale.Data)
		for i, v := range tensor.View[float32](variance.Data) {
			values[i] = float32(float64(values[i]) * math.Sqrt((float64(v)+mobileEpsilon)/(float64(v)+n.epsilon)))
		}
		w[norm+"weight"] = scale
	}
}

// namingOf is the one that most tensors of a file are named by.
func (w *Workload) namingOf(tensors map[string]*tensor.Tensor) (naming, error) {
	list := w.namings()
	found := make([]int, len(list))
	for _, p := range w.tensors() {
		for i, n := range list {
			if tensors[n.theirs(p.Name)] != nil {
				found[i]++
			}
		}
	}
	most := slices.Index(found, slices.Max(found))
	if found[most] > 0 {
		return list[most], nil
	}
	return naming{}, fmt.Errorf("none of its %d tensors is named as one of %s: want %s", len(tensors), w.Name, w.namesWanted())
}

// namesWanted tells of the names that are read.
func (w *Workload) namesWanted() string {
	first, list := w.tensors()[0].Name, []string(nil)
	for _, n := range w.namings() {
		list = append(list, fmt.Sprintf("%s (%s)", n.whose, n.theirs(first)))
	}
	return strings.Join(list, " or ") + " names"
}
