"""Includes point down. Each room of server/ and engine/ has its place in LAYERS; a file may include its own room and those before it, and include/.
Within a room no circle of modules (a module is a .c and its .h). What goes around the headers is found, too: `extern` in a .c file, a prototype in a
.c file of what another file defines, a path with `../`."""
import re

import pytest

from source import ROOT, code, files

# The rooms from the lowest to the highest; "" is the folder itself.
LAYERS = {
    "include": [""],
    "engine": ["base", "codec", "photo", "network", "cam", "render", "model", "convert", "", "train"],
    "server": ["base", "wire", "kserve", "work", "http", "run", "cli"],
}
SEES = {"include": [], "engine": ["include"], "server": ["include"]}  # other houses than its own

# Names that no header can declare: they come from the assembler or from the compile line.
EXTERNS = {
    "server/http/assets.c": r"asset_[\w#]+",  # what .incbin made in the same file
    "server/cli/one_page.c": r"asset_[\w#]+",  # likewise
    "engine/convert/class_names.c": r"class_names_imagenet",  # what .incbin made in the same file
    "engine/network/isa.c": r"kernels_\w+",  # engine/network/kernels.c, compiled once per instruction set
    "engine/network/blas.c": r"blas_memory_(alloc|free)",  # OpenBLAS's, in no header of its own
    "engine/network/kernels.c": r"KERNELS",  # its own table under the name of the compile line
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.M)
EXTERN = re.compile(r"^[ \t]*extern\b([^;{]*)", re.M)
PROTOTYPE = re.compile(r"^(?!static\b|typedef\b|return\b|extern\b|#)[A-Za-z_][\w \t*]*?[ \t*](\w+)\((?:[^(){};]|\([^(){};]*\))*\);", re.M)


def house_and_room(name):
    """server/http/watch.c -> (server, http)."""
    house, *rooms = name.split("/")[:-1]
    return house, "/".join(rooms)


def resolve(root, name, wanted):
    """The file of the tree that `wanted` in `name` means as on the compile line: beside it, in include/, in its own house, else in the other one; None: not ours."""
    house = name.split("/")[0]
    for folder in ((root / name).parent, root / "include", root / house, root, *(root / h for h in LAYERS)):
        path = (folder / wanted).resolve()
        if path.is_file() and path.is_relative_to(root.resolve()):
            return path.relative_to(root.resolve()).as_posix()
    return None


