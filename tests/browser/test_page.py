"""The demo page as people use it: photos in by every way, labels and maps out, the slider, settings, errors in words, keyboard alone."""
import base64
import io
import json
import re
import sys
import time
import urllib.request

import numpy
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from conftest import ROOT, Page

WIDTH, HEIGHT = 360, 240


def picture(width=WIDTH, height=HEIGHT, seed=1):
    """Smooth colours and a disc: the corners differ, so that a turned picture shows."""
    y, x = numpy.mgrid[0:height, 0:width]
    image = numpy.stack([x * 255 / width, y * 255 / height, 255 - x * 200 / width], -1)
    image[(x - width * 0.35) ** 2 + (y - height * 0.4) ** 2 < (height / 4) ** 2] = (240, 190, 40 * seed % 255)
    return Image.fromarray(image.astype(numpy.uint8))


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """name -> path of made files."""
    folder = tmp_path_factory.mktemp("photos")
    for seed, name in enumerate(["one.png", "two.png", "three.png"], 1):
        picture(seed=seed).save(folder / name)
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side; upright it is HEIGHT x WIDTH
    picture().save(folder / "turned.jpg", exif=exif, quality=95)
    (folder / "notes.txt").write_text("This is no photo.\n" * 20)
    (folder / "cut.png").write_bytes((folder / "one.png").read_bytes()[:900])
    return {path.name: path for path in folder.iterdir()}


