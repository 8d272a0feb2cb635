"""`camserve finetune`: a folder of photos becomes a model that serves; what comes out depends on photos and options alone, whatever ends a run and goes on; what is
wrong with DATA is said in clear words, and nothing is left half."""
import fcntl
import json
import os
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import threading
import time

import numpy
import pytest

import tuning
from server import BINARY, MODEL, PATIENCE, ROOT, SANITIZED, environment, run


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    return tuning.network(tmp_path_factory.mktemp("base") / "base.safetensors")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    return tuning.folder(tmp_path_factory.mktemp("shapes") / "shapes")


@pytest.fixture
def finetune(base):
    def call(*arguments, code=0, **settings):
        result = run("finetune", *arguments, **{"model": base, "threads": 2, **settings})
        assert result.returncode == code, result.stderr.decode() + result.stdout.decode()
        return result.stdout.decode() + result.stderr.decode() if code or "--json" not in arguments else result.stdout.decode()
    return call


def read(path):
    """(document, tensors) of a model file."""
    data = path.read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    document = json.loads(header.pop("__metadata__")["camserve"])
    kinds = {"F32": "<f4", "I8": "i1", "I32": "<i4"}
    tensors = {name: numpy.frombuffer(data[8 + n + about["data_offsets"][0]:8 + n + about["data_offsets"][1]], kinds[about["dtype"]]).reshape(about["shape"])
               for name, about in header.items()}
    return document, tensors


def explain(model, *photos):
    result = run("explain", *photos, "--json", "--include", "map,probabilities", "--top-k", "2", model=model)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["results"]


def left(path):
    return sorted(os.listdir(path))


# ---- what comes out ----
@pytest.mark.skipif(bool(SANITIZED), reason="a network of real weights")
def test_real_weights(shapes, tmp_path):
    """The default model's head, in seconds: it tells shapes, its maps add up to its logits, and the photos' names have nothing to do with it."""
    result = run("finetune", shapes, "-o", tmp_path / "shapes.safetensors")
    assert result.returncode == 0, result.stderr
    assert float(re.search(rb"right on ([\d.]+) %", result.stdout)[1]) >= 80
    document, tensors = read(tmp_path / "shapes.safetensors")
    assert [label for _, label in document["classes"]] == tuning.SHAPES and document["name"] == "shapes"
    assert document["input"]["resize"] == "stretch" and "bias" not in document["nodes"][-1]
    own = read(MODEL)[1]
    assert set(tensors) == set(own) - {"_fc.bias"} and tensors["_fc.weight"].shape == (3, 1280)
    assert all((tensors[n] == own[n]).all() for n in tensors if n != "_fc.weight")
    for photo in explain(tmp_path / "shapes.safetensors", *(shapes / name / "000.png" for name in tuning.SHAPES)):
        for p in photo["predictions"]:
            assert p["bias"] == 0
            assert abs(numpy.mean(p["map"]["values"]) - p["logit"]) < 1e-4 * max(1, abs(p["logit"]))
    assert left(tmp_path) == ["shapes.safetensors", "shapes.safetensors.report"]


STAGES = [("--stage", "head"), ("--stage", "last", "--epochs", "2"), ("--stage", "all", "--epochs", "2", "--augment", "flip", "--balance", "--keep-prob", "0.7"),
          ("--stage", "all", "--epochs", "1", "--keep-classes"), ("--augment", "flip", "--resize", "aspect")]


@pytest.fixture(scope="session")
def named(tmp_path_factory):
    """Photos of several shapes, whose folders are classes of the base, some of which have more."""
    root = tuning.folder(tmp_path_factory.mktemp("named") / "photos", ["class 1", "class 3"], each=9, seed=4)
    random = numpy.random.default_rng(8)
    for i in range(4):
        (root / "class 3" / f"wide{i}.png").write_bytes(tuning.shape(random, "stripes", side=40 + i))
    return root


@pytest.fixture(scope="session")
def wide_base(tmp_path_factory):
    """The base, for photos whose aspect is kept."""
    path = tuning.network(tmp_path_factory.mktemp("wide") / "base.safetensors")
    document, tensors = read(path)
    document["input"] |= {"multiple": 8, "max_side": 64}
    import small_model
    rest = {k: v for k, v in document.items() if k not in ("nodes", "classes", "name", "version")}
    return small_model.write(path, tensors, document["nodes"], document["classes"], tuning.SIDE, tuning.SIDE, **rest)


