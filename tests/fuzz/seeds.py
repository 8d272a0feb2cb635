#!/usr/bin/python3
"""seeds.py FOLDER - writes what the fuzzers begin with: FOLDER/TARGET/NAME, good inputs of every kind and some that mean harm, small ones. They are made
by what makes the inputs of the other tests, so nothing of them is kept."""
import hashlib
import io
import json
import pathlib
import struct
import sys
import zipfile

import numpy
from PIL import Image

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.dont_write_bytecode = True
sys.path[:0] = [str(TESTS / "http"), str(TESTS / "reference")]
import hostile  # noqa: E402
import odd_pictures  # noqa: E402
import onnx_files  # noqa: E402
import pictures  # noqa: E402
import profiles  # noqa: E402
import small_model  # noqa: E402
import weight_files  # noqa: E402

random = numpy.random.default_rng(5)


# ---- photos; the last byte chooses limits and the smallest picture (target_photo.c) ----

def jpegs(picture):
    image, grey = Image.fromarray(picture), Image.fromarray(picture).convert("L")
    for quality in (20, 95):
        for sampling in (0, 1, 2):
            yield f"jpeg-{quality}-{sampling}", pictures.jpeg(image, quality=quality, subsampling=sampling)
    yield "jpeg-grey", pictures.jpeg(grey)
    yield "jpeg-cmyk", pictures.jpeg(image.convert("CMYK"))
    yield "jpeg-cmyk-bare", pictures.without_segment(pictures.jpeg(image.convert("CMYK")), 0xEE)
    yield "jpeg-progressive", pictures.jpeg(image, progressive=True)
    yield "jpeg-progressive-grey", pictures.jpeg(grey, progressive=True)
    yield "jpeg-optimized", pictures.jpeg(image, optimize=True)
    yield "jpeg-restarts", pictures.jpeg(image, restart_marker_blocks=1)
    yield "jpeg-comment", pictures.with_segment(pictures.jpeg(grey), 0xFE, b"comment")
    for order in "<>":
        yield f"jpeg-exif-{'big' if order == '>' else 'little'}", pictures.oriented(picture, 6, order)
    yield "jpeg-exif-loop", pictures.with_segment(pictures.jpeg(grey), 0xE1, pictures.exif(3, "<", ifd=0))
    yield "jpeg-no-scan", hostile.no_scan_jpeg()
    yield "jpeg-scans", hostile.scans_jpeg(20, 16)
    yield "jpeg-huge", hostile.huge_jpeg()


def pngs(picture):
    image = Image.fromarray(picture)
    for level in (0, 9):  # not compressed: a changed byte stays one byte of the picture
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
            yield f"png-{mode}-{level}", pictures.png(image.convert(mode), compress_level=level)
    yield "png-16", pictures.png16(picture)
    yield "png-interlaced", pictures.interlaced(picture)
    yield "png-grey-trns", pictures.raw_png(8, 2, 8, 0, [bytes(range(8))] * 2, pictures.chunk(b"tRNS", b"\0\3"))
    yield "png-rgb-trns", pictures.raw_png(2, 2, 8, 2, [bytes(6)] * 2, pictures.chunk(b"tRNS", bytes(6)))
    palette = pictures.chunk(b"PLTE", bytes(range(12)))
    for depth in (1, 2, 4, 8):
        yield f"png-grey-{depth}", pictures.packed_grey(random.integers(0, 1 << min(depth, 4), (5, 9)), depth) if depth < 8 else pictures.raw_png(3, 1, 8, 0, [b"abc"])
        yield f"png-palette-{depth}", pictures.raw_png(8 // depth, 2, depth, 3, [b"\x1b"] * 2, palette)
    yield "png-palette-trns", pictures.raw_png(4, 1, 8, 3, [b"\0\1\2\3"], palette + pictures.chunk(b"tRNS", b"\0\x80"))
    for order in "<>":
        yield f"png-exif-{ord(order)}", pictures.raw_png(2, 2, 8, 2, [bytes(6)] * 2, pictures.chunk(b"eXIf", pictures.exif(6, order)[6:]))
    yield "png-bomb", hostile.idat_bomb(2)
    yield "png-huge", hostile.huge_png()


def bmp(header, bits, compression, width, height, more, row):
    """A BMP by hand: the information header of `header` bytes, masks or palette, rows."""
    fields = struct.pack("<IHHHH", 12, width, height, 1, bits) if header == 12 else struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    front = fields + more
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(front)) + front + row * abs(height)


