"""Whole pictures in files that are not quite right, made: what telephones, webcams, scanners and editors really write. Each maker takes RGB pixels and gives
{name: file}; its picture is the same as without the oddity, or as the maker says."""
import io
import struct
import zlib

import numpy
from PIL import Image

import pictures

RANDOM = numpy.random.default_rng(11).integers(0, 256, 5000).astype(numpy.uint8).tobytes()
MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0\0\x10\0mdat" + RANDOM
MARKERS = b"\xff\xc4\0\x08garbage\xff\xda\xff\xc0\xff\x02\xff\xd8\xff\xe1\xff\xff"


# ---- JPEG ----
def segments(file):
    """[SOI, segment, ..., the first scan with all after it]"""
    out, at = [file[:2]], 2
    while file[at + 1] != 0xDA:
        size = 2 + struct.unpack(">H", file[at + 2:at + 4])[0]
        out.append(file[at:at + size])
        at += size
    return out + [file[at:]]


def without_tables(file, *which):
    """Without those of its DHT segments, by number; without any if none is named. Pillow writes one table in each, the standard ones."""
    kept, tables = [], 0
    for part in segments(file):
        if part[1] == 0xC4:
            tables += 1
            if not which or tables - 1 in which:
                continue
        kept.append(part)
    assert tables >= 2
    return b"".join(kept)


def tables_missing(rgb):
    image, grey = Image.fromarray(rgb), Image.fromarray(rgb).convert("L")
    files = {f"{name}, {'restarts' if rows else 'no restarts'}": pictures.jpeg(image, subsampling=sampling, restart_marker_rows=rows)
             for name, sampling in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)) for rows in (0, 1)}
    files |= {"grey": pictures.jpeg(grey), "grey, restarts": pictures.jpeg(grey, restart_marker_blocks=3)}
    odd = {name: (without_tables(file), file) for name, file in files.items()}
    for which in (0, 1, 2, 3):
        odd[f"table {which} alone"] = (without_tables(files["4:2:0, no restarts"], which), files["4:2:0, no restarts"])
    odd["all but the first"] = (without_tables(files["4:2:2, restarts"], 1, 2, 3), files["4:2:2, restarts"])
    return odd


def end_missing(rgb):
    odd = {}
    for kind, options in {"baseline": {}, "grey": {}, "restarts": {"restart_marker_rows": 1}, "optimized": {"optimize": True}, "progressive": {"progressive": True}}.items():
        file = pictures.jpeg(Image.fromarray(rgb).convert("L") if kind == "grey" else rgb, **options)
        assert file.endswith(b"\xff\xd9")
        for name, trailer in {"nothing": b"", "zeros": bytes(3000), "video": MP4, "noise": RANDOM, "markers": MARKERS, "half a marker": b"\xff", "text": b"SEFH\1"}.items():
            odd[f"{kind}, {name}"] = (file[:-2] + trailer, file)
    return odd


def junk_between(rgb):
    odd = {}
    for kind, options in {"baseline": {}, "progressive": {"progressive": True}, "restarts": {"restart_marker_rows": 2}}.items():
        file = pictures.jpeg(rgb, **options)
        parts = segments(file)
        for name, junk in {"FF 00": b"\xff\0", "FF 00 twice": b"\xff\0\xff\0", "zeros": bytes(7), "bytes": RANDOM[:500].replace(b"\xff", b""), "fill": b"\xff" * 9,
                           "a restart": b"\xff\xd3", "TEM": b"\xff\x01"}.items():
            odd[f"{kind}, {name} everywhere"] = (parts[0] + b"".join(junk + part for part in parts[1:]), file)
            odd[f"{kind}, {name} before the scan"] = (b"".join(parts[:-1]) + junk + parts[-1], file)
    return odd


