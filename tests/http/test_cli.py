"""The command line: exit codes, what is printed where, files written."""
import base64
import io
import json
import os
import re
import shutil
import socket
import subprocess

import pytest
from PIL import Image

import hostile
import pictures
from client import cam, check_problem, explain, same, strict_json
from server import BINARY, MODEL, PATIENCE, ROOT, environment, run

COMMANDS = ["serve", "health", "explain", "evaluate", "convert", "info", "bench"]


@pytest.fixture
def cat(tmp_path, chelsea):
    (tmp_path / "cat.png").write_bytes(chelsea)
    return tmp_path / "cat.png"


def test_help_and_version():
    for arguments in (["--help"], ["help"]):
        result = run(*arguments)
        assert result.returncode == 0 and not result.stderr
        text = result.stdout.decode()
        assert all(command in text for command in COMMANDS)
        for setting in ("PORT", "HOST", "MODEL", "TEAMS", "THREADS", "QUEUE", "ISA", "LOG"):
            assert "CAMSERVE_" + setting in text or "--" + setting.lower() in text, setting
    assert re.search(rb"\d+\.\d+\.\d+", run("--version").stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command):
    for arguments in ([command, "--help"], ["help", command]):
        result = run(*arguments)
        assert result.returncode == 0 and command.encode() in result.stdout and not result.stderr


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["serve", "--nonsense"], ["serve", "operand"], ["explain"],
                                       ["explain", "--top-k"], ["explain", "--top-k", "0", "x.png"], ["convert"],
                                       ["explain", "--colormap", "pink", "x.png"], ["explain", "--hat", "1", "x.png"],
                                       ["explain", "--top-k", "1", "--top-k", "2", "x.png"], ["convert", "a"],
                                       ["explain", "a.png", "b.png", "-o", "c.png"], ["bench", "--runs", "0"], ["bench", "--runs", "x"],
                                       ["serve", "--port", "70000"], ["help", "nonsense"], ["health", "x"],
                                       ["info", "a", "b"]])
def test_wrong_usage_is_2_and_said_on_standard_error(arguments):
    result = run(*arguments)
    assert result.returncode == 2, (result.returncode, result.stdout[:200], result.stderr)
    assert result.stderr.startswith(b"camserve: ") and not result.stdout


def test_explain_json_is_what_post_cam_answers(client, cat, chelsea):
    every = {"top_k": 5, "colormap": "viridis", "size": "original", "include": "overlay,heatmap,map", "threshold": 0.4, "scale": "minmax", "alpha": 0.3,
             "classes": "n02124075,3", "resize": "stretch"}
    for params in {}, every:
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in params.items()]
        result = run("explain", "--json", *flags, cat)
        assert result.returncode == 0, result.stderr
        document = strict_json(result.stdout.decode())
        served = explain(client, chelsea, **params).document
        assert same(document) == same(served) and list(document) == list(served)
        assert set(document["timing_ms"]) == set(served["timing_ms"])
    assert not cat.with_name("cat.cam.png").exists(), "--json writes no file"


def test_explain_prints_a_table_and_writes_an_overlay(client, cat, chelsea):
    result = run("explain", cat)
    assert result.returncode == 0, result.stderr
    assert b"Egyptian cat" in result.stdout
    assert len(re.findall(rb"n\d{8}|\b\d+\.\d+", result.stdout)) >= 3
    assert cat.with_name("cat.cam.png").read_bytes() == cam(client, chelsea, accept="image/png").content


def test_explain_writes_jpeg_overlays(client, cat, chelsea):
    result = run("explain", "--format", "jpeg", cat)
    assert result.returncode == 0 and b"cat.cam.jpg" in result.stdout
    assert cat.with_name("cat.cam.jpg").read_bytes() == cam(client, chelsea, accept="image/jpeg").content
    assert not cat.with_name("cat.cam.png").exists()
    document = strict_json(run("explain", "--json", "--format=jpeg", cat).stdout.decode())
    assert same(document) == same(explain(client, chelsea, format="jpeg").document)


