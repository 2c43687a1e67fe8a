"""Quantizing and fake quantization, per tensor and per channel.

PyTorch keeps scales of tensors in double and quantizes f32: data and scales
here are few bits long, so that every step is exact, ties included.
"""
import torch

from golden import case


def exact(*shape):
    """Multiples of 1/32: in steps of a power of two, many are ties."""
    return torch.randint(-200, 201, shape).double() / 32


def quantized(x, scale, zero, dtype, axis=None):
    if axis is None:
        q = torch.quantize_per_tensor(x.float(), float(scale), int(zero), dtype)
    else:
        q = torch.quantize_per_channel(x.float(), scale, zero.long(), axis, dtype)
    return q.int_repr(), q.dequantize().double()


def quantizers():
    for dtype, plain, zero in ((torch.quint8, torch.uint8, 131), (torch.qint8, torch.int8, -7)):
        for scale in (2.0 ** -4, 2.0 ** -6):
            x, s, z = exact(3, 14), torch.tensor(scale), torch.tensor(zero, dtype=plain)
            q, y = quantized(x, s, z, dtype)
            case("QuantizeLinear", {}, [x, s, z], [q])
            case("DequantizeLinear", {}, [q, s, z], [y])
        for axis in (0, 1):
            x = exact(4, 4, 3)
            s, z = torch.tensor([2.0 ** -5, 2.0 ** -6, 2.0 ** -4, 2.0 ** -3]), torch.tensor([0, 5, 1, 12], dtype=plain)
            q, y = quantized(x, s, z, dtype, axis)
            case("QuantizeLinear", {"axis": axis}, [x, s, z], [q])
            case("DequantizeLinear", {"axis": axis}, [q, s, z], [y])


def fakes():
    for lo, hi, zero in ((-128, 127, 3), (0, 255, 120), (-8, 7, 0)):
        attrs = {"quant_min": lo, "quant_max": hi}
        x = exact(3, 14).float().requires_grad_()
        s, z, dy = 2.0 ** -5, torch.tensor(zero, dtype=torch.int32), exact(3, 14).float()
        y = torch.fake_quantize_per_tensor_affine(x, s, zero, lo, hi)
        y.backward(dy)
        record(attrs, x, torch.tensor(s), z, dy, y)
        x = exact(5, 3, 4).float().requires_grad_()
        s, dy = torch.tensor([2.0 ** -5, 2.0 ** -6, 2.0 ** -4]).float(), exact(5, 3, 4).float()
        z = torch.tensor([zero, zero + 1, zero + 2], dtype=torch.int32)
        y = torch.fake_quantize_per_channel_affine(x, s, z, 1, lo, hi)
        y.backward(dy)
        record({**attrs, "axis": 1}, x, s, z, dy, y)


def record(attrs, x, s, z, dy, y):
    case("FakeQuantize", attrs, [x.double(), s.double(), z], [y.double()])
    case("FakeQuantizeGrad", attrs, [dy.double(), x.double(), s.double(), z], [x.grad.double()])


def cases():
    quantizers()
    fakes()
