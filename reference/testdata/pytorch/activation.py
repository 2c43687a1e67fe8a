"""Extremes, rounding, powers and waves; the activations; LogSoftmax."""
import torch
import torch.nn.functional as F

from golden import case, f32, rand


def cases():
    edges = torch.tensor([0.0, -0.0, 3.0, -3.0, 2.5, -2.5, 0.5, 1.5, -0.5, -1.5, 20.0, -20.0, 40.0, -40.0, 1e-9, -1e-9])
    x = torch.cat([rand(12), edges])
    a, b = rand(3, 1, 4), rand(2, 1)
    case("Max", {}, [a, b], [torch.maximum(a, b)])
    case("Min", {}, [a, b], [torch.minimum(a, b)])
    for op, f in [("Abs", torch.abs), ("Sign", torch.sign), ("Floor", torch.floor), ("Ceil", torch.ceil), ("Round", torch.round),
                  ("Sin", torch.sin), ("Cos", torch.cos), ("Erf", torch.erf)]:
        case(op, {}, [x], [f(x)])
    case("Reciprocal", {}, [x + 0.3], [1 / (x + 0.3)])
    base, power = torch.tensor([0.5, 2.0, 3.5, -2.0, -0.75, 1.0, -1.0, 9.0]), torch.tensor([3.0, -1.0, 0.0, 2.0])
    case("Pow", {}, [base.reshape(8, 1), power], [base.reshape(8, 1) ** power])
    case("Pow", {}, [base.abs(), torch.full((), 0.3)], [base.abs() ** 0.3])
    case("Clip", {}, [x, torch.tensor(-0.75), torch.tensor(6.0)], [x.clamp(-0.75, 6)])
    case("Clip", {}, [x, torch.tensor(1.0), torch.tensor(-1.0)], [x.clamp(1, -1)])
    case("Clip", {}, [x, None, torch.tensor(0.5)], [x.clamp(max=0.5)])
    case("LeakyRelu", {"alpha": f32(0.3)}, [x], [F.leaky_relu(x, f32(0.3))])
    slope = rand(3, 1)
    y = rand(2, 3, 4)
    case("PRelu", {}, [y, slope], [F.prelu(y, slope.reshape(3))])
    case("ThresholdedRelu", {"alpha": 0.75}, [x], [F.threshold(x, 0.75, 0)])
    case("Elu", {"alpha": 1.5}, [x], [F.elu(x, 1.5)])
    case("Celu", {"alpha": 2.5}, [x], [F.celu(x, 2.5)])
    case("Gelu", {}, [x], [F.gelu(x)])
    case("Gelu", {"approximate": "tanh"}, [x], [F.gelu(x, approximate="tanh")])
    case("HardSwish", {}, [x], [F.hardswish(x)])
    case("Swish", {}, [x], [F.silu(x)])
    case("Swish", {"alpha": f32(1.702)}, [x], [x * torch.sigmoid(f32(1.702) * x)])
    case("Softplus", {}, [x], [F.softplus(x, threshold=1000)])
    case("Softsign", {}, [x], [F.softsign(x)])
    case("Mish", {}, [x], [F.mish(x)])
    for axis in (0, 1, -1):
        case("LogSoftmax", {"axis": axis}, [y * 10], [torch.log_softmax(y * 10, axis)])
