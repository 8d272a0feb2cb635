"""The demo page as people use it: photos in by every way, labels out, any class, several photos, what is asked for and what is not."""
import base64
import re
import urllib.parse

import pytest
from selenium.webdriver.common.keys import Keys

from scenes import HEIGHT, WIDTH, ask, picture


def query(address):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(address).query))


# ---- photos in, answers out ----
def test_a_chosen_photo_gets_its_labels(page, url, photos):
    page.pick(photos["one.png"])
    answer = ask(url, photos["one.png"], top_k=10)
    assert page.texts(".row .label") == [p["label"].split(", ")[0] for p in answer["predictions"][:5]]
    for row, prediction in zip(page.all(".row"), answer["predictions"]):
        text, p = row.find_element("css selector", ".percent").text, 100 * prediction["probability"]
        assert text == "< 0.1 %" if p < 0.05 else abs(float(text.split()[0]) - p) <= 0.051
        bar = page.js("const [i] = arguments; return i.getBoundingClientRect().width / i.parentNode.getBoundingClientRect().width", row.find_element("css selector", ".bar i"))
        assert abs(bar - prediction["probability"]) < 0.02
    assert f"{WIDTH} × {HEIGHT} PNG" in page.text("#facts")
    story = page.text("#timing")
    assert f"{answer['input']['width']} × {answer['input']['height']}" in story and "forward" in story and "efficientnet-lite0" in story and "CAM" in story
    page.one("#fewer").send_keys(Keys.ENTER)
    page.frames()
    assert len(page.all(".row")) == 10 and len(page.posts()) == 1
    page.shot("result-light")


def test_the_result_is_announced_and_in_the_title(page, photos):
    page.pick(photos["one.png"])
    assert page.one("#say").get_attribute("aria-live") == "polite"
    assert re.match(r"one\.png: .+ %; .+ %; .+ %", page.text("#say"))
    assert page.driver.title.startswith(page.texts(".row .label")[0]) and "one.png" in page.driver.title


@pytest.mark.parametrize("sample, label", [("cat", "Egyptian cat"), ("coffee", "espresso"), ("admiral", "military uniform"), ("rocket", "drilling platform")])
def test_a_sample_is_one_click_away(page, sample, label):
    page.one(f"[data-sample={sample}]").send_keys(Keys.ENTER)
    page.settle(1)
    assert page.texts(".row .label")[0] == label


QUICK = 300  # milliseconds
CLICKS = """
const times = [], shows = (name) => document.querySelector('.row') && document.getElementById('file').textContent.startsWith(name);
for (const name of ['cat', 'coffee', 'admiral', 'rocket']) {
  const began = performance.now();
  document.querySelector(`[data-sample=${name}]`).click();
  await new Promise((done) => document.getElementById('one').addEventListener('drawn', () => { if (shows(name)) done(); }));
  times.push(performance.now() - began);
}
return times;
"""


def test_from_a_click_on_a_sample_to_its_map_is_quick(page):
    """The best of some: a machine that has other things to do is given a few more tries."""
    took = []
    while len(took) < 40 and min(took, default=QUICK) >= QUICK:
        took += page.later(CLICKS)
    assert min(took) < QUICK, took


def test_several_dropped_photos_are_handled_one_after_another(page, photos):
    page.drop(*(photos[name] for name in ("one.png", "two.png", "three.png")))
    page.settle(3)
    assert [thumb.get_attribute("title") for thumb in page.all(".thumb")] == ["one.png", "two.png", "three.png"]
    assert not page.js("return document.body.classList.contains('dragging')")
    page.read_log()
    sent = [(identity, at) for identity, method, _, at in page.requests if method == "POST"]
    ended = dict(page.finished)
    assert len(sent) == 3
    for (identity, _), (_, next_sent) in zip(sent, sent[1:]):
        assert ended[identity] <= next_sent


