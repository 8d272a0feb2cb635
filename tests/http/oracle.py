"""The contract's picture arithmetic again, in plain NumPy and Pillow, from API.md and DESIGN.md alone."""
import ast

import numpy
from PIL import Image

from server import ROOT


# ---- class map -> any size -> scaled ----
def _weights(rule, cells, size):
    at = numpy.arange(size) * cells / size if rule == "tf1" else numpy.maximum(0, (numpy.arange(size) + 0.5) * cells / size - 0.5)
    low = numpy.floor(at).astype(int).clip(0, cells - 1)
    return low, (low + 1).clip(0, cells - 1), at - low


def resize_map(rule, plane, width, height):
    """Bilinear: 'tf1' (source = destination * in / out) or 'half_pixel'."""
    y0, y1, fy = _weights(rule, plane.shape[0], height)
    x0, x1, fx = _weights(rule, plane.shape[1], width)
    p = plane.astype(float)
    top, bottom = p[y0][:, x0] * (1 - fx) + p[y0][:, x1] * fx, p[y1][:, x0] * (1 - fx) + p[y1][:, x1] * fx
    return top * (1 - fy[:, None]) + bottom * fy[:, None]


DEFAULT_SCALES = {"tf1": "minmax", "half_pixel": "relu"}  # of a model file that says nothing of it
THRESHOLDS = {"minmax": 0.2, "relu": 0.3}


def scale(plane, how):
    """To 0..1: minmax from the least to the most, relu from 0 to the most; flat is 0."""
    low, high = 0 if how == "relu" else plane.min(), plane.max()
    return numpy.maximum(plane - low, 0) / (high - low) if high > low else numpy.zeros_like(plane)


def sides(plane):
    """0 is level 128, the largest magnitude 127 levels from it."""
    most = numpy.abs(plane).max()
    return numpy.floor(128.5 + 127 * (plane / most if most else plane)).astype(int)


def heat(rule, plane, width, height, how=None):
    if how == "sides":
        return sides(resize_map(rule, plane, width, height))
    return numpy.floor(scale(resize_map(rule, plane, width, height), how or DEFAULT_SCALES[rule]) * 255 + 1e-9).astype(int)


# ---- colours ----
def _jet():
    """matplotlib's jet: piecewise linear red, green, blue (its documented segments)."""
    x = numpy.linspace(0, 1, 256)
    return numpy.stack([numpy.interp(x, [0, 0.35, 0.66, 0.89, 1], [0, 0, 1, 1, 0.5]),
                        numpy.interp(x, [0, 0.125, 0.375, 0.64, 0.91, 1], [0, 0, 1, 1, 0, 0]),
                        numpy.interp(x, [0, 0.11, 0.34, 0.65, 1], [0.5, 1, 1, 0, 0])], -1) * 255


def colours(name):
    """[256,3], floats 0..255; turbo, viridis and inferno read out of matplotlib's own source file without running it."""
    if name == "jet":
        return _jet()
    if name == "gray":
        return numpy.repeat(numpy.arange(256.0)[:, None], 3, 1)
    tree = ast.parse((ROOT / "downloads/tables/_cm_listed.py").read_text())
    tables = {n.targets[0].id: n.value for n in tree.body if isinstance(n, ast.Assign)}
    return numpy.array(ast.literal_eval(tables[f"_{name}_data"])) * 255


def blend(photo, heat_levels, name, alpha):
    return alpha * colours(name)[heat_levels] + (1 - alpha) * photo.astype(float)


# ---- sizes ----
def half_up(numerator, denominator):
    return max(1, (2 * numerator + denominator) // (2 * denominator))


def fit(width, height, longest=512):
    long = max(width, height)
    return (width, height) if long <= longest else (half_up(width * longest, long), half_up(height * longest, long))


def aspect(width, height, short=224, multiple=32, most=640):
    """The network's input for a whole photo: short side as it is, long side to the nearest multiple (ties up), bounded."""
    low, high = min(width, height), max(width, height)
    long = min(most, max(short, multiple * ((2 * short * high + multiple * low) // (2 * multiple * low))))
    return (long, short) if width >= height else (short, long)


def bicubic(picture, width, height):
    return numpy.asarray(Image.fromarray(picture).resize((width, height), Image.BICUBIC))


# ---- box ----
def largest_component(mask):
    """x0, y0, x1, y1 (exclusive) of the largest 8-connected component; the first in row order of equals. Runs of each row, joined by a forest."""
    parents, runs, above = [], [], []

    def root(i):
        while parents[i] != i:
            i = parents[i]
        return i
    for y, row in enumerate(mask):
        edges = numpy.flatnonzero(numpy.diff(numpy.concatenate([[0], row.astype(numpy.int8), [0]])))
        here = []
        for x0, x1 in zip(edges[::2], edges[1::2]):
            this = len(runs)
            runs.append((x0, y, x1, y + 1))
            parents.append(this)
            here.append(this)
            for other in above:
                if runs[other][0] <= x1 and x0 <= runs[other][2]:
                    a, b = sorted((root(other), root(this)))
                    parents[b] = a
        above = here
    components = {}
    for i, run in enumerate(runs):
        components.setdefault(root(i), []).append(run)
    cells = numpy.array(max(components.values(), key=lambda c: sum(r[2] - r[0] for r in c)))
    return [*cells[:, :2].min(0), *cells[:, 2:].max(0)]


def box(rule, plane, threshold, input_size, photo_size, how=None):
    """The box of API.md as (x, y, width, height); None: there is none."""
    (iw, ih), (pw, ph) = input_size, photo_size
    how = how or DEFAULT_SCALES[rule]
    if how == "relu" and plane.max() <= 0:
        return None
    if plane.max() == plane.min() and how == "minmax":
        return 0, 0, pw, ph
    x0, y0, x1, y1 = largest_component(scale(resize_map(rule, plane, iw, ih), how) >= threshold)
    x, y = x0 * pw // iw, y0 * ph // ih
    return x, y, -(-x1 * pw // iw) - x, -(-y1 * ph // ih) - y
