#!/usr/bin/env python3
"""Writes the names and shapes of the tensors of torchvision's networks, a file
each, a tensor a line, in state_dict's order; with --check, compares instead. Needs
python3-torchvision."""
import pathlib
import sys

import torchvision

here = pathlib.Path(__file__).parent
wrong = []
for ours, theirs in {
    "alexnet": "alexnet",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "mobilenetv3-small": "mobilenet_v3_small",
    "mobilenetv3-large": "mobilenet_v3_large",
    "vit-b16": "vit_b_16",
}.items():
    lines = [f"# torchvision {torchvision.__version__}: {theirs}"]
    for name, t in getattr(torchvision.models, theirs)().state_dict().items():
        if not name.endswith(".num_batches_tracked"):
            lines.append(f"{name} {'x'.join(map(str, t.shape))}")
    file = here / (ours + ".txt")
    if "--check" not in sys.argv:
        file.write_text("\n".join(lines) + "\n")
    elif file.read_text().splitlines()[1:] != lines[1:]:
        wrong.append(f"{file.name}: torchvision {torchvision.__version__} has other names or shapes")
sys.exit("\n".join(wrong) or None)
