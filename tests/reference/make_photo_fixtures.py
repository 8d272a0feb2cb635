#!/usr/bin/python3
"""Writes tests/unit/photo_fixtures.h: small photos of every kind with the pixels they must give, and checksums of scaled pictures.

The pixels are Pillow's. Where Pillow does something else on purpose (16-bit grey is clipped by convert('RGB'), alpha of 16 bits) they follow
the definition instead: 16 bits keep the upper 8, transparency is laid over white and rounded. The result is committed: the unit tests need neither
Python nor this script. Needs python3-pil, python3-numpy, cjpeg and jpegtran (libjpeg-turbo-progs), cwebp (webp)."""
import io
import os
import struct
import subprocess
import tempfile
import zlib

import numpy as np
from PIL import Image, ImageOps

OUT = os.path.join(os.path.dirname(__file__), "..", "unit", "photo_fixtures.h")
rng = np.random.default_rng(3)
fixtures = []


def over_white(pixels):  # [h,w,4] -> [h,w,3]
    rgb, alpha = pixels[..., :3].astype(int), pixels[..., 3:].astype(int)
    return (2 * (rgb * alpha + 255 * (255 - alpha)) + 255) // 510


def pillow(data):
    image = Image.open(io.BytesIO(data))
    image.load()  # or EXIF after the pixels is not seen
    return over_white(np.asarray(ImageOps.exif_transpose(image).convert("RGBA")))


def add(name, kind, data, pixels=None, tolerance=0, orientation=1):
    seen = pillow(data) if pixels is None else np.asarray(pixels)
    fixtures.append((name, kind, data, seen.astype(np.uint8), tolerance, orientation))


# ---- JPEG ----
def photo(width, height):  # smooth colours with an edge
    y, x = np.mgrid[:height, :width]
    p = np.stack([40 + 170 * x / width, 220 - 150 * y / height, 60 + 120 * (x + y) / (width + height)], -1)
    p[height // 3:2 * height // 3, width // 4:width // 2] = (200, 60, 90)
    return Image.fromarray(p.astype(np.uint8))


def jpeg(image, **options):
    out = io.BytesIO()
    image.save(out, "JPEG", **{"quality": 90, "optimize": True, **options})
    return out.getvalue()


def exif(order, orientation):
    e = "<" if order == "II" else ">"
    return b"Exif\0\0" + order.encode() + struct.pack(e + "HIHHHIHHI", 42, 8, 1, 0x112, 3, 1, orientation, 0, 0)


def transform(data, *options):
    return subprocess.run(["jpegtran", *options], input=data, capture_output=True, check=True).stdout


def compress(image, *options):
    ppm = io.BytesIO()
    image.save(ppm, "PPM")
    return subprocess.run(["cjpeg", "-quality", "90", *options], input=ppm.getvalue(), capture_output=True, check=True).stdout


def separate(data):  # baseline, but not interleaved
    with tempfile.NamedTemporaryFile("w") as script:
        script.write("0; 1; 2;\n")
        script.flush()
        return transform(data, "-scans", script.name)


small = photo(21, 13)
add("jpeg 4:4:4", "JPEG", jpeg(small, subsampling=0))
add("jpeg 4:2:0", "JPEG", jpeg(small, subsampling=2))
for sampling in ("2x1", "1x2", "4x1", "4x2"):
    add(f"jpeg sampling {sampling}", "JPEG", compress(small, "-sample", sampling))
add("jpeg grey", "JPEG", jpeg(small.convert("L")))
add("jpeg RGB", "JPEG", compress(small, "-rgb"))
add("jpeg, a scan each", "JPEG", separate(compress(small, "-sample", "2x2")))
add("jpeg progressive", "JPEG", jpeg(small, subsampling=0, progressive=True))
add("jpeg restart markers", "JPEG", transform(jpeg(small, subsampling=0), "-restart", "1B"))
add("jpeg progressive, restart markers", "JPEG", transform(jpeg(small, subsampling=0), "-progressive", "-restart", "2B"))
cmyk = jpeg(small.convert("CMYK"), quality=95)
at = cmyk.index(b"\xff\xee")
size = 2 + struct.unpack(">H", cmyk[at + 2:at + 4])[0]
add("jpeg CMYK, Adobe's marker", "JPEG", cmyk)
add("jpeg CMYK, no marker", "JPEG", cmyk[:at] + cmyk[at + size:])
add("jpeg YCCK", "JPEG", cmyk[:at + size - 1] + b"\2" + cmyk[at + size:])
add("jpeg YCCK by another name", "JPEG", cmyk[:at + size - 1] + b"\1" + cmyk[at + size:])
for order in ("II", "MM"):
    for orientation in range(1, 9):
        add(f"jpeg {order} orientation {orientation}", "JPEG", jpeg(photo(9, 5), subsampling=0, exif=exif(order, orientation)), orientation=orientation)
noise = Image.fromarray(rng.integers(0, 256, (40, 56), dtype=np.uint8))
add("jpeg of 35 blocks", "JPEG", jpeg(noise, quality=20))


# ---- PNG ----
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def rows(samples, bits):
    out = b""
    for row in samples:
        text = "".join(format(int(v), f"0{bits}b") for v in row.ravel())
        text += "0" * (-len(text) % 8)
        out += b"\0" + int(text, 2).to_bytes(len(text) // 8, "big")
    return out


def png(samples, bits, colour, interlace=0, extra=b"", end=True, raw=None):
    h, w = samples.shape[:2]
    if raw is None:
        parts = [samples[y::dy, x::dx] for x, y, dx, dy in PASSES] if interlace else [samples]
        raw = b"".join(rows(p, bits) for p in parts if p.size)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, bits, colour, 0, 0, interlace)) + extra
            + chunk(b"IDAT", zlib.compress(raw, 9)) + (chunk(b"IEND", b"") if end else b""))


