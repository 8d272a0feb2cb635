"""Every good photo: formats and their flavours, EXIF orientation. Seen through an overlay with alpha=0 at the original size.
What is `hostile` here are the decoders' least trodden ways, to be walked under the sanitizers, too."""
import io

import numpy
import pytest
from PIL import Image

import pictures
from client import explain


def shown(client, file):
    """What camserve takes the photo for: its pixels, and the answer."""
    answer = explain(client, file, alpha=0, size="original", top_k=1)
    assert (answer.image["height"], answer.image["width"]) == answer.first.overlay.shape[:2]
    return answer.first.overlay.astype(int), answer


def over_white(image):
    """Pillow's picture over white, as RGB."""
    image = image.convert("RGBA")
    return numpy.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")).astype(int)


def pil(array, mode):
    return Image.fromarray(array).convert(mode)


def with_alpha(scene, mode="RGBA"):
    alpha = numpy.linspace(0, 255, scene.shape[1]).astype(numpy.uint8)[None].repeat(scene.shape[0], 0)
    image = pil(scene, "RGB" if mode == "RGBA" else "L")
    image.putalpha(Image.fromarray(alpha))
    return image


PNGS = {
    "rgb": lambda s: pictures.png(s), "grey": lambda s: pictures.png(pil(s, "L")), "bilevel": lambda s: pictures.png(pil(s, "1")),
    "palette": lambda s: pictures.png(pil(s, "RGB").quantize(200)), "palette 4": lambda s: pictures.png(pil(s, "RGB").quantize(12), bits=4),
    "palette 1": lambda s: pictures.png(pil(s, "RGB").quantize(2), bits=1), "rgba": lambda s: pictures.png(with_alpha(s)),
    "grey alpha": lambda s: pictures.png(with_alpha(s, "LA")),
    "palette tRNS": lambda s: pictures.png(pil(s, "RGB").quantize(100), transparency=bytes(range(0, 200, 2))),
    "grey tRNS": lambda s: pictures.png(pil(s, "L"), transparency=77),
    "rgb tRNS": lambda s: pictures.png(s, transparency=tuple(int(v) for v in s[5, 5])), "interlaced": lambda s: pictures.interlaced(s),
    "level 9": lambda s: pictures.png(s, compress_level=9), "level 0": lambda s: pictures.png(s, compress_level=0),
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", PNGS)
def test_png(client, scene, name):
    file = PNGS[name](scene)
    seen, answer = shown(client, file)
    assert answer.image["format"] == "png"
    assert numpy.abs(seen - over_white(Image.open(io.BytesIO(file)))).max() <= 1


@pytest.mark.hostile
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_png_16_bit(client, scene, mode):
    """The upper eight bits count."""
    eight = with_alpha(scene, mode) if "A" in mode else pil(scene, mode)
    seen, _ = shown(client, pictures.png16(numpy.asarray(eight)))
    assert numpy.abs(seen - over_white(eight)).max() <= 1


@pytest.mark.hostile
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_png_packed_grey(client, depth):
    levels = (numpy.arange(37 * 23).reshape(23, 37) * 7) % 2 ** depth
    seen, _ = shown(client, pictures.packed_grey(levels, depth))
    assert numpy.array_equal(seen, (levels * (255 // (2 ** depth - 1)))[..., None].repeat(3, 2))


@pytest.mark.hostile
def test_png_with_chunks_that_do_not_matter(client, scene):
    plain = pictures.png(scene)
    extra = b"".join(pictures.chunk(k, d) for k, d in ((b"gAMA", bytes([0, 0, 177, 143])), (b"tEXt", b"a\0" + b"b" * 70000), (b"pHYs", bytes(9)),
                                                       (b"prVt", bytes(100)), (b"eXIf", bytes(30))))
    seen, _ = shown(client, plain[:33] + extra + plain[33:] + b"trailing bytes")
    assert numpy.array_equal(seen, scene)


WEBPS = {
    "lossy": lambda s: pictures.webp(s), "quality 5": lambda s: pictures.webp(s, quality=5), "slow": lambda s: pictures.webp(s, method=6),
    "lossless": lambda s: pictures.webp(s, lossless=True), "lossless, grey": lambda s: pictures.webp(pil(s, "L").convert("RGB"), lossless=True),
    "lossless, palette": lambda s: pictures.webp(pil(s, "RGB").quantize(12).convert("RGB"), lossless=True),
    "alpha": lambda s: pictures.webp(with_alpha(s)), "lossless alpha": lambda s: pictures.webp(with_alpha(s), lossless=True),
    "few levels of alpha": lambda s: pictures.webp(with_alpha(s), alpha_quality=10),
    "more chunks": lambda s: pictures.extended_webp(s.shape[1], s.shape[0], 0x28, pictures.riff_chunk(b"ICCP", b"odd"), pictures.riff_chunk(b"ZZZZ", b""),
                                                    pictures.riff_chunk(*pictures.webp_picture(s)), pictures.riff_chunk(b"XMP ", b"<x/>")),
    "bytes after the end": lambda s: pictures.webp(s) + b"trailing bytes",
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", WEBPS)
@pytest.mark.parametrize("width,height", [(160, 120), (161, 117), (1, 1), (17, 3)])
def test_webp(client, name, width, height):
    """The same library as Pillow's, so the same pixels."""
    file = WEBPS[name](pictures.scene(width, height))
    seen, answer = shown(client, file)
    assert answer.image == {"width": width, "height": height, "format": "webp", "orientation": 1}
    assert numpy.abs(seen - over_white(Image.open(io.BytesIO(file)))).max() <= 1


JPEGS = {
    "baseline": lambda s: pictures.jpeg(s, subsampling=0), "4:2:0": lambda s: pictures.jpeg(s, subsampling=2),
    "4:2:2": lambda s: pictures.jpeg(s, subsampling=1),
    "progressive": lambda s: pictures.jpeg(s, progressive=True, subsampling=0),
    "progressive 4:2:0": lambda s: pictures.jpeg(s, progressive=True, subsampling=2),
    "optimised": lambda s: pictures.jpeg(s, optimize=True, subsampling=0), "grey": lambda s: pictures.jpeg(pil(s, "L")),
    "quality 10": lambda s: pictures.jpeg(s, quality=10, subsampling=0),
    "CMYK": lambda s: pictures.jpeg(pil(s, "CMYK")), "RGB as it is": lambda s: pictures.jpeg(s, subsampling=0, dpi=(300, 300), comment=b"c" * 60000),
    "progressive grey": lambda s: pictures.jpeg(pil(s, "L"), progressive=True),
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("width,height", [(160, 120), (161, 117), (1, 1), (17, 3)])
def test_jpeg(client, name, width, height):
    """Decoders differ by a few levels (inverse DCT, chroma upsampling), never by a colour."""
    file = JPEGS[name](pictures.smooth(width, height))
    seen, answer = shown(client, file)
    assert answer.image["format"] == "jpeg"
    difference = numpy.abs(seen - numpy.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int))
    assert difference.max() <= 12 and difference.mean() <= 2


@pytest.mark.hostile
def test_cmyk_without_adobe_marker(client):
    """Nothing says then that the inks are inverted; they are taken for it, as Pillow and browsers do."""
    file = pictures.without_segment(pictures.jpeg(pil(pictures.smooth(64, 48), "CMYK")), 0xEE)
    seen, answer = shown(client, file)
    assert answer.image == {"width": 64, "height": 48, "format": "jpeg", "orientation": 1}
    assert numpy.abs(seen - numpy.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int)).max() <= 12


@pytest.mark.hostile
def test_ycck(client):
    """CMYK with Adobe's transform 2: the inks travel as YCC."""
    file = bytearray(pictures.jpeg(pil(pictures.smooth(64, 48), "CMYK")))
    at = file.find(b"Adobe")
    file[at + 11] = 2
    seen, _ = shown(client, bytes(file))
    assert numpy.abs(seen - numpy.asarray(Image.open(io.BytesIO(bytes(file))).convert("RGB")).astype(int)).mean() <= 6


BMPS = {"24 bit": lambda s: pictures.save(s, "BMP"), "8 bit palette": lambda s: pictures.save(pil(s, "P"), "BMP"),
        "grey": lambda s: pictures.save(pil(s, "L"), "BMP"),
        "1 bit": lambda s: pictures.save(pil(s, "1"), "BMP"), "top down": lambda s: top_down(s)}


def top_down(scene):
    file = bytearray(pictures.save(scene, "BMP"))
    file[22:26] = (-scene.shape[0]).to_bytes(4, "little", signed=True)
    rows = scene[:, :, ::-1].tobytes()
    assert scene.shape[1] % 4 == 0
    return bytes(file[:54]) + rows


@pytest.mark.hostile
@pytest.mark.parametrize("name", BMPS)
def test_bmp(client, scene, name):
    file = BMPS[name](scene)
    seen, answer = shown(client, file)
    assert answer.image["format"] == "bmp"
    assert numpy.array_equal(seen, numpy.asarray(Image.open(io.BytesIO(file)).convert("RGB")).astype(int))


# ---- EXIF ----
ORIENTED = {"jpeg": pictures.oriented, "png": pictures.oriented_png, "webp": pictures.oriented_webp}


@pytest.mark.hostile
@pytest.mark.parametrize("format", ORIENTED)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(client, orientation, order, format):
    upright = pictures.smooth(96, 64)
    seen, answer = shown(client, ORIENTED[format](upright, orientation, order))
    assert answer.image == {"width": 96, "height": 64, "format": format, "orientation": orientation}
    assert numpy.abs(seen - upright).max() <= 8


def test_box_and_size_follow_the_upright_photo(client):
    upright = explain(client, pictures.oriented(pictures.smooth(96, 64), 1), include="none")
    turned = explain(client, pictures.oriented(pictures.smooth(96, 64), 6), include="none")
    assert upright.input == turned.input
    assert turned.first.class_id == upright.first.class_id
    assert turned.first.box["x"] + turned.first.box["width"] <= 96 and turned.first.box["y"] + turned.first.box["height"] <= 64


def entry(tag, kind, count, value):
    return tag, kind, count, value.ljust(4, b"\0")


DAMAGED = {
    "orientation 0": pictures.exif(0), "orientation 9": pictures.exif(9), "orientation 65535": pictures.exif(65535), "empty": b"",
    "name alone": b"Exif\0\0", "no IFD": b"Exif\0\0II*\0",
    "IFD outside": pictures.exif(6, ifd=0x7FFFFFF0), "IFD at -8": pictures.exif(6, ifd=0xFFFFFFF8), "IFD in header": pictures.exif(6, ifd=0),
    "IFD odd": pictures.exif(6, ifd=7),
    "cut": pictures.exif(6)[:20], "cut in entry": pictures.exif(6)[:30], "wrong magic": pictures.exif(6).replace(b"*", b"+", 1),
    "order XX": pictures.exif(6).replace(b"II", b"XX", 1),
    "65535 entries": pictures.exif(6)[:14] + b"\xff\xff", "type long text": pictures.exif(6, entries=[entry(0x0112, 2, 1, b"\6")]),
    "count 0": pictures.exif(6, entries=[entry(0x0112, 3, 0, b"\6")]),
    "count 2^32-1": pictures.exif(6, entries=[entry(0x0112, 3, 0xFFFFFFFF, b"\6")]),
    "loop": pictures.exif(1)[:-4] + (8).to_bytes(4, "little"),
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_exif_is_no_exif(client, name):
    upright = pictures.smooth(64, 48)
    file = pictures.with_segment(pictures.jpeg(upright, quality=100, subsampling=0), 0xE1, DAMAGED[name])
    seen, answer = shown(client, file)
    if answer.image["orientation"] == 1:
        assert numpy.abs(seen - upright).max() <= 8
    else:  # an odd count is forgiven by many readers; nothing else is
        assert name.startswith(("count", "IFD odd")) and answer.image["orientation"] == 6


@pytest.mark.hostile
@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_exif_of_png_and_webp_is_no_exif(client, name):
    upright, damaged = pictures.smooth(64, 48), DAMAGED[name]
    png = pictures.png(upright)
    for file in (png[:33] + pictures.chunk(b"eXIf", damaged) + png[33:],
                 pictures.extended_webp(64, 48, 0x08, pictures.riff_chunk(*pictures.webp_picture(upright)), pictures.riff_chunk(b"EXIF", damaged))):
        assert shown(client, file)[1].image["orientation"] in ((1, 6) if name.startswith(("count", "IFD odd")) else (1,))


@pytest.mark.hostile
def test_exif_with_a_wrong_checksum_is_no_exif(client):
    file = bytearray(pictures.oriented_png(pictures.smooth(64, 48), 3))
    file[file.index(b"IDAT") - 5] ^= 1
    assert shown(client, bytes(file))[1].image["orientation"] == 1


@pytest.mark.hostile
def test_exif_after_other_segments_and_not_first_app1(client):
    stored = numpy.ascontiguousarray(pictures.STORED[8](pictures.smooth(64, 48)))
    file = pictures.jpeg(stored, quality=100, subsampling=0)
    file = pictures.with_segment(pictures.with_segment(file, 0xE1, pictures.exif(8)), 0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>")
    _, answer = shown(client, pictures.with_segment(file, 0xFE, b"comment"))
    assert answer.image["orientation"] == 8 and answer.image["width"] == 64


# ---- large JPEGs are decoded at 1/2, 1/4 or 1/8 where that is enough ----
@pytest.fixture(scope="module")
def large():
    """An RGB array of odd sides, none a multiple of 8."""
    return numpy.asarray(Image.fromarray(pictures.scene(301, 203)).resize((2407, 1623), Image.BICUBIC))


@pytest.mark.parametrize("resize", ["aspect", "stretch"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_jpeg_is_seen_as_its_png_is(client, large, resize, orientation):
    jpeg, png = [explain(client, f, alpha=0, include="overlay,map", resize=resize, top_k=1)
                 for f in (pictures.oriented(large, orientation), pictures.png(large))]
    assert (jpeg.image["width"], jpeg.image["height"]) == (2407, 1623) and jpeg.input == png.input
    difference = numpy.abs(jpeg.first.overlay.astype(int) - png.first.overlay)
    assert difference.mean() < 1 and (difference.max(axis=2) > 12).mean() < 0.001  # a shift by one pixel gives a mean of 4
    assert jpeg.first.class_id == png.first.class_id and abs(jpeg.first.logit - png.first.logit) < 0.5
    for side, cells in (("x", 11), ("y", 7), ("width", 11), ("height", 7)):
        assert abs(jpeg.first.box[side] - png.first.box[side]) < 2407 / cells
    assert jpeg.first.box["x"] + jpeg.first.box["width"] <= 2407 and jpeg.first.box["y"] + jpeg.first.box["height"] <= 1623


def test_large_jpeg_in_its_original_size(client, large):
    file = pictures.jpeg(large)
    seen, _ = shown(client, file)
    assert numpy.abs(seen - numpy.asarray(Image.open(io.BytesIO(file)))).max() <= 1


def test_labels_of_a_large_jpeg_do_not_depend_on_its_pictures(client, large):
    file, seen = pictures.jpeg(large), set()
    for include in ("none", "overlay", "heatmap"):
        for size in ("fit", "input", "original"):
            answer = explain(client, file, include=include, size=size, top_k=1)
            seen.add(str([{k: v for k, v in p.entry.items() if not k.endswith("_png")} for p in answer.predictions]))
    assert len(seen) == 1
