"""Files that are not photos, broken photos, and photos that mean harm: a clear 4xx each, and the program stays what it was."""
import re
import time

import pytest
from PIL import Image

import hostile
import pictures
from client import cam, explain, problem
from server import SANITIZED

pytestmark = pytest.mark.hostile
ROOM = 2000  # MiB that resident memory may rise for a moment under a sanitizer


@pytest.fixture(autouse=True)
def stays_alive(server):
    yield
    assert server.process.poll() is None
    assert server.client.get("/healthz").status_code == 200


@pytest.mark.parametrize("name", hostile.OTHER_FORMATS)
@pytest.mark.parametrize("content_type", ["image/jpeg", "application/octet-stream"])
def test_known_formats_are_named(client, name, content_type):
    problem(cam(client, hostile.OTHER_FORMATS[name], content_type=content_type), 415, detail=name)


@pytest.mark.parametrize("name", hostile.OTHER_DECODERS)
def test_other_bytes(client, name):
    problem(cam(client, hostile.OTHER_DECODERS[name]), 415)


@pytest.mark.parametrize("name", hostile.broken())
def test_broken(client, name):
    other_kind = name in ("jpeg arithmetic", "jpeg lossless", "jpeg 12 bit", "bmp RLE")  # whole files of a kind that is not supported
    problem(cam(client, hostile.broken()[name]), *((415,) if other_kind else (415, 422) if "alone" in name else (422,)))


@pytest.mark.parametrize("make", [hostile.huge_jpeg, hostile.huge_png, hostile.huge_bmp, hostile.huge_webp, hostile.huge_lossless_webp,
                                  hostile.huge_canvas_webp])
def test_64250_by_64250(server, make):
    """Or as large as a format can say."""
    before = server.watch_peak()
    assert problem(cam(server.client, make()), 422, detail="64000000")["code"] == "too_many_pixels"
    assert server.peak_mib() < before + 32


def test_limits_say_allowed_and_actual(start):
    server = start(max_pixels=10000, max_side=200)
    explain(server.client, pictures.png(pictures.smooth(100, 100)))
    for file in (pictures.png(pictures.smooth(101, 100)), pictures.jpeg(pictures.smooth(101, 100)), pictures.save(pictures.smooth(101, 100), "BMP"),
                 pictures.webp(pictures.smooth(101, 100)), pictures.webp(pictures.smooth(101, 100), lossless=True)):
        assert problem(cam(server.client, file), 422, detail="10000")["code"] == "too_many_pixels"
    problem(cam(server.client, pictures.png(pictures.smooth(201, 2))), 422, detail=["200", "201"])
    problem(cam(server.client, pictures.png(pictures.smooth(2, 201))), 422, detail=["200", "201"])


def test_idat_bomb(server):
    """1x1 by the header, 1 GiB of zeros in the data: the picture is whole, as browsers show it, and nothing of the rest is inflated."""
    file = hostile.idat_bomb(1024)
    assert len(file) < 2 << 20
    before = server.watch_peak()
    assert explain(server.client, file).document["image"]["width"] == 1
    assert server.peak_mib() < before + (ROOM if SANITIZED else 32)


def test_frames_in_frames(server):
    """A frame's chunks are walked, and a frame is no chunk of a frame: as deep as a body may be, or the stack ends."""
    for levels in (2, 100000, 800000):
        problem(cam(server.client, hostile.nested_frames(levels)), 422, detail="no picture in its first frame")


def test_a_png_hits_the_budget(start):
    server = start(decode_bytes=16 << 20)
    assert problem(cam(server.client, pictures.png(Image.new("RGB", (3000, 3000)))), 422)["code"] == "decode_budget"
    explain(server.client, pictures.png(pictures.smooth(300, 300)))


