#!/usr/bin/python3
"""Makes what test_onnx.c reads: two networks as ONNX files in many spellings, an input, and what comes of it, computed in double from the network's meaning.

usage: onnx_files.py [FOLDER]   tests/fixtures/onnx/* anew (the same bytes each time)

Protobuf is written here, byte by byte, so no package is needed; onnx.proto of github.com/onnx/onnx says the numbers. A network is a list of steps
with a meaning each (MEANINGS, NumPy) and several spellings (Speller): by operator set, by layout, and by chance from what exporters write."""
import pathlib
import random
import struct
import sys

import numpy as np

HEIGHT, WIDTH, CLASSES = 17, 22, 5
OPSETS, LAYOUTS = (9, 13, 17, 20), ("nchw", "nhwc")

# ---- protobuf ----


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes(out) + bytes([n])


def whole(field, n):
    return varint(field << 3) + varint(n)


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def real(field, x):
    return varint(field << 3 | 5) + struct.pack("<f", x)


FLOAT, INT64, FLOAT16, DOUBLE = 1, 7, 10, 11
TYPES = {np.dtype("<f4"): FLOAT, np.dtype("<i8"): INT64, np.dtype("<f2"): FLOAT16, np.dtype("<f8"): DOUBLE}


def tensor(name, array, external=None):
    """TensorProto; the numbers inside, or, if they are weights, in another file: external(bytes) -> (file, offset)."""
    array = np.asarray(array)
    raw = array.tobytes()
    head = b"".join(whole(1, n) for n in array.shape) + whole(2, TYPES[array.dtype]) + data(8, name)
    if external is None or array.size < 8:
        return head + data(9, raw)
    file, offset = external(raw)
    entries = {"location": file, "offset": str(offset), "length": str(len(raw))}
    return head + b"".join(data(13, data(1, k) + data(2, v)) for k, v in entries.items()) + whole(14, 1)


def unpacked_tensor(name, array):
    """The numbers in float_data or int64_data, as old exporters have them."""
    array = np.asarray(array)
    numbers = data(4, array.tobytes()) if array.dtype == np.dtype("<f4") else data(7, b"".join(varint(int(n)) for n in array.ravel()))
    return b"".join(whole(1, n) for n in array.shape) + whole(2, TYPES[array.dtype]) + data(8, name) + numbers


def attribute(name, value):
    if isinstance(value, bool) or isinstance(value, int):
        return data(1, name) + whole(3, value) + whole(20, 2)
    if isinstance(value, float):
        return data(1, name) + real(2, value) + whole(20, 1)
    if isinstance(value, str):
        return data(1, name) + data(4, value) + whole(20, 3)
    if isinstance(value, bytes):  # a tensor
        return data(1, name) + data(5, value) + whole(20, 4)
    if all(isinstance(v, int) for v in value):
        return data(1, name) + b"".join(whole(8, v) for v in value) + whole(20, 7)
    return data(1, name) + b"".join(real(7, v) for v in value) + whole(20, 6)


def value_info(name, shape):
    sides = b"".join(data(1, whole(1, n) if isinstance(n, int) else data(2, n)) for n in shape)
    return data(1, name) + data(2, data(1, whole(1, FLOAT) + data(2, sides)))


# ---- the meaning ----

def pad_plane(x, pads, value):
    t, l, b, r = pads
    return np.pad(x, ((0, 0), (t, b), (l, r)), constant_values=value)


def windows(x, kernel, stride):
    """[C,OH,OW,KH,KW] of [C,H,W]."""
    v = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))
    return v[:, ::stride, ::stride]


