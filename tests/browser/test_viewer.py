"""The viewer: what it makes of the numbers is what the service draws, and what it shows follows labels, settings, pointer and keys without a request."""
import base64
import json
import re
import urllib.parse

import numpy
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from scenes import HEIGHT, WIDTH, ask, pixels

MOST = 2  # levels that a pixel of the page's may differ from the service's
COMPOSE = """
const [file, map, look, width, height] = arguments;
const { compose } = await import('/assets/viewer.js'), { COLORMAPS } = await import('/assets/colormaps.js');
const bytes = Uint8Array.from(atob(file), (c) => c.charCodeAt(0)), photo = await createImageBitmap(new Blob([bytes]));
const { data } = compose({ photo, map, look: { ...look, colormap: COLORMAPS[look.colormap] } }, width, height);
let text = '';
for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
return btoa(text);
"""


def composed(page, path, map, look, width, height):
    text = page.later(COMPOSE, base64.b64encode(path.read_bytes()).decode(), map, {"alpha": 0.5, "scale": "relu", **look}, width, height)
    return numpy.frombuffer(base64.b64decode(text), numpy.uint8).reshape(height, width, 4)[..., :3].astype(int)


LOOKS = [{"colormap": "jet"}, {"colormap": "inferno", "scale": "minmax", "alpha": 0.8}, {"colormap": "turbo", "alpha": 1}, {"colormap": "viridis", "alpha": 0.25},
         {"colormap": "gray", "scale": "minmax", "alpha": 1}, {"minus": 285, "colormap": "coolwarm", "alpha": 0.7}]


@pytest.mark.parametrize("name", ["one.png", "turned.jpg", "cat.png"])
def test_pixels_are_the_service_s(page, url, photos, name):
    for look in LOOKS:
        answer = ask(url, photos[name], include="overlay,map", top_k=2, **look)
        for prediction in answer["predictions"]:
            theirs = pixels(prediction["overlay_png"])
            height, width = theirs.shape[:2]
            ours = composed(page, photos[name], prediction["map"], {**look, "sides": "minus" in look}, width, height)
            assert numpy.abs(ours - theirs).max() <= MOST, look


def test_a_difference_is_that_of_two_maps(page, url, photos):
    first, second = ask(url, photos["cat.png"], include="map", top_k=2)["predictions"]
    theirs = ask(url, photos["cat.png"], include="map", top_k=1, minus=second["class_id"])["predictions"][0]["map"]["values"]
    ours = page.later("const { subtract } = await import('/assets/heat.js'); return subtract(arguments[0], arguments[1]).values", first["map"], second["map"])
    assert numpy.allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("name", ["one.png", "turned.jpg", "cat.png"])
def test_boxes_are_the_service_s(page, url, photos, name):
    for scale, threshold in [("minmax", 0.2), ("relu", 0.3), ("relu", 0.55), ("minmax", 0.9), ("relu", 1), ("minmax", 0)]:
        answer = ask(url, photos[name], include="map", top_k=10, classes="0,100,200,300,400,500,600,700,800,900", scale=scale, threshold=threshold)
        boxes = page.later("""const [answer, scale, threshold] = arguments, { boxOf } = await import('/assets/heat.js');
            return answer.predictions.map(({ map }) => boxOf(map, answer.input, answer.image, { scale }, threshold));""", answer, scale, threshold)
        assert boxes == [p["box"] for p in answer["predictions"]]


# ---- of a model whose maps are shown otherwise than most ----
PAPER = "vgg16-cam"


def test_pixels_and_boxes_are_those_of_a_model_s_own_look(page_of_both, both_url, photos):
    look = page_of_both.later("return (await fetch(arguments[0])).json()", f"/v1/models/{PAPER}")["map"]
    assert look == {"resize": "tf1", "scale": "minmax", "threshold": 0.2}
    for name in ("one.png", "cat.png"):
        answer = ask(both_url, photos[name], model=PAPER, include="overlay,map")
        for prediction in answer["predictions"]:
            theirs = pixels(prediction["overlay_png"])
            ours = composed(page_of_both, photos[name], prediction["map"], {**look, "colormap": "jet"}, theirs.shape[1], theirs.shape[0])
            assert numpy.abs(ours - theirs).max() <= MOST
        boxes = page_of_both.later("""const [answer, look] = arguments, { boxOf } = await import('/assets/heat.js');
            return answer.predictions.map(({ map }) => boxOf(map, answer.input, answer.image, look, look.threshold));""", answer, look)
        assert boxes == [p["box"] for p in answer["predictions"]]


