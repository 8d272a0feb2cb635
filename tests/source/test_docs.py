"""What the pages name is there: each link leads to a file, and to a heading where it says one; each path that is quoted exists."""
import re

import pytest

from source import ROOT

PAGES = sorted(p for folder in (".", "docs", "docker", "tests/fuzz", "static/samples") for p in (ROOT / folder).glob("*.md"))
BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FOLDERS = "config|docker|docs|engine|include|install|server|static|tests"
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./-]*)`")
ROOM_FILE = re.compile(r"`((?:[a-z]+/)*[a-z_0-9]+\.[ch])`")  # "photo/exif.c", "cost.c"


def anchors(page):
    """GitHub's: lower case, punctuation away, blanks as hyphens."""
    titles = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def dead_links(page):
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or anchor and anchor not in anchors(target):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links(page):
    assert not list(dead_links(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_paths(page):
    """A name in capitals stands for any: config/models/NAME.json."""
    named = [path for path in PATH.findall(page.read_text()) if not re.search("[A-Z]{4}", path.removesuffix("README.md"))]
    assert not [path for path in named if not (ROOT / path).exists()]


def test_files_of_the_rooms():
    """ARCHITECTURE.md names files by their last folders, or alone."""
    known = ["/" + p.relative_to(ROOT).as_posix() for folder in ("engine", "server", "include", "tests") for p in (ROOT / folder).rglob("*.[ch]")]
    named = ROOM_FILE.findall((ROOT / "ARCHITECTURE.md").read_text())
    assert len(named) > 50
    assert not [name for name in named if not any(path.endswith("/" + name) for path in known)]


def test_the_version_stands_in_one_place():
    """And in the changes, whose first entry it is."""
    version = re.search(r"^VERSION *:= *(\d+\.\d+\.\d+)$", (ROOT / "Makefile").read_text(), re.M)[1]
    assert re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == version
    for name in ("static/openapi.json", "Dockerfile", "docker/compose.yaml", "README.md", "server/base/version.h"):
        assert version not in (ROOT / name).read_text(), name


def test_a_dead_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# One, two\n[a](#one-two) [b](#three) [c](page.md) [d](gone.md) [e](https://example.org)\n")
    assert list(dead_links(page)) == ["#three", "gone.md"]
