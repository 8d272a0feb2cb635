"""docs/models.md against the tables of the program: operators, members and presets that it does not name, or that are no more."""
import os
import re
import subprocess

from source import ROOT

PAGE = (ROOT / "docs/models.md").read_text()


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def words(file, pattern):
    found = re.findall(pattern, (ROOT / file).read_text())
    assert found, file
    return set(found)


def test_operators_of_the_file():
    known = words("engine/network/node.h", r'X\(OP_\w+, "(\w+)"\)')
    table = section("The file").split("| operator |")[1].split("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == known


def test_members_of_nodes():
    known = words("engine/network/attribute.c", r'\{"(\w+)", (?:HAS_\w+|0), (?:true|false), ')
    assert not {name for name in known if f"`{name}`" not in section("The file") and f'"{name}"' not in section("The file")}


def test_presets():
    presets = words("engine/convert/onnx_join.c", r'\{"(\w+)",\s*"(?:RGB|BGR)"')
    assert {name for name in re.findall(r"^\| `(\w+)`", section("Pixels"), re.M)} == presets


def test_operators_of_onnx():
    tables = [file.read_text() for file in (ROOT / "engine/convert").glob("onnx_*.c") if file.name != "onnx_fold.c"]
    known = {name for text in tables for table in re.findall(r"onnx_operator onnx_\w+_operators\[\] = \{(.*?)\n\};", text, re.S) for name in re.findall(r'\{"(\w+)"', table)}
    assert "Conv" in known and "Split" in known
    assert not known - set(re.findall(r"\w+", section("What is read")))


def test_make_model_without_a_name_says_them():
    names = [line.split()[0] for line in (ROOT / "config/models/zoo.txt").read_text().splitlines() if line and not line.startswith("#")]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name not in ("MODEL", "MFLAGS")}
    result = subprocess.run(["make", "model"], cwd=ROOT, env=bare, capture_output=True, text=True, timeout=60)
    assert result.returncode and not result.stdout and " ".join(names) in result.stderr, result
