#!/usr/bin/env python3
"""Makes random networks of the operators that are read, and what ONNX Runtime answers for each: what test_onnx.c compares camserve with.

usage: onnx_random.py [FOLDER]   tests/fixtures/onnx/random/* anew; needs a Python with numpy and onnxruntime

Each is a random graph of onnx_files.py's steps, spelled for one operator set and layout. NAME.npy is ONNX Runtime's output for in-LAYOUT.npy; a file
whose meaning, computed by NumPy in double, differs from that is not written. `plain`: convolutions, norms, ReLUs, poolings, sums, joins, one linear layer
at the end; `rich`: all operators, and heads of every kind."""
import collections
import pathlib
import random
import sys

import numpy as np

import onnx_files
from onnx_files import CLASSES, HEIGHT, LAYOUTS, OPSETS, WIDTH

EACH = {"plain": 2, "rich": 6}  # networks of each operator set and layout
MOST_CHANNELS, MOST_FLAT = 10, 300
CURVES = ["relu", "relu6", "clip", "sigmoid", "hard_sigmoid", "silu", "hard_swish", "gelu"]
PLAIN_STEPS = ["conv"] * 4 + ["norm", "affine", "relu", "relu6", "pool", "add", "concat"]
RICH_STEPS = PLAIN_STEPS + CURVES + ["excite", "mul", "shuffle", "part", "double", "layer_norm"]


