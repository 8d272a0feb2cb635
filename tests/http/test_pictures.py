"""The pictures of an answer, made again by an independent implementation (oracle.py) from the map in the same answer."""
import base64
import io

import numpy
import pytest
from PIL import Image

import oracle
import pictures
from client import explain
from server import SANITIZED

ALL = "overlay,heatmap,map"
RULE = "tf1" if SANITIZED else "half_pixel"  # of the network behind the fixture `client`
COLORMAPS = ["jet", "turbo", "viridis", "inferno", "gray"]


def sizes(answer):
    photo, network = (answer.image["width"], answer.image["height"]), (answer.input["width"], answer.input["height"])
    return {"fit": oracle.fit(*photo), "input": network, "original": photo}


def check_pictures(answer, photo, rule, size="fit", colormap="jet", alpha=0.5, scale=None):
    """Overlay and heat map of every prediction within 1 level of the oracle's."""
    width, height = sizes(answer)[size]
    base = oracle.bicubic(photo, width, height)
    for p in answer.predictions:
        assert p.overlay.shape == (height, width, 3) and p.heatmap.shape == (height, width)
        expected = oracle.heat(rule, p.map, width, height, scale)
        assert numpy.abs(p.heatmap.astype(int) - expected).max() <= 1
        assert (p.heatmap != expected).mean() < 0.01  # float against double: a truncation here and there
        blended = oracle.blend(base, p.heatmap, colormap, alpha)
        assert numpy.abs(p.overlay - blended).max() <= 1 + 1e-9
        if (scale or oracle.DEFAULT_SCALES[rule]) == "relu":
            assert (p.heatmap.max() == (255 if p.map.max() > 0 else 0)) or width * height < 5000
        elif p.map.max() > p.map.min():
            assert p.heatmap.max() == 255 and p.heatmap.min() == 0 or width * height < 5000


@pytest.mark.parametrize("size", ["fit", "input", "original"])
@pytest.mark.parametrize("resize", ["aspect", "stretch"])
@pytest.mark.parametrize("width,height", [(300, 200), (200, 301), (900, 700), (513, 512), (1, 1), (3, 2), (97, 640)])
def test_sizes(client, width, height, resize, size):
    photo = pictures.scene(width, height)
    check_pictures(explain(client, pictures.png(photo), size=size, resize=resize, include=ALL), photo, "half_pixel", size)


@pytest.mark.parametrize("size", ["fit", "input", "original"])
@pytest.mark.parametrize("width,height", [(300, 200), (640, 480), (50, 90)])
def test_sizes_of_the_other_model(small_server, width, height, size):
    photo = pictures.scene(width, height)
    check_pictures(explain(small_server.client, pictures.png(photo), size=size, include=ALL), photo, "tf1", size)


@pytest.mark.parametrize("colormap,alpha", [(colormap, 0.5) for colormap in COLORMAPS] + [("turbo", alpha) for alpha in (0, 0.25, 0.7, 1)])
def test_colormaps_and_alphas(client, scene, scene_png, colormap, alpha):
    check_pictures(explain(client, scene_png, colormap=colormap, alpha=alpha, include=ALL), scene, "half_pixel", colormap=colormap, alpha=alpha)


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_every_colour_is_matplotlib_s(client, colormap):
    """alpha=1 shows the bare colours; a large overlay meets (nearly) all 256."""
    p = explain(client, pictures.png(pictures.scene(500, 500)), alpha=1, colormap=colormap, scale="minmax", size="original", include=ALL).first
    assert len(numpy.unique(p.heatmap)) > 250
    assert numpy.abs(p.overlay - oracle.colours(colormap)[p.heatmap]).max() <= 1


@pytest.mark.parametrize("resize", ["aspect", "stretch"])
@pytest.mark.parametrize("size", ["fit", "input", "original"])
@pytest.mark.parametrize("width,height", [(300, 200), (1200, 700), (100, 150), (2000, 31), (5, 1)])
def test_scaling_is_pillow_s_bicubic_to_the_bit(client, width, height, size, resize):
    """alpha=0 leaves the scaled photo alone; with size=input this is what the network sees."""
    photo = pictures.scene(width, height, seed=3)
    answer = explain(client, pictures.png(photo), alpha=0, size=size, resize=resize, top_k=1)
    assert numpy.array_equal(answer.first.overlay, oracle.bicubic(photo, *sizes(answer)[size]))


