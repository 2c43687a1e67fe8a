"""Optimizers, several steps in a row."""
import torch

from golden import dump, f32, rand, trajectory


def cases():
    n, steps = 5, 4
    lrs = [f32(v) for v in (0.1, 0.05, 0.05, 0.01)]

    def run(op, attrs, make, slots):
        p = torch.nn.Parameter(rand(n))
        opt = make([p])
        start = slots(opt, p)
        t = {"op": op, "attrs": attrs, "param": dump(p), "slots": [dump(s) for s in start], "steps": []}
        for lr in lrs:
            g = rand(n)
            g[0] *= 1e-9  # as small as Adam's epsilon
            p.grad = g.clone()
            opt.param_groups[0]["lr"] = lr
            opt.step()
            t["steps"].append({"lr": lr, "grad": dump(g), "param": dump(p), "slots": [dump(s) for s in slots(opt, p)]})
        trajectory(t)

    for momentum, dampening, decay, nesterov in [
        (0, 0, 0, False), (0.9, 0, 0, False), (0.9, 0, 0.01, True), (0.5, 0.3, 0.1, False),
    ]:
        attrs = {"momentum": f32(momentum), "dampening": f32(dampening), "weight_decay": f32(decay), "nesterov": int(nesterov)}
        start = rand(n)

        def make(params):
            opt = torch.optim.SGD(params, lr=1.0, momentum=attrs["momentum"], dampening=attrs["dampening"],
                                  weight_decay=attrs["weight_decay"], nesterov=nesterov)
            if momentum:
                opt.state[params[0]]["momentum_buffer"] = start.clone()
            return opt

        def slots(opt, p):
            return [opt.state[p]["momentum_buffer"] if momentum else None]

        run("SGD", attrs, make, slots)

    for beta1, beta2, eps, decay in [(0.9, 0.999, 1e-8, 0), (0.5, 0.25, 0.01, 0.1)]:
        attrs = {"beta1": f32(beta1), "beta2": f32(beta2), "epsilon": f32(eps), "weight_decay": f32(decay)}

        def make(params):
            return torch.optim.Adam(params, lr=1.0, betas=(attrs["beta1"], attrs["beta2"]),
                                    eps=attrs["epsilon"], weight_decay=attrs["weight_decay"])

        def slots(opt, p):
            s = opt.state[p]
            return [s.get("exp_avg", torch.zeros(n)), s.get("exp_avg_sq", torch.zeros(n))]

        run("Adam", attrs, make, slots)
