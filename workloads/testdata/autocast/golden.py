#!/usr/bin/env python3
"""Writes which type torch.autocast gives to each op of a network's training
forward pass with its loss, in bf16 on the CPU, a JSON file each; with --check,
compares instead. Needs python3-torchvision.

A file lists the ops that compute, in order: PyTorch's name, the type of the
first input and that of the first output.
"""
import json
import pathlib
import sys

import torch
from torch.utils._python_dispatch import TorchDispatchMode

here = pathlib.Path(__file__).parent
sys.path.insert(0, str(here.parent / "torchvision"))
from golden import NETWORKS, images  # noqa: E402

SPECS = ["lenet5", "resnet20", "vit-micro;dropout=0.1;stochastic_depth=0.1"]
COMPUTE = {"convolution", "addmm", "mm", "bmm", "native_batch_norm", "native_layer_norm", "relu", "gelu", "add", "avg_pool2d", "mean",
           "_softmax", "_log_softmax", "nll_loss_forward"}


class Types(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.__name__.split(".")[0].rstrip("_")
        if name in COMPUTE and (name != "add" or args[0].is_floating_point()):  # batch norms count their calls
            # addmm takes the bias first
            x = args[1] if name == "addmm" else args[0]
            y = out[0] if isinstance(out, tuple) else out
            self.seen.append([name, *(str(t.dtype).removeprefix("torch.") for t in (x, y))])
        return out


def golden(spec):
    build, batch, extent, channels = NETWORKS[spec]
    model, x = build().train(), images(batch, extent, channels).float()
    with torch.autocast("cpu", dtype=torch.bfloat16), Types() as types:
        torch.nn.functional.cross_entropy(model(x), torch.zeros(batch, dtype=torch.int64))
    return types.seen


def main():
    wrong = 0
    for spec in SPECS:
        file = here / (spec.partition(";")[0] + ".json")
        text = "[\n" + ",\n".join(json.dumps(s) for s in golden(spec)) + "\n]\n"
        if "--check" not in sys.argv:
            file.write_text(text)
        elif file.read_text() != text:
            wrong += 1
            print(f"{spec}: PyTorch {torch.__version__} gives other types")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