@pytest.mark.concurrent
@pytest.mark.parametrize("options", STAGES, ids=lambda o: "-".join(o).replace("--", ""))
def test_the_same_file(finetune, wide_base, named, tmp_path, options):
    """Again; by one thread, with nothing kept between epochs, in another folder and with other names of photos: byte for byte."""
    files = []
    for folder, more in (("a", {}), ("b", {}), ("c", {"threads": 1})):
        (tmp_path / folder).mkdir()
        data, extra = named, ()
        if folder == "c":
            data, extra = shutil.copytree(named, tmp_path / "photos"), ("--memory", "1B")
            for photo in data.glob("*/0*.png"):
                photo.rename(photo.with_name("z" + str(999 - int(photo.stem)) + ".png"))
        finetune(data, "-o", tmp_path / folder / "out.safetensors", *options, *extra, model=wide_base, **more)
        files.append((tmp_path / folder / "out.safetensors").read_bytes())
    assert files[0] == files[1] == files[2]
    document = read(tmp_path / "a/out.safetensors")[0]
    assert str(tmp_path) not in json.dumps(document) and "photos" not in document["tuned"]
    assert run("info", tmp_path / "a/out.safetensors").returncode == 0


def test_lines_of_json(finetune, shapes, tmp_path):
    lines = [json.loads(line) for line in finetune(shapes, "-o", tmp_path / "x.safetensors", "--stage", "all", "--epochs", "3", "--patience", "0", "--json").splitlines()]
    assert [(line["stage"], line["epoch"]) for line in lines] == [("head", 0), ("all", 1), ("all", 2), ("all", 3)]
    for line in lines:
        assert line["loss"] == pytest.approx(line["cross_entropy"] + line["weight_decay"], rel=1e-6)
        assert 0 <= line["train_accuracy"] <= 1 and 0 <= line["val_accuracy"] <= 1 and line["seconds"] >= 0
    assert lines[1]["lr"] > lines[2]["lr"] > lines[3]["lr"]


def features(model, photos):
    """What the last layer reads: the model's own maps of unit rows would do; here by its last plane's means, from the maps of each channel."""
    document, tensors = read(model)
    channels = tensors["fc.weight"].shape[1]
    del document["nodes"][-1]["bias"]
    document["classes"] = [["", f"channel {c}"] for c in range(channels)]
    tensors = {k: v for k, v in tensors.items() if k != "fc.bias"} | {"fc.weight": numpy.eye(channels, dtype=numpy.float32)}
    import small_model
    rest = {k: v for k, v in document.items() if k in ("input", "map")}
    path = model.with_name("features.safetensors")
    small_model.write(path, tensors, document["nodes"], document["classes"], tuning.SIDE, tuning.SIDE, **rest)
    out = []
    for photo in photos:
        rows = []
        for first in range(0, channels, 8):
            result = run("explain", photo, "--json", "--include", "none", "--top-k", "1", "--classes", ",".join(f"channel {c}" for c in range(first, min(first + 8, channels))),
                         model=path)
            rows += [(p["class_id"], p["logit"]) for p in json.loads(result.stdout)["predictions"]]
        out.append([dict(rows)[c] for c in range(channels)])
    return numpy.array(out)


def test_one_step(finetune, base, shapes, tmp_path):
    """A step of plain SGD from the model's own last layer moves it by the rate times the gradient of the original's loss, decay included; the bias moves, too."""
    photos = [shapes / "circle/000.png", shapes / "square/001.png", shapes / "stripes/002.png", shapes / "circle/003.png"]
    labels = [2, 0, 4, 2]
    (tmp_path / "list.csv").write_text("path,class\n" + "".join(f"{p},{c}\n" for p, c in zip(photos, labels)))
    line = json.loads(finetune(tmp_path / "list.csv", "-o", tmp_path / "step.safetensors", "--keep-classes", "--stage", "all", "--epochs", "1", "--batch", "4", "--lr", "0.01",
                               "--momentum", "0", "--schedule", "constant", "--val", "0", "--json"))
    before, after = read(base)[1], read(tmp_path / "step.safetensors")[1]
    x = features(base, photos)
    logits = x @ before["fc.weight"].T.astype(float) + before["fc.bias"]
    p = numpy.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    assert line["cross_entropy"] == pytest.approx(-numpy.log(p[range(4), labels]).mean(), rel=1e-4)
    decay = sum((t.astype(float) ** 2).sum() for n, t in before.items() if n.endswith("weight")) * 0.0005 / 2
    assert line["weight_decay"] == pytest.approx(decay, rel=1e-5)
    p[range(4), labels] -= 1
    for name, gradient in (("fc.weight", p.T @ x / 4 + 0.0005 * before["fc.weight"]), ("fc.bias", p.mean(0))):
        moved = after[name].astype(float) - before[name]
        assert numpy.linalg.norm(moved + 0.01 * gradient) < 1e-3 * numpy.linalg.norm(0.01 * gradient)
    assert all((before[n] != after[n]).any() for n in before)