def png_pixels(samples, bits, colour, palette=None, transparent=None):
    def eight(v):
        return v >> 8 if bits == 16 else v * 255 // ((1 << bits) - 1)
    alpha = np.full(samples.shape[:2] + (1,), 255)
    if colour == 3:
        table = np.zeros((256, 4), int)
        table[:, 3] = 255
        table[:len(palette), :3] = palette
        if transparent is not None:
            table[:len(transparent), 3] = transparent
        return over_white(table[samples[..., 0]])
    if colour & 4:
        alpha = eight(samples[..., -1:])
    elif transparent is not None:
        alpha = np.where((samples == transparent).all(-1, keepdims=True), 0, 255)
    rgb = eight(samples[..., :3]) if colour & 2 else np.repeat(eight(samples[..., :1]), 3, -1)
    return over_white(np.concatenate([rgb, alpha], -1))


def add_png(name, bits, colour, interlace=0, palette=None, transparent=None, end=True):
    most = len(palette) if palette is not None and "short" not in name else 1 << bits
    samples = rng.integers(0, most, (5, 7, CHANNELS[colour]))
    extra = b""
    if palette is not None:
        extra += chunk(b"PLTE", palette.astype(np.uint8).tobytes())
    if isinstance(transparent, str):
        transparent = samples[0, 0]
    if transparent is not None:
        extra += chunk(b"tRNS", transparent.astype(np.uint8 if colour == 3 else ">u2").tobytes())
    data, pixels = png(samples, bits, colour, interlace, extra, end), png_pixels(samples, bits, colour, palette, transparent)
    if bits < 16 and end and "short" not in name:
        assert np.array_equal(pillow(data), pixels), name
    add("png " + name, "PNG", data, pixels)


palette = rng.integers(0, 256, (16, 3))
for interlace in (0, 1):
    lace = ", interlaced" if interlace else ""
    for colour, name in ((0, "grey"), (2, "RGB"), (4, "grey and alpha"), (6, "RGB and alpha")):
        for bits in (1, 2, 4, 8, 16) if colour == 0 else (8, 16):
            add_png(f"{name} {bits}{lace}", bits, colour, interlace)
    for bits in (1, 2, 4, 8):
        add_png(f"palette {bits}{lace}", bits, 3, interlace, palette[:1 << bits])
add_png("grey 8, one transparent", 8, 0, transparent="first")
add_png("grey 2, one transparent", 2, 0, transparent="first")
add_png("RGB 8, one transparent", 8, 2, transparent="first")
add_png("RGB 16, one transparent", 16, 2, transparent="first")
add_png("palette 4 with alpha", 4, 3, palette=palette, transparent=np.array([0, 100, 200]))
add_png("short palette", 2, 3, palette=palette[:2])
add_png("no IEND", 8, 2, end=False)


