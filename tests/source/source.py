"""The C files of the tree, as text: what the checks of the source itself read."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ("include", "engine", "server")
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
FUNCTION = re.compile(r"^(?![#}\s])(?:[^;{}=#()]|\n(?!#))*?\b(\w+)\([^;{}]*\)\s*\{(?:[^\n]*\}$|\n.*?^\})", re.M | re.S)
ATTRIBUTE = re.compile(r"__attribute__\(\((?:[^()]|\([^()]*\))*\)\) ?")


def files(root=ROOT, folders=PROGRAM):
    """The .c and .h files below these folders, sorted."""
    return sorted(p for folder in folders for p in (root / folder).rglob("*.[ch]"))


def code(text):
    """The text without comments and without what stands in quotes; as many lines as before."""
    def blank(found):
        it = found[0]
        return " " + "\n" * it.count("\n") if it[0] == "/" else it[0] * 2
    return NOT_CODE.sub(blank, text)


def functions(text):
    """(name, number of lines, line) of each function that is defined in this file of clang-format's shape: it begins and ends in the first column."""
    text = ATTRIBUTE.sub("", code(text))
    for found in FUNCTION.finditer(text):
        yield found[1], found[0].count("\n") + 1, text.count("\n", 0, found.start()) + 1
