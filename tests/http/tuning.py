"""A small network to tune, with an operator of each kind that training meets, and coloured shapes to tune it on: everything is made."""
import numpy
from PIL import Image, ImageDraw

import pictures
import small_model

SIDE = 32
SHAPES = ["circle", "square", "stripes"]


def network(path, classes=5, seed=3, **more):
    """Convolutions, a depthwise one, a sum, pooling, and at 4 x 4 cells a last stage of two; the labels are "class 0" ..."""
    random = numpy.random.default_rng(seed)
    tensors, nodes = {}, []

    def add(op, name, *sources, **attributes):
        nodes.append({"name": name, "op": op, "inputs": list(sources), **attributes})

    def conv(name, source, inputs, outputs, kernel, groups=1, **attributes):
        fan = kernel * kernel * inputs // groups
        tensors[name + ".weight"] = random.standard_normal((kernel, kernel, inputs // groups, outputs)) * (2 / fan) ** 0.5
        tensors[name + ".bias"] = random.standard_normal(outputs) * 0.05
        add("conv", name, source, weight=name + ".weight", bias=name + ".bias", groups=groups, padding="same", **attributes)

    conv("stem", "input", 3, 8, 3, stride=[2, 2])
    add("relu6", "stem_relu", "stem")
    conv("depth", "stem_relu", 8, 8, 3, groups=8)
    add("relu", "depth_relu", "depth")
    conv("point", "depth_relu", 8, 8, 1)
    add("add", "sum", "point", "stem_relu")
    add("max_pool", "pool", "sum", kernel=[2, 2], stride=[2, 2], padding="valid")
    conv("down", "pool", 8, 16, 3, stride=[2, 2])
    add("relu", "down_relu", "down")
    conv("last", "down_relu", 16, 24, 1)
    add("relu", "last_relu", "last")
    add("gap", "mean", "last_relu")
    tensors["fc.weight"] = random.standard_normal((classes, 24)) * 0.3
    tensors["fc.bias"] = random.standard_normal(classes) * 0.1
    add("fc", "fc", "mean", weight="fc.weight", bias="fc.bias")
    return small_model.write(path, tensors, nodes, [["", f"class {c}"] for c in range(classes)], SIDE, SIDE, **more)


def shape(random, which, side=48):
    """A picture of one: a light shape on a dark ground, or the other way round, anywhere."""
    ground, ink = random.integers(0, 90, 3), random.integers(150, 256, 3)
    if random.integers(2):
        ground, ink = ink, ground
    image = Image.new("RGB", (side, side), tuple(map(int, ground)))
    draw = ImageDraw.Draw(image)
    x, y, r = random.integers(side // 3, 2 * side // 3, 2).tolist() + [int(random.integers(side // 6, side // 3))]
    if which == "circle":
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(map(int, ink)))
    elif which == "square":
        draw.rectangle((x - r, y - r, x + r, y + r), fill=tuple(map(int, ink)))
    else:
        for at in range(0, side, 8):
            draw.rectangle((0, at, side, at + 3), fill=tuple(map(int, ink)))
    return pictures.png(image)


def folder(root, names=SHAPES, each=12, seed=11, side=48):
    random = numpy.random.default_rng(seed)
    for name in names:
        (root / name).mkdir(parents=True)
        for i in range(each):
            (root / name / f"{i:03}.png").write_bytes(shape(random, name, side))
    return root
