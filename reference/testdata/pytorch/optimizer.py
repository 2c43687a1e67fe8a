"""Optimizers, several steps in a row, and clipping."""
import torch

from golden import case, dump, f32, rand, trajectory


def cases():
    n, steps = 5, 4
    lrs = [f32(v) for v in (0.1, 0.05, 0.05, 0.01)]

    def run(op, attrs, make, slots, first=None):
        """first: the attributes that differ in the first step."""
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
            differs = {"attrs": first} if first and not t["steps"] else {}
            t["steps"].append({**differs, "lr": lr, "grad": dump(g), "param": dump(p), "slots": [dump(s) for s in slots(opt, p)]})
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

    for name, beta1, beta2, eps, decay in [
        ("Adam", 0.9, 0.999, 1e-8, 0), ("Adam", 0.5, 0.25, 0.01, 0.1),
        ("AdamW", 0.9, 0.999, 1e-8, 0.01), ("AdamW", 0.5, 0.25, 0.01, 0.3),
    ]:
        attrs = {"beta1": f32(beta1), "beta2": f32(beta2), "epsilon": f32(eps), "weight_decay": f32(decay)}

        def make(params):
            return getattr(torch.optim, name)(params, lr=1.0, betas=(attrs["beta1"], attrs["beta2"]),
                                              eps=attrs["epsilon"], weight_decay=attrs["weight_decay"])

        def slots(opt, p):
            s = opt.state[p]
            return [s.get("exp_avg", torch.zeros(n)), s.get("exp_avg_sq", torch.zeros(n))]

        run(name, attrs, make, slots)

    for alpha, eps, decay, momentum, centered in [
        (0.99, 1e-8, 0, 0, False), (0.9, 1e-3, 0.1, 0.9, False), (0.5, 1e-8, 0, 0, True), (0.9, 0.01, 0.01, 0.5, True),
    ]:
        attrs = {"alpha": f32(alpha), "epsilon": f32(eps), "weight_decay": f32(decay), "momentum": f32(momentum), "centered": int(centered)}

        def make(params):
            return torch.optim.RMSprop(params, lr=1.0, alpha=attrs["alpha"], eps=attrs["epsilon"],
                                       weight_decay=attrs["weight_decay"], momentum=attrs["momentum"], centered=centered)

        def slots(opt, p):
            s = opt.state[p]
            return [s.get("square_avg", torch.zeros(n)),
                    s.get("momentum_buffer", torch.zeros(n)) if momentum else None,
                    s.get("grad_avg", torch.zeros(n)) if centered else None]

        run("RMSprop", attrs, make, slots)

    average = torch.optim.swa_utils.AveragedModel(torch.nn.Linear(2, 3), avg_fn=lambda a, p, _: f32(0.9) * a + (1 - f32(0.9)) * p)
    for _ in range(3):
        model = torch.nn.Linear(2, 3)
        before = average.module.weight.detach().clone()
        average.update_parameters(model)
        if average.n_averaged > 1:  # the first update copies
            case("ExponentialMovingAverage", {"decay": f32(0.9)}, [before, model.weight], [average.module.weight])

    for max_norm in (0.5, 3.0, 1e-6, 100.0):
        grads = [rand(3, 2), rand(4), rand(1)]
        params = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
        for p, g in zip(params, grads):
            p.grad = g.clone()
        norm = torch.nn.utils.clip_grad_norm_(params, f32(max_norm))
        case("GlobalNorm", {}, grads, [norm])
        for p, g in zip(params, grads):
            # PyTorch's epsilon is a double, ours an attribute.
            case("ClipByNorm", {"max_norm": f32(max_norm), "epsilon": 1e-6}, [g, norm], [p.grad])

    # From PyTorch's own start: no momentum buffer yet, and the first step makes
    # the gradient, whole, the buffer. That is a step without dampening from 0.
    for momentum, dampening, decay, nesterov in [(0.9, 0, 0, True), (0.9, 0.9, 0, False), (0.5, 0.3, 0.1, False)]:
        attrs = {"momentum": f32(momentum), "dampening": f32(dampening), "weight_decay": f32(decay), "nesterov": int(nesterov)}

        def make(params):
            return torch.optim.SGD(params, lr=1.0, momentum=attrs["momentum"], dampening=attrs["dampening"],
                                   weight_decay=attrs["weight_decay"], nesterov=nesterov)

        def slots(opt, p):
            return [opt.state[p].get("momentum_buffer")]

        run("SGD", attrs, make, slots, first={"dampening": 0.0})
