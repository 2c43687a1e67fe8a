"""Indexing, padding, resizing and reductions."""
import torch
import torch.nn.functional as F

from golden import case, rand


def pads(*torch_order):
    """ONNX's order: all beginnings, then all ends, the first axis first."""
    pairs = list(zip(torch_order[::2], torch_order[1::2]))[::-1]
    return [b for b, _ in pairs], [e for _, e in pairs]


def cases():
    x = rand(2, 3, 4, 5)
    for mode, p in [("constant", (1, 2, 0, 3)), ("reflect", (2, 1, 3, 2)), ("replicate", (3, 1, 0, 2)), ("circular", (2, 1, 1, 3))]:
        y = F.pad(x, p, mode, **({"value": 1.5} if mode == "constant" else {}))
        begin, end = pads(*p)
        onnx = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
        case("Pad", {"pads": [0, 0] + begin + [0, 0] + end, "mode": onnx, "value": 1.5}, [x], [y])
    z, index = rand(5, 3), torch.tensor([[4, 0], [-2, 2]])
    case("Gather", {"axis": 0}, [z, index], [z[index]])
    elements = torch.randint(0, 5, (7, 2))
    case("GatherElements", {"axis": 0}, [z, elements], [torch.gather(z, 0, elements)])
    places, updates = torch.tensor([0, 3, 3, 1]), rand(4, 3)
    case("ScatterAdd", {"axis": 0}, [z, places, updates], [z.index_add(0, places, updates)])
    more = rand(7, 2)
    case("ScatterElements", {"axis": 0, "reduction": "add"}, [z, elements, more], [z.scatter_add(0, elements, more)])
    for torch_name, name in [("prod", "mul"), ("amax", "max"), ("amin", "min")]:
        case("ScatterElements", {"axis": 0, "reduction": name}, [z, elements, more], [z.scatter_reduce(0, elements, more, torch_name)])
    for k, largest in [(2, 1), (3, 0)]:
        v, i = torch.topk(x, k, 1, bool(largest))
        case("TopK", {"k": k, "axis": 1, "largest": largest}, [x], [v, None])
    case("ArgMax", {"axis": 2, "keepdims": 0}, [x], [x.argmax(2)])
    w = rand(3, 4)
    case("ReduceProd", {"axes": [1], "keepdims": 0}, [w], [w.prod(1)])
    case("ReduceMin", {"axes": [0]}, [w], [w.amin(0, True)])
    case("ReduceL1", {"axes": [1], "keepdims": 0}, [w], [w.norm(1, 1)])
    case("ReduceL2", {"axes": [1], "keepdims": 0}, [w], [w.norm(2, 1)])
    case("ReduceSumSquare", {"axes": [0, 1]}, [w], [(w * w).sum((0, 1), True)])
    case("ReduceLogSum", {"axes": [1]}, [w.abs() + 1], [(w.abs() + 1).sum(1, True).log()])
    far = w * 300
    far[0, 0] = -1e300
    case("ReduceLogSumExp", {"axes": [1]}, [far], [torch.logsumexp(far, 1, True)])
    case("CumSum", {"axis": 1}, [w], [w.cumsum(1)])
    image = rand(1, 8, 2, 3)
    case("DepthToSpace", {"blocksize": 2, "mode": "CRD"}, [image], [F.pixel_shuffle(image, 2)])
    for size, corners in [((7, 9), False), ((2, 3), False), ((6, 8), True)]:
        y = F.interpolate(x, size, mode="bilinear", align_corners=corners)
        how = "align_corners" if corners else "pytorch_half_pixel"
        case("Resize", {"sizes": [2, 3, *size], "mode": "linear", "coordinate_transformation_mode": how}, [x], [y])
    nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    case("Resize", {"sizes": [2, 3, 8, 3], **nearest}, [x], [F.interpolate(x, (8, 3), mode="nearest")])
