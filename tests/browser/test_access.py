"""For everybody: by keyboard, by ear, small and wide, dark, in forced colours, on paper; axe-core finds nothing; and the page stays light."""
import re
import urllib.request

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from conftest import ROOT

AXE = ROOT / "downloads/axe/axe.min.js"
MOST_BYTES = 100_000  # of all that the page is made of, without its sample photos


def violations(page):
    if not page.js("return typeof axe === 'object'"):
        page.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": AXE.read_text()})
    found = page.later("return (await axe.run(document, { resultTypes: ['violations'] })).violations.map(({ id, help, nodes }) => [id, help, nodes.map((node) => node.html)])")
    return found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation(page, photos, width, dark):
    page.look(width, 900, dark=dark, touch=width < 500)
    assert violations(page) == []
    page.expected_statuses = {415}
    page.pick(photos["cat.png"], photos["notes.txt"])
    page.set("other", page.all(".row")[1].get_attribute("data-id"))
    page.set("box", True)
    for element in page.all("details"):
        page.js("arguments[0].open = true", element)
    page.one("#find").send_keys("cat")
    page.wait(lambda: page.all("#found li"))
    assert violations(page) == []
    page.all(".thumb")[1].click()
    page.settle(2)
    page.one("#remove").send_keys(Keys.ENTER)
    page.settle(1)
    assert violations(page) == []


# ---- by keyboard alone: a picture a step, in build/browser ----
@pytest.mark.parametrize("width", [390, 1440])
def test_a_walk_by_keyboard_alone(page, width):
    page.look(width, 900 if width > 500 else 844, touch=width < 500)
    steps = iter(range(99))

    def keys(*pressed):
        ActionChains(page.driver).send_keys(*pressed).perform()

    def focused():
        return page.js("const e = document.activeElement; return e.id || e.dataset.sample || e.name || e.className || e.tagName")

    def tab_to(wanted, back=False):
        for _ in range(60):
            if focused() == wanted:
                return page.frames()
            ActionChains(page.driver).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).perform() if back else keys(Keys.TAB)
        raise AssertionError(f"no way to {wanted}")

    def shot(name):
        page.frames()
        page.shot(f"walk-{width}-{next(steps):02}-{name}")

    shot("welcome")
    tab_to("pick")
    assert page.js("return getComputedStyle(document.activeElement.parentNode).outlineStyle") == "solid"
    tab_to("cat")
    shot("sample-focused")
    keys(Keys.ENTER)
    page.settle(1)
    shot("cat")
    tab_to("label")
    keys(Keys.ARROW_DOWN)
    page.frames()
    assert page.text(".row.active .label") == "tiger cat"
    shot("second-label")
    tab_to("find")
    keys("dog")
    page.wait(lambda: page.all("#found li"))
    keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    shot("finder")
    keys(Keys.ENTER)
    page.wait(lambda: page.texts(".chips button"))
    page.settle(1)
    shot("class-found")
    tab_to("one", back=True)
    keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    shot("reading")
    tab_to("other")
    keys(Keys.ARROW_DOWN)
    shot("side-by-side")
    tab_to("how")
    keys(Keys.ARROW_DOWN)
    shot("difference")
    tab_to("other", back=True)
    keys(Keys.HOME)
    tab_to("alpha")
    keys(Keys.HOME, *[Keys.ARROW_RIGHT] * 60)
    assert page.text("#alpha-text") == "60 %"
    tab_to("colormap")
    keys("viridis")
    tab_to("box")
    keys(Keys.SPACE)
    tab_to("common")
    keys(Keys.SPACE)
    tab_to("SUMMARY")
    keys(Keys.ENTER)
    shot("settings")
    tab_to("clear", back=True)
    keys(Keys.ENTER)
    page.frames()
    shot("cleared")
    keys(Keys.ENTER)
    page.settle(1)
    assert page.text("#file") == "cat.jpg" and len(page.posts()) == 2


