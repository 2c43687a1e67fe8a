"""Products of matrices."""
import torch

from golden import case, f32, rand


def cases():
    a, b, c = rand(3, 5), rand(5, 4), rand(4)
    case("MatMul", {}, [a, b], [a @ b])
    s, t = rand(2, 1, 2, 3), rand(3, 3, 2)
    case("MatMul", {}, [s, t], [s @ t])
    alpha, beta = f32(0.3), f32(-1.7)
    for ta in (0, 1):
        for tb in (0, 1):
            attrs = {"transA": ta, "transB": tb, "alpha": alpha, "beta": beta}
            y = torch.addmm(c, a, b, beta=beta, alpha=alpha)
            case("Gemm", attrs, [a.t().contiguous() if ta else a, b.t().contiguous() if tb else b, c], [y])