def exif_padding(upright):
    odd = {}
    for orientation, order, pad in [(6, "<", 0xFF), (3, ">", 1), (8, "<", 0x20), (5, ">", 0xFF)]:
        stored = pictures.jpeg(numpy.ascontiguousarray(pictures.STORED[orientation](upright)), quality=100, subsampling=0)
        tiff = pictures.exif(orientation, order)[6:]
        odd[f"{orientation}, {pad:02x}"] = (pictures.with_segment(stored, 0xE1, b"Exif\0" + bytes([pad]) + tiff),
                                            pictures.with_segment(stored, 0xE1, b"Exif\0\0" + tiff))
    return odd


# ---- PNG ----
def chunks(file):
    out, at = [], 8
    while at < len(file):
        size = 12 + struct.unpack(">I", file[at:at + 4])[0]
        out.append(file[at:at + size])
        at += size
    return out


def png_of(parts):
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def damaged(part):
    return part[:-1] + bytes([part[-1] ^ 1])


def chunks_ignored(rgb):
    image = Image.fromarray(rgb)
    sheer = image.copy()
    sheer.putalpha(Image.fromarray(numpy.linspace(0, 255, rgb.shape[1]).astype(numpy.uint8)[None].repeat(rgb.shape[0], 0)))
    kinds = {"rgb": pictures.png(image), "rgba": pictures.png(sheer), "grey": pictures.png(image.convert("L")), "palette": pictures.png(image.quantize(60)),
             "interlaced": pictures.interlaced(rgb)}
    stray = {"tRNS of 3 bytes": pictures.chunk(b"tRNS", b"abc"), "tRNS damaged": damaged(pictures.chunk(b"tRNS", b"\0\1" * 3)),
             "gAMA damaged": damaged(pictures.chunk(b"gAMA", struct.pack(">I", 100000))), "gAMA 0": pictures.chunk(b"gAMA", bytes(4)),
             "gAMA short": pictures.chunk(b"gAMA", b"\0\1"), "iCCP damaged": damaged(pictures.chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200)))),
             "iCCP nonsense": pictures.chunk(b"iCCP", b"x\0\0" + zlib.compress(RANDOM)), "iCCP not packed": pictures.chunk(b"iCCP", b"x\0\0" + RANDOM),
             "cHRM nonsense": pictures.chunk(b"cHRM", bytes(32)), "tEXt damaged": damaged(pictures.chunk(b"tEXt", b"a\0b")), "zTXt nonsense": pictures.chunk(b"zTXt", RANDOM),
             "sBIT of 9": pictures.chunk(b"sBIT", bytes(9)), "hIST": pictures.chunk(b"hIST", bytes(7)), "bKGD damaged": damaged(pictures.chunk(b"bKGD", bytes(6))),
             "eXIf damaged": damaged(pictures.chunk(b"eXIf", pictures.exif(6)[6:]))}
    odd = {}
    for kind, file in kinds.items():
        parts = chunks(file)
        data = next(i for i, part in enumerate(parts) if part[4:8] == b"IDAT")
        for name, part in stray.items():
            if not (kind == "palette" and name == "tRNS of 3 bytes"):  # where it belongs
                odd[f"{kind}, {name}"] = (png_of(parts[:1] + [part] + parts[1:]), file)
            if not name.startswith("eXIf"):
                odd[f"{kind}, {name} at the end"] = (png_of(parts[:-1] + [part] + parts[-1:]), file)
        odd[f"{kind}, tRNS after the data"] = (png_of(parts[:data + 1] + [pictures.chunk(b"tRNS", b"\0\1" * 3)] + parts[data + 1:]), file)
    palette = chunks(kinds["palette"])
    odd["palette, tRNS before it"] = (png_of(palette[:1] + [pictures.chunk(b"tRNS", bytes(60))] + palette[1:]), kinds["palette"])
    odd["rgba, tRNS"] = (png_of(chunks(kinds["rgba"])[:1] + [pictures.chunk(b"tRNS", bytes(6))] + chunks(kinds["rgba"])[1:]), kinds["rgba"])
    odd["rgb, a palette"] = (png_of(chunks(kinds["rgb"])[:1] + [pictures.chunk(b"PLTE", bytes(30))] + chunks(kinds["rgb"])[1:]), kinds["rgb"])
    return odd


