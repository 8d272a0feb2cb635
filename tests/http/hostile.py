"""Files that mean harm: each must get its 4xx and cost next to nothing."""
import gzip
import struct
import zlib

import numpy

import pictures
from pictures import chunk

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def png_header(width, height, depth=8, colour=2, interlace=0):
    return PNG_MAGIC + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def huge_png(width=64250, height=64250):
    return png_header(width, height) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def huge_jpeg(width=64250, height=64250, progressive=False):
    """A true JPEG whose frame header claims other sides."""
    file = bytearray(pictures.jpeg(pictures.smooth(32, 32), progressive=progressive))
    frame = file.find(b"\xff\xc2" if progressive else b"\xff\xc0")
    file[frame + 5:frame + 9] = struct.pack(">HH", height, width)
    return bytes(file)


def huge_bmp(width=64250, height=64250):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 2835, 2835, 0, 0) + bytes(900)


def huge_webp(width=16383, height=16383):
    """A lossy WebP whose frame header claims other sides."""
    name, picture = pictures.webp_picture(pictures.smooth(32, 32))
    return pictures.riff(pictures.riff_chunk(name, picture[:6] + struct.pack("<HH", width, height) + picture[10:]))


def huge_lossless_webp(width=16384, height=16384):
    return pictures.riff(pictures.riff_chunk(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + bytes(100)))


def huge_canvas_webp(width=1 << 24, height=1 << 24):
    return pictures.extended_webp(width, height, 0, pictures.riff_chunk(*pictures.webp_picture(pictures.smooth(32, 32))))