def ask(url, path, query=""):
    """The service's own answer, for comparison."""
    request = urllib.request.Request(f"{url}/cam{query}", path.read_bytes(), {"Content-Type": "application/octet-stream"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
        return json.load(response)


def pixels(png, size):
    return numpy.asarray(Image.open(io.BytesIO(png)).convert("RGB").resize(size, Image.BILINEAR), dtype=float)


def seen(page, selector):
    """What the screen shows of an element: its pixels as PNG, without its rounded corners' worth of border."""
    return page.one(selector).screenshot_as_png


def difference(a, b, size=(120, 80), margin=6):
    """Mean difference in levels, away from the rounded corners."""
    inner = (slice(margin, -margin), slice(margin, -margin))
    return numpy.abs(pixels(a, size)[inner] - pixels(b, size)[inner]).mean()


def set_heat(page, percent):
    """Moves the slider by keyboard, as everybody can."""
    slider = page.one("#alpha")
    slider.send_keys(Keys.HOME)
    slider.send_keys(Keys.ARROW_RIGHT * percent)
    assert page.text("#alpha-text") == f"{percent} %"


# ---- photos in, answers out ----
def test_a_chosen_photo_gets_its_labels_and_maps(page, url, photos):
    page.pick(photos["one.png"])
    answer = ask(url, photos["one.png"])
    views = page.all(".view:not(.original)")
    assert len(views) == 3
    for view, prediction in zip(views, answer["predictions"]):
        assert view.find_element(By.CSS_SELECTOR, ".label").text == prediction["label"].split(", ")[0]
        shown = view.find_element(By.CSS_SELECTOR, ".percent").text
        p = 100 * prediction["probability"]
        assert shown == "< 0.1 %" if p < 0.05 else abs(float(shown.split()[0]) - p) <= 0.051
        heat = view.find_element(By.CSS_SELECTOR, ".heat")
        assert page.js("return [arguments[0].complete, arguments[0].naturalWidth, arguments[0].naturalHeight]", heat) == [True, WIDTH, HEIGHT]
        bar = page.js("return arguments[0].getBoundingClientRect().width / arguments[0].parentNode.getBoundingClientRect().width", view.find_element(By.CSS_SELECTOR, ".bar i"))
        assert abs(bar - prediction["probability"]) < 0.02
    assert page.js("return document.querySelector('.original .photo').naturalWidth") == WIDTH
    assert f"{WIDTH} × {HEIGHT} PNG" in page.text(".facts")
    timing = page.text(".timing")
    assert f"{answer['input']['width']} × {answer['input']['height']}" in timing and "forward" in timing
    page.shot("result-light")


def test_the_result_is_announced(page, photos):
    page.pick(photos["one.png"])
    assert page.one("#say").get_attribute("aria-live") == "polite"
    assert re.match(r"one\.png: .+ %; .+ %; .+ %", page.text("#say"))


def test_several_dropped_photos_are_handled_one_after_another(page, photos):
    names = ["one.png", "two.png", "three.png"]
    page.drop(*(photos[n] for n in names))
    assert [file.text for file in page.all(".card .file")] == names
    assert len(page.all(".heat")) == 9
    assert not page.js("return document.body.classList.contains('dragging')")
    page.read_log()
    sent = [(identity, at) for identity, method, _, at in page.requests if method == "POST"]
    ended = dict(page.finished)
    assert len(sent) == 3
    for (identity, _), (_, next_sent) in zip(sent, sent[1:]):
        assert ended[identity] <= next_sent


def test_a_later_photo_comes_first(page, photos):
    page.pick(photos["one.png"])
    page.one("#pick").send_keys(str(photos["two.png"]))
    page.settle(2)
    assert [file.text for file in page.all(".card .file")] == ["two.png", "one.png"]


def test_a_pasted_picture_is_explained(page, photos):
    page.js("""const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([bytes], 'image.png', { type: 'image/png' }));
        document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));""",
            base64.b64encode(photos["one.png"].read_bytes()).decode())
    page.settle(1)
    assert len(page.all(".heat")) == 3


def test_a_turned_photo_and_its_maps_stand_upright_together(page, url, photos):
    page.pick(photos["turned.jpg"])
    assert f"{HEIGHT} × {WIDTH} JPEG" in page.text(".facts")
    sizes = page.js("return [...document.querySelectorAll('.card img')].map((img) => [img.naturalWidth, img.naturalHeight])")
    assert len(sizes) == 7 and all(size == [HEIGHT, WIDTH] for size in sizes)
    set_heat(page, 50)
    overlay = base64.b64decode(ask(url, photos["turned.jpg"])["predictions"][0]["overlay_png"])
    assert difference(seen(page, ".view:nth-child(2) .frame"), overlay, (80, 120)) < 6


# ---- the slider ----
def test_the_slider_blends_as_the_service_does_and_asks_nothing(page, url, photos):
    page.pick(photos["one.png"])
    asked = len(page.posts())
    for percent in (0, 35, 100):
        set_heat(page, percent)
        assert float(page.js("return getComputedStyle(document.querySelector('.heat')).opacity")) == percent / 100
        overlay = base64.b64decode(ask(url, photos["one.png"], f"?alpha={percent / 100}")["predictions"][0]["overlay_png"])
        assert difference(seen(page, ".view:nth-child(2) .frame"), overlay) < 5, percent
    assert difference(seen(page, ".view:nth-child(2) .frame"), seen(page, ".original .frame")) > 20
    assert len(page.posts()) == asked == 1


def test_the_command_line_follows_the_settings(page, url, photos):
    assert page.text("#curl-json") == f"curl -F image=@photo.jpg {url}/cam"
    page.pick(photos["one.png"])
    set_heat(page, 35)
    page.one("[name=colormap]").send_keys("viridis")
    page.settle(1)
    assert page.text("#curl-json") == f"curl -F image=@photo.jpg '{url}/cam?alpha=0.35&colormap=viridis'"
    assert "-H 'Accept: image/png'" in page.text("#curl-png")


# ---- settings ----
def test_settings_reach_the_service(page, photos):
    page.pick(photos["one.png"])
    jet = page.one(".heat").get_attribute("src")
    for name, value in (("colormap", "inferno"), ("top_k", "5"), ("resize", "stretched")):
        page.one(f"[name={name}]").send_keys(value)
        page.settle(1)
    assert "colormap=inferno" in page.posts()[-1] and "top_k=5" in page.posts()[-1] and "resize=stretch" in page.posts()[-1]
    assert len(page.all(".heat")) == 5 and page.one(".heat").get_attribute("src") != jet
    assert "224 × 224, stretched" in page.text(".timing")


@pytest.mark.parametrize("text", ["954: banana", "954", "n07753592", "Banana", "banan"])
def test_any_class_can_be_explained(page, photos, text):
    page.pick(photos["one.png"])
    field = page.one("[name=classes]")
    field.send_keys(text + Keys.TAB)
    page.wait(lambda: len(page.posts()) == 2)
    page.settle(1)
    assert field.get_attribute("value") == "954: banana" and "classes=954" in page.posts()[-1]
    assert len(page.all("#labels option")) == 1000
    assert page.all(".view .label")[-1].text == "banana" and "class 954" in page.all(".view .class")[-1].text


def test_a_class_that_is_none_is_said_and_not_asked_for(page, photos):
    page.pick(photos["one.png"])
    field = page.one("[name=classes]")
    field.send_keys("unicorn" + Keys.TAB)
    page.wait(lambda: "unicorn" in page.text("#say"))
    assert "unicorn" in field.get_attribute("validationMessage") and len(page.posts()) == 1
    field.clear()
    field.send_keys(Keys.TAB)
    page.wait(lambda: not field.get_attribute("validationMessage"))
    page.settle(1)
    assert len(page.all(".heat")) == 3


def test_the_box_lies_where_the_service_says(page, url, photos):
    page.pick(photos["one.png"])
    box = page.one(".view:nth-child(2) .box")
    assert not box.is_displayed()
    page.one("#boxes").send_keys(Keys.SPACE)
    assert box.is_displayed()
    frame, outline = page.one(".view:nth-child(2) .frame").rect, box.rect
    scale = frame["width"] / WIDTH
    expected = ask(url, photos["one.png"])["predictions"][0]["box"]
    got = [(outline["x"] - frame["x"]) / scale, (outline["y"] - frame["y"]) / scale, outline["width"] / scale, outline["height"] / scale]
    assert numpy.allclose(got, [expected["x"], expected["y"], expected["width"], expected["height"]], atol=2)
    assert len(page.posts()) == 1


# ---- what goes wrong ----
@pytest.mark.parametrize("name, status, title", [("notes.txt", 415, "not a photo"), ("cut.png", 422, "damaged")])
def test_a_file_that_is_no_photo_is_said_in_words(page, photos, name, status, title):
    page.expected_statuses = {status}
    page.pick(photos[name])
    assert title in page.text(".problem h3")
    assert page.text(".problem .detail") and "JPEG" in page.text(".problem .advice")
    assert re.match(r"Request [\w.-]+", page.text(".problem .request"))
    assert page.text("#say").startswith(name) and title in page.text("#say")
    page.shot(f"problem-{status}")


def test_one_bad_file_leaves_the_others_alone(page, photos):
    page.expected_statuses = {415}
    page.pick(photos["notes.txt"], photos["one.png"])
    assert len(page.all(".problem")) == 1 and len(page.all(".heat")) == 3


FAKE_ANSWERS = """const real = window.fetch, answers = arguments[0];
    window.fetch = (...call) => {
      const next = String(call[0]).startsWith('cam') && answers.shift();
      if (!next) return real(...call);
      if (!next.status) return Promise.reject(new TypeError('Failed to fetch'));
      return Promise.resolve(new Response(JSON.stringify(next), { status: next.status, headers: next.headers }));
    };"""


def test_a_busy_service_is_asked_again(page, photos):
    page.js(FAKE_ANSWERS, [{"status": 429, "code": "busy", "headers": {"Retry-After": "1"}}] * 2)
    began = time.monotonic()
    page.pick(photos["one.png"], settle=False)
    page.wait(lambda: "busy" in page.text(".state"))
    page.settle(1)
    assert time.monotonic() - began >= 2
    assert len(page.all(".heat")) == 3 and not page.all(".problem")


def test_the_service_s_own_words_are_shown(page, photos):
    detail = 'top_k: "11"; allowed are whole numbers from 1 to 10'
    page.js(FAKE_ANSWERS, [{"status": 400, "code": "bad_parameter", "detail": detail, "request_id": "abc"}])
    page.pick(photos["one.png"])
    assert page.text(".problem .detail") == detail + "." and page.text(".problem .request") == "Request abc"


def test_a_lost_connection_is_said_and_can_be_tried_again(page, photos):
    page.js(FAKE_ANSWERS, [{}])
    page.pick(photos["one.png"])
    assert "No answer" in page.text(".problem h3")
    page.one(".retry").send_keys(Keys.ENTER)
    page.wait(lambda: len(page.all(".heat")) == 3)
    page.settle(1)
    assert not page.all(".problem")


def test_a_key_is_asked_for_where_one_is_wanted(page, photos):
    assert not page.one("#key").is_displayed()
    assert "Bearer" not in page.text("#curl-json")
    page.js(FAKE_ANSWERS, [{"status": 401, "code": "unauthorized", "detail": "the key is missing"}])
    page.pick(photos["one.png"])
    assert "-H 'Authorization: Bearer KEY'" in page.text("#curl-json")
    page.one("#key").send_keys("secret" + Keys.TAB)
    page.wait(lambda: len(page.all(".heat")) == 3)
    assert "secret" not in page.text("#curl-json")


def test_markup_in_names_stays_text(page, tmp_path, photos):
    path = tmp_path / "<img src=x onerror=alert(1)>.png"
    path.write_bytes(photos["one.png"].read_bytes())
    page.pick(path)
    assert page.text(".card .file") == path.name and not page.all(".card .file *")


# ---- keyboard, screen reader, small screens ----
def test_everything_works_by_keyboard_alone(page, photos):
    def focused():
        return page.js("const e = document.activeElement; return e.id || e.name || e.className || e.tagName")

    ActionChains(page.driver).send_keys(Keys.TAB).perform()
    assert focused() == "pick"
    assert page.js("return getComputedStyle(document.activeElement.parentNode).outlineStyle") == "solid"
    page.pick(photos["one.png"], photos["two.png"])
    order = []
    for _ in range(12):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        order.append(focused())
    wanted = ["clear", "alpha", "colormap", "top_k", "resize", "classes", "boxes", "button small remove", "button small remove", "curl-json"]
    assert [step for step in order if step in wanted][:len(wanted)] == wanted
    removes = page.all(".remove")
    assert [button.get_attribute("aria-label") for button in removes] == ["Remove one.png", "Remove two.png"]
    removes[0].send_keys(Keys.ENTER)
    assert page.js("return document.activeElement.getAttribute('aria-label')") == "Remove two.png"
    page.one("#clear").send_keys(Keys.ENTER)
    assert not page.all(".card") and focused() == "pick"


def test_every_control_and_picture_has_a_name(page, photos):
    page.pick(photos["one.png"])
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "slider", "combobox", "ComboBoxMenuButton", "textbox", "checkbox", "link", "image", "img"}
    named = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"] and n.get("role", {}).get("value") in roles]
    assert len(named) > 12 and all(name.strip() for _, name in named), named
    assert any(role == "slider" and name == "Heat" for role, name in named)


@pytest.mark.parametrize("width, dark", [(320, False), (390, True), (820, False)])
def test_nothing_hangs_over_the_edge_of_a_small_screen(page, photos, width, dark):
    page.look(width, 844, dark=dark, touch=True)
    page.expected_statuses = {415}
    page.pick(photos["one.png"], photos["notes.txt"])
    assert page.js("return document.documentElement.scrollWidth") <= width
    assert page.one(".camera").is_displayed() or not page.js("return matchMedia('(pointer: coarse)').matches")
    page.shot(f"phone-{width}")


def test_dark_is_dark(page, photos):
    page.look(dark=True)
    page.pick(photos["one.png"])
    background = page.js("return getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
    page.shot("result-dark")


# ---- several models ----
@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A service of two models whose labels begin with their names."""
    sys.path.insert(0, str(ROOT / "tests/http"))
    import small_model
    from server import Server
    folder = tmp_path_factory.mktemp("models")
    server = Server(model=",".join(str(small_model.named(folder, name, seed)) for seed, name in enumerate(["dogs", "cats"])))
    yield server.url
    server.stop()


@pytest.fixture
def page_of_several(driver, several):
    driver.get("about:blank")
    driver.get_log("performance"), driver.get_log("browser")
    return Page(driver, several)


def test_one_model_is_no_choice(page, photos):
    page.pick(photos["one.png"])
    assert page.one("[name=resize]").is_displayed() and not page.one("[name=model]").is_displayed() and page.text("#model")
    assert "model=" not in page.posts()[-1]


def test_a_model_can_be_chosen(page_of_several, photos):
    page = page_of_several
    select, field = page.one("[name=model]"), page.one("[name=classes]")
    page.pick(photos["one.png"])
    assert select.is_displayed() and [option.text for option in select.find_elements(By.TAG_NAME, "option")] == ["dogs", "cats"] and page.text("#model") == "dogs"
    field.send_keys("dogs 7", Keys.TAB)
    page.wait(lambda: "classes=7" in page.posts()[-1] and not page.all(".card[aria-busy=true]"))
    assert page.text(".view:not(.original) .label").startswith("dogs ") and "model=dogs" in page.posts()[-1]
    select.send_keys("cats")
    page.wait(lambda: page.text(".view:not(.original) .label").startswith("cats ") and not page.all(".card[aria-busy=true]"))
    assert page.text("#model") == "cats" and "model=cats" in page.posts()[-1] and "model=cats" in page.text("#curl-json")
    assert "classes" not in page.posts()[-1] and not page.js("return arguments[0].validity.valid", field), "that class is the other model's"
    field.clear()
    field.send_keys("cats 9", Keys.TAB)
    page.wait(lambda: "classes=9" in page.posts()[-1] and not page.all(".card[aria-busy=true]"))
    assert page.text(".view:last-child .label") == "cats 9"