def png_end(rgb):
    odd = {}
    for kind, file in {"rgb": pictures.png(rgb), "level 9": pictures.png(rgb, compress_level=9), "interlaced": pictures.interlaced(rgb),
                       "palette": pictures.png(Image.fromarray(rgb).quantize(30))}.items():
        *front, end = chunks(file)
        assert front[-1][4:8] == b"IDAT" and end[4:8] == b"IEND"
        whole = png_of(front)
        odd |= {f"{kind}, IEND damaged": (whole + damaged(end), file), f"{kind}, no IEND": (whole, file), f"{kind}, half an IEND": (whole + end[:6], file),
                f"{kind}, noise": (whole + RANDOM, file), f"{kind}, cut in the checksum": (whole[:-2], file), f"{kind}, no checksum": (whole[:-4], file),
                f"{kind}, cut in zlib's checksum": (whole[:-6], file)}
    return odd


# ---- WebP ----
def u24(value):
    return struct.pack("<I", value)[:3]


def frame(image, x=0, y=0, **options):
    """An ANMF chunk with the picture (RGB or RGBA array) at x, y (even)."""
    file = pictures.webp(image, **options)
    own = file[30:] if file[12:16] == b"VP8X" else file[12:]
    return pictures.riff_chunk(b"ANMF", u24(x // 2) + u24(y // 2) + u24(image.shape[1] - 1) + u24(image.shape[0] - 1) + u24(100) + b"\2" + own)


def animation(width, height, *frames, flags=0x12, before=(), after=()):
    return pictures.extended_webp(width, height, flags, *before, pictures.riff_chunk(b"ANIM", b"\xff\0\0\xff\0\0"), *frames, *after)


def first_frames(rgb):
    """The picture is a PNG with the same pixels: what the first frame leaves free is transparent."""
    height, width, _ = rgb.shape
    alpha = numpy.concatenate([rgb, numpy.linspace(0, 255, width).astype(numpy.uint8)[None, :, None].repeat(height, 0)], 2)
    other = frame(rgb[::-1], lossless=True)

    def canvas(part, x, y):
        whole = numpy.zeros((height, width, 4), numpy.uint8)
        whole[y:y + part.shape[0], x:x + part.shape[1]] = part
        return pictures.png(Image.fromarray(whole))

    def shown(image, **options):
        return pictures.png(Image.open(io.BytesIO(pictures.webp(image, **options))))
    made = io.BytesIO()
    Image.fromarray(rgb).save(made, "WEBP", save_all=True, append_images=[Image.fromarray(rgb[::-1])], lossless=True, duration=50)
    opaque = numpy.concatenate([rgb, numpy.full_like(rgb[..., :1], 255)], 2)
    part, sheer = numpy.ascontiguousarray(opaque[6:30, 10:50]), numpy.ascontiguousarray(alpha[6:30, 10:50])
    turned = numpy.ascontiguousarray(pictures.STORED[6](rgb))
    return {
        "Pillow's": (made.getvalue(), pictures.png(rgb)), "one frame": (animation(width, height, frame(rgb, lossless=True)), pictures.png(rgb)),
        "lossy": (animation(width, height, frame(rgb), other), shown(rgb)), "lossless": (animation(width, height, frame(rgb, lossless=True), other), pictures.png(rgb)),
        "alpha": (animation(width, height, frame(alpha, lossless=True, exact=True), other), pictures.png(Image.fromarray(alpha))),
        "lossy alpha": (animation(width, height, frame(alpha), other), shown(alpha)),
        "a part": (animation(width, height, frame(part[..., :3], 10, 6, lossless=True), other), canvas(part, 10, 6)),
        "a part with alpha": (animation(width, height, frame(sheer, 20, 4, lossless=True, exact=True), other), canvas(sheer, 20, 4)),
        "a corner": (animation(width, height, frame(part[..., :3], width - 40, height - 24, lossless=True)), canvas(part, width - 40, height - 24)),
        "turned": (animation(height, width, frame(turned, lossless=True), flags=0x0A, after=[pictures.riff_chunk(b"EXIF", pictures.exif(6)[6:])]), pictures.png(rgb)),
        "cut after the first": (animation(width, height, frame(rgb, lossless=True), pictures.riff_chunk(b"ANMF", bytes(20))), pictures.png(rgb)),
    }


# ---- BMP ----
def bmp(width, height, bits, compression, palette, data, masks=b"", header=40):
    """height < 0: top row first. masks: behind a header of 40 bytes, within a longer one."""
    front = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 2835, 2835, 0, 0)
    front += masks + (bytes(header - 40 - len(masks)) if header > 40 else b"")
    return b"BM" + struct.pack("<IHHI", 14 + len(front) + len(palette) + len(data), 0, 0, 14 + len(front) + len(palette)) + front + palette + data


def runs(row, bits):
    """A row of indices, every run coded."""
    out, x = b"", 0
    while x < len(row):
        n = 1
        while x + n < len(row) and n < 255 and row[x + n] == row[x]:
            n += 1
        out += bytes([n, row[x] if bits == 8 else row[x] * 17])
        x += n
    return out


def literals(row, bits):
    """A row of indices as it is, in pieces that need padding."""
    out, x = b"", 0
    while x < len(row):
        piece = [int(v) for v in row[x:x + 37]]
        if len(piece) < 3:
            out += b"".join(bytes([1, v if bits == 8 else v * 17]) for v in piece)
        else:
            packed = bytes(piece) if bits == 8 else bytes(a << 4 | b for a, b in zip(piece[::2], piece[1::2] + ([0] if len(piece) % 2 else [])))
            out += bytes([0, len(piece)]) + packed + bytes(len(packed) % 2)
        x += len(piece)
    return out


def run_lengths(rgb):
    odd = {}
    for bits in (8, 4):
        image = Image.fromarray(rgb).quantize(200 if bits == 8 else 16)
        rows, colours = numpy.asarray(image)[::-1], numpy.frombuffer(bytes(image.getpalette()).ljust(768, b"\0"), numpy.uint8).reshape(256, 3)[:1 << bits]
        height, width = rows.shape
        palette = b"".join(bytes([b, g, r, 0]) for r, g, b in colours)
        good = pictures.png(image.convert("RGB"))
        for name, coder in (("runs", runs), ("literals", literals)):
            data = b"\0\0".join(coder(row, bits) for row in rows)
            odd[f"RLE{bits}, {name}"] = (bmp(width, height, bits, 3 - bits // 4, palette, data + b"\0\1"), good)
            odd[f"RLE{bits}, {name}, no end"] = (bmp(width, height, bits, 3 - bits // 4, palette, data), good)
        long = b"\0\0".join(runs(row, bits) + b"\x50\0" for row in rows)
        odd[f"RLE{bits}, too long rows"] = (bmp(width, height, bits, 3 - bits // 4, palette, long + b"\0\1"), good)
        holes = colours[rows[::-1]].copy()
        holes[:height - 20] = 0  # the picture ends after 20 rows from the bottom
        holes[height - 5:, 7:] = 0  # rows end early
        holes[height - 10:height - 5, :9] = 0  # a leap
        data = b"".join(runs(row[:7], bits) + b"\0\0" for row in rows[:5]) + b"".join(b"\0\2\x09\0" + runs(row[9:], bits) + b"\0\0" for row in rows[5:10])
        data += b"".join(runs(row, bits) + b"\0\0" for row in rows[10:20]) + b"\0\1"
        odd[f"RLE{bits}, holes"] = (bmp(width, height, bits, 3 - bits // 4, palette, data), pictures.png(Image.fromarray(holes)))
    return odd


def old_headers(rgb):
    """OS/2's, which may end early, and Windows' of every length."""
    height, width, _ = rgb.shape
    image = Image.fromarray(rgb).quantize(16)
    indices, colours = numpy.asarray(image)[::-1], numpy.frombuffer(bytes(image.getpalette()).ljust(48, b"\0"), numpy.uint8).reshape(-1, 3)[:16]
    rows = b"".join(row.tobytes() + bytes(-width % 4) for row in rgb[::-1, :, ::-1])
    packed = [bytes(a << 4 | b for a, b in zip(row[::2], [*row[1::2], 0])) for row in indices]
    odd = {}
    for header in (12, 16, 20, 24, 36, 40, 48, 52, 56, 64, 108, 124):
        entry = 3 if header == 12 else 4
        palette = b"".join(bytes([b, g, r, 0])[:entry] for r, g, b in colours)
        for bits, front, data, good in ((24, b"", rows, pictures.png(rgb)), (4, palette, b"".join(row + bytes(-len(row) % 4) for row in packed), pictures.png(image.convert("RGB")))):
            fields = struct.pack("<IHHHH", 12, width, height, 1, bits) if header == 12 else struct.pack("<IiiHH", header, width, height, 1, bits) + bytes(header - 16)
            at = 14 + len(fields) + len(front)
            odd[f"{bits} bits, header of {header}"] = (b"BM" + struct.pack("<IHHI", at + len(data), 0, 0, at) + fields + front + data, good)
    return odd


def bit_fields(rgb):
    """Masks of red, green, blue, alpha -> what 8 bits become in them and back."""
    height, width, _ = rgb.shape
    alpha = numpy.linspace(1, 255, width).astype(numpy.uint8)[None].repeat(height, 0)
    layouts = {"565": (16, 0xF800, 0x7E0, 0x1F, 0), "555": (16, 0x7C00, 0x3E0, 0x1F, 0), "4444": (16, 0xF00, 0xF0, 0xF, 0xF000), "1555": (16, 0x7C00, 0x3E0, 0x1F, 0x8000),
               "8888": (32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000), "rgba": (32, 0xFF, 0xFF00, 0xFF0000, 0xFF000000), "x888": (32, 0xFF000000, 0xFF0000, 0xFF00, 0),
               "10 bits": (32, 0x3FF00000, 0xFFC00, 0x3FF, 0)}
    odd = {}
    for name, (bits, *masks) in layouts.items():
        pixels, back = numpy.zeros((height, width), numpy.uint64), []
        for channel, mask in zip([*numpy.moveaxis(rgb, 2, 0), alpha], masks):
            if not mask:
                continue
            size, low = mask.bit_count(), (mask & -mask).bit_length() - 1
            value = channel.astype(numpy.uint64) >> (8 - size) if size <= 8 else channel.astype(numpy.uint64) << (size - 8)
            pixels |= value << low
            text = value
            for _ in range(8 // size if size < 8 else 0):
                text = text << size | value
            total = size * (1 + 8 // size) if size < 8 else size
            back.append((text >> (total - 8)).astype(numpy.uint8))
        good = pictures.png(Image.fromarray(numpy.ascontiguousarray(numpy.stack(back, 2))))
        rows = [row.astype(f"<u{bits // 8}").tobytes() for row in pixels]
        rows = [row + bytes(-len(row) % 4) for row in rows]
        packed = struct.pack("<4I", *masks)
        for header in (40, 56, 108, 124):
            if masks[3] and header == 40:
                continue
            for top_down in (False, True):
                data = b"".join(rows if top_down else rows[::-1])
                odd[f"{name}, header of {header}{', from the top' if top_down else ''}"] = (
                    bmp(width, -height if top_down else height, bits, 3, b"", data, packed[:12] if header == 40 else packed, header), good)
    return odd


KINDS = {"tables missing": tables_missing, "end missing": end_missing, "junk between": junk_between, "exif padding": exif_padding, "chunks ignored": chunks_ignored,
         "png end": png_end, "first frames": first_frames, "run lengths": run_lengths, "bit fields": bit_fields, "old headers": old_headers}
