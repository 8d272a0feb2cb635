"""What people take along: a picture with its words, commands that give this view, a link with all settings."""
import base64
import io
import re
import shlex
import subprocess
import sys
import time

import numpy
from PIL import Image
from selenium.webdriver.common.keys import Keys

from scenes import ask, pixels


def test_a_download_has_the_heat_and_its_words_burnt_in(page, photos, tmp_path):
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.pick(photos["cat.png"])
    page.set("box", True)
    page.one("#download").send_keys(Keys.ENTER)
    page.wait(lambda: list(tmp_path.glob("*.jpg")))
    (file,) = tmp_path.glob("*.jpg")
    assert file.name == "cat Egyptian cat.jpg" and "Saved as" in page.text("#say")
    time.sleep(0.2)
    image = numpy.asarray(Image.open(file).convert("L"), dtype=int)
    height, width = image.shape
    band = image[round(width * 300 / 451):]
    assert width == 600 and height > 400 and (band < 90).mean() > 0.005 and (band > 245).mean() > 0.7  # dark words on white


def test_copies_are_a_picture_and_text(page, photos):
    for name in ("clipboard-read", "clipboard-write"):
        page.driver.execute_cdp_cmd("Browser.setPermission", {"permission": {"name": name}, "setting": "granted"})
    page.pick(photos["cat.png"])
    page.one("#copy-picture").send_keys(Keys.ENTER)
    page.wait(lambda: page.text("#copy-picture") == "Copied")
    text = page.later("""const [item] = await navigator.clipboard.read(), blob = await item.getType('image/png');
        return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer()).subarray(0, 60000)));""")
    assert base64.b64decode(text)[:8] == b"\x89PNG\r\n\x1a\n"
    page.one("#copy-link").send_keys(Keys.ENTER)
    page.wait(lambda: page.text("#copy-link") == "Copied")
    assert page.later("return navigator.clipboard.readText()") == page.driver.current_url


def test_commands_give_this_view(page, url, photos):
    page.pick(photos["cat.png"])
    page.set("colormap", "turbo")
    page.set("alpha", 35)
    page.all(".row input")[1].send_keys(Keys.SPACE)
    page.frames()
    row = page.all(".row")[1]
    command = shlex.split(page.text("#curl").replace("@photo.jpg", f"@{photos['cat.png']}"))
    answer = subprocess.run([*command, "--silent", "--noproxy", "*"], capture_output=True, text=True, check=True).stdout
    theirs = ask(url, photos["cat.png"], classes=row.get_attribute("data-id"), colormap="turbo", alpha=0.35, scale="relu")
    assert theirs["predictions"][1]["overlay_png"] in answer
    code = page.text("#python")
    assert f'== {row.get_attribute("data-id")}' in code and '"alpha": "0.35"' in code
    compile(code, "python", "exec")
    assert "bilinear" in page.text(".code")


def test_the_python_lines_run(page, url, photos, tmp_path):
    page.pick(photos["cat.png"])
    (tmp_path / "photo.jpg").write_bytes(photos["cat.png"].read_bytes())
    code = page.js("return document.getElementById('python').textContent").replace("import base64, httpx\n", "import base64, httpx\nhttpx.post = __import__('functools').partial(httpx.post, trust_env=False)\n")
    said = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.startswith("Egyptian cat 0.")
    assert pixels((tmp_path / "cam.png").read_bytes()).shape == (300, 451, 3)


def test_a_link_brings_all_settings_and_never_the_photo(page, url, photos):
    page.pick(photos["cat.png"])
    for name, value in {"colormap": "jet", "alpha": 40, "scale": "minmax", "box": True, "follow": False, "threshold": 55, "resize": "stretch"}.items():
        page.set(name, value)
    page.settle(1)
    page.all(".row input")[2].send_keys(Keys.SPACE)
    label = page.all(".row")[2].get_attribute("data-id")
    page.wait(lambda: f"label={label}" in page.driver.current_url)
    link = page.driver.current_url.split("#")[1]
    assert set(re.findall(r"(\w+)=", link)) == {"colormap", "alpha", "scale", "box", "follow", "threshold", "resize", "label"}
    page.open(link + "&sample=cat&classes=954")
    page.settle(1)
    controls = page.js("return Object.fromEntries([...document.getElementById('controls').elements].filter((e) => e.name).map((e) => [e.name, e.type === 'checkbox' ? e.checked : e.value]))")
    assert controls == {"colormap": "jet", "alpha": "40", "scale": "minmax", "box": True, "follow": False, "threshold": "55", "resize": "stretch", "smooth": True, "common": False,
                        "detail": ""}
    assert page.one(".row.active").get_attribute("data-id") == label and page.texts(".row .label")[-1] == "banana"


def test_a_link_to_a_comparison(page):
    page.open("sample=cat&minus=282")
    page.settle(1)
    assert "rather than tiger cat" in page.one("#one").get_attribute("aria-label")


def test_a_link_pasted_over_another_keeps_the_photos(page, photos):
    page.pick(photos["cat.png"])
    page.set("colormap", "jet")
    page.js("location.hash = 'sample=coffee&alpha=30'")
    page.settle(2)
    assert page.text("#file") == "coffee.jpg" and page.text("#alpha-text") == "30 %"
    assert page.js("return document.getElementById('controls').elements.colormap.value") == "inferno"


def test_what_a_pasted_link_does_not_say_is_as_at_first(page):
    page.open("sample=cat&classes=954&minus=282")
    page.settle(1)
    assert "banana" in page.texts(".row .label") and "rather than" in page.one("#one").get_attribute("aria-label")
    page.js("location.hash = 'sample=coffee'")
    page.settle(2)
    assert page.text("#file") == "coffee.jpg" and "banana" not in page.texts(".row .label") and not page.all("#chips > *")
    assert page.js("return [document.getElementById('other').value, document.getElementById('how').value]") == ["", "pair"]
    assert "classes" not in page.driver.current_url and "minus" not in page.driver.current_url


def test_a_mistyped_link_is_only_that(page):
    page.open("sample=nothing&alpha=x&label=y&colormap=mauve&classes=a,99999&minus=-1")
    page.one("[data-sample=cat]").send_keys(Keys.ENTER)
    page.settle(1)
    assert len(page.all(".row")) == 5
