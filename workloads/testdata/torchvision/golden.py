#!/usr/bin/env python3
"""Writes what torchvision's networks, and PyTorch's of those that torchvision
lacks, answer and how they train, in float64, a JSON file each in golden/;
with --check, compares instead. Needs python3-torchvision.

A file holds, of images and parameters that hash32() makes: the logits before
training, the losses of the first steps of SGD, the first one's gradients, and
the logits afterwards, which the running statistics have a part in. Of a tensor
it holds the norm and the sum with pseudo-random signs, which any wrong or
misplaced element of weight changes, and how far off PyTorch's f32 is.

Dropout is torchvision's but for the masks, which are clsbench's: Philox words
by the layer's name and the step.
"""
import json
import pathlib
import re
import sys

import numpy as np
import torch
import torchvision
from torch import nn
from torchvision.models.mobilenetv3 import MobileNetV3, _mobilenet_v3_conf
from torchvision.models.vision_transformer import VisionTransformer

STEPS, RATE, MOMENTUM, DECAY = 3, 0.001, 0.9, 1e-4
here = pathlib.Path(__file__).parent / "golden"


def fnv(name):
    """Fowler, Noll and Vo's hash, FNV-1a, of 32 bits."""
    h = 0x811C9DC5
    for b in name.encode():
        h = (h ^ b) * 0x01000193 & 0xFFFFFFFF
    return h


def hash32(name, n):
    """n words of 32 bits that a name gives: a multiplicative hash of the index, mixed twice."""
    h = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(fnv(name))
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x85EBCA77)
    h ^= h >> np.uint32(13)
    h *= np.uint32(0xC2B2AE3D)
    h ^= h >> np.uint32(16)
    return h


def uniform(name, shape, centre, bound):
    """In centre ± bound, rounded to f32."""
    u = (hash32(name, int(np.prod(shape))) >> np.uint32(8)).astype(np.float64) / (1 << 24)
    v = (centre - bound) + 2 * bound * u
    return torch.from_numpy(v.astype(np.float32).astype(np.float64).reshape(shape))


def fresh(name, shape):
    """First values of a parameter or a buffer."""
    if name.endswith("running_var") or name.endswith("weight") and len(shape) == 1:
        return uniform(name, shape, 0.5, 0.1)
    if len(shape) < 2:
        return uniform(name, shape, 0, 0.1)
    return uniform(name, shape, 0, float(np.sqrt(6 / np.prod(shape[1:]))) if len(shape) != 3 else 0.5)


def sketch(name, exact, f32):
    """Of a tensor in float64; noise is the norm of what f32 is off."""
    v, w = (t.detach().double().reshape(-1).numpy() for t in (exact, f32))
    signs = (hash32(name, v.size) & np.uint32(1)).astype(np.float64) * 2 - 1
    return {"norm": float(np.linalg.norm(v)), "signed": float(np.dot(v, signs)), "noise": float(np.linalg.norm(w - v))}


def philox(stream, step, n):
    """n words of Philox4x32-10 (Salmon et al., SC '11) under key 0, element by element."""
    blocks = (n + 3) // 4
    low = np.uint64(0xFFFFFFFF)
    c = [np.arange(blocks, dtype=np.uint64), np.zeros(blocks, np.uint64),
         np.full(blocks, stream, np.uint64), np.full(blocks, step, np.uint64)]
    k = [0, 0]
    for _ in range(10):
        p, q = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(q >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), q & low,
             (p >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), p & low]
        k = [k[0] + 0x9E3779B9 & 0xFFFFFFFF, k[1] + 0xBB67AE85 & 0xFFFFFFFF]
    return np.stack(c, 1).reshape(-1)[:n]


class Drop(nn.Module):
    """Dropout of elements or, as stochastic depth, of images."""
    step = 0

    def __init__(self, name, p, images=False):
        super().__init__()
        self.stream, self.p, self.images = fnv(name), p, images

    def forward(self, x):
        if not self.training or self.p == 0:
            return x
        shape = [len(x)] + [1] * (x.dim() - 1) if self.images else list(x.shape)
        words = philox(self.stream, Drop.step, int(np.prod(shape)))
        p = float(np.float32(self.p))
        kept = torch.from_numpy((words >= int(p * (1 << 32))).astype(np.float64).reshape(shape))
        return x * kept.to(x.dtype) / (1 - p)