def bmps(picture):
    image = Image.fromarray(picture)
    for mode in ("RGB", "L", "P", "1"):
        yield f"bmp-{mode}", pictures.save(image.convert(mode), "BMP")
    yield "bmp-core", bmp(12, 8, 0, 4, 2, bytes(range(12)), b"\0\1\2\3")
    yield "bmp-4", bmp(40, 4, 0, 4, 2, bytes(range(64)), b"\x01\x23\0\0")
    yield "bmp-16", bmp(40, 16, 0, 2, 2, b"", b"\1\2\3\4")
    yield "bmp-16-fields", bmp(40, 16, 3, 2, 2, struct.pack("<III", 0xF800, 0x7E0, 0x1F), b"\1\2\3\4")
    yield "bmp-32-fields", bmp(56, 32, 3, 1, -3, struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000), b"\1\2\3\4")
    yield "bmp-v4", bmp(108, 32, 3, 1, 3, struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + bytes(52), b"\1\2\3\4")
    yield "bmp-v5", bmp(124, 24, 0, 1, 3, bytes(84), b"\1\2\3\0")
    yield "bmp-rle", bmp(40, 8, 1, 4, 1, bytes(1024), b"\4\1\0\1")
    yield "bmp-huge", hostile.huge_bmp()[:80]


def webps(picture):
    image = Image.fromarray(picture)
    alpha = image.convert("RGBA")
    alpha.putalpha(image.convert("L"))
    yield "webp-lossy", pictures.save(image, "WEBP", quality=50)
    yield "webp-lossless", pictures.save(image, "WEBP", lossless=True)
    yield "webp-alpha", pictures.save(alpha, "WEBP", quality=50)
    yield "webp-alpha-lossless", pictures.save(alpha, "WEBP", lossless=True)
    yield "webp-animated", pictures.save(image, "WEBP", save_all=True, append_images=[image.rotate(90)], lossless=True)
    yield "webp-exif", pictures.save(image, "WEBP", quality=50, exif=pictures.exif(6)[6:])


def coloured(picture):
    image, grey = Image.fromarray(picture), Image.fromarray(picture).convert("L")
    for name, make in profiles.KNOWN.items():
        yield f"jpeg-{name}", pictures.jpeg(image, icc_profile=make())
        yield f"webp-{name}", pictures.webp(image, lossless=True, icc_profile=make())
        yield f"png-{name}", pictures.png(image, icc_profile=make())
    yield "jpeg-ink", pictures.jpeg(image.convert("CMYK"), icc_profile=profiles.cmyk(3))
    yield "jpeg-ink-for-light", pictures.jpeg(image, icc_profile=profiles.cmyk(3))
    yield "jpeg-grey-profile", pictures.jpeg(grey, icc_profile=profiles.grey(1.0))
    yield "png-grey-profile", pictures.png(grey, icc_profile=profiles.grey([0, 0.2, 0.5, 1]))
    yield "webp-v4", pictures.webp(image, icc_profile=profiles.rgb(profiles.P3, 1.8, version=0x04200000))
    file = pictures.png(image)
    for gamma in (0, 1, 45455, 100000, 0x7FFFFFFF):
        yield f"png-gamma-{gamma}", file[:33] + pictures.chunk(b"gAMA", struct.pack(">I", gamma)) + file[33:]
        primaries = pictures.chunk(b"cHRM", struct.pack(">8I", 34570, 35850, 73470, 26530, 15960, 84040, 3660, 10))
        yield f"png-primaries-{gamma}", file[:33] + pictures.chunk(b"gAMA", struct.pack(">I", gamma)) + primaries + file[33:]


def odd(picture):
    """One in five of each kind."""
    for kind, make in odd_pictures.KINDS.items():
        for i, (file, _) in enumerate(make(picture).values()):
            if i % 5 == 0:
                yield f"odd-{kind}-{i}".replace(" ", "-"), file


def narrow():
    """Where rows are padded most, and what is kept for the whole picture."""
    for side in (1, 2, 3, 8, 15, 16, 17):
        for width, height in ((side, 1500), (1500, side), (side, side)):
            picture = pictures.smooth(width, height)
            name = f"{width}x{height}"
            yield f"jpeg-{name}", pictures.jpeg(picture, quality=10)
            yield f"jpeg-progressive-{name}", pictures.jpeg(picture, quality=10, progressive=True)
            yield f"jpeg-ink-{name}", pictures.jpeg(Image.fromarray(picture).convert("CMYK"), quality=10, progressive=True)
            yield f"png-interlaced-{name}", pictures.interlaced(picture)
            yield f"webp-{name}", pictures.webp(picture)
            yield f"webp-lossless-{name}", pictures.webp(picture, lossless=True)
    yield "webp-canvas", odd_pictures.animation(16384, 4, odd_pictures.frame(pictures.smooth(8, 2)))


def others():
    for magic in (b"GIF89a", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif", b"II*\0", b"%PDF-1.4", b"<?xml version=\"1.0\"?><!-- x --><!DOCTYPE svg [<!ENTITY a \"b\">]><svg/>",
                  b"\xef\xbb\xbf <svg xmlns='x'>", b"no photo", b""):
        yield "other-" + "".join(chr(c) if chr(c).isalnum() else "-" for c in magic[:24]), magic + bytes(8)


