"""`camserve convert NET.onnx` as people call it: what it says, what it writes, and that what comes of it explains a photo."""
import json
import shutil

import pytest

import pictures
from server import ROOT, run

NETS = ROOT / "tests/fixtures/onnx"


def convert(out, *more):
    return run("convert", *more, "-o", out, timeout=60)


def test_a_network_is_converted_compared_and_explains(tmp_path):
    out, photo = tmp_path / "made.safetensors", tmp_path / "photo.png"
    photo.write_bytes(pictures.png(pictures.scene(60, 40)))
    result = convert(out, NETS / "plain-17-nhwc.onnx", "--compare", NETS / "in-nhwc.npy", NETS / "plain.npy", "--name", "made", "--pixels", "unit")
    assert result.returncode == 0, result.stderr
    for words in ("what ONNX does not say:\n  input    22 x 17, stretch (assumed; --resize)\n  pixels   unit: RGB, (pixel - 0, 0, 0) * 0.00392157, 0.00392157, 0.00392157\n",
                  'classes  5, labels: metadata of the network, from "label 0" to "label 4"', "ends in  a softmax", "--show-input", "5 outputs agree"):
        assert words.encode() in result.stderr, (words, result.stderr)
    info = run("info", out)
    assert info.returncode == 0 and b"made" in info.stdout
    answer = run("explain", photo, "--json", "--include", "map", "--top-k", "5", "--model", out)
    assert answer.returncode == 0, answer.stderr
    reply = json.loads(answer.stdout)
    assert reply["model"] == "made" and sorted(p["label"] for p in reply["predictions"]) == [f"label {c}" for c in range(5)]
    for p in reply["predictions"]:
        cells = p["map"]["values"]
        assert sum(cells) / len(cells) + p["bias"] == pytest.approx(p["logit"], abs=1e-4 * max(1, abs(p["logit"])))


def test_what_is_assumed_is_said(tmp_path):
    out, net, labels = tmp_path / "out.safetensors", NETS / "plain-9-nchw.onnx", tmp_path / "labels.txt"
    labels.write_text("cat, tabby\ndog\nhen\nfox\nowl, night owl\n")
    said = convert(out, net).stderr.decode()
    assert said.count("(assumed; --") == 3 and "pixels   imagenet: RGB, (pixel - 123.675, 116.28, 103.53) * 0.0171248, 0.017507, 0.0174292 (assumed; --pixels)" in said, said
    for pixels in (("--pixels", "imagenet"), ("--channels", "BGR", "--mean", "1,2,3")):
        said = convert(out, net, *pixels, "--resize", "stretch", "--labels", labels).stderr.decode()
        assert "(assumed" not in said and f'labels: {labels}, from "cat" to "owl"\n' in said, said
    assert "pixels   by hand: BGR, (pixel - 1, 2, 3) * 1, 1, 1\n" in said, said


def test_compare_in_any_place_and_refused_where_it_differs(tmp_path):
    out, net, files = tmp_path / "out.safetensors", NETS / "plain-9-nchw.onnx", ("--compare", NETS / "in-nchw.npy", NETS / "plain.npy")
    assert convert(out, *files, net).returncode == 0 and convert(out, net, *files).returncode == 0
    before = out.read_bytes()
    result = convert(out, net, "--compare", NETS / "in-nchw.npy", NETS / "rich.npy")
    assert result.returncode == 1 and b"not the same network" in result.stderr
    result = convert(out, net, "--compare", NETS / "in-nchw.npy", NETS / "in-nchw.npy")
    assert result.returncode == 1 and b"1122 numbers for 5 classes" in result.stderr
    result = convert(out, net, "--compare", NETS / "in-nhwc.npy", NETS / "plain.npy")
    assert result.returncode == 1 and b"its shape ends in 17 x 22 x 3; the network takes 1 x 3 x 17 x 22" in result.stderr, result.stderr
    assert out.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [out.name], "the file that was there stays, and nothing beside it"


