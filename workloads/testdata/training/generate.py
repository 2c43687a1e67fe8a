#!/usr/bin/env python3
"""Writes what PyTorch makes of training recipes: the learning rates of its
schedulers, and the losses, parameters and averages of a few steps of a small
network by each of its optimizers, in float64. Needs python3-torch 1.13."""
import json
import pathlib

import numpy as np
import torch
from torch import nn
from torch.optim import lr_scheduler

here = pathlib.Path(__file__).parent
torch.set_default_dtype(torch.float64)
torch.manual_seed(1)


def f32(v):
    """An attribute: rounded to f32, as it stands in the program."""
    return float(np.float32(v))


def rates(make, steps, lr):
    opt = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9)
    schedule, out = make(opt), []
    for _ in range(steps):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        schedule.step()
    return out


def schedules():
    lr, epochs, per = 0.3, 4, 5
    total = epochs * per

    def case(fields, make):
        return {"schedule": fields, "lr": lr, "epochs": epochs, "per_epoch": per, "rates": rates(make, total, lr)}

    def warm(n, then):
        """n steps up from 1/n, as a warm-up that ends with the whole rate."""
        def make(opt):
            up = lr_scheduler.LinearLR(opt, start_factor=1 / n, total_iters=n - 1)
            return lr_scheduler.SequentialLR(opt, [up, then(opt)], [n])
        return make

    yield case({"kind": "constant"}, lambda o: lr_scheduler.ConstantLR(o, factor=1))
    yield case({"kind": "step", "milestones": [1, 3], "gamma": 0.2},
               lambda o: lr_scheduler.MultiStepLR(o, [1 * per, 3 * per], gamma=0.2))
    yield case({"kind": "cosine"}, lambda o: lr_scheduler.CosineAnnealingLR(o, total))
    yield case({"kind": "cosine", "final": 0.1}, lambda o: lr_scheduler.CosineAnnealingLR(o, total, eta_min=0.1 * lr))
    yield case({"kind": "cosine", "warmup": 1, "final": 0.01},
               warm(per, lambda o: lr_scheduler.CosineAnnealingLR(o, total - per, eta_min=0.01 * lr)))
    yield case({"kind": "constant", "warmup": 2}, warm(2 * per, lambda o: lr_scheduler.ConstantLR(o, factor=1)))
    for warmup, start, final in [(1.2, 1 / 25, 1 / 25e4), (2, 0.1, 0.01)]:
        yield case({"kind": "one-cycle", "warmup": warmup, "start": start, "final": final},
                   lambda o: lr_scheduler.OneCycleLR(o, lr, total_steps=total, pct_start=warmup / epochs,
                                                     div_factor=1 / start, final_div_factor=start / final))


