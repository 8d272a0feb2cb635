"""detail=fine: the maps of three inputs averaged. Checked against the same weights in files whose own input is of each size."""
import json

import numpy
import pytest

import oracle
import pictures
import small_model
from client import Answer, cam, explain, problem
from server import ROOT, SANITIZED, Server, run
from test_pictures import check_boxes, check_pictures

ALL = "overlay,heatmap,map"
RULE = "tf1" if SANITIZED else "half_pixel"  # of the network behind the fixture `client`


@pytest.fixture(scope="module")
def made(tmp_path_factory, small_weights):
    """made(side, max_side) -> a file of the small network with that input."""
    folder = tmp_path_factory.mktemp("fine")
    weights = folder / "weights.npy"
    weights.write_bytes(small_model.npy(small_weights))

    def make(side, max_side=640, multiple=32):
        architecture = json.loads(small_model.ARCHITECTURE.read_text())
        architecture["input"] |= {"height": side, "width": side, "max_side": max_side, "multiple": multiple}
        (folder / "models").mkdir(exist_ok=True)
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels/imagenet-1k.tsv").write_text((ROOT / "config/labels/imagenet-1k.tsv").read_text())
        (folder / "models/vgg16-cam.json").write_text(json.dumps(architecture))
        file = folder / f"{side}-{max_side}-{multiple}.safetensors"
        result = run("convert", weights, "--arch", folder / "models/vgg16-cam.json", "-o", file, timeout=600)
        assert result.returncode == 0, result.stderr
        return file
    return make


def asked(model, photo, *flags):
    result = run("explain", "-", "--json", "--include", "map", "--model", model, *flags, stdin=photo)
    assert result.returncode == 0, result.stderr
    return Answer(json.loads(result.stdout))


def average(maps, rule="tf1"):
    """Each enlarged to the largest."""
    height, width = maps[-1].shape
    return numpy.mean([oracle.resize_map(rule, m, width, height) for m in maps], 0)


@pytest.mark.parametrize("side,max_side,multiple,sides", [
    (64, 640, 16, (64, 96, 128)),   # 10/7 of it is 91.4
    (112, 640, 64, (112, 192, 256)),  # 160 and 224 lie in the middle: up
    (64, 100, 16, (64, 96, 100))])
def test_it_is_the_average_of_three_inputs(made, side, max_side, multiple, sides):
    photo = pictures.png(pictures.scene(90, 130))
    fine = asked(made(side, max_side, multiple), photo, "--detail", "fine")
    usual = [p.class_id for p in fine.predictions]
    classes = ",".join(map(str, usual))
    passes = [{p.class_id: p.map for p in asked(made(s), photo, "--classes", classes).predictions} for s in sides]
    for p in fine.predictions:
        expected = average([maps[p.class_id] for maps in passes])
        assert p.map.shape == expected.shape
        assert numpy.abs(p.map - expected).max() <= 1e-5 * numpy.abs(expected).max()


def test_labels_are_those_of_the_usual_pass(client, photos, scene_png):
    for photo in (photos["coffee"], scene_png):
        usual, fine = [explain(client, photo, include="map,probabilities", detail=d) for d in ("normal", "fine")]
        assert usual.document["probabilities"] == fine.document["probabilities"] and usual.input == fine.input
        for u, f in zip(usual.predictions, fine.predictions):
            assert all(u.entry[m] == f.entry[m] for m in ("rank", "class_id", "probability", "logit"))
            assert u.bias is not None and f.bias is None
            if not SANITIZED:
                assert [32 * n for n in f.map.shape[::-1]] == list(oracle.aspect(fine.image["width"], fine.image["height"], short=448))


def test_pictures_and_boxes_are_of_that_map(client, small_server, scene, scene_png):
    """And relu's threshold is 0.25 then."""
    for it, rule in ((client, RULE), (small_server.client, "tf1")):
        answer = explain(it, scene_png, detail="fine", include=ALL)
        check_pictures(answer, scene, rule)
        check_boxes(answer, rule, 0.25 if oracle.DEFAULT_SCALES[rule] == "relu" else 0.2)
        check_boxes(explain(it, scene_png, detail="fine", scale="relu", include=ALL), rule, 0.25, "relu")


def test_contrasts_are_averaged_too(client, scene_png):
    plain = explain(client, scene_png, detail="fine", include="map", top_k=2)
    a, b = plain.predictions
    contrast = explain(client, scene_png, detail="fine", include="map", top_k=2, minus=b.class_id).predictions
    assert numpy.abs(contrast[0].map - (a.map - b.map)).max() <= 1e-5 * numpy.abs(a.map).max()
    assert not contrast[1].map.any() and contrast[1].box is None


def test_a_network_of_one_size_has_no_detail(made, scene_png):
    """Neither has one whose multiple leaves no larger side."""
    for max_side, multiple in ((64, 32), (640, 640)):
        file = made(64, max_side, multiple)
        server = Server(model=file)
        document = problem(cam(server.client, scene_png, detail="fine"), 400, detail=["detail", "64 x 64"])
        assert document["code"] == "bad_parameter"
        assert cam(server.client, scene_png, detail="normal").status_code == 200
        server.stop()
        result = run("explain", "-", "--detail", "fine", "--model", file, stdin=scene_png)
        assert result.returncode == 2 and b"detail" in result.stderr
