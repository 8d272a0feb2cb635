"""A real browser (Debian's Chromium, headless) on the real page of the real program.

CAMSERVE_URL=http://... tests a service that runs already. Every test also checks, at its end, that the browser asked nobody but that service
and that its console has no complaint (of the Content-Security-Policy, say) but the statuses that the test expects."""
import json
import os
import pathlib
import re
import sys
import tempfile

import numpy
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import scenes

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOTS = ROOT / "build/browser"
HTTP_TESTS = ROOT / "tests/http"
PATIENCE = 60  # seconds that one answer may take on a loaded machine
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1", "--hide-scrollbars", "--window-size=1280,1000",
         "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a camera that shows a test picture


@pytest.fixture(scope="session")
def url():
    if "CAMSERVE_URL" in os.environ:
        yield os.environ["CAMSERVE_URL"].rstrip("/")
        return
    yield from serving()


@pytest.fixture(scope="session")
def both_url(tmp_path_factory):
    """A service of two models, whose second shows its maps otherwise: as TensorFlow 1 enlarges, from the least to the most."""
    sys.path.insert(0, str(HTTP_TESTS))
    import small_model
    from server import MODEL
    paper = small_model.convert(tmp_path_factory.mktemp("paper"), small_model.make_weights(numpy.random.default_rng(16)))
    yield from serving(model=f"{MODEL},{paper}")


def serving(**settings):
    sys.path.insert(0, str(HTTP_TESTS))
    from server import Server
    server = Server(**settings)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def driver():
    options = webdriver.ChromeOptions()
    with tempfile.TemporaryDirectory(prefix="camserve-browser-") as profile:
        for flag in FLAGS + [f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options)
        driver.set_script_timeout(PATIENCE)
        yield driver
        driver.quit()


class Page:
    def __init__(self, driver, url):
        self.driver, self.url = driver, url
        self.requests, self.finished, self.expected_statuses = [], [], set()
        self.look()
        driver.get(url)
        self.ready()

    def ready(self):
        self.wait(lambda: self.js("return document.body?.classList.contains('ready')"))

    def open(self, settings):
        """As a link that somebody was sent."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.url}/#{settings}")
        self.ready()

    # ---- finding and waiting ----
    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.one(selector).get_attribute("textContent").strip()

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent.trim())", selector)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def later(self, script, *arguments):
        """Of a script that awaits."""
        done = "const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);"
        result = self.driver.execute_async_script(f"{done} (async (...arguments) => {{ {script} }})(...given).then((value) => done([value]), (error) => done(String(error)));", *arguments)
        assert isinstance(result, list), result
        return result[0]

    def frames(self):
        """Until what is due to be drawn is drawn."""
        self.later("for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);")

    def wait(self, condition):
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def look(self, width=1280, height=1000, dark=False, touch=False):
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}, {"name": "prefers-reduced-motion", "value": "reduce"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch})

    def shot(self, name):
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))

    # ---- photos in ----
    def pick(self, *paths, settle=True):
        self.one("#pick").send_keys("\n".join(map(str, paths)))
        if settle:
            self.settle(len(paths))

    def drop(self, *paths):
        """What a person does with the mouse: enter, over, drop, with files of the file system."""
        data = {"items": [], "files": [str(p) for p in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            if kind == "drop":
                self.wait(lambda: self.js("return document.body.classList.contains('dragging')"))
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", {"type": kind, "x": 640, "y": 700, "data": data})

    def settle(self, photos):
        """Until there are so many photos, each looked at or failed, and the screen shows it."""
        self.wait(lambda: self.js("const all = [...document.querySelectorAll('.thumb')]; return [all.length, all.filter((e) => ['done', 'failed'].includes(e.dataset.state)).length]") == [photos, photos])
        self.wait(lambda: not self.all("#bench[aria-busy=true]"))
        self.frames()

    def set(self, name, value):
        """A control, as a person's hand leaves it."""
        self.js("""const [name, value] = arguments, field = document.getElementById('controls').elements[name] || document.getElementById(name);
            if (field.type === 'checkbox') field.checked = value; else field.value = value;
            for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }));""", name, value)
        self.frames()

    # ---- what went over the wire ----
    def read_log(self):
        for line in self.driver.get_log("performance"):
            event = json.loads(line["message"])["message"]
            if event["method"] == "Network.requestWillBeSent":
                self.requests.append((event["params"]["requestId"], event["params"]["request"]["method"], event["params"]["request"]["url"], event["params"]["timestamp"]))
            elif event["method"] == "Network.loadingFinished":
                self.finished.append((event["params"]["requestId"], event["params"]["timestamp"]))

    def posts(self):
        """URLs of the requests for explanations so far."""
        self.read_log()
        return [address for _, method, address, _ in self.requests if method == "POST"]


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """name -> path of made files; cat.png has something in it that the network knows."""
    folder = tmp_path_factory.mktemp("photos")
    for seed, name in enumerate(["one.png", "two.png", "three.png"], 1):
        scenes.picture(seed=seed).save(folder / name)
    Image.open(ROOT / "static/samples/cat.jpg").save(folder / "cat.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side; upright it is HEIGHT x WIDTH
    scenes.picture().save(folder / "turned.jpg", exif=exif, quality=95)
    scenes.picture().save(folder / "one.gif")
    scenes.picture(4000, 3000).save(folder / "large.bmp")  # 36 MB: more than the service takes
    (folder / "notes.txt").write_text("This is no photo.\n" * 20)
    (folder / "cut.png").write_bytes((folder / "one.png").read_bytes()[:900])
    jpeg = (folder / "turned.jpg").read_bytes()
    (folder / "stray.jpg").write_bytes(jpeg[:2] + b"\0" + jpeg[2:])  # the browser knows no JPEG by that; the service does
    (folder / "iphone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def page(driver, url):
    yield from visit(driver, url)


@pytest.fixture
def page_of_both(driver, both_url):
    yield from visit(driver, both_url)


def visit(driver, url):
    driver.get("about:blank")
    driver.get_log("performance"), driver.get_log("browser")
    page = Page(driver, url)
    yield page
    page.read_log()
    assert page.requests
    elsewhere = [address for _, _, address, _ in page.requests if not address.startswith((url + "/", "data:", "blob:" + url, "about:blank"))]
    assert not elsewhere
    complaints = [line["message"] for line in driver.get_log("browser")]
    statuses = {int(found[1]) for message in complaints if (found := re.search(r"responded with a status of (\d+)", message))}
    others = [message for message in complaints if "responded with a status of" not in message]
    assert not others and statuses == page.expected_statuses


@pytest.fixture
def opened(driver):
    """opened(path) -> a page that is a file; at the end, that it asked for nothing else and complained of nothing."""
    driver.get("about:blank")
    driver.get_log("performance"), driver.get_log("browser")
    pages = []

    def visit(path):
        pages.append(Page(driver, path.as_uri()))
        return pages[-1]
    yield visit
    pages[-1].look()
    pages[-1].read_log()
    asked = [address for _, _, address, _ in pages[-1].requests if not address.startswith("about:")]
    assert len(asked) == 1 and asked[0].startswith("file:"), asked
    assert not driver.get_log("browser")
