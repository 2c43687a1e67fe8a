#!/usr/bin/python3
"""Writes golden.json: what torchvision makes of PIL images, the parameters
given. Debian: python3-torchvision, python3-pil.

    ./golden.py > golden.json
"""
import base64
import json
import random

import PIL
import torchvision
import torchvision.transforms.functional as F
from PIL import Image
from torchvision.transforms.autoaugment import _apply_op
from torchvision.transforms.functional import InterpolationMode as Mode


def noise(height, width, mode):
    draw = random.Random(f"{height} {width} {mode}")
    return Image.frombytes(mode, (width, height), bytes(draw.randrange(256) for _ in range(height * width * len(mode))))


def smooth(height, width):
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2
            pixels += bytes([40 + 5 * x, 200 - 6 * y, 150 if inside else 30 + x + y])
    return Image.frombytes("RGB", (width, height), bytes(pixels))


INPUTS = {
    "noise": noise(17, 23, "RGB"),
    "smooth": smooth(20, 18),
    "grey": noise(12, 16, "L"),
    "flat": Image.new("RGB", (9, 8), (70, 70, 200)),
}
RANDAUGMENT = {
    "ShearX": (-0.3, 0.12, 0.3),
    "ShearY": (-0.25, 0.2),
    "TranslateX": (-5.0, 3.7),
    "TranslateY": (4.0, -2.9),
    "Rotate": (-30.0, 9.0, 17.3, 0.0),
    "Brightness": (-0.9, 0.27),
    "Color": (-0.6, 0.9),
    "Contrast": (-0.5, 0.9),
    "Sharpness": (-0.9, 0.9, 0.3),
    "Posterize": (4.0, 7.0, 8.0),
    "Solarize": (128.0, 17.0, 255.0),
    "AutoContrast": (0.0,),
    "Equalize": (0.0,),
}


def calls(image):
    """Yields a function's name, its parameters and its result."""
    width, height = image.size
    for size in ((9, 31), (40, 11), (height, 7), (5, width), (1, 1), (64, 64), (height, width)):
        yield "Resize", size, F.resize(image, size, Mode.BILINEAR)
    for size in (8, 15, 40):
        yield "ResizeShorter", (size,), F.resize(image, size, Mode.BILINEAR)
    for box in ((2, 3, 9, 4, 8), (0, 0, height, width, 13), (5, 1, 3, 7, 32)):
        yield "ResizedCrop", box, F.resized_crop(image, *box[:4], [box[4]] * 2, Mode.BILINEAR)
    for size in ((8, 8), (9, 14), (height, width), (30, 30), (7, 31), (5, 5), (10, 9)):
        yield "CenterCrop", size, F.center_crop(image, size)
    for resize, crop in ((16, 14), (32, 28)):
        yield "Evaluate", (resize, crop), F.center_crop(F.resize(image, resize, Mode.BILINEAR), crop)
    yield "FlipHorizontal", (), F.hflip(image)
    for factor in (0.0, 0.4, 1.0, 1.3, 2.5):
        yield "Brightness", (factor,), F.adjust_brightness(image, factor)
        yield "Contrast", (factor,), F.adjust_contrast(image, factor)
        yield "Saturation", (factor,), F.adjust_saturation(image, factor)
    for turn in (-0.5, -0.21, 0.0, 0.1, 0.5):
        yield "Hue", (turn,), F.adjust_hue(image, turn)
    tensor = F.pil_to_tensor(image)
    for box in ((2, 3, 5, 4), (0, 0, height, width), (6, 0, 1, 8)):
        yield "Erase", box, F.to_pil_image(F.erase(tensor, *box, v=0))
    for op, magnitudes in RANDAUGMENT.items():
        for magnitude in magnitudes:
            yield "RandAugment" + op, (magnitude,), _apply_op(image, op, magnitude, Mode.NEAREST, None)


def document(image):
    return {"h": image.height, "w": image.width, "c": len(image.mode), "pix": base64.b64encode(image.tobytes()).decode()}


cases = []
for name, image in INPUTS.items():
    for op, parameters, result in calls(image):
        cases.append({"input": name, "op": op, "parameters": list(parameters), "want": document(result)})
print('{"by": "torchvision %s, Pillow %s",' % (torchvision.__version__, PIL.__version__))
print('"inputs": ' + json.dumps({k: document(v) for k, v in INPUTS.items()}) + ",")
print('"cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}")
