"""The JSON of POST /cam: every member, every relation between members."""
import math
import re

import numpy
import pytest

import oracle
import pictures
from client import Answer, explain, explain_many

SHAPES = [(224, 224), (300, 200), (200, 300), (640, 480), (33, 500), (1, 1), (7, 3), (1000, 90)]


def check_members(answer, include=("overlay",), format="png"):
    d = answer.document
    assert set(d) == {"request_id", "model", "image", "input", "predictions", "timing_ms"}
    assert set(d["image"]) == {"width", "height", "format", "orientation"}
    assert set(d["input"]) == {"width", "height", "resize"}
    assert set(d["timing_ms"]) == {"queue", "decode", "resize", "forward", "cam", "render", "total"}
    wanted = {"rank", "class_id", "wnid", "label", "probability", "logit", "method", "box"}
    wanted |= {f"overlay_{format}"} if "overlay" in include else set()
    wanted |= {f"heatmap_{format}"} if "heatmap" in include else set()
    wanted |= {"map", "bias"} if "map" in include else set()
    for p in d["predictions"]:
        assert set(p) == wanted
        assert p["box"] is None or set(p["box"]) == {"x", "y", "width", "height"}


@pytest.mark.parametrize("include", ["none", "overlay", "heatmap", "map", "overlay,heatmap", "overlay,map", "heatmap,map", "overlay,heatmap,map"])
def test_members_are_those_included(client, scene_png, include):
    check_members(explain(client, scene_png, include=include), include.split(","))
    check_members(explain(client, scene_png, include=include, format="jpeg"), include.split(","), "jpeg")


def test_member_order_is_the_contract_s(client, scene_png):
    answer = explain(client, scene_png)
    assert list(answer.document) == ["request_id", "model", "image", "input", "predictions", "timing_ms"]


@pytest.mark.parametrize("resize", ["aspect", "stretch"])
@pytest.mark.parametrize("width,height", SHAPES)
def test_identity_and_sanity_on_shapes(client, width, height, resize):
    answer = explain(client, pictures.png(pictures.scene(width, height)), resize=resize, top_k=10, include="map")
    check_identity(answer)
    assert answer.image == {"width": width, "height": height, "format": "png", "orientation": 1}
    expected = oracle.aspect(width, height) if resize == "aspect" else (224, 224)
    assert answer.input == {"width": expected[0], "height": expected[1], "resize": resize}
    assert answer.first.map.shape == (-(-expected[1] // 32), -(-expected[0] // 32))


@pytest.mark.parametrize("width,height", SHAPES)
def test_identity_of_the_other_model(small_server, width, height):
    for resize in ("stretch", "aspect"):
        answer = explain(small_server.client, pictures.png(pictures.scene(width, height)), resize=resize, top_k=10, include="map")
        check_identity(answer)
        assert all(p.bias == 0 for p in answer.predictions)
        assert answer.document["model"] == "vgg16-cam"


def check_identity(answer):
    """mean(map) + bias = logit; probabilities, ranks and boxes are what they can be."""
    before = math.inf
    for i, p in enumerate(answer.predictions):
        assert abs(p.map.astype(float).mean() + p.bias - p.logit) <= 1e-4 * max(1, abs(p.logit))
        assert p.rank == i + 1 and p.logit <= before
        before = p.logit
        b = p.box or {"x": 0, "y": 0, "width": 1, "height": 1}
        assert b["x"] >= 0 and b["y"] >= 0 and b["width"] >= 1 and b["height"] >= 1
        assert b["x"] + b["width"] <= answer.image["width"] and b["y"] + b["height"] <= answer.image["height"]
        assert 0 <= p.entry["probability"] <= 1
    assert sum(p.entry["probability"] for p in answer.predictions) <= 1 + 1e-6
    first = answer.predictions[0]
    for p in answer.predictions[1:]:  # softmax: ratios are differences of logits
        assert p.entry["probability"] == pytest.approx(first.entry["probability"] * math.exp(p.logit - first.logit), rel=2e-4, abs=1e-9)


def test_top_k_is_a_prefix(client, scene_png):
    ten = explain(client, scene_png, top_k=10, include="none").document["predictions"]
    for k in (1, 3, 9):
        assert explain(client, scene_png, top_k=k, include="none").document["predictions"] == ten[:k]


def test_probabilities_of_all_classes(client, scene_png):
    """In the order of /labels, once for a photo; they are those of the labels and add up to 1."""
    n = len(client.get("/labels").json())
    for include in ("probabilities", "map,probabilities"):
        answer = explain(client, scene_png, include=include, top_k=10)
        said = answer.document["probabilities"]
        assert len(said) == n and sum(said) == pytest.approx(1, abs=1e-5) and min(said) >= 0
        assert [p.entry["probability"] for p in answer.predictions] == sorted(said, reverse=True)[:10]
        assert [p.entry["probability"] for p in answer.predictions] == [said[p.class_id] for p in answer.predictions]
    for include in ("none", "overlay"):
        assert "probabilities" not in explain(client, scene_png, include=include).document
    both = explain_many(client, [scene_png, scene_png], include="probabilities")["results"]
    assert [item["probabilities"] for item in both] == [said, said]


def test_labels_are_those_of_the_route(client, scene_png):
    labels = client.get("/labels").json()
    for p in explain(client, scene_png, top_k=10, include="none").document["predictions"]:
        assert labels[p["class_id"]] == {k: p[k] for k in ("class_id", "wnid", "label")}


def test_numbers_carry_nine_digits_at_most_and_enough_for_a_float(client, scene_png):
    text = explain_text(client, scene_png)
    numbers = re.findall(r'"(?:logit|probability|bias)":(-?[\d.eE+-]+)', text)
    assert numbers
    for number in numbers:
        digits = re.sub(r"[eE].*|[-.]", "", number).lstrip("0")
        assert len(digits) <= 9
        assert float(number) == 0 or f"{numpy.float32(float(number)):.9g}" == f"{float(number):.9g}"


def explain_text(client, photo):
    response = client.post("/cam", content=photo, params={"include": "map"})
    Answer(response.json())
    return response.text


def test_timings_add_up(client, scene_png):
    timing = explain(client, scene_png).document["timing_ms"]
    assert all(v >= 0 for v in timing.values())
    assert sum(v for k, v in timing.items() if k != "total") <= timing["total"] * 1.02 + 0.5
    assert timing["forward"] > 0


@pytest.mark.parametrize("format,name", [("PNG", "png"), ("JPEG", "jpeg"), ("BMP", "bmp")])
def test_format_is_said(client, scene, format, name):
    assert explain(client, pictures.save(scene, format)).image["format"] == name


def test_same_photo_same_answer_whatever_its_lossless_file(client, scene):
    """PNG, interlaced PNG, 16-bit PNG and BMP of one picture."""
    answers = []
    for file in (pictures.png(scene), pictures.interlaced(scene), pictures.png16(scene), pictures.save(scene, "BMP")):
        answers.append(explain(client, file, include="overlay,heatmap,map").document["predictions"])
    assert answers[0] == answers[1] == answers[2] == answers[3]


def test_reply_is_compact_and_typed(client, scene_png):
    response = client.post("/cam", content=scene_png)
    assert response.headers["content-type"].startswith("application/json")
    assert int(response.headers["content-length"]) == len(response.content)
