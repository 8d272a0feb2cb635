"""Photos by the thousand: folders, lists and lines; what is resumed; how it ends. Each line stands for one photo: none is lost, doubled or half."""
import base64
import itertools
import json
import os
import pathlib
import pty
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
from PIL import Image

import hostile
import pictures
from client import check_problem, explain, same, strict_json
from server import BINARY, PATIENCE, ROOT, SANITIZED, environment, run

MANY = 200 if SANITIZED else 1000


def start(*arguments, model, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **settings):
    return subprocess.Popen([BINARY, "explain", *map(str, arguments)], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT,
                            env=environment(model=model, **settings))


def lines_of(data):
    """Whole lines as documents; each begins with its file."""
    text = data.decode()
    assert not text or text.endswith("\n"), "half a line: " + text[-80:]
    documents = [strict_json(line) for line in text.splitlines()]
    assert all(list(d)[0] == "file" and ("error" in d) != ("predictions" in d) for d in documents)
    return documents


def files_of(data):
    return [d["file"] for d in lines_of(data)]


@pytest.fixture
def folder(tmp_path):
    """Three photos and a broken one in two folders, and what is none."""
    root = tmp_path / "photos"
    (root / "b").mkdir(parents=True)
    for i, name in enumerate(["a.png", "b/1.png", "b.png"]):
        (root / name).write_bytes(pictures.png(pictures.scene(60, 40, seed=i)))
    (root / "b/0.jpg").write_bytes(hostile.no_scan_jpeg())
    (root / "notes.txt").write_text("no photo")
    return root


ORDER = ["a.png", "b.png", "b/0.jpg", "b/1.png"]


@pytest.fixture(scope="session")
def thousand(tmp_path_factory):
    """MANY photos in ten folders, one of them broken; their paths in order."""
    root = tmp_path_factory.mktemp("thousand")
    kinds = []
    for i in range(5):
        kinds.append(root / f"kind{i}")
        kinds[-1].write_bytes(pictures.png(pictures.scene(40, 30, seed=i)))
    photos = root / "photos"
    for i in range(MANY):
        path = photos / f"{i % 10}/{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(kinds[i % 5], path)
    broken = photos / "7/0057.png"
    broken.unlink()
    broken.write_bytes(b"no photo")
    return photos, [str(p) for p in sorted(photos.glob("*/*.png"))]


# ---- lines ----
def test_a_thousand_photos_are_a_thousand_lines(light_file, thousand):
    photos, paths = thousand
    result = run("explain", "--jsonl", "--keep-going", photos, model=light_file)
    assert result.returncode == 0, result.stderr
    assert b"1 failed" in result.stderr
    documents = lines_of(result.stdout)
    assert [d["file"] for d in documents] == paths
    assert [d["file"] for d in documents if "error" in d] == [str(photos / "7/0057.png")]


def test_a_line_is_what_post_cam_answers(client, light_model, folder):
    result = run("explain", "--jsonl", "--include", "map", folder, model=light_model)
    assert result.returncode == 1 and b"b/0.jpg" in result.stderr
    documents = lines_of(result.stdout)
    assert [d["file"] for d in documents] == [str(folder / name) for name in ORDER]
    check_problem(documents[2]["error"], 422)
    ids = set()
    for name, document in zip(ORDER, documents):
        if "error" in document:
            continue
        served = explain(client, (folder / name).read_bytes(), include="map").document
        assert list(document) == ["file", *served] and document.pop("file")
        ids.add(document["request_id"])
        assert same(document) == same(served)
    assert len(ids) == 3
    plain = lines_of(run("explain", "--jsonl", folder, model=light_model).stdout)
    assert not set(plain[0]["predictions"][0]) & {"overlay_png", "heatmap_png", "map"}


@pytest.mark.concurrent
def test_threads_change_no_line(light_model, folder):
    paths = "".join(f"{folder / name}\n" for name in ORDER * 5).encode()
    answers = []
    for threads in 1, 2, 3:
        result = run("explain", "--jsonl", "--include", "overlay,map", "--paths-from", "-", "--threads", threads, stdin=paths, model=light_model)
        assert result.returncode == 1, result.stderr
        documents = lines_of(result.stdout)
        for document in documents:
            document.pop("timing_ms", None)
            document.pop("request_id", None)
            document.get("error", {}).pop("request_id", None)
        answers.append(documents)
    assert len(answers[0]) == 20 and answers[0] == answers[1] == answers[2]


