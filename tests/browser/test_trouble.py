"""What goes wrong is said in words, with what to do about it, and nothing that was there is lost."""
import re
import time

import numpy
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from scenes import picture, pixels

FAKE_ANSWERS = """const answers = arguments[0], Real = XMLHttpRequest;
    window.XMLHttpRequest = class extends Real {
      send(body) {
        const next = answers.shift();
        if (!next) return super.send(body);
        setTimeout(() => {
          if (!next.status) return this.onerror();
          for (const [name, value] of Object.entries({ status: next.status, responseText: JSON.stringify(next) })) Object.defineProperty(this, name, { value });
          this.getResponseHeader = (name) => next.headers?.[name] ?? null;
          this.onload();
        });
      }
    };"""


# ---- files ----
@pytest.mark.parametrize("name, status, title", [("notes.txt", 415, "not a photo"), ("cut.png", 422, "damaged")])
def test_a_file_that_is_no_photo_is_said_in_words(page, photos, name, status, title):
    page.expected_statuses = {status}
    page.pick(photos[name])
    assert title in page.text("#problem h3")
    assert page.text("#problem .detail") and "JPEG" in page.text("#problem .advice")
    assert re.match(r"Request [\w.-]+", page.text("#problem .request"))
    assert page.text("#say").startswith(name) and title in page.text("#say")
    page.shot(f"problem-{status}")


def test_one_bad_file_leaves_the_others_alone(page, photos):
    page.expected_statuses = {415}
    page.pick(photos["notes.txt"], photos["one.png"])
    assert [thumb.get_attribute("data-state") for thumb in page.all(".thumb")] == ["failed", "done"]
    page.all(".thumb")[1].click()
    page.settle(2)
    assert len(page.all(".row")) == 5 and not page.one("#problem").is_displayed()


def test_heic_is_told_what_to_do_and_not_sent(page, photos):
    page.pick(photos["iphone.heic"])
    assert "cannot open HEIC" in page.text("#problem h3") and "Most Compatible" in page.text("#problem .advice")
    assert not page.posts()


def test_what_the_browser_can_open_and_the_service_cannot_is_converted(page, photos):
    page.pick(photos["one.gif"])
    assert len(page.all(".row")) == 5
    assert "one.gif" in page.text("#notices") and "GIF converted to JPEG" in page.text("#notices")
    assert "360 × 240 JPEG" in page.text("#facts")


def test_what_the_service_can_open_and_the_browser_cannot_is_shown_as_the_service_sees_it(page, photos):
    page.pick(photos["stray.jpg"])
    assert len(page.all(".row")) == 5 and "overlay" in page.posts()[0]
    page.set("alpha", 0)
    shown = page.js("return document.querySelector('#one canvas').toDataURL()").split(",")[1]
    expected = numpy.asarray(picture().rotate(-90, expand=True).resize((24, 36)), dtype=int)
    got = numpy.asarray(Image.fromarray(pixels(shown).astype(numpy.uint8)).resize((24, 36)), dtype=int)
    assert numpy.abs(got - expected).mean() < 6


def test_what_is_too_large_is_made_smaller(page, photos):
    page.pick(photos["large.bmp"])
    assert len(page.all(".row")) == 5
    assert re.search(r"36\.0 MB made smaller \(4000 × 3000 → 2048 × 1536", page.text("#notices"))


def test_what_the_service_finds_too_large_is_sent_smaller(page, photos):
    page.js(FAKE_ANSWERS, [{"status": 413, "code": "too_large", "detail": "too many bytes"}])
    page.pick(photos["one.png"])
    assert len(page.all(".row")) == 5 and "made smaller" in page.text("#notices")


@pytest.mark.parametrize("kind", ["text/plain", "text/uri-list"])
def test_a_dropped_or_pasted_address_is_said(page, kind):
    page.js("""for (const [type, Kind, member] of [['drop', DragEvent, 'dataTransfer'], ['paste', ClipboardEvent, 'clipboardData']]) {
        const data = new DataTransfer();
        data.setData(arguments[0], 'https://example.org/cat.jpg');
        document.body.dispatchEvent(new Kind(type, { [member]: data, bubbles: true, cancelable: true }));
      }""", kind)
    assert "not a picture" in page.text("#notices") and len(page.all(".notice")) == 1
    page.one(".notice .dismiss").send_keys(Keys.ENTER)
    assert not page.all(".notice")


