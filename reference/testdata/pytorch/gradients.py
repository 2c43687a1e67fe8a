"""Gradients by autograd of ops whose own gradient is composed of other ops.

At the kinks as well, where PyTorch's choice is the op table's: not HardSwish's
at ±3, where PyTorch 1.13 takes the other side's slope.
"""
import torch
import torch.nn.functional as F

from golden import f32, gradient, rand


def activations():
    x = torch.cat([rand(10), torch.tensor([0.0, 2.0, -2.0, 3.0, 0.75, 5.0, -5.0, 20.0, -20.0])])
    alpha, gamma = f32(1.6732632), f32(1.050701)
    for op, attrs, f in [
        ("Relu", {}, torch.relu), ("LeakyRelu", {"alpha": f32(0.3)}, lambda x: F.leaky_relu(x, f32(0.3))),
        ("ThresholdedRelu", {"alpha": 0.75}, lambda x: F.threshold(x, 0.75, 0)),
        ("Elu", {"alpha": 1.5}, lambda x: F.elu(x, 1.5)), ("Celu", {"alpha": 2.5}, lambda x: F.celu(x, 2.5)),
        ("Selu", {"alpha": alpha, "gamma": gamma}, lambda x: gamma * F.elu(x, alpha)),
        ("Gelu", {}, F.gelu), ("Gelu", {"approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh")),
        ("Sigmoid", {}, torch.sigmoid), ("HardSwish", {}, F.hardswish),
        ("HardSigmoid", {"alpha": 0.25, "beta": 0.5}, lambda x: F.hardtanh(0.25 * x + 0.5, 0, 1)),
        ("Swish", {}, F.silu), ("Swish", {"alpha": f32(1.702)}, lambda x: x * torch.sigmoid(f32(1.702) * x)),
        ("Tanh", {}, torch.tanh), ("Softplus", {}, lambda x: F.softplus(x, threshold=1000)),
        ("Softsign", {}, F.softsign), ("Mish", {}, F.mish), ("Erf", {}, torch.erf), ("Abs", {}, torch.abs),
    ]:
        gradient(op, attrs, [x + 0.03125 if op == "HardSwish" else x], f)
    gradient("PRelu", {}, [torch.cat([rand(2, 3, 3), torch.zeros(2, 3, 1)], 2), rand(3, 1)], lambda x, s: F.prelu(x, s.reshape(3)))
    gradient("Clip", {}, [x, torch.tensor(-2.0), torch.tensor(3.0)], lambda x, low, high: torch.clamp(x, low, high))
    y = rand(2, 3, 4) * 10
    for axis in (0, 1, -1):
        gradient("Softmax", {"axis": axis}, [y], lambda x: torch.softmax(x, axis))
        gradient("LogSoftmax", {"axis": axis}, [y], lambda x: torch.log_softmax(x, axis))


def reductions():
    z, ties = rand(2, 3, 4) + 0.03, torch.tensor([[1.0, 2.0, 2.0], [3.0, -1.0, 3.0]])
    for op, x, f in [
        ("ReduceSum", z, lambda x: x.sum(1, True)), ("ReduceMean", z, lambda x: x.mean(1, True)),
        ("ReduceMax", z, lambda x: x.amax(1, True)), ("ReduceMax", ties, lambda x: x.amax(1, True)),
        ("ReduceMin", z, lambda x: x.amin(1, True)), ("ReduceMin", -ties, lambda x: x.amin(1, True)),
        ("ReduceProd", z, lambda x: x.prod(1, True)), ("ReduceL1", z, lambda x: x.norm(1, 1, True)),
        ("ReduceL2", z, lambda x: x.norm(2, 1, True)), ("ReduceSumSquare", z, lambda x: x.square().sum(1, True)),
        ("ReduceLogSum", z.abs(), lambda x: x.sum(1, True).log()), ("ReduceLogSumExp", z, lambda x: torch.logsumexp(x, 1, True)),
    ]:
        gradient(op, {"axes": [1]}, [x], f)


def products():
    gradient("MatMul", {}, [rand(3, 5), rand(5, 4)], torch.matmul)
    gradient("MatMul", {}, [rand(2, 1, 2, 3), rand(3, 3, 2)], torch.matmul)
    alpha, beta = f32(0.3), f32(-1.7)
    for ta in (0, 1):
        for tb in (0, 1):
            gradient("Gemm", {"transA": ta, "transB": tb, "alpha": alpha, "beta": beta},
                     [rand(5, 3) if ta else rand(3, 5), rand(4, 5) if tb else rand(5, 4), rand(4)],
                     lambda a, b, c: torch.addmm(c, a.t() if ta else a, b.t() if tb else b, beta=beta, alpha=alpha))


def cases():
    activations()
    reductions()
    products()