# ---- BMP ----
def bmp(samples, bits, header=40, compression=0, masks=(), top_down=False, palette=None, gap=0):
    h, w = samples.shape[:2]
    data = b""
    for row in samples if top_down else samples[::-1]:
        if bits <= 8:
            line = rows(row[None], bits)[1:]
        elif bits == 24:
            line = row[:, ::-1].astype(np.uint8).tobytes()
        else:
            line = row.astype("<u2" if bits == 16 else "<u4").tobytes()
        data += line + b"\0" * (-len(line) % 4)
    if header == 12:
        head = struct.pack("<IHHHH", 12, w, h, 1, bits)
    else:
        head = struct.pack("<IiiHHIIIIII", header, w, -h if top_down else h, 1, bits, compression, 0, 0, 0, 0, 0)
        head += b"".join(struct.pack("<I", m) for m in masks)
        head = head if header == 40 else head.ljust(header, b"\0")
    colours = b"" if palette is None else b"".join(bytes(c[::-1]) + (b"" if header == 12 else b"\0") for c in palette.astype(np.uint8).tolist())
    offset = 14 + len(head) + len(colours) + gap
    return struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + head + colours + b"\0" * gap + data


for bits in (1, 4, 8):
    samples = rng.integers(0, min(1 << bits, 11), (5, 7, 1))
    colours = palette[:min(1 << bits, 11)]
    for header in (12, 40, 64, 124):
        add(f"bmp palette {bits}, header {header}", "BMP", bmp(samples, bits, header, palette=colours), colours[samples[..., 0]])
rgb = rng.integers(0, 256, (5, 7, 3))
add("bmp 24", "BMP", bmp(rgb, 24))
add("bmp 24, top row first", "BMP", bmp(rgb, 24, top_down=True))
add("bmp 24, header 12", "BMP", bmp(rgb, 24, 12))
add("bmp 24, gap", "BMP", bmp(rgb, 24, gap=9), rgb)
samples = rng.integers(0, 1 << 16, (5, 7, 1))
add("bmp 555", "BMP", bmp(samples, 16), tolerance=1)
add("bmp 565", "BMP", bmp(samples, 16, 40, 3, (0xf800, 0x7e0, 0x1f)), tolerance=1)
samples = rng.integers(0, 1 << 32, (5, 7, 1))
add("bmp 32, no alpha", "BMP", bmp(samples, 32))
add("bmp 32, header 56, alpha", "BMP", bmp(samples, 32, 56, 3, (0xff0000, 0xff00, 0xff, 0xff000000)),
    over_white(np.stack([samples[..., 0] >> s & 255 for s in (16, 8, 0, 24)], -1)))

# ---- More PNG: each way of being transparent, and EXIF ----
rng = np.random.default_rng(4)
for interlace in (0, 1):
    lace = ", interlaced" if interlace else ""
    for bits in (1, 2, 4, 8, 16):
        add_png(f"grey {bits}, one level transparent{lace}", bits, 0, interlace, transparent="first")
    for bits in (8, 16):
        add_png(f"RGB {bits}, one colour transparent{lace}", bits, 2, interlace, transparent="first")
    for bits in (1, 2, 4, 8):
        add_png(f"palette {bits} with alpha{lace}", bits, 3, interlace, palette[:1 << bits], np.array([0, 100, 200, 255])[:1 << bits])


def split(data, parts):  # its IDAT into several, the second one empty
    at = data.index(b"IDAT")
    size = struct.unpack(">I", data[at - 4:at])[0]
    content, cuts = data[at + 4:at + 4 + size], [0, 1, 1] + [size * i // parts for i in range(1, parts + 1)]
    return data[:at - 4] + b"".join(chunk(b"IDAT", content[a:b]) for a, b in zip(cuts, cuts[1:])) + data[at + 8 + size:]


def tiff(order, orientation):
    return exif(order, orientation)[6:]


plain = png(rng.integers(0, 256, (5, 7, 3)), 8, 2)
pixels = pillow(plain)
add("png of many IDAT chunks", "PNG", split(plain, 9), pixels)
for orientation in range(1, 9):
    order = "IM"[orientation % 2] * 2
    add(f"png orientation {orientation}", "PNG", png(rng.integers(0, 256, (5, 7, 3)), 8, 2, extra=chunk(b"eXIf", tiff(order, orientation))), orientation=orientation)
add("png orientation after the pixels", "PNG", plain[:-12] + chunk(b"eXIf", tiff("MM", 6)) + plain[-12:], orientation=6)
add("png orientation named", "PNG", plain[:33] + chunk(b"eXIf", exif("II", 3)) + plain[33:], pixels[::-1, ::-1], orientation=3)
add("png orientation, wrong checksum", "PNG", plain[:33] + chunk(b"eXIf", tiff("II", 6))[:-1] + b"!" + plain[33:], pixels)
add("png orientation 9", "PNG", plain[:33] + chunk(b"eXIf", tiff("II", 9)) + plain[33:], pixels)


# ---- WebP ----
def webp(image, **options):
    out = io.BytesIO()
    image.save(out, "WEBP", **{"quality": 80, "method": 6, **options})
    return out.getvalue()


def riff(*chunks):
    body = b"WEBP" + b"".join(name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1) for name, content in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_chunks(data):
    at, out = 12, []
    while at + 8 <= len(data):
        size = struct.unpack("<I", data[at + 4:at + 8])[0]
        out.append((data[at:at + 4], data[at + 8:at + 8 + size]))
        at += 8 + size + (size & 1)
    return out


def extended(width, height, flags, *chunks):
    return riff((b"VP8X", struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]), *chunks)


