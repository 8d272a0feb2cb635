"""camserve explain --show-input: what the network sees, as a picture and in numbers, against Pillow and NumPy."""
import io
import re

import numpy
import pytest
from PIL import Image

import networks
import pictures
from server import MODEL, run

LITE0 = ("RGB", (127, 127, 127), (1 / 128,) * 3)
VGG = ("BGR", (103.939, 116.779, 123.68), (1, 1, 1))


@pytest.mark.parametrize("which, resize, size", [(LITE0, "stretch", (224, 224)), (LITE0, "aspect", (352, 224)), (VGG, "stretch", (224, 224))])
def test_picture_and_numbers(tmp_path, small_file, which, resize, size):
    channels, mean, scale = which
    photo = pictures.scene(450, 290)
    (tmp_path / "photo.png").write_bytes(pictures.png(photo))
    result = run("explain", tmp_path / "photo.png", "--show-input", tmp_path / "seen.png", "--resize", resize, "--include", "none",
                 model=MODEL if which is LITE0 else small_file)
    assert result.returncode == 0, result.stderr
    seen = networks.input_picture(photo, *size)
    shown = Image.open(io.BytesIO((tmp_path / "seen.png").read_bytes()))
    assert shown.mode == "RGB" and numpy.array_equal(numpy.asarray(shown), seen), "the picture is RGB whatever the network's order"
    numbers = (seen[:, :, ["RGB".index(c) for c in channels]].astype(float) - mean) * scale
    rows = re.findall(r"^ +([123])  \((.) - (\S+)\) \* (\S+) +(\S+) +(\S+) +(\S+)$", result.stdout.decode(), re.M)
    assert [row[1] for row in rows] == list(channels), result.stdout.decode()
    for c, row in enumerate(rows):
        expected = (mean[c], scale[c], numbers[:, :, c].min(), numbers[:, :, c].mean(), numbers[:, :, c].max())
        assert [float(text) for text in row[2:]] == pytest.approx(expected, rel=1e-3, abs=1e-3), row


def test_json_stays_json_and_figures_go_to_standard_error(tmp_path, light_model, scene_png):
    (tmp_path / "photo.png").write_bytes(scene_png)
    result = run("explain", tmp_path / "photo.png", "--json", "--show-input", tmp_path / "seen.png", model=light_model)
    assert result.returncode == 0 and result.stdout.startswith(b"{") and b"channel" in result.stderr and (tmp_path / "seen.png").is_file()


def test_wrong_usage_and_what_cannot_be_written(tmp_path, light_model, scene_png):
    photo = tmp_path / "photo.png"
    photo.write_bytes(scene_png)
    for arguments in ((photo, photo, "--show-input", tmp_path / "seen.png"), (photo, "--show-input", "-")):
        result = run("explain", *arguments, model=light_model)
        assert result.returncode == 2 and b"--show-input" in result.stderr and not list(tmp_path.glob("seen*"))
    result = run("explain", photo, "--include", "none", "--show-input", tmp_path / "no/seen.png", model=light_model)
    assert result.returncode == 1 and b"picture" in result.stderr and b"No such file" in result.stderr
    broken = tmp_path / "broken.png"
    broken.write_bytes(scene_png[:100])
    result = run("explain", broken, "--show-input", tmp_path / "seen.png", model=light_model)
    assert result.returncode == 1 and not (tmp_path / "seen.png").exists()


def test_what_is_no_png_is_left_as_it_is(tmp_path, light_model, scene_png):
    """`--show-input dog.jpg coffee.jpg`: a flag without its value takes the first photo for it."""
    photo, seen = tmp_path / "photo.png", tmp_path / "seen.png"
    photo.write_bytes(scene_png)
    for name in "dog.jpg", "seen", "seen.png.txt":
        result = run("explain", "--show-input", tmp_path / name, photo, model=light_model)
        assert result.returncode == 2 and b"ends in .png" in result.stderr and not (tmp_path / name).exists(), name
    for content in b"\xff\xd8\xff\xe0 a JPEG", b"\x89PNG", b"x":
        seen.write_bytes(content)
        result = run("explain", "--show-input", seen, photo, model=light_model)
        assert result.returncode == 1 and b"left as it is" in result.stderr and seen.read_bytes() == content
    seen.write_bytes(b"")
    for _ in range(2):  # an empty file, and a PNG
        assert run("explain", "--show-input", seen, photo, model=light_model).returncode == 0 and Image.open(seen).format == "PNG"
