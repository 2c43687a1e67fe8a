#!/usr/bin/python3
"""LeNet-5 training steps in PyTorch, the peer of `lenet5/train/f32/64/cpu`.

Prints images/s of one stretch per line. The step is the one that clsbench
times: u8 images in NHWC, standardised on the way, ReLU and average pooling,
mean cross-entropy, SGD with momentum 0.9, batch 64 (Debian: python3-torch).
"""
import argparse
import time

import torch
from torch import nn

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--seconds", type=float, default=1.0)
parser.add_argument("--rounds", type=int, default=1)
parser.add_argument("--layout", choices=["channels_last", "contiguous"], default="channels_last")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(0)
torch.set_flush_denormal(True)  # gradients of dead units underflow, and then cost a hundred times as much
layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format


class Flatten(nn.Module):
    """Flattens in the layout's own order, so that gradients come back in it
    too; else every backward step until the input mixes two layouts and takes
    PyTorch's scalar path. To the network it is a permutation of fc1's columns."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1) if layout == torch.channels_last else x.flatten(1)


net = nn.Sequential(
    nn.Conv2d(1, 6, 5), nn.ReLU(), nn.AvgPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2),
    Flatten(), nn.Linear(256, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
).to(memory_format=layout)
optimizer = torch.optim.SGD(net.parameters(), lr=0.0025, momentum=0.9)
loss_of = nn.CrossEntropyLoss()
slots = 256
images = torch.randint(0, 256, (slots, args.batch, 28, 28, 1), dtype=torch.uint8)
labels = torch.randint(0, 10, (slots, args.batch))


def step(i):
    x = images[i % slots].permute(0, 3, 1, 2).to(torch.float32).mul_(0.0174).add_(-0.567)
    optimizer.zero_grad(set_to_none=True)
    loss = loss_of(net(x.contiguous(memory_format=layout)), labels[i % slots])
    loss.backward()
    optimizer.step()


for i in range(100):
    step(i)
for _ in range(args.rounds):
    begin, n = time.perf_counter(), 0
    while time.perf_counter() - begin < args.seconds:
        for _ in range(20):
            step(n)
            n += 1
    print(round(n * args.batch / (time.perf_counter() - begin)))
