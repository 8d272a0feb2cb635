"""Networks that end in other ways than a gap and one linear layer: what is answered for them, against NumPy from the definition.
The map of a class is the sum over channels of (d logit / d plane) * plane (HiResCAM, arXiv 2011.08891); the gradient is taken by differences."""
import numpy
import pytest

import pictures
import small_model
from client import cam, explain, problem
from networks import conv
from server import run

HEIGHT, WIDTH, CHANNELS, CLASSES = 10, 12, 8, 4
LABELS = [["n00000001", "one"], ["", "two"], [None, "three, drei"], ["n00000004", "four"]]
random = numpy.random.default_rng(11)


def made(*shape, scale=1.0):
    return (random.standard_normal(shape) * scale).astype(numpy.float32).astype(float)


WEIGHTS = {"w": made(3, 3, 3, CHANNELS), "b": made(CHANNELS), "plane": made(1, 1, CHANNELS, CLASSES), "small": made(20, CHANNELS), "smallb": made(20), "last": made(CLASSES, 20),
           "lastb": made(CLASSES), "one": made(1, CHANNELS), "flat": made(20, 30 * CHANNELS, scale=0.1)}


def relu(x):
    return numpy.maximum(0, x)


def node(op, name, source, **more):
    return {"name": name, "op": op, "inputs": [source], **more}


BODY = [node("conv", "c", "input", weight="w", bias="b", stride=[2, 2], padding=[1, 1, 1, 1]), node("relu", "x", "c")]
GAP, LAST = node("gap", "p", "x"), node("fc", "z", "r", weight="last", bias="lastb")
# name: nodes of the head, what it computes of the plane, method
HEADS = {
    "plane": ([node("conv", "d", "x", weight="plane"), node("relu", "y", "d"), node("gap", "p", "y")], lambda x: x.mean((0, 1)), "cam"),
    "chain": ([GAP, node("fc", "f", "p", weight="small", bias="smallb"), node("hard_swish", "r", "f"), LAST],
              lambda x: WEIGHTS["last"] @ hard_swish(WEIGHTS["small"] @ x.mean((0, 1)) + WEIGHTS["smallb"]) + WEIGHTS["lastb"], "hirescam"),
    "flat": ([node("flatten", "p", "x"), node("fc", "f", "p", weight="flat", bias="smallb"), node("relu", "r", "f"), LAST],
             lambda x: WEIGHTS["last"] @ relu(WEIGHTS["flat"] @ x.reshape(-1) + WEIGHTS["smallb"]) + WEIGHTS["lastb"], "hirescam"),
}


def hard_swish(x):
    return x * (x + 3).clip(0, 6) / 6


def plane_of(photo, head):
    x = relu(conv((photo.astype(float) - 127) / 128, WEIGHTS["w"], 2, 1) + WEIGHTS["b"])
    return relu(x @ WEIGHTS["plane"][0, 0]) if head == "plane" else x


def gradient_map(head, plane, class_id, step=1e-6):
    total = numpy.zeros(plane.shape[:2])
    for y, x, c in numpy.ndindex(plane.shape):
        up, down = plane.copy(), plane.copy()
        up[y, x, c] += step
        down[y, x, c] -= step
        total[y, x] += (head(up)[class_id] - head(down)[class_id]) / (2 * step) * plane[y, x, c]
    return total


@pytest.fixture
def head_server(start, tmp_path):
    """head_server(name, ...) -> a Server of the body and that head."""
    def begin(name, nodes=None, classes=LABELS, **more):
        path = tmp_path / f"{name}.safetensors"
        nodes = BODY + (nodes or HEADS[name][0])
        used = {n[kind] for n in nodes for kind in ("weight", "bias") if kind in n}
        return start(model=small_model.write(path, {k: WEIGHTS[k] for k in WEIGHTS if k in used}, nodes, classes, HEIGHT, WIDTH, **more))
    return begin


PHOTO = pictures.scene(WIDTH, HEIGHT)
FILE = pictures.png(PHOTO)