def test_decoding_stays_in_its_budget(start):
    """What the header says is too much, what only decoding shows, and what fits: never more resident than the budget beside what was before."""
    budget, flat = 48 << 20, Image.new("RGB", (3000, 2000), (90, 120, 60))  # 18 MB of pixels
    server = start(decode_bytes=budget, teams=1)
    explain(server.client, pictures.png(flat), include="none")
    before = server.watch_peak()
    too_much = {
        "progressive jpeg": hostile.huge_jpeg(6000, 5000, progressive=True), "png": hostile.huge_png(5000, 4000),
        "webp": hostile.huge_webp(5000, 4000), "lossless webp": hostile.black_webp(4000, 2500), "huffman tables": hostile.huffman_bomb(),
        "some huffman tables": hostile.black_webp(256, 256, 2),
    }
    for name, file in too_much.items():
        refused = problem(cam(server.client, file), 422, detail=str(budget))
        assert refused["code"] == "decode_budget" and int(re.search(r"(\d{8,})", refused["detail"])[1]) > budget, (name, refused)
    for file in (pictures.jpeg(flat.resize((2000, 1500)), progressive=True), pictures.jpeg(flat), pictures.webp(flat), hostile.black_webp(3000, 2000),
                 hostile.black_webp(160, 160, 2), hostile.inflating_png(3000, 2000, 64)):
        explain(server.client, file, include="none")
    assert server.peak_mib() < before + budget / 2 ** 20 + (ROOM if SANITIZED else 24)


def test_text_bomb_and_many_chunks(client):
    explain(client, hostile.text_bomb())  # text is not inflated
    problem(cam(client, hostile.many_idats()), 422)


def test_progressive_jpeg_with_1000_scans(client):
    assert problem(cam(client, hostile.scans_jpeg(1000)), 422, detail=["100"])["code"] == "decode_budget"


def test_progressive_jpeg_with_few_scans_is_fine(client):
    explain(client, pictures.jpeg(pictures.smooth(200, 200), progressive=True))


def test_jpeg_without_scan_data(client):
    problem(cam(client, hostile.no_scan_jpeg()), 422)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.95])
def test_cut_files(client, share):
    for format in ("PNG", "JPEG", "BMP", "WEBP"):
        file = pictures.save(pictures.scene(200, 150), format)
        problem(cam(client, file[:int(len(file) * share)]), 422, 415)


def test_bit_flips(client):
    """Any answer but 5xx and death; 180 files with 12 flips each, the checksums of PNGs made right again."""
    import numpy
    random = numpy.random.default_rng(5)
    goods = [pictures.save(pictures.scene(60, 40), f, **o) for f, o in (("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("BMP", {}),
                                                                    ("WEBP", {}), ("WEBP", {"lossless": True}))]
    for i in range(180):
        file = numpy.frombuffer(goods[i % 6], numpy.uint8).copy()
        at = random.integers(0, len(file) if i % 3 else min(len(file), 120), 12)
        file[at] ^= random.integers(1, 256, 12).astype(numpy.uint8)
        file = pictures.mended(file.tobytes()) if i % 6 == 0 else file.tobytes()
        response = cam(client, file, top_k=1, include="none")
        assert response.status_code == 200 or problem(response, 415, 422)


def test_error_names_its_stage(client):
    assert problem(cam(client, hostile.no_scan_jpeg()), 422)["stage"] == "decode"


def test_broken_photo_with_png_wish(client):
    problem(cam(client, hostile.half(pictures.png(pictures.scene(50, 50))), accept="image/png"), 422)


def test_memory_returns(server):
    """The costliest refusals again and again leave nothing behind."""
    files = [hostile.huge_jpeg(), hostile.scans_jpeg(1000), hostile.half(pictures.png(pictures.scene(600, 600))), hostile.idat_bomb(64)]
    for file in files:
        cam(server.client, file)
    before = server.resident_mib()
    for _ in range(10):
        for file in files:
            cam(server.client, file)
    time.sleep(0.2)
    assert server.resident_mib() < before + (200 if SANITIZED else 12)
