"""A network that tells colours: the mean of each channel is a feature, and its classes' rows of weights are given. Its answers can be known beforehand,
and a photo of 24 x 24 pixels takes no time."""
import numpy
from PIL import Image

import pictures
import small_model

SIDE = 24
CLEAR = numpy.array([[4, -2, -2], [-2, 4, -2], [-2, -2, 4]], float)  # rows for red, green, blue
NAMES = ["red", "green", "blue"]


def write(path, rows=CLEAR, classes=NAMES, **more):
    """rows: [class][red, green, blue]; classes: labels, or (WordNet id, label)."""
    nodes = [{"name": "channels", "op": "conv", "inputs": ["input"], "weight": "channels", "bias": "zero"},
             {"name": "mean", "op": "gap", "inputs": ["channels"]}, {"name": "classes", "op": "fc", "inputs": ["mean"], "weight": "rows"}]
    tensors = {"channels": numpy.eye(3)[None, None], "zero": numpy.zeros(3), "rows": numpy.array(rows, float)}
    pairs = [["", each] if isinstance(each, str) else list(each) for each in classes]
    return small_model.write(path, tensors, nodes, pairs, SIDE, SIDE, **more)


def photo(random, which, clear):
    """A PNG, noisy, whose channel `which` is the brightest by `clear` levels; below 0 another one is."""
    colour = numpy.array([110.0, 110, 110])
    colour[which] += clear
    return pictures.png(Image.fromarray((colour + random.normal(0, 12, (SIDE, SIDE, 3))).clip(0, 255).round().astype(numpy.uint8)))


def folder(root, names=NAMES, each=20, seed=5, least=-12, most=70):
    """A folder with a folder for each class, some of whose photos are another class's."""
    random = numpy.random.default_rng(seed)
    for which, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for i in range(each):
            (root / name / f"{i:03}.png").write_bytes(photo(random, which % 3, random.uniform(least, most)))
    return root