def photo():
    small, tiny = pictures.scene(20, 13), pictures.scene(5, 3)
    for picture in (small, tiny):
        for kind in (jpegs, pngs, bmps, webps, coloured):
            for name, file in kind(picture):
                if len(file) < 8192:
                    yield f"{name}-{len(picture)}", file + bytes([len(picture) % 4])
    for name, file in jpegs(pictures.scene(120, 90)):
        if len(file) < 8192:
            yield f"{name}-shrunk", file + b"\x08"
    for name, file in jpegs(pictures.smooth(900, 6)):  # rows of libjpeg's own weigh more than the picture
        if len(file) < 8192:
            yield f"{name}-wide", file + b"\x02"
    for name, file in odd(pictures.scene(64, 40)):
        if len(file) < 8192:
            yield name, file + b"\0"
    for name, file in narrow():
        if len(file) < 8192:
            yield f"narrow-{name}", file + b"\0"
            yield f"narrow-{name}-shrunk", file + b"\4"
    for name, file in others():
        yield name, file + b"\1"


# ---- bodies ----

def multipart():
    def part(name, value, more=""):
        return f'--B\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"
    image = part("image", b"photo", '; filename="a.png"\r\nContent-Type: image/png')
    form = b"multipart/form-data; boundary="
    yield "plain", form + b"B\n" + image + b"--B--\r\n"
    yield "quoted", form + b'"B"; charset=utf-8\n' + image + b"--B--"
    yield "fields", form + b"B\n" + part("top_k", b"3") + part("classes", b"1,n01440764") + image + part("alpha", b"0.25") + b"--B--"
    yield "several", form + b"B\npreamble\r\n" + image * 8 + b"--B--\r\nepilogue"
    yield "nine", form + b"B\n" + image * 9 + b"--B--"
    yield "empty", form + b"B\n" + part("image", b"") + b"--B--"
    yield "encoded", form + b"B\n" + part("image", b"x", "\r\nContent-Transfer-Encoding: binary") + b"--B--"
    yield "escaped", form + b"B\n" + part('a\\"b', b"x") + b"--B--"
    yield "cut", form + b"B\n" + image
    yield "nothing", form + b"B\n--B--\r\n"
    yield "near", form + b"aXa\n--aXa\r\nContent-Disposition: form-data; name=image\r\n\r\n\r\n--aXaX\r\n--aX\r\n--aXa--"
    yield "browser", form + b"B\n" + part("_charset_", b"UTF-8") + part("image", b"", '; filename=""') + image + part("submit", b"Send") + b"--B--"
    yield "unchosen", form + b"B\n" + part("image", b"", "; filename=") + part("x", b"", '; filename=""; y=z') + b"--B--"
    yield "hyphens", form + b"B\n" + image + b"--B"
    yield "headers", form + b"B\n" + image + b"--B\r\nContent-Disposition: form-"
    yield "json", b"application/json\n{}"
    yield "unsaid", b"text/plain\n\xef\xbb\xbf \t\r\n{}"
    yield "untyped", b"\n" + image + b"--B--"
    yield "form", b"application/x-www-form-urlencoded\nimage=%89PNG&top_k=1"
    yield "uri", b"text/plain\nData:image/png;base64,iVBORw0KGgo="
    yield "base64", b"text/plain\niVBORw0KGgo="
    yield "photo", b"image/png\n\x89PNG"


def json_bodies():
    for i, body in enumerate([
            {"image": "aGVsbG8="}, {"image": "data:image/png;base64,aGVs\nbG8="}, {"image": "aGVsbG8=", "top_k": 3, "alpha": 0.5, "colormap": "jet", "size": "fit"},
            {"image": "AA==", "classes": [1, "n01440764"], "include": ["overlay", "map"], "threshold": 1e-1, "resize": "aspect", "format": "jpeg"},
            {"image": "AA==", "classes": "1,2", "include": "none"}, {"image": ""}, {"image": 5}, {"image": None, "top_k": True}, [], "x", 1.5, [[[{"a": [{}]}]]], {"a": {"a": {"": []}}},
            {"image": "AA==", "\u00e9\U0001f600": "\\u00e9\n\t\"/"}, [-0.0, 1e300, 123456789012345678, 1e-300]]):
        yield f"{i}", json.dumps(body, ensure_ascii=i % 2 == 0).encode()
    yield "url", b'{"image":"-_-_-w"}'
    yield "mark", b'\xef\xbb\xbf{"image":"AA"}'
    yield "wide", '{"image":"AA=="}'.encode("utf-16")
    yield "escapes", rb'{"image":"AA\u003d\u003D","a":"\ud83d\ude00 \/\b\f\n\r\t\\\""}'
    yield "lone-surrogate", rb'{"image":"\ud83d"}'
    yield "twice", b'{"image":"AA==","image":"AA=="}'
    yield "deep", b"[" * 70 + b"]" * 70
    yield "numbers", b"[1e999,-1e999,0e0,1E+2,0.1e-5]"


