package workloads

import (
	"fmt"

	"github.com/clsbench/clsbench/graph"
)

// Residual networks (He, Zhang, Ren and Sun, "Deep residual learning for image
// recognition", 2016): of table 1 for images of 224×224, with torchvision's
// names and its place of a bottleneck's stride, the 3×3 convolution; and of
// §4.2 for images of 32×32.

// residual is what residual networks differ in.
type residual struct {
	small      bool  // the stem is one 3×3 convolution, for images of 32×32
	blocks     []int // of each stage; each stage halves the plane but the first
	width      int   // channels of the first stage; each other one has twice as many
	bottleneck bool  // blocks of three convolutions, the last with four times the channels
	identity   bool  // the shortcut of a new shape has no parameters: the paper's option A
	classes    int
}

// expansion is how many times its width a block of bottlenecks gives.
const expansion = 4

var resnets = []*Workload{
	imageNetResNet(18, residual{blocks: []int{2, 2, 2, 2}}),
	imageNetResNet(34, residual{blocks: []int{3, 4, 6, 3}}),
	imageNetResNet(50, residual{blocks: []int{3, 4, 6, 3}, bottleneck: true}),
	imageNetResNet(101, residual{blocks: []int{3, 4, 23, 3}, bottleneck: true}),
	smallResNet(20),
	smallResNet(56),
}

func imageNetResNet(depth int, r residual) *Workload {
	r.width, r.classes = 64, imageNetClasses
	kind := "basic blocks"
	if r.bottleneck {
		kind = "bottlenecks"
	}
	return &Workload{
		Name:        fmt.Sprintf("resnet%d", depth),
		Description: fmt.Sprintf("ResNet-%d (He et al. 2016) of %s, torchvision's", depth, kind),
		Input:       imageNetInput, Classes: r.classes,
		network: func(n *Net, x graph.Value, _ map[string]string) graph.Value { return r.build(n, x) },
	}
}

// smallResNet has 6n+2 layers: three stages of n basic blocks, of 16, 32 and 64
// channels, between the stem and the classifier.
func smallResNet(depth int) *Workload {
	perStage := (depth - 2) / 6
	return &Workload{
		Name:        fmt.Sprintf("resnet%d", depth),
		Description: fmt.Sprintf("ResNet-%d (He et al. 2016, §4.2) for small images", depth),
		Input:       Input{32, 32, 3}, Classes: 10,
		Options: []Option{{Name: "shortcut", Help: "what leads past a block that changes the shape: the paper's option A, without parameters, or B",
			Values: []string{"identity", "projection"}}},
		network: func(n *Net, x graph.Value, option map[string]string) graph.Value {
			r := residual{small: true, blocks: []int{perStage, perStage, perStage}, width: 16, classes: 10}
			r.identity = option["shortcut"] == "identity"
			return r.build(n, x)
		},
	}
}

func (r residual) build(n *Net, x graph.Value) graph.Value {
	if r.small {
		x = n.ReLU(r.conv(n, "conv1", "bn1", x, r.width, 3, 1))
	} else {
		x = n.ReLU(r.conv(n, "conv1", "bn1", x, r.width, 7, 2)) // 64×112×112
		x = n.MaxPool2d(x, Pool{Kernel: 3, Stride: 2, Pad: 1})  // 64×56×56
	}
	width := r.width
	for stage, blocks := range r.blocks {
		for i := range blocks {
			stride := 1
			if i == 0 && stage > 0 {
				stride = 2
			}
			x = n.In(fmt.Sprintf("layer%d.%d", stage+1, i), func() graph.Value { return r.block(n, x, width, stride) })
		}
		width *= 2
	}
	x = n.Flatten(n.GlobalAvgPool2d(x))
	return n.Linear("fc", x, r.classes, nil)
}

// block adds to x, or to its shortcut, what two or three convolutions make of it.
func (r residual) block(n *Net, x graph.Value, width, stride int) graph.Value {
	if n.Err() != nil {
		return graph.Value{}
	}
	out, y := width, x
	if r.bottleneck {
		out = expansion * width
		y = n.ReLU(r.conv(n, "conv1", "bn1", y, width, 1, 1))
		y = n.ReLU(r.conv(n, "conv2", "bn2", y, width, 3, stride))
		y = r.conv(n, "conv3", "bn3", y, out, 1, 1)
	} else {
		y = n.ReLU(r.conv(n, "conv1", "bn1", y, width, 3, stride))
		y = r.conv(n, "conv2", "bn2", y, out, 3, 1)
	}
	if stride != 1 || x.Type.Shape[1] != out {
		x = r.shortcut(n, x, out, stride)
	}
	return n.ReLU(n.Plus(y, x))
}

// shortcut brings x to a block's new shape: by a convolution, or by leaving out
// every other row and column and adding channels of zeros.
func (r residual) shortcut(n *Net, x graph.Value, out, stride int) graph.Value {
	if !r.identity {
		return n.In("downsample", func() graph.Value { return r.conv(n, "0", "1", x, out, 1, stride) })
	}
	s := x.Type.Shape
	x = n.Op("Slice", graph.Attrs{"axes": graph.L(2, 3), "starts": graph.L(0, 0), "ends": graph.L(s[2], s[3]), "steps": graph.L(stride, stride)}, x)
	more := out - s[1]
	return n.Op("Pad", graph.Attrs{"axes": graph.L(1), "pads": graph.L(more/2, more-more/2)}, x)
}

// conv is a convolution that keeps the plane but for its stride, normalised.
func (r residual) conv(n *Net, name, norm string, x graph.Value, out, kernel, stride int) graph.Value {
	x = n.Conv2d(name, x, Conv{Out: out, Kernel: kernel, Stride: stride, Pad: kernel / 2, NoBias: true, Init: initHeFanOut})
	return n.BatchNorm2d(norm, x, BatchNorm{})
}