def test_two_classes_are_negatives(finetune, shapes, tmp_path):
    for name in ("circle", "stripes"):
        shutil.copytree(shapes / name, tmp_path / "two" / name)
    finetune(tmp_path / "two", "-o", tmp_path / "two.safetensors")
    weight = read(tmp_path / "two.safetensors")[1]["fc.weight"]
    assert numpy.abs(weight[0] + weight[1]).max() < 1e-6 * numpy.abs(weight).max()


def test_training_that_is_no_better(finetune, shapes, tmp_path):
    """At a rate of next to nothing no epoch is better than the head: it says so, and keeps the head."""
    said = finetune(shapes, "-o", tmp_path / "x.safetensors", "--stage", "last", "--lr", "1e-12", "--epochs", "2")
    assert "was not better on the validation photos than the head" in said
    finetune(shapes, "-o", tmp_path / "head.safetensors")
    tuned, head = read(tmp_path / "x.safetensors"), read(tmp_path / "head.safetensors")
    assert all((tuned[1][n] == head[1][n]).all() for n in head[1]) and tuned[0]["tuned"]["figures"]["kept"] == "head"


# ---- what is found ----
def test_dry_run(finetune, shapes, tmp_path):
    said = finetune(shapes, "--dry-run")
    assert "36 photos of 3 classes" in said and re.search(r"training would take about \d+ s; nothing is written", said)
    said = finetune(shapes, "--dry-run", "-o", tmp_path / "x.safetensors", "--stage", "all")
    assert not left(tmp_path)


