"""Each foreign library is included in one file: the one that ARCHITECTURE.md's table names."""
import re

import pytest

from source import ROOT, files

# The libraries as that table calls them, and what their headers are called.
HEADERS = {
    "libmicrohttpd": r"microhttpd\.h", "GnuTLS": r"gnutls/.*", "cJSON": r"cjson/.*|cJSON\.h", "OpenBLAS": r"cblas\.h|openblas.*|lapacke?\.h",
    "libjpeg-turbo": r"j(peglib|error|morecfg|config)\.h|turbojpeg\.h", "libwebp": r"webp/.*", "libpng": r"png(conf|libconf)?\.h", "Little CMS": r"lcms2.*\.h",
    "libdeflate": r"libdeflate\.h", "nettle": r"nettle/.*", "libzip": r"zip(conf)?\.h", "inih": r"ini\.h",
    "liblbfgs": r"lbfgs\.h", "libseccomp": r"seccomp\.h", "protobuf-c": r"onnx\.pb-c\.h|protobuf-c/.*",
}
# The C library, the kernel and the compiler.
SYSTEM = re.compile(r"(sys|linux|netinet|arpa)/\w+\.h|(ctype|dirent|endian|errno|fcntl|float|fnmatch|inttypes|limits|malloc|math|netdb|poll|pthread|regex|sched"
                    r"|setjmp|signal|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|string|strings|time|unistd|emmintrin|immintrin|arm_neon)\.h")


def table(text):
    """{library: file} of the rows below the header "| library | file | job |"."""
    lines = iter(text.splitlines())
    assert any(re.fullmatch(r"\| library \| file \| job \|", line) for line in lines), "ARCHITECTURE.md has no table of libraries"
    rows = {}
    for line in lines:
        row = re.match(r"\| ([\w -]+?) \| `([^`]+)` \|", line)
        if row:
            rows[row[1]] = row[2]
        elif not line.startswith("| ---"):
            break
    return rows


def foreign(root):
    """(file, header) of each include in <> that is neither the tree's own nor SYSTEM's."""
    found = []
    for path in files(root):
        for header in re.findall(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", path.read_text(), re.M):
            if not SYSTEM.fullmatch(header) and not (root / "include" / header).exists():
                found.append((path.relative_to(root).as_posix(), header))
    return found


def wrong(root, owners):
    """Includes of a library elsewhere than where its row says, or of one that has no row."""
    lines = []
    for name, header in foreign(root):
        library = next((n for n, pattern in HEADERS.items() if re.fullmatch(pattern, header)), None)
        if not library:
            lines.append(f"{name} includes <{header}>, which belongs to no library of HEADERS")
        elif owners.get(library) != name:
            lines.append(f"{name} includes <{header}> of {library}, which belongs to {owners.get(library)} alone")
    return lines


OWNERS = table((ROOT / "ARCHITECTURE.md").read_text())


def test_the_tree():
    assert not wrong(ROOT, OWNERS)


@pytest.mark.parametrize("library", sorted(HEADERS | OWNERS))
def test_every_row_is_true(library):
    """The table, the headers known here and the tree have the same libraries."""
    assert library in HEADERS, "HEADERS lacks it"
    assert (OWNERS.get(library), True) in [(name, bool(re.fullmatch(HEADERS[library], header))) for name, header in foreign(ROOT)]


@pytest.mark.parametrize("name,header,said", [("server/work/job.c", "microhttpd.h", "belongs to server/http/http.c alone"),
                                              ("engine/base/json.c", "curl/curl.h", "no library of HEADERS"),
                                              ("server/base/json.c", "cjson/cJSON.h", "of cJSON")])
def test_what_is_wrong_is_said(made, name, header, said):
    (line,) = wrong(made({name: f"#include <stdio.h>\n#include <{header}>\n"}), OWNERS)
    assert said in line and name in line