def kserve():
    def tensor(**more):
        return {"name": "image", "datatype": "BYTES", "shape": [2], **more}

    def items(*photos):
        return b"".join(len(p).to_bytes(4, "little") + p for p in photos)
    instances = ["aGVsbG8=", {"b64": "AA=="}, {"image_bytes": {"b64": "AAAA"}, "key": 1}, {"data": "data:image/png;base64,AA"}]
    some = {"top_k": 2, "include": ["map", "overlay"], "colormap": "gray", "classes": [1, "n01440764"]}
    for verb in ("predict", "explain"):
        for i, body in enumerate([{"instances": instances}, {"inputs": instances[:1], "parameters": some}, {"instances": []}, {"instances": instances * 3}, {"instances": [5], "parameters": None}]):
            yield f"{verb}-{i}", f"{verb}\n{json.dumps(body)}".encode()
    data, outputs = tensor(data=["AA==", "aGVsbG8="]), [{"name": n, "parameters": {"binary_data": n != "box"}} for n in ("class_id", "label", "probability", "box", "overlay")]
    for i, body in enumerate([{"inputs": [data]}, {"id": "a", "inputs": [data], "outputs": outputs}, {"inputs": [data], "parameters": {"binary_data_output": True, "top_k": 10}, "outputs": outputs[:2]},
                              {"inputs": [data], "parameters": {"include": "none"}, "outputs": [], "id": None}, {"inputs": [data], "parameters": {"classes": 1}}, {"inputs": [data, data]}]):
        yield f"infer-{i}", f"infer\n{json.dumps(body)}".encode()
    for name, tail in (("two", items(b"a", b"bcdef")), ("empty", items(b"a", b"")), ("cut", items(b"a", b"b")[:-1]), ("nine", items(*[b"x"] * 9)), ("long", b"\xff\xff\xff\xffx")):
        body = json.dumps({"inputs": [tensor(parameters={"binary_data_size": len(tail)})], "outputs": outputs[-1:]}).encode()
        yield f"bytes-{name}", b"infer\n" + body + b"\0" + tail
    yield "length", b"infer 5\n{}   x"
    yield "too-long", b"infer 500\n{}"


def parameters():
    yield "all", (b"top_k=3\nclasses=1,n01440764,11\nalpha=0.5\ncolormap=viridis\nsize=input\nresize=aspect\ninclude=overlay,heatmap,map\nformat=jpeg\nthreshold=0.2\n"
                  b"accept: image/png;q=0.5, */*;q=0.1")
    yield "edges", b"top_k=10\nalpha=1\nthreshold=-0\nclasses=0,1,2,3,4,5,6,7,8,9\ninclude=none"
    yield "names", b"classes=class 1\nclasses=n01440764\nclasses=CLASS 2\nminus=class 0\ncolormap=coolwarm\nscale=relu\ndetail=fine\ninclude=probabilities"
    yield "wrong", b"top_k=0\nalpha=nan\nthreshold=1e999\nclasses=,\ninclude=none,map\nsize=\ncolor=red\ntop_k=3\ntop_k=3"
    yield "accept", b"accept: application/json\nAccept: image/*;q=1.000, image/jpeg;q=0\naccept: text/html,image/avif,image/webp,*/*;q=0.8\naccept: ,;,"
    yield "qualities", b"accept: image/png;q=0x1, */*;q=1.\naccept: image/png ; q=0.125 ;q=1, image/jpeg;q=1.001"
    yield "numbers", b"content-length: 18446744073709551617\ncontent-length: -9223372036854775808\ncontent-length: 007\ncontent-length: -0"
    yield "ids", b"x-request-id: a.b-c_1\nx-request-id: \nx-request-id: a b\nx-request-id: " + b"x" * 129
    yield "trace", b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nTraceparent: 01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"
    yield "key", b"authorization: Bearer  0123456789abcdef\nauthorization: bearer\nauthorization: Basic eA=="
    yield "forwarded", b"x-forwarded-for: 203.0.113.7, 10.0.0.1\nx-forwarded-for: 10.0.0.0/8, ::1/128 ,2001:db8::/33\nx-forwarded-for: ,,\nx-forwarded-for: ::ffff:10.1.2.3"
    yield "targets", b"target: http://localhost:8080/cam?a=%41&b\ntarget: HTTPS://[::1]\ntarget: /%00%7a%G4?" + b"&" * 70
    yield "origins", b"origin: https://example.org\norigin: http://localhost:3000,https://[::1]:8443\norigin: *\norigin: *,https://a"


def lines():
    one, two = b'{"file":"a/b.jpg","model":"m","predictions":[{"label":"x"}]}\n', b'{"file":"c \\"d\\" \\u00e9.png","error":{"status":415}}\n'
    yield "whole", one + two
    yield "half", one + two[:30]
    yield "bytes", '{"file":"\ufffd.png","file_base64":"/y5wbmc=","x":1}\n'.encode()
    yield "spelled", b' {\t"file" : "\\ud83d\\ude00" , "x":1}\n'
    yield "foreign", one + b"something else\n"
    yield "begun", b'{"fil'
    yield "paths", b"a.jpg\n\nb c.png\n-\nd"
    yield "nul", b"a\nb.jpg\0c.png\0\0d"


def csv():
    yield "plain", b"path,class\na.jpg,ant\nb c.png,bee hive\n"
    yield "quotes", b'\xef\xbb\xbfclass , path,width\r\n"a ""b"", c" ,"d\ne.jpg",\r\n\r\n'
    yield "short", b"path,class\na.jpg\n"
    yield "open", b'path,class\n"a.jpg,x\n'
    yield "behind", b'path,class\n"a"b,x\n'
    yield "wide", b"," * 70