def test_several_photos_as_json_name_their_files(light_model, folder):
    result = run("explain", "--json", "--include", "none", "--keep-going", folder, model=light_model)
    assert result.returncode == 0
    document = strict_json(result.stdout.decode())
    assert [r["file"] for r in document["results"]] == [str(folder / name) for name in ORDER]
    assert list(document["results"][2]) == ["file", "error"]
    alone = strict_json(run("explain", "--json", folder / "a.png", model=light_model).stdout.decode())
    assert "file" not in alone


def test_a_line_comes_before_the_next_path_is_sent(light_model, folder):
    """A caller may send a path and wait for its line."""
    process = start("--jsonl", "--paths-from", "-", model=light_model, stdin=subprocess.PIPE)
    for name in ORDER:
        process.stdin.write(f"{folder / name}\n".encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["file"] == str(folder / name)
    process.stdin.close()
    assert process.wait(PATIENCE) == 1 and not process.stdout.read()


def test_lists(light_model, folder, tmp_path):
    (tmp_path / "list").write_text(f"{folder}/a.png\n\n{folder}/none.png\n{folder}\n-\n")
    result = run("explain", "--jsonl", "--keep-going", folder / "b.png", "--paths-from", tmp_path / "list", model=light_model)
    documents = lines_of(result.stdout)
    assert result.returncode == 0
    assert [d["file"] for d in documents] == [f"{folder}/b.png", f"{folder}/a.png", f"{folder}/none.png", str(folder), "-"]
    assert ["error" in d for d in documents] == [False, False, True, True, True]
    check_problem(documents[2]["error"], 404)
    empty = run("explain", "--jsonl", "--paths-from", "-", stdin=b"", model=light_model)
    assert empty.returncode == 0 and not empty.stdout, "an empty part of a job is no failure"
    assert run("explain", "--paths-from", tmp_path / "none", model=light_model).returncode == 1
    assert run("explain", "--paths-from", folder, model=light_model).returncode == 1


def test_memory_does_not_grow_with_the_list(light_model):
    process = start("--jsonl", "--keep-going", "--paths-from", "-", model=light_model, stdin=subprocess.PIPE)
    peaks = []
    for chunk in range(60):
        process.stdin.write(b"".join(b"/nonexistent/folder/%d/%d.jpg\n" % (chunk, i) for i in range(1000)))
        process.stdin.flush()
        for _ in range(1000):
            assert process.stdout.readline().startswith(b'{"file":"/nonexistent/folder/')
        peaks.append(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1]) / 1024)
    process.stdin.close()
    assert process.wait(PATIENCE) == 0
    assert peaks[-1] - peaks[5] < (64 if SANITIZED else 2), peaks


# ---- resuming ----
def test_killed_at_any_moment_and_resumed(small_file, thousand, tmp_path):
    photos, paths = thousand
    output, chance, seen = tmp_path / "lines", random.Random(7), []
    for attempt in itertools.count():
        assert attempt < 200
        process = start("--jsonl", "-o", output, "--resume", "--keep-going", photos, model=small_file)
        try:
            assert process.wait(1 + 2 * chance.random() if attempt < 8 else PATIENCE) == 0
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        whole = output.read_bytes() if output.exists() else b""
        seen.append(whole.count(b"\n"))
        if attempt % 2 and whole:  # as if it had been in the middle of a line
            output.write_bytes(whole[:len(whole) - chance.randrange(1, 60)])
    assert files_of(output.read_bytes()) == paths, seen
    again = run("explain", "--jsonl", "-o", output, "--resume", "--keep-going", photos, model=small_file)
    assert again.returncode == 0 and files_of(output.read_bytes()) == paths


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.concurrent
def test_a_signal_ends_it_with_whole_lines(small_file, thousand, tmp_path, number):
    photos = thousand[0] / "7"
    paths = [p for p in thousand[1] if "/7/" in p]
    output = tmp_path / "lines"
    process = start("--jsonl", "-o", output, "--keep-going", photos, model=small_file)
    while not output.exists() or output.read_bytes().count(b"\n") < 3:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(number)
    assert process.wait(PATIENCE) == 128 + number
    done = files_of(output.read_bytes())
    assert 3 <= len(done) < len(paths) and done == paths[:len(done)]
    assert run("explain", "--jsonl", "-o", output, "--resume", "--keep-going", photos, model=small_file).returncode == 0
    assert files_of(output.read_bytes()) == paths


