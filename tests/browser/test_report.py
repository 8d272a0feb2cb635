"""The page of `camserve evaluate --report`, opened as a file: figures, what is taken for what, each wrong photo with both maps as a tile and large, by mouse and by
keys alone; on small and large screens, dark, and on paper."""
import json
import os
import shutil
import subprocess

import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from conftest import ROOT
from test_access import violations

CAT, ESPRESSO, UNIFORM = "Egyptian cat", "espresso", "military uniform"
INK = "return [...document.querySelectorAll('#tiles canvas')].map((canvas) => canvas.toDataURL())"


def write(folder, kinds):
    """kinds: {class: {photo of the samples: how many}}."""
    for name, photos in kinds.items():
        (folder / "photos" / name).mkdir(parents=True)
        for photo, n in photos.items():
            for i in range(n):
                shutil.copy(ROOT / f"static/samples/{photo}.jpg", folder / f"photos/{name}/{photo}{i}.jpg")
    (folder / "photos" / next(iter(kinds)) / "<b>broken.jpg").write_bytes(b"no photo")
    return report_of(folder)


def report_of(folder):
    binary = os.environ.get("CAMSERVE_BINARY", str(ROOT / "build/camserve"))
    result = subprocess.run([binary, "evaluate", ROOT / "models/efficientnet-lite0.safetensors", folder / "photos", "--report", folder / "report"], cwd=ROOT, capture_output=True)
    assert result.returncode == 0, result.stderr
    return folder / "report/index.html"


@pytest.fixture(scope="session")
def wrong(tmp_path_factory):
    """Of 30 photos 14 are wrong: cats that are called tiger cats or espresso, and espresso that is called a uniform."""
    return write(tmp_path_factory.mktemp("wrong"), {"tiger cat": {"cat": 9}, ESPRESSO: {"coffee": 10, "cat": 2}, UNIFORM: {"admiral": 6, "coffee": 3}})