def checkpoint():
    """Of two parts, 24 and 8 bytes, as target_checkpoint.c reads it; engine/train/checkpoint.c says what is hashed."""
    name, parts = b"0123456789abcdef" * 4, (bytes(range(24)), b"\1" * 8)
    hashed = name + b"".join(b" %d:%s" % (len(p), hashlib.sha256(p).hexdigest().encode()) for p in parts)
    file = b"camserve checkpoint 1\n" + name + b"".join(struct.pack("<Q", len(p)) for p in parts) + b"".join(parts) + hashlib.sha256(hashed).hexdigest().encode()
    yield "whole", file
    yield "cut", file[:-9]
    yield "longer", file + b"x"
    yield "other", file.replace(name, b"f" * 64)
    yield "none", b"camserve"


# ---- networks: a graph is (tensors, document) ----

def conv(name, source, weight, **more):
    return {"name": name, "op": "conv", "inputs": [source], "weight": weight, **more}


def op(kind, name, *sources, **more):
    return {"name": name, "op": kind, "inputs": list(sources), **more}


def document(nodes, classes, height=9, width=7, max_side=16, **more):
    """The text under "camserve" in a model file; the nodes' last is on "x"."""
    tail = [op("gap", "gap", "x"), op("fc", "fc", "gap", weight="fc", bias="fcb")]
    return whole(nodes + tail, classes, height, width, {"resize": "aspect", "multiple": 4, "max_side": max_side}, **more)


def whole(nodes, classes, height=9, width=7, resize={"resize": "stretch"}, **more):
    """The same with its head; without more the network takes one size alone."""
    return {"version": 1, "name": "made", "input": {"height": height, "width": width, "channels": "RGB", "mean": [127, 127, 127], "scale": [0.0078125] * 3, **resize},
            "map": {"resize": "half_pixel"}, "classes": [[f"n{c:08}", f"class {c}"] for c in range(classes)], "nodes": nodes, **more}