def test_nohup_goes_on(light_model, folder):
    process = subprocess.Popen(["nohup", BINARY, "explain", "--jsonl", "--paths-from", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, cwd=ROOT, env=environment(model=light_model))
    process.stdin.write(f"{folder / 'a.png'}\n".encode())
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    said, _ = process.communicate(f"{folder / 'b.png'}\n".encode(), timeout=PATIENCE)
    assert process.returncode == 0 and files_of(said) == [str(folder / "b.png")]


def test_a_signal_ends_the_wait_for_a_path(light_model):
    process = start("--jsonl", "--paths-from", "-", model=light_model, stdin=subprocess.PIPE)
    process.stdin.write(b"/nonexistent\n")
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 143


def test_what_is_there_is_skipped_once_for_each_line(light_model, folder, tmp_path):
    """A path twice in the list is two lines, also when the first of them is there; new photos come behind."""
    output = tmp_path / "lines"
    a, b, new = folder / "a.png", folder / "b.png", folder / "new.png"
    (tmp_path / "list").write_text(f"{a}\n{b}\n{a}\n")
    arguments = ["explain", "--jsonl", "-o", output, "--resume", "--paths-from", tmp_path / "list"]
    assert run(*arguments, model=light_model).returncode == 0
    lines = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(lines[0] + lines[1] + lines[2][:100])
    assert run(*arguments, model=light_model).returncode == 0
    assert files_of(output.read_bytes()) == [str(a), str(b), str(a)]
    assert output.read_bytes().startswith(lines[0] + lines[1])
    new.write_bytes(a.read_bytes())
    (tmp_path / "list").write_text(f"{new}\n{a}\n{b}\n{a}\n")
    assert run(*arguments, model=light_model).returncode == 0
    assert files_of(output.read_bytes()) == [str(a), str(b), str(a), str(new)]


def test_lines_that_are_there_are_not_lost(light_model, small_file, folder, tmp_path):
    """Without --resume, and with it where the lines are another model's."""
    output = tmp_path / "lines"
    arguments = ["explain", "--jsonl", "-o", output, "--keep-going"]
    assert b"4 photos in " in run(*arguments, folder, model=light_model).stderr
    whole = output.read_bytes()
    result = run(*arguments, folder, model=light_model)
    assert result.returncode == 1 and b"has 4 lines; --resume goes on" in result.stderr and output.read_bytes() == whole
    result = run(*arguments, "--resume", folder, model=small_file)
    assert result.returncode == 1 and output.read_bytes() == whole
    names = [json.loads(whole.splitlines()[0])["model"], strict_json(run("info", "--json", model=small_file).stdout.decode())["name"]]
    assert names[0] != names[1] and all(name.encode() in result.stderr for name in names), result.stderr
    (folder / "c.png").write_bytes(pictures.png(pictures.scene(60, 40, seed=9)))
    result = run(*arguments, "--resume", folder, model=light_model)
    assert result.returncode == 0 and re.search(rb"camserve: 1 photo in \S+ s, 4 were there already, 0 failed\n", result.stderr), result.stderr


def test_another_file_is_never_written_over(light_model, folder, tmp_path):
    precious = tmp_path / "precious"
    for content in b"a list\nof names\n", b"x", (folder / "a.png").read_bytes(), b'{"model": 1}\n':
        precious.write_bytes(content)
        for more in [], ["--resume"]:
            result = run("explain", "--jsonl", "-o", precious, *more, folder, model=light_model)
            assert result.returncode == 1 and b"not a line" in result.stderr and precious.read_bytes() == content


def test_output_that_cannot_be_written(light_model, folder):
    result = run("explain", "--jsonl", "-o", "/dev/full", folder, model=light_model)
    assert result.returncode == 1 and b"No space left" in result.stderr
    assert run("explain", "--jsonl", "-o", folder / "no/such/folder", folder, model=light_model).returncode == 1


@pytest.mark.parametrize("form", ["--jsonl", "--json", "--top-k=1"])
def test_standard_output_that_nobody_reads_ends_it_quietly(small_file, thousand, form):
    reader, writer = os.pipe()
    os.close(reader)
    process = start(form, "--include=none", thousand[0], model=small_file, stdout=writer)
    os.close(writer)
    said = process.stderr.read()
    assert process.wait(PATIENCE) == 141 and b"standard output" not in said


# ---- names and folders ----
@pytest.mark.hostile
def test_names_of_any_bytes(light_file, tmp_path):
    """Each is told apart, as UTF-8 in valid JSON, and found again by --resume; a terminal is sent no control character."""
    root = tmp_path / "odd"
    root.mkdir()
    names = [b"new\nline.png", b"\xff\xfe.png", b"\xff\xfd.png", b'q"uote\\.png', b"\x1b[31m.png", "ünï.png".encode(), b"-.png", b"--json.png", b"a b.png"]
    for i, name in enumerate(names):
        pathlib.Path(os.fsdecode(bytes(root) + b"/" + name)).write_bytes(pictures.png(pictures.scene(30, 20, seed=i)))
    output = tmp_path / "lines"
    assert run("explain", "--jsonl", "-o", output, root, model=light_file).returncode == 0
    whole = output.read_bytes()
    documents = lines_of(whole)
    found = [base64.b64decode(d["file_base64"]) if "file_base64" in d else d["file"].encode() for d in documents]
    assert found == sorted(bytes(root) + b"/" + name for name in names)
    assert sum("\ufffd" in d["file"] for d in documents) == 2
    for kept in 1, 4, len(names) - 1:
        output.write_bytes(b"".join(whole.splitlines(keepends=True)[:kept]) + b'{"file":"')
        assert run("explain", "--jsonl", "-o", output, "--resume", root, model=light_file).returncode == 0
        assert files_of(output.read_bytes()) == [d["file"] for d in documents]
    listed = run("explain", "--jsonl", "--paths-from", "-", "--null", stdin=b"\0".join(found), model=light_file)
    assert listed.returncode == 0 and files_of(listed.stdout) == [d["file"] for d in documents]
    table = run("explain", root, model=light_file)
    assert table.returncode == 0 and b"\x1b" not in table.stdout
    inside = subprocess.run([BINARY, "explain", "--jsonl", "--", "--json.png"], cwd=root, capture_output=True, env=environment(model=light_file))
    assert files_of(inside.stdout) == ["--json.png"]


@pytest.mark.hostile
def test_folders_that_mean_harm(small_file, folder, tmp_path):
    """Links to nowhere, to themselves and upwards, pipes, folders called like photos, lines without end: each is a line or nothing, and none is waited for."""
    (folder / "b/up").symlink_to("..")
    (folder / "b/other").symlink_to(folder / "b")
    (folder / "dead.png").symlink_to("nowhere")
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / ".hidden.png").write_bytes(b"")
    result = run("explain", "--jsonl", "--keep-going", folder, model=small_file)
    assert result.returncode == 0
    assert files_of(result.stdout) == [str(folder / name) for name in ["a.png", "b.png", "b/0.jpg", "b/1.png", "dead.png", "itself.png"]]
    endless = b"x" * 3000000 + b"\n" + bytes(folder / "a.png") + b"\0\n" + bytes(folder / "a.png")
    documents = lines_of(run("explain", "--jsonl", "--keep-going", "--paths-from", "-", stdin=endless, model=small_file).stdout)
    assert ["error" in d for d in documents] == [True, True, False]
    empty = tmp_path / "empty"
    empty.mkdir()
    result = run("explain", empty, model=small_file)
    assert result.returncode == 1 and b"without photos" in result.stderr


