#!/usr/bin/env python3
"""Golden results of PyTorch in float64, the second oracle for package reference.

    python3 golden.py > golden.json      (Debian's python3-torch, 1.13)

A case names an op of clsbench's table, its attributes and its inputs by
position, and has PyTorch's results, null for an output that is not compared.
Gradients come from PyTorch's own autograd, not from a formula written here.
A trajectory has an optimizer's steps in a row.
"""
import json

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(20240229)
torch.set_default_dtype(torch.float64)
cases, trajectories = [], []


def f32(v):
    """An attribute: rounded to f32, as it crosses the plugin boundary."""
    return float(np.float32(v))


def dump(t):
    if t is None:
        return None
    return {"shape": list(t.shape), "data": [float(v) for v in t.detach().reshape(-1)]}


def case(op, attrs, inputs, outputs):
    dtypes = ["s64" if t is not None and t.dtype == torch.int64 else "f64" for t in inputs]
    cases.append({"op": op, "attrs": attrs, "dtypes": dtypes,
                  "inputs": [dump(t) for t in inputs], "outputs": [dump(t) for t in outputs]})


def rand(*shape):
    """Few digits, to keep the file small; the results have all of them."""
    return (torch.randn(shape) * 8).round() / 8


def window(kernel, stride=None, pad=None, dilation=None, **more):
    n = len(kernel)
    attrs = {"kernel_shape": list(kernel), "strides": list(stride or [1] * n),
             "pads": list(pad or [0] * n) * 2, "dilations": list(dilation or [1] * n)}
    return {**attrs, **more}


def convolutions():
    for x, w, stride, pad, dilation, groups, bias in [
        ((2, 3, 6, 5), (4, 3, 3, 3), (1, 1), (0, 0), (1, 1), 1, True),
        ((1, 1, 8, 8), (3, 1, 5, 5), (1, 1), (2, 2), (1, 1), 1, True),
        ((2, 2, 7, 6), (3, 2, 3, 2), (2, 3), (1, 0), (1, 1), 1, False),
        ((1, 2, 9, 8), (2, 2, 3, 3), (1, 2), (2, 1), (2, 3), 1, True),
        ((1, 4, 5, 6), (6, 2, 3, 3), (2, 1), (1, 1), (1, 1), 2, True),
        ((2, 3, 5, 5), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3, False),
        ((2, 4, 3, 3), (5, 4, 1, 1), (2, 2), (0, 0), (1, 1), 1, True),
        ((2, 2, 9), (3, 2, 4), (2,), (3,), (2,), 1, True),
        ((1, 2, 4, 3, 4), (2, 2, 2, 2, 3), (1, 2, 1), (1, 0, 1), (1, 1, 1), 1, True),
    ]:
        conv = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(stride)]
        tx, tw = rand(*x).requires_grad_(), rand(*w).requires_grad_()
        tb = rand(w[0]) if bias else None
        y = conv(tx, tw, tb, stride, pad, dilation, groups)
        dy = rand(*y.shape)
        dx, dw = torch.autograd.grad(y, [tx, tw], dy)
        attrs = window(w[2:], stride, pad, dilation, group=groups)
        case("Conv", attrs, [tx, tw, tb], [y])
        case("ConvInputGrad", {**attrs, "input_shape": list(x)}, [dy, tw], [dx])
        case("ConvWeightGrad", {**attrs, "weight_shape": list(w)}, [tx, dy], [dw])


def pools():
    for x, kernel, stride, pad, ceil in [
        ((2, 2, 6, 4), (2, 2), (2, 2), (0, 0), False),
        ((1, 2, 7, 6), (3, 2), (2, 1), (1, 1), False),
        ((1, 2, 6, 7), (3, 3), (2, 2), (0, 0), True),
        ((1, 1, 8, 8), (3, 3), (3, 2), (1, 1), True),
        ((2, 2, 10), (4,), (3,), (2,), True),
    ]:
        avg, mx = {1: (F.avg_pool1d, F.max_pool1d), 2: (F.avg_pool2d, F.max_pool2d)}[len(kernel)]
        for counted in (False, True):
            tx = rand(*x).requires_grad_()
            y = avg(tx, kernel, stride, pad, ceil, counted)
            dy = rand(*y.shape)
            (dx,) = torch.autograd.grad(y, tx, dy)
            attrs = window(kernel, stride, pad, ceil_mode=int(ceil), count_include_pad=int(counted))
            case("AveragePool", attrs, [tx], [y])
            case("AveragePoolGrad", {**attrs, "input_shape": list(x)}, [dy], [dx])
        for dilation in (1, 2):
            if dilation == 2 and ceil:
                continue
            # Ties are likely: the first maximum must win.
            tx = torch.randint(0, 4, x).double().requires_grad_()
            y, i = mx(tx, kernel, stride, pad, dilation, ceil, True)
            dy = rand(*y.shape)
            (dx,) = torch.autograd.grad(y, tx, dy)
            plane = int(np.prod(x[2:]))
            flat = i + torch.arange(x[0] * x[1]).reshape(x[0], x[1], *[1] * len(kernel)) * plane
            attrs = window(kernel, stride, pad, [dilation] * len(kernel), ceil_mode=int(ceil))
            case("MaxPool", attrs, [tx], [y, flat])
            case("MaxPoolGrad", {"input_shape": list(x)}, [dy, flat], [dx])