def networks():
    """name, tensors, document: each way that a layer is computed, and each fusion."""
    yield "stem", "w:3x3x3x6 b:6 fc:3x6 fcb:3", document([conv("c", "input", "w", bias="b", stride=[2, 2], padding="same"), op("relu6", "x", "c")], 3)
    yield "linear", "w:1x1x3x5 v:3x3x5x4 fc:2x4 fcb:2", document([conv("a", "input", "w"), op("relu", "r", "a"), conv("x", "r", "v", padding=[1, 1, 1, 1])], 2)
    yield "residual", "w:1x1x3x6 b:6 v:1x1x6x6 fc:2x6 fcb:2", document(
        [conv("a", "input", "w", bias="b"), conv("c", "a", "v", bias="b"), op("add", "s", "a", "c"), op("relu", "x", "s")], 2)
    yield "depthwise", "w:1x1x3x6 v:3x3x1x6 b:6 fc:2x6 fcb:2", document(
        [conv("a", "input", "w"), conv("d", "a", "v", groups=6, padding="same", bias="b"), op("relu6", "r", "d"), conv("x", "r", "v", groups=6, padding="same", stride=[2, 2])], 2)
    yield "groups", "w:3x3x3x8 v:3x3x4x8 fc:2x8 fcb:2", document([conv("a", "input", "w", padding=[1, 1, 1, 1]), conv("y", "a", "v", groups=2, padding=[1, 0, 1, 2]), op("relu", "x", "y")], 2)
    yield "winograd", "w:3x3x3x16 b:16 v:3x3x16x16 fc:2x16 fcb:2", document(
        [conv("a", "input", "w", padding="same", bias="b"), op("relu", "r", "a"), conv("c", "r", "v", padding="same", bias="b"), op("relu", "s", "c"),
         op("max_pool", "x", "s", kernel=[2, 2], stride=[2, 2])], 2, 12, 10)
    yield "large-winograd", "w:1x1x3x16 v:3x3x16x16 b:16 fc:2x16 fcb:2", document(
        [conv("a", "input", "w"), conv("c", "a", "v", padding="same", bias="b"), op("add", "s", "a", "c"), op("relu6", "x", "s")], 2, 30, 30, 32)
    yield "pools", "w:1x1x3x5 fc:2x5 fcb:2", document(
        [conv("a", "input", "w"), op("max_pool", "p", "a", kernel=[3, 2], stride=[2, 1], padding=[1, 0, 2, 1]), op("avg_pool", "q", "p", kernel=[2, 3], stride=[1, 2], padding="same"),
         op("relu", "x", "q")], 2)
    yield "concat", "w:1x1x3x5 v:1x1x3x2 u:1x1x15x4 fc:2x4 fcb:2", document(
        [conv("a", "input", "w"), conv("b", "input", "v"), op("concat", "k", "a", "input", "b", "a"), op("relu", "r", "k"), conv("x", "r", "u")], 2)
    yield "self-sum", "w:2x3x3x5 fc:2x5 fcb:2", document(
        [conv("a", "input", "w"), op("add", "s", "a", "a"), op("max_pool", "p", "s", kernel=[3, 3], padding="same"), op("avg_pool", "q", "s", kernel=[3, 3], padding=[1, 1, 1, 1]),
         op("add", "x", "p", "q")], 2)
    yield "strided", "w:5x5x3x9 b:9 fc:2x9 fcb:2", document([conv("c", "input", "w", stride=[2, 3], bias="b"), op("relu", "x", "c")], 2, 11, 13)
    yield "block", "w:3x3x3x4 u:1x1x4x12 b:12 v:3x3x1x12 t:1x1x12x4 fc:2x4 fcb:2", document(
        [conv("a", "input", "w", padding="same"), conv("e", "a", "u", bias="b"), op("relu6", "r", "e"), conv("d", "r", "v", groups=12, padding="same", bias="b"), op("relu6", "s", "d"),
         conv("p", "s", "t"), op("add", "x", "p", "a")], 2)
    yield "large-block", "w:1x1x3x4 u:1x1x4x176 b:176 v:3x3x1x176 t:1x1x176x4 fc:2x4 fcb:2", document(
        [conv("a", "input", "w"), conv("e", "a", "u", bias="b"), op("relu6", "r", "e"), conv("d", "r", "v", groups=176, padding="same", stride=[4, 4], bias="b"),
         op("relu6", "s", "d"), conv("p", "s", "t"), op("relu", "x", "p")], 2, 32, 32, 32)
    yield "picture-pooled", "w:1x1x3x8 fc:2x8 fcb:2", document([op("avg_pool", "p", "input", kernel=[2, 2], stride=[2, 2]), conv("x", "p", "w")], 2)
    yield "head-plane", "w:1x1x3x2", whole([conv("c", "input", "w"), op("relu", "x", "c"), op("gap", "gap", "x")], 2)
    yield "head-chain", "w:1x1x3x5 f:9x5 fb:9 g:2x9", whole([conv("x", "input", "w"), op("gap", "gap", "x"), op("fc", "f", "gap", weight="f", bias="fb"), op("relu6", "r", "f"),
                                                             op("fc", "g", "r", weight="g")], 2)
    yield "head-smooth", "w:1x1x3x5 f:9x5 s:9 t:9 g:7x9 gb:7 h:2x7", whole(
        [conv("x", "input", "w"), op("gap", "gap", "x"), op("fc", "f", "gap", weight="f"), op("affine", "n", "f", scale="s", shift="t"), op("gelu", "a", "n"),
         op("fc", "g", "a", weight="g", bias="gb"), op("hard_swish", "b", "g"), op("silu", "c", "b"), op("fc", "h", "c", weight="h")], 2)
    yield "head-normal", "w:1x1x3x5 s:5 t:5 h:2x5", whole(
        [conv("x", "input", "w"), op("gap", "gap", "x"), op("layer_norm", "n", "gap", scale="s", shift="t", epsilon=1e-3), op("sigmoid", "a", "n"),
         op("hard_sigmoid", "b", "a", slope=0.2, offset=0.5), op("clip", "c", "b", least=0.1, most=0.9), op("fc", "h", "c", weight="h")], 2)
    yield "head-flat", "w:1x1x3x2 f:4x40 fb:4 g:2x4", whole(
        [conv("c", "input", "w", stride=[2, 2], padding="same"), op("relu", "x", "c"), op("flatten", "flat", "x"), op("fc", "f", "flat", weight="f", bias="fb"), op("relu", "r", "f"),
         op("fc", "g", "r", weight="g")], 2)
    yield "squeeze-excite", "w:1x1x3x20 v:1x1x20x4 u:1x1x4x20 fc:2x20 fcb:2", document(
        [conv("a", "input", "w"), op("silu", "r", "a"), op("gap", "g", "r"), conv("c", "g", "v"), op("hard_swish", "s", "c"), conv("e", "s", "u"),
         op("hard_sigmoid", "h", "e", slope=0.2, offset=0.5), op("mul", "m", "r", "h"), op("gelu", "x", "m")], 2)
    yield "affine", "w:1x1x3x20 s:20 t:20 fc:2x20 fcb:2", document(
        [conv("a", "input", "w"), op("affine", "b", "a", scale="s", shift="t"), op("clip", "c", "b", least=-1, most=1), op("sigmoid", "d", "c"),
         op("layer_norm", "x", "d", scale="s", shift="t", epsilon=0.001)], 2)
    yield "moved", "w:1x1x3x20 fc:2x20 fcb:2", document(
        [conv("a", "input", "w"), op("slice", "b", "a", channels=[0, 7]), op("slice", "c", "a", channels=[7, 20]), op("concat", "d", "b", "c"), op("shuffle", "e", "d", groups=4),
         op("max_pool", "f", "e", kernel=[2, 2], stride=[2, 2], ceil_mode=True), op("avg_pool", "g", "f", kernel=[3, 3], padding=[1, 1, 1, 1], count_include_pad=True),
         op("resize", "x", "g", factor=[2, 3])], 2)
    yield "self-test", "w:1x1x3x2 fc:2x2 fcb:2", document([conv("x", "input", "w")], 2, origin="here", license="MIT", self_test={"logits": [[0, 1.5], [1, -1]]})
    yield "no-network", "w:1", {"version": 1}


