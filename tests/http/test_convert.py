"""`camserve convert` on weights that are wrong or mean harm: refused by name, nothing run, nothing half written. (The good ways: test_network.py.)"""
import io
import json
import pickle
import struct
import zipfile

import numpy
import pytest

import networks
import pictures
import small_model
from client import explain
from server import ROOT, Server, run

LITE0 = ROOT / "config/models/efficientnet-lite0.json"


def convert(folder, data, arch=small_model.ARCHITECTURE, name="w.npy"):
    (folder / "out.safetensors").unlink(missing_ok=True)
    (folder / name).write_bytes(data)
    result = run("convert", folder / name, "--arch", arch, "-o", folder / "out.safetensors", timeout=300)
    assert (folder / "out.safetensors").exists() == (result.returncode == 0)
    assert [p.name for p in folder.iterdir() if p.name not in (name, "out.safetensors")] == [], "no half written file stays"
    return result


def refused(folder, data, *words, arch=small_model.ARCHITECTURE):
    result = convert(folder, data, arch)
    assert result.returncode == 1, (result.returncode, result.stderr)
    for word in words:
        assert word.encode() in result.stderr, (word, result.stderr)


def npy_of(stream):
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (-(len(header) + 11) % 16) + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + stream


def test_python_3_forms_give_the_same_model(tmp_path, small_weights, small_file):
    """The same dict saved by Python 3: unicode keys, _codecs.encode; keys in another order."""
    for protocol in (2, 3):
        out = io.BytesIO()
        shuffled = {k: small_weights[k] for k in reversed(small_weights)}
        pickle.dump(numpy.array(shuffled, dtype=object), out, protocol=protocol)
        result = convert(tmp_path, npy_of(out.getvalue()))
        assert result.returncode == 0, result.stderr
        assert (tmp_path / "out.safetensors").read_bytes() == small_file.read_bytes()


