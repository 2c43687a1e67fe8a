"""Arithmetic, comparison and movement, and the activations of f32 attributes."""
import torch
import torch.nn.functional as F

from golden import case, f32, rand


def cases():
    a, b = rand(3, 1, 4), rand(2, 1).abs() + 0.5
    b[0, 0] = a[0, 0, 0]
    for op, f in [("Add", torch.add), ("Sub", torch.sub), ("Mul", torch.mul), ("Div", torch.div), ("Equal", torch.eq),
                  ("Less", torch.lt), ("LessOrEqual", torch.le), ("Greater", torch.gt), ("GreaterOrEqual", torch.ge)]:
        case(op, {}, [a, b], [f(a, b)])
    p, q = torch.tensor([False, False, True, True]), torch.tensor([False, True, False, True])
    for op, f in [("And", torch.logical_and), ("Or", torch.logical_or), ("Xor", torch.logical_xor)]:
        case(op, {}, [p, q], [f(p, q)])
    case("Not", {}, [p], [torch.logical_not(p)])
    case("Neg", {}, [a], [torch.neg(a)])
    case("Where", {}, [p, a, b], [torch.where(p, a, b)])
    x = torch.cat([rand(8), torch.tensor([0.0, 2.0, -2.0, 9.0, -9.0])])
    alpha, gamma = f32(1.6732632), f32(1.050701)
    case("Selu", {"alpha": alpha, "gamma": gamma}, [x], [gamma * F.elu(x, alpha)])
    case("HardSigmoid", {"alpha": 0.25, "beta": 0.5}, [x], [F.hardtanh(0.25 * x + 0.5, 0, 1)])
    case("ReluGrad", {}, [x + 1, x], [torch.autograd.functional.vjp(torch.relu, x, x + 1)[1]])
    z = rand(2, 3, 4)
    case("Cast", {"to": "s32"}, [z * 3], [(z * 3).int()])
    case("Identity", {}, [z], [z.clone()])
    case("Reshape", {"shape": [4, -1]}, [z], [z.reshape(4, -1)])
    case("Flatten", {"axis": 2}, [z], [z.flatten(0, 1)])
    case("Unsqueeze", {"axes": [1]}, [z], [z.unsqueeze(1)])
    case("Squeeze", {"axes": [1]}, [a], [a.squeeze(1)])
    case("Transpose", {"perm": [2, 0, 1]}, [z], [z.permute(2, 0, 1)])
    case("Concat", {"axis": 1}, [z, z[:, :2] + 1], [torch.cat([z, z[:, :2] + 1], 1)])
    case("Tile", {"repeats": [1, 2, 3]}, [z], [z.tile(1, 2, 3)])
    case("ArgMin", {"axis": 1, "keepdims": 0}, [z], [z.argmin(1)])
