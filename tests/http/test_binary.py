"""How the program is compiled and linked, read from the file with readelf (binutils, which gcc brings along)."""
import platform
import re
import subprocess

import pytest

from server import BINARY


def readelf(*flags, file=BINARY):
    return subprocess.run(["readelf", "-W", *flags, file], capture_output=True, text=True, check=True).stdout


def test_addresses_are_random_and_tables_read_only():
    assert "DYN (Position-Independent" in readelf("--file-header")
    dynamic, segments = readelf("--dynamic"), readelf("--program-headers")
    assert "BIND_NOW" in dynamic and "TEXTREL" not in dynamic
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK .* RW +0x", segments), "a stack that can be run"
    loads = [line.split()[6:-1] for line in segments.splitlines() if line.strip().startswith("LOAD")]
    assert len(loads) > 2 and not any("W" in "".join(flags) and "E" in "".join(flags) for flags in loads), loads


def test_stack_and_copies_are_guarded():
    symbols = readelf("--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert {"__memcpy_chk", "__snprintf_chk"} <= set(re.findall(r"__\w+_chk\b", symbols))


@pytest.mark.parametrize("folder", ["server", "engine"])
def test_branches_go_where_branches_may_go(folder):
    """Of our objects: the program says so as a whole once libc's start files do, which in Debian 12 they do not."""
    expected = {"x86_64": "x86 feature: IBT, SHSTK", "aarch64": "AArch64 feature: BTI, PAC"}[platform.machine()]
    objects = list((BINARY.parent / folder).rglob("*.o"))
    assert objects
    for file in objects:
        assert expected in readelf("--notes", file=file), file
