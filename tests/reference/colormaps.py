#!/usr/bin/env python3
"""colormaps.py - writes engine/render/colormap_tables.h from matplotlib's own tables (pip install matplotlib).

    python3 tests/reference/colormaps.py > engine/render/colormap_tables.h

A component is floor(255 * value + 0.5) of matplotlib's 256 float entries: the 8-bit colour nearest to each.
With --check FILE it writes nothing and fails where the file differs."""
import sys

import matplotlib

NAMES = ["jet", "turbo", "viridis", "inferno", "gray"]  # the order of CAM_COLORMAPS
HEAD = """/* colormap_tables.h - 256 RGB colours of each colormap. Written by tests/reference/colormaps.py from matplotlib's tables; do not edit.
 * jet, gray: matplotlib's piecewise-linear definitions. turbo: Anton Mikhailov, Google, Apache-2.0.
 * viridis, inferno: Nathaniel J. Smith, Stefan van der Walt, CC0. */
#ifndef COLORMAP_TABLES_H
#define COLORMAP_TABLES_H
#include "colormap.h"

#define C(rgb) {0x##rgb >> 16, 0x##rgb >> 8 & 255, 0x##rgb & 255}
static const colormap_table colormap_tables[CAM_COLORMAP_COUNT] = {
"""
TAIL = """};
#undef C
#endif
"""


def table(name):
    entries = matplotlib.colormaps[name](range(256))
    colours = ["".join(f"{int(255 * v + 0.5):02x}" for v in entry[:3]) for entry in entries]
    rows = [", ".join(f"C({c})" for c in colours[i : i + 12]) for i in range(0, 256, 12)]
    return f"  [CAM_{name.upper()}] = {{\n    " + ",\n    ".join(rows) + "},\n"


text = HEAD + "".join(table(name) for name in NAMES) + TAIL
if sys.argv[1:2] == ["--check"]:
    with open(sys.argv[2]) as file:
        sys.exit(0 if file.read() == text else f"{sys.argv[2]} is not what matplotlib {matplotlib.__version__} gives")
sys.stdout.write(text)