@pytest.mark.concurrent
@pytest.mark.parametrize("name", HEADS)
def test_maps_are_gradient_times_plane(head_server, name):
    _, head, method = HEADS[name]
    server = head_server(name)
    assert server.client.get(f"/v1/models/{name}").json()["method"] == method
    answer = explain(server.client, FILE, include="map,overlay", top_k=CLASSES)
    plane = plane_of(PHOTO, name)
    logits = head(plane)
    assert [p.class_id for p in answer.predictions] == list(numpy.argsort(-logits))
    for p in answer.predictions:
        expected = gradient_map(head, plane, p.class_id) * (plane.shape[0] * plane.shape[1] if method == "cam" else 1)
        assert p.entry["method"] == method and ("bias" in p.entry) == (method == "cam")
        assert p.logit == pytest.approx(logits[p.class_id], abs=1e-4)
        assert p.map.shape == expected.shape and numpy.abs(p.map - expected).max() <= 1e-4 * numpy.abs(expected).max()
        if method == "cam":
            assert p.bias == 0 and p.map.mean() == pytest.approx(p.logit, abs=1e-4)


def test_info_says_it(tmp_path):
    for name, more, words in (("flat", {"probability": "sigmoid"}, (b"this size alone", b"probabilities by sigmoid", b"6 x 5 by hirescam")),
                              ("plane", {}, (b"this size alone", b"probabilities by softmax", b"6 x 5 by cam"))):
        nodes = BODY + HEADS[name][0]
        result = run("info", small_model.write(tmp_path / f"{name}.safetensors", WEIGHTS, nodes, LABELS, HEIGHT, WIDTH, **more))
        assert result.returncode == 0 and all(word in result.stdout for word in words), result.stdout


def test_a_newer_version_is_refused(tmp_path):
    result = run("info", small_model.write(tmp_path / "new.safetensors", WEIGHTS, BODY + HEADS["chain"][0], LABELS, HEIGHT, WIDTH, version=4))
    assert result.returncode == 1 and b"version 4 is newer than this program reads (3)" in result.stderr, result.stderr


def test_a_flattened_network_takes_one_size(head_server):
    client = head_server("flat").client
    detail = problem(cam(client, FILE, resize="aspect"), 400)["detail"]
    assert detail == 'resize: flat takes 12 x 10 alone, so "aspect" is not possible; "stretch" is'
    assert explain(client, FILE, resize="stretch").input == {"width": WIDTH, "height": HEIGHT, "resize": "stretch"}


def test_classes_without_wordnet_id(head_server):
    client = head_server("chain").client
    expected = [{"class_id": 0, "wnid": "n00000001", "label": "one"}, {"class_id": 1, "label": "two"}, {"class_id": 2, "label": "three, drei"},
                {"class_id": 3, "wnid": "n00000004", "label": "four"}]
    assert client.get("/labels").json() == expected
    answer = explain(client, FILE, top_k=1, classes="1,n00000004,2,0", include="none")
    for p in answer.predictions:
        assert {k: v for k, v in p.entry.items() if k in ("class_id", "wnid", "label")} == expected[p.class_id]
    problem(cam(client, FILE, classes=","), 400)  # no class has the id ""


def test_multi_label_probabilities_are_independent(head_server):
    answer = explain(head_server("chain", probability="sigmoid").client, FILE, top_k=CLASSES, include="none")
    logits = HEADS["chain"][1](plane_of(PHOTO, "chain"))
    for rank, p in enumerate(answer.predictions, 1):
        assert p.rank == rank and p.entry["probability"] == pytest.approx(1 / (1 + numpy.exp(-logits[p.class_id])), abs=1e-5)


def test_one_logit_says_yes_or_no(head_server):
    server = head_server("single", [GAP, node("fc", "z", "p", weight="one")], [[None, "cat"]], probability="sigmoid")
    answer = explain(server.client, FILE, include="map", top_k=3)
    logit = WEIGHTS["one"][0] @ plane_of(PHOTO, "chain").mean((0, 1))
    assert len(answer.predictions) == 1 and answer.first.entry["label"] == "cat" and answer.first.entry["method"] == "cam"
    assert answer.first.logit == pytest.approx(logit, abs=1e-4) and answer.first.map.mean() + answer.first.bias == pytest.approx(logit, abs=1e-4)
    assert answer.first.entry["probability"] == pytest.approx(1 / (1 + numpy.exp(-logit)), abs=1e-5)
