"""Colours become sRGB: profiles of every format, gAMA and cHRM, against what their definitions say, computed here (profiles.py) without any library; and
what is broken, does not fit or says sRGB changes nothing. Seen through an overlay with alpha=0 at the original size."""
import io
import struct
import zlib

import numpy
import pytest
from PIL import Image

import pictures
import profiles
from client import explain

SMOOTH = pictures.smooth(96, 64)
SHEER = numpy.concatenate([SMOOTH, numpy.linspace(0, 255, 96).astype(numpy.uint8)[None, :, None].repeat(64, 0)], 2)
TO_SRGB = numpy.linalg.inv(profiles.matrix(profiles.SRGB))


def shown(client, file, **parameters):
    return explain(client, file, alpha=0, **{"size": "original", "top_k": 1, **parameters}).first.overlay.astype(int)


def blocks(pixels):
    height, width, _ = pixels.shape
    return pixels.reshape(height // 4, 4, width // 4, 4, 3).mean((1, 3))


def near(seen, expected, most=1.0):
    """Mean difference of blocks of 4 x 4, and no block far off."""
    difference = numpy.abs(blocks(seen) - blocks(numpy.asarray(expected, float)))
    assert difference.mean() <= most and difference.max() <= 6, (difference.mean(), difference.max())


def levels(light):
    return 255 * profiles.srgb_samples(light)


def of_rgb(samples, primaries, light, white=profiles.D65):
    """What sRGB samples the definition gives."""
    return levels(light(samples / 255) @ (TO_SRGB @ profiles.matrix(primaries, white)).T)


SPACES = {
    "AdobeRGB": (profiles.ADOBE, lambda v: v ** 2.19921875, profiles.D65), "Display P3": (profiles.P3, profiles.srgb_light, profiles.D65),
    "ProPhoto": (profiles.PROPHOTO, lambda v: v ** 1.8, profiles.PROPHOTO_WHITE),
}
WRITERS = {
    "jpeg": lambda icc: pictures.jpeg(SMOOTH, quality=100, subsampling=0, icc_profile=icc),
    "progressive jpeg": lambda icc: pictures.jpeg(SMOOTH, quality=100, subsampling=0, progressive=True, icc_profile=icc),
    "png": lambda icc: pictures.png(SMOOTH, icc_profile=icc), "webp": lambda icc: pictures.webp(SMOOTH, lossless=True, icc_profile=icc),
    "png 16": lambda icc: with_chunks(pictures.png16(SMOOTH), iccp(icc)), "interlaced png": lambda icc: with_chunks(pictures.interlaced(SMOOTH), iccp(icc)),
    "palette png": lambda icc: pictures.png(Image.fromarray(SMOOTH).quantize(256), icc_profile=icc),
}


def with_chunks(png, *chunks):
    return png[:33] + b"".join(chunks) + png[33:]


def iccp(icc):
    return pictures.chunk(b"iCCP", b"x\0\0" + zlib.compress(icc))


def gama(gamma):
    return pictures.chunk(b"gAMA", struct.pack(">I", round(gamma * 100000)))


def chrm(primaries, white=profiles.D65):
    return pictures.chunk(b"cHRM", struct.pack(">8I", *(round(v * 100000) for v in (*white, *primaries[0], *primaries[1], *primaries[2]))))


@pytest.mark.hostile
@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("writer", WRITERS)
def test_profiles_of_rgb(client, writer, space):
    primaries, light, white = SPACES[space]
    seen = shown(client, WRITERS[writer](profiles.KNOWN[space]()))
    stored = numpy.asarray(Image.fromarray(SMOOTH).quantize(256).convert("RGB")) if writer == "palette png" else SMOOTH
    near(seen, of_rgb(stored, primaries, light, white))
    assert numpy.abs(seen - stored).mean() > 2  # it did make a difference


@pytest.mark.parametrize("format", ["png", "webp"])
def test_colours_come_before_transparency(client, format):
    image, icc = Image.fromarray(SHEER), profiles.KNOWN["ProPhoto"]()
    file = pictures.png(image, icc_profile=icc) if format == "png" else pictures.webp(image, lossless=True, exact=True, icc_profile=icc)
    alpha = SHEER[..., 3:] / 255
    near(shown(client, file), of_rgb(SMOOTH, *SPACES["ProPhoto"]) * alpha + 255 * (1 - alpha))


@pytest.mark.parametrize("parameters", [{"size": "input"}, {"size": "original"}, {"size": "original", "include": "overlay,heatmap"}])
def test_a_jpeg_decoded_to_less_is_converted_too(client, parameters):
    big = pictures.smooth(1600, 1280)
    plain, coloured = (shown(client, pictures.jpeg(big, quality=100, icc_profile=icc), **parameters) for icc in (None, profiles.KNOWN["ProPhoto"]()))
    near(coloured, of_rgb(plain, *SPACES["ProPhoto"]))


def test_turned_and_coloured(client):
    primaries, light, white = SPACES["ProPhoto"]
    file = pictures.oriented(SMOOTH, 6)
    parts = profiles.KNOWN["ProPhoto"]()
    near(shown(client, pictures.with_segment(file, 0xE2, b"ICC_PROFILE\0\1\1" + parts)), of_rgb(SMOOTH, primaries, light, white))


@pytest.mark.parametrize("parts", [2, 3, 7])
@pytest.mark.parametrize("order", [1, -1])
def test_a_profile_in_several_segments(client, parts, order):
    icc = profiles.KNOWN["ProPhoto"]()
    size = -(-len(icc) // parts)
    pieces = [(i + 1, icc[i * size:(i + 1) * size]) for i in range(parts)][::order]
    file = pictures.jpeg(SMOOTH, quality=100, subsampling=0)
    for number, piece in reversed(pieces):
        file = pictures.with_segment(file, 0xE2, b"ICC_PROFILE\0" + bytes([number, parts]) + piece)
    near(shown(client, file), of_rgb(SMOOTH, *SPACES["ProPhoto"]))


@pytest.mark.hostile
@pytest.mark.parametrize("gamma", [1.0, 0.5556, 1.8])
def test_profiles_of_grey(client, gamma):
    grey = Image.fromarray(SMOOTH).convert("L")
    expected = levels((numpy.asarray(grey)[..., None].repeat(3, 2) / 255) ** gamma)
    near(shown(client, pictures.jpeg(grey, quality=100, icc_profile=profiles.grey(gamma))), expected)
    near(shown(client, pictures.png(grey, icc_profile=profiles.grey(gamma))), expected)
    near(shown(client, pictures.jpeg(grey, quality=100, icc_profile=profiles.rgb(profiles.SRGB, gamma))), expected)


@pytest.mark.hostile
@pytest.mark.parametrize("grid", [7, 9, 17])
def test_a_profile_of_ink(client, grid):
    """Adobe's way, as everyone: 255 is no ink."""
    ink = numpy.concatenate([SMOOTH, numpy.full_like(SMOOTH[..., :1], 200)], 2)
    file = pictures.jpeg(Image.fromarray(ink, "CMYK"), quality=100, icc_profile=profiles.cmyk(grid))
    stored = numpy.asarray(Image.open(io.BytesIO(file)), float) / 255  # as ink: Pillow turns it over
    near(shown(client, file), levels(profiles.ink_light(stored)), most=3)


@pytest.mark.parametrize("chunks,primaries,gamma", [
    ([gama(1.0)], profiles.SRGB, 1.0), ([gama(1 / 1.8)], profiles.SRGB, 1.8), ([gama(1.0), chrm(profiles.SRGB)], profiles.SRGB, 1.0),
    ([gama(0.45455), chrm(profiles.ADOBE)], profiles.ADOBE, 2.2), ([chrm(profiles.P3), gama(0.5)], profiles.P3, 2.0)])
@pytest.mark.parametrize("kind", ["rgb", "16", "interlaced"])
def test_gamma_and_primaries_of_png(client, kind, chunks, primaries, gamma):
    file = {"rgb": pictures.png, "16": pictures.png16, "interlaced": pictures.interlaced}[kind](SMOOTH)
    near(shown(client, with_chunks(file, *chunks)), of_rgb(SMOOTH, primaries, lambda v: v ** gamma))


@pytest.mark.parametrize("first", [True, False])
def test_a_profile_goes_before_the_other_chunks(client, first):
    others = [gama(1.0), chrm(profiles.P3)]
    prophoto, srgb = iccp(profiles.KNOWN["ProPhoto"]()), pictures.chunk(b"sRGB", b"\0")
    for more in (others, [srgb], [srgb, *others]):
        chunks = [prophoto, *more] if first else [*more, prophoto]
        near(shown(client, with_chunks(pictures.png(SMOOTH), *chunks)), of_rgb(SMOOTH, *SPACES["ProPhoto"]))
    assert numpy.array_equal(shown(client, with_chunks(pictures.png(SMOOTH), *([srgb, *others] if first else [*others, srgb]))), SMOOTH)


def unchanged():
    """name -> (file with something about its colours, the same without)"""
    srgb, wide = profiles.KNOWN["sRGB"](), profiles.KNOWN["ProPhoto"]()
    inks, greys, coarse = profiles.cmyk(3), profiles.grey(1.0), profiles.rgb(profiles.SRGB, profiles.srgb_light(numpy.linspace(0, 1, 200)), name=b"nameless")
    pixels = wide[:12] + b"nmcl" + wide[16:]
    icc = {"sRGB": srgb, "sRGB with another name": coarse, "ink's": inks, "grey's": greys, "empty": b"x", "half": wide[:len(wide) // 2], "its header": wide[:128],
           "noise": numpy.random.default_rng(1).bytes(3000), "without its curves": wide.replace(b"TRC", b"TRX"), "of named colours": pixels,
           "of offsets outside": wide[:132] + b"".join(wide[at:at + 4] + b"\xff" * 4 + wide[at + 8:at + 12] for at in range(132, 240, 12)) + wide[240:],
           "of a million tags": wide[:128] + b"\0\x0f\xff\xff" + wide[132:]}
    files = {}
    for name, content in icc.items():
        for kind, writer in {"jpeg": lambda c: pictures.jpeg(SMOOTH, icc_profile=c), "webp": lambda c: pictures.webp(SMOOTH, lossless=True, icc_profile=c)}.items():
            files[f"{kind}, {name}"] = (writer(content), writer(None))
        files[f"png, {name}"] = (with_chunks(pictures.png(SMOOTH), iccp(content)), pictures.png(SMOOTH))
    files["jpeg, a part is missing"] = (pictures.with_segment(pictures.jpeg(SMOOTH), 0xE2, b"ICC_PROFILE\0\1\2" + wide), pictures.jpeg(SMOOTH))
    files["jpeg, MPF"] = (pictures.with_segment(pictures.jpeg(SMOOTH), 0xE2, b"MPF\0" + wide), pictures.jpeg(SMOOTH))
    for name, chunks in {"gamma of sRGB": [gama(0.45455)], "sRGB's numbers": [gama(0.45455), chrm(profiles.SRGB)], "primaries alone": [chrm(profiles.P3)],
                         "sRGB": [pictures.chunk(b"sRGB", b"\0"), gama(1.0)], "cICP": [pictures.chunk(b"cICP", bytes([9, 16, 0, 1]))]}.items():
        files[f"png, {name}"] = (with_chunks(pictures.png(SMOOTH), *chunks), pictures.png(SMOOTH))
    ink = Image.fromarray(SMOOTH).convert("CMYK")
    files["ink, RGB's"] = (pictures.jpeg(ink, icc_profile=wide), pictures.jpeg(ink))
    files["ink, half"] = (pictures.jpeg(ink, icc_profile=inks[:500]), pictures.jpeg(ink))
    return files


@pytest.mark.hostile
@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "ink"])
def test_nothing_changes(client, format):
    """What is broken or does not fit is ignored, and sRGB costs no bit."""
    for name, (file, plain) in unchanged().items():
        if name.startswith(format):
            assert numpy.array_equal(shown(client, file), shown(client, plain)), name
