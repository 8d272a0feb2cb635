"""The networks of config/models/zoo.txt again, in plain NumPy from their papers, with made weights in the files that `camserve convert` reads.

A walk computes a network for a photo and makes each weight where it meets it, so one description is both. Nothing here knows the architectures' JSON."""
import json
import pathlib
import sys

import numpy

import networks

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "reference"))
import weight_files  # noqa: E402


class Walk:
    """names: of a batch norm's scale, shift, mean and variance; hwio: how convolutions lie in the file."""

    def __init__(self, names=(".weight", ".bias", ".running_mean", ".running_var"), weight=".weight", bias=".bias", hwio=False, epsilon=1e-5, convs_biased=False):
        self.names, self.weight, self.bias, self.hwio, self.epsilon, self.convs_biased = names, weight, bias, hwio, epsilon, convs_biased
        self.random, self.state = numpy.random.default_rng(11), {}

    def made(self, name, values):
        self.state.setdefault(name, numpy.asarray(values, "<f4"))
        return self.state[name].astype(float)

    def layer(self, x, conv, norm, out, kernel=1, stride=1, pad=None, depthwise=False, relu=None):
        """Convolution and batch norm; its variance is that of the signal, roughly, so that the signal lives; relu: its upper limit."""
        inside = 1 if depthwise else x.shape[2]
        w = self.random.standard_normal((kernel, kernel, inside, out)) * (2 / (kernel * kernel * inside)) ** 0.5
        w = self.made(conv + self.weight, w if self.hwio else w.transpose(3, 2, 0, 1))
        y = networks.conv(x, w if self.hwio else w.transpose(2, 3, 1, 0), stride, pad, groups=out if depthwise else 1)
        if self.convs_biased:
            y = y + self.made(conv + self.bias, self.random.standard_normal(out) * y.std())
        spread = self.random.uniform(0.5, 2, (2, out))
        scale, shift, mean, variance = (self.made(norm + name, v) for name, v in zip(self.names, (
            spread[0], self.random.standard_normal(out) * 0.3, y.mean((0, 1)) + self.random.standard_normal(out) * 0.1 * y.std(), y.var() * spread[1])))
        y = (y - mean) / numpy.sqrt(variance + self.epsilon) * scale + shift
        return y if relu is None else y.clip(0, relu)

    def end(self, x, fc):
        w = self.random.standard_normal((x.shape[2], 1000)) * 0.1
        w = self.made(fc + self.weight, w if self.hwio else w.T)
        return networks.Seen(x, w if self.hwio else w.T, self.made(fc + self.bias, self.random.standard_normal(1000)))


def efficientnet_lite(walk, rgb, repeats, widths):
    """Its README on github.com/tensorflow/tpu: stem and head are those of Lite0, the first and last stage are not repeated."""
    x, index = walk.layer((rgb.astype(float) - 127) / 128, "_conv_stem", "_bn0", 32, 3, 2, relu=6), 0
    for (_, kernel, first), repeat, width in zip(networks.BLOCKS, repeats, widths):
        for i in range(repeat):
            b, y, inside = f"_blocks.{index}.", x, x.shape[2] * (6 if index else 1)
            if index:
                y = walk.layer(y, b + "_expand_conv", b + "_bn0", inside, relu=6)
            y = walk.layer(y, b + "_depthwise_conv", b + "_bn1", inside, kernel, 1 if i else first, depthwise=True, relu=6)
            y = walk.layer(y, b + "_project_conv", b + "_bn2", width)
            x, index = x + y if x.shape == y.shape else y, index + 1
    return walk.end(walk.layer(x, "_conv_head", "_bn1", 1280, relu=6), "_fc")