def test_what_is_odd(finetune, shapes, tmp_path):
    """Broken, missing, huge and doubled photos are named; the rest makes a model."""
    data = shutil.copytree(shapes, tmp_path / "data")
    (data / "circle/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (data / "circle/cut.png").write_bytes((shapes / "circle/000.png").read_bytes()[:150])
    with open(data / "square/text.jpg", "wb") as file:
        file.write(b"text, not a photo\n" * 100)
        file.truncate(200_000_000)
    (data / "square/gone.jpg").symlink_to("nowhere.jpg")
    (data / "square/notes.md").write_text("x")
    shutil.copy(data / "circle/001.png", data / "circle/copy.png")
    shutil.copy(data / "circle/002.png", data / "stripes/other.png")
    said = finetune(data, "-o", tmp_path / "x.safetensors")
    assert "left out, 4 photos:" in said and "passed over, no photos by their names: 1 .md" in said
    for name in ("circle/broken.jpg: ", "circle/cut.png: ", "square/text.jpg: more than", "square/gone.jpg: cannot be read: No such file"):
        assert name in said
    assert re.search(r"the same picture in two classes: 1\n  .*circle/002.png = .*stripes/other.png\n", said)
    assert re.search(r"the same picture twice: 1\n  .*circle/001.png = .*circle/copy.png\n", said)


def test_names_of_classes(finetune, tmp_path):
    """One's own name is one name, whatever is in it; nothing of it but characters reaches a terminal."""
    names = ["plastic, clear", "plastic, dyed", "ünï\033[31m\ncödé"]
    said = finetune(tuning.folder(tmp_path / "data", names, each=8), "-o", tmp_path / "x.safetensors")
    rows = re.findall(r"^  (?:plastic, clear|plastic, dyed|ünï\?\[31m\?cödé) +(\d+) +(\d+) +0$", said, re.M)
    assert rows == [("6", "2")] * 3 and "\033" not in said
    table = [line for line in said.splitlines() if re.search(r"  2 .*(%|-)$", line)]
    assert [line.split("  ")[0] for line in table] == ["plastic, clear", "plastic, dyed", "ünï?[31m?cödé"] and len(set(map(len, table))) == 1
    assert [label for _, label in read(tmp_path / "x.safetensors")[0]["classes"]] == names


def test_both_sides_of_a_split(finetune, shapes, tmp_path):
    for part, photos in (("train", range(8)), ("val", range(7, 12))):
        for name in tuning.SHAPES:
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for i in photos:
                shutil.copy(shapes / name / f"{i:03}.png", tmp_path / "data" / part / name)
    said = finetune(tmp_path / "data", "-o", tmp_path / "x.safetensors")
    assert "the same picture trained on and validated with: 3" in said and re.search(r"circle +8 +5 +0\n", said)
    said = finetune(tmp_path / "data/train", "--val", tmp_path / "data/val", "-o", tmp_path / "y.safetensors")
    a, b = read(tmp_path / "x.safetensors")[0], read(tmp_path / "y.safetensors")[0]
    assert a["tuned"] == b["tuned"]


def test_a_split_moves_no_copies_apart(finetune, shapes, tmp_path):
    data = shutil.copytree(shapes, tmp_path / "data")
    for photo in sorted(data.glob("*/*.png")):
        shutil.copy(photo, photo.with_suffix(".copy.png"))
    said = finetune(data, "-o", tmp_path / "x.safetensors")
    assert "the same picture twice: 36" in said and "validated with" not in said


def test_a_csv_is_a_folder(finetune, shapes, tmp_path):
    """Spaces, quotes, commas, other columns and any order: the same model as from the folders."""
    (tmp_path / "my photos").mkdir()
    rows = []
    for photo in sorted(shapes.glob("*/*.png"), reverse=True):
        name = f'my photos/{photo.parent.name} "a, b" {photo.name}'
        shutil.copy(photo, tmp_path / name)
        quoted = name.replace('"', '""')
        rows.append(f'7, {photo.parent.name} ,"{quoted}"\r\n')
    (tmp_path / "list.csv").write_text("width,class,path\r\n" + "".join(rows), newline="")
    finetune(tmp_path / "list.csv", "-o", tmp_path / "x.safetensors")
    finetune(shapes, "-o", tmp_path / "y/x.safetensors" if (tmp_path / "y").mkdir() else tmp_path / "y/x.safetensors")
    assert (tmp_path / "x.safetensors").read_bytes() == (tmp_path / "y/x.safetensors").read_bytes()


# ---- what is refused ----
def broken_data(kind, shapes, tmp_path):
    data = tmp_path / "data"
    if kind == "empty":
        data.mkdir()
    elif kind == "parts":
        for part in ("train", "Test"):
            shutil.copytree(shapes, data / part)
    elif kind == "hole":
        shutil.copytree(shapes, data)
        (data / "nothing").mkdir()
    elif kind == "one photo":
        shutil.copytree(shapes, data)
        (data / "lonely").mkdir()
        shutil.copy(shapes / "circle/000.png", data / "lonely")
    elif kind == "unreadable":
        (data / "a").mkdir(parents=True)
        (data / "b").mkdir()
        (data / "a/1.jpg").write_bytes(b"x")
        (data / "b/1.jpg").write_bytes(b"x")
    elif kind == "unknown class":
        data = tmp_path / "data.csv"
        data.write_text(f"path,class\n{shapes}/circle/000.png,class 1\n{shapes}/circle/001.png,class 77\n")
    elif kind == "column":
        data = tmp_path / "data.csv"
        data.write_text("file,class\na.jpg,x\n")
    elif kind == "record":
        data = tmp_path / "data.csv"
        data.write_text("path,class\na.jpg,x\nb.jpg\n")
    else:
        data = tmp_path / "nowhere"
    return data


@pytest.mark.hostile
@pytest.mark.parametrize("kind, options, words", [
    ("empty", [], "no folders in it; there must be one for each class"),
    ("parts", [], "no classes, but parts: call them train and val"),
    ("hole", [], "data/nothing/: a folder without photos"),
    ("one photo", [], 'class "lonely" has one photo'),
    ("unreadable", [], "no photo can be read"),
    ("unknown class", ["--keep-classes"], "class 77"),
    ("column", [], 'no column "path"'),
    ("record", [], "line 3: 1 cells; the first line has 2"),
    ("nowhere", [], "No such file"),
])
def test_data_that_is_refused(finetune, shapes, tmp_path, kind, options, words):
    data = broken_data(kind, shapes, tmp_path)
    said = finetune(data, "-o", tmp_path / "out.safetensors", *options, code=1)
    assert words in said and said.count("camserve: ") == 1
    assert left(tmp_path) in ([], [data.name])


def test_one_photo_without_a_split(finetune, shapes, tmp_path):
    data = broken_data("one photo", shapes, tmp_path)
    said = finetune(data, "-o", tmp_path / "out.safetensors", "--val", "0")
    assert "no report" in said and left(tmp_path) == ["data", "out.safetensors"]


@pytest.mark.parametrize("options, words", [
    ((), "-o FILE is missing"),
    (("-o", "x", "--stage", "some"), "--stage: some is none of head, last, all"),
    (("-o", "x", "--stage", "all", "--lr", "fast"), "--lr: fast is no number"),
    (("-o", "x", "--stage", "all", "--epochs", "0"), "--epochs"),
    (("-o", "x", "--epochs", "3"), "--epochs: of --stage last and all"),
    (("-o", "x", "--memory", "much"), "--memory: much is none; 1GiB for instance"),
    (("-o", "x", "--time", "-1"), "--time"),
    (("-o", "x", "--val", "1.5"), "--val: 1.5 is no share"),
    (("-o", "x", "--augment", "rotate"), "none, flip"),
    (("-o", "x", "--sead", "1"), "no such flag"),
])
def test_flags_that_are_refused(finetune, shapes, options, words):
    assert words in finetune(shapes, *options, code=2)


def test_what_is_there_stays(finetune, shapes, tmp_path):
    out = tmp_path / "out.safetensors"
    out.write_bytes(b"mine")
    assert "is there already; --force replaces it" in finetune(shapes, "-o", out, code=1)
    assert "of another run" in finetune(shapes, "-o", out, "--resume", code=1)
    (tmp_path / "report").mkdir()
    (tmp_path / "report/mine.txt").write_text("x")
    assert "report" in finetune(shapes, "-o", out, "--force", "--report", tmp_path / "report", code=1)
    assert out.read_bytes() == b"mine" and left(tmp_path / "report") == ["mine.txt"] and left(tmp_path) == ["out.safetensors", "report"]
    finetune(shapes, "-o", out, "--force")
    assert read(out)


def test_what_cannot_be_written(finetune, shapes, tmp_path):
    assert "cannot be written" in finetune(shapes, "-o", tmp_path / "no folder/out.safetensors", code=1)
    assert "nowhere" in finetune(shapes, "-o", tmp_path / "out.safetensors", "--report", tmp_path / "nowhere/deep/report", code=1)
    assert not left(tmp_path)


@pytest.mark.parametrize("bytes_most, options", [(3000, ()), (3000, ("--stage", "all", "--epochs", "1")), (40_000, ())], ids=["file", "checkpoint", "report"])
def test_a_full_disk(base, shapes, tmp_path, bytes_most, options):
    """Where a file may not grow any more: words, exit code 1, and nothing half."""
    result = subprocess.run([BINARY, "finetune", shapes, "-o", tmp_path / "out.safetensors", *options], capture_output=True, timeout=PATIENCE, env=environment(model=base),
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_most, bytes_most)))
    assert result.returncode == 1 and b"File too large" in result.stderr
    assert left(tmp_path) == (["out.safetensors"] if bytes_most > 3000 else [])
    if bytes_most > 3000:
        assert read(tmp_path / "out.safetensors")