class Maker:
    """A random graph: each step reads the newest plane, those with two inputs an older one, too."""

    def __init__(self, kind, seed):
        self.kind, self.chance, self.steps, self.shape = kind, random.Random(seed), [], {"x": (3, HEIGHT, WIDTH)}
        self.newest = "x"
        self.put("conv", ["x"], self.more_conv(3, HEIGHT, WIDTH))
        steps = PLAIN_STEPS if kind == "plain" else RICH_STEPS
        while len(self.steps) < self.chance.randint(8, 14) or self.newest == "x":
            step = self.chance.choice(steps)
            made = getattr(self, "more_" + step, self.nothing)(*self.shape[self.newest])
            if made is not None:
                self.put(step, [self.newest] + made.pop("others", []), made)
        self.head()
        self.ending = self.chance.choice(["softmax", None] if kind == "plain" else ["softmax", "sigmoid", None])

    def put(self, step, inputs, more):
        name = f"{step}{len(self.steps)}"
        c, h, w = self.shape[inputs[0]]
        if step in ("norm", "affine", "excite", "layer_norm"):
            more = {"of": name, **more}
        if step == "excite":
            more["channels"] = c
        if step in ("conv", "pool"):
            kernel = more["weight"][2:] if step == "conv" else (more["kernel"],) * 2
            h, w = (self.extent(n, k, i, more) for i, (n, k) in enumerate(zip((h, w), kernel)))
        if step == "double":
            h, w = h * more["factor"][0], w * more["factor"][1]
        if step == "concat":
            c = sum(self.shape[i][0] for i in inputs)
        c = more["weight"][0] if "weight" in more else more["end"] - more["begin"] if step == "part" else c
        self.steps.append((name, step, inputs, more))
        self.shape[name], self.newest = (c, h, w), name

    def extent(self, n, kernel, axis, more):
        stride, pads = more.get("stride", 1), more.get("pads", (0, 0, 0, 0))
        if pads == "same":
            return -(-n // stride)
        span = n + pads[axis] + pads[axis + 2] - ((kernel - 1) * more.get("dilation", 1) + 1)
        return (-(-span // stride) if more.get("ceil") else span // stride) + 1

    # more_STEP: what a step says besides; "others": its further inputs; None: it does not fit.

    def nothing(self, c, h, w):
        return {}

    def more_conv(self, c, h, w):
        pick = self.chance.choice
        kernel, groups, out = pick([(1, 1), (3, 3), (3, 3), (2, 1), (5, 5)]), 1, self.chance.randint(2, 8)
        if pick([0, 0, 1]):
            groups, out = (c, c) if pick([0, 1]) else (2, 2 * self.chance.randint(1, 4)) if c % 2 == 0 else (1, out)
        square = kernel[0] == kernel[1]
        pads = pick(["same", (kernel[0] // 2, kernel[1] // 2) * 2, (0, 1, 1, 0), (0, 0, 0, 0)]) if square and kernel[0] > 1 else (0, 0, 0, 0)
        dilation = 2 if kernel == (3, 3) and pads not in ("same", (0, 1, 1, 0)) and pick([0, 0, 0, 1]) else 1
        if min(h, w) < 2 * dilation + 5:
            kernel, pads, dilation = (1, 1), (0, 0, 0, 0), 1
        return dict(weight=(out, c // groups, *kernel), **pick([{}, dict(bias=True)]), stride=pick([1, 1, 2]), pads=pads, groups=groups, dilation=dilation)

    def more_pool(self, c, h, w):
        pick = self.chance.choice
        if min(h, w) < 5:
            return None
        kind, kernel, ceil = pick(["max", "avg"]), pick([2, 3]), pick([False, False, True])
        pads = (0, 0, 0, 0) if ceil or kernel == 2 else pick([(0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 1, 0)])
        return dict(kind=kind, kernel=kernel, stride=pick([1, 2, 2]), pads=pads, ceil=ceil, counted=kind == "avg" and any(pads) and pick([False, True]))

    def more_clip(self, c, h, w):
        return self.chance.choice([dict(least=-.5, most=1.25), dict(least=None, most=2.), dict(least=.25, most=None), dict(least=-1., most=1.)])

    def like(self, fits):
        """An older plane, "x" never."""
        names = [name for name, shape in self.shape.items() if name not in ("x", self.newest) and fits(shape)]
        return self.chance.choice(names) if names else None

    def more_add(self, c, h, w):
        other = self.like(lambda shape: shape == (c, h, w))
        return other and dict(others=[other])

    more_mul = more_add

    def more_concat(self, c, h, w):
        others = {self.like(lambda shape: shape[1:] == (h, w) and shape[0] + c <= MOST_CHANNELS) for _ in range(2)} - {None}
        others = sorted(others)[:1 + (c + sum(self.shape[o][0] for o in others) <= MOST_CHANNELS)]
        return dict(others=others) if others else None

    def more_shuffle(self, c, h, w):
        groups = [g for g in (2, 3, 4) if c % g == 0 and c > g]
        return dict(groups=self.chance.choice(groups)) if groups else None

    def more_part(self, c, h, w):
        if c < 4:
            return None
        begin = self.chance.randrange(c - 2)
        return dict(begin=begin, end=self.chance.randint(begin + 2, c))

    def more_double(self, c, h, w):
        return dict(factor=self.chance.choice([(2, 2), (3, 2), (1, 2)])) if max(h, w) <= 12 else None

    def head(self):
        """GAP and one linear layer; of the rich ones also class planes, a small head, and flattened planes."""
        pick, (c, h, w) = self.chance.choice, self.shape[self.newest]
        how = "linear" if self.kind == "plain" else pick(["linear", "planes", "small", "flat"])
        fc = lambda out, inside: ("fc", [self.newest], dict(weight=(out, inside), bias=True))  # noqa: E731
        if how == "planes":
            self.put("conv", [self.newest], dict(weight=(CLASSES, c, 1, 1), bias=True))
            self.put("relu", [self.newest], {})
        if how == "flat" and c * h * w <= MOST_FLAT:
            self.put("flatten", [self.newest], {})
            self.put(*fc(6, c * h * w))
            self.put("relu", [self.newest], {})
            c = 6
        else:
            self.put("gap", [self.newest], {})
        if how == "small":
            self.put(*fc(7, c))
            self.put(pick(["relu", "hard_swish", "silu", "gelu"]), [self.newest], {})
            c = 7
        if how != "planes":
            self.put(*fc(CLASSES, c))


class Speller(onnx_files.Speller):
    """One that ends in what `end` says."""
    end = None

    def ending(self, x):
        self.name = "end"
        return {"softmax": lambda: self.op("Softmax", [x], axis=1), "sigmoid": lambda: self.op("Sigmoid", [x]), None: lambda: x}[self.end]()


def answer(path, x):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def expected(made, w, x):
    """By its meaning, in double."""
    logits = onnx_files.meaning(made.steps, w, x)
    if made.ending == "softmax":
        return onnx_files.MEANINGS["softmax"](None, logits)
    return onnx_files.sigmoid(logits) if made.ending == "sigmoid" else logits


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    inputs = {layout: np.load(folder.parent / f"in-{layout}.npy") for layout in LAYOUTS}
    used, seed = collections.Counter(), 0
    for kind, each in EACH.items():
        for number, (opset, layout) in enumerate((o, l) for _ in range(each) for o in OPSETS for l in LAYOUTS):
            seed += 1
            made = Maker(kind, seed)
            w, channels = onnx_files.made_weights(made.steps, seed)
            Speller.end = made.ending
            path = folder / f"{kind}-{number:02}-{opset}-{layout}.onnx"
            path.write_bytes(Speller(made.steps, w, channels, opset, layout, seed).model())
            out, meant = answer(path, inputs[layout]), expected(made, w, inputs["nchw"][0])
            if not np.allclose(out[0], meant, rtol=0, atol=1e-5 * abs(meant).max()):
                sys.exit(f"{path.name}: ONNX Runtime says {out[0]}, its meaning is {meant}")
            np.save(path.with_suffix(".npy"), out)
            used.update({step for _, step, _, _ in made.steps} if kind == "rich" else ())
    few = {step: used[step] for step in RICH_STEPS + ["flatten"] if used[step] < 3}
    if few:
        sys.exit(f"in too few networks: {few}")
    print(f"{seed} networks; of the rich ones contain: " + ", ".join(f"{step} {n}" for step, n in used.most_common()))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1] / "fixtures/onnx/random")
