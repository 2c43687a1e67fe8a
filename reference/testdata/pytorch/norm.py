"""Norms and their gradients."""
import torch
import torch.nn.functional as F

from golden import case, rand


def grads(y, *wrt):
    dy = rand(*y.shape)
    return dy, torch.autograd.grad(y, wrt, dy)


def batch():
    # Attributes are f32: powers of two.
    for shape, epsilon, momentum in [((4, 3, 2, 3), 2**-16, 0.125), ((5, 2), 0.125, 0.25), ((2, 3, 5), 0.0, 0.5)]:
        c = shape[1]
        x, scale, bias = (t.requires_grad_() for t in (rand(*shape), rand(c), rand(c)))
        mean, var = rand(c), rand(c).abs() + 0.5
        attrs = {"epsilon": epsilon}
        y = F.batch_norm(x, mean, var, scale, bias, False, momentum, epsilon)
        case("BatchNormalization", attrs, [x, scale, bias, mean, var], [y])
        axes = [0] + list(range(2, x.dim()))
        batch_mean, batch_var = x.mean(axes), x.var(axes, unbiased=False)
        inv = (batch_var + epsilon).rsqrt()
        next_mean, next_var = mean.clone(), var.clone()
        y = F.batch_norm(x, next_mean, next_var, scale, bias, True, momentum, epsilon)
        dy, (dx, ds, db) = grads(y, x, scale, bias)
        case("BatchNormalizationTraining", {**attrs, "momentum": momentum}, [x, scale, bias, mean, var], [y, next_mean, next_var, batch_mean, inv])
        case("BatchNormalizationGrad", {}, [dy, x, scale, batch_mean, inv], [dx, ds, db])


def rms(x, axis):
    """This PyTorch has no RMS norm: the rows, each with one more element √(n·ε) of
    ε = 0.25, as its own F.normalize divides them by their length, times √n.
    """
    rows = x.flatten(axis)
    n = rows.shape[-1]
    more = torch.full((*rows.shape[:-1], 1), (n * 0.25) ** 0.5)
    return (F.normalize(torch.cat([rows, more], -1), dim=-1)[..., :-1] * n**0.5).reshape(x.shape)


def axes():
    for shape, axis in [((3, 7), -1), ((2, 3, 5), 1), ((2, 2, 3), -1)]:
        over = shape[axis:]
        x, scale, bias = (t.requires_grad_() for t in (rand(*shape), rand(*over), rand(*over)))
        y, mean, inv = torch.native_layer_norm(x, over, scale, bias, 0.25)
        dy, (dx, ds, db) = grads(y, x, scale, bias)
        case("LayerNormalization", {"axis": axis, "epsilon": 0.25}, [x, scale, bias], [y, mean, inv])
        case("LayerNormalizationGrad", {"axis": axis}, [dy, x, scale, mean, inv], [dx, ds, db])
        y = rms(x, axis) * scale
        dy, (dx, ds) = grads(y, x, scale)
        case("RMSNormalization", {"axis": axis, "epsilon": 0.25}, [x, scale], [y])
        case("RMSNormalizationGrad", {"axis": axis, "epsilon": 0.25}, [dy, x, scale], [dx, ds])


def channels():
    for shape, groups in [((2, 6, 2, 3), 3), ((3, 4, 5), 1), ((2, 4, 3), 4)]:
        c = shape[1]
        x, scale, bias = (t.requires_grad_() for t in (rand(*shape), rand(c), rand(c)))
        attrs = {"num_groups": groups, "epsilon": 0.125}
        y = F.group_norm(x, groups, scale, bias, 0.125)
        dy, (dx, ds, db) = grads(y, x, scale, bias)
        case("GroupNormalization", attrs, [x, scale, bias], [y])
        case("GroupNormalizationGrad", attrs, [dy, x, scale], [dx, ds, db])
        y = F.instance_norm(x, None, None, scale, bias, True, 0.1, 0.125)
        case("InstanceNormalization", {"epsilon": 0.125}, [x, scale, bias], [y])


def responses():
    for shape, size, alpha, beta, bias in [((2, 7, 2, 2), 5, 0.5, 0.75, 1.0), ((1, 5, 6), 3, 0.25, 0.5, 2.0)]:
        x = rand(*shape).requires_grad_()
        y = F.local_response_norm(x, size, alpha, beta, bias)
        dy, (dx,) = grads(y, x)
        attrs = {"size": size, "alpha": alpha, "beta": beta, "bias": bias}
        case("LRN", attrs, [x], [y])
        case("LRNGrad", attrs, [dy, x], [dx])


def cases():
    batch()
    axes()
    channels()
    responses()
