"""`camserve convert --new`: layers that the weights lack are drawn, from a seed and their names; weights as a pickle of NumPy dicts."""
import json
import pickle

import numpy
import pytest

from server import run
from test_finetune import read

ARCHITECTURE = {"version": 2, "name": "made", "input": {"height": 32, "width": 32, "channels": "RGB", "mean": [0, 0, 0], "scale": [1, 1, 1], "resize": "stretch"},
                "map": {"resize": "tf1"}, "classes": [["", f"class {c}"] for c in range(40)], "source": {"conv": "HWIO", "fc": "IO"},
                "nodes": [{"name": "a", "op": "conv", "inputs": ["input"], "padding": "same", "weight": "net/a/kernel", "bias": "net/a/bias"}, {"name": "r", "op": "relu", "inputs": ["a"]},
                          {"name": "b", "op": "conv", "inputs": ["r"], "padding": "same", "groups": 2, "weight": "b/w", "bias": "b/b", "new": {"shape": [3, 3, 32, 128]}},
                          {"name": "g", "op": "gap", "inputs": ["b"]}, {"name": "c", "op": "fc", "inputs": ["g"], "weight": "c/w", "new": {"shape": [40, 128]}}]}


@pytest.fixture
def convert(tmp_path):
    random = numpy.random.default_rng(2)
    weights = {"net": {"a": {"kernel": random.standard_normal((3, 3, 3, 64)).astype("f4"), "bias": numpy.zeros(64, "f4")}}}

    def call(*options, out="out", code=0, protocol=3, architecture=ARCHITECTURE, more=None):
        (tmp_path / "weights.pkl").write_bytes(pickle.dumps(weights | (more or {}), protocol))
        (tmp_path / "made.json").write_text(json.dumps(architecture))
        result = run("convert", tmp_path / "weights.pkl", "--arch", tmp_path / "made.json", "-o", tmp_path / f"{out}.safetensors", *options)
        assert result.returncode == code, result.stderr.decode()
        return read(tmp_path / f"{out}.safetensors") if not code else result.stderr.decode()
    return call


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle(convert, protocol):
    document, tensors = convert("--new", "b,c", protocol=protocol)
    assert tensors["a.weight"].shape == (3, 3, 3, 64) and not any("new" in node for node in document["nodes"])


def test_what_is_drawn(convert):
    _, tensors = convert("--new", "b,c")
    for name, inputs, shape in (("b.weight", 9 * 32, (3, 3, 32, 128)), ("c.weight", 128, (40, 128))):
        drawn = tensors[name].astype(float).ravel()
        assert tensors[name].shape == shape
        assert abs(drawn.mean()) < 5 * (2 / inputs / drawn.size) ** 0.5 and drawn.var() == pytest.approx(2 / inputs, rel=0.1)
        assert abs((drawn ** 4).mean() / drawn.var() ** 2 - 3) < 0.4
        assert len(numpy.unique(drawn)) > 0.99 * drawn.size
    assert not tensors["b.bias"].any()
    again, other, turned = (convert(*options, out=name)[1] for name, options in (("again", ("--new", "b,c", "--seed", "1")), ("other", ("--new", "b,c", "--seed", "2")),
                                                                                 ("turned", ("--new", "c,b"))))
    assert all((tensors[n] == again[n]).all() and (tensors[n] == turned[n]).all() for n in tensors)
    assert (tensors["b.weight"] != other["b.weight"]).all() and (tensors["c.weight"] != other["c.weight"]).all()


@pytest.mark.parametrize("options, more, words", [
    (("--new", "b"), None, "tensor c/w of node c is not in the file"),
    (("--new", "b,c,a"), None, 'no layer "a" can be new; b, c can'),
    (("--new", "b,c,b"), None, "tensor b/w of b is in the file"),
    (("--new", "b,c"), {"c": {"w": numpy.zeros((128, 40), "f4")}}, "tensor c/w of c is in the file"),
    (("--new", "x" * 100), None, "is too long"),
])
def test_what_cannot_be_new(convert, tmp_path, options, more, words):
    assert words in convert(*options, code=2 if "layer" in words or "long" in words else 1, more=more)
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize("shape", [[3, 3, 32], [3, 3, 32, 0], [3, 3, 32, 1.5], [65536, 65536, 65536, 65536], "x", [40, 128, 1, 1, 1]])
def test_shapes_that_are_none(convert, shape):
    architecture = json.loads(json.dumps(ARCHITECTURE))
    architecture["nodes"][2]["new"]["shape"] = shape
    assert 'must have a "shape" HWIO' in convert("--new", "b,c", code=1, architecture=architecture)


def test_flags(tmp_path):
    result = run("convert", tmp_path / "x.onnx", "--new", "b", "-o", tmp_path / "x.safetensors")
    assert result.returncode == 2 and b"--arch says what layers there are" in result.stderr