def test_what_is_passed_over_is_said(light_model, folder, tmp_path):
    for i in range(36):
        (folder / f"b/{i}.{'HEIC' if i % 2 else 'heic'}").write_bytes(b"")
    (folder / ".hidden").write_bytes(b"")
    (folder / "a.cam.png").write_bytes(b"")
    result = run("explain", "--jsonl", "--keep-going", folder, model=light_model)
    assert result.returncode == 0 and b"camserve: 37 files passed over: 36 .heic, 1 .txt\n" in result.stderr, result.stderr
    none = tmp_path / "none"
    none.mkdir()
    for name in "a.a", "a.b", "a.c", "a.d", "a.e", "a.f", "b.f", "README", "x.\x1b[1m", "a.":
        (none / name).write_bytes(b"")
    result = run("explain", none, folder / "a.png", model=light_model)
    assert result.returncode == 1 and b"a folder without photos, but with 2 .f, 1 .a, 1 .b, 1 .c, 1 .d, 4 others\n" in result.stderr, result.stderr
    assert b"passed over" not in result.stderr


def test_its_own_pictures_are_no_photos(light_model, folder):
    for _ in range(2):
        result = run("explain", "--keep-going", "--include", "overlay,heatmap", folder, model=light_model)
        assert result.returncode == 0
    ours = sorted(p.name for p in folder.rglob("*.cam.*png"))
    assert ours == ["1.cam.heat.png", "1.cam.png", "a.cam.heat.png", "a.cam.png", "b.cam.heat.png", "b.cam.png"]
    result = run("explain", "--jsonl", *sorted(folder.glob("*.png")), model=light_model)
    assert files_of(result.stdout) == [str(folder / "a.png"), str(folder / "b.png")] and b"4 files passed over" in result.stderr
    assert files_of(run("explain", "--jsonl", folder / "a.cam.png", model=light_model).stdout) == [str(folder / "a.cam.png")], "asked for by name"


