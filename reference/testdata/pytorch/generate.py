#!/usr/bin/python3
"""Golden results of PyTorch in float64, the second oracle for package reference.

    generate.py            writes a FAMILY.json for each FAMILY.py beside it
    generate.py --check    compares them instead: exit 1 where one differs

Wants Debian's python3-torch (1.13).
"""
import argparse
import importlib
import json
import math
import pathlib
import sys

import torch

import golden

here = pathlib.Path(__file__).parent


def family(name):
    torch.manual_seed(20240229)
    for gathered in golden.gathered.values():
        gathered.clear()
    importlib.import_module(name).cases()
    parts = ['"%s": [\n%s\n]' % (kind, ",\n".join(json.dumps(c) for c in gathered)) for kind, gathered in golden.gathered.items()]
    return '{"torch": "%s",\n%s}\n' % (torch.__version__, ",\n".join(parts))


def same(a, b):
    """Equal but for the last bits, in which PyTorch's vector units differ."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-11, abs_tol=1e-11) or (math.isnan(a) and math.isnan(b))
    return a == b


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    torch.set_default_dtype(torch.float64)
    stale = []
    for file in sorted(here.glob("*.py")):
        if file.stem in ("golden", "generate"):
            continue
        text, out = family(file.stem), file.with_suffix(".json")
        if not check:
            out.write_text(text)
        elif not out.exists() or not all(same(json.loads(out.read_text()).get(kind), json.loads(text)[kind]) for kind in golden.gathered):
            stale.append(out.name)
    if stale:
        sys.exit("not what PyTorch gives here, run generate.py: " + ", ".join(stale))


main()
