"""`camserve convert --int8`: what it says, what it leaves, what is told of such a model, and answers that are the same bits everywhere."""
import json
import shutil
import struct

import numpy
import pytest

import pictures
import small_model
from client import cam, same
from server import Server, run


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for seed in range(4):
        (folder / f"{seed}.png").write_bytes(pictures.png(pictures.scene(120, 100, seed)))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory, light_file, photos):
    """The light network in 8 bits, the ranges beside it, and what was said."""
    out = tmp_path_factory.mktemp("int8") / "light-int8.safetensors"
    result = run("convert", light_file, "--int8", "--calibrate", photos, "-o", out, timeout=300)
    assert result.returncode == 0, result.stderr
    return out, out.with_name("light-int8.ranges.json"), result.stderr.decode()


def info(path, **settings):
    return json.loads(run("info", "--json", path, **settings).stdout)


def test_what_is_said(made, light_file):
    out, ranges, said = made
    assert "passed over: " in said and "broken.jpg" in said and "calibrated with 4 photos\nwarning: few show what to expect; 20 " in said
    assert "first labels agree on" in said and "of first labels correlate" in said
    assert "int8: 100.00 % of the multiply-adds; the same bits on every machine" in said
    about, before = info(out), info(light_file)
    assert about["name"] == before["name"] + "-int8" and (about["precision"], before["precision"]) == ("int8", "float32")
    assert about["int8_share"] == 1 and about["bit_exact"] is True and "bit_exact" not in before
    assert about["file_bytes"] < before["file_bytes"] / 2 and about["multiply_adds"] == before["multiply_adds"]
    assert "precision      int8: 100.00 %" in run("info", out).stdout.decode()
    document = json.loads(ranges.read_text())
    assert document["model"] == before["name"] and document["photos"] == 4 and len(document["layers"]) == 64
    assert all(least <= most for least, most in document["ranges"].values())
    assert document["means"] and all(node in document["ranges"] and all(level in range(256) for level in means) for node, means in document["means"].items())


def test_ranges_make_the_same_file(made, light_file, tmp_path):
    out, ranges, _ = made
    again = tmp_path / "again.safetensors"
    result = run("convert", light_file, "--int8", "--ranges", ranges, "-o", again, timeout=300)
    assert result.returncode == 0 and again.read_bytes() == out.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == [again.name]
    assert run("convert", light_file, "--int8", "--ranges", ranges, "--name", "other", "-o", again, timeout=300).returncode == 0
    assert info(again)["name"] == "other"


def test_ranges_without_means(made, light_file, tmp_path):
    """As they were written before there were any: the weights are the same, biases are not."""
    ranges, again = tmp_path / "ranges.json", tmp_path / "again.safetensors"
    document = json.loads(made[1].read_text())
    del document["means"]
    ranges.write_text(json.dumps(document))
    assert run("convert", light_file, "--int8", "--ranges", ranges, "-o", again, timeout=300).returncode == 0
    assert again.stat().st_size == made[0].stat().st_size and again.read_bytes() != made[0].read_bytes()


def test_the_service_says_so(made):
    name = info(made[0])["name"]
    server = Server(model=made[0])
    assert server.client.get(f"/v1/models/{name}").json()["precision"] == "int8"
    assert server.client.get("/version").json()["model"]["precision"] == "int8"
    assert 'precision="int8"' in server.client.get("/metrics").text
    server.stop()