def test_a_model_begins_with_its_own_scale(page_of_both, photos):
    page = page_of_both
    page.pick(photos["cat.png"])
    assert (page.text("#legend-low"), page.text("#threshold-text")) == ("no evidence", "30 %")
    choose(page, PAPER)
    assert (page.text("#legend-low"), page.text("#threshold-text")) == ("least", "20 %")
    assert "scale=" not in page.driver.current_url and "scale=" not in page.text("#curl")
    own = shown(page)
    page.set("scale", "minmax")
    assert numpy.array_equal(shown(page), own) and "scale=minmax" in page.text("#curl")
    page.set("scale", "relu")
    assert (page.text("#legend-low"), page.text("#threshold-text")) == ("no evidence", "30 %")
    page.set("scale", "")
    choose(page, "efficientnet-lite0")
    assert page.text("#legend-low") == "no evidence"


def choose(page, model):
    page.set("model-choice", model)
    page.settle(1)


def shown(page, selector="#one canvas"):
    """What a canvas holds, as [height, width, 3]."""
    page.frames()
    return pixels(page.js("return document.querySelector(arguments[0]).toDataURL()", selector).split(",")[1])


# ---- labels change the map at once ----
def test_hovering_and_arrows_change_the_map_without_a_request(page, photos):
    page.pick(photos["cat.png"])
    first = shown(page)
    rows = page.all(".row")
    ActionChains(page.driver).move_to_element(rows[2]).perform()
    hovered = shown(page)
    assert numpy.abs(hovered - first).max() > 20 and "active" in rows[2].get_attribute("class")
    ActionChains(page.driver).move_to_element(page.one("#title")).perform()
    assert numpy.array_equal(shown(page), first)
    page.one(".row input").send_keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert numpy.array_equal(shown(page), hovered)
    assert page.js("return document.activeElement.value") == page.all(".row")[2].get_attribute("data-id")
    assert len(page.posts()) == 1


def test_settings_change_the_map_without_a_request(page, photos):
    page.pick(photos["cat.png"])
    page.all(".row input")[3].send_keys(Keys.SPACE)
    for name, value in [("alpha", 20), ("colormap", "jet"), ("scale", "minmax"), ("smooth", False), ("follow", False), ("common", True)]:
        before = shown(page)
        page.set(name, value)
        assert numpy.abs(shown(page) - before).max() >= 1, name
    assert len(page.posts()) == 1


def test_cold_places_keep_the_photo_s_colours(page, photos):
    page.pick(photos["cat.png"])
    page.set("alpha", 0)
    photo = shown(page)
    page.set("alpha", 80)
    followed = numpy.abs(shown(page) - photo).max(-1)
    page.set("follow", False)
    even = numpy.abs(shown(page) - photo).max(-1)
    assert numpy.quantile(followed, 0.1) < numpy.quantile(even, 0.1) / 2


def test_one_scale_lets_faint_evidence_look_faint(page, photos):
    page.pick(photos["cat.png"])
    assert "own scale" in page.text("#legend-scale")
    page.set("alpha", 0)
    photo = shown(page)
    page.set("alpha", 100)
    page.all(".row input")[4].send_keys(Keys.SPACE)
    own = numpy.abs(shown(page) - photo).mean()
    page.set("common", True)
    assert numpy.abs(shown(page) - photo).mean() < own
    assert "One scale" in page.text("#legend-scale")