# ---- the service ----
def test_a_busy_service_is_asked_again(page, photos):
    page.js(FAKE_ANSWERS, [{"status": 429, "code": "busy", "headers": {"Retry-After": "1"}}] * 2)
    began = time.monotonic()
    page.pick(photos["one.png"], settle=False)
    page.wait(lambda: "busy" in page.text("#state"))
    page.settle(1)
    assert time.monotonic() - began >= 2
    assert len(page.all(".row")) == 5 and not page.one("#problem").is_displayed()


def test_the_service_s_own_words_are_shown(page, photos):
    detail = 'top_k: "11"; allowed are whole numbers from 1 to 10'
    page.js(FAKE_ANSWERS, [{"status": 400, "code": "bad_parameter", "detail": detail, "request_id": "abc"}])
    page.pick(photos["one.png"])
    assert page.text("#problem .detail") == detail + "." and page.text("#problem .request") == "Request abc"


def test_a_lost_connection_is_said_and_can_be_tried_again(page, photos):
    page.js(FAKE_ANSWERS, [{}])
    page.pick(photos["one.png"])
    assert "No answer" in page.text("#problem h3")
    page.one("#problem .retry").send_keys(Keys.ENTER)
    page.wait(lambda: len(page.all(".row")) == 5)
    page.settle(1)
    assert not page.one("#problem").is_displayed()


def test_a_failed_request_leaves_what_was_there(page, photos):
    page.pick(photos["one.png"])
    labels = page.texts(".row .label")
    page.js(FAKE_ANSWERS, [{}])
    page.set("resize", "stretch")
    page.settle(1)
    assert page.texts(".row .label") == labels and page.one("#one canvas").is_displayed()
    assert "No answer" in page.text(".notice") and page.one(".notice").get_attribute("role") == "alert"
    page.one(".notice .button").send_keys(Keys.ENTER)
    page.wait(lambda: "stretched" in page.text("#timing"))
    assert not page.all(".notice")


def test_a_key_is_asked_for_where_one_is_wanted(page, photos):
    assert not page.one("#key").is_displayed()
    page.js(FAKE_ANSWERS, [{"status": 401, "code": "unauthorized", "detail": "the key is missing"}])
    page.pick(photos["one.png"])
    page.one("#key").send_keys("secret" + Keys.ENTER)
    page.wait(lambda: len(page.all(".row")) == 5)
    page.frames()
    assert "-H 'Authorization: Bearer KEY'" in page.text("#curl") and "Bearer KEY" in page.text("#python")
    assert "secret" not in page.text("#curl") + page.text("#python") + page.driver.current_url


def test_sending_is_told_in_per_cent(page, photos, tmp_path):
    """Over a slow line that the browser plays."""
    path = tmp_path / "noise.bmp"
    Image.effect_noise((900, 700), 90).convert("RGB").save(path)
    page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_000_000})
    try:
        page.pick(path, settle=False)
        page.wait(lambda: re.fullmatch(r"Sending \d+ %", page.text("#state")))
        page.settle(1)
    finally:
        page.driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
    assert len(page.all(".row")) == 5


# ---- what was taken away comes back ----
def test_clearing_can_be_undone(page, photos):
    page.pick(photos["one.png"], photos["two.png"])
    labels = page.texts(".row .label")
    page.one("#clear").send_keys(Keys.ENTER)
    page.frames()
    assert not page.all(".thumb") and not page.one("#bench").is_displayed() and page.one("[data-sample=cat]").is_displayed()
    assert page.js("return document.activeElement.textContent") == "Undo"
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.settle(2)
    assert page.texts(".row .label") == labels and len(page.posts()) == 2 and not page.all(".notice")
    assert page.js("return document.activeElement.title") == "one.png"


def test_removing_one_can_be_undone(page, photos):
    page.pick(photos["one.png"], photos["two.png"])
    page.one("#remove").send_keys(Keys.ENTER)
    page.settle(1)
    assert page.text("#file") == "two.png"
    page.one(".notice .button").send_keys(Keys.ENTER)
    page.settle(2)
    assert page.text("#file") == "one.png"