@pytest.mark.hostile  # the one test that takes the large network through the address build, too
def test_explain_into_a_named_file_and_from_standard_input(cat, chelsea, tmp_path):
    assert run("explain", cat, "-o", tmp_path / "out.png", "--size", "input").returncode == 0
    assert Image.open(tmp_path / "out.png").size == (352, 224)
    assert not cat.with_name("cat.cam.png").exists()
    result = run("explain", "-", "-o", tmp_path / "in.png", stdin=chelsea)
    assert result.returncode == 0 and b"Egyptian cat" in result.stdout
    assert Image.open(tmp_path / "in.png").size == (451, 300)
    piped, named = (strict_json(run("explain", "--json", name, stdin=chelsea).stdout.decode()) for name in ("-", cat))
    assert same(piped) == same(named)


def test_several_photos_as_json(client, cat, photos, tmp_path):
    (tmp_path / "cup.png").write_bytes(photos["coffee"])
    (tmp_path / "bad.jpg").write_bytes(hostile.no_scan_jpeg())
    result = run("explain", "--json", cat, tmp_path / "bad.jpg", tmp_path / "cup.png")
    assert result.returncode == 1
    results = strict_json(result.stdout.decode())["results"]
    assert [("error" in r) for r in results] == [False, True, False]
    check_problem(results[1]["error"], 422)
    assert results[2]["predictions"] == explain(client, photos["coffee"]).document["predictions"]
    good = run("explain", "--json", cat, tmp_path / "cup.png")
    assert good.returncode == 0 and len(strict_json(good.stdout.decode())["results"]) == 2