def test_the_name_is_the_output_s(tmp_path):
    for out, more, name in (("shop v2.safetensors", (), "shop-v2"), ("plain", (), "plain"), ("other.safetensors", ("--name", "given"), "given")):
        result = convert(tmp_path / out, NETS / "plain-9-nchw.onnx", *more)
        assert result.returncode == 0 and f"wrote {tmp_path / out}: model {name}, ".encode() in result.stderr, result.stderr
        assert json.loads(run("info", "--json", tmp_path / out).stdout)["name"] == name


def test_what_is_read_is_not_written_over(tmp_path):
    for name in ("plain-20-nchw.onnx", "plain-20-nchw.onnx.data", "in-nchw.npy", "plain.npy"):
        shutil.copy(NETS / name, tmp_path / name)
    (tmp_path / "labels").write_text("a\nb\nc\nd\ne\n")
    (tmp_path / "linked").hardlink_to(tmp_path / "plain-20-nchw.onnx")
    (tmp_path / "free.tmp").hardlink_to(tmp_path / "labels")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    net, files = tmp_path / "plain-20-nchw.onnx", ("--labels", tmp_path / "labels", "--compare", tmp_path / "in-nchw.npy", tmp_path / "plain.npy")
    for name in (*before, "free"):
        if name == "free.tmp":
            continue
        result = convert(tmp_path / name, net, *files)
        assert result.returncode == 2 and f"{name}{'.tmp' if name == 'free' else ''} would be written over ".encode() in result.stderr, (name, result.stderr)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "free.tmp").unlink()
    assert convert(tmp_path / "free", net, *files).returncode == 0 and convert(tmp_path / "free", net, *files).returncode == 0


def test_a_network_that_is_not_converted_is_recognised(tmp_path):
    for command in (("info", NETS / "plain-9-nchw.onnx"), ("explain", "photo.png", "--model", NETS / "rich-17-nhwc.onnx")):
        result = run(*command)
        assert result.returncode == 1 and b"this looks like ONNX (protobuf): camserve convert" in result.stderr, result.stderr


def test_a_missing_output_is_named_after_the_input():
    for arguments in (["nets/made.v2.onnx"], ["--compare", "in.npy", "out.npy", "made.v2.onnx"]):
        result = run("convert", *arguments)
        assert result.returncode == 2 and b"-o FILE is missing, for instance -o made.v2.safetensors\n" in result.stderr, result.stderr


@pytest.mark.parametrize("arguments, words", [
    (("--compare", "in.npy"), "--compare takes two files"), (("other.npy",), "convert takes one file"), (("--input", "17"), "--input 17"),
    (("--arch", "a.json", "--pixels", "unit"), "--pixels: with --arch, the architecture says it"), (("--resize", "crop"), "--resize crop")])
def test_wrong_usage_is_named(tmp_path, arguments, words):
    result = convert(tmp_path / "out.safetensors", NETS / "plain-9-nchw.onnx", *arguments)
    assert result.returncode == 2 and words.encode() in result.stderr, result.stderr
    assert not list(tmp_path.iterdir())


def test_what_is_missing_is_named_with_what_there_is(tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes((NETS / "plain-9-nchw.onnx").read_bytes().replace(b"Softmax", b"Sofimax"))
    result = convert(tmp_path / "out.safetensors", other)
    assert result.returncode == 1 and b"(Sofimax): this operator would have to be built" in result.stderr, result.stderr
    assert b"operators that are read: AveragePool Conv" in result.stderr
    weights = tmp_path / "w.onnx"
    weights.write_bytes(b"PK\3\4" + bytes(40))
    result = convert(tmp_path / "out.safetensors", weights)
    assert result.returncode == 1 and b"weights need --arch FILE" in result.stderr
    alone = tmp_path / "alone.onnx"
    shutil.copy(NETS / "plain-20-nchw.onnx", alone)  # without the file of its weights
    result = convert(tmp_path / "out.safetensors", alone)
    assert result.returncode == 1 and b"plain-20-nchw.onnx.data: No such file" in result.stderr
