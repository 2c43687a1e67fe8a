"""Pools and their gradients."""
import numpy as np
import torch
import torch.nn.functional as F

from golden import case, rand, window


def cases():
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
    for x, sizes in [((2, 2, 7, 5), [(3, 2), (7, 5), (1, 1), (9, 4)]), ((1, 3, 10), [(4,), (1,)])]:
        adaptive = {1: F.adaptive_avg_pool1d, 2: F.adaptive_avg_pool2d}[len(x) - 2]
        for size in sizes:
            tx = rand(*x)
            case("AdaptiveAveragePool", {"output_size": list(size)}, [tx], [adaptive(tx, size)])
        largest = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d}[len(x) - 2]
        tx, one = rand(*x), [1] * (len(x) - 2)
        case("GlobalAveragePool", {}, [tx], [adaptive(tx, one)])
        case("GlobalMaxPool", {}, [tx], [largest(tx, one)])
