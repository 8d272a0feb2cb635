"""vgg16CAM.npy again with made weights: the file as Python 2 and NumPy 1 wrote it, byte by byte, and a network of the same graph but few channels.

The real architecture (config/models/vgg16-cam.json) takes its channels from the weights, so the small network runs the very graph
of the large one: 13 convolutions, four pools, two groups, tf1 maps."""
import json
import struct

import numpy

from server import ROOT, run

SMALL = {"conv1": 4, "conv2": 6, "conv3": 8, "conv4": 12, "conv5": 16, "CAM_conv": 32}
FULL = {"conv1": 64, "conv2": 128, "conv3": 256, "conv4": 512, "conv5": 512, "CAM_conv": 1024}
ARCHITECTURE = ROOT / "config/models/vgg16-cam.json"


def make_weights(random, channels=SMALL):
    """{name: {'weights': HWIO float32, 'biases'}}; variances keep the signal alive through the depth. CAM_fc's bias is large: it must not be used."""
    weights, before = {}, 3
    names = [f"conv{i}_{j}" for i, n in ((1, 2), (2, 2), (3, 3), (4, 3), (5, 3)) for j in range(1, n + 1)] + ["CAM_conv"]
    for name in names:
        after, inputs = channels[name if name == "CAM_conv" else name[:5]], before // 2 if name == "CAM_conv" else before
        deviation = numpy.float32((2 / (9 * inputs)) ** 0.5 / (100 if name == "conv1_1" else 1))
        weights[name] = {"weights": random.standard_normal((3, 3, inputs, after), numpy.float32) * deviation,
                         "biases": random.standard_normal(after, numpy.float32) * numpy.float32(0.05)}
        before = after
    weights["CAM_fc"] = {"weights": random.standard_normal((before, 1000), numpy.float32) * numpy.float32(4 / before ** 0.5),
                         "biases": numpy.full(1000, 100, numpy.float32) * numpy.arange(1000, dtype=numpy.float32)}
    return weights


class Python2Pickle:
    """Protocol 2 as Python 2's cPickle wrote a NumPy object array: byte strings, memo puts, one shared dtype object."""

    def __init__(self):
        self.out, self.memo = [b"\x80\x02"], {}

    def put(self, key):
        index = len(self.memo)
        self.memo[key] = index
        self.out.append(b"q" + bytes([index]) if index < 256 else b"r" + struct.pack("<I", index))

    def get(self, key):
        index = self.memo[key]
        self.out.append(b"h" + bytes([index]) if index < 256 else b"j" + struct.pack("<I", index))

    def string(self, data):
        if ("s", data) in self.memo and len(data) < 100:
            return self.get(("s", data))
        self.out += [b"U" + bytes([len(data)]) if len(data) < 256 else b"T" + struct.pack("<i", len(data)), data]
        self.put(("s", data) if len(data) < 100 else ("s", id(data), len(self.memo)))

    def global_(self, module, name):
        key = ("g", module, name)
        if key in self.memo:
            return self.get(key)
        self.out.append(b"c" + module + b"\n" + name + b"\n")
        self.put(key)

    def integer(self, value):
        short, middle = 0 <= value < 256, 0 <= value < 65536
        self.out.append(struct.pack("<cB", b"K", value) if short else struct.pack("<cH", b"M", value) if middle else struct.pack("<ci", b"J", value))

    def dtype(self, name, order):
        if ("d", name) in self.memo:
            return self.get(("d", name))
        self.global_(b"numpy", b"dtype")
        self.string(name)
        self.out.append(b"K\0K\1\x87R")
        self.put(("d", name))
        self.out.append(b"(K\3")
        self.string(order)
        self.out.append(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK" + (b"?" if order == b"|" else b"\0") + b"tb")

    def array(self, shape, dtype, order, fortran, content):
        self.global_(b"numpy.core.multiarray", b"_reconstruct")
        self.global_(b"numpy", b"ndarray")
        self.out.append(b"K\0\x85")
        self.string(b"b")
        self.out.append(b"\x87R")
        self.put(("a", len(self.memo)))
        self.out.append(b"(K\1")
        if len(shape) > 3:
            self.out.append(b"(")
        for side in shape:
            self.integer(side)
        self.out.append([b")", b"\x85", b"\x86", b"\x87", b"t"][min(4, len(shape))])
        self.dtype(dtype, order)
        self.out.append(b"\x88" if fortran else b"\x89")
        content()
        self.out.append(b"tb")

    def tensor(self, a):
        fortran = a.ndim > 1 and a.flags.f_contiguous
        self.array(a.shape, b"f4", b"<", fortran, lambda: self.string(a.astype("<f4").tobytes("F" if fortran else "C")))

    def tree(self, weights):
        self.out.append(b"}")
        self.put(("dict", id(weights)))
        self.out.append(b"(")
        for name, value in weights.items():
            self.string(name.encode())
            self.tree(value) if isinstance(value, dict) else self.tensor(value)
        self.out.append(b"u")


def npy(weights):
    """The bytes of numpy.save(file, weights) under Python 2: a 0-dimensional object array with one dict."""
    pickler = Python2Pickle()

    def content():
        pickler.out.append(b"]")
        pickler.put(("list", 0))
        pickler.tree(weights)
        pickler.out.append(b"a")
    pickler.array((), b"O8", b"|", False, content)
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (-(len(header) + 11) % 16) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + b"".join(pickler.out) + b"."


def convert(folder, weights, name="vgg16-cam", data=None, architecture=ARCHITECTURE, side=224):
    """Writes the .npy, converts it with the program under test; the model file's path. side: of its input, instead of the architecture's own 224."""
    (folder / f"{name}.npy").write_bytes(data or npy(weights))
    if side != 224:
        graph = json.loads(architecture.read_text())
        architecture = folder / "models" / architecture.name  # its labels are looked for beside that folder
        architecture.parent.mkdir()
        (folder / "labels").symlink_to(ARCHITECTURE.parents[1] / "labels")
        architecture.write_text(json.dumps(graph | {"input": graph["input"] | {"width": side, "height": side}}))
    result = run("convert", folder / f"{name}.npy", "--arch", architecture, "-o", folder / f"{name}.safetensors", timeout=600)
    assert result.returncode == 0, result.stderr.decode()
    return folder / f"{name}.safetensors"


def write(path, tensors, nodes, classes, height, width, **more):
    """A model file of that network, byte by byte: tensors {name: array}, nodes and classes as in engine/network/graph.h."""
    about = {"version": 2, "name": path.stem, "input": {"height": height, "width": width, "channels": "RGB", "mean": [127, 127, 127], "scale": [1 / 128] * 3,
                                                        "resize": "stretch"}, "map": {"resize": "half_pixel"}, "classes": classes, "nodes": nodes, **more}
    header, data = {"__metadata__": {"camserve": json.dumps(about)}}, b""
    for name, tensor in tensors.items():
        own = tensor.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(data), len(data) + len(own)]}
        data += own
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


def named(folder, name, seed):
    """A network of the same graph under another name, with weights of its own, labels that begin with its name, and a small input: a fifth of the work."""
    document = json.loads(ARCHITECTURE.read_text())
    document["input"] |= {"width": 96, "height": 96}
    document["name"], document["classes"] = name, [[f"n{i:08}", f"{name} {i}"] for i in range(1000)]
    (folder / f"{name}.json").write_text(json.dumps(document))
    return convert(folder, make_weights(numpy.random.default_rng(seed)), name, architecture=folder / f"{name}.json")