def test_many_photos_by_keyboard(page, photos):
    page.pick(photos["one.png"], photos["two.png"], photos["three.png"])
    page.all(".thumb")[0].send_keys(Keys.ARROW_RIGHT)
    page.settle(3)
    assert page.text("#file") == "two.png" and page.js("return document.activeElement.title") == "two.png"
    page.driver.switch_to.active_element.send_keys(Keys.DELETE)
    page.settle(2)
    assert page.text("#file") == "three.png"


def test_every_control_and_picture_has_a_name(page, photos):
    page.pick(photos["one.png"])
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = {"button", "slider", "combobox", "ComboBoxMenuButton", "textbox", "checkbox", "radio", "link", "image", "img", "application", "option"}
    named = [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"] and n.get("role", {}).get("value") in roles]
    assert len(named) > 20 and all(name.strip() for _, name in named), named
    assert any(role == "slider" and name.startswith("Heat") for role, name in named)


# ---- every size and light ----
@pytest.mark.parametrize("width, dark", [(320, False), (390, True), (600, False), (820, False), (1440, True), (2560, False)])
def test_nothing_hangs_over_the_edge(page, photos, width, dark):
    page.look(width, 844 if width < 1000 else 1200, dark=dark, touch=width < 1000)
    assert page.js("return document.documentElement.scrollWidth") <= width
    page.expected_statuses = {415}
    page.pick(photos["cat.png"], photos["notes.txt"])
    page.set("other", page.all(".row")[1].get_attribute("data-id"))
    for element in page.all("details"):
        page.js("arguments[0].open = true", element)
    page.frames()
    assert page.js("return document.documentElement.scrollWidth") <= width
    page.shot(f"width-{width}")


def test_the_map_stays_in_sight_while_a_phone_shows_the_labels(page, photos):
    page.look(390, 844, touch=True)
    page.pick(photos["cat.png"])
    page.js("document.querySelector('#fewer').scrollIntoView({ block: 'end' })")
    page.frames()
    top, bottom = page.js("const box = document.getElementById('one').getBoundingClientRect(); return [box.top, box.bottom]")
    assert top >= -1 and 100 < bottom < 844 / 2 + 20


def test_dark_is_dark(page, photos):
    page.look(dark=True)
    page.pick(photos["one.png"])
    background = page.js("return getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
    page.shot("result-dark")


def test_forced_colours_keep_what_is_chosen_visible(page, photos):
    page.pick(photos["cat.png"], photos["one.png"])
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "forced-colors", "value": "active"}]})
    page.frames()
    assert page.js("return matchMedia('(forced-colors: active)').matches")
    for selector in (".row.active", ".thumb[aria-selected=true]"):
        assert page.js("return getComputedStyle(document.querySelector(arguments[0])).outlineStyle", selector) == "solid"
    page.shot("forced-colours")


def test_paper_has_the_picture_and_its_labels(page, photos):
    page.pick(photos["cat.png"])
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    page.frames()
    shown = {selector: page.one(selector).is_displayed() for selector in ("#one canvas", ".row", "#timing", "#controls", "#find", "#download", ".intro", "footer")}
    page.shot("print")
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert [selector for selector, is_shown in shown.items() if is_shown] == ["#one canvas", ".row", "#timing"]


def test_reduced_motion_is_respected(page):
    """`look` asks for it. Nothing moves but what says that the page waits."""
    slow = page.js("""document.getElementById('bench').hidden = false;
        document.getElementById('bench').setAttribute('aria-busy', 'true');
        return getComputedStyle(document.getElementById('state'), '::before').animationDuration;""")
    assert slow == "4s"


def test_the_page_is_light(page, url):
    page.read_log()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    parts = {address.split("#")[0] for _, method, address, _ in page.requests if method == "GET" and address.startswith(url)}
    sizes = {address: len(opener.open(address).read()) for address in parts if "/samples/" not in address and not re.search("/(labels|version|v1/models|v1/models/[^/]+)$", address)}
    assert len(sizes) >= 12 and sum(sizes.values()) < MOST_BYTES, sizes