def mobilenet_v2(walk, rgb):
    """Sandler et al., CVPR 2018; padding on both sides and ImageNet's mean and deviation, as in torchvision."""
    x = (rgb / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    x, index = walk.layer(x, "features.0.0", "features.0.1", 32, 3, 2, 1, relu=6), 1
    for expansion, width, repeat, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(repeat):
            b, y, inside = f"features.{index}.conv.", x, x.shape[2] * expansion
            if expansion > 1:
                y = walk.layer(y, b + "0.0", b + "0.1", inside, relu=6)
            at = int(expansion > 1)
            y = walk.layer(y, f"{b}{at}.0", f"{b}{at}.1", inside, 3, 1 if i else first, 1, depthwise=True, relu=6)
            y = walk.layer(y, f"{b}{at + 1}", f"{b}{at + 2}", width)
            x, index = x + y if x.shape == y.shape else y, index + 1
    return walk.end(walk.layer(x, "features.18.0", "features.18.1", 1280, relu=6), "classifier.1")


def resnet50(walk, rgb):
    """He et al., CVPR 2016, as in Keras: a stage's stride is in the first 1x1; BGR less the mean."""
    x = walk.layer(rgb[:, :, ::-1] - numpy.array((103.939, 116.779, 123.68)), "conv1", "bn_conv1", 64, 7, 2, 3, relu=numpy.inf)
    h, w = ((n - 1) // 2 + 1 for n in x.shape[:2])
    x = numpy.pad(x, ((1, 1), (1, 1), (0, 0)))  # zeros: after a ReLU nothing is less
    x = numpy.max([x[i:i + 2 * h - 1:2, j:j + 2 * w - 1:2] for i in range(3) for j in range(3)], 0)
    for stage, (repeat, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), 2):
        for letter in "abcdef"[:repeat]:
            block, stride = f"{stage}{letter}_branch", 2 if letter == "a" and stage > 2 else 1
            y = walk.layer(x, f"res{block}2a", f"bn{block}2a", width, 1, stride, 0, relu=numpy.inf)
            y = walk.layer(y, f"res{block}2b", f"bn{block}2b", width, 3, 1, 1, relu=numpy.inf)
            y = walk.layer(y, f"res{block}2c", f"bn{block}2c", width * 4)
            short = walk.layer(x, f"res{block}1", f"bn{block}1", width * 4, 1, stride, 0) if letter == "a" else x
            x = numpy.maximum(0, y + short)
    return walk.end(x, "fc1000")


def write_torch(folder, state):
    path = folder / "made.pth"
    path.write_bytes(weight_files.pth_legacy({name: weight_files.tensor(array) for name, array in state.items()}))
    return path


def write_tensorflow_js(folder, state):
    """model.json and two files beside it, the first of which ends within a tensor."""
    data = b"".join(numpy.ascontiguousarray(array).tobytes() for array in state.values())
    paths = {"group1-shard1of2.bin": data[:len(data) // 2 + 1], "group1-shard2of2.bin": data[len(data) // 2 + 1:]}
    for name, part in paths.items():
        (folder / name).write_bytes(part)
    weights = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in state.items()]
    (folder / "model.json").write_text(json.dumps({"format": "layers-model", "modelTopology": {}, "weightsManifest": [{"paths": list(paths), "weights": weights}]}))
    return folder / "model.json"


LITE_EPSILON = 1e-3
KERAS = dict(names=("/gamma", "/beta", "/moving_mean", "/moving_variance"), weight="/kernel", bias="/bias", hwio=True, epsilon=1e-3, convs_biased=True)
MADE = {  # name: side, the walk, the network, the writer
    "efficientnet-lite1": (240, dict(epsilon=LITE_EPSILON), lambda w, x: efficientnet_lite(w, x, (1, 3, 3, 4, 4, 5, 1), (16, 24, 40, 80, 112, 192, 320)), write_torch),
    "efficientnet-lite2": (260, dict(epsilon=LITE_EPSILON), lambda w, x: efficientnet_lite(w, x, (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352)), write_torch),
    "mobilenet-v2": (224, {}, mobilenet_v2, write_torch),
    "resnet50": (224, KERAS, resnet50, write_tensorflow_js),
}
