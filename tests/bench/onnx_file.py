"""A model file of camserve as ONNX, for the engines it is measured against: the same graph and weights, for one photo of the model's own size, in NCHW.
Input x; outputs logits [1, classes] and features [1, maps, height, width], from which class maps are summed. Usage: onnx_file.py MODEL OUT.onnx"""
import sys

import numpy
import onnx
from onnx import helper, numpy_helper

import model_file

ACTIVATIONS = {"relu": "Relu", "relu6": "Clip"}
POOLS = {"max_pool": "MaxPool", "avg_pool": "AveragePool"}
OTHERS = {"add": "Add", "concat": "Concat", "gap": "GlobalAveragePool"}


class Writer:
    def __init__(self, model):
        self.model, self.nodes, self.weights = model, [], {}
        self.shapes = {"input": (3, model.height, model.width)}  # channels, height, width
        self.features = next(n["inputs"][0] for n in model.nodes if n["op"] == "gap")

    def value(self, name):
        """Of a node of ours, as ONNX shall call its output."""
        return {"input": "x", self.features: "features"}.get(name, name)

    def weight(self, name, array):
        self.weights[name] = numpy_helper.from_array(numpy.ascontiguousarray(array, numpy.float32), name)
        return name

    def emit(self, op, node, extra=(), **attributes):
        self.nodes.append(helper.make_node(op, [self.value(i) for i in node["inputs"]] + list(extra), [self.value(node["name"])], name=node["name"], **attributes))

    def window(self, node, kernel):
        """Attributes of what slides over a plane, and the plane that comes out. "same" is TensorFlow's: the odd cell right and bottom."""
        stride, (_, *size), padding = node.get("stride", [1, 1]), self.shapes[node["inputs"][0]], node.get("padding", "valid")
        if padding == "same":
            whole = [max(0, (-(-n // s) - 1) * s + k - n) for n, s, k in zip(size, stride, kernel)]
            pads = [whole[0] // 2, whole[1] // 2, whole[0] - whole[0] // 2, whole[1] - whole[1] // 2]
        else:
            pads = [0, 0, 0, 0] if padding == "valid" else padding
        out = [(n + pads[i] + pads[i + 2] - k) // s + 1 for i, (n, s, k) in enumerate(zip(size, stride, kernel))]
        return {"kernel_shape": kernel, "strides": stride, "pads": pads}, out

    def add(self, node):
        op, first = node["op"], self.shapes[node["inputs"][0]]
        shape = first
        if op == "conv":
            weight = self.model.tensors[node["weight"]]  # [KH, KW, Cin / groups, Cout]
            window, size = self.window(node, list(weight.shape[:2]))
            extra = [self.weight(node["weight"], weight.transpose(3, 2, 0, 1))]
            if "bias" in node:
                extra.append(self.weight(node["bias"], self.model.tensors[node["bias"]]))
            self.emit("Conv", node, extra, group=node.get("groups", 1), **window)
            shape = (weight.shape[3], *size)
        elif op in POOLS:
            window, size = self.window(node, node["kernel"])
            self.emit(POOLS[op], node, **window)  # an average does not count padding unless asked to
            shape = (first[0], *size)
        elif op == "fc":
            extra = [self.weight(node["weight"], self.model.fc)]
            if "bias" in node:
                extra.append(self.weight(node["bias"], self.model.tensors[node["bias"]]))
            self.nodes += [helper.make_node("Flatten", [self.value(node["inputs"][0])], ["flat"], name="flat"),
                           helper.make_node("Gemm", ["flat"] + extra, ["logits"], name=node["name"], transB=1)]
        elif op in ACTIVATIONS:
            self.emit(ACTIVATIONS[op], node, [self.weight("low", numpy.float32(0)), self.weight("high", numpy.float32(6))] if op == "relu6" else [])
        elif op == "concat":
            self.emit("Concat", node, axis=1)
            shape = (sum(self.shapes[i][0] for i in node["inputs"]), *first[1:])
        else:
            self.emit(OTHERS[op], node)
        self.shapes[node["name"]] = shape

    def write(self, path):
        for node in self.model.nodes:
            self.add(node)
        value = lambda name, *shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, *map(int, shape)])  # noqa: E731
        graph = helper.make_graph(self.nodes, self.model.name, [value("x", *self.shapes["input"])],
                                  [value("logits", len(self.model.fc)), value("features", *self.shapes[self.features])], list(self.weights.values()))
        file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(file, full_check=True)
        onnx.save(file, path)


if __name__ == "__main__":
    Writer(model_file.Model(sys.argv[1])).write(sys.argv[2])