class Bits:
    """Numbers of some bits each, the least first (RFC 9649, 3.2)."""

    def __init__(self):
        self.value, self.count = 0, 0

    def put(self, value, bits):
        self.value |= value << self.count
        self.count += bits

    def bytes(self):
        return self.value.to_bytes((self.count + 7) // 8, "little")


def black_webp(width, height, block_bits=9):
    """A black lossless WebP in which each block of 2^block_bits (2 to 9) pixels a side has a group of five Huffman codes of its own, of one symbol each.
    That is 2.5 bytes a group in the file; a decoder sets aside tables for the largest codes that there may be, 20 KB, and fills 5 KB."""
    groups = ((width - 1 >> block_bits) + 1) * ((height - 1 >> block_bits) + 1)
    assert groups <= 65536
    bits = Bits()
    bits.put(0x2F, 8)
    bits.put(width - 1, 14)
    bits.put(height - 1, 14)
    bits.put(0, 1 + 3 + 1)  # no alpha, version 0, no transform
    bits.put(1 | 11 << 1, 5)  # a colour cache of 2^11, which makes the tables larger
    bits.put(1 | block_bits - 2 << 1, 4)  # groups: a picture of one pixel a block says which
    bits.put(0, 1)  # that has no colour cache; its green and red have 256 codes of 8 bits, the others one symbol
    for green in (True, False):
        bits.put(0 | 12 - 4 << 1, 5)
        bits.put(1 << 33, 36)  # lengths of the code of lengths, in the order 17 18 0 1 2 3 4 5 16 6 7 8: eight is all there is
        bits.put(1 | 3 << 1 | 256 - 2 << 4, 12) if green else bits.put(0, 1)  # of green's 280 symbols the first 256
    bits.put(0b000100010001, 12)
    turned = bytes(int(f"{i:08b}"[::-1], 2) for i in range(256))  # codes stand with their first bit first
    bits.put(int.from_bytes(struct.pack(f"<{groups}H", *range(groups)).translate(turned), "little"), 16 * groups)
    bits.put(int("0001" * 5 * groups, 2), 20 * groups)
    return pictures.riff(pictures.riff_chunk(b"VP8L", bits.bytes()))


def huffman_bomb():
    """300 KB that ask for 1.3 GB, and write on 360 MB of them."""
    return black_webp(1024, 1024, 2)


def packed_zeros(mebibytes):
    """A zlib stream of that many MiB of zeros, without the time to compress them: after a full flush each MiB is packed alike."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\xda" + one * mebibytes + b"\3\0" + struct.pack(">I", (mebibytes << 20) % 65521 << 16 | 1)


def idat_bomb(mebibytes=1024):
    """1x1 by its header; its data inflates to `mebibytes` MiB (about 1 MiB a GiB on the wire)."""
    return png_header(1, 1) + chunk(b"IDAT", packed_zeros(mebibytes)) + chunk(b"IEND", b"")


def inflating_png(width, height, mebibytes):
    """Its data inflates to more than the size in its header needs."""
    return png_header(width, height) + idat_bomb(mebibytes)[33:]


def many_idats(count=200000):
    """Two hundred thousand empty IDAT chunks."""
    return png_header(8, 8) + chunk(b"IDAT", b"") * count + chunk(b"IEND", b"")


def text_bomb():
    """A zTXt chunk that would inflate to 256 MiB; nobody needs to. The picture itself is good."""
    text = chunk(b"zTXt", b"k\0\0" + packed_zeros(256))
    good = pictures.png(pictures.smooth(16, 16))
    return good[:33] + text + good[33:]


def scans_jpeg(scans=1000, side=512):
    """A progressive JPEG with one DC scan and then `scans` AC scans that each cover the whole picture with end-of-band runs."""
    good = pictures.jpeg(pictures.smooth(side, side), progressive=True, subsampling=0)
    at = good.find(b"\xff\xda")
    scans_at = []
    while at >= 0:
        scans_at.append(at)
        at = good.find(b"\xff\xda", at + 2)
    tables = good[:scans_at[0]]
    one = good[scans_at[1]:scans_at[2]]
    while one and b"\xff\xc4" in one:  # Huffman tables between the scans belong to the next one: leave them out
        one = one[:one.find(b"\xff\xc4")]
    last_tables = good[scans_at[0]:scans_at[1]]
    return tables + last_tables + one * scans + b"\xff\xd9"


def no_scan_jpeg():
    file = pictures.jpeg(pictures.smooth(64, 64))
    return file[:file.find(b"\xff\xda")] + b"\xff\xd9"


def half(file):
    return file[:len(file) // 2]


# Magic bytes of formats that are not supported -> the word that the answer must say.
OTHER_FORMATS = {
    "GIF": b"GIF89a" + bytes(40),
    "HEIC": struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(60),
    "HEIF": struct.pack(">I", 24) + b"ftypmif1" + bytes(4) + b"mif1miaf" + bytes(60),
    "MP4": struct.pack(">I", 24) + b"ftypisom" + bytes(4) + b"isommp42" + bytes(60),
    "QuickTime": struct.pack(">I", 20) + b"ftypqt  " + bytes(4) + b"qt  " + bytes(60),
    "WebM": b"\x1a\x45\xdf\xa3" + bytes(60),
    "JPEG XL": b"\xff\x0a" + bytes(60), "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60),
    "BigTIFF": b"MM\0+\0\x08\0\0" + bytes(60),
    "PSD": b"8BPS\0\1" + bytes(60), "ICO": b"\0\0\1\0\1\0" + bytes(60), "ZIP": b"PK\3\4" + bytes(60),
    "HTML": b"\xef\xbb\xbf\n <!DOCTYPE html><html></html>", "JSON": b'{"image": ""}', "text": b"Dear service, this is not a photo.\n",
    "base64": b"iVBORw0KGgoAAAANSUhEUgAA",
    "AVIF": struct.pack(">I", 24) + b"ftypavif" + bytes(4) + b"mif1avif" + bytes(60),
    "TIFF": b"II*\0" + bytes(60),
    "PDF": b"some junk\0\xff\n%PDF-1.7\n" + bytes(60),
    "SVG": b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"></svg>',
}
# stb_image would read these if asked to; camserve must not.
OTHER_DECODERS = {
    "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(300),
    "pic": b"\x53\x80\xf6\x34" + bytes(84) + b"PICT" + bytes(100),
    "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 8\n" + bytes(300),
    "pnm": b"P6 8 8 255\n" + bytes(8 * 8 * 3),
    "tga": struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 8, 8, 24, 0) + bytes(8 * 8 * 3),
    "gzip": gzip.compress(b"photo"),
    "text": b"this is not a photo",
    "zeros": bytes(4096),
    "html": b"<!doctype html><title>photo</title>",
    "json": b'{"image": ""}',
}


def broken():
    """name -> file that begins like a supported format and is not one."""
    good = pictures.scene(120, 80)
    png, jpeg, bmp, webp = pictures.png(good), pictures.jpeg(good), pictures.save(good, "BMP"), pictures.webp(good)
    lossless, sheer = pictures.webp(good, lossless=True), pictures.webp(numpy.concatenate([good, good[..., :1]], 2))
    alpha, name, picture = sheer.find(b"ALPH"), *pictures.webp_picture(good)

    def wrong_checksum(kind):
        at = png.find(kind)
        end = at + 4 + struct.unpack(">I", png[at - 4:at])[0]
        return png[:end] + bytes([png[end] ^ 1]) + png[end + 1:]
    random = numpy.random.default_rng(1).bytes(3000)
    palette = png_header(4, 4, 8, 3)
    return {
        "png cut": half(png), "jpeg cut": half(jpeg), "bmp cut": half(bmp), "progressive cut": half(pictures.jpeg(good, progressive=True)),
        "png magic alone": PNG_MAGIC, "jpeg magic alone": b"\xff\xd8\xff", "bmp magic alone": b"BM",
        "png header alone": png_header(4, 4), "png without data": png_header(4, 4) + chunk(b"IEND", b""),
        "png 0 wide": png_header(0, 4) + chunk(b"IDAT", zlib.compress(bytes(4))) + chunk(b"IEND", b""),
        "png depth 3": png_header(4, 4, 3) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b""),
        "png colour 5": png_header(4, 4, 8, 5) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b""),
        "png palette missing": palette + chunk(b"IDAT", zlib.compress(bytes(20))) + chunk(b"IEND", b""),
        "png filter 9": png_header(4, 1) + chunk(b"IDAT", zlib.compress(b"\x09" + bytes(12))) + chunk(b"IEND", b""),
        "png too little data": png_header(40, 40) + chunk(b"IDAT", zlib.compress(bytes(50))) + chunk(b"IEND", b""),
        "png chunk of 2 GiB": PNG_MAGIC + b"\x7f\xff\xff\xffIHDR" + bytes(30),
        "png random data": png_header(40, 40) + chunk(b"IDAT", random) + chunk(b"IEND", b""),
        "jpeg no scan": no_scan_jpeg(), "jpeg random": b"\xff\xd8\xff\xe0" + random,
        "jpeg segment length 0": jpeg[:2] + b"\xff\xe1\0\0" + jpeg[4:], "jpeg zero wide": huge_jpeg(0, 32),
        "jpeg arithmetic": jpeg.replace(b"\xff\xc0", b"\xff\xc9", 1), "jpeg lossless": jpeg.replace(b"\xff\xc0", b"\xff\xc3", 1),
        "jpeg 12 bit": jpeg.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c", 1),
        **{f"png wrong checksum of {kind.decode()}": wrong_checksum(kind) for kind in (b"IHDR", b"IDAT")},
        "webp cut": half(webp), "webp lossless cut": half(lossless), "webp alpha cut": half(sheer), "webp magic alone": b"RIFF\4\0\0\0WEBP",
        "webp random": pictures.riff(pictures.riff_chunk(b"VP8 ", picture[:10] + random)),
        "webp lossless random": pictures.riff(pictures.riff_chunk(b"VP8L", lossless[20:25] + random)),
        "webp data missing": pictures.riff(pictures.riff_chunk(name, half(picture))),
        "webp lossless data missing": pictures.riff(pictures.riff_chunk(b"VP8L", half(lossless[20:]))),
        "webp no picture": pictures.extended_webp(120, 80, 0), "webp 0 wide": huge_webp(0, 80),
        "webp other canvas": pictures.extended_webp(121, 80, 0, pictures.riff_chunk(name, picture)),
        "webp chunk of 4 GiB": webp[:16] + b"\xff" * 4 + webp[20:], "webp first chunk unknown": webp[:12] + b"VP9 " + webp[16:],
        "webp alpha of nothing": sheer[:alpha + 8] + bytes(len(sheer) - alpha - 8),
        "webp VP8X of 2 bytes": pictures.riff(pictures.riff_chunk(b"VP8X", b"ab"), pictures.riff_chunk(name, picture)),
        "bmp offset outside": bmp[:10] + struct.pack("<I", 0xFFFFFFF0) + bmp[14:],
        "bmp 0 wide": bmp[:18] + bytes(4) + bmp[22:], "bmp header 7": bmp[:14] + struct.pack("<I", 7) + bmp[18:],
        "bmp RLE": bmp[:30] + struct.pack("<I", 1) + bmp[34:], "bmp least int": bmp[:22] + struct.pack("<i", -2**31) + bmp[26:],
    }


def nested_frames(levels):
    """An animated WebP whose first frame holds a frame, which holds a frame ..."""
    end = 24 * levels
    frames = b"".join(b"ANMF" + struct.pack("<I", end - 24 * i - 8) + bytes(16) for i in range(levels))
    chunks = b"VP8X" + struct.pack("<I", 10) + b"\2" + bytes(9) + frames
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