class Net(nn.Module):
    """A convolution, a norm and a linear layer on 3×3 images of one channel."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 2)
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        return self.fc(torch.tanh(self.bn(self.conv(x))).flatten(1))


def dump(state):
    return {k: [float(v) for v in t.reshape(-1)] for k, t in state.items() if "num_batches" not in k}


def run(fields, make, smoothing=0.0, soft=False, steps=4, batch=4):
    """fields are the recipe's; make gives the optimizer of the parameters'
    groups: those that decay, then those that do not."""
    net = Net()
    with torch.no_grad():
        for p in net.parameters():  # few digits, and f32 as the state is
            p.copy_((torch.randn(p.shape) * 16).round() / 32)
    case = {"recipe": fields, "batch": batch, "start": dump(net.state_dict()), "steps": []}
    exempt = set(fields["optimizer"].get("no_decay", []))
    kind = lambda name: "norm" if name.startswith("bn") else "bias" if name.endswith("bias") else "weight"
    named = list(net.named_parameters())
    opt = make([{"params": [p for n, p in named if kind(n) not in exempt]},
                {"params": [p for n, p in named if kind(n) in exempt], "weight_decay": 0}])
    average = {k: v.clone() for k, v in net.state_dict().items()}
    for lr in [f32(v) for v in (0.1, 0.05, 0.05, 0.02)][:steps]:
        images = torch.randint(0, 256, (batch, 3, 3))
        labels = torch.randint(0, 3, (batch,))
        target = labels
        step = {"lr": lr, "images": images.reshape(-1).tolist()}
        if soft:
            target = (torch.rand(batch, 3) * 16).round() / 16
            step["targets"] = target.reshape(-1).tolist()
        else:
            step["labels"] = labels.tolist()
        for g in opt.param_groups:
            g["lr"] = lr
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(images.unsqueeze(1) / 255), target, label_smoothing=smoothing)
        loss.backward()
        if "clip_norm" in fields["optimizer"]:
            step["norm"] = float(nn.utils.clip_grad_norm_(net.parameters(), f32(fields["optimizer"]["clip_norm"])))
        opt.step()
        for k, v in net.state_dict().items():
            if "ema" in fields and "num_batches" not in k:
                average[k] = f32(fields["ema"]) * average[k] + (1 - f32(fields["ema"])) * v
        step["loss"], step["state"] = float(loss), dump(net.state_dict())
        if "ema" in fields:
            step["average"] = dump(average)
        case["steps"].append(step)
    return case


def updates():
    o = torch.optim
    beta = {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3}
    betas = {"betas": (f32(0.8), f32(0.9)), "eps": f32(1e-3)}
    yield run({"optimizer": {"kind": "sgd", "momentum": 0.75, "dampening": 0.25, "weight_decay": 0.125,
                             "no_decay": ["norm", "bias"], "clip_norm": 0.5}, "ema": 0.75, "label_smoothing": 0.125},
              lambda g: o.SGD(g, lr=1, momentum=0.75, dampening=0.25, weight_decay=0.125), smoothing=0.125)
    yield run({"optimizer": {"kind": "sgd", "momentum": 0.75, "nesterov": True, "weight_decay": 0.125, "no_decay": ["norm"]}},
              lambda g: o.SGD(g, lr=1, momentum=0.75, nesterov=True, weight_decay=0.125))
    yield run({"optimizer": {"kind": "adam", **beta, "weight_decay": 0.125, "clip_norm": 0.25}},
              lambda g: o.Adam(g, lr=1, **betas, weight_decay=0.125))
    yield run({"optimizer": {"kind": "adamw", **beta, "weight_decay": 0.5, "no_decay": ["bias"], "clip_norm": 100}, "ema": 0.5, "mixup": 0.2},
              lambda g: o.AdamW(g, lr=1, **betas, weight_decay=0.5), soft=True)
    yield run({"optimizer": {"kind": "adamw", **beta, "weight_decay": 0.5}, "cutmix": 1, "label_smoothing": 0.25},
              lambda g: o.AdamW(g, lr=1, **betas, weight_decay=0.5), smoothing=0.25, soft=True)
    yield run({"optimizer": {"kind": "rmsprop", "alpha": 0.75, "epsilon": 1e-2, "momentum": 0.5, "weight_decay": 0.125, "clip_norm": 0.5}},
              lambda g: o.RMSprop(g, lr=1, alpha=0.75, eps=f32(1e-2), momentum=0.5, weight_decay=0.125))
    yield run({"optimizer": {"kind": "rmsprop", "alpha": 0.75, "epsilon": 1e-2, "centered": True}, "ema": 0.25},
              lambda g: o.RMSprop(g, lr=1, alpha=0.75, eps=f32(1e-2), centered=True))
    yield run({"optimizer": {"kind": "rmsprop", "alpha": 0.75, "epsilon": 1e-2}},
              lambda g: o.RMSprop(g, lr=1, alpha=0.75, eps=f32(1e-2)))


def write(name, cases):
    lines = ",\n".join(json.dumps(c) for c in cases)
    (here / name).write_text(f"[\n{lines}\n]\n")


write("schedules.json", schedules())
write("updates.json", updates())
