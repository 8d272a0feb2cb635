"""Well-known classifiers as ONNX with pseudo-random weights, as PyTorch exports them once batch norms are folded: what `make bench ROWS=zoo` converts and
times. Usage: networks.py NAME OUT.onnx OUT.fc.npy
Input x [1,3,224,224]; outputs logits [1,1000] and features [1,maps,h,w], the last plane before the pooling. The matrix of fc.npy [1000,maps] is what others
sum class maps with: that of the last layer, of a head of two layers their product."""
import sys

import numpy
import onnx
from onnx import helper, numpy_helper

CLASSES, SIDE = 1000, 224


class Writer:
    """Values are (name, channels)."""

    def __init__(self):
        self.nodes, self.weights, self.random = [], [], numpy.random.default_rng(1)

    def emit(self, op, inputs, channels, **attributes):
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name, channels

    def weight(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(numpy.asarray(array, numpy.float32), name))
        return name

    def conv(self, x, out, kernel=1, stride=1, groups=1, gain=2.0):
        name, channels = x
        inside = channels // groups
        weight = self.random.standard_normal((out, inside, kernel, kernel), numpy.float32) * (gain / (inside * kernel * kernel)) ** 0.5
        return self.emit("Conv", [name, self.weight(weight), self.weight(self.random.standard_normal(out) * 0.1)], out, group=groups,
                         kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)

    def act(self, x, kind):
        name, channels = x
        if kind == "relu6":
            return self.emit("Clip", [name, self.weight(0.0), self.weight(6.0)], channels)
        if kind == "silu":
            return self.emit("Mul", [name, self.emit("Sigmoid", [name], channels)[0]], channels)
        if kind == "hard_sigmoid":
            return self.emit("HardSigmoid", [name], channels, alpha=1 / 6, beta=0.5)
        return self.emit({"relu": "Relu", "hard_swish": "HardSwish", "sigmoid": "Sigmoid"}[kind], [name], channels)

    def excite(self, x, squeezed, inner, gate):
        name, channels = x
        mean = self.emit("GlobalAveragePool", [name], channels)
        scale = self.act(self.conv(self.act(self.conv(mean, squeezed), inner), channels), gate)
        return self.emit("Mul", [name, scale[0]], channels)

    def bottleneck(self, x, kernel, inside, out, stride, act, squeezed=0, inner="relu", gate="sigmoid"):
        """Expand, depthwise, squeeze and excite, project; the sum where the shape stays."""
        y = x
        if inside != x[1]:
            y = self.act(self.conv(y, inside), act)
        y = self.act(self.conv(y, inside, kernel, stride, inside), act)
        if squeezed:
            y = self.excite(y, squeezed, inner, gate)
        y = self.conv(y, out, gain=0.5)
        return self.emit("Add", [y[0], x[0]], out) if stride == 1 and out == x[1] else y

    def fc(self, x, out):
        name, channels = x
        matrix = self.random.standard_normal((out, channels), numpy.float32) / channels ** 0.5
        return self.emit("Gemm", [name, self.weight(matrix), self.weight(numpy.zeros(out))], out, transB=1), matrix

    def write(self, features, path, matrix_path, hidden=0, act=None):
        """Pooling, perhaps a hidden layer, the classes."""
        y, matrix = self.emit("Flatten", [self.emit("GlobalAveragePool", [features[0]], features[1])[0]], features[1]), None
        if hidden:
            y, matrix = self.fc(y, hidden)
            y = self.act(y, act)
        y, last = self.fc(y, CLASSES)
        numpy.save(matrix_path, last if matrix is None else last @ matrix)
        for node in self.nodes:  # outputs by the names that engine.py asks for
            for names in (node.input, node.output):
                for i, name in enumerate(names):
                    names[i] = {y[0]: "logits", features[0]: "features"}.get(name, name)
        value = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)  # noqa: E731
        graph = helper.make_graph(self.nodes, "made", [value("x", [1, 3, SIDE, SIDE])], [value("logits", [1, CLASSES]), value("features", [1, features[1], None, None])], self.weights)
        file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(file, full_check=True)
        onnx.save(file, path)


def resnet50(net):
    """He et al., CVPR 2016; the stride in the 3x3, as in torchvision."""
    x = net.act(net.conv(("x", 3), 64, 7, 2), "relu")
    x = net.emit("MaxPool", [x[0]], 64, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, (repeat, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for i in range(repeat):
            stride = 2 if stage and not i else 1
            y = net.act(net.conv(net.act(net.conv(x, width), "relu"), width, 3, stride), "relu")
            y, short = net.conv(y, 4 * width, gain=0.5), x if i else net.conv(x, 4 * width, 1, stride, gain=1.0)
            x = net.act(net.emit("Add", [y[0], short[0]], 4 * width), "relu")
    return x, {}


def mobilenet_v2(net):
    """Sandler et al., CVPR 2018."""
    x = net.act(net.conv(("x", 3), 32, 3, 2), "relu6")
    for expansion, out, repeat, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(repeat):
            x = net.bottleneck(x, 3, x[1] * expansion, out, 1 if i else first, "relu6")
    return net.act(net.conv(x, 1280), "relu6"), {}


def efficientnet_b0(net):
    """Tan and Le, ICML 2019."""
    x = net.act(net.conv(("x", 3), 32, 3, 2), "silu")
    for repeat, kernel, first, expansion, out in ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)):
        for i in range(repeat):
            x = net.bottleneck(x, kernel, x[1] * expansion, out, 1 if i else first, "silu", max(1, x[1] // 4), "silu")
    return net.act(net.conv(x, 1280), "silu"), {}


def mobilenet_v3_large(net):
    """Howard et al., ICCV 2019, table 1."""
    x = net.act(net.conv(("x", 3), 16, 3, 2), "hard_swish")
    for kernel, inside, out, excited, act, stride in (
            (3, 16, 16, 0, "relu", 1), (3, 64, 24, 0, "relu", 2), (3, 72, 24, 0, "relu", 1), (5, 72, 40, 24, "relu", 2), (5, 120, 40, 32, "relu", 1), (5, 120, 40, 32, "relu", 1),
            (3, 240, 80, 0, "hard_swish", 2), (3, 200, 80, 0, "hard_swish", 1), (3, 184, 80, 0, "hard_swish", 1), (3, 184, 80, 0, "hard_swish", 1), (3, 480, 112, 120, "hard_swish", 1),
            (3, 672, 112, 168, "hard_swish", 1), (5, 672, 160, 168, "hard_swish", 2), (5, 960, 160, 240, "hard_swish", 1), (5, 960, 160, 240, "hard_swish", 1)):
        x = net.bottleneck(x, kernel, inside, out, stride, act, excited, gate="hard_sigmoid")
    return net.act(net.conv(x, 960), "hard_swish"), dict(hidden=1280, act="hard_swish")


NETWORKS = {"mobilenet-v2": mobilenet_v2, "resnet50": resnet50, "efficientnet-b0": efficientnet_b0, "mobilenet-v3-large": mobilenet_v3_large}


if __name__ == "__main__":
    writer = Writer()
    plane, head = NETWORKS[sys.argv[1]](writer)
    writer.write(plane, *sys.argv[2:4], **head)