def model_file(tensors, text):
    header, data = {"__metadata__": {"camserve": json.dumps(text)}}, b""
    for name, shape in (t.split(":") for t in tensors.split()):
        shape = [int(s) for s in shape.split("x")]
        values = random.normal(0, 0.1, shape).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    head = json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def levels(scale, zero_point=0):
    return {"quantization": {"scale": scale, "zero_point": zero_point}}


def conv8(name, source, weight, **more):
    """A convolution in integers: its scales and bias are named after its weight."""
    return conv(name, source, weight, weight_scale=weight + "s", bias=weight + "b", **more)


def networks_int8():
    """The same in 8 bits, their tensors with a letter behind the shape: tests/fuzz/helpers.c."""
    end = [op("gap", "gap", "x"), op("fc", "fc", "gap", weight="fc", weight_scale="fcs", bias="fcb")]
    stem = "w:3x3x3x8b ws:8p wb:8w "
    head = " fc:2x8b fcs:2p fcb:2"
    first = [conv8("c", "input", "w", stride=[2, 2], padding="same"), op("relu6", "r", "c", **levels(0.023))]
    aspect = {"resize": "aspect", "multiple": 4, "max_side": 16}

    def made(nodes):
        return whole(nodes, 2, resize=aspect, version=3)

    yield "int8-stem", stem + head, made([*first, op("max_pool", "x", "r", kernel=[2, 2], stride=[2, 2], **levels(0.023)), *end])
    yield "int8-residual", stem + "v:1x1x8x8b vs:8p vb:8w" + head, made(
        [*first, conv8("d", "r", "v"), op("add", "s", "d", "r"), op("relu", "x", "s", **levels(0.05, 3)), *end])
    yield "int8-depthwise", stem + "v:3x3x1x8b vs:8p vb:8w" + head, made(
        [*first, conv8("d", "r", "v", groups=8, padding="same", **levels(0.1, 127)), op("silu", "x", "d", **levels(0.05, 7)), *end])
    yield "int8-groups", stem + "v:3x3x2x8b vs:8p vb:8w" + head, made(
        [*first, conv8("d", "r", "v", groups=4, padding=[1, 1, 1, 1], **levels(0.2, 255)), op("avg_pool", "x", "d", kernel=[2, 2], padding="same", **levels(0.1, 200)), *end])
    yield "int8-squeeze", stem + "v:1x1x8x8b vs:8p vb:8w" + head, made(
        [*first, op("gap", "g", "r", **levels(0.02)), conv8("h", "g", "v", **levels(0.1, 100)), op("sigmoid", "i", "h", **levels(0.0039)), op("mul", "x", "r", "i", **levels(0.02)), *end])
    yield "int8-moves", stem + "u:8 t:8" + head, made(
        [*first, op("affine", "a", "r", scale="u", shift="t"), op("relu", "b", "a", **levels(0.03)), op("slice", "s", "b", channels=[0, 4], **levels(0.03)),
         op("slice", "t", "r", channels=[4, 8], **levels(0.02)), op("concat", "k", "s", "t", **levels(0.03)), op("shuffle", "f", "k", groups=2, **levels(0.03)),
         op("resize", "x", "f", factor=[2, 1], **levels(0.04, 9)), *end])
    yield "int8-mixed", stem + "u:8 t:8 v:1x1x8x8" + head, made(
        [*first, op("layer_norm", "n", "r", scale="u", shift="t", epsilon=1e-6, **levels(0.02, 128)), conv("d", "n", "v", **levels(0.05, 128)), op("add", "x", "d", "n", **levels(0.07, 120)), *end])
    yield "int8-float-head", stem + "fc:2x8 fcb:2", made([*first, op("add", "x", "r", "r", **levels(0.05)), op("gap", "gap", "x"), op("fc", "fc", "gap", weight="fc", bias="fcb")])


def graph():
    for name, tensors, text in (*networks(), *networks_int8()):
        yield name, f"{tensors}\n{json.dumps(text)}".encode()


RANGED = {"c": [-3.5, 4.25], "r": [0, 6], "d": [-20, 7.5], "s": [-0.278464556, 7.5], "p": [-1, 1], "a": [-1, 7], "i": [0.26, 0.9991], "m": [-0.3, 6.9]}  # target_ranges.c


