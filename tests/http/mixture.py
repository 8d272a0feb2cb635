"""An endless mixture of good and bad requests, for the tests of memory and for `make soak`."""
import hostile
import pictures


def mixed_requests():
    """(photo, parameters) without end: two thirds bad."""
    goods = [pictures.png(pictures.scene(200, 150)), pictures.jpeg(pictures.scene(320, 240)),
             pictures.jpeg(pictures.scene(100, 300), progressive=True), pictures.save(pictures.scene(64, 64), "BMP"), pictures.webp(pictures.scene(200, 150))]
    bads = [b"no photo", hostile.half(goods[0]), hostile.huge_jpeg(), hostile.no_scan_jpeg(), b"GIF89a" + bytes(30), hostile.huge_png(), b"",
            hostile.idat_bomb(1)]
    i = 0
    while True:
        if i % 3 == 0:
            yield goods[i // 3 % len(goods)], {"top_k": 1 + i // 3 % 3, "size": ("fit", "input", "original")[i // 9 % 3]}
        else:
            yield bads[i % len(bads)], {"top_k": i // len(bads) % 4}
        i += 1