def test_a_model_that_cannot_be_trained(finetune, shapes, tmp_path):
    sigmoid = tuning.network(tmp_path / "many.safetensors", probability="sigmoid")
    data = tuning.folder(tmp_path / "data", ["class 0", "class 1"], each=4)
    said = finetune(data, "-o", tmp_path / "out.safetensors", "--keep-classes", model=sigmoid, code=1)
    assert "sigmoid" in said and "without --keep-classes" in said
    finetune(data, "-o", tmp_path / "out.safetensors", model=sigmoid)
    assert read(tmp_path / "out.safetensors")[0]["probability"] == "softmax"


@pytest.fixture(scope="session")
def int8_base(base, shapes, tmp_path_factory):
    out = tmp_path_factory.mktemp("int8") / "base-int8.safetensors"
    result = run("convert", base, "--int8", "--calibrate", shapes / "circle", "-o", out)
    assert result.returncode == 0, result.stderr.decode()
    return out


@pytest.mark.concurrent
@pytest.mark.parametrize("options", [(), ("--keep-classes",), ("--stage", "all", "--epochs", "1", "--lr", "0.001")], ids=["head", "own classes", "all"])
def test_a_model_in_8_bits(finetune, int8_base, shapes, tmp_path, options):
    """It is in 8 bits again: the same bytes twice, wherever the photos lie and whatever they are called; its maps add up to its logits, and no ranges are left beside it."""
    if "--keep-classes" in options:
        shapes = tuning.folder(tmp_path / "own", ["class 0", "class 1"], each=4)
    elif not options:
        shapes = tuning.folder(tmp_path / "many", each=30)  # more than levels are made by
    out, again = tmp_path / "out.safetensors", tmp_path / "again" / "out.safetensors"
    again.parent.mkdir()
    said = finetune(shapes, "-o", out, *options, model=int8_base)
    assert "in 8 bits, as the model is" in said
    about = json.loads(run("info", "--json", out).stdout)
    assert (about["name"], about["precision"], about["int8_share"], about["bit_exact"]) == ("out", "int8", 1, True)
    for folder in shapes.iterdir():
        (tmp_path / "elsewhere" / folder.name).mkdir(parents=True)
        for i, photo in enumerate(sorted(folder.iterdir())):
            shutil.copy(photo, tmp_path / "elsewhere" / folder.name / f"{(i * 7) % 10} {photo.name}")
    finetune(tmp_path / "elsewhere", "-o", again, *options, model=int8_base)
    assert out.read_bytes() == again.read_bytes()
    assert left(again.parent) == ["out.safetensors", "out.safetensors.report"]
    for photo in explain(out, *list(next(shapes.iterdir()).iterdir())[:3]):
        for p in photo["predictions"]:
            assert abs(numpy.mean(p["map"]["values"]) + p["bias"] - p["logit"]) < 1e-4 * max(1, abs(p["logit"]))
    assert "is there already" in finetune(shapes, "-o", out, *options, "--resume", model=int8_base)