def ranges():
    def of(values, layers="@", **more):
        return json.dumps({"model": "small", "layers": layers, "photos": 20, "ranges": values, **more}).encode()
    yield "whole", of(RANGED)
    yield "flat", of({name: [0, 0] for name in RANGED})
    yield "above-0", of({name: [0.5, 1e-3 + abs(ends[1])] for name, ends in RANGED.items()})
    yield "wide", of({name: [-1e15, 1e15] for name in RANGED})
    yield "narrow", of({name: [-1e-30, 1e-30] for name in RANGED})
    yield "mixed", of({name: ends if i % 2 else [x * 1e13 for x in ends] for i, (name, ends) in enumerate(RANGED.items())})
    yield "too-wide", of({**RANGED, "a": [-1e16, 1]})
    yield "reversed", of({**RANGED, "a": [1, -1]})
    yield "stranger", of({**RANGED, "x": [0, 1]})
    yield "short", of({name: RANGED[name] for name in "crd"})
    yield "twice", of(RANGED).replace(b'"r":', b'"c": [0, 1], "r":')
    yield "of-others", of(RANGED, "0" * 64)
    yield "nameless", json.dumps({"ranges": RANGED}).encode()
    yield "no-pair", of({**RANGED, "s": [1]})


def safetensors():
    for name, tensors, text in networks():
        if name in ("stem", "linear", "self-test", "no-network"):
            yield name, model_file(tensors, text)
    other = json.dumps({"a": {"dtype": "I8", "shape": [3], "data_offsets": [0, 3]}, "b": {"dtype": "F32", "shape": [], "data_offsets": [3, 7]},
                        "c": {"dtype": "F16", "shape": [0, 5], "data_offsets": [7, 7]}}).encode()
    yield "dtypes", struct.pack("<Q", len(other)) + other + bytes(7)
    yield "empty", struct.pack("<Q", 2) + b"{}"


# ---- weights ----

def unpickle():
    tree = {"a": {"weights": numpy.arange(6, dtype="<f4").reshape(1, 2, 3), "biases": numpy.arange(2, dtype=">f8")}, "b": numpy.asfortranarray(numpy.ones((2, 2), "<f2"))}
    yield "python2.npy", weight_files.npy_python2(tree)
    yield "tensorflow.json", json.dumps({"weightsManifest": [{"paths": ["a.bin"], "weights": [{"name": "a", "shape": [2, 3], "dtype": "float32"}]}]}).encode()
    yield "python2-one.npy", weight_files.npy_python2({"a": numpy.zeros(1, "<i4")}, (1,))
    yield "tensorflow.npy", small_model.npy({"c": tree["a"]})
    for protocol in (2, 3, 4, 5):
        yield f"python3-{protocol}.npy", weight_files.npy_python3(tree, protocol, 1 + protocol // 5)
    tensor, storage = weight_files.tensor, weight_files.Storage("FloatStorage", numpy.arange(4))
    state = {"w": tensor(numpy.arange(6.).reshape(2, 3), order=[1, 0]), "n": tensor(numpy.arange(2), "LongStorage"), "h": tensor(numpy.ones(1), "HalfStorage", parameter=True),
             "s": weight_files.Tensor(storage, 1, (2,), (1,)), "t": weight_files.Tensor(storage, 0, (2, 2), (2, 1)), "epoch": 3}
    for name, value in (("flat", state), ("nested", {"epoch": 1, "state_dict": state, "x": 0.5})):
        yield f"legacy-{name}.pth", weight_files.pth_legacy(value)
        yield f"stored-{name}.pth", weight_files.pth_zip(value)
        yield f"deflated-{name}.pth", weight_files.pth_zip(value, zipfile.ZIP_DEFLATED)
    yield "big.pth", weight_files.pth_zip(state, byteorder="big", folder="m/v")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(4 << 20))
    yield "bomb.pth", out.getvalue()


# ---- networks as ONNX ----

def onnx():
    for kind, steps in (("plain", onnx_files.PLAIN), ("rich", onnx_files.RICH)):
        w, channels = onnx_files.made_weights(steps, 5)
        for opset in onnx_files.OPSETS:
            for layout in onnx_files.LAYOUTS:
                yield f"{kind}-{opset}-{layout}", onnx_files.Speller(steps, w, channels, opset, layout, opset).model()
    for number in range(len(onnx_files.RICH)):  # a step or two alone: small files, changed deeper
        steps = onnx_files.alone(number)
        w, channels = onnx_files.made_weights(steps, 5)
        for opset, layout in ((9, "nchw"), (20, "nhwc")):
            yield f"step-{number}-{opset}", onnx_files.Speller(steps, w, channels, opset, layout, number).model()
    yield "external", onnx_files.Speller(onnx_files.PLAIN, *onnx_files.made_weights(onnx_files.PLAIN, 5), 13, "nchw", 1, lambda raw: ("none.data", 0)).model()
    yield "nested", onnx_files.data(7, onnx_files.data(1, onnx_files.data(4, "If") + onnx_files.data(5, onnx_files.data(6, onnx_files.data(1, b"")))))
    yield "empty-nodes", onnx_files.data(7, b"\x0a\0" * 2000)


TARGETS = {"onnx": onnx, "photo": photo, "multipart": multipart, "json": json_bodies, "kserve": kserve, "parameters": parameters, "graph": graph, "ranges": ranges, "lines": lines, "csv": csv, "checkpoint": checkpoint, "safetensors": safetensors, "unpickle": unpickle}

if __name__ == "__main__":
    for target, seeds in TARGETS.items():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, content in seeds():
            (folder / name).write_bytes(content)
