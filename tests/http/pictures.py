"""Good photos, made: every format and flavour that camserve supports."""
import io
import struct
import zlib

import numpy
from PIL import Image


def scene(width, height, seed=7):
    """An RGB array with slopes, edges and a little noise; the four corners differ (red, green, blue, white)."""
    y, x = numpy.mgrid[0:height, 0:width].astype(float)
    u, v = x / max(1, width - 1), y / max(1, height - 1)
    picture = numpy.stack([255 * (1 - u) + 255 * u * v, 255 * u, 255 * v], -1)
    picture[((x - width * 0.6) ** 2 + (y - height * 0.4) ** 2) < (min(width, height) * 0.2) ** 2] = (250, 200, 30)
    picture[(x // 8 + y // 8) % 2 == 0] *= 0.85
    picture += numpy.random.default_rng(seed).normal(0, 4, picture.shape)
    return picture.clip(0, 255).round().astype(numpy.uint8)


def smooth(width, height):
    """Slow slopes alone: survives JPEG with small errors, still tells all eight orientations apart."""
    v, u = numpy.mgrid[0:height, 0:width] / [[[max(1, height - 1)]], [[max(1, width - 1)]]]
    return numpy.stack([30 + 200 * u, 30 + 200 * v, 230 - 100 * u - 90 * v], -1).round().astype(numpy.uint8)


def save(image, format, **options):
    out = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(out, format, **options)
    return out.getvalue()


def png(image, **options):
    return save(image, "PNG", **{"compress_level": 1, **options})


def jpeg(image, **options):
    return save(image, "JPEG", **{"quality": 95, **options})


def webp(image, **options):
    return save(image, "WEBP", **{"quality": 90, "method": 0, **options})


# ---- EXIF ----
# What the camera stored, for a picture that is upright after applying the orientation (CIPA DC-008).
STORED = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
          5: lambda a: a.transpose(1, 0, 2), 6: lambda a: a.transpose(1, 0, 2)[::-1], 7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
          8: lambda a: a.transpose(1, 0, 2)[:, ::-1]}


def exif(orientation, order="<", entries=None, ifd=8):
    """An APP1 payload: TIFF header and one IFD with the orientation between two other tags."""
    entries = entries or [(0x010F, 2, 4, b"cam\0"), (0x0112, 3, 1, struct.pack(order + "HH", orientation, 0)),
                          (0x0128, 3, 1, struct.pack(order + "HH", 2, 0))]
    body = struct.pack(order + "H", len(entries))
    body += b"".join(struct.pack(order + "HHI", tag, kind, count) + value for tag, kind, count, value in entries) + bytes(4)
    return b"Exif\0\0" + (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", ifd) + body


def with_segment(jpeg_file, marker, payload):
    """The JPEG with one more segment straight after SOI."""
    return jpeg_file[:2] + struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload + jpeg_file[2:]


def oriented(upright, orientation, order="<"):
    stored = numpy.ascontiguousarray(STORED[orientation](upright))
    return with_segment(jpeg(stored, quality=100, subsampling=0), 0xE1, exif(orientation, order))


def oriented_png(upright, orientation, order="<"):
    file = png(numpy.ascontiguousarray(STORED[orientation](upright)))
    return file[:33] + chunk(b"eXIf", exif(orientation, order)[6:]) + file[33:]


def oriented_webp(upright, orientation, order="<"):
    stored = numpy.ascontiguousarray(STORED[orientation](upright))
    return extended_webp(stored.shape[1], stored.shape[0], 0x08, riff_chunk(*webp_picture(stored, lossless=True)), riff_chunk(b"EXIF", exif(orientation, order)[6:]))


def without_segment(jpeg_file, marker):
    """The JPEG without its segments of that marker (before the scan)."""
    out, at = jpeg_file[:2], 2
    while jpeg_file[at + 1] != 0xDA:
        size = 2 + struct.unpack(">H", jpeg_file[at + 2:at + 4])[0]
        if jpeg_file[at + 1] != marker:
            out += jpeg_file[at:at + size]
        at += size
    return out + jpeg_file[at:]


# ---- PNG by hand, for what Pillow cannot write ----
def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def mended(png_file):
    """The PNG with right checksums, as far as its chunks can be told apart."""
    file, at = bytearray(png_file), 8
    while at + 12 <= len(file):
        size = struct.unpack(">I", file[at:at + 4])[0]
        if size > len(file) - at - 12:
            break
        file[at + 8 + size:at + 12 + size] = struct.pack(">I", zlib.crc32(file[at + 4:at + 8 + size]))
        at += 12 + size
    return bytes(file)


def raw_png(width, height, depth, colour, rows, before=b"", interlace=0):
    """A PNG of rows that are bytes already (filter 0 is added); before: chunks between IHDR and IDAT."""
    data = zlib.compress(b"".join(b"\0" + r for r in rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def png16(samples):
    """16 bits a sample whose high bytes are the picture's: [height,width] grey, or [height,width,channels]: 2 grey and alpha, 3 RGB, 4 RGB and alpha."""
    deep, colour = (samples.astype(int) * 256 + 137).astype(">u2"), {1: 0, 2: 4, 3: 2, 4: 6}[samples.shape[2] if samples.ndim == 3 else 1]
    return raw_png(samples.shape[1], samples.shape[0], 16, colour, [r.tobytes() for r in deep])


def interlaced(rgb):
    """Adam7."""
    height, width, _ = rgb.shape
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [row.tobytes() for x, y, dx, dy in passes for row in rgb[y::dy, x::dx] if row.size]
    return raw_png(width, height, 8, 2, rows, interlace=1)


def packed_grey(levels, depth):
    """1, 2 or 4 bits a grey sample; levels 0 .. 2^depth - 1."""
    height, width = levels.shape
    bits = numpy.unpackbits(levels.astype(numpy.uint8)[..., None], axis=2)[:, :, 8 - depth:].reshape(height, -1)
    return raw_png(width, height, depth, 0, [r.tobytes() for r in numpy.packbits(bits, axis=1)])


# ---- WebP by hand (RFC 9649) ----
def riff_chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) & 1)


def riff(*chunks):
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_picture(image, **options):
    """Name and content of the one chunk of a simple WebP."""
    file = webp(image, **options)
    return file[12:16], file[20:20 + struct.unpack("<I", file[16:20])[0]]


def extended_webp(width, height, flags, *chunks):
    """flags: 0x02 animation, 0x08 EXIF, 0x10 alpha, 0x20 ICC profile."""
    return riff(riff_chunk(b"VP8X", struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]), *chunks)