def test_real_photos_scale_to_the_bit(client, photos):
    for file in photos.values():
        photo = numpy.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
        for size in ("fit", "input", "original"):
            answer = explain(client, file, alpha=0, size=size, top_k=1)
            assert numpy.array_equal(answer.first.overlay, oracle.bicubic(photo, *sizes(answer)[size]))


@pytest.mark.parametrize("width,height,expected", [
    (600, 400, (352, 224)), (400, 600, (224, 352)), (224, 224, (224, 224)), (451, 300, (352, 224)), (1000, 1000, (224, 224)), (300, 280, (256, 224)),
    (3000, 1000, (640, 224)), (5000, 10, (640, 224)), (10, 5000, (224, 640)), (640, 480, (288, 224)), (1600, 900, (384, 224)), (8, 7, (256, 224)),
    (15, 14, (256, 224))])
def test_aspect_input(client, width, height, expected):
    """Short side 224, long side to the nearest multiple of 32 (ties up), at most 640."""
    answer = explain(client, pictures.png(pictures.smooth(width, height)), include="none", resize="aspect")
    assert oracle.aspect(width, height) == expected
    assert (answer.input["width"], answer.input["height"]) == expected


@pytest.mark.parametrize("threshold", [0, 0.05, 0.2, 0.5, 0.9, 0.999, 1])
def test_boxes(client, small_server, photos, threshold):
    for it, rule in ((client, "half_pixel"), (small_server.client, "tf1")):
        for photo in (photos["coffee"], pictures.png(pictures.scene(150, 400))):
            check_boxes(explain(it, photo, threshold=threshold, include="map"), rule, threshold)


@pytest.mark.parametrize("scale", ["minmax", "relu"])
def test_scales(client, small_server, photos, scene, scene_png, scale):
    """Either model answers either scale; a class that the photo is nothing like has no box under relu."""
    for it, rule in ((client, RULE), (small_server.client, "tf1")):
        answer = explain(it, scene_png, scale=scale, include=ALL, top_k=3, classes=",".join(str(c) for c in range(0, 1000, 100)))
        check_pictures(answer, scene, rule, scale=scale)
        check_boxes(answer, rule, oracle.THRESHOLDS[scale], scale)
        check_boxes(explain(it, photos["coffee"], scale=scale, threshold=0.6, include="map"), rule, 0.6, scale)


def test_default_scales(client, small_server, scene_png):
    """relu and 0.3, but minmax and 0.2 for a file whose maps are resized as TensorFlow 1 did and which says nothing; the threshold follows the scale."""
    for it, rule in ((client, RULE), (small_server.client, "tf1")):
        default, other = oracle.DEFAULT_SCALES[rule], {"relu": "minmax", "minmax": "relu"}[oracle.DEFAULT_SCALES[rule]]
        said = explain(it, scene_png, include=ALL)
        for params in ({"scale": default}, {"threshold": oracle.THRESHOLDS[default]}):
            assert explain(it, scene_png, include=ALL, **params).document["predictions"] == said.document["predictions"]
        changed = explain(it, scene_png, include=ALL, scale=other)
        assert changed.first.entry["heatmap_png"] != said.first.entry["heatmap_png"]
        assert explain(it, scene_png, include=ALL, scale=other, threshold=oracle.THRESHOLDS[other]).document["predictions"] == changed.document["predictions"]


def test_box_is_null_where_nothing_speaks_for_the_class(client, scene_png):
    answer = explain(client, scene_png, scale="relu", top_k=1, classes=",".join(str(c) for c in range(5, 1000, 100)), include=ALL)
    empty = [p for p in answer.predictions if p.map.max() <= 0]
    assert empty
    for p in answer.predictions:
        assert (p.box is None) == (p.map.max() <= 0)
    for p in empty:
        assert not p.heatmap.any()
    whole = explain(client, scene_png, scale="minmax", top_k=1, classes=str(empty[0].class_id))
    assert all(p.box for p in whole.predictions)


