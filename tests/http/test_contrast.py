"""minus=CLASS: what speaks for a label rather than for another class, from maps that the service gives one by one."""
import numpy
import pytest

import oracle
from client import cam, explain, problem
from server import SANITIZED
from test_pictures import check_boxes

RULE = "tf1" if SANITIZED else "half_pixel"  # of the network behind the fixture `client`
ALL = "overlay,heatmap,map"
COLD, MIDDLE, WARM = (0x3C, 0x4E, 0xC2), (0xDD, 0xDC, 0xDC), (0xB4, 0x04, 0x26)  # matplotlib's coolwarm at 1, 128 and 255


def other_than(answer):
    """A class that is not among the labels of an answer."""
    return next(c for c in range(281, 999) if c not in [p.class_id for p in answer.predictions])


def test_the_map_is_the_difference_of_both(client, scene_png):
    plain = explain(client, scene_png, include="map")
    minus = other_than(plain)
    of_minus = explain(client, scene_png, include="map", top_k=1, classes=minus).predictions[-1]
    contrast = explain(client, scene_png, include="map", minus=minus)
    label = client.get("/labels").json()[minus]["label"]
    assert contrast.document["minus"] == {"class_id": minus, "label": label} and "minus" not in plain.document
    for a, c in zip(plain.predictions, contrast.predictions):
        for member in ("rank", "class_id", "wnid", "label", "probability", "logit"):
            assert a.entry[member] == c.entry[member]
        assert numpy.array_equal(c.map, a.map - of_minus.map)
        assert c.bias == pytest.approx(a.bias - of_minus.bias, abs=1e-6)
        assert abs(c.map.astype(float).mean() + c.bias - (a.logit - of_minus.logit)) <= 1e-4 * max(1, abs(a.logit), abs(of_minus.logit))


def test_named_in_every_way_it_is_the_same(client, scene_png):
    by_index = explain(client, scene_png, minus=258).document["predictions"]
    for name in ("n02111889", "Samoyed", "Samoyed, Samoyede", "samoyed"):
        assert explain(client, scene_png, minus=name).document["predictions"] == by_index


@pytest.mark.parametrize("size", ["fit", "input", "original"])
def test_its_picture_has_0_in_the_middle(client, scene_png, size):
    """coolwarm without a word: red speaks for the label, blue for the other class; the heat map has the same levels in grey."""
    answer = explain(client, scene_png, minus=other_than(explain(client, scene_png)), include=ALL, alpha=1, size=size)
    assert answer.document["predictions"] == explain(client, scene_png, minus=answer.document["minus"]["class_id"], include=ALL, alpha=1, size=size,
                                                     colormap="coolwarm").document["predictions"]
    for p in answer.predictions:
        height, width = p.heatmap.shape
        expected = oracle.heat(RULE, p.map, width, height, "sides")
        assert numpy.abs(p.heatmap.astype(int) - expected).max() <= 1 and (p.heatmap != expected).mean() < 0.01
        assert 1 in p.heatmap or 255 in p.heatmap
        for level, colour in ((1, COLD), (128, MIDDLE), (255, WARM)):
            assert (p.overlay[p.heatmap == level] == colour).all()
        red, blue = p.overlay[..., 0].astype(int), p.overlay[..., 2].astype(int)
        assert (red > blue)[p.heatmap > 130].all() and (red < blue)[p.heatmap < 126].all()
    check_boxes(answer, RULE, 0.3, "relu")


@pytest.mark.parametrize("colormap", ["jet", "gray"])
def test_with_other_colours_it_starts_at_0(client, scene_png, colormap):
    """And so does the box, whatever scale says: the least of a contrast is what speaks most for the other class."""
    for scale in ({}, {"scale": "relu"}, {"scale": "minmax"}):
        answer = explain(client, scene_png, minus=other_than(explain(client, scene_png)), colormap=colormap, alpha=1, include=ALL, **scale)
        for p in answer.predictions:
            height, width = p.heatmap.shape
            expected = oracle.heat(RULE, p.map, width, height, "relu")
            assert numpy.abs(p.heatmap.astype(int) - expected).max() <= 1
            assert numpy.abs(p.overlay - oracle.colours(colormap)[p.heatmap]).max() <= 1
        check_boxes(answer, RULE, 0.3, "relu")


def test_a_label_minus_itself_is_nothing(client, scene_png):
    first = explain(client, scene_png).first.class_id
    p = explain(client, scene_png, minus=first, include=ALL, alpha=1).first
    assert not p.map.any() and p.box is None and p.bias == 0
    assert (p.heatmap == 128).all() and (p.overlay == MIDDLE).all()
    assert not explain(client, scene_png, minus=first, include="heatmap", colormap="jet").first.heatmap.any()


def test_coolwarm_is_for_contrasts(client, scene_png):
    problem(cam(client, scene_png, colormap="coolwarm"), 400, detail=["colormap", "minus"])
    assert cam(client, scene_png, colormap="coolwarm", minus=3, accept="image/png").status_code == 200
