"""Losses."""
import torch
import torch.nn.functional as F

from golden import case, rand


def cases():
    for reduction in ("mean", "sum", "none"):
        x = (rand(5, 7) * 6).requires_grad_()
        label = torch.randint(0, 7, (5,))
        loss = F.cross_entropy(x, label, reduction=reduction)
        dloss = rand(*loss.shape) + 0.5
        (dx,) = torch.autograd.grad(loss, x, dloss)
        lse = torch.logsumexp(x, 1)
        case("SoftmaxCrossEntropy", {"reduction": reduction}, [x, label], [loss, lse])
        case("SoftmaxCrossEntropyGrad", {"reduction": reduction}, [dloss, x, label, lse], [dx])