def cwebp(image, *options):
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        image.save(file, "PNG")
        file.flush()
        return subprocess.run(["cwebp", "-quiet", *options, file.name, "-o", "-"], capture_output=True, check=True).stdout


ALPHA, EXIF, ICCP = 0x10, 0x08, 0x20
sheer = small.convert("RGBA")
sheer.putalpha(Image.fromarray((np.arange(21 * 13).reshape(13, 21) * 7 % 256).astype(np.uint8)))
few = small.quantize(5).convert("RGB")
add("webp lossy", "WEBP", webp(small))
add("webp lossy, quality 5", "WEBP", webp(small, quality=5))
add("webp lossy, simple filter", "WEBP", cwebp(small, "-nostrong", "-f", "60", "-q", "30"))
add("webp lossy, no filter, 4 segments, 8 partitions", "WEBP", cwebp(small, "-f", "0", "-segments", "4", "-partition_limit", "0", "-q", "60"))
add("webp lossy and alpha", "WEBP", webp(sheer))
add("webp lossy and alpha, uncompressed", "WEBP", cwebp(sheer, "-alpha_method", "0", "-alpha_filter", "best"))
add("webp lossy and alpha, two levels", "WEBP", cwebp(sheer, "-alpha_q", "0"))
add("webp lossless", "WEBP", webp(small, lossless=True))
add("webp lossless and alpha", "WEBP", webp(sheer, lossless=True, exact=True))
add("webp lossless, palette", "WEBP", webp(few, lossless=True))
add("webp lossless, 2 colours", "WEBP", webp(small.convert("1").convert("RGB"), lossless=True))
add("webp lossless, noise", "WEBP", webp(Image.fromarray(rng.integers(0, 256, (9, 14, 3), dtype=np.uint8)), lossless=True))
add("webp 1 x 1", "WEBP", webp(photo(1, 1)))
add("webp lossless 1 x 1", "WEBP", webp(photo(1, 1), lossless=True))
picture = webp_chunks(webp(photo(9, 5)))
for orientation in range(1, 9):
    order = "IM"[orientation % 2] * 2
    head = exif if orientation > 4 else tiff
    add(f"webp orientation {orientation}", "WEBP", extended(9, 5, EXIF, *picture, (b"EXIF", head(order, orientation))), orientation=orientation)
add("webp of more chunks", "WEBP", extended(9, 5, ICCP | EXIF, (b"ICCP", b"odd"), (b"ZZZZ", b""), *picture, (b"EXIF", tiff("II", 6)), (b"XMP ", b"<x/>")), orientation=6)
add("webp orientation without its flag", "WEBP", extended(9, 5, 0, *picture, (b"EXIF", tiff("II", 6))), pillow(riff(*picture)))

# ---- A PNG of one pixel whose data inflates to 4 MB ----
bomb = png(np.zeros((1, 1, 3), int), 8, 2, raw=b"\0" * (4 << 20))

# ---- Scaling: noise, half of it black or white so that sums leave 0..255; the generator is in test_resize.c too ----
SHAPES = [(1, 1, 1, 1), (1, 1, 5, 3), (7, 5, 4, 9), (5, 7, 5, 3), (5, 7, 3, 7), (5, 7, 5, 7), (2, 2, 1, 1), (3, 1, 2, 2), (64, 48, 31, 17), (17, 31, 64, 48),
          (33, 20, 32, 20), (33, 20, 33, 19), (100, 3, 3, 100), (1, 20000, 7, 512), (20000, 1, 512, 3), (32768, 2, 1, 1), (2, 32768, 9, 33), (1, 1, 1, 32768),
          (500, 436, 224, 224), (500, 375, 288, 224), (224, 288, 375, 500), (640, 480, 639, 481)]