def drops(model):
    """Puts clsbench's masks in the place of PyTorch's."""
    for name, m in list(model.named_modules()):
        for child, c in list(m.named_children()):
            if isinstance(c, nn.Dropout):
                setattr(m, child, Drop(f"{name}.{child}" if name else child, c.p))
    return model


def lenet5(act=nn.ReLU, pool=nn.AvgPool2d):
    return named([("conv1", nn.Conv2d(1, 6, 5)), ("a1", act()), ("p1", pool(2)),
                  ("conv2", nn.Conv2d(6, 16, 5)), ("a2", act()), ("p2", pool(2)), ("flat", nn.Flatten()),
                  ("fc1", nn.Linear(256, 120)), ("a3", act()), ("fc2", nn.Linear(120, 84)), ("a4", act()),
                  ("fc3", nn.Linear(84, 10))])


def named(layers):
    s = nn.Sequential()
    for name, layer in layers:
        s.add_module(name, layer)
    return s


class LeNet1998(nn.Module):
    """LeCun et al. 1998, §II.B; the codes' pictures are read from clsbench's sources."""
    SEEN = ["012", "123", "234", "345", "045", "015", "0123", "1234", "2345", "0345", "0145", "0125", "0134", "1245", "0235", "012345"]

    def __init__(self):
        super().__init__()
        self.c1, self.c5, self.f6 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(16, 120, 5), nn.Linear(120, 84)
        self.s2, self.s4 = Subsample(6), Subsample(16)
        self.c3 = nn.ModuleDict({name: nn.Conv2d(n * len(seen), n, 5, groups=n)
                                 for name, n, seen in [("a", 6, "012"), ("b", 9, "0123"), ("c", 1, "012345")]})
        source = (pathlib.Path(__file__).parents[2] / "lenet1998.go").read_text()
        pictures = re.search(r"digitPictures = `([.#\s]*)`", source)[1].split()
        self.codes = torch.tensor([[1.0 if c == "#" else -1.0 for c in "".join(pictures[12 * i:12 * i + 12])] for i in range(10)])

    def forward(self, x):
        squash = lambda y: 1.7159 * torch.tanh(2 / 3 * y)
        x = squash(self.s2(squash(self.c1(x))))
        parts = [(self.c3["a"], self.SEEN[:6]), (self.c3["b"], self.SEEN[6:15]), (self.c3["c"], self.SEEN[15:])]
        x = torch.cat([conv(torch.cat([x[:, [int(m) for m in seen]] for seen in maps], 1)) for conv, maps in parts], 1)
        x = squash(self.c5(squash(self.s4(squash(x)))))
        x = squash(self.f6(x.flatten(1)))
        return -((x[:, None] - self.codes.to(x.dtype)) ** 2).sum(2)


class Subsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(channels, 1, 1)), nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x):
        return 4 * nn.functional.avg_pool2d(x, 2) * self.weight + self.bias


def alexnet2012():
    """Krizhevsky, Sutskever and Hinton 2012; α of the sum of squares, which PyTorch divides by the size."""
    lrn = lambda: nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
    return named([("conv1", nn.Conv2d(3, 96, 11, 4, 2)), ("a1", nn.ReLU()), ("n1", lrn()), ("p1", nn.MaxPool2d(3, 2)),
                  ("conv2", nn.Conv2d(96, 256, 5, padding=2, groups=2)), ("a2", nn.ReLU()), ("n2", lrn()), ("p2", nn.MaxPool2d(3, 2)),
                  ("conv3", nn.Conv2d(256, 384, 3, padding=1)), ("a3", nn.ReLU()),
                  ("conv4", nn.Conv2d(384, 384, 3, padding=1, groups=2)), ("a4", nn.ReLU()),
                  ("conv5", nn.Conv2d(384, 256, 3, padding=1, groups=2)), ("a5", nn.ReLU()), ("p5", nn.MaxPool2d(3, 2)), ("flat", nn.Flatten()),
                  ("fc6", nn.Linear(9216, 4096)), ("a6", nn.ReLU()), ("drop6", nn.Dropout(0.5)),
                  ("fc7", nn.Linear(4096, 4096)), ("a7", nn.ReLU()), ("drop7", nn.Dropout(0.5)), ("fc8", nn.Linear(4096, 1000))])


