#!/usr/bin/env python3
"""colormaps.py - writes engine/render/colormap_tables.h and, with --page, static/colormaps.js from matplotlib's own tables (pip install matplotlib).

    python3 tests/reference/colormaps.py > engine/render/colormap_tables.h
    python3 tests/reference/colormaps.py --page > static/colormaps.js

A component is floor(255 * value + 0.5) of matplotlib's 256 float entries: the 8-bit colour nearest to each.
With --check FILE it writes nothing and fails where the file differs."""
import base64
import pathlib
import re
import sys

import matplotlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROWS = re.findall(r'X\((\w+),\s*"(\w+)"', re.search(r"#define CAM_COLORMAPS\(X\).*?\n\n", (ROOT / "include/cam_engine.h").read_text(), re.S)[0])
HEAD = """/* colormap_tables.h - 256 RGB colours of each colormap. Written by tests/reference/colormaps.py
 * from matplotlib's tables; do not edit. jet, gray: matplotlib's piecewise-linear definitions.
 * turbo: Anton Mikhailov, Google, Apache-2.0. viridis, inferno: Nathaniel J. Smith, Stefan van der
 * Walt, CC0. coolwarm: Kenneth Moreland, "Diverging Color Maps for Scientific Visualization",
 * 2009. */
#ifndef COLORMAP_TABLES_H
#define COLORMAP_TABLES_H
#include <stdint.h>

/* clang-format off */
#define C(rgb) {0x##rgb >> 16, 0x##rgb >> 8 & 255, 0x##rgb & 255}
"""
TAIL = """#undef C
/* clang-format on */

#endif
"""


PAGE = """// colormaps.js - the service's colormaps. Written by tests/reference/colormaps.py --page from matplotlib's tables; do not edit.
// A colormap is 256 colours of 3 bytes: red, green, blue.

const table = (base64) => Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));

export const COLORMAPS = {
%s};
"""


def colours(name):
    """[[r, g, b], ...], 256 of them."""
    return [[int(255 * v + 0.5) for v in entry[:3]] for entry in matplotlib.colormaps[name](range(256))]


def table(enumerator, name):
    codes = ["%02x%02x%02x" % tuple(colour) for colour in colours(name)]
    rows = [", ".join(f"C({c})" for c in codes[i : i + 8]) for i in range(0, 256, 8)]
    return f"static const uint8_t {enumerator}_COLOURS[256][3] = {{\n  " + ",\n  ".join(rows) + "};\n"


GREY = [[i] * 3 for i in range(256)]  # is written as a rule


def row(name):
    values = f"table('{base64.b64encode(bytes(sum(colours(name), []))).decode()}')"
    if colours(name) == GREY:
        values = "Uint8Array.from({ length: 768 }, (_, i) => i / 3)"
    return f"  {name}: {values},\n"


def page():
    return PAGE % "".join(row(name) for _, name in ROWS)


text = page() if "--page" in sys.argv else HEAD + "".join(table(*row) for row in ROWS) + TAIL
if "--check" in sys.argv:
    with open(sys.argv[-1]) as file:
        sys.exit(0 if file.read() == text else f"{sys.argv[-1]} is not what matplotlib {matplotlib.__version__} gives")
sys.stdout.write(text)
