package workloads

import "github.com/clsbench/clsbench/graph"

// lenet5 is LeNet-5 (LeCun, Bottou, Bengio and Haffner, "Gradient-based
// learning applied to document recognition", 1998, §II.B) in its usual modern
// form: 28×28 input without padding, full connections between the feature
// maps, plain pooling, a linear classifier in place of the radial basis units;
// or, as an option, in the form of the paper.
var lenet5 = &Workload{
	Name:        "lenet5",
	Description: "LeNet-5 (LeCun et al. 1998), two 5×5 convolutions and three linear layers",
	Input:       Input{Height: 28, Width: 28, Channels: 1},
	Classes:     10,
	Options: []Option{
		{Name: "form", Help: "the usual modern one, or the original", Values: []string{"modern", "1998"}},
		{Name: "activation", Help: "nonlinearity after each layer but the last", Values: []string{"relu", "tanh", "sigmoid"}, Only: "form=modern"},
		{Name: "pool", Help: "2×2 pooling", Values: []string{"average", "max"}, Only: "form=modern"},
	},
	network: func(n *Net, x graph.Value, option map[string]string) graph.Value {
		if option["form"] == "1998" {
			return buildLeNet5Of1998(n, x)
		}
		return buildLeNet5(n, x, option)
	},
}

func buildLeNet5(n *Net, x graph.Value, option map[string]string) graph.Value {
	act := map[string]func(graph.Value) graph.Value{"relu": n.ReLU, "tanh": n.Tanh, "sigmoid": n.Sigmoid}[option["activation"]]
	pool := map[string]func(graph.Value, Pool) graph.Value{"average": n.AvgPool2d, "max": n.MaxPool2d}[option["pool"]]

	x = act(n.Conv2d("conv1", x, Conv{Out: 6, Kernel: 5})) // 6×24×24
	x = pool(x, Pool{Kernel: 2})
	x = act(n.Conv2d("conv2", x, Conv{Out: 16, Kernel: 5})) // 16×8×8
	x = pool(x, Pool{Kernel: 2})
	x = n.Flatten(x) // 256
	x = act(n.Linear("fc1", x, 120, nil))
	x = act(n.Linear("fc2", x, 84, nil))
	return n.Linear("fc3", x, 10, nil)
}