def check_boxes(answer, rule, threshold, scale=None):
    network, photo = sizes(answer)["input"], sizes(answer)["original"]
    for p in answer.predictions:
        b = p.box
        if b is None:
            assert oracle.box(rule, p.map, threshold, network, photo, scale) is None
            continue
        found = numpy.array([b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]])
        allowed = []
        for nudge in (-2e-6, 0, 2e-6):  # float32 may put a cell on either side of the threshold
            x, y, w, h = oracle.box(rule, p.map, min(1 - 2e-6 if nudge < 0 else 1, threshold + nudge), network, photo, scale)
            allowed.append((x, y, x + w, y + h))
        low, high = numpy.min(allowed, 0), numpy.max(allowed, 0)
        assert (found >= low).all() and (found <= high).all(), (found, allowed)


def test_box_grows_as_the_threshold_falls_and_zero_is_the_whole_photo(client, chelsea):
    whole = explain(client, chelsea, threshold=0, include="none")
    assert all(p.box == {"x": 0, "y": 0, "width": 451, "height": 300} for p in whole.predictions)


def test_heat_map_does_not_depend_on_colour_or_alpha(client, scene_png):
    a = explain(client, scene_png, include="heatmap,overlay", colormap="jet", alpha=0.1)
    b = explain(client, scene_png, include="heatmap", colormap="gray", alpha=1)
    for p, q in zip(a.predictions, b.predictions):
        assert p.entry["heatmap_png"] == q.entry["heatmap_png"]


@pytest.mark.parametrize("size", ["fit", "input", "original"])
def test_jpeg_shows_what_the_png_shows(client, photos, size):
    for photo in photos.values():
        png, jpeg = [explain(client, photo, include="overlay,heatmap", size=size, format=f) for f in ("png", "jpeg")]
        for p, j in zip(png.predictions, jpeg.predictions):
            without = [{k: v for k, v in q.entry.items() if "_" not in k or k == "class_id"} for q in (p, j)]
            assert without[0] == without[1]
            for a, b, limit in ((p.overlay, j.overlay, 3), (p.heatmap, j.heatmap, 1)):
                assert a.shape == b.shape and numpy.abs(a.astype(int) - b).mean() < limit
            assert len(j.entry["overlay_jpeg"]) < 0.35 * len(p.entry["overlay_png"])


def test_jpeg_has_colours_at_half_size_and_quality_90(client, chelsea):
    """As Pillow, whose library is the same, would write it."""
    image = Image.open(io.BytesIO(base64.b64decode(explain(client, chelsea, format="jpeg").first.entry["overlay_jpeg"])))
    like = io.BytesIO()
    image.save(like, "JPEG", quality=90)
    assert image.quantization == Image.open(like).quantization
    assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)]


@pytest.mark.hostile
def test_flat_photo(client):
    for level in (0, 127, 255):
        answer = explain(client, pictures.png(numpy.full((120, 90, 3), level, numpy.uint8)), include=ALL, top_k=10)
        check_pictures(answer, numpy.full((120, 90, 3), level, numpy.uint8), RULE)


@pytest.mark.hostile
@pytest.mark.parametrize("width,height", [(1, 1), (1, 20000), (20000, 1), (2, 2), (1, 2)])
def test_extreme_shapes(client, width, height):
    photo = pictures.scene(width, height)
    for size in ("fit", "input", "original"):
        answer = explain(client, pictures.png(photo), include=ALL, size=size, top_k=1)
        check_pictures(answer, photo, RULE, size)
        assert abs(answer.first.map.astype(float).mean() + answer.first.bias - answer.first.logit) <= 1e-4 * max(1, abs(answer.first.logit))


@pytest.mark.hostile
def test_all_negative_map_is_still_a_picture(client, scene_png, scene):
    """Classes that the photo is nothing like have maps below zero."""
    answer = explain(client, scene_png, top_k=1, classes=",".join(str(c) for c in range(0, 1000, 100)), include=ALL)
    assert any(p.map.max() < 0 or p.map.mean() < 0 for p in answer.predictions)
    check_pictures(answer, scene, RULE)
    check_boxes(answer, RULE, oracle.THRESHOLDS[oracle.DEFAULT_SCALES[RULE]])