def test_the_same_bits_everywhere(made, scene_png):
    """Of instruction sets, threads and OpenBLAS's kernels; a class map adds up to its logit."""
    answers = []
    for settings in ({}, {"isa": "portable"}, {"threads": 1}, {"threads": 3}):
        server = Server(model=made[0], **settings)
        answers.append(same(cam(server.client, scene_png, include="map,probabilities", top_k=5).json()))
        server.stop()
    assert all(answer == answers[0] for answer in answers)
    for label in answers[0]["predictions"]:
        values = label["map"]["values"]
        assert sum(values) / len(values) + label["bias"] == pytest.approx(label["logit"], rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("arguments, words", [
    (["--int8"], "--int8 needs --calibrate FOLDER (of photos) or --ranges FILE"),
    (["--calibrate", "PHOTOS"], "--calibrate and --ranges are for --int8"),
    (["--int8", "--calibrate", "PHOTOS", "--ranges", "RANGES"], "one of both"),
    (["--int8", "--calibrate", "EMPTY"], "no photo that can be read"),
    (["--int8", "--ranges", "OTHER"], "the network has no node \"stranger\""),
    (["--int8", "--ranges", "SHORT"], "is missing"),
    (["--int8", "--ranges", "CUT"], "cut.json: JSON: not valid near byte 99 of 100"),
    (["--int8", "--ranges", "WIDE"], "\": [-1e+16, 1e+16] is not [least, most] within -1e+15 to 1e+15"),
    (["--int8", "--ranges", "REVERSED"], "\": [2, 1] is not [least, most] within"),
    (["--int8", "--ranges", "NAMED"], "\" needs [least, most]"),
    (["--int8", "--ranges", "TWICE"], "\" is given twice"),
    (["--int8", "--ranges", "STRAY"], "the network has no node \"stranger\""),
    (["--int8", "--ranges", "LACKING"], "are missing"),
    (["--int8", "--ranges", "FEW"], "means of node \""),
    (["--int8", "--ranges", "HALF"], "channel 0 is not a whole number of 0 to 255"),
    (["--int8", "--ranges", "HIGH"], "channel 0 is not a whole number of 0 to 255"),
    (["--int8", "--ranges", "PHOTOS"], "cannot be read"),
    (["--int8", "--ranges", "RANGES", "--pixels", "unit"], "of a model file only --name can be another"),
    ([], "is a model file already; --int8 makes one in 8 bits of it"),
])
def test_what_is_refused(made, light_file, photos, tmp_path, arguments, words):
    text = made[1].read_text()
    ranges = json.loads(text)
    node = next(iter(ranges["ranges"]))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "empty").mkdir()
    (folder / "cut.json").write_text(text[:100])
    (folder / "twice.json").write_text(text.replace(f'"{node}":', f'"{node}": [0, 1], "{node}":'))
    for name, given in (("other", {**ranges["ranges"], "stranger": [0, 1]}), ("short", dict(list(ranges["ranges"].items())[1:])),
                        ("wide", {**ranges["ranges"], node: [-1e16, 1e16]}), ("reversed", {**ranges["ranges"], node: [2, 1]}),
                        ("named", {**ranges["ranges"], node: {"least": 1, "most": 2}})):
        (folder / f"{name}.json").write_text(json.dumps({**ranges, "ranges": given}))
    means = ranges["means"]
    read, levels = next(iter(means.items()))
    for name, changed in (("stray", {**means, "stranger": [0]}), ("lacking", dict(list(means.items())[1:])), ("few", {**means, read: levels[1:]}),
                          ("half", {**means, read: [0.5, *levels[1:]]}), ("high", {**means, read: [256, *levels[1:]]})):
        (folder / f"{name}.json").write_text(json.dumps({**ranges, "means": changed}))
    paths = {"PHOTOS": photos, "RANGES": made[1], "EMPTY": folder / "empty",
             **{path.stem.upper(): path for path in folder.glob("*.json")}}
    result = run("convert", light_file, *(paths.get(a, a) for a in arguments), "-o", tmp_path / "out.safetensors")
    assert result.returncode not in (0, None) and words in result.stderr.decode(), result.stderr
    shutil.rmtree(folder)
    assert not list(tmp_path.iterdir())


def test_8_bits_twice(made, photos, tmp_path):
    result = run("convert", made[0], "--int8", "--calibrate", photos, "-o", tmp_path / "out.safetensors")
    assert "is in 8 bits already" in result.stderr.decode() and not list(tmp_path.iterdir())


# ---- what ranges are of ----

def changed(path, out, document=lambda about: None, tensors=lambda header, data: None):
    """The model file with its text or its tensors changed."""
    file = path.read_bytes()
    (size,) = struct.unpack("<Q", file[:8])
    header, data = json.loads(file[8:8 + size]), bytearray(file[8 + size:])
    about = json.loads(header["__metadata__"]["camserve"])
    document(about)
    tensors(header, data)
    header["__metadata__"]["camserve"] = json.dumps(about)
    text = json.dumps(header).encode()
    out.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return out


def turn_lowest_bit_of(name):
    def turn(header, data):
        data[header[name]["data_offsets"][0]] ^= 1
    return turn


def call_otherwise(about):
    about.update(name="other", origin="elsewhere", classes=[["", f"class {i}"] for i in range(len(about["classes"]))])
    about["input"].update(width=128, resize="aspect", multiple=32, max_side=160)
    del about["self_test"]


def shift_pixels(about):
    about["input"]["mean"][0] += 1


def stretch_conv(about):
    assert about["nodes"][0]["op"] == "conv"
    about["nodes"][0]["padding"] = [2, 2, 1, 1]


@pytest.mark.parametrize("change", [{"document": call_otherwise}, {"tensors": turn_lowest_bit_of("CAM_fc.weight")}], ids=["names", "head"])
def test_ranges_are_of_the_layers(made, light_file, tmp_path, change):
    """Another name, other sizes and another head leave the ranges true."""
    other = changed(light_file, tmp_path / "other.safetensors", **change)
    result = run("convert", other, "--int8", "--ranges", made[1], "-o", tmp_path / "out.safetensors", timeout=300)
    assert result.returncode == 0, result.stderr
    assert info(tmp_path / "out.safetensors")["int8_share"] == 1