def test_a_list_from_a_pipe_is_read_once(light_model, folder, tmp_path):
    """Also where a terminal is there to be told how many there are: what has counted a pipe has emptied it."""
    listed = b"".join(bytes(folder / name) + b"\n" for name in ("a.png", "b.png"))
    (tmp_path / "list").write_bytes(listed)
    os.mkfifo(tmp_path / "pipe")
    for name in "/dev/stdin", tmp_path / "pipe", tmp_path / "list":
        terminal, end = pty.openpty()
        command = [BINARY, "explain", "--jsonl", "--keep-going", "--paths-from", str(name)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=end, cwd=ROOT, env=environment(model=light_model)) as process:
            os.close(end)
            if name == tmp_path / "pipe":
                (tmp_path / "pipe").write_bytes(listed)
            out = process.communicate(listed, timeout=PATIENCE)[0]
        os.close(terminal)
        assert process.returncode == 0 and files_of(out) == [str(folder / "a.png"), str(folder / "b.png")], name


# ---- pictures ----
def test_pictures_in_a_folder_keep_the_tree(light_model, folder, tmp_path):
    out = tmp_path / "out"
    result = run("explain", "--jsonl", "--keep-going", "--output-dir", out, "--include", "overlay,heatmap,map", folder, model=light_model)
    assert result.returncode == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == ["a.cam.heat.png", "a.cam.png", "b.cam.heat.png", "b.cam.png", "b/1.cam.heat.png",
                                                                          "b/1.cam.png"]
    assert not list(folder.rglob("*.cam.*"))
    first = lines_of(result.stdout)[0]["predictions"][0]
    assert "map" in first and "overlay_png" not in first
    assert run("explain", folder / "a.png", model=light_model).returncode == 0
    assert (folder / "a.cam.png").read_bytes() == (out / "a.cam.png").read_bytes()
    shutil.rmtree(out)
    listed = f"{folder}/b/../b/1.png\n{folder}/a.png\n".encode()
    assert run("explain", "--jsonl", "--output-dir", out, "--format=jpeg", "--paths-from", "-", stdin=listed, model=light_model).returncode == 0
    assert sorted(str(p) for p in out.rglob("*.jpg")) == sorted([f"{out}/b/1.cam.jpg", f"{out}{folder}/a.cam.jpg"]), "never out of the folder"