# ---- the box ----
def test_the_box_lies_where_the_service_says(page, url, photos):
    page.pick(photos["one.png"])
    box = page.one("#one .box")
    assert not box.is_displayed()
    page.set("box", True)
    for threshold in (None, 60):
        if threshold:
            page.set("threshold", threshold)
        expected = ask(url, photos["one.png"], scale="relu", threshold=(threshold or 30) / 100)["predictions"][0]["box"]
        frame, outline = page.one("#one").rect, box.rect
        scale = frame["width"] / WIDTH
        got = [(outline["x"] - frame["x"]) / scale, (outline["y"] - frame["y"]) / scale, outline["width"] / scale, outline["height"] / scale]
        assert numpy.allclose(got, [expected[side] for side in ("x", "y", "width", "height")], atol=3)
    assert len(page.posts()) == 1


def test_the_threshold_is_the_scale_s_until_it_is_moved(page, photos):
    page.pick(photos["one.png"])
    page.set("scale", "minmax")
    assert page.text("#threshold-text") == "20 %"
    page.set("threshold", 45)
    page.set("scale", "relu")
    assert page.text("#threshold-text") == "45 %" and page.one("#one .box").is_displayed()


# ---- two labels ----
def test_two_labels_side_by_side_and_their_difference(page, photos):
    page.pick(photos["cat.png"])
    second = page.all(".row")[1]
    page.set("other", second.get_attribute("data-id"))
    assert page.one("#two canvas").is_displayed()
    names = [page.texts(".row .label")[i] for i in (0, 1)]
    assert [caption.split(" ")[0] for caption in (page.text("#one-caption"), page.text("#two-caption"))] == [name.split(" ")[0] for name in names]
    assert numpy.abs(shown(page) - shown(page, "#two canvas")).max() > 10
    page.set("how", "minus")
    assert not page.one("#two canvas").is_displayed() and page.text("#legend-high") == "for"
    assert f"{names[0]} rather than {names[1]}" in page.one("#one").get_attribute("aria-label")
    assert "minus=" in page.text("#curl") and "colormap" not in page.text("#curl")
    assert len(page.posts()) == 1


# ---- reading ----
def test_pointing_at_a_place_reads_each_label_s_value(page, url, photos):
    page.pick(photos["cat.png"])
    answer = ask(url, photos["cat.png"], include="map", top_k=5)
    ActionChains(page.driver).move_to_element_with_offset(page.one("#one"), 40, -25).perform()
    page.frames()
    width, height = (answer["predictions"][0]["map"][side] for side in ("width", "height"))
    frame, cell = page.one("#one").rect, page.one("#one .cell").rect
    x, y = round((cell["x"] - frame["x"]) / frame["width"] * width), round((cell["y"] - frame["y"]) / frame["height"] * height)
    values = [p["map"]["values"][y * width + x] for p in answer["predictions"]]
    assert [float(text.replace("−", "-")) for text in page.texts(".row .here")] == pytest.approx(values, abs=0.051)
    ActionChains(page.driver).move_to_element(page.one("#title")).perform()
    page.frames()
    assert not page.one("#one .cell").is_displayed() and not any(page.texts(".row .here"))


def test_arrow_keys_read_places_and_say_them(page, photos):
    page.pick(photos["cat.png"])
    page.one("#one").send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: re.match(r"Row \d+, column \d+: .+ [+−]\d+\.\d", page.text("#say")))
    before = page.text("#say")
    page.one("#one").send_keys(Keys.ARROW_DOWN)
    page.wait(lambda: page.text("#say") != before)
    assert page.one("#one .cell").is_displayed()
    page.one("#one").send_keys(Keys.ESCAPE)
    page.frames()
    assert not page.one("#one .cell").is_displayed()


def test_a_turned_photo_and_its_map_stand_upright_together(page, photos):
    page.pick(photos["turned.jpg"])
    assert f"{HEIGHT} × {WIDTH} JPEG" in page.text("#facts")
    frame = page.one("#one").rect
    assert frame["height"] / frame["width"] == pytest.approx(WIDTH / HEIGHT, abs=0.02)


def test_numbers_are_a_few_kilobytes(page, url, photos):
    page.pick(photos["cat.png"])
    answer = ask(url, photos["cat.png"], **dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.posts()[0]).query)))
    assert len(answer["predictions"]) == 10 and len(json.dumps(answer)) < 50_000