def test_fifty_photos_make_no_long_page(page, photos, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(50)]
    for i, path in enumerate(paths):
        picture(96, 64, i).save(path)
    page.pick(*paths)
    assert page.js("return document.documentElement.scrollHeight") < 2500
    assert len(page.posts()) == 50 and len(page.all(".thumb canvas")) == 50
    page.all(".thumb")[0].send_keys(Keys.END)
    page.settle(50)
    assert page.text("#file") == "49.png" and len(page.posts()) == 50
    page.shot("fifty")


def test_a_pasted_picture_is_explained(page, photos):
    page.js("""const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([bytes], 'image.png', { type: 'image/png' }));
        document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));""",
            base64.b64encode(photos["one.png"].read_bytes()).decode())
    page.settle(1)
    assert len(page.all(".row")) == 5


def test_the_camera_takes_a_photo_where_the_browser_gives_it(page):
    assert page.js("return isSecureContext")
    page.one("#webcam").click()
    page.wait(lambda: page.js("return document.getElementById('video').videoWidth") > 0)
    page.one("#shoot").click()
    page.settle(1)
    assert page.text("#file") == "camera.jpg" and not page.one("#webcam-dialog").is_displayed()
    assert page.js("return document.getElementById('video').srcObject") is None


# ---- one request a photo ----
def test_what_is_there_is_not_asked_for_again(page, photos):
    page.pick(photos["one.png"], photos["two.png"])
    page.all(".thumb")[1].click()
    page.settle(2)
    assert page.text("#file") == "two.png" and len(page.posts()) == 2
    page.set("resize", "stretch")
    page.settle(2)
    assert len(page.posts()) == 3 and query(page.posts()[-1])["resize"] == "stretch" and "224 × 224, stretched" in page.text("#timing")
    page.set("resize", "")
    page.settle(2)
    assert len(page.posts()) == 3  # it was there already
    page.all(".thumb")[0].click()
    page.settle(2)
    assert page.text("#file") == "one.png" and len(page.posts()) == 3


def test_fine_detail_is_asked_for_and_kept(page, photos):
    page.pick(photos["cat.png"])
    page.set("detail", "fine")
    page.settle(1)
    assert query(page.posts()[-1])["detail"] == "fine" and page.text("#threshold-text") == "25 %" and "detail=fine" in page.text("#curl")
    page.set("detail", "")
    page.settle(1)
    assert len(page.posts()) == 2 and page.text("#threshold-text") == "30 %"


def test_only_numbers_are_asked_for(page, photos):
    page.pick(photos["one.png"])
    assert query(page.posts()[0])["include"].split(",") == ["map", "probabilities"]


# ---- any class ----
def found(page, text):
    field = page.one("#find")
    field.clear()
    field.send_keys(text)
    page.wait(lambda: page.js("return document.activeElement.value") == text and page.all("#found li") and not page.js("return document.getElementById('found').hidden"))
    page.frames()
    return page.texts("#found li > span:first-child")


def test_whole_words_come_first(page, photos):
    page.pick(photos["one.png"])
    names = found(page, "cat")
    assert len(names) == 8 and not any("bullfrog" in name for name in names)
    assert any(name.endswith("cat") for name in names[:4])
    assert not any("shark" in name for name in found(page, "car"))


def test_suggestions_are_in_order_of_this_photo_s_probabilities(page, url, photos):
    page.pick(photos["cat.png"])
    shares = ask(url, photos["cat.png"], include="probabilities")["probabilities"]
    labels = {entry["label"].split(", ")[0]: entry["class_id"] for entry in page.later("return (await fetch('/labels')).json()")}
    names = found(page, "dog")
    assert names == sorted(names, key=lambda name: -shares[labels[name]])
    assert "%" in page.text("#found .percent")