@pytest.fixture(scope="session")
def odd(tmp_path_factory):
    """Tall, wide and tiny photos, all of which are wrong."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "photos/ostrich").mkdir(parents=True)
    with Image.open(ROOT / "static/samples/cat.jpg") as cat:
        for width, height in (300, 700), (900, 200), (32, 32), (8, 12):
            cat.resize((width, height)).save(folder / f"photos/ostrich/{width}x{height}.png")
    return report_of(folder)


@pytest.fixture(scope="session")
def right(tmp_path_factory):
    return write(tmp_path_factory.mktemp("right"), {CAT: {"cat": 1}, ESPRESSO: {"coffee": 1}})


def drawn(page, photos):
    page.wait(lambda: len(page.all("#tiles canvas")) >= 2 * photos)
    page.frames()


def test_figures(opened, wrong):
    page, figures = opened(wrong), json.loads((wrong.parent / "report.json").read_text())
    assert page.text("#title") == "Right about 16 of 30 photos"
    cards = dict(zip(page.texts("#headline h2"), page.texts("#headline .value")))
    assert cards["Right"] == "53.3\u00a0%" and cards["Among the first five"] == f"{100 * figures['top5']['share']:.1f}\u00a0%"
    assert page.texts(".matrix tbody th") == ["tiger cat", CAT, UNIFORM, ESPRESSO]  # as the model has them
    assert page.texts(".matrix tbody tr:nth-child(3) td") == ["", "", "6", "3"]
    assert page.texts(".classes tbody th") == [CAT, ESPRESSO, UNIFORM, "tiger cat"]
    page.all(".classes thead button")[2].click()
    assert page.texts(".classes tbody th")[0] == "tiger cat" and page.texts(".classes tbody tr:first-child .number") == ["9", "0\u00a0%"]
    assert len(page.all("#coverage svg .line")) == 1 and len(page.all("#calibration svg .dot")) >= 2
    for key, words in (Keys.HOME, "100.0\u00a0% of the photos, of which 53.3\u00a0%"), (Keys.END, "6.7\u00a0% of the photos, of which"):
        page.one("#coverage input").send_keys(key)
        assert words in page.text("#coverage output")
    assert page.text("#skipped summary") == "1 photo could not be read, and is in no figure" and "<b>broken.jpg" in page.text("#skipped ul")
    page.shot("report")


def test_a_tile_shows_all_of_a_photo_as_large_as_it_can(opened, odd):
    page = opened(odd)
    drawn(page, 4)
    rooms = page.js("""return [...document.querySelectorAll('#tiles canvas')].map((canvas) => {
        const well = canvas.parentElement.getBoundingClientRect(), own = canvas.getBoundingClientRect();
        return [well.width - own.width, well.height - own.height]; })""")
    assert len(rooms) == 8 and all(-0.5 < min(room) < 0.5 for room in rooms), rooms
    page.shot("report-odd")


def test_both_maps_of_each_wrong_photo(opened, wrong):
    page = opened(wrong)
    drawn(page, 12)
    assert len(page.all(".tile")) == 12 and page.text("#count") == "14 wrong photos"
    first = page.texts("#tiles .tile:first-child .label b")
    ink = page.js(INK)
    assert len(set(first)) == 2 and ink[0] != ink[1]
    for name, value in ("alpha", 30), ("colormap", "viridis"), ("common", False), ("boxes", True):
        page.set(name, value)
        page.frames()
        page.wait(lambda: page.js(INK) != ink)
        ink = page.js(INK)
    page.one("#more-photos").click()
    drawn(page, 13)
    assert len(page.all(".tile")) == 14 and not page.one("#more-photos").is_displayed()


def test_from_the_matrix_to_its_photos(opened, wrong):
    page = opened(wrong)
    button = page.one(".matrix button[aria-label^='3 photos of military uniform taken for espresso']")
    page.js("arguments[0].click()", button)
    assert page.text("#count") == "3 of 14 wrong photos"
    assert {tuple(page.js("return [...arguments[0].querySelectorAll('.label b')].map((b) => b.textContent)", tile)) for tile in page.all(".tile")} == {(UNIFORM, ESPRESSO)}
    page.set("own", "")
    page.set("given", "")
    page.set("sort", "name")
    names = page.texts(".tile .name")
    assert names == sorted(names) and names[0] == "espresso/cat0.jpg"


def test_one_photo_large_by_keys_alone(opened, wrong):
    page = opened(wrong)
    drawn(page, 12)
    press = lambda *keys: (ActionChains(page.driver).send_keys(*keys).perform(), page.frames())
    page.js("document.querySelector('.tile button').focus()")
    press(Keys.ARROW_RIGHT, Keys.ENTER)
    picture = lambda which: page.js(f"return document.querySelector('#{which}-viewer canvas').toDataURL()")
    page.wait(lambda: page.all("#large[open]") and page.js("return document.querySelector('#own-viewer canvas').width") > 100)
    page.wait(lambda: picture("own") != picture("given"))
    assert page.text("#facts").startswith("2 of 14") and page.text("#own-text").startswith("Is ") and page.text("#given-text").startswith("Taken for ")
    assert violations(page) == []
    page.shot("report-large")
    page.js("document.querySelector('#own-viewer').focus()")
    press(Keys.ARROW_UP)
    assert " here " in page.text("#own-text") and " here " in page.text("#given-text")
    before = picture("own"), picture("given")
    page.js("document.querySelector('#contrast').click()")
    page.frames()
    assert " rather than " in page.text("#own-text") and picture("own") != before[0] and picture("given") != before[1]
    assert violations(page) == []
    page.shot("report-contrast")
    page.js("document.querySelector('#contrast').click()")
    page.js("document.querySelector('#close').focus()")
    for _ in range(12):
        press(Keys.ARROW_RIGHT)
    assert page.text("#facts").startswith("14 of 14") and page.one("#next").get_property("disabled"), "all of them, not those alone whose tiles are there"
    file = page.text("#file")
    press(Keys.ESCAPE)
    assert not page.all("#large[open]") and page.js("return document.activeElement.title").endswith(file)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1440])
def test_axe_finds_no_violation(opened, wrong, width, dark):
    page = opened(wrong)
    page.look(width, 900, dark=dark, touch=width < 500)
    drawn(page, 2)
    assert violations(page) == []
    page.shot(f"report-{width}{'-dark' * dark}")


@pytest.mark.parametrize("width", [320, 700, 2560])
def test_nothing_is_wider_than_the_screen(opened, wrong, width):
    page = opened(wrong)
    page.look(width, 900)
    drawn(page, 2)
    assert page.js("return document.documentElement.scrollWidth") <= width


def test_training(opened, wrong):
    """What finetune tells besides."""
    share = lambda right: {"right": right, "of": 20, "share": right / 20, "low": right / 20 - 0.1, "high": right / 20 + 0.1}
    more = {"epoch_chosen_by_these_photos": True, "epochs": [{"epoch": i, "loss": 2 / i, "cross_entropy": 1.5 / i, "weight_decay": 0.1, "train_accuracy": 1 - 0.4 / i, "val_accuracy": 1 - 0.5 / i} for i in range(1, 7)],
            "photos_per_class": [{"photos": n, "accuracy": share(right)} for n, right in ((2, 11), (5, 14), (10, 16), (20, 17))]}
    path = wrong.parent / "tuned.html"
    path.write_text(wrong.read_text().replace('"camserve_report":1', '"camserve_report":1,' + json.dumps(more)[1:-1], 1))
    page = opened(path)
    assert page.one("#training").is_displayed() and page.texts("#training h3") == ["Right, epoch by epoch", "Cross entropy, epoch by epoch", "Would more photos help?"]
    assert [len(page.all(f"#training .panel:nth-child({i}) .dot")) for i in (1, 2, 3)] == [12, 6, 4]
    assert violations(page) == [] and "The epoch was chosen by these photos" in page.text("#headline")
    page.js("document.querySelector('#training').scrollIntoView()")
    page.shot("report-training")


def test_on_paper_there_are_all_tiles(opened, wrong):
    page = opened(wrong)
    page.one("#more-photos").click()
    page.js("window.print = () => { window.printed = document.querySelectorAll('#tiles canvas').length; }")
    page.js("document.querySelector('#print').click()")
    assert page.wait(lambda: page.js("return window.printed")) == 28


def test_where_nothing_is_wrong(opened, right):
    page = opened(right)
    assert page.text("#title") == "Right about all 2 photos" and page.texts("#tiles") == ["Nothing is wrong."]
    assert not page.one("#controls").is_displayed() and violations(page) == []
