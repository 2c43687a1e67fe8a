#!/usr/bin/env python3
"""Writes golden.py's networks by torch.onnx.export, with golden.py's first
weights, to FOLDER: NETWORK.onnx keeps names and norms, NETWORK.folded.onnx is
what the exporter makes of its own accord. Needs python3-torchvision."""
import pathlib
import sys
import warnings

import torch

import golden

folder = pathlib.Path(sys.argv[1])
warnings.simplefilter("ignore")
for spec, build in {
    "lenet5": golden.lenet5,
    "resnet20": lambda: golden.SmallResNet(20),
    "mobilenetv3-small-0.35": lambda: golden.small_mobilenet(0.35),
    "vit-micro": lambda: golden.VisionTransformer(32, 4, 6, 4, 128, 512, 0.0, 0.0, 10),
}.items():
    model = build().eval()
    state = {n: golden.fresh(n, t.shape).float() for n, t in model.state_dict().items() if not n.endswith("num_batches_tracked")}
    model.load_state_dict(state, strict=False)
    image = torch.zeros(1, *((1, 28, 28) if spec == "lenet5" else (3, 32, 32)))
    keep = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    torch.onnx.export(model, image, folder / f"{spec}.onnx", opset_version=14, **keep)
    torch.onnx.export(model, image, folder / f"{spec}.folded.onnx", opset_version=14)