def test_no_room_for_pictures_ends_it(light_model, folder, tmp_path):
    (tmp_path / "out").write_text("a file")
    result = run("explain", "--jsonl", "--keep-going", "--output-dir", tmp_path / "out", folder, model=light_model)
    assert result.returncode == 1 and b"cannot be written" in result.stderr and not result.stdout


def test_neighbours_of_one_name_do_not_share_a_picture(light_model, folder):
    shutil.copy(folder / "a.png", folder / "a.JPG")
    assert run("explain", folder / "a.png", folder / "a.JPG", model=light_model).returncode == 0
    assert sorted(p.name for p in folder.glob("*.cam.png")) == ["a.JPG.cam.png", "a.png.cam.png"]


def test_the_name_says_the_format(light_model, folder, tmp_path):
    photo = folder / "a.png"
    for name, form in ("x.jpg", "JPEG"), ("x.JPEG", "JPEG"), ("x.png", "PNG"), ("x", "PNG"):
        assert run("explain", photo, "-o", tmp_path / name, model=light_model).returncode == 0
        assert Image.open(tmp_path / name).format == form, name
    assert run("explain", photo, "-o", tmp_path / "y.jpg", "--format", "jpeg", model=light_model).returncode == 0
    for wrong in ["-o", tmp_path / "z.jpg", "--format", "png"], ["-o", tmp_path / "z.webp"], ["-o", tmp_path / "z.json"], \
            ["-o", tmp_path / "z.jsonl", "--json"], ["-o", tmp_path / "z.picture"]:
        result = run("explain", photo, *wrong, model=light_model)
        assert result.returncode == 2 and b"-o " in result.stderr
        assert (b"--jsonl -o" in result.stderr) == ("json" in str(wrong[1]))
    assert not list(tmp_path.glob("z*"))


def test_a_photo_is_not_written_over(light_model, folder):
    before = (folder / "a.png").read_bytes()
    (folder / "link.png").symlink_to("a.png")
    os.link(folder / "a.png", folder / "b.cam.png")
    for arguments in [folder / "a.png", "-o", folder / "a.png"], [folder / "a.png", "-o", folder / "link.png"], [folder / "link.png", "-o", folder / "a.png"]:
        result = run("explain", *arguments, model=light_model)
        assert result.returncode == 2 and b"the photo itself" in result.stderr
    (folder / "b.png").unlink()
    os.link(folder / "a.png", folder / "b.png")
    assert run("explain", folder / "b.png", model=light_model).returncode != 0
    assert (folder / "a.png").read_bytes() == before


def test_names_of_heat_maps_are_no_overlays(light_model, folder):
    shutil.copy(folder / "b.png", folder / "a.heat.png")
    assert run("explain", "--include", "overlay,heatmap", folder / "a.png", folder / "a.heat.png", model=light_model).returncode == 0
    assert sorted(p.name for p in folder.glob("*.cam.*")) == ["a.cam.heat.png", "a.cam.png", "a.heat.cam.heat.png", "a.heat.cam.png"]


def test_two_photos_do_not_share_a_picture(light_model, folder, tmp_path):
    """The second one fails, and says whose place it is; one photo named twice is only that."""
    listed = "".join(f"{path}\n" for path in (folder / "a.png", folder / "b" / ".." / "a.png", folder / "a.png", f"/..{folder}/a.png")).encode()
    out = tmp_path / "out"
    result = run("explain", "--jsonl", "--output-dir", out, "--paths-from", "-", stdin=listed, model=light_model)
    documents = lines_of(result.stdout)
    assert ["error" in d for d in documents] == [False, False, False, True] and result.returncode == 1
    assert f"{out}{folder}/a.cam.png"[:80] in documents[3]["error"]["detail"] and "another photo's" in documents[3]["error"]["detail"]
    shutil.copy(folder / "b.png", folder / "a.jpg")
    shutil.copy(folder / "b.png", folder / "a.jpg.png")
    result = run("explain", folder / "a.jpg", folder / "a.jpg.png", model=light_model)
    assert result.returncode == 1 and b"a.jpg.png: " in result.stderr and b"another photo's" in result.stderr


