"""What the network is shown is what the browser shows: pictures with profiles and gamma, and odd ones, side by side (tests/http makes them)."""
import base64
import io
import pathlib
import struct
import sys

import httpx
import numpy
import pytest
from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "http"))
import odd_pictures  # noqa: E402
import pictures  # noqa: E402
import profiles  # noqa: E402

MOST = 3  # levels, mean difference of blocks of 4 x 4
LOAD = """
const [address, done] = arguments, image = new Image();
image.onerror = () => done(null);
image.onload = () => {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  done([canvas.width, canvas.height, btoa(text)]);
};
image.src = address;
"""


def browser_shows(driver, file):
    kind = {b"\xff\xd8": "jpeg", b"\x89P": "png", b"RI": "webp", b"BM": "bmp"}[file[:2]]
    got = driver.execute_async_script(LOAD, f"data:image/{kind};base64," + base64.b64encode(file).decode())
    assert got, "the browser shows nothing"
    width, height, pixels = got
    return numpy.frombuffer(base64.b64decode(pixels), numpy.uint8).reshape(height, width, 4)[..., :3].astype(float)


def camserve_shows(url, file):
    response = httpx.post(url + "/cam?alpha=0&size=original&top_k=1", content=file, timeout=60)
    assert response.status_code == 200, response.text
    overlay = response.json()["predictions"][0]["overlay_png"]
    return numpy.asarray(Image.open(io.BytesIO(base64.b64decode(overlay)))).astype(float)


def blocks(pixels):
    height, width = pixels.shape[0] // 4 * 4, pixels.shape[1] // 4 * 4
    return pixels[:height, :width].reshape(height // 4, 4, width // 4, 4, 3).mean((1, 3))


def alike(driver, url, file, name):
    theirs, ours = browser_shows(driver, file), camserve_shows(url, file)
    assert theirs.shape == ours.shape, name
    assert numpy.abs(blocks(theirs) - blocks(ours)).mean() <= MOST, name


@pytest.fixture
def blank(driver):
    driver.get("about:blank")
    driver.set_script_timeout(60)
    return driver


SCENE = pictures.scene(240, 160)


def with_chunk(name, content):
    png = pictures.png(SCENE)
    return png[:33] + pictures.chunk(name, content) + png[33:]


COLOURED = {
    **{f"{format}, {name}": (lambda make=make, writer=writer: writer(SCENE, icc_profile=make()))
       for name, make in profiles.KNOWN.items() for format, writer in {"jpeg": pictures.jpeg, "png": pictures.png, "webp": pictures.webp}.items()},
    "ink": lambda: pictures.jpeg(Image.fromarray(SCENE).convert("CMYK"), icc_profile=profiles.cmyk()),
    "ink without a profile": lambda: pictures.jpeg(Image.fromarray(SCENE).convert("CMYK")),
    "grey": lambda: pictures.jpeg(Image.fromarray(SCENE).convert("L"), icc_profile=profiles.grey(1.0)),
    "gamma 1.0": lambda: with_chunk(b"gAMA", struct.pack(">I", 100000)), "gamma 1/1.8": lambda: with_chunk(b"gAMA", struct.pack(">I", 55556)),
    "gamma of sRGB": lambda: with_chunk(b"gAMA", struct.pack(">I", 45455)),
}


@pytest.mark.parametrize("name", COLOURED)
def test_colours(blank, url, name):
    alike(blank, url, COLOURED[name](), name)


@pytest.mark.parametrize("kind", odd_pictures.KINDS)
def test_odd_pictures(blank, url, kind):
    """One in five of each kind. Shown by us alone: files that end with the last bit (the browser waits for more to come), or whose third byte is none
    that it knows a JPEG by; an animation turned by EXIF, or cut behind its first frame."""
    alone = (", nothing", ", half a marker", ", text", "no end", "turned", "cut after the first")
    odd = {name: file for name, (file, _) in odd_pictures.KINDS[kind](pictures.scene(90, 64)).items()
           if not name.endswith(alone) and (file[:2] != b"\xff\xd8" or file[2] == 0xFF)}
    for name, file in list(odd.items())[::5]:
        alike(blank, url, file, f"{kind}: {name}")