@pytest.mark.parametrize("text", ["954", "n07753592", "Banana", "banan"])
def test_any_class_can_be_explained(page, photos, text):
    page.pick(photos["one.png"])
    found(page, text)
    page.one("#find").send_keys(Keys.ENTER)
    page.wait(lambda: len(page.posts()) == 2)
    page.settle(1)
    assert query(page.posts()[-1])["classes"] == "954"
    assert page.texts(".row .label")[-1] == "banana" and page.text(".row.active .label") == "banana" and "class 954" in page.text(".row.active .class")
    assert page.texts(".chips button") == ["banana ×"]


def test_several_classes_are_kept_as_chips_and_for_other_photos(page, photos):
    page.pick(photos["one.png"])
    for text in ("954", "zebra"):
        found(page, text)
        page.one("#find").send_keys(Keys.ARROW_DOWN, Keys.ENTER)
        page.wait(lambda: page.texts(".row .label")[-1] == {"954": "banana"}.get(text, text))
    assert page.texts(".row .label")[-2:] == ["banana", "zebra"] and page.texts(".chips button") == ["banana ×", "zebra ×"]
    page.one("#pick").send_keys(str(photos["two.png"]))
    page.settle(2)
    assert query(page.posts()[-1])["classes"] == "954,340" and page.texts(".row .label")[-2:] == ["banana", "zebra"]
    page.one(".chips button").send_keys(Keys.ENTER)
    page.frames()
    assert page.texts(".chips button") == ["zebra ×"] and page.texts(".row .label")[-1] == "zebra" and len(page.texts(".row .label")) == 6


def test_the_examples_in_the_field_are_classes(page):
    found = page.later("""const { search } = await import('/assets/words.js'), classes = await (await fetch('/labels')).json();
        return document.getElementById('find').placeholder.replace(' …', '').split(', ').map((example) => search(classes, example).map((entry) => entry.label));""")
    assert len(found) == 3 and "Eskimo dog, husky" in found[0] and found[1] == found[2][:1] == ["Maltese dog, Maltese terrier, Maltese"]


def test_a_comma_divides_names_of_wordnet_alone(page):
    """A class of one's own is called what its folder is called."""
    names = page.later("""const { firstName } = await import('/assets/words.js');
        return [firstName({ label: 'plastic, clear', class_id: 0 }), firstName({ label: 'tabby, tabby cat', class_id: 281, wnid: 'n02123045' })];""")
    assert names == ["plastic, clear", "tabby"]


def test_a_class_that_is_none_is_said_and_not_asked_for(page, photos):
    page.pick(photos["one.png"])
    page.one("#find").send_keys("unicorn", Keys.ENTER)
    page.wait(lambda: "unicorn" in page.text("#notices"))
    assert len(page.posts()) == 1


# ---- several models ----
def test_a_choice_of_models_is_offered_where_there_are_several(page_of_both, photos):
    page = page_of_both
    assert page.one("#model-choice").is_displayed() and page.texts("#model-choice option") == ["efficientnet-lite0", "vgg16-cam"]
    page.pick(photos["one.png"])
    page.set("model-choice", "vgg16-cam")
    page.settle(1)
    assert [query(address).get("model") for address in page.posts()] == [None, "vgg16-cam"] and len(page.all(".row")) == 5
    assert page.text("#timing").startswith("vgg16-cam, float32, CAM.")
    page.wait(lambda: "model=vgg16-cam" in page.driver.current_url)
    page.set("model-choice", "efficientnet-lite0")
    page.settle(1)
    assert len(page.posts()) == 2 and page.text("#timing").startswith("efficientnet-lite0")


def test_one_model_is_named_and_no_choice(page):
    assert page.text("#model") == "efficientnet-lite0" and not page.one("#model-choice").is_displayed()


def test_markup_in_names_stays_text(page, tmp_path, photos):
    path = tmp_path / "<img src=x onerror=alert(1)>.png"
    path.write_bytes(photos["one.png"].read_bytes())
    page.pick(path)
    assert page.text("#file") == path.name and not page.all("#file *")