def test_a_photo_that_fails_is_said_and_the_others_are_done(cat, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no photo")
    result = run("explain", tmp_path / "bad.png", tmp_path / "missing.png", cat)
    assert result.returncode == 1
    assert b"bad.png" in result.stderr and b"missing.png" in result.stderr
    assert b"Egyptian cat" in result.stdout and cat.with_name("cat.cam.png").exists()
    assert not (tmp_path / "bad.cam.png").exists()


def test_more_photos_than_a_request_may_hold(cat, chelsea, tmp_path):
    names = []
    for i in range(11):
        names.append(tmp_path / f"p{i}.png")
        names[-1].write_bytes(pictures.png(pictures.scene(40, 30, seed=i)))
    result = run("explain", "--json", "--include", "none", *names)
    assert result.returncode == 0 and len(strict_json(result.stdout.decode())["results"]) == 11


def test_explain_failures(cat, tmp_path):
    assert run("explain", tmp_path / "none").returncode == 1
    assert run("explain", cat, "-o", tmp_path / "no" / "such" / "folder.png").returncode == 1
    assert run("explain", "--json", "-", stdin=b"").returncode == 1
    assert run("explain", cat, model=tmp_path / "none.safetensors").returncode == 1
    assert run("explain", "--model", tmp_path / "none.safetensors", cat).returncode == 1
    assert run("explain", "--max-pixels", "1000", cat).returncode == 1


def on_terminal(*arguments, seconds=PATIENCE, **settings):
    """What a command says to a terminal that its standard output and error are; its exit code."""
    ours, its = os.openpty()
    process = subprocess.Popen([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=settings.pop("stdout", its), stderr=its, cwd=ROOT,
                               env=environment(**{"model": MODEL, **settings}))
    os.close(its)
    said = b""
    try:
        while True:
            said += os.read(ours, 65536)
    except OSError:  # the last one has closed it
        os.close(ours)
    return process.wait(seconds), said.decode()


def test_bare_on_a_terminal_says_what_it_is():
    code, said = on_terminal()
    assert code == 0 and "camserve serve" in said and "camserve explain" in said and "8080" in said


def test_progress_on_a_terminal(tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(120):
        (tmp_path / f"photos/{i}.png").write_bytes(pictures.png(pictures.scene(40, 30, seed=i % 3)))
    with open(tmp_path / "lines", "wb") as lines:
        code, said = on_terminal("explain", "--jsonl", tmp_path / "photos", stdout=lines)
    assert code == 0 and (tmp_path / "lines").read_bytes().count(b"\n") == 120
    assert re.search(r"\r\d+ of 120 photos, \d+\.\d a second, \d+ s left", said), said
    assert "120 photos in" in said and "0 failed" in said
    code, said = on_terminal("explain", "--jsonl", tmp_path / "photos/1.png")
    assert code == 0 and said.startswith('{"file"') and said.count("\n") == 1, "where lines are read, nothing else is"


def test_versions():
    for arguments in ["--version"], ["-V"], ["explain", "--version"]:
        result = run(*arguments)
        assert result.returncode == 0 and re.fullmatch(rb"camserve \d+\.\d+\.\d+ \(\w+\)\n", result.stdout)


@pytest.mark.parametrize("arguments, meant", [(["explian", "x"], "explain"), (["sevre"], "serve"), (["help", "bnech"], "bench"),
                                              (["explain", "--topk", "3", "x"], "--top-k"), (["explain", "--top_k=3", "x"], "--top-k"),
                                              (["explain", "--josnl", "x"], "--jsonl"), (["--prot", "80"], "--port"),
                                              ([ROOT / "README.md"], "camserve explain"), ([ROOT / "config"], "camserve explain")])
def test_what_was_meant(arguments, meant):
    result = run(*arguments)
    assert result.returncode == 2 and f"did you mean {meant}".encode() in result.stderr, result.stderr


def test_a_folder_that_is_called_like_a_word_is_not_meant():
    result = run("config")
    assert (ROOT / "config").is_dir() and result.returncode == 2 and b"did you mean" not in result.stderr, result.stderr


@pytest.mark.parametrize("arguments, flag", [(["explain", "--top-k", "0", "x"], "--top-k: "), (["explain", "--max-pixels", "0", "x"], "--max-pixels: "),
                                             (["serve", "--max-body-bytes", "x"], "--max-body-bytes: "), (["explain", "--colormap=pink", "x"], "--colormap: ")])
def test_errors_name_a_flag_as_it_is_typed(arguments, flag):
    result = run(*arguments)
    assert result.returncode == 2 and result.stderr.startswith(b"camserve: " + flag.encode()) and b"_" not in result.stderr


def test_the_model_is_found_from_any_folder(tmp_path):
    """Beside the program, in models/ there, or below ../share/camserve; then models/ of the working folder."""
    name = "efficientnet-lite0.safetensors"
    work = tmp_path / "work"
    (work / "models").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    shutil.copy(BINARY, tmp_path / "bin/camserve")

    def found():
        env = {k: v for k, v in environment().items() if k != "CAMSERVE_MODEL"}
        result = subprocess.run([tmp_path / "bin/camserve", "info", "--json"], cwd=work, capture_output=True, env=env)
        return json.loads(result.stdout)["file"] if result.returncode == 0 else None
    assert found() is None
    for place in f"work/models/{name}", f"share/camserve/{name}", f"share/camserve/models/{name}", f"models/{name}", f"bin/models/{name}", f"bin/{name}":
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        os.link(MODEL, tmp_path / place)
        assert found() == (f"models/{name}" if place.startswith("work") else str(tmp_path / place))


def test_info_as_json(client, small_file):
    document = strict_json(run("info", "--json", small_file).stdout.decode())
    assert document["name"] == "vgg16-cam" and document["file"] == str(small_file) and document["file_bytes"] == small_file.stat().st_size
    document = strict_json(run("info", "--json").stdout.decode())
    served = client.get("/version").json()
    assert document["sha256"] == served["model"]["sha256"] and document["isa"] == served["isa"]
    described = client.get("/v1/models/efficientnet-lite0").json()
    assert all(document[name] == described[name] for name in described if name != "ready"), described
    assert document["classes"] == 1000 and document["input"] == {"width": 224, "height": 224, "resize": "aspect"}


def test_info(small_file):
    text = run("info").stdout.decode()
    assert "efficientnet-lite0" in text and "1000" in text
    table = text.split("\n\n")[0].splitlines()
    at = table[0].index("operator")
    assert {line[at - 1:].split()[0] for line in table[1:]} == {"conv", "relu6", "add", "gap", "fc"}, "names of any length end before the column"
    assert run("info", MODEL).stdout.decode() == text == run("info", "--model", MODEL).stdout.decode()
    other = run("info", small_file)
    assert other.returncode == 0 and b"vgg16-cam" in other.stdout
    assert run("info", ROOT / "Makefile").returncode == 1
    assert run("info", "/nonexistent").returncode == 1


def test_a_file_that_is_not_there_is_named(tmp_path):
    """And advice for who has named no model is not for who has."""
    gone = tmp_path / "gone"
    for arguments in (["bench", "--photo", gone], ["info", gone], ["evaluate", gone, tmp_path], ["explain", gone], ["bench", "--model", gone]):
        said = run(*arguments).stderr.decode()
        assert str(gone)[:40] in said and "No such file" in said and "make build" not in said, said
    alone = tmp_path / "camserve"
    alone.write_bytes(BINARY.read_bytes())
    alone.chmod(0o755)
    result = subprocess.run([alone, "info"], cwd=tmp_path, capture_output=True, env={"PATH": os.environ["PATH"]})
    assert result.returncode == 1 and b"No such file" in result.stderr and b"make build" in result.stderr


def test_bench_json():
    result = run("bench", "--json", "--runs", "3", "--threads", "1")
    assert result.returncode == 0, result.stderr
    document = strict_json(result.stdout.decode())
    numbers = re.findall(r'"(?:min|p50|p99)[^"]*": ?([\d.]+)', result.stdout.decode())
    assert len(numbers) >= 6 and all(float(n) > 0 for n in numbers), document
    assert re.search(r"portable|x86-64-v[34]", result.stdout.decode())


def test_bench_for_people():
    result = run("bench", "--runs", "2", "--batch", "2")
    assert result.returncode == 0 and b"p99" in result.stdout


def test_bench_layers():
    document = json.loads(run("bench", "--layers", "--json", "--runs", "2").stdout)
    assert all(document["host"][what] > 0 for what in ("gflops", "int8_gops", "gbytes"))
    layers = {layer["name"]: layer for layer in document["layers"]}
    assert all(layer["ms"] > 0 and layer["bytes"] > 0 and layer["bound"] in ("arithmetic", "memory") for layer in layers.values())
    maps = 3 * 7 * 7 * 1280
    assert f"{(sum(layer['multiply_adds'] for layer in layers.values()) - maps) / 1e9:.3f} G" in run("info").stdout.decode()
    assert layers["class maps"]["channels"] == 3 and layers["logits"]["channels"] == 1000
    text = run("bench", "--layers", "--runs", "2").stdout.decode()
    assert "GFLOP/s" in text and "class maps" in text


def test_bench_check():
    reference = json.loads(run("bench", "--check", "--json", "--runs", "1").stdout)["reference"]
    assert len(reference["logits"]) == 1000 and max(map(abs, reference["logits"])) == reference["largest"]
    assert 0 < reference["difference"] < 5e-5 * reference["largest"]


def test_health(server):
    assert run("health", port=server.port).returncode == 0
    assert run("health", "--port", server.port).returncode == 0
    assert run("health", "--port", server.port, "--host", "[127.0.0.1]").returncode == 0  # as in a URL
    assert run("health", "--port", server.port, "--host", "localhost").returncode == 0  # whichever of its addresses comes first
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        result = run("health", port=free.getsockname()[1])
    assert result.returncode == 1 and result.stderr


def test_flags_win_over_environment_and_file(tmp_path, cat):
    (tmp_path / "camserve.ini").write_text("max_pixels = 1000\n")
    assert run("explain", cat, config=tmp_path / "camserve.ini").returncode == 1
    assert run("explain", cat, config=tmp_path / "camserve.ini", max_pixels=1000000).returncode == 0
    assert run("explain", "--max-pixels", "1000", cat, config=tmp_path / "camserve.ini", max_pixels=1000000).returncode == 1
    (tmp_path / "camserve.ini").write_text("hat = 1\n")
    assert run("explain", cat, config=tmp_path / "camserve.ini").returncode == 2


def test_generated_texts_are_current():
    """The example configuration and the page of settings are what the program prints; README's few settings are rows of that page."""
    assert run("help", "--ini").stdout == (ROOT / "config/camserve.ini").read_bytes()
    page = (ROOT / "docs/settings.md").read_text()
    assert run("help", "--markdown").stdout.decode() == page
    table = (ROOT / "README.md").read_text().split("| flag | environment |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(table) == 6 and not set(table) - set(page.splitlines())


def test_standard_output_that_is_closed_is_a_failure():
    with open("/dev/full", "wb") as full:
        assert subprocess.run([BINARY, "--help"], stdout=full, stderr=subprocess.DEVNULL, env=environment()).returncode == 1


def test_json_output_is_one_line_of_pictures_that_decode(cat):
    document = json.loads(run("explain", "--json", cat).stdout)
    for p in document["predictions"]:
        assert Image.open(io.BytesIO(base64.b64decode(p["overlay_png"]))).size == (451, 300)