def same_pads(x, kernel, stride):
    out = []
    for n in x.shape[1:]:
        total = max(0, (-(-n // stride) - 1) * stride + kernel - n)
        out.append((total // 2, total - total // 2))
    return out[0][0], out[1][0], out[0][1], out[1][1]


def m_conv(w, x, weight, bias=None, stride=1, pads=(0, 0, 0, 0), groups=1, dilation=1):
    weight = w[weight].astype(float)
    if dilation > 1:  # zeros between
        wide = np.zeros((*weight.shape[:2], *((n - 1) * dilation + 1 for n in weight.shape[2:])))
        wide[:, :, ::dilation, ::dilation] = weight
        weight = wide
    pads = same_pads(x, weight.shape[2], stride) if pads == "same" else pads
    v = windows(pad_plane(x, pads, 0), weight.shape[2:], stride)
    n = len(x) // groups
    parts = [np.einsum("cyxij,ocij->oyx", v[g * n:(g + 1) * n], part) for g, part in enumerate(np.split(weight, groups))]
    y = np.concatenate(parts)
    return y if bias is None else y + w[bias].astype(float)[:, None, None]


def m_pool(w, x, kind, kernel, stride, pads=(0, 0, 0, 0), ceil=False, counted=False):
    sides = [n + pads[i] + pads[i + 2] for i, n in enumerate(x.shape[1:])]
    more = [(-(n - kernel)) % stride if ceil else 0 for n in sides]
    pads = (pads[0], pads[1], pads[2] + more[0], pads[3] + more[1])
    if kind == "max":
        return windows(pad_plane(x, pads, -np.inf), (kernel, kernel), stride).max((3, 4))
    counts = windows(pad_plane(np.ones_like(x), pads, int(counted)), (kernel, kernel), stride).sum((3, 4))
    return windows(pad_plane(x, pads, 0), (kernel, kernel), stride).sum((3, 4)) / counts


def m_norm(w, x, of):
    scale, shift, mean, variance = (w[f"{of}.{p}"].astype(float)[:, None, None] for p in ("scale", "shift", "mean", "variance"))
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + shift


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def erf(x):
    import math
    return np.vectorize(math.erf)(x)


def m_excite(w, x, of):
    z = np.maximum(w[f"{of}.down"].astype(float)[:, :, 0, 0] @ x.mean((1, 2)), 0)
    return x * sigmoid(w[f"{of}.up"].astype(float)[:, :, 0, 0] @ z)[:, None, None]


def m_layer_norm(w, x, of):
    """Over the channels of each cell."""
    centred = x - x.mean(0)
    return centred / np.sqrt((centred * centred).mean(0) + 1e-6) * w[f"{of}.scale"].astype(float)[:, None, None] + w[f"{of}.shift"].astype(float)[:, None, None]


MEANINGS = {
    "conv": m_conv, "pool": m_pool, "norm": m_norm, "excite": m_excite,
    "relu": lambda w, x: np.maximum(x, 0), "relu6": lambda w, x: np.clip(x, 0, 6), "silu": lambda w, x: x * sigmoid(x),
    "hard_swish": lambda w, x: x * np.clip(x + 3, 0, 6) / 6, "gelu": lambda w, x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "affine": lambda w, x, of: x * w[f"{of}.scale"].astype(float)[:, None, None] + w[f"{of}.shift"].astype(float)[:, None, None],
    "add": lambda w, *x: sum(x), "concat": lambda w, *x: np.concatenate(x), "shuffle": lambda w, x, groups=2: x.reshape(groups, -1, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape),
    "half": lambda w, x, which: np.split(x, 2)[which], "double": lambda w, x, factor=(2, 2): x.repeat(factor[0], 1).repeat(factor[1], 2),
    "clip": lambda w, x, least, most: np.clip(x, least, most), "sigmoid": lambda w, x: sigmoid(x), "hard_sigmoid": lambda w, x: np.clip(np.float32(.2) * x + .5, 0, 1),
    "mul": lambda w, x, y: x * y, "part": lambda w, x, begin, end: x[begin:end], "layer_norm": m_layer_norm, "flatten": lambda w, x: x.reshape(-1),
    "gap": lambda w, x: x.mean((1, 2)), "fc": lambda w, x, weight, bias: w[weight].astype(float) @ x + w[bias].astype(float),
    "softmax": lambda w, x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
}

PLAIN = [  # name, step, inputs, what more: operators that every version of the engine has
    ("stem", "conv", ["x"], dict(weight=(4, 3, 3, 3), stride=2, pads="same")),
    ("stem.norm", "norm", ["stem"], dict(of="stem.norm")),
    ("stem.act", "relu6", ["stem.norm"], {}),
    ("res", "conv", ["stem.act"], dict(weight=(4, 4, 3, 3), bias=True, pads=(2, 2, 2, 2), dilation=2)),
    ("res.scaled", "affine", ["res"], dict(of="res.scaled")),
    ("sum", "add", ["res.scaled", "stem.act"], {}),
    ("sum.act", "relu", ["sum"], {}),
    ("left", "conv", ["sum.act"], dict(weight=(3, 4, 1, 1), bias=True)),
    ("left.act", "relu", ["left"], {}),
    ("right.pool", "pool", ["sum.act"], dict(kind="max", kernel=3, stride=1, pads=(1, 1, 1, 1))),
    ("right", "conv", ["right.pool"], dict(weight=(5, 4, 1, 1))),
    ("both", "concat", ["left.act", "right"], {}),
    ("deep", "conv", ["both"], dict(weight=(8, 1, 3, 3), bias=True, pads=(0, 1, 1, 0), groups=8)),
    ("deep.norm", "norm", ["deep"], dict(of="deep.norm")),
    ("less", "pool", ["deep.norm"], dict(kind="avg", kernel=2, stride=2)),
    ("less.norm", "norm", ["less"], dict(of="less.norm")),
    ("less.act", "relu", ["less.norm"], {}),
    ("last.pool", "pool", ["less.act"], dict(kind="max", kernel=3, stride=2, ceil=True)),
    ("last", "conv", ["last.pool"], dict(weight=(6, 8, 2, 1))),
    ("last.act", "relu", ["last"], {}),
    ("gap", "gap", ["last.act"], {}),
    ("fc", "fc", ["gap"], dict(weight=(CLASSES, 6), bias=True)),
]
RICH = [  # all that is recognised
    ("stem", "conv", ["x"], dict(weight=(4, 3, 3, 3), stride=2, pads=(1, 1, 1, 1))),
    ("stem.norm", "norm", ["stem"], dict(of="stem.norm")),
    ("stem.act", "hard_swish", ["stem.norm"], {}),
    ("excite", "excite", ["stem.act"], dict(of="excite", channels=4)),
    ("left", "half", ["excite"], dict(which=0)),
    ("right", "half", ["excite"], dict(which=1)),
    ("right.conv", "conv", ["right"], dict(weight=(2, 2, 3, 3), bias=True, pads=(1, 1, 1, 1))),
    ("right.act", "silu", ["right.conv"], {}),
    ("both", "concat", ["left", "right.act"], {}),
    ("mixed", "shuffle", ["both"], {}),
    ("small.pool", "pool", ["mixed"], dict(kind="avg", kernel=2, stride=2)),
    ("small", "conv", ["small.pool"], dict(weight=(4, 4, 1, 1))),
    ("small.act", "gelu", ["small"], {}),
    ("large", "double", ["small.act"], {}),
    ("large.norm", "norm", ["large"], dict(of="large.norm")),
    ("large.act", "relu", ["large.norm"], {}),
    ("gap", "gap", ["large.act"], {}),
    ("fc", "fc", ["gap"], dict(weight=(CLASSES, 4), bias=True)),
]


def alone(number):
    """One step of RICH on a small convolution, and the head: for the fuzzers."""
    name, step, inputs, more = RICH[number]
    if step in ("gap", "fc") or number == 0:
        return [RICH[0], ("gap", "gap", ["stem"], {}), ("fc", "fc", ["gap"], dict(weight=(CLASSES, 4), bias=True))]
    begin = [("stem", "conv", ["x"], dict(weight=(4 if more.get("weight", (4, 4))[1] == 4 else 2, 3, 1, 1)))]
    c = begin[0][3]["weight"][0]
    out = more["weight"][0] if "weight" in more else c * len(inputs) if step == "concat" else c // 2 if step == "half" else c
    return begin + [(name, step, ["stem"] * len(inputs), more), ("gap", "gap", [name], {}), ("fc", "fc", ["gap"], dict(weight=(CLASSES, out), bias=True))]


def made_weights(steps, seed):
    r, w, channels = np.random.default_rng(seed), {}, {"x": 3}
    for name, step, inputs, more in steps:
        n = sum(channels[i] for i in inputs) if step == "concat" else channels[inputs[0]]
        channels[name] = more["weight"][0] if "weight" in more else n // 2 if step == "half" else more["end"] - more["begin"] if step == "part" else n
        n = channels[name]
        if "weight" in more:
            w[name] = (r.standard_normal(more["weight"]) / np.sqrt(np.prod(more["weight"][1:]))).astype("<f4")
        if more.get("bias"):
            w[name + ".bias"] = r.standard_normal(n).astype("<f4")
        if step == "layer_norm":
            w[name + ".scale"], w[name + ".shift"] = r.uniform(.5, 1.5, n).astype("<f4"), r.normal(0, .3, n).astype("<f4")
        if step in ("norm", "affine"):
            w[name + ".scale"], w[name + ".shift"] = r.uniform(.5, 1.5, n).astype("<f4"), r.normal(0, .3, n).astype("<f4")
            w[name + ".mean"], w[name + ".variance"] = r.normal(0, .3, n).astype("<f4"), r.uniform(.3, 2, n).astype("<f4")
        if step == "excite":
            w[name + ".down"], w[name + ".up"] = (r.standard_normal(s).astype("<f4") for s in ((3, n, 1, 1), (n, 3, 1, 1)))
    return w, channels


def meaning(steps, w, x):
    planes = {"x": x.astype(float)}
    for name, step, inputs, more in steps:
        arguments = {k: v for k, v in more.items() if k != "channels"}
        for part in ("weight", "bias"):
            if part in arguments:
                arguments[part] = name + ("" if part == "weight" else ".bias")
        planes[name] = MEANINGS[step](w, *(planes[i] for i in inputs), **arguments)
    return planes[name]


# ---- the spellings ----

class Speller:
    """Writes one network for an operator set and a layout; what exporters do in several ways is chosen by chance."""

    def __init__(self, steps, w, channels, opset, layout, seed, external=None):
        self.w, self.channels, self.opset, self.last, self.external = w, channels, opset, layout == "nhwc", external
        self.chance, self.nodes, self.initializers, self.count = random.Random(seed), [], [], 0
        self.names, self.shape = {"x": "x"}, {}
        for name, step, inputs, more in steps:
            self.name = name
            self.names[name] = getattr(self, "s_" + step)(*(self.names[i] for i in inputs), **more)
        self.output = self.ending(self.names[name])

    def op(self, kind, inputs, outputs=1, **attributes):
        self.count += 1
        names = [f"v{self.count}.{i}" for i in range(outputs)]
        body = b"".join(data(1, i) for i in inputs) + b"".join(data(2, o) for o in names) + data(3, f"{self.name}/{kind}.{self.count}") + data(4, kind)
        self.nodes.append(body + b"".join(data(5, attribute(k, v)) for k, v in attributes.items()))
        return names[0] if outputs == 1 else names

    def const(self, array):
        """An initializer, or a Constant, now and then behind an Identity; float16 behind a Cast, float_data, raw or external."""
        self.count += 1
        name, array = f"c{self.count}", np.asarray(array)
        how = self.chance.randrange(4)
        if how == 0:
            return self.op("Constant", [], value=tensor("", array))
        if how == 1 and array.ndim:
            self.initializers.append(unpacked_tensor(name, array))
        else:
            self.initializers.append(tensor(name, array, self.external))
        return self.op("Identity", [name]) if how == 2 else name

    def ints(self, *values):
        return self.const(np.array(values, "<i8"))

    def scalar(self, value):
        return self.const(np.array(value, "<f4") if self.chance.random() < .5 else np.array([value], "<f4"))

    def planes_first(self, x, f):
        """f on [1,C,H,W], whatever the layout."""
        if not self.last:
            return f(x)
        return self.op("Transpose", [f(self.op("Transpose", [x], perm=[0, 3, 1, 2]))], perm=[0, 2, 3, 1])

    def per_channel(self, values):
        if self.last:
            return self.const(values if self.chance.random() < .5 else values.reshape(1, 1, 1, -1))
        return self.const(values.reshape((-1, 1, 1) if self.chance.random() < .5 else (1, -1, 1, 1)))

    def either(self, kind, a, b):
        return self.op(kind, [a, b] if self.chance.random() < .5 else [b, a])

    def with_axes(self, kind, since, x, axes, **more):
        return self.op(kind, [x, self.ints(*axes)], **more) if self.opset >= since else self.op(kind, [x], axes=list(axes), **more)

    def s_conv(self, x, weight, bias=False, stride=1, pads=(0, 0, 0, 0), groups=1, dilation=1):
        inputs = [self.const(self.w[self.name])] + ([self.const(self.w[self.name + ".bias"])] if bias else [])
        more = dict(strides=[stride, stride], kernel_shape=list(weight[2:]), group=groups)
        if dilation > 1 or self.chance.random() < .3:
            more["dilations"] = [dilation, dilation]

        def conv(y):
            if pads == "same":
                return self.op("Conv", [y, *inputs], auto_pad="SAME_UPPER", **more)
            if any(pads) and self.chance.random() < .4:
                around = [0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]]
                y = self.op("Pad", [y, self.ints(*around)]) if self.opset >= 11 else self.op("Pad", [y], pads=around)
                return self.op("Conv", [y, *inputs], **more)
            return self.op("Conv", [y, *inputs], pads=list(pads), **more)
        return self.planes_first(x, conv)

    def s_norm(self, x, of):
        scale, shift, mean, variance = (self.w[f"{of}.{p}"] for p in ("scale", "shift", "mean", "variance"))
        if self.chance.random() < .3:  # spelled out, its numbers folded by the exporter
            factor = scale / np.sqrt(variance + np.float32(1e-3))
            return self.either("Add", self.either("Mul", self.op("Sub", [x, self.per_channel(mean)]), self.per_channel(factor)), self.per_channel(shift))
        return self.planes_first(x, lambda y: self.op("BatchNormalization", [y] + [self.const(p) for p in (scale, shift, mean, variance)], epsilon=1e-3))

    def s_affine(self, x, of):
        y = self.either("Mul", x, self.per_channel(self.w[of + ".scale"]))
        return self.op("Sub", [y, self.per_channel(-self.w[of + ".shift"])]) if self.chance.random() < .5 else self.either("Add", y, self.per_channel(self.w[of + ".shift"]))

    def clip(self, x, least, most):
        if self.opset >= 11:
            return self.op("Clip", [x, self.const(np.array(least, "<f4")), self.const(np.array(most, "<f4"))])
        return self.op("Clip", [x], min=float(least), max=float(most))

    def s_relu(self, x):
        return self.op("Relu", [x]) if self.chance.random() < .7 else self.op("Max", [x, self.scalar(0)])

    def s_relu6(self, x):
        return self.clip(x, 0, 6) if self.chance.random() < .5 else self.op("Min", [self.op("Relu", [x]), self.scalar(6)])

    def s_silu(self, x):
        return self.either("Mul", x, self.op("Sigmoid", [x]))

    def s_hard_swish(self, x):
        how = self.chance.randrange(3)
        if how == 0:
            return self.op("HardSwish", [x]) if self.opset >= 14 else self.either("Mul", x, self.op("HardSigmoid", [x], alpha=1 / 6, beta=.5))
        gate = self.clip(self.either("Add", x, self.scalar(3)), 0, 6)
        if how == 1:
            return self.op("Div", [self.either("Mul", x, gate), self.scalar(6)])
        return self.either("Mul", x, self.either("Mul", gate, self.scalar(1 / 6)))

    def s_gelu(self, x):
        if self.opset >= 20:
            return self.op("Gelu", [x])
        gate = self.either("Add", self.op("Erf", [self.op("Div", [x, self.scalar(np.sqrt(2))])]), self.scalar(1))
        return self.either("Mul", self.either("Mul", x, self.scalar(.5)), gate) if self.chance.random() < .5 else self.either("Mul", self.either("Mul", x, gate), self.scalar(.5))

    def s_excite(self, x, of, channels):
        z = self.mean(x, True)
        z = self.planes_first(z, lambda y: self.op("Conv", [self.op("Relu", [self.op("Conv", [y, self.const(self.w[of + ".down"])])]), self.const(self.w[of + ".up"])]))
        return self.either("Mul", x, self.op("Sigmoid", [z]))

    def s_clip(self, x, least, most):
        if least is not None and most is not None:
            return self.clip(x, least, most)
        one, limit = ("Max", least) if most is None else ("Min", most)
        if self.chance.random() < .5:
            return self.either(one, x, self.scalar(limit))
        if self.opset < 11:
            return self.op("Clip", [x], **{"min" if most is None else "max": float(limit)})
        limit = self.const(np.array(limit, "<f4"))
        return self.op("Clip", [x, limit] if most is None else [x, "", limit])

    def s_sigmoid(self, x):
        return self.op("Sigmoid", [x])

    def s_hard_sigmoid(self, x):
        return self.op("HardSigmoid", [x], alpha=.2, beta=.5)

    def s_mul(self, x, y):
        return self.either("Mul", x, y)

    def s_layer_norm(self, x, of):
        scale, shift = self.w[of + ".scale"], self.w[of + ".shift"]
        if self.opset >= 17 and self.chance.random() < .7:
            norm = lambda y: self.op("LayerNormalization", [y, self.const(scale), self.const(shift)], axis=-1, epsilon=1e-6)  # noqa: E731
            return norm(x) if self.last else self.op("Transpose", [norm(self.op("Transpose", [x], perm=[0, 2, 3, 1]))], perm=[0, 3, 1, 2])
        axes = [3 if self.last else 1]
        centred = self.op("Sub", [x, self.with_axes("ReduceMean", 18, x, axes, keepdims=1)])
        square = self.op("Pow", [centred, self.scalar(2)]) if self.chance.random() < .5 else self.op("Mul", [centred, centred])
        variance = self.either("Add", self.with_axes("ReduceMean", 18, square, axes, keepdims=1), self.scalar(1e-6))
        y = self.op("Div", [centred, self.op("Sqrt", [variance])])
        return self.either("Add", self.either("Mul", y, self.per_channel(scale)), self.per_channel(shift))

    def s_flatten(self, x):
        """In the order of NCHW, whatever the layout."""
        y = self.op("Transpose", [x], perm=[0, 3, 1, 2]) if self.last else x
        return self.op("Flatten", [y], axis=1) if self.chance.random() < .5 else self.op("Reshape", [y, self.ints(1, -1)])

    def s_pool(self, x, kind, kernel, stride, pads=(0, 0, 0, 0), ceil=False, counted=False):
        more = dict(kernel_shape=[kernel, kernel], strides=[stride, stride], pads=list(pads))
        if counted:
            more["count_include_pad"] = 1
        if ceil and self.opset < 10:  # has no ceil_mode: the padding that it comes to
            more["pads"] = [pads[0], pads[1], pads[2] + stride - 1, pads[3] + stride - 1]
        elif ceil:
            more["ceil_mode"] = 1
        return self.planes_first(x, lambda y: self.op("MaxPool" if kind == "max" else "AveragePool", [y], **more))

    def s_add(self, *x):
        return self.either("Add", *x)

    def s_concat(self, *x):
        return self.op("Concat", x, axis=3 if self.last else self.chance.choice([1, -3]))

    def s_shuffle(self, x, groups=2):
        c = self.channels[self.name]

        def shuffle(y):
            shape = self.op("Shape", [y])
            sides = [self.with_axes("Unsqueeze", 13, self.op("Gather", [shape, self.const(np.array(i, "<i8"))], axis=0), [0]) for i in (0, 2, 3)]
            apart = self.op("Concat", [sides[0], self.ints(groups), self.ints(c // groups), *sides[1:]], axis=0)
            z = self.op("Transpose", [self.op("Reshape", [y, apart])], perm=[0, 2, 1, 3, 4])
            return self.op("Reshape", [z, self.op("Concat", [sides[0], self.ints(-1), *sides[1:]], axis=0)])
        return self.planes_first(x, shuffle)

    def s_half(self, x, which):
        n, axis = self.channels[self.name], 3 if self.last else 1
        if self.chance.random() < .5:
            parts = self.op("Split", [x, self.ints(n, n)], 2, axis=axis) if self.opset >= 13 else self.op("Split", [x], 2, axis=axis, split=[n, n])
            return parts[which]
        begin, end = which * n, n if which == 0 else 2**63 - 1
        return self.slice(x, begin, end, axis)

    def s_part(self, x, begin, end):
        return self.slice(x, begin, end, 3 if self.last else 1)

    def slice(self, x, begin, end, axis):
        if self.opset >= 10:
            return self.op("Slice", [x, self.ints(begin), self.ints(end), self.ints(axis)])
        return self.op("Slice", [x], starts=[begin], ends=[end], axes=[axis])

    def s_double(self, x, factor=(2, 2)):
        scales = self.const(np.array([1, 1, *factor], "<f4"))
        if self.opset >= 11:
            return self.planes_first(x, lambda y: self.op("Resize", [y, "", scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
        return self.planes_first(x, lambda y: self.op("Upsample", [y, scales], mode="nearest"))

    def mean(self, x, keep):
        axes = [1, 2] if self.last else [2, 3]
        return self.with_axes("ReduceMean", 18, x, axes if self.opset < 11 or self.chance.random() < .5 else [a - 4 for a in axes], keepdims=int(keep))

    def s_gap(self, x):
        how = self.chance.randrange(4)
        if how == 0:
            return self.mean(x, False)
        y = self.mean(x, True) if how == 1 else self.planes_first(x, lambda z: self.op("GlobalAveragePool", [z]))
        if how == 2:
            return self.op("Flatten", [y])
        if how == 3 and not self.last:
            return self.with_axes("Squeeze", 13, y, [2, 3])
        batch = self.with_axes("Unsqueeze", 13, self.op("Gather", [self.op("Shape", [y]), self.const(np.array(0, "<i8"))], axis=0), [0])
        return self.op("Reshape", [y, self.op("Concat", [batch, self.ints(-1)], axis=0)])

    def s_fc(self, x, weight, bias):
        matrix, added, how = self.w[self.name], self.w[self.name + ".bias"], self.chance.randrange(3)
        if how == 0:
            return self.op("Gemm", [self.op("Dropout", [x]), self.const(matrix), self.const(added)], transB=1)
        if how == 1:
            return self.op("Gemm", [x, self.const(np.ascontiguousarray(matrix.T / 2)), self.const(added * 4)], alpha=2., beta=.25)
        return self.either("Add", self.op("MatMul", [x, self.const(np.ascontiguousarray(matrix.T))]), self.const(added))

    def ending(self, x):
        self.name = "end"
        return self.op("Softmax", [x], axis=1)

    def model(self):
        sides = ["N", HEIGHT, WIDTH, 3] if self.last else ["N", 3, HEIGHT, WIDTH]
        graph = b"".join(data(1, n) for n in self.nodes) + data(2, "made") + b"".join(data(5, t) for t in self.initializers)
        graph += data(11, value_info("x", sides)) + data(12, value_info(self.output, ["N", CLASSES]))
        labels = "\n".join(f"label {c}" for c in range(CLASSES))
        return whole(1, 8) + data(2, "onnx_files.py") + data(7, graph) + data(8, data(1, "") + whole(2, self.opset)) + data(14, data(1, "labels") + data(2, labels))


class Beside:
    """A file of external data."""

    def __init__(self, name):
        self.name, self.bytes = name, bytearray(b"\0" * 3)  # so that nothing is aligned

    def __call__(self, raw):
        offset = len(self.bytes)
        self.bytes += raw
        return self.name, offset


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    x = np.random.default_rng(3).standard_normal((3, HEIGHT, WIDTH)).astype("<f4")
    np.save(folder / "in-nchw.npy", x[None])
    np.save(folder / "in-nhwc.npy", np.ascontiguousarray(x.transpose(1, 2, 0))[None])
    for kind, steps in (("plain", PLAIN), ("rich", RICH)):
        w, channels = made_weights(steps, 5)
        logits = meaning(steps, w, x)
        np.save(folder / f"{kind}.npy", MEANINGS["softmax"](None, logits)[None].astype("<f4"))
        for number, (opset, layout) in enumerate((o, l) for o in OPSETS for l in LAYOUTS):
            name = f"{kind}-{opset}-{layout}.onnx"
            beside = Beside(name + ".data") if opset == 20 else None
            (folder / name).write_bytes(Speller(steps, w, channels, opset, layout, number, beside).model())
            if beside:
                (folder / beside.name).write_bytes(beside.bytes)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[1] / "fixtures/onnx")