def products():
    a, b, c = rand(3, 5), rand(5, 4), rand(4)
    case("MatMul", {}, [a, b], [a @ b])
    s, t = rand(2, 1, 2, 3), rand(3, 3, 2)
    case("MatMul", {}, [s, t], [s @ t])
    alpha, beta = f32(0.3), f32(-1.7)
    for ta in (0, 1):
        for tb in (0, 1):
            attrs = {"transA": ta, "transB": tb, "alpha": alpha, "beta": beta}
            y = torch.addmm(c, a, b, beta=beta, alpha=alpha)
            case("Gemm", attrs, [a.t().contiguous() if ta else a, b.t().contiguous() if tb else b, c], [y])


def functions():
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


def losses():
    for reduction in ("mean", "sum", "none"):
        x = (rand(5, 7) * 6).requires_grad_()
        label = torch.randint(0, 7, (5,))
        loss = F.cross_entropy(x, label, reduction=reduction)
        dloss = rand(*loss.shape) + 0.5
        (dx,) = torch.autograd.grad(loss, x, dloss)
        lse = torch.logsumexp(x, 1)
        case("SoftmaxCrossEntropy", {"reduction": reduction}, [x, label], [loss, lse])
        case("SoftmaxCrossEntropyGrad", {"reduction": reduction}, [dloss, x, label, lse], [dx])


def optimizers():
    n, steps = 5, 4
    lrs = [f32(v) for v in (0.1, 0.05, 0.05, 0.01)]

    def run(op, attrs, make, slots):
        p = torch.nn.Parameter(rand(n))
        opt = make([p])
        start = slots(opt, p)
        t = {"op": op, "attrs": attrs, "param": dump(p), "slots": [dump(s) for s in start], "steps": []}
        for lr in lrs:
            g = rand(n)
            g[0] *= 1e-9  # as small as Adam's epsilon
            p.grad = g.clone()
            opt.param_groups[0]["lr"] = lr
            opt.step()
            t["steps"].append({"lr": lr, "grad": dump(g), "param": dump(p), "slots": [dump(s) for s in slots(opt, p)]})
        trajectories.append(t)

    for momentum, dampening, decay, nesterov in [
        (0, 0, 0, False), (0.9, 0, 0, False), (0.9, 0, 0.01, True), (0.5, 0.3, 0.1, False),
    ]:
        attrs = {"momentum": f32(momentum), "dampening": f32(dampening), "weight_decay": f32(decay), "nesterov": int(nesterov)}
        start = rand(n)

        def make(params):
            opt = torch.optim.SGD(params, lr=1.0, momentum=attrs["momentum"], dampening=attrs["dampening"],
                                  weight_decay=attrs["weight_decay"], nesterov=nesterov)
            if momentum:
                opt.state[params[0]]["momentum_buffer"] = start.clone()
            return opt

        def slots(opt, p):
            return [opt.state[p]["momentum_buffer"] if momentum else None]

        run("SGD", attrs, make, slots)

    for beta1, beta2, eps, decay in [(0.9, 0.999, 1e-8, 0), (0.5, 0.25, 0.01, 0.1)]:
        attrs = {"beta1": f32(beta1), "beta2": f32(beta2), "epsilon": f32(eps), "weight_decay": f32(decay)}

        def make(params):
            return torch.optim.Adam(params, lr=1.0, betas=(attrs["beta1"], attrs["beta2"]),
                                    eps=attrs["epsilon"], weight_decay=attrs["weight_decay"])

        def slots(opt, p):
            s = opt.state[p]
            return [s.get("exp_avg", torch.zeros(n)), s.get("exp_avg_sq", torch.zeros(n))]

        run("Adam", attrs, make, slots)


convolutions()
pools()
products()
functions()
losses()
optimizers()
print('{"torch": "%s",\n"cases": [' % torch.__version__)
print(",\n".join(json.dumps(c) for c in cases))
print('],\n"trajectories": [')
print(",\n".join(json.dumps(t) for t in trajectories))
print("]}")
