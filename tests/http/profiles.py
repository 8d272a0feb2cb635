"""ICC profiles, made (ICC.1:2001-04): matrix and curve of RGB, a curve of grey, a table of CMYK."""
import struct

import numpy

D50 = numpy.array([0.9642, 1.0, 0.8249])
D65, PROPHOTO_WHITE = (0.3127, 0.3290), (0.3457, 0.3585)
BRADFORD = numpy.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))


def srgb_light(v):
    return numpy.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_samples(light):
    light = numpy.clip(light, 0, 1)
    return numpy.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def xyz(x, y):
    return numpy.array([x / y, 1, (1 - x - y) / y])


def matrix(primaries, white=D65):
    """Light of red, green, blue -> XYZ of D50 (Bradford), columns."""
    columns = numpy.stack([xyz(*p) for p in primaries], 1)
    columns = columns * numpy.linalg.solve(columns, xyz(*white))
    cones, to_cones = BRADFORD @ D50, BRADFORD @ xyz(*white)
    return numpy.linalg.inv(BRADFORD) @ numpy.diag(cones / to_cones) @ BRADFORD @ columns


def s15(values):
    return b"".join(struct.pack(">i", round(float(v) * 65536)) for v in values)


def curve(gamma):
    """A gamma, or a table of samples -> light."""
    if isinstance(gamma, (int, float)):
        return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return b"curv" + bytes(4) + struct.pack(">I", len(gamma)) + numpy.rint(numpy.asarray(gamma) * 65535).astype(">u2").tobytes()


SRGB_CURVE = srgb_light(numpy.linspace(0, 1, 1024))


def text(kind, words):
    if kind == b"desc":
        return b"desc" + bytes(4) + struct.pack(">I", len(words) + 1) + words + bytes(1 + 78)
    return kind + bytes(4) + words + b"\0"


def profile(space, tags, connection=b"XYZ ", device=b"mntr", name=b"made by a test", version=0x02100000):
    tags = {b"desc": text(b"desc", name), b"cprt": text(b"text", b"none"), b"wtpt": b"XYZ " + bytes(4) + s15(D50), **tags}
    table, data, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", at + len(data), len(content))
        data += content
    header = struct.pack(">I4sI4s4s4s", 0, b"none", version, device, space, connection) + bytes(12) + b"acsp" + bytes(24) + bytes(4) + s15(D50)
    whole = header + bytes(128 - len(header)) + table + data
    return struct.pack(">I", len(whole)) + whole[4:]


def rgb(primaries, gamma, white=D65, **options):
    columns = matrix(primaries, white)
    tags = {name: b"XYZ " + bytes(4) + s15(columns[:, i]) for i, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    return profile(b"RGB ", {**tags, **{name: curve(gamma) for name in (b"rTRC", b"gTRC", b"bTRC")}}, **options)


def grey(gamma):
    return profile(b"GRAY", {b"kTRC": curve(gamma)})


def lab(XYZ):
    t = XYZ / D50
    f = numpy.where(t > 216 / 24389, numpy.cbrt(t), (24389 / 27 * t + 16) / 116)
    return numpy.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


INKS = numpy.array([[0.05, 0.45, 0.75], [0.72, 0.10, 0.35], [0.90, 0.80, 0.08], [0.06, 0.06, 0.06]])  # light that cyan, magenta, yellow, black leave


def ink_light(cmyk):
    """[...,4], 1 is full ink -> linear sRGB light: each ink lets through a part."""
    return numpy.prod(1 - cmyk[..., None] * (1 - INKS), -2)


def cmyk(grid=9):
    """lut8, Lab: what ink_light says."""
    axis = numpy.linspace(0, 1, grid)
    light = ink_light(numpy.stack(numpy.meshgrid(axis, axis, axis, axis, indexing="ij"), -1))
    values = lab(light @ matrix(SRGB).T)
    stored = numpy.stack([values[..., 0] * 2.55, values[..., 1] + 128, values[..., 2] + 128], -1).clip(0, 255)
    ramp = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes([4, 3, grid, 0]) + s15([1, 0, 0, 0, 1, 0, 0, 0, 1])
    table += ramp * 4 + numpy.rint(stored).astype(numpy.uint8).tobytes() + ramp * 3
    return profile(b"CMYK", {b"A2B0": table}, connection=b"Lab ", device=b"prtr")


KNOWN = {
    "AdobeRGB": lambda: rgb(ADOBE, 2.19921875), "Display P3": lambda: rgb(P3, SRGB_CURVE),
    "ProPhoto": lambda: rgb(PROPHOTO, 1.8, PROPHOTO_WHITE), "sRGB": lambda: rgb(SRGB, SRGB_CURVE),
}
