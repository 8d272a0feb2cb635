"""What the networks compute, against plain NumPy from the files of weights (networks.py), and what they say about real photos."""
import io

import numpy
import pytest
from PIL import Image

import networks
import pictures
import small_model
from client import explain
from server import ROOT, Server


@pytest.fixture(scope="module")
def lite0_state():
    path = next((ROOT / "downloads").glob("*/*/models/efficientnet-lite0-57934424.pth"))
    return networks.read_legacy_state(path)


def rgb(file):
    return numpy.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


@pytest.mark.parametrize("resize", ["aspect", "stretch"])
@pytest.mark.parametrize("name", ["chelsea", "coffee", "tall", "wide", "square", "tiny"])
def test_lite0(client, photos, lite0_state, name, resize):
    shapes = {"tall": (200, 900), "wide": (700, 250), "square": (256, 256), "tiny": (9, 8)}
    file = photos[name] if name in photos else pictures.png(pictures.scene(*shapes[name], seed=len(name)))
    answer = explain(client, file, include="map", resize=resize, top_k=10, classes="0,500,999")
    seen = networks.efficientnet_lite0(lite0_state, networks.input_picture(rgb(file), answer.input["width"], answer.input["height"]))
    for p in answer.predictions:
        networks.check(p, seen, 1e-3)


@pytest.mark.parametrize("width,height", [(224, 224), (300, 200), (90, 333)])
def test_small_vgg16_cam(small_server, small_weights, width, height):
    check_vgg(small_server.client, small_weights, pictures.scene(width, height))


def check_vgg(client, weights, photo, side=224):
    """Logits within 5e-5 of the largest; CAM_fc's large bias unused; maps a sixteenth of the input."""
    answer = explain(client, pictures.png(photo), include="map", top_k=10, classes="0,500,999")
    assert answer.input == {"width": side, "height": side, "resize": "stretch"}
    seen = networks.vgg16_cam(weights, networks.input_picture(photo, side, side))
    largest = numpy.abs(seen.logits).max()
    for p in answer.predictions:
        assert p.map.shape == (side // 16, side // 16)
        networks.check(p, seen, max(5e-5 * largest, 1e-6))
    return answer


def test_full_vgg16_cam(tmp_path):
    """The whole network with made weights: 18 million of them, one array in Fortran order, the dict in another order. Half its input's side, for the oracle's sake."""
    weights = small_model.make_weights(numpy.random.default_rng(3), small_model.FULL)
    weights["conv4_2"]["weights"] = numpy.asfortranarray(weights["conv4_2"]["weights"])
    weights = {name: weights[name] for name in sorted(weights, key=lambda n: n[::-1])}
    server = Server(model=small_model.convert(tmp_path, weights, side=112))
    model = server.client.get("/v1/models/vgg16-cam").json()
    assert model["name"] == "vgg16-cam" and model["input"] == {"width": 112, "height": 112, "resize": "stretch"}
    assert model["pixels"] == {"channels": "BGR", "mean": pytest.approx([103.939, 116.779, 123.68]), "scale": [1] * 3}
    assert model["map"] == {"resize": "tf1", "scale": "minmax", "threshold": 0.2}
    assert 15e9 < 4 * model["multiply_adds"] < 16.5e9
    check_vgg(server.client, weights, pictures.scene(400, 300), side=112)
    server.stop()


# Where the animal's head and the cup are, generously: x, y, width, height in the photo.
PLACES = {"chelsea": ("Egyptian cat", 285, (20, 0, 395, 285)), "coffee": ("espresso", 967, (110, 5, 390, 290))}


@pytest.mark.parametrize("resize", ["aspect", "stretch"])
@pytest.mark.parametrize("name", PLACES)
def test_real_photo(client, photos, name, resize):
    label, class_id, (x, y, width, height) = PLACES[name]
    answer = explain(client, photos[name], resize=resize, size="original", include="overlay,heatmap")
    assert answer.first.entry["label"].startswith(label) and answer.first.class_id == class_id
    heat = answer.first.heatmap.astype(float)
    assert heat.shape == rgb(photos[name]).shape[:2]
    inside = numpy.zeros(heat.shape, bool)
    inside[y:y + height, x:x + width] = True
    assert heat[inside].sum() / heat.sum() > 0.75, "the heat lies elsewhere"
    assert heat[inside].mean() > 2 * heat[~inside].mean()
    assert inside[heat >= 0.9 * 255].all()


def test_probabilities_of_the_stretched_photos(client, photos):
    """Measured in ONNX Runtime: Egyptian cat 0.77, espresso 0.90."""
    assert explain(client, photos["chelsea"], resize="stretch").first.entry["probability"] == pytest.approx(0.77, abs=0.03)
    assert explain(client, photos["coffee"], resize="stretch").first.entry["probability"] == pytest.approx(0.90, abs=0.03)


def test_overlay_sizes_of_the_real_photos(client, photos):
    cases = [(name, size) for name in photos for size in ("fit", "original")]
    shape = {(name, size): explain(client, photos[name], size=size, top_k=1).first.overlay.shape[1::-1] for name, size in cases}
    assert shape == {("chelsea", "fit"): (451, 300), ("chelsea", "original"): (451, 300), ("coffee", "fit"): (512, 341),
                     ("coffee", "original"): (600, 400)}


def test_as_jpeg_the_cat_stays_a_cat(client, photos):
    for quality, progressive in ((90, False), (60, True)):
        file = pictures.jpeg(rgb(photos["chelsea"]), quality=quality, progressive=progressive)
        assert explain(client, file).first.class_id == 285
