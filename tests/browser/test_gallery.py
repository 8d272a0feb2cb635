"""The page of `camserve explain --html`, opened as a file: it asks nobody for anything; photos are drawn when they come into view; labels, search,
order, boxes, heat; one photo large by click and by keys."""
import os
import shutil
import subprocess

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from conftest import ROOT
from test_access import violations

SAMPLES = ["admiral", "cat", "coffee", "rocket"]
HOSTILE = "<img src=x onerror=alert(1)>.jpg"
MANY = 1000
INK = "return [...document.querySelectorAll('.tile canvas')].map((canvas) => canvas.toDataURL())"


def write(path, *arguments):
    binary = os.environ.get("CAMSERVE_BINARY", str(ROOT / "build/camserve"))
    result = subprocess.run([binary, "explain", "--html", path, "--keep-going", *arguments], cwd=ROOT, capture_output=True)
    assert result.returncode == 0, result.stderr
    return path


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gallery")
    for name in SAMPLES:
        shutil.copy(ROOT / f"static/samples/{name}.jpg", folder)
    shutil.copy(folder / "cat.jpg", folder / HOSTILE)
    (folder / "broken.jpg").write_bytes(b"no photo")
    return write(folder / "gallery.html", folder)


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """MANY photos, each another file to the page."""
    folder = tmp_path_factory.mktemp("many")
    kinds = [ROOT / f"static/samples/{name}.jpg" for name in SAMPLES]
    for i in range(MANY):
        os.symlink(kinds[i % len(kinds)], folder / f"{i:04}.jpg")
    return write(folder / "gallery.html", folder)


def drawn(page, n):
    page.wait(lambda: len(page.all(".tile canvas")) >= n)
    page.frames()


def names(page):
    return page.texts(".tile .name")


def test_photos_labels_and_what_failed(opened, small):
    page = opened(small)
    drawn(page, 5)
    assert sorted(names(page)) == sorted([HOSTILE, "broken.jpg"] + [f"{name}.jpg" for name in SAMPLES])
    assert page.texts(".tile .label")[names(page).index("cat.jpg")] == "Egyptian cat" and page.texts(".tile .problem") == ["Text; supported are JPEG, PNG, WebP and BMP."]
    assert page.text("#count") == "6 photos, 1 could not be explained"
    page.shot("gallery")
    page.set("text", "cat")
    assert sorted(names(page)) == [HOSTILE, "cat.jpg"] and page.text("#count").startswith("2 of 6 photos")
    page.set("text", "no such thing")
    assert page.texts(".tiles") == ["No photo fits."]
    page.set("text", "")
    page.set("label", "espresso")
    assert names(page) == ["coffee.jpg"]
    page.set("label", "failed")
    assert names(page) == ["broken.jpg"]
    page.set("label", "")
    for order, first in ("most", "coffee.jpg"), ("name", HOSTILE), ("given", HOSTILE):
        page.set("sort", order)
        assert names(page)[0] == first
    page.set("sort", "least")
    assert names(page)[-1] == "broken.jpg"


def test_a_second_label_has_its_own_heat(opened, small):
    page = opened(small)
    drawn(page, 5)
    page.set("label", "tiger cat")
    assert names(page) == [HOSTILE, "cat.jpg"] and set(page.texts(".tile .label")) == {"tiger cat"}


def test_heat_colours_and_boxes(opened, small):
    page = opened(small)
    page.set("text", "coffee.jpg")
    drawn(page, 1)
    seen = [page.js(INK)]
    for name, value in ("alpha", 20), ("colormap", "viridis"), ("boxes", True):
        page.set(name, value)
        page.frames()
        seen.append(page.js(INK))
        assert seen[-1] not in seen[:-1], name


def test_one_photo_large_by_keys_alone(opened, small):
    page = opened(small)
    drawn(page, 5)
    page.set("text", "jpg")
    press = lambda *keys: (ActionChains(page.driver).send_keys(*keys).perform(), page.frames())
    page.js("document.querySelector('.tile button').focus()")
    at = names(page).index("cat.jpg")
    press(*[Keys.ARROW_RIGHT] * at, Keys.ENTER)
    page.wait(lambda: page.all("#large[open]") and page.js("return document.querySelector('#viewer canvas').width") > 100)
    assert page.text("#file") == "cat.jpg" and len(page.all("#large .row")) == 5
    page.shot("gallery-large")
    assert violations(page) == []
    page.js("document.querySelector('#large .row.active input').focus()")
    picture = "return document.querySelector('#viewer canvas').toDataURL()"
    before = page.js(picture)
    press(Keys.ARROW_DOWN)
    assert page.text("#large .row.active .label") == "tiger cat" and page.js(picture) != before
    ActionChains(page.driver).move_to_element(page.all("#large .row")[2]).perform()
    page.frames()
    assert page.text("#large .row.active .label") == "tabby"
    press(Keys.ARROW_RIGHT)
    page.wait(lambda: page.text("#file") == "coffee.jpg")
    press(Keys.ESCAPE)
    assert not page.all("#large[open]") and page.js("return document.activeElement.title").endswith("/coffee.jpg")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation(opened, small, width, dark):
    page = opened(small)
    page.look(width, 900, dark=dark, touch=width < 500)
    drawn(page, 3)
    assert violations(page) == []
    assert page.js("return document.documentElement.scrollWidth") <= width
    page.shot(f"gallery-{width}{'-dark' * dark}")
    page.all(".tile button")[3].click()
    page.frames()
    assert violations(page) == []
    page.shot(f"gallery-large-{width}{'-dark' * dark}")


def test_on_paper_there_are_all_tiles(opened, large):
    page = opened(large)
    page.set("text", "00.jpg")
    drawn(page, 8)
    page.js("window.print = () => { window.printed = document.querySelectorAll('.tile canvas').length; }")
    page.set("text", "/00")
    page.one("#print").click()
    assert page.wait(lambda: page.js("return window.printed")) == 100
    page.wait(lambda: len(page.all(".tile canvas")) < 80)


def test_a_thousand_photos_open_soon_and_hold_little(opened, large):
    page = opened(large)
    assert large.stat().st_size < 60e6
    drawn(page, 8)
    opening = page.js("return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    print(f"{large.stat().st_size / 1e6:.1f} MB, opened in {opening:.0f} ms")
    assert opening < 3000
    assert len(page.all(".tile")) == MANY and len(page.all(".tile canvas")) < 80
    longest = page.later("""let last = performance.now(), times = [];
        for (let i = 0; i < 90; i++) {
          scrollBy(0, 120);
          await new Promise(requestAnimationFrame);
          times.push(performance.now() - last);
          last = performance.now();
        }
        return times.sort((a, b) => a - b)""")
    print(f"frames while scrolling: median {longest[45]:.0f}, 95th {longest[85]:.0f}, longest {longest[-1]:.0f} ms")
    page.js("scrollTo(0, document.body.scrollHeight)")
    page.wait(lambda: page.js("return !!document.querySelector('.tile:last-child canvas')"))
    assert len(page.all(".tile canvas")) < 80, "what has left the screen is forgotten"
    assert longest[45] < 100