@pytest.mark.parametrize("change", [{"tensors": turn_lowest_bit_of("conv1_1.weight")}, {"tensors": turn_lowest_bit_of("CAM_conv.bias")},
                                    {"document": shift_pixels}, {"document": stretch_conv}], ids=["weight", "bias", "pixels", "padding"])
def test_ranges_of_other_layers_are_refused(made, light_file, tmp_path, change):
    """Though all nodes are called the same."""
    other, said = changed(light_file, tmp_path / "other.safetensors", **change), json.loads(made[1].read_text())
    result = run("convert", other, "--int8", "--ranges", made[1], "-o", tmp_path / "out.safetensors")
    wanted = f"light-int8.ranges.json: has ranges of model {said['model']}, layers {said['layers'][:12]}; the layers of model {said['model']} are "
    assert result.returncode == 1 and wanted in result.stderr.decode(), result.stderr
    assert [p.name for p in tmp_path.iterdir()] == [other.name]


def test_ranges_that_name_no_layers_are_taken(made, light_file, tmp_path):
    """A pair a node is all that one has to write."""
    path, out = tmp_path / "own.json", tmp_path / "out.safetensors"
    path.write_text(json.dumps({"ranges": json.loads(made[1].read_text())["ranges"]}))
    result = run("convert", light_file, "--int8", "--ranges", path, "-o", out, timeout=300)
    assert result.returncode == 0, result.stderr
    assert info(out)["int8_share"] == 1


# ---- before long work ----

@pytest.mark.parametrize("arguments, out, words", [
    ([], "nowhere/out.safetensors", "nowhere/out.safetensors.tmp: No such file or directory"),
    ([], "/proc/out.safetensors", "/proc/out.safetensors.tmp: No such file or directory"),
    ([], "folder", "folder: it cannot be written: it is a folder"),
    ([], "taken.safetensors", "taken.ranges.json: it cannot be written: it is no file"),
    (["--name", "a b"], "out.safetensors", "its name \"a b\" must be 1 to 64 letters"),
    (["--name", "a" * 65], "out.safetensors", "must be 1 to 64 letters"),
])
def test_it_is_said_before_photos_are_looked_at(light_file, photos, tmp_path, arguments, out, words):
    (tmp_path / "folder").mkdir()
    (tmp_path / "taken.ranges.json").mkdir()
    result = run("convert", light_file, "--int8", "--calibrate", photos, *arguments, "-o", tmp_path / out)
    said = result.stderr.decode()
    assert result.returncode == 1 and words in said and "passed over" not in said and "calibrated" not in said, said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "taken.ranges.json"]


@pytest.mark.parametrize("arguments", [["--int8", "--ranges"], ["--labels"], ["--compare"]])
def test_it_is_said_before_anything_is_read(tmp_path, arguments):
    """The network itself is none, which is found when it is read."""
    (tmp_path / "network.onnx").write_bytes(b"none")
    more = [tmp_path / "out.npy"] if arguments == ["--compare"] else []
    result = run("convert", tmp_path / "network.onnx", *arguments, tmp_path / "missing", *more, "-o", tmp_path / "out.safetensors")
    assert result.returncode == 1 and b"missing: No such file or directory" in result.stderr, result.stderr


# ---- maps that 8 bits lose ----

@pytest.mark.parametrize("most, words", [(0, None), (200, "warning: class maps correlate 0."), (1e5, "warning: class maps correlate 0.0000 on average, less than 0.95")])
def test_maps_that_are_lost_are_a_warning(photos, tmp_path, most, words):
    """A channel that no class weighs takes the levels of those that make the maps."""
    weight = numpy.zeros((1, 1, 3, 4))
    weight[0, 0, :, :3] = numpy.eye(3)
    model = small_model.write(tmp_path / "m.safetensors", {"w": weight, "b": numpy.array([0, 0, 0, most]), "f": numpy.array([[1, .5, .2, 0], [-1, -.5, .3, 0]])},
                              [{"name": "c", "op": "conv", "inputs": ["input"], "weight": "w", "bias": "b"}, {"name": "g", "op": "gap", "inputs": ["c"]},
                               {"name": "f", "op": "fc", "inputs": ["g"], "weight": "f"}], [["", "a"], ["", "b"]], 32, 32)
    result = run("convert", model, "--int8", "--calibrate", photos, "-o", tmp_path / "out.safetensors")
    said = result.stderr.decode()
    assert result.returncode == 0 and (words or "correlate") in said and ("warning: class maps" in said) == bool(words), said