def test_numpy_save_and_fortran_order(tmp_path, small_weights, small_file):
    out, fortran = io.BytesIO(), {k: {j: numpy.asfortranarray(a) for j, a in v.items()} for k, v in small_weights.items()}
    numpy.save(out, fortran)
    for data in (out.getvalue(), small_model.npy(fortran)):
        result = convert(tmp_path, data)
        assert result.returncode == 0, result.stderr
        assert (tmp_path / "out.safetensors").read_bytes() == small_file.read_bytes()


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.hostile
@pytest.mark.parametrize("module,name", [("posix", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("os", "remove"), ("numpy", "load"),
                                         ("numpy.core.multiarray", "fromfile")])
def test_other_globals_are_refused_by_name(tmp_path, module, name):
    stream = b"\x80\x02c" + f"{module}\n{name}\n".encode() + b"U\x10touch /tmp/x_camq\x01\x85R."
    refused(tmp_path, npy_of(stream), name)
    refused(tmp_path, b"\x80\x02" + stream[2:], arch=LITE0)


def test_pickle_made_by_python_with_a_call_inside(tmp_path):
    marker = tmp_path.parent / "ran"
    refused(tmp_path, npy_of(pickle.dumps({"conv1_1": Evil(open, str(marker), "w")}, 2)))
    assert not marker.exists()


STREAMS = {
    "empty": b"", "stop": b".", "protocol alone": b"\x80\x02", "protocol 9": b"\x80\x09N.", "none": b"\x80\x02N.", "empty dict": b"\x80\x02}.",
    "deep lists": b"\x80\x02" + b"]" * 100000 + b"a" * 99999 + b".",
    "deep tuples": b"\x80\x02N" + b"\x85" * 200000 + b".", "pop of nothing": b"\x80\x02a.", "mark missing": b"\x80\x02}Nu.",
    "memo missing": b"\x80\x02h\x07.", "memo huge": b"\x80\x02Nr\xff\xff\xff\xff.",
    "string of 4 GiB": b"\x80\x02X\xff\xff\xff\xffabc.", "negative string": b"\x80\x02T\xff\xff\xff\xffabc.",
    "long 1": b"\x80\x02\x8a\xff" + b"\x01" * 255 + b".", "long 4": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "odd opcode": b"\x80\x02\xf3.", "persistent": b"\x80\x02U\1aQ.", "self containing": b"\x80\x02]q\0h\0a.",
    "dict in itself": b"\x80\x02}q\0U\1ah\0s.",
    "many memos": b"\x80\x02" + b"".join(b"Nr" + struct.pack("<I", i) + b"0" for i in range(300000)) + b"N.",
    "marks": b"\x80\x02" + b"(" * 500000 + b".", "build on nothing": b"\x80\x02}}b.", "reduce of data": b"\x80\x02K\1)R.", "no stop": b"\x80\x02}",
    "unicode broken": b"\x80\x02X\2\0\0\0\xff\xfe.", "dup bomb": b"\x80\x02]" + b"2\x86" * 60 + b".",
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", STREAMS)
def test_hostile_pickles(tmp_path, name):
    refused(tmp_path, npy_of(STREAMS[name]))
    refused(tmp_path, STREAMS[name], arch=LITE0)


@pytest.mark.hostile
def test_cut_and_flipped_weights(tmp_path, small_weights):
    data = small_model.npy(small_weights)
    for size in (0, 5, 9, 60, 81, 100, 300, 1000, len(data) // 2, len(data) - 1):
        refused(tmp_path, data[:size])
    random = numpy.random.default_rng(4)
    for _ in range(40):
        flipped = numpy.frombuffer(data, numpy.uint8).copy()
        flipped[random.integers(60, 700, 3)] ^= random.integers(1, 256, 3).astype(numpy.uint8)
        result = convert(tmp_path, flipped.tobytes())
        assert result.returncode in (0, 1), result.stderr[-2000:]


def changed(weights, **arrays):
    """A copy with some layers replaced (None: left out)."""
    copy = {k: dict(v) for k, v in weights.items()}
    for name, value in arrays.items():
        if value is None:
            del copy[name]
        else:
            copy[name].update(value)
    return copy


def test_wrong_shapes_and_values_name_the_tensor(tmp_path, small_weights):
    w = small_weights
    nan = w["conv3_1"]["weights"].copy()
    nan[0, 0, 0, 0] = numpy.nan
    inf = w["conv2_2"]["biases"].copy()
    inf[1] = numpy.inf
    for data, word in ((changed(w, conv4_1=None), "conv4_1"), (changed(w, CAM_fc=None), "CAM_fc"), (changed(w, conv3_1={"weights": nan}), "conv3_1"),
                       (changed(w, conv2_2={"biases": inf}), "conv2_2"),
                       (changed(w, conv5_1={"weights": w["conv5_1"]["weights"][:, :, :-1]}), "conv5_1"),
                       (changed(w, conv1_2={"biases": w["conv1_2"]["biases"][:-1]}), "conv1_2"),
                       (changed(w, CAM_fc={"weights": w["CAM_fc"]["weights"][:, :999]}), "CAM_fc"),
                       (changed(w, CAM_conv={"weights": w["CAM_conv"]["weights"][0]}), "CAM_conv")):
        refused(tmp_path, small_model.npy(data), word)


def test_wrong_files_and_architectures(tmp_path, small_weights):
    refused(tmp_path, b"this is not a file of weights")
    refused(tmp_path, small_model.npy(small_weights), arch=LITE0)
    refused(tmp_path, small_model.npy(small_weights), arch=ROOT / "Makefile")
    refused(tmp_path, small_model.npy(small_weights), arch="/nonexistent.json")
    assert run("convert", "/nonexistent.npy", "--arch", LITE0, "-o", tmp_path / "x").returncode == 1
    (tmp_path / "w.npy").write_bytes(small_model.npy(small_weights))
    assert run("convert", tmp_path / "w.npy", "--arch", small_model.ARCHITECTURE, "-o", tmp_path / "no/such/folder").returncode == 1


def test_pytorch_zip_format_gives_the_same_network(tmp_path, scene_png, client):
    """lite0's state dict written again as torch.save of today does: a zip with data.pkl and data/KEY."""
    path = next((ROOT / "downloads").glob("*/*/models/efficientnet-lite0-57934424.pth"))
    state = networks.read_legacy_state(path)
    (tmp_path / "w.npy").write_bytes(torch_zip(state))
    result = run("convert", tmp_path / "w.npy", "--arch", LITE0, "-o", tmp_path / "out.safetensors", timeout=300)
    assert result.returncode == 0, result.stderr
    other = Server(model=tmp_path / "out.safetensors")
    theirs, ours = (explain(c, scene_png, include="overlay,map").document["predictions"] for c in (other.client, client))
    assert theirs == ours
    other.stop()


class _Storage:
    def __init__(self, key, kind, count):
        self.key, self.kind, self.count = key, kind, count


def torch_zip(state):
    """As PyTorch 2 writes it, without PyTorch: every entry stored, names under archive/."""
    out, storages = io.BytesIO(), {}
    stream = [b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\1("]

    def text(s):
        stream.append(b"X" + struct.pack("<I", len(s)) + s.encode())
    for key, (name, tensor) in enumerate(state.items()):
        kind = "LongStorage" if tensor.dtype == numpy.int64 else "FloatStorage"
        storages[str(key)] = numpy.ascontiguousarray(tensor).tobytes()
        text(name)
        stream.append(b"ctorch._utils\n_rebuild_tensor_v2\n((")
        text("storage")
        stream.append(b"ctorch\n" + kind.encode() + b"\n")
        text(str(key))
        text("cpu")
        stream.append(b"J" + struct.pack("<i", tensor.size) + b"tQK\0(")
        stream += [b"J" + struct.pack("<i", s) for s in tensor.shape] + [b"t("]
        stream += [b"J" + struct.pack("<i", s // tensor.itemsize) for s in numpy.ascontiguousarray(tensor).strides[:tensor.ndim]]
        stream.append(b"t\x89ccollections\nOrderedDict\n)RtR")
    stream.append(b"u.")
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as file:
        file.writestr("archive/data.pkl", b"".join(stream))
        file.writestr("archive/byteorder", b"little")
        for key, data in storages.items():
            file.writestr(f"archive/data/{key}", data)
        file.writestr("archive/version", b"3\n")
    return out.getvalue()


@pytest.mark.hostile
def test_hostile_zips(tmp_path):
    def archive(**entries):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in entries.items():
                file.writestr(name.replace("__", "/"), data)
        return out.getvalue()
    for data in (archive(), archive(archive__x=b""), archive(archive__data=b""), b"PK\3\4" + bytes(100),
                 archive(**{"archive/data.pkl": bytes(300 << 20)}),
                 archive(**{"archive/data.pkl": b"\x80\x02cposix\nsystem\n(U\4trueq\0tR."}), archive(**{"archive/data.pkl": b"\x80\x02}."}),
                 archive(**{"../../data.pkl": b"\x80\x02}."})):
        refused(tmp_path, data, arch=LITE0)


def test_converted_twice_is_the_same_file(tmp_path, small_weights, small_file):
    assert convert(tmp_path, small_model.npy(small_weights)).returncode == 0
    assert (tmp_path / "out.safetensors").read_bytes() == small_file.read_bytes()


def test_model_file_is_safetensors_with_the_graph(small_file):
    data = small_file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    graph = json.loads(header["__metadata__"]["camserve"])
    assert graph["name"] == "vgg16-cam" and graph["map"]["resize"] == "tf1" and len(graph["classes"]) == 1000 and graph["self_test"]["logits"]
    spans = sorted(t["data_offsets"] for n, t in header.items() if n != "__metadata__")
    assert spans[0][0] == 0 and spans[-1][1] == len(data) - 8 - size
    assert all(a[1] == b[0] for a, b in zip(spans, spans[1:])), "no gaps"


def test_pictures_module_is_right_about_itself():
    """The oracle's own oracle: Pillow reads what pictures.py writes by hand."""
    from PIL import Image
    scene = pictures.scene(31, 17)
    assert (numpy.asarray(Image.open(io.BytesIO(pictures.interlaced(scene)))) == scene).all()
