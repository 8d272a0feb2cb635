"""The shape of the C code: clang-format's, narrow, few conditional operators, short functions, a name once."""
import collections
import subprocess

import pytest

from source import ROOT, code, files, functions

WIDTH, CONDITIONALS, LONGEST = 100, 1.5, 59  # columns; a hundred lines; lines
EVERYWHERE = ("include", "engine", "server", "tests")

# Static functions that may be called the same in two files: words whose file says what they are of.
SHARED_NAMES = {"add", "begin", "decode", "describe", "finish", "load", "main", "put", "read_chunk", "read_exif", "read_header", "run", "say", "splat"}


def unformatted(paths):
    """clang-format's own words, one line for each place."""
    result = subprocess.run(["clang-format", "--dry-run", "--ferror-limit=0", *paths], capture_output=True, text=True, cwd=ROOT)
    return [line for line in result.stderr.splitlines() if "-Wclang-format-violations" in line] or ([result.stderr] if result.returncode else [])


def wide(root, folders=EVERYWHERE):
    return [f"{p.relative_to(root)}:{number}: {len(line)} columns" for p in files(root, folders)
            for number, line in enumerate(p.read_text().split("\n"), 1) if len(line) > WIDTH]


def conditionals(root):
    """How many conditional operators a hundred lines have: over all, and the files with the most, as text."""
    counts = collections.Counter({p: code(p.read_text()).count("?") for p in files(root)})
    lines = sum(p.read_text().count("\n") for p in counts)
    return 100 * sum(counts.values()) / max(1, lines), [f"{count:3} {p.relative_to(root)}" for p, count in counts.most_common(20)]


def long_functions(root):
    return [f"{p.relative_to(root)}:{line}: {name} has {length} lines" for p in files(root) for name, length, line in functions(p.read_text())
            if length > LONGEST]


def shared_names(root):
    """Function names that are defined in two files of the program."""
    owners = collections.defaultdict(set)
    for path in files(root):
        for name, _, _ in functions(path.read_text()):
            owners[name].add(path.relative_to(root).as_posix())
    return [f"{name}: {', '.join(sorted(where))}" for name, where in sorted(owners.items()) if len(where) > 1 and name not in SHARED_NAMES]


def test_clang_format():
    assert not unformatted(files(ROOT, EVERYWHERE))


def test_lines_are_narrow():
    assert not wide(ROOT)


def test_conditional_operators_are_few():
    share, most = conditionals(ROOT)
    assert share < CONDITIONALS, f"{share:.2f} a hundred lines; the most in\n" + "\n".join(most)


def test_functions_are_short():
    assert not long_functions(ROOT)


def test_a_name_is_used_once():
    wrong = shared_names(ROOT)
    assert not wrong, "\n".join(wrong)


# ---- the checkers, on files made to be wrong ----
def test_format_of_a_made_file(made):
    root = made({"a.c": "int f(void) { return  1;}\n", "b.c": "int f(void) { return 1; }\n", ".clang-format": (ROOT / ".clang-format").read_text()})
    assert unformatted([root / "a.c"]) and not unformatted([root / "b.c"])


def test_width_of_a_made_file(made):
    root = made({"server/a.c": "/*" + " " * 96 + "*/\n/*" + " " * 97 + "*/\n"})
    assert wide(root, ["server"]) == ["server/a.c:2: 101 columns"]


def test_conditionals_of_a_made_file(made):
    """Not those of comments, strings and characters."""
    root = made({"engine/a.c": "/* ? */\nint f(int a) {\n  return a == '?' ? 1 : \"a?\\\"?\"[0]; // ?\n}\n"})
    assert conditionals(root) == (25, ["  1 engine/a.c"])


@pytest.mark.parametrize("head", ["int f(int a) {", "static void *f(int a,\n                   int b) {", "__attribute__((noreturn)) void f(void) {"])
def test_length_of_a_made_function(made, head):
    def text(lines):
        return f"#define G(x) g(x)\nint one(void) {{ return 1; }}\n\n{head}\n" + "  g();\n" * (lines - 2 - head.count("\n")) + "}\n\nint h(void) {\n}\n"
    assert not long_functions(made({"server/base/a.c": text(59)}))
    assert long_functions(made({"server/base/a.c": text(60)})) == ["server/base/a.c:4: f has 60 lines"]


def test_shared_name_of_made_files(made):
    root = made({"server/a.c": "static int drain(void) {\n}\nstatic void run(void) {\n}\n", "engine/b.c": "int drain(int a) { return a; }\nvoid run(int a) {\n}\n"})
    assert shared_names(root) == ["drain: engine/b.c, server/a.c"]
