"""Convolutions and their gradients."""
import torch
import torch.nn.functional as F

from golden import case, rand, window


def cases():
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