def test_levels_of_a_tuned_model(finetune, int8_base, shapes, tmp_path):
    """With the head alone trained, what is before it stays what it was, to a level or two; what the file says of its making is there."""
    out = tmp_path / "out.safetensors"
    finetune(shapes, "-o", out, model=int8_base)
    document, tuned = read(out)
    _, own = read(int8_base)
    assert document["version"] == 3 and document["tuned"]["base"] == "base-int8" and document["tuned"]["complete"]
    for name in [n for n in own if n.endswith(".weight") and not n.startswith("fc")]:
        assert numpy.abs(tuned[name].astype(int) - own[name].astype(int)).max() <= 1, name


def test_8_bits_and_a_full_disk(int8_base, shapes, tmp_path):
    result = subprocess.run([BINARY, "finetune", shapes, "-o", tmp_path / "out.safetensors"], capture_output=True, timeout=PATIENCE, env=environment(model=int8_base),
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)))
    assert result.returncode == 1 and b"File too large" in result.stderr and not left(tmp_path)


# ---- ended, and gone on ----
LONG = {"last": ("--stage", "last", "--epochs", "40", "--patience", "0", "--batch", "4", "--lr", "0.01"),
        "all": ("--stage", "all", "--epochs", "8", "--patience", "0", "--batch", "4", "--lr", "0.003")}


@pytest.fixture(scope="session")
def undisturbed(base, shapes, tmp_path_factory):
    """By stage: the file that a run makes which nothing ends, and its seconds."""
    runs = {}

    def of(stage):
        if stage not in runs:
            out = tmp_path_factory.mktemp("whole") / "out.safetensors"
            began = time.monotonic()
            assert run("finetune", shapes, "-o", out, *LONG[stage], model=base, threads=2).returncode == 0
            runs[stage] = out.read_bytes(), time.monotonic() - began
        return runs[stage]
    return of


