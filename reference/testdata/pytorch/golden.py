"""What the golden cases are written with: see generate.py.

A case names an op of clsbench's table, its attributes and its inputs by
position, and has PyTorch's results, null for an output that is not compared.
Gradients come from PyTorch's own autograd, not from a formula written here.
A trajectory has an optimizer's steps in a row. A gradient has those of an op's
float inputs for a given gradient dy of its output.
"""
import numpy as np
import torch

gathered = {"cases": [], "trajectories": [], "gradients": []}


def f32(v):
    """An attribute: rounded to f32, as it crosses the plugin boundary."""
    return float(np.float32(v))


def dump(t):
    if t is None:
        return None
    return {"shape": list(t.shape), "data": [float(v) for v in t.detach().reshape(-1)]}


DTYPES = {torch.int64: "s64", torch.int32: "s32", torch.int8: "s8", torch.uint8: "u8", torch.bool: "bool"}


def case(op, attrs, inputs, outputs):
    dtypes = ["f64" if t is None else DTYPES.get(t.dtype, "f64") for t in inputs]
    gathered["cases"].append({"op": op, "attrs": attrs, "dtypes": dtypes,
                              "inputs": [dump(t) for t in inputs], "outputs": [dump(t) for t in outputs]})


def gradient(op, attrs, inputs, f):
    inputs = [t.detach().clone().requires_grad_() for t in inputs]
    y = f(*inputs)
    dy = rand(*y.shape) + 0.5
    gathered["gradients"].append({"op": op, "attrs": attrs, "inputs": [dump(t) for t in inputs], "dy": dump(dy),
                                  "grads": [dump(t) for t in torch.autograd.grad(y, inputs, dy)]})


def trajectory(t):
    gathered["trajectories"].append(t)


def rand(*shape):
    """Few digits, to keep the file small; the results have all of them."""
    return (torch.randn(shape) * 8).round() / 8


def window(kernel, stride=None, pad=None, dilation=None, **more):
    n = len(kernel)
    attrs = {"kernel_shape": list(kernel), "strides": list(stride or [1] * n),
             "pads": list(pad or [0] * n) * 2, "dilations": list(dilation or [1] * n)}
    return {**attrs, **more}
