"""Functions of one element, softmax and reductions."""
import torch

from golden import case, rand


def cases():
    x = torch.cat([rand(12), torch.tensor([0.0, -0.0, 20.0, -20.0, 40.0, -40.0, 1e-9, -1e-9, 700.0, -700.0])])
    case("Tanh", {}, [x], [torch.tanh(x)])
    case("Sigmoid", {}, [x], [torch.sigmoid(x)])
    case("Relu", {}, [x], [torch.relu(x)])
    case("Exp", {}, [x], [torch.exp(x)])
    case("Log", {}, [x.abs() + 1e-3], [torch.log(x.abs() + 1e-3)])
    case("Sqrt", {}, [x.abs()], [torch.sqrt(x.abs())])
    z = rand(2, 3, 4)
    for axis in (0, 1, -1):
        case("Softmax", {"axis": axis}, [z * 10], [torch.softmax(z * 10, axis)])
    case("ReduceMean", {"axes": [0, 2], "keepdims": 0}, [z], [z.mean((0, 2))])
    case("ReduceSum", {"axes": [1]}, [z], [z.sum(1, True)])
    case("ReduceMax", {"axes": [-1], "keepdims": 0}, [z], [z.amax(-1)])
