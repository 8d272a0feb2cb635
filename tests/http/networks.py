"""The two networks again, in plain NumPy and straight from the files of weights that `camserve convert` reads (not from its model files).
Written from DESIGN.md section 1; shares nothing with the program. Returns logits [1000], class weights applied as maps on demand."""
import pickle

import numpy

import oracle


def conv(x, w, stride=1, pad=None, groups=1):
    """x [H,W,Cin], w [KH,KW,Cin/groups,Cout]; pad None: TensorFlow SAME, else that many zeros on every side."""
    kh, kw, _, out = w.shape
    h, width, _ = x.shape
    oh, ow = (-(-h // stride), -(-width // stride)) if pad is None else ((h + 2 * pad - kh) // stride + 1, (width + 2 * pad - kw) // stride + 1)
    if pad is None:
        py, px = max(0, (oh - 1) * stride + kh - h), max(0, (ow - 1) * stride + kw - width)
        x = numpy.pad(x, ((py // 2, py - py // 2), (px // 2, px - px // 2), (0, 0)))
    else:
        x = numpy.pad(x, ((pad, pad), (pad, pad), (0, 0)))
    if w.shape[2] == 1 and groups == out:  # depthwise
        return sum(x[i:i + oh * stride:stride, j:j + ow * stride:stride][:oh, :ow] * w[i, j, 0] for i in range(kh) for j in range(kw))
    parts = []
    for g in range(groups):
        xs, ws = numpy.split(x, groups, 2)[g], numpy.split(w, groups, 3)[g]
        cells = [xs[i:i + oh * stride:stride, j:j + ow * stride:stride][:oh, :ow] for i in range(kh) for j in range(kw)]
        parts.append(numpy.concatenate(cells, 2) @ ws.reshape(-1, ws.shape[3]))
    return numpy.concatenate(parts, 2)


class Seen:
    """What a network saw: logits and the map of any class; mean(map) + bias = logit."""

    def __init__(self, features, weights, bias):
        self.features, self.weights, self.bias = features, weights, bias  # [h,w,C], [C,classes], [classes]
        self.logits = features.mean((0, 1)) @ weights + bias
        e = numpy.exp(self.logits - self.logits.max())
        self.probabilities = e / e.sum()

    def map(self, class_id):
        return self.features @ self.weights[:, class_id]


# ---- vgg16-cam ----
VGG = ["conv1_1", "conv1_2", "pool", "conv2_1", "conv2_2", "pool", "conv3_1", "conv3_2", "conv3_3", "pool",
       "conv4_1", "conv4_2", "conv4_3", "pool", "conv5_1", "conv5_2", "conv5_3"]


def vgg16_cam(weights, rgb):
    """weights: {name: {'weights', 'biases'}} of vgg16CAM.npy; rgb: the photo at the network's input size, 8 bit."""
    x = rgb[:, :, ::-1].astype(float) - (103.939, 116.779, 123.68)
    for name in VGG:
        if name == "pool":
            h, w, c = x.shape
            x = x[:h // 2 * 2, :w // 2 * 2].reshape(h // 2, 2, w // 2, 2, c).max((1, 3))
        else:
            x = numpy.maximum(0, conv(x, weights[name]["weights"].astype(float), pad=1) + weights[name]["biases"])
    x = conv(x, weights["CAM_conv"]["weights"].astype(float), pad=1, groups=2) + weights["CAM_conv"]["biases"]
    return Seen(x, weights["CAM_fc"]["weights"].astype(float), numpy.zeros(weights["CAM_fc"]["weights"].shape[1]))


# ---- efficientnet-lite0 ----
BLOCKS = [(1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1)]  # repeat, kernel, stride of the first


class _LegacyState(pickle.Unpickler):
    """PyTorch's legacy state dict: tensors stay (key, offset, size, stride) until their storages have been read."""

    def find_class(self, module, name):
        known = {"_rebuild_tensor_v2": lambda storage, offset, size, stride, *_: (storage, offset, size, stride), "OrderedDict": dict}
        return known.get(name, name)

    def persistent_load(self, pid):
        return pid[2], pid[1]  # key, type


class _Dict(dict):
    pass


def read_legacy_state(path):
    with open(path, "rb") as file:
        for _ in range(3):
            pickle.load(file)  # magic number, protocol, system
        unpickler = _LegacyState(file)
        known = unpickler.find_class
        unpickler.find_class = lambda module, name: _Dict if name == "OrderedDict" else known(module, name)
        state = unpickler.load()
        storages = {}
        kinds = {t[0][0]: t[0][1] for t in state.values()}
        for key in pickle.load(file):
            count = int.from_bytes(file.read(8), "little")
            kind = numpy.dtype(numpy.int64 if "Long" in kinds[key] else numpy.float32)
            storages[key] = numpy.frombuffer(file.read(count * kind.itemsize), kind)
    return {name: numpy.lib.stride_tricks.as_strided(storages[key][offset:], size, [s * storages[key].itemsize for s in stride])
            for name, ((key, _), offset, size, stride) in state.items()}


def efficientnet_lite0(state, rgb):
    """state: read_legacy_state's; rgb: the photo at the network's input size, 8 bit. BatchNorm as it stands, not folded."""
    def layer(x, conv_name, norm, stride=1, depthwise=False, relu=True):
        w = state[conv_name + ".weight"].astype(float).transpose(2, 3, 1, 0)
        x = conv(x, w, stride, groups=w.shape[3] if depthwise else 1)
        n = {k: state[f"{norm}.{k}"].astype(float) for k in ("weight", "bias", "running_mean", "running_var")}
        x = (x - n["running_mean"]) / numpy.sqrt(n["running_var"] + 1e-3) * n["weight"] + n["bias"]
        return x.clip(0, 6) if relu else x
    x = layer((rgb.astype(float) - 127) / 128, "_conv_stem", "_bn0", 2)
    index = 0
    for repeat, _, first in BLOCKS:
        for i in range(repeat):
            b, y, stride = f"_blocks.{index}.", x, first if i == 0 else 1
            if b + "_expand_conv.weight" in state:
                y = layer(y, b + "_expand_conv", b + "_bn0")
            y = layer(y, b + "_depthwise_conv", b + "_bn1", stride, depthwise=True)
            y = layer(y, b + "_project_conv", b + "_bn2", relu=False)
            x = x + y if stride == 1 and x.shape == y.shape else y
            index += 1
    return Seen(layer(x, "_conv_head", "_bn1"), state["_fc.weight"].astype(float).T, state["_fc.bias"].astype(float))


def check(prediction, seen, tolerance):
    """A prediction of an answer (include=map) against what the network must have seen."""
    c = prediction.class_id
    assert abs(prediction.logit - seen.logits[c]) <= tolerance
    assert abs(prediction.entry["probability"] - seen.probabilities[c]) <= tolerance
    near = numpy.abs(numpy.delete(seen.logits, c) - seen.logits[c]).min() < 2 * tolerance
    assert near or prediction.rank == 1 + int((seen.logits > seen.logits[c]).sum())
    expected = seen.map(c)
    assert prediction.map.shape == expected.shape
    assert numpy.abs(prediction.map - expected).max() <= tolerance * max(1, numpy.abs(expected).max())
    assert abs(prediction.bias - seen.bias[c]) <= 1e-6


def input_picture(photo, width, height):
    """The photo as the network must see it: Pillow's bicubic."""
    return oracle.bicubic(photo, width, height)
