"""`camserve evaluate`: figures that are counted again here from its own lines and from what explain says; a report that is there as a whole or not at all, holds
each wrong photo with both maps, and asks nobody for anything. How it looks in a browser: tests/browser/test_report.py."""
import base64
import collections
import csv
import hashlib
import io
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import time

import numpy
import pytest
from PIL import Image

import colour_model
import pictures
from server import BINARY, PATIENCE, ROOT, environment, run
from test_gallery import NAMES as HOSTILE_NAMES
from test_gallery import Gallery, Reader

FILES = ["index.html", "predictions.csv", "report.json"]


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return colour_model.write(tmp_path_factory.mktemp("model") / "colours.safetensors")


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    return colour_model.folder(tmp_path_factory.mktemp("photos") / "colours")


def evaluate(*arguments, code=0, **options):
    result = run("evaluate", *arguments, **options)
    assert result.returncode == code, result.stderr.decode() + result.stdout.decode()
    return result


class Report:
    def __init__(self, path):
        assert sorted(os.listdir(path)) == FILES
        self.path, self.figures, self.page = path, json.loads((path / "report.json").read_text()), Gallery(path / "index.html")
        with open(path / "predictions.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
            self.lines = list(csv.DictReader(file))
        assert self.page.about == self.figures


@pytest.fixture(scope="session")
def report(model, photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report"
    evaluate(model, photos, "--report", path)
    return Report(path)


def folder_of_classes(photos):
    """The same photos by index, of any model."""
    root = photos.parent / "by-index"
    for i, name in enumerate(colour_model.NAMES):
        root.mkdir(exist_ok=True)
        if not (root / str(i)).exists():
            (root / str(i)).symlink_to(photos / name)
    return root


# ---- figures ----
def wilson(right, of):
    """The two p that are as far from right / of as the normal distribution has 95 % within: (p - right / of)^2 = z^2 p (1 - p) / of."""
    z2 = 1.959963984540054 ** 2
    return numpy.sort(numpy.roots([1 + z2 / of, -(2 * right / of + z2 / of), (right / of) ** 2]).real)


def check_share(share, right, of):
    assert (share["right"], share["of"]) == (right, of)
    assert abs(share["share"] - (right / of if of else 0)) < 1e-6
    assert numpy.allclose([share["low"], share["high"]], wilson(right, of) if of else (0, 1), atol=1e-5)


def test_lines_say_what_explain_says(report, model, photos):
    said = json.loads(run("explain", "--json", "--include", "probabilities", photos, model=model).stdout)["results"]
    assert [line["path"] for line in report.lines] == [each["file"] for each in said] and len(said) == 60
    for line, each in zip(report.lines, said):
        first, own = each["predictions"][0], colour_model.NAMES.index(pathlib.Path(line["path"]).parent.name)
        assert (line["class"], int(line["class_id"])) == (colour_model.NAMES[own], own) and not line["error"]
        assert (line["predicted"], int(line["predicted_id"])) == (first["label"], first["class_id"])
        assert float(line["probability"]) == first["probability"] and float(line["class_probability"]) == each["probabilities"][own]
        assert int(line["class_rank"]) == 1 + sum(p > each["probabilities"][own] for p in each["probabilities"])


def test_classes_are_counted(report):
    figures, pairs = report.figures, collections.Counter((int(line["class_id"]), int(line["predicted_id"])) for line in report.lines)
    right = sum(n for (own, given), n in pairs.items() if own == given)
    assert 40 < right < 60, "the photos are neither all clear nor all noise"
    check_share(figures["accuracy"], right, 60)
    check_share(figures["largest_class"], 20, 60)
    assert figures["confusion"] == [[pairs[own, given] for given in range(3)] for own in range(3)]
    assert {(own, given): n for own, given, n in figures["confused"]} == {pair: n for pair, n in pairs.items() if pair[0] != pair[1]}
    assert [n for _, _, n in figures["confused"]] == sorted((n for _, _, n in figures["confused"]), reverse=True)
    for c, row in enumerate(figures["classes"]):
        given = sum(pairs[own, c] for own in range(3))
        assert (row["class_id"], row["label"], row["photos"], row["predicted"]) == (c, colour_model.NAMES[c], 20, given)
        check_share(row["recall"], pairs[c, c], 20)
        check_share(row["precision"], pairs[c, c], given)
    assert abs(figures["mean_recall"] - right / 60) < 1e-6 and "top5" not in figures and figures["mirrored_maps"] is False


def calibration_error(probabilities, right):
    bins = numpy.minimum((10 * probabilities).astype(int), 9)
    return sum(abs((right - probabilities)[bins == b].sum()) for b in range(10)) / len(right)


def test_probabilities_are_judged(report, model, photos):
    said = json.loads(run("explain", "--json", "--include", "probabilities", photos, model=model).stdout)["results"]
    p = numpy.array([each["probabilities"] for each in said])
    own = numpy.array([int(line["class_id"]) for line in report.lines])
    right = p.argmax(1) == own
    calibration = report.figures["calibration"]
    assert abs(calibration["as_said"]["error"] - calibration_error(p.max(1), right)) < 2e-6
    assert sum(each["photos"] for each in calibration["as_said"]["bins"]) == 60

    def tempered(temperature, rows=slice(None)):
        q = p[rows] ** (1 / temperature)
        return q / q.sum(1, keepdims=True)

    def entropy(temperature, rows=slice(None)):
        return -numpy.log(tempered(temperature, rows)[numpy.arange(len(own[rows])), own[rows]]).mean()

    grid = numpy.geomspace(0.05, 20, 4000)
    best = lambda rows: grid[numpy.argmin([entropy(t, rows) for t in grid])]
    assert abs(calibration["fitted"]["temperature"] / best(slice(None)) - 1) < 5e-3
    q = p.copy()
    q[::2], q[1::2] = tempered(best(slice(1, None, 2)), slice(None, None, 2)), tempered(best(slice(None, None, 2)), slice(1, None, 2))
    assert abs(calibration["fitted"]["cross_entropy"] - -numpy.log(q[numpy.arange(60), own]).mean()) < 1e-3, "measured on the half that it was not fitted to"
    assert "stored" not in calibration


def test_the_least_sure_are_left_unanswered(report):
    sure = sorted(((float(line["probability"]), line["class"] == line["predicted"]) for line in report.lines), key=lambda each: -each[0])
    assert [each["answered"] for each in report.figures["coverage"]] == [3 * i for i in range(1, 21)]
    for each in report.figures["coverage"]:
        check_share(each["accuracy"], sum(right for _, right in sure[:each["answered"]]), each["answered"])
        assert abs(each["least_probability"] - sure[each["answered"] - 1][0]) < 1e-6
    for each in report.figures["answer_above"]:
        n = max(n for n in range(1, 61) if sum(right for _, right in sure[:n]) >= each["target"] * n)
        assert each["answered"] == n and each["accuracy"]["share"] >= each["target"] - 1e-6


def test_the_temperature_in_the_file_is_measured_as_it_is(photos, tmp_path):
    model = colour_model.write(tmp_path / "warm.safetensors", temperature=1.5)
    stored = json.loads(evaluate(model, photos, "--json").stdout)["calibration"]["stored"]
    assert stored["temperature"] == 1.5 and 0 < stored["error"] < 1
    colour_model.write(tmp_path / "wrong.safetensors", temperature=100)
    assert b"temperature" in evaluate(tmp_path / "wrong.safetensors", photos, code=1).stderr


def test_words_and_json_say_the_same(report, model, photos):
    said = evaluate(model, photos)
    assert f"{100 * report.figures['accuracy']['share']:.1f} %".encode() in said.stdout and b"recall" in said.stdout
    assert json.loads(evaluate(model, photos, "--json").stdout) == report.figures
    assert re.search(rb"evaluate.*MODEL DATA", run("evaluate", "--help").stdout)


def test_the_docs_name_what_is_there(report, photos):
    """docs/finetune.md, the table of the report's files: members of report.json, columns of predictions.csv."""
    rows = {name: re.findall(r"`(\w+)`", text) for name, text in re.findall(r"^\| `([\w.]+)` \| (.*) \|$", (ROOT / "docs/finetune.md").read_text(), re.M)}
    of_finetune = {"epochs", "epoch_chosen_by_these_photos", "photos_per_class", "finetune"}
    more = json.loads(evaluate(ROOT / "models/efficientnet-lite0.safetensors", folder_of_classes(photos), "--json").stdout)
    assert set(rows["report.json"]) - of_finetune == {"right", "of", "share", "low", "high"} | set(report.figures | more) - {"camserve_report"}
    assert rows["predictions.csv"] == list(report.lines[0])


# ---- the page ----
def test_each_wrong_photo_has_both_maps(report, model, photos):
    wrong = {line["path"]: line for line in report.lines if line["class"] != line["predicted"]}
    assert {each["file"] for each in report.page.photos} == set(wrong)
    sure = [each["predictions"][0]["probability"] for each in report.page.photos]
    assert sure == sorted(sure, reverse=True), "the surest mistakes come first"
    for each in report.page.photos:
        line = wrong[each["file"]]
        assert [p["label"] for p in each["predictions"]] == [line["predicted"], line["class"]]
        maps = json.loads(run("explain", "--json", "--include", "map", "--scale", "relu", "--classes", line["class_id"], "--top-k", "1", each["file"], model=model).stdout)["predictions"]
        for said, values, entry in zip(maps, each["more"]["maps"], each["predictions"], strict=True):
            assert numpy.allclose(said["map"]["values"], values, rtol=6e-4, atol=1e-6) and said["box"] == (dict(zip(("x", "y", "width", "height"), entry["box"])) if "box" in entry else None)
        assert Image.open(io.BytesIO(base64.b64decode(each["more"]["jpeg"]))).size == (24, 24)


def test_the_policy_lets_this_script_run_and_nothing_else(report):
    reader = report.page.reader
    policy = dict(part.split(" ", 1) for part in reader.policy.split("; "))
    hashes = {tag: ["'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'" for text in reader.texts(tag, **kind)]
              for tag, kind in (("script", {"type": "module"}), ("style", {}))}
    assert policy == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "script-src": hashes["script"][0], "style-src": hashes["style"][0]}
    script = reader.texts("script", type="module")[0]
    assert not re.search(r"^(import|export)\b|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\(|XMLHttp", script, re.M)
    names = re.findall(r"^(?:async )?(?:const|let|class|function) +(\w+)", script, re.M)
    assert len(names) > 40 and max(collections.Counter(names).values()) == 1, "modules that are joined share one scope"
    assert "{{" not in (report.path / "index.html").read_text()


def test_many_wrong_photos_stay_below_20_megabytes(tmp_path):
    """Of the finest noise, which no JPEG makes small; all are taken for blue, and are called red."""
    model = colour_model.write(tmp_path / "blue.safetensors", rows=[[0, 0, -9], [0, 0, -9], [9, 9, 9]])
    (tmp_path / "photos/red").mkdir(parents=True)
    for n, most, side in (300, 300, 400), (1600, 1500, 120):
        kinds = [tmp_path / f"{side}-{i}.png" for i in range(4)]
        for i, kind in enumerate(kinds):
            kind.write_bytes(pictures.png(Image.fromarray(numpy.random.default_rng(i).integers(0, 256, (side, side, 3), numpy.uint8))))
        for i in range(n):
            pathlib.Path(tmp_path / f"photos/red/{i}.png").unlink(missing_ok=True)
            os.symlink(kinds[i % 4], tmp_path / f"photos/red/{i}.png")
        evaluate(model, tmp_path / "photos", "--report", tmp_path / "report", "--force")
        page = Gallery(tmp_path / "report/index.html")
        assert page.about["accuracy"]["right"] == 0 and page.about["accuracy"]["of"] == n
        assert len(page.photos) == most and 10e6 < page.size < 20e6


@pytest.mark.hostile
def test_names_and_labels_are_text(tmp_path):
    hostile = "</script><img src=x onerror=alert(1)><!--"
    model = colour_model.write(tmp_path / "hostile.safetensors", classes=[f"{hostile} {name}" for name in colour_model.NAMES])
    folder = tmp_path / "photos/2"
    folder.mkdir(parents=True)
    photo = colour_model.photo(numpy.random.default_rng(1), 0, 60)
    names = sorted(name.replace("/", "∕").encode() for name in HOSTILE_NAMES) + [b"wrong \xff\xc3 byte", b"a,b \"c\""]
    for name in names:
        pathlib.Path(os.fsdecode(os.fsencode(folder) + b"/" + name + b".png")).write_bytes(photo)
    (folder / "<b>.jpg").write_bytes(b"no photo")
    evaluate(model, tmp_path / "photos", "--report", tmp_path / "report")
    report = Report(tmp_path / "report")
    assert report.page.reader.elements["script"] == 2 + 2 * len(names) and not report.page.reader.elements["img"] + report.page.reader.elements["b"]
    assert {os.fsencode(line["path"]) for line in report.lines} == {os.fsencode(folder) + b"/" + name + b".png" for name in names} | {os.fsencode(folder / "<b>.jpg")}
    assert all(line["class"] == f"{hostile} blue" for line in report.lines)


# ---- two classes ----
def test_two_classes_from_zero_have_maps_that_are_negatives(tmp_path):
    photos = colour_model.folder(tmp_path / "photos", names=["red", "green"])
    for second, said in ([-3, 2, 1], True), ([-3, 2.5, 1], False):
        model = colour_model.write(tmp_path / "two.safetensors", rows=[[3, -2, -1], second], classes=["red", "green"])
        result = json.loads(evaluate(model, photos, "--json").stdout)
        assert result["mirrored_maps"] is said
        assert (b"exact negative" in evaluate(model, photos).stdout) is said


# ---- what classes are called, and where photos are ----
CLASSES = [("n00000001", "10"), ("n00000002", "2, two"), ("n00000003", "0")]


@pytest.mark.parametrize("folders", [["10", "2, two", "0"], ["n00000001", "n00000002", "n00000003"], ["10", "two", "n00000003"], ["10", "1", "0"]])
def test_classes_by_label_wordnet_id_and_index(tmp_path, folders):
    """A label comes before an index: of three classes "0" is the last."""
    folders = ["2, TWO" if name == "two" else name for name in folders]
    model = colour_model.write(tmp_path / "digits.safetensors", classes=CLASSES)
    photos = colour_model.folder(tmp_path / "photos", names=folders, least=30)
    result = json.loads(evaluate(model, photos, "--json").stdout)
    assert result["accuracy"]["right"] == 60 and [each["label"] for each in result["classes"]] == [label for _, label in CLASSES]


def test_unknown_classes_are_named(model, photos, tmp_path):
    for names, words in (["mauve"], [b'"mauve"', b"of 3 that colours has"]), (["mauve", "teal"], [b'"mauve", "teal"', b"none of the 3"]), ([f"hue{i:02}" for i in range(40)], [b'"hue00", "hue01"', b" more "]):
        root = tmp_path / str(len(names))
        shutil.copytree(photos, root)
        for name in names:
            shutil.copytree(photos / "red", root / name)
        result = evaluate(model, root, "--report", tmp_path / "report", code=1)
        assert all(word in result.stderr for word in words) and not result.stdout, result.stderr
    assert not list(tmp_path.glob("report*"))


def test_a_csv_and_validation_photos(model, photos, tmp_path):
    shutil.copytree(photos, tmp_path / "data/val")
    shutil.copytree(photos, tmp_path / "data/train")
    result = evaluate(model, tmp_path / "data", "--json")
    assert json.loads(result.stdout)["photos"] == 60 and b"val/ is looked at" in result.stderr
    shutil.copy(photos / "red/000.png", tmp_path / 'one, "two".png')
    (tmp_path / "list.csv").write_text('path,class\r\n"one, ""two"".png",red\r\ncolours/gone.png, 1\r\n')
    result = evaluate(model, tmp_path / "list.csv", "--json")
    figures = json.loads(result.stdout)
    assert figures["photos"] == 1 and [each["class_id"] for each in figures["skipped"]] == [1] and b"gone.png: " in result.stderr


# ---- what cannot be read ----
@pytest.mark.hostile
def test_broken_photos_are_named_skipped_and_counted(model, photos, tmp_path):
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    (root / "red/broken.jpg").write_bytes(b"no photo")
    (root / "green/cut.png").write_bytes((photos / "red/000.png").read_bytes()[:300])
    with open(root / "blue/text.jpg", "wb") as file:
        file.truncate(200_000_000)
    (root / "blue/gone.png").symlink_to(tmp_path / "nowhere")
    (root / "blue/notes.txt").write_text("notes")
    result = evaluate(model, root, "--report", tmp_path / "report")
    report = Report(tmp_path / "report")
    names = {"broken.jpg", "cut.png", "text.jpg", "gone.png"}
    assert {pathlib.Path(each["file"]).name for each in report.figures["skipped"]} == names
    assert all(f"{name}: ".encode() in result.stderr for name in names) and b"1 .txt" in result.stderr and b"4 could not be read" in result.stdout
    assert report.figures["photos"] == 60 and {pathlib.Path(line["path"]).name for line in report.lines if line["error"]} == names


@pytest.mark.hostile
def test_no_photo_is_no_report(model, tmp_path):
    (tmp_path / "photos/red").mkdir(parents=True)
    for _ in range(2):
        result = evaluate(model, tmp_path / "photos", "--report", tmp_path / "report", code=1)
        assert result.stderr.startswith(b"camserve: ") and os.listdir(tmp_path) == ["photos"]
        (tmp_path / "photos/red/a.jpg").write_bytes(b"no photo")
    assert b"none of 1 photo can be read" in result.stderr
    evaluate(model, tmp_path / "none", code=1)
    evaluate(tmp_path / "none", tmp_path / "photos", code=1)


# ---- as a whole or not at all ----
def test_what_is_there_is_left_unless_it_is_a_report_and_force(model, photos, tmp_path):
    place = tmp_path / "report"
    evaluate(model, photos, "--report", f"{place}/")
    before = {name: (place / name).read_bytes() for name in FILES}
    assert b"--force" in evaluate(model, photos, "--report", place, code=1).stderr
    evaluate(model, photos, "--report", place, "--force")
    assert {name: (place / name).read_bytes() for name in FILES} == before, "the same photos, the same report"
    (place / "thesis.txt").write_text("mine")
    assert b"left as it is" in evaluate(model, photos, "--report", place, "--force", code=1).stderr
    assert sorted(os.listdir(place)) == sorted([*FILES, "thesis.txt"]) and os.listdir(tmp_path) == ["report"]
    for wrong in tmp_path / "no/report", tmp_path, photos, "", ".", "/":
        assert evaluate(model, photos, "--report", wrong, "--force", code=2 if wrong in ("", ".", "/") else 1).stderr


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@pytest.mark.hostile
def test_no_room_leaves_what_was_there(model, photos, tmp_path):
    place = tmp_path / "report"
    evaluate(model, photos, "--report", place)
    before = (place / "index.html").read_bytes()
    for arguments in ["--report", place, "--force"], ["--report", tmp_path / "other"]:
        result = subprocess.run([BINARY, "evaluate", model, photos, *arguments], capture_output=True, cwd=ROOT, timeout=PATIENCE, env=environment(), preexec_fn=limited,
                                restore_signals=False)
        assert result.returncode == 1 and b"cannot be written: File too large" in result.stderr
    assert os.listdir(tmp_path) == ["report"] and (place / "index.html").read_bytes() == before


@pytest.mark.concurrent
def test_threads_change_nothing(model, photos, tmp_path):
    said = []
    for threads in 1, 3:
        evaluate(model, photos, "--report", tmp_path / "report", "--force", "--threads", threads)
        said.append([(tmp_path / "report" / name).read_bytes() for name in FILES])
    assert said[0] == said[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_nothing_half(model, photos, tmp_path, number):
    """A photo that is a pipe keeps it waiting; what SIGKILL leaves, the next run takes."""
    data, place, pipe = tmp_path / "list.csv", tmp_path / "report", tmp_path / "wait.jpg"
    os.mkfifo(pipe)
    data.write_text("path,class\n" + "".join(f"{photo},{photo.parent.name}\n" for photo in sorted(photos.rglob("*.png"))) + "wait.jpg,red\n")
    process = subprocess.Popen([BINARY, "evaluate", model, data, "--report", place], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=environment())
    until = time.monotonic() + PATIENCE
    while not (tmp_path / "report.tmp").exists():
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(number)
    while process.poll() is None:  # whoever waits at the pipe finds it empty
        try:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            assert time.monotonic() < until
        time.sleep(0.02)
    code = process.returncode
    process.communicate()
    assert not place.exists() and code == (-number if number == signal.SIGKILL else 128 + number)
    assert (tmp_path / "report.tmp").exists() == (number == signal.SIGKILL)
    pipe.unlink()
    evaluate(model, data, "--report", place)
    assert sorted(os.listdir(tmp_path)) == ["list.csv", "report"]