def text_without_comments(text):
    """Quotes stay: they are what #include names."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)


def includes(root):
    """{file: the files of the tree that it includes}."""
    found = {}
    for path in files(root, LAYERS):
        name = path.relative_to(root).as_posix()
        wanted = INCLUDE.findall(text_without_comments(path.read_text()))
        found[name] = [target for target in (resolve(root, name, w) for w in wanted) if target]
    return found


def arrow(name, target):
    """What is wrong with this include; None: nothing."""
    (house, room), (other, its_room) = house_and_room(name), house_and_room(target)
    for where, h, r in ((name, house, room), (target, other, its_room)):
        if h not in LAYERS or r not in LAYERS[h]:
            return f"{name} includes {target}: {where} is in a room that LAYERS does not have"
    if house != other:
        return None if other in SEES[house] else f"{name} includes {target}: {house}/ never sees {other}/"
    if LAYERS[house].index(its_room) > LAYERS[house].index(room):
        return f"{name} includes {target}: up, {house}/ is {' < '.join(r or 'files of its own' for r in LAYERS[house])}"
    return None


def wrong_arrows(root):
    return [w for name, targets in includes(root).items() for w in (arrow(name, t) for t in targets) if w]


def paths_upward(root):
    """Includes with ../ and includes in quotes that lead nowhere."""
    wrong = []
    for path in files(root, LAYERS):
        name = path.relative_to(root).as_posix()
        text = text_without_comments(path.read_text())
        wrong += [f"{name} includes {w}: a path with ../" for w in INCLUDE.findall(text) if ".." in w.split("/")]
        wrong += [f"{name} includes {w}: no such file in the tree" for w in re.findall(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', text, re.M)
                  if not resolve(root, name, w)]
    return wrong


def around_headers(root):
    """Declarations in .c files of what another file defines; which file that is, where it can be said."""
    texts = {p.relative_to(root).as_posix(): code(p.read_text()) for p in files(root, LAYERS)}

    def owner(declared):
        return next((n for n, t in texts.items() if re.search(rf"^(?!extern|static)[\w \t*]*\b{declared}\b[^;]*?[={{]", t, re.M)), "another file")
    wrong = []
    for name, text in texts.items():
        if not name.endswith(".c"):
            continue
        for declaration in EXTERN.findall(text):
            words = re.findall(r"[\w#]+(?=\s*(?:[,(\[]|$))", declaration)
            if not all(re.fullmatch(EXTERNS.get(name, "(?!)"), w) for w in words):
                wrong.append(f"{name} declares `extern {' '.join(declaration.split())}` of {owner(words[-1])}: only a header declares what others define")
        wrong += [f"{name} declares {declared}() of {owner(declared)}: only a header declares what others define"
                  for declared in PROTOTYPE.findall(text)
                  if not re.fullmatch(EXTERNS.get(name, "(?!)"), declared) and not re.search(rf"^[\w \t*]*\b{declared}\([^;{{}}]*\)\s*\{{", text, re.M)]
    return wrong


def circles(root):
    """Modules of one room that need each other, each circle once: "a.h -> b.h -> a.h"."""
    needs = {}  # module -> {module: (file, included file)}
    for name, targets in includes(root).items():
        for target in targets:
            a, b = name.rsplit(".", 1)[0], target.rsplit(".", 1)[0]
            if a != b and house_and_room(name) == house_and_room(target):
                needs.setdefault(a, {}).setdefault(b, (name, target))
    found = {}

    def walk(path):
        for after in needs.get(path[-1], {}):
            if after in path:
                circle = path[path.index(after):]
                found.setdefault(frozenset(circle), circle + [after])
            else:
                walk(path + [after])
    for module in needs:
        walk([module])
    return ["a circle: " + ", ".join("{} includes {}".format(*needs[a][b]) for a, b in zip(c, c[1:])) for c in found.values()]


@pytest.mark.parametrize("check", [wrong_arrows, paths_upward, around_headers, circles])
def test_the_tree(check):
    assert files(ROOT, LAYERS)
    wrong = check(ROOT)
    assert not wrong, f"{len(wrong)} of {check.__name__}:\n" + "\n".join(wrong)


def test_every_room_has_its_place():
    rooms = {house_and_room(p.relative_to(ROOT).as_posix()) for p in files(ROOT, LAYERS)}
    assert rooms == {(house, room) for house, rooms in LAYERS.items() for room in rooms}


# ---- the checkers, on trees made to be wrong ----
def said(check, root, *words):
    (line,) = check(root)
    for word in words:
        assert word in line, line


def test_down_and_beside_is_fine(made):
    root = made({"include/cam.h": "", "server/base/log.h": '#include "cam.h"\n', "server/base/log.c": '#include "log.h"\n',
                 "server/http/http.c": '#include "base/log.h"\n#include <cam.h>\n#include <stdio.h>\n', "engine/a.c": '#include "base/b.h"\n',
                 "engine/base/b.h": 'extern const int b;\n', "engine/base/b.c": '#include "b.h"\nstatic int f(int);\nint g(void) {\n  return f(1);\n}\n'})
    assert not [w for check in (wrong_arrows, paths_upward, around_headers, circles) for w in check(root)]


def test_up(made):
    root = made({"server/http/http.h": "", "server/base/log.c": '#include "http/http.h"\n'})
    said(wrong_arrows, root, "server/base/log.c includes server/http/http.h: up", "wire < kserve < work")
    said(wrong_arrows, made({"server/base/log.c": "", "engine/context.h": "", "engine/model/m.c": "#include <context.h>\n"}),
         "engine/model/m.c includes engine/context.h: up")


def test_other_house(made):
    said(wrong_arrows, made({"engine/cam/box.h": "", "server/work/worker.c": '#include "cam/box.h"\n'}), "server/ never sees engine/")


def test_include_sees_nobody(made):
    said(wrong_arrows, made({"server/base/log.h": "", "include/cam.h": '#include "base/log.h"\n'}), "include/ never sees server/")


def test_room_without_a_place(made):
    said(wrong_arrows, made({"server/attic/x.h": "", "server/cli/a.c": '  #  include "attic/x.h"\n'}), "server/attic/x.h is in a room")


def test_path_upward(made):
    said(paths_upward, made({"server/base/log.h": "", "server/http/a.c": '#include "../base/log.h"\n'}), "server/http/a.c includes ../base/log.h")


def test_path_to_nowhere(made):
    said(paths_upward, made({"server/http/a.c": '#include "b.h"\n'}), "no such file")


@pytest.mark.parametrize("declaration", ["extern int drain_now(void);", "  extern int drain_now(void);", "int drain_now(void);",
                                         "extern int other, drain_now(int a);"])
def test_around_the_headers(made, declaration):
    root = made({"server/run/service.c": "int drain_now(void) {\n  return 1;\n}\n", "server/base/log.c": declaration + "\n"})
    said(around_headers, root, "server/base/log.c declares", "server/run/service.c")


def test_circle_of_two(made):
    root = made({"engine/convert/a.h": "", "engine/convert/b.h": '#include "a.h"\n', "engine/convert/a.c": '#include "a.h"\n#include "b.h"\n'})
    said(circles, root, "engine/convert/a.c includes engine/convert/b.h", "engine/convert/b.h includes engine/convert/a.h")


def test_circle_of_three(made):
    said(circles, made({f"engine/cam/{a}.{kind}": f'#include "{b}.h"\n' for a, b, kind in (("a", "b", "c"), ("b", "c", "h"), ("c", "a", "c"))}
                       | {"engine/cam/a.h": "", "engine/cam/c.h": ""}), "a circle")


def test_comment_is_no_include(made):
    assert not wrong_arrows(made({"server/http/a.h": "", "server/base/a.c": '/* see\n#include "http/a.h"\n*/\n'}))