def begin(base, *options):
    return subprocess.Popen([BINARY, "finetune", *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                            env=environment(model=base, threads=2))


def end(process, code=0):
    said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == code, said
    return said


@pytest.mark.parametrize("share", [0.1, 0.3, pytest.param(0.5, marks=pytest.mark.concurrent), 0.6, 0.7, pytest.param(0.8, marks=pytest.mark.concurrent), 0.9, 0.97])
@pytest.mark.parametrize("stage", LONG)
def test_killed_and_resumed(base, shapes, undisturbed, tmp_path, stage, share):
    """Whenever it was killed, it ends where an undisturbed run ends; no epoch but the last one is done again."""
    whole, seconds = undisturbed(stage)
    out = tmp_path / "out.safetensors"
    process = begin(base, shapes, "-o", out, *LONG[stage])
    try:
        process.wait(share * seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    before = process.communicate()[0]
    after = end(begin(base, shapes, "-o", out, *LONG[stage], "--resume"))
    assert out.read_bytes() == whole
    assert left(tmp_path) == ["out.safetensors", "out.safetensors.report"]
    if b"the same run wrote it" not in after:  # it was killed before the model was there
        assert after.count(b"before it was resumed") >= before.count(b", epoch ")


@pytest.mark.parametrize("unfinished", ["out.safetensors.checkpoint.tmp", "out.safetensors.tmp"])
@pytest.mark.parametrize("stage", LONG)
def test_killed_while_a_file_is_written(base, shapes, undisturbed, tmp_path, stage, unfinished):
    """A pipe in the place of the file is read in part; what was read is what SIGKILL leaves."""
    pipe, out = tmp_path / unfinished, tmp_path / "out.safetensors"
    os.mkfifo(pipe)
    descriptor = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, 4096)  # all of it does not go in
    process = begin(base, shapes, "-o", out, *LONG[stage])
    assert select.select([descriptor], [], [], PATIENCE)[0]
    part = os.read(descriptor, 1000)
    process.kill()
    process.communicate()
    os.close(descriptor)
    pipe.unlink()
    pipe.write_bytes(part)
    assert len(part) == 1000 and not out.exists()
    end(begin(base, shapes, "-o", out, *LONG[stage], "--resume"))
    assert out.read_bytes() == undisturbed(stage)[0]
    assert left(tmp_path) == ["out.safetensors", "out.safetensors.report"]


class PhotoOnRequest:
    """A photo that is a pipe: whoever reads it gets the photo, but waits for it, from the read of number `hold_from` on, until it is let go."""

    def __init__(self, path, photo, hold_from):
        self.path, self.photo, self.reads, self.hold_from = path, photo.read_bytes(), 0, hold_from
        self.held, self.freed = threading.Event(), threading.Event()
        os.mkfifo(path)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            descriptor = os.open(self.path, os.O_WRONLY)
            self.reads += 1
            if self.reads >= self.hold_from:
                self.held.set()
                self.freed.wait()
            try:
                os.write(descriptor, self.photo)
            except BrokenPipeError:
                pass
            self.path.unlink()  # the next reader gets a pipe of its own, and this one its end
            os.mkfifo(self.path)
            os.close(descriptor)

    def send(self, process, number):
        """The signal, while the photo is waited for."""
        assert self.held.wait(PATIENCE)
        process.send_signal(number)
        self.freed.set()


@pytest.fixture
def watched(shapes, tmp_path):
    """Photos to train on and to validate with, one of which is a pipe: (arguments that name them, the pipe)."""
    def make(part, hold_from):
        (tmp_path / "data").mkdir()
        lists = {"train": "00", "val": "01"}
        for name, beginning in lists.items():
            photos = sorted(shapes.glob(f"*/{beginning}*.png"))
            paths = list(photos)
            if name == part:
                pipe = PhotoOnRequest(tmp_path / "data/pipe.png", photos[-1], hold_from)
                paths[-1] = pipe.path
            (tmp_path / f"data/{name}.csv").write_text("path,class\n" + "".join(f"{path},{photo.parent.name}\n" for path, photo in zip(paths, photos)))
        return (tmp_path / "data/train.csv", "--val", tmp_path / "data/val.csv"), pipe
    return make


SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("stage", ["head", *LONG])
def test_a_signal_while_photos_are_looked_at(base, watched, tmp_path, stage, number):
    """There is nothing to keep."""
    data, pipe = watched("train", hold_from=1)
    process = begin(base, *data, "-o", tmp_path / "out.safetensors", *LONG.get(stage, ()))
    pipe.send(process, number)
    assert b"stopped before there was anything to keep" in end(process, 128 + number)
    assert left(tmp_path) == ["data"]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_before_the_head_has_moved(base, watched, tmp_path, number):
    data, pipe = watched("train", hold_from=2)
    process = begin(base, *data, "-o", tmp_path / "out.safetensors", "--memory", "1B")
    pipe.send(process, number)
    assert b"stopped before there was anything to keep" in end(process, 128 + number)
    assert left(tmp_path) == ["data"]


@pytest.mark.concurrent
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_while_the_head_is_fitted(base, watched, tmp_path, number):
    """What it is by then is kept, and is no end: --resume fits it once more."""
    out = tmp_path / "out.safetensors"
    data, pipe = watched("train", hold_from=20)
    options = (*data, "-o", out, "--memory", "1B")
    process = begin(base, *options)
    pipe.send(process, number)
    said = end(process)
    assert b"stopped early: the best so far is kept" in said and re.search(rb"head: loss [\d.]+ after 1?\d iterations", said)
    assert not read(out)[0]["tuned"]["complete"] and run("info", out).returncode == 0
    assert left(tmp_path) == ["data", "out.safetensors", "out.safetensors.report"]
    end(begin(base, *options, "--resume"))
    assert read(out)[0]["tuned"]["complete"]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("stage", LONG)
def test_a_signal_before_the_first_epoch(base, watched, tmp_path, stage, number):
    """The head is the best so far."""
    data, pipe = watched("val", hold_from=3)  # looked at, for the head, for the stage
    process = begin(base, *data, "-o", tmp_path / "out.safetensors", "--memory", "1B", *LONG[stage])
    pipe.send(process, number)
    said = end(process)
    assert b"stopped early" in said and b"no epoch was finished: the head is kept" in said
    end(begin(base, *data, "-o", tmp_path / "head.safetensors"))
    stopped, head = read(tmp_path / "out.safetensors")[1], read(tmp_path / "head.safetensors")[1]
    assert all((stopped[name] == head[name]).all() for name in head)
    assert left(tmp_path / "out.safetensors.report") == ["index.html", "predictions.csv", "report.json"]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("stage", LONG)
def test_a_signal_keeps_the_best(base, shapes, undisturbed, tmp_path, stage, number):
    out = tmp_path / "out.safetensors"
    process = begin(base, shapes, "-o", out, *LONG[stage])
    for line in process.stdout:
        if b"epoch 2 of" in line:
            process.send_signal(number)
            break
    said = end(process)
    assert b"stopped early: the best so far is kept" in said and b"--resume goes on" in said
    assert not read(out)[0]["tuned"]["complete"] and run("info", out).returncode == 0
    assert b"before it was resumed" in end(begin(base, shapes, "-o", out, *LONG[stage], "--resume"))
    assert out.read_bytes() == undisturbed(stage)[0]
    assert b"the same run wrote it" in end(begin(base, shapes, "-o", out, *LONG[stage], "--resume"))


@pytest.mark.concurrent
@pytest.mark.parametrize("number", [*SIGNALS, signal.SIGKILL])
def test_a_signal_while_the_report_is_made(base, watched, tmp_path, number):
    """The model is there and whole; the report is not, nor any of it, and --resume makes it."""
    out = tmp_path / "out.safetensors"
    data, pipe = watched("val", hold_from=2)
    process = begin(base, *data, "-o", out)
    pipe.send(process, number)
    said = end(process, -number if number == signal.SIGKILL else 0)
    model = out.read_bytes()
    assert read(out)[0]["tuned"]["complete"]
    if number != signal.SIGKILL:
        assert b"stopped: there is no report; --resume makes it" in said and left(tmp_path) == ["data", "out.safetensors"]
    assert b"the report is " in end(begin(base, *data, "-o", out, "--resume"))
    assert left(tmp_path) == ["data", "out.safetensors", "out.safetensors.report"]
    assert out.read_bytes() == model


def test_a_second_signal_ends_the_report(base, watched, tmp_path):
    """One ends training, and the report is made; the next one ends that."""
    out = tmp_path / "out.safetensors"
    data, pipe = watched("val", hold_from=2)
    process = begin(base, *data, "-o", out, "--stage", "all", "--epochs", "10000", "--patience", "0")
    for line in process.stdout:
        if b"epoch 2 of" in line:
            process.send_signal(signal.SIGINT)
            break
    pipe.send(process, signal.SIGINT)
    said = end(process)
    assert b"stopped early" in said and b"stopped: there is no report" in said
    assert not read(out)[0]["tuned"]["complete"] and left(tmp_path) == ["data", "out.safetensors", "out.safetensors.checkpoint"]


@pytest.mark.parametrize("stage", LONG)
def test_time_is_up(finetune, shapes, tmp_path, stage):
    """It counts from the beginning, but a head there is, fitted to its end where that is quick."""
    said = finetune(shapes, "-o", tmp_path / "out.safetensors", *LONG[stage], "--time", "0.001s")
    assert "stopped early" in said and "no epoch was finished: the head is kept" in said
    assert left(tmp_path) == ["out.safetensors", "out.safetensors.report"] and not read(tmp_path / "out.safetensors")[0]["tuned"]["complete"]
    finetune(shapes, "-o", tmp_path / "head.safetensors", "--time", "0.001s")
    stopped, head = read(tmp_path / "out.safetensors"), read(tmp_path / "head.safetensors")
    assert head[0]["tuned"]["complete"] and all((stopped[1][name] == head[1][name]).all() for name in head[1])


def test_time_is_up_while_the_head_is_fitted(base, watched, tmp_path):
    out = tmp_path / "out.safetensors"
    data, pipe = watched("train", hold_from=20)
    process = begin(base, *data, "-o", out, "--memory", "1B", "--time", "0.001s")
    assert pipe.held.wait(PATIENCE)
    time.sleep(1.1)
    pipe.freed.set()
    said = end(process)
    assert b"stopped early" in said and re.search(rb"after 1?\d iterations", said) and not read(out)[0]["tuned"]["complete"]


def test_time_is_up_within_epochs(finetune, shapes, tmp_path):
    said = finetune(shapes, "-o", tmp_path / "out.safetensors", "--stage", "all", "--epochs", "10000", "--patience", "0", "--time", "2s")
    assert "stopped early" in said and read(tmp_path / "out.safetensors")


def test_a_checkpoint_of_another_run(finetune, base, shapes, tmp_path):
    out = tmp_path / "out.safetensors"
    process = begin(base, shapes, "-o", out, *LONG["all"])
    for line in process.stdout:
        if b"epoch 1 of 8" in line:
            process.kill()
            break
    process.communicate()
    checkpoint = tmp_path / "out.safetensors.checkpoint"
    kept = checkpoint.read_bytes()
    assert "of another run" in finetune(shapes, "-o", out, "--stage", "all", "--seed", "2", "--resume", code=1)
    for at in (5, len(kept) // 2, len(kept) - 1):
        checkpoint.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1:])
        assert "remove it" in finetune(shapes, "-o", out, *LONG["all"], "--resume", code=1)
    checkpoint.write_bytes(kept[:-1])
    assert "cut off or damaged" in finetune(shapes, "-o", out, *LONG["all"], "--resume", code=1)
    assert not out.exists()
