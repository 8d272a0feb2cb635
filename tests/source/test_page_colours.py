"""The page draws with the service's colours: static/colormaps.js has the tables of engine/render/colormap_tables.h, byte by byte."""
import base64
import re

from source import ROOT

TABLES = (ROOT / "engine/render/colormap_tables.h").read_text()
MODULE = (ROOT / "static/colormaps.js").read_text()
WORDS = dict(re.findall(r'X\((CAM_\w+),\s*"(\w+)"', re.search(r"#define CAM_COLORMAPS\(X\).*?\n\n", (ROOT / "include/cam_engine.h").read_text(), re.S)[0]))


def test_the_page_s_colormaps_are_the_service_s():
    service = {WORDS[name]: bytes.fromhex("".join(re.findall(r"C\((\w{6})\)", body))) for name, body in re.findall(r"(CAM_\w+)_COLOURS\[256\]\[3\] = \{(.*?)\};", TABLES, re.S)}
    page = {name: base64.b64decode(text) for name, text in re.findall(r"^  (\w+): table\('([^']+)'\)", MODULE, re.M)}
    assert "  gray: Uint8Array.from({ length: 768 }, (_, i) => i / 3),\n" in MODULE
    page["gray"] = bytes(i // 3 for i in range(768))
    assert len(service) >= 6 and all(len(colours) == 3 * 256 for colours in service.values())
    assert page == service