class OptionA(nn.Module):
    """He et al. 2016, §4.2: every other row and column, and channels of zeros on both sides."""

    def __init__(self, more):
        super().__init__()
        self.more = more

    def forward(self, x):
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))


class SmallResNet(nn.Module):
    """torchvision's blocks in the plan of He et al. 2016, §4.2."""

    def __init__(self, depth, projection=False):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        width = 16
        for stage, out in enumerate([16, 32, 64]):
            blocks = nn.Sequential()
            for i in range((depth - 2) // 6):
                stride, shortcut = (2 if i == 0 and stage > 0 else 1), None
                if out != width and projection:
                    shortcut = nn.Sequential(nn.Conv2d(width, out, 1, 2, bias=False), nn.BatchNorm2d(out))
                elif out != width:
                    shortcut = OptionA(out - width)
                blocks.append(torchvision.models.resnet.BasicBlock(width, out, stride, shortcut))
                width = out
            setattr(self, f"layer{stage + 1}", blocks)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(x.mean((2, 3)))


def small_mobilenet(width):
    blocks, last = _mobilenet_v3_conf("mobilenet_v3_small", width_mult=width)
    m = MobileNetV3(blocks, last, num_classes=10)
    m.features[0][0].stride = (1, 1)
    return m


def vit(size, patch, width, depth, heads, classes, dropout=0.0, depths=0.0):
    m = drops(VisionTransformer(size, patch, depth, heads, width, 4 * width, dropout, 0.0, classes))
    for i, block in enumerate(m.encoder.layers):
        name, p = f"encoder.layers.encoder_layer_{i}", depths * i / (depth - 1)
        block.dropout = nn.Sequential(block.dropout, Drop(name + ".depth_1", p, images=True))
        block.mlp.append(Drop(name + ".depth_2", p, images=True))
    return m


# Spec of clsbench, model, images a batch, their extent and channels.
NETWORKS = {
    "lenet5": (lenet5, 4, 28, 1),
    "lenet5;activation=tanh;pool=max": (lambda: lenet5(nn.Tanh, nn.MaxPool2d), 4, 28, 1),
    "lenet5;form=1998": (LeNet1998, 4, 28, 1),
    "lenet5;activation=sigmoid": (lambda: lenet5(nn.Sigmoid), 4, 28, 1),
    "alexnet": (torchvision.models.alexnet, 2, 224, 3),
    "alexnet;form=2012": (alexnet2012, 2, 224, 3),
    "resnet18": (torchvision.models.resnet18, 2, 224, 3),
    "resnet34": (torchvision.models.resnet34, 2, 224, 3),
    "resnet50": (torchvision.models.resnet50, 4, 224, 3),
    "resnet101": (torchvision.models.resnet101, 4, 224, 3),
    "resnet20": (lambda: SmallResNet(20), 4, 32, 3),
    "resnet20;shortcut=projection": (lambda: SmallResNet(20, True), 4, 32, 3),
    "resnet56": (lambda: SmallResNet(56), 4, 32, 3),
    "mobilenetv3-small": (torchvision.models.mobilenet_v3_small, 2, 224, 3),
    "mobilenetv3-large": (torchvision.models.mobilenet_v3_large, 2, 224, 3),
    "mobilenetv3-small-0.5": (lambda: small_mobilenet(0.5), 4, 32, 3),
    "mobilenetv3-small-0.35": (lambda: small_mobilenet(0.35), 4, 32, 3),
    "vit-micro;dropout=0.1;stochastic_depth=0.1": (lambda: vit(32, 4, 128, 6, 4, 10, 0.1, 0.1), 4, 32, 3),
    "vit-tiny": (lambda: vit(32, 4, 192, 12, 3, 10), 4, 32, 3),
    "vit-s16": (lambda: vit(224, 16, 384, 12, 6, 1000), 2, 224, 3),
    "vit-b16": (torchvision.models.vit_b_16, 2, 224, 3),
}


def images(batch, extent, channels):
    """u8 N×H×W×C, and N×C×H×W standardised by a mean and a deviation of one half."""
    raw = (hash32("image", batch * extent * extent * channels) >> np.uint32(24)).astype(np.float64)
    x = torch.from_numpy(raw.reshape(batch, extent, extent, channels)).permute(0, 3, 1, 2)
    return ((x / 255 - 0.5) / 0.5).contiguous()


def train(spec, dtype):
    """Logits before and after, the losses of each step and the gradients of the first, in a type."""
    build, batch, extent, channels = NETWORKS[spec]
    torch.set_default_dtype(dtype)
    model = drops(build()).to(dtype)
    state = {n: t for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    model.load_state_dict({n: fresh(n, t.shape) for n, t in state.items()}, strict=False)
    x = images(batch, extent, channels).to(dtype)
    sgd = torch.optim.SGD(model.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    with torch.no_grad():
        before = model.eval()(x)
    labels = torch.from_numpy((hash32("label", batch) % np.uint32(before.shape[1])).astype(np.int64))
    losses, gradients = [], {}
    model.train()
    for Drop.step in range(STEPS):
        sgd.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        losses.append(float(loss))
        gradients = gradients or {n: p.grad.clone() for n, p in model.named_parameters()}
        sgd.step()
    with torch.no_grad():
        return before, losses, gradients, model.eval()(x)


def golden(spec):
    exact, f32 = train(spec, torch.float64), train(spec, torch.float32)
    return {"workload": spec, "batch": NETWORKS[spec][1],
            "before": sketch("logits", exact[0], f32[0]), "first": exact[0][0, :10].tolist(),
            "losses": exact[1], "noise": [abs(a - b) for a, b in zip(exact[1], f32[1])],
            "after": sketch("logits", exact[3], f32[3]),
            "gradients": {n: sketch(n, g, f32[2][n]) for n, g in exact[2].items()}}


def rounded(v):
    if isinstance(v, float):
        return float(f"{v:.8g}")
    if isinstance(v, list):
        return [rounded(x) for x in v]
    return {k: rounded(x) for k, x in v.items()} if isinstance(v, dict) else v


def lines(d):
    """JSON with an entry a line."""
    return "{\n" + ",\n".join(f"{json.dumps(k)}: {lines(v) if k == 'gradients' else json.dumps(v)}" for k, v in d.items()) + "\n}"


def differs(a, b, at):
    """The first place where b is not a, within what orders of summation do to float64. Noise may be any."""
    if isinstance(a, dict):
        pairs = [(k, a[k], b.get(k)) for k in a if k != "noise"] if isinstance(b, dict) and a.keys() == b.keys() else None
    elif isinstance(a, list):
        pairs = [(i, *p) for i, p in enumerate(zip(a, b))] if isinstance(b, list) and len(a) == len(b) else None
    else:
        same = abs(a - b) <= 1e-6 * max(abs(a), abs(b), 1e-6) if isinstance(a, float) and isinstance(b, (int, float)) else a == b
        return None if same else f"{at}: {a} there, {b} now"
    if pairs is None:
        return f"{at}: other entries"
    return next(filter(None, (differs(x, y, f"{at}/{k}") for k, x, y in pairs)), None)


def main():
    check, wrong = "--check" in sys.argv, 0
    only = [a for a in sys.argv[1:] if a != "--check"]
    here.mkdir(exist_ok=True)
    for spec in only or NETWORKS:
        file, g = here / (spec.replace(";", ",") + ".json"), rounded(golden(spec))
        if not check:
            file.write_text(lines(g) + "\n")
            continue
        why = differs(json.loads(file.read_text()), g, spec)
        if why:
            print(why)
            wrong += 1
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