@pytest.mark.hostile
def test_pictures_are_not_written_through_links(light_model, folder, tmp_path):
    """Who may put links where pictures go leads none elsewhere; what the caller names himself may be a link."""
    victim, elsewhere, out = tmp_path / "victim", tmp_path / "elsewhere", tmp_path / "out"
    victim.write_bytes(b"precious")
    elsewhere.mkdir()
    (folder / "a.cam.png").symlink_to(victim)
    assert run("explain", folder / "a.png", model=light_model).returncode == 0
    assert not (folder / "a.cam.png").is_symlink() and Image.open(folder / "a.cam.png").format == "PNG"
    out.mkdir()
    (out / "b").symlink_to(elsewhere)
    (out / "a.cam.png").symlink_to(victim)
    result = run("explain", "--jsonl", "--keep-going", "--output-dir", out, folder, model=light_model)
    assert result.returncode == 1 and f"{out}/b: it is a link".encode() in result.stderr and not list(elsewhere.iterdir())
    assert not (out / "a.cam.png").is_symlink() and victim.read_bytes() == b"precious"
    (tmp_path / "named").symlink_to(elsewhere)
    assert run("explain", "--output-dir", tmp_path / "named", folder / "a.png", model=light_model).returncode == 0
    assert list(elsewhere.rglob("a.cam.png"))
    assert run("explain", folder / "a.png", "-o", "/dev/null", model=light_model).returncode == 0
    assert pathlib.Path("/dev/null").is_char_device()
    (tmp_path / "x.png").symlink_to(victim)
    assert run("explain", folder / "a.png", "-o", tmp_path / "x.png", model=light_model).returncode == 0
    assert (tmp_path / "x.png").is_symlink() and victim.read_bytes() != b"precious"


def test_a_picture_is_whole_or_not_there(light_model, folder):
    """One that cannot be put in its place leaves nothing beside it."""
    (folder / "a.cam.png").mkdir()
    result = run("explain", folder / "a.png", model=light_model)
    assert result.returncode == 1 and b"a.cam.png cannot be written" in result.stderr
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_what_is_asked_for_is_written_or_refused(light_model, folder, tmp_path):
    photo = folder / "a.png"
    for arguments in (["--include", "map"], ["--include", "overlay,map"], ["--include", "overlay,heatmap", "-o", tmp_path / "x.png"],
                      ["--include", "none", "-o", tmp_path / "x.png"], ["--include", "map", "--json", "-o", tmp_path / "x.png"],
                      ["--include", "none", "--output-dir", tmp_path / "out"], ["--json", "--jsonl"], ["--resume"], ["--resume", "--jsonl"],
                      ["--resume", "--jsonl", "-o", "-"], ["--null"], ["-o", tmp_path / "x.png", "--output-dir", tmp_path / "out"],
                      ["--paths-from", "-", "-"], ["--paths-from", tmp_path / "list", "-o", tmp_path / "x.png"]):
        result = run("explain", photo, *arguments, model=light_model)
        assert result.returncode == (1 if "list" in str(arguments) else 2), (arguments, result.stderr)
        assert not result.stdout and not (tmp_path / "x.png").exists()
    assert run("explain", folder, "-o", tmp_path / "x.png", model=light_model).returncode == 2
    assert run("explain", photo, "--include", "heatmap", "-o", tmp_path / "heat.png", model=light_model).returncode == 0
    assert Image.open(tmp_path / "heat.png").mode == "L"


def test_times_are_those_of_the_clock(light_model, folder):
    paths = [folder / "a.png", folder / "b.png"] * 6
    begin = time.monotonic()
    timing = strict_json(run("explain", "--json", "--include=none", *paths, model=light_model).stdout.decode())["timing_ms"]
    wall = 1e3 * (time.monotonic() - begin)
    assert sum(ms for name, ms in timing.items() if name != "total") <= timing["total"] + 0.01 and timing["total"] <= wall
