"""Losses, with every option of PyTorch's."""
import torch
import torch.nn.functional as F

from golden import case, f32, rand


def cross_entropy(shape, reduction, weights=None, ignore=None, smoothing=0, soft=False):
    classes, rows = shape[1], shape[:1] + shape[2:]
    x = (rand(*shape) * 4).requires_grad_()
    if soft:
        labels = torch.softmax(rand(*shape), 1)
    else:
        labels = torch.randint(0, classes, rows)
        if ignore is not None:
            labels.view(-1)[::3] = ignore
    w = rand(classes).abs() + 0.125 if weights else None
    options = {"reduction": reduction}
    if ignore is not None:
        options["ignore_index"] = ignore
    attrs = dict(options)
    if smoothing:
        options["label_smoothing"] = attrs["label_smoothing"] = f32(smoothing)
    loss = F.cross_entropy(x, labels, weight=w, **options)
    dloss = rand(*loss.shape) + 0.5
    (dx,) = torch.autograd.grad(loss, x, dloss)
    lse = torch.logsumexp(x, 1)
    case("SoftmaxCrossEntropy", attrs, [x, labels, w], [loss, lse])
    case("SoftmaxCrossEntropyGrad", attrs, [dloss, x, labels, lse, w], [dx])
    if soft or smoothing:
        return
    logp = torch.log_softmax(x, 1)
    case("SoftmaxCrossEntropyLoss", attrs, [x, labels, w], [loss, logp])
    case("NegativeLogLikelihoodLoss", attrs, [logp, labels, w], [F.nll_loss(logp, labels, weight=w, **options)])


def cases():
    for reduction in ("mean", "sum", "none"):
        cross_entropy((3, 5), reduction)
        cross_entropy((4, 3), reduction, weights=True)
        cross_entropy((5, 3), reduction, ignore=-100)
        cross_entropy((5, 3), reduction, weights=True, ignore=1)
        cross_entropy((3, 4), reduction, smoothing=0.1)
        cross_entropy((5, 3), reduction, weights=True, ignore=2, smoothing=0.2)
        cross_entropy((3, 3), reduction, soft=True)
        cross_entropy((4, 3), reduction, soft=True, weights=True, smoothing=0.3)
        cross_entropy((2, 3, 2, 2), reduction, weights=True, ignore=0, smoothing=0.1)
        a, b = rand(3, 4), rand(3, 4)
        case("MSELoss", {"reduction": reduction}, [a, b], [F.mse_loss(a, b, reduction=reduction)])
    cross_entropy((2, 3, 2, 2), "mean", soft=True)
    cross_entropy((3, 4, 2), "mean", ignore=7)
