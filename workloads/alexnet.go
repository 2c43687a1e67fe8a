package workloads

import (
	"strconv"

	"github.com/clsbench/clsbench/graph"
)

// AlexNet in two forms: torchvision's, of one column and without local response
// (Krizhevsky, "One weird trick for parallelizing convolutional neural
// networks", 2014), and the original (Krizhevsky, Sutskever and Hinton,
// "ImageNet classification with deep convolutional neural networks", 2012,
// figure 2), whose two groups were on two GPUs.
var alexnet = &Workload{
	Name:        "alexnet",
	Description: "AlexNet (Krizhevsky et al. 2012, 2014), five convolutions and three linear layers",
	Input:       imageNetInput, Classes: imageNetClasses,
	Options: []Option{{Name: "form", Help: "torchvision's, or the original with local response and two groups", Values: []string{"torchvision", "2012"}}},
	network: func(n *Net, x graph.Value, option map[string]string) graph.Value {
		if option["form"] == "2012" {
			return buildAlexNet2012(n, x)
		}
		return buildAlexNet(n, x)
	},
}

func buildAlexNet(n *Net, x graph.Value) graph.Value {
	conv := func(name string, c Conv) { x = n.ReLU(n.Conv2d(name, x, c)) }
	pool := func() { x = n.MaxPool2d(x, Pool{Kernel: 3, Stride: 2}) }
	conv("features.0", Conv{Out: 64, Kernel: 11, Stride: 4, Pad: 2}) // 64×55×55
	pool()                                                           // 64×27×27
	conv("features.3", Conv{Out: 192, Kernel: 5, Pad: 2})
	pool() // 192×13×13
	conv("features.6", Conv{Out: 384, Kernel: 3, Pad: 1})
	conv("features.8", Conv{Out: 256, Kernel: 3, Pad: 1})
	conv("features.10", Conv{Out: 256, Kernel: 3, Pad: 1})
	pool() // 256×6×6
	x = n.Flatten(n.AdaptiveAvgPool2d(x, 6))
	for _, layer := range []int{0, 3} {
		x = n.Dropout("classifier."+strconv.Itoa(layer), x, 0.5)
		x = n.ReLU(n.Linear("classifier."+strconv.Itoa(layer+1), x, 4096, nil))
	}
	return n.Linear("classifier.6", x, imageNetClasses, nil)
}

// buildAlexNet2012 has the paper's first weights: a deviation of 0.01, and
// biases of 1 in the second, fourth and fifth convolution and the hidden linear
// layers, so that their ReLUs begin with something to pass on (§5). Images of
// 224×224 get a border of 2 to make 55×55 outputs.
func buildAlexNet2012(n *Net, x graph.Value) graph.Value {
	quiet, awake := initNarrow(0), initNarrow(1)
	conv := func(name string, c Conv) { x = n.ReLU(n.Conv2d(name, x, c)) }
	respond := func() { x = n.LocalResponse(x, 5, 2, 1e-4, 0.75) } // §3.3
	pool := func() { x = n.MaxPool2d(x, Pool{Kernel: 3, Stride: 2}) }
	conv("conv1", Conv{Out: 96, Kernel: 11, Stride: 4, Pad: 2, Init: quiet}) // 96×55×55
	respond()
	pool() // 96×27×27
	conv("conv2", Conv{Out: 256, Kernel: 5, Pad: 2, Groups: 2, Init: awake})
	respond()
	pool() // 256×13×13
	conv("conv3", Conv{Out: 384, Kernel: 3, Pad: 1, Init: quiet})
	conv("conv4", Conv{Out: 384, Kernel: 3, Pad: 1, Groups: 2, Init: awake})
	conv("conv5", Conv{Out: 256, Kernel: 3, Pad: 1, Groups: 2, Init: awake})
	pool() // 256×6×6
	x = n.Flatten(x)
	for _, layer := range []string{"6", "7"} {
		x = n.ReLU(n.Linear("fc"+layer, x, 4096, awake))
		x = n.Dropout("drop"+layer, x, 0.5)
	}
	return n.Linear("fc8", x, imageNetClasses, quiet)
}