def made(n):
    x, out = 2463534242, bytearray()
    for _ in range(n):
        x ^= x << 13 & 0xffffffff
        x ^= x >> 17
        x ^= x << 5 & 0xffffffff
        out.append(x >> 8 & 255 if x & 1 else 255 * (x >> 1 & 1))
    return bytes(out)


def fnv1a(data):
    h = 0xcbf29ce484222325
    for b in data:
        h = (h ^ b) * 0x100000001b3 & 0xffffffffffffffff
    return h


# ---- JPEG at 1/2, 1/4 and 1/8: the same library's own, through Pillow's draft ----
def scaled(data, shrink):
    image = Image.open(io.BytesIO(data))
    image.draft(None, (image.width // shrink, image.height // shrink))
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


shrunk = [(name, shrink, scaled(data, shrink)) for name, _, data, *_ in fixtures for shrink in (2, 4, 8)
          if name in ("jpeg 4:4:4", "jpeg 4:2:0", "jpeg grey", "jpeg progressive", "jpeg YCCK", "jpeg of 35 blocks")]


# ---- Out ----
def numbers(data):
    text, lines = [str(b) for b in data], []
    for i in range(0, len(text), 40):
        lines.append("  " + ",".join(text[i:i + 40]) + ",")
    return "\n".join(lines)


with open(OUT, "w", encoding="ascii") as f:
    f.write("/* photo_fixtures.h - written by tests/reference/make_photo_fixtures.py; do not edit. */\n"
            "#ifndef PHOTO_FIXTURES_H\n#define PHOTO_FIXTURES_H\n#include \"cam_engine.h\"\n\n")
    for i, (name, kind, data, pixels, tolerance, orientation) in enumerate(fixtures):
        f.write(f"static const uint8_t bytes_{i}[] = {{\n{numbers(data)}\n}};\nstatic const uint8_t rgb_{i}[] = {{\n{numbers(pixels.tobytes())}\n}};\n")
    f.write("\ntypedef struct photo_fixture {\n  const char *name;\n  cam_format format;\n  int orientation, width, height, tolerance; /* largest difference */\n"
            "  const uint8_t *bytes;\n  size_t n;\n  const uint8_t *rgb; /* [height,width,3] */\n} photo_fixture;\n"
            "static const photo_fixture photo_fixtures[] = {\n")
    for i, (name, kind, data, pixels, tolerance, orientation) in enumerate(fixtures):
        f.write(f'  {{"{name}", CAM_{kind}, {orientation}, {pixels.shape[1]}, {pixels.shape[0]}, {tolerance}, bytes_{i}, sizeof bytes_{i}, rgb_{i}}},\n')
    f.write("};\n\n")
    for i, (name, shrink, pixels) in enumerate(shrunk):
        f.write(f"static const uint8_t shrunk_{i}[] = {{\n{numbers(pixels.tobytes())}\n}};\n")
    f.write("static const struct { const char *name; int width, height; const uint8_t *rgb; } shrunk_fixtures[] = {\n")
    for i, (name, shrink, pixels) in enumerate(shrunk):
        f.write(f'  {{"{name}", {pixels.shape[1]}, {pixels.shape[0]}, shrunk_{i}}},\n')
    f.write(f"}};\n\nstatic const uint8_t png_bomb[] = {{\n{numbers(bomb)}\n}};\n\n#endif\n")

print(len(fixtures), "photos,", sum(len(x[2]) for x in fixtures), "bytes")
with open(os.path.join(os.path.dirname(OUT), "resize_fixtures.h"), "w", encoding="ascii") as f:
    f.write("/* resize_fixtures.h - FNV-1a of what Pillow's BICUBIC makes of made pictures; written by tests/reference/make_photo_fixtures.py; do not edit. */\n"
            "static const struct { int width, height, to_width, to_height; uint64_t hash; } resize_fixtures[] = {\n")
    for w, h, to_w, to_h in SHAPES:
        out = Image.frombytes("RGB", (w, h), made(w * h * 3)).resize((to_w, to_h), Image.BICUBIC)
        f.write(f"  {{{w}, {h}, {to_w}, {to_h}, 0x{fnv1a(out.tobytes()):016x}}},\n")
    f.write("};\n")
