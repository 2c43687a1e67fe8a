"""Attention, gradients by autograd: plain, masked and causal by PyTorch's own
function; what that lacks (a scale, a softcap, groups of heads, rows of nothing)
as the formula in products and a softmax.
"""
import math

import torch
import torch.nn.functional as F

from golden import case, f32, rand


def attention(q, k, v, bias, scale, softcap):
    """Heads apart; groups of heads share keys; a query without keys gives 0."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    s = q @ k.transpose(2, 3) * scale
    if softcap:
        s = softcap * torch.tanh(s / softcap)
    s = s + bias
    empty = torch.isinf(bias.expand(s.shape)).all(-1, keepdim=True)
    s = s.masked_fill(empty, 0)
    p = torch.softmax(s, -1).masked_fill(empty, 0)
    return p @ v, torch.logsumexp(s, -1).masked_fill(empty[..., 0], math.inf), empty


def apart(x, heads):
    return x if x.dim() == 4 else x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(1, 2)


def own():
    for l, t, masked, causal in [(4, 6, False, False), (3, 5, True, False), (5, 5, False, True)]:
        q, k, v = (rand(*s).requires_grad_() for s in [(2, 3, l, 4), (2, 3, t, 4), (2, 3, t, 4)])
        m = torch.rand(2, 3, l, t) < 0.7 if masked else None
        if masked:
            m[..., 0] = True  # every query has a key
        y, _ = F._scaled_dot_product_attention(q, k, v, m, 0.0, False, causal)
        dy = rand(*y.shape)
        grads = torch.autograd.grad(y, (q, k, v), dy)
        allowed = torch.ones(l, t).tril().bool() if causal else m if masked else torch.tensor(True)
        lse = torch.logsumexp((q @ k.transpose(2, 3) / math.sqrt(4)).masked_fill(~allowed, -math.inf), -1)
        attrs = {"is_causal": 1} if causal else {}
        case("Attention", attrs, [q, k, v, m], [y, None, None, None, lse])
        case("AttentionGrad", attrs, [dy, q, k, v, y, lse, m], list(grads))


def cases():
    own()
    inf = torch.tensor(-math.inf)
    for qs, ks, vs, heads, mask, valid, attrs in [
        ((2, 3, 4, 5), (2, 3, 6, 5), (2, 3, 6, 2), None, None, None, {}),
        ((2, 3, 8), (2, 5, 4), (2, 5, 6), (4, 2), "bool", None, {"q_num_heads": 4, "kv_num_heads": 2}),
        ((1, 4, 5, 3), (1, 2, 3, 3), (1, 2, 3, 3), None, None, None, {"is_causal": 1, "scale": f32(0.3)}),
        ((2, 2, 3, 4), (2, 1, 5, 4), (2, 1, 5, 4), None, "float", None, {"softcap": f32(1.5)}),
        ((3, 2, 3, 4), (3, 2, 5, 4), (3, 2, 5, 4), None, None, (1, 5, 3), {"is_causal": 1}),
        ((1, 2, 4, 3), (1, 2, 5, 3), (1, 2, 5, 3), None, "row", None, {}),
    ]:
        q, k, v = (rand(*s).requires_grad_() for s in (qs, ks, vs))
        h, g = heads or (qs[1], ks[1])
        b, l, t = qs[0], apart(q, h).shape[2], apart(k, g).shape[2]
        scale = attrs.get("scale") or 1 / math.sqrt(apart(q, h).shape[3])
        bias, m = torch.zeros(b, 1, l, t), None
        if mask == "bool":
            m = torch.rand(b, 1, l, t) < 0.7
        elif mask == "row":
            m = torch.rand(l, t) < 0.7
            m[1] = False
        elif mask == "float":
            m = rand(2, 1, t)
        if m is not None:
            bias = bias + (torch.where(m, torch.tensor(0.0), inf) if m.dtype == torch.bool else m)
        n = torch.tensor(valid) if valid else None
        i, j = torch.arange(l)[:, None], torch.arange(t)
        if valid:
            bias = torch.where(j < n[:, None, None, None], bias, inf)
        if attrs.get("is_causal"):
            offset = n[:, None, None, None] - l if valid else 0
            bias = torch.where(j <= i + offset, bias, inf)
        y, lse, empty = attention(apart(q, h), apart(k, g), apart(v, g), bias, scale, attrs.get("softcap"))
        if heads:
            y = y.transpose(1, 2).reshape(b, l, -1)
        dy = rand(*y.shape)
        grads = torch.autograd.grad(y, (q, k, v), dy)
        if empty.any():  # lse is infinite there, which JSON has no number for
            case("Attention", attrs, [q, k, v, m, None, None, n], [y])
            continue
        case("Attention", attrs, [q, k, v, m, None, None, n], [y, None, None, None, lse])
        case("AttentionGrad", attrs, [dy, q, k, v, y, lse, m, n], list(grads))
