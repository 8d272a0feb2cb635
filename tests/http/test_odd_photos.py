"""Whole pictures in files that are not quite right (odd_pictures.py): where libjpeg, libpng and browsers show the picture, so does camserve, to the bit; where
data is missing, 422 says so."""
import io

import numpy
import pytest
from PIL import Image, ImageOps

import odd_pictures
import pictures
from client import cam, explain, problem

SCENE = pictures.scene(90, 64)


def shown(client, file):
    return explain(client, file, alpha=0, size="original", top_k=1).first.overlay.astype(int)


def pillow(file):
    """Pillow's picture, upright, over white."""
    image = Image.open(io.BytesIO(file))
    image.load()
    image = ImageOps.exif_transpose(image).convert("RGBA")
    return numpy.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")).astype(int)


@pytest.mark.hostile
@pytest.mark.parametrize("kind", odd_pictures.KINDS)
def test_the_whole_picture_is_shown(light_client, kind):
    odd = odd_pictures.KINDS[kind](SCENE)
    assert len(odd) >= 3
    for name, (file, good) in odd.items():
        try:
            seen = shown(light_client, file)
        except AssertionError as e:
            raise AssertionError(f"{kind}: {name}: {str(e)[:300]}") from None
        expected = pillow(good)
        assert seen.shape == expected.shape, name
        assert numpy.abs(seen - expected).max() <= 1, f"{kind}: {name}"  # 1: Pillow rounds transparency differently


def test_pillow_agrees_where_it_shows_them():
    """The makers are right: files that Pillow reads too have the picture that they say."""
    agreed = 0
    for kind, make in odd_pictures.KINDS.items():
        for name, (file, good) in make(SCENE).items():
            try:
                seen = pillow(file)
            except Exception:  # noqa: BLE001 (it has many)
                continue
            if "holes" in name or "bits" in name or "padding" in kind or "4444" in name or "1555" in name or "part" in name:
                continue  # where it knows a little less
            agreed += numpy.array_equal(seen, pillow(good))
    assert agreed > 100


def missing():
    """name -> file whose picture is not all there."""
    jpeg, progressive, png = (pictures.jpeg(SCENE), pictures.jpeg(SCENE, progressive=True), pictures.png(SCENE))
    frame = odd_pictures.animation(90, 64, odd_pictures.frame(SCENE, lossless=True))
    rle = odd_pictures.run_lengths(SCENE)
    parts = odd_pictures.chunks(png)
    files = {"jpeg without tables": odd_pictures.without_tables(jpeg)[:-200], "jpeg": jpeg[:-30], "jpeg's last blocks": jpeg[:-8],
             "progressive, its last scan": progressive[:-40], "progressive, half": progressive[:len(progressive) // 2],
             "png, its last rows": odd_pictures.png_of(parts[:-2]) + parts[-2][:-40], "png, its data": odd_pictures.png_of(parts[:-2] + parts[-1:]),
             "frame": frame[:-60], "frame, its chunk": frame[:4] + len(frame[8:-60]).to_bytes(4, "little") + frame[8:-60]}
    files |= {f"{name}, cut": file[:-len(file) // 5] for name, (file, _) in rle.items() if "runs" in name or "literals" in name}
    return files


@pytest.mark.hostile
@pytest.mark.parametrize("name", missing())
def test_missing_data_is_said(light_client, name):
    assert problem(cam(light_client, missing()[name]), 422)["code"] == "broken_photo"
