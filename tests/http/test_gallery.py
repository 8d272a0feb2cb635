"""`camserve explain --html`: one page that holds everything; whatever names and labels are, they are text in it; whole or not at all.
How it looks and behaves in a browser: tests/browser/test_gallery.py."""
import base64
import collections
import hashlib
import html.parser
import io
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import numpy
import pytest
from PIL import Image

import jobs
import pictures
import small_model
from server import BINARY, PATIENCE, ROOT, environment, run

MOST_BYTES = 60_000  # of the page for one photo: a thousand stay under 60 MB


class Reader(html.parser.HTMLParser):
    """What a browser's parser sees: the elements, and the texts of the scripts, styles and the policy."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self.policy = collections.Counter(), [], ""
        self.within = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements[tag] += 1
        attributes = dict(attributes)
        assert not {"src", "href", "action", "srcset", "style"} & set(attributes) and not [a for a in attributes if a.startswith("on")], attributes
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        if tag in ("script", "style"):
            self.within = (tag, attributes, [])
            self.scripts.append(self.within)

    def handle_endtag(self, tag):
        self.within = None

    def handle_data(self, data):
        if self.within:
            self.within[2].append(data)

    def texts(self, tag, **wanted):
        return ["".join(text) for name, attributes, text in self.scripts if name == tag and all(attributes.get(k.rstrip("_")) == v for k, v in wanted.items())]


class Gallery:
    def __init__(self, path):
        self.size = path.stat().st_size
        self.reader = Reader(path.read_text())  # UTF-8, all of it
        data = [(attributes, "".join(text)) for _, attributes, text in self.reader.scripts if attributes.get("type") == "application/json"]
        self.about, self.photos, self.sizes = json.loads(data[0][1]), [], []
        for attributes, text in data[1:]:
            if attributes.get("class") == "photo":
                self.photos.append(json.loads(text))
                self.sizes.append(len(text))
            else:
                self.photos[-1]["more"] = json.loads(text)
                self.sizes[-1] += len(text)


def gallery(tmp_path, *arguments, model, code=0, **options):
    path = tmp_path / "gallery.html"
    result = run("explain", "--html", path, *arguments, model=model, **options)
    assert result.returncode == code, result.stderr
    assert not result.stdout and os.listdir(tmp_path).count("gallery.html") == 1
    return Gallery(path)


@pytest.fixture
def folder(tmp_path):
    """Three photos, one of them of the finest noise, and a broken one."""
    root = tmp_path / "photos"
    root.mkdir()
    (root / "a.png").write_bytes(pictures.png(pictures.scene(60, 40)))
    noise = Image.frombytes("RGB", (1600, 1200), os.urandom(3 * 1600 * 1200))
    (root / "b.png").write_bytes(pictures.png(noise, compress_level=1))
    (root / "c.jpg").write_bytes(pictures.oriented(pictures.smooth(700, 300), 6))
    (root / "d.jpg").write_bytes(b"no photo")
    return root


def test_it_holds_what_json_says_and_small_photos(light_model, folder, tmp_path):
    page = gallery(tmp_path, "--keep-going", "--top-k", "10", folder, model=light_model)
    said = json.loads(run("explain", "--json", "--include", "map", "--top-k", "10", "--scale", "relu", folder, model=light_model).stdout)
    assert page.about["model"] == said["model"] and [p["file"] for p in page.photos] == [r["file"] for r in said["results"]]
    for photo, result, size in zip(page.photos, said["results"], page.sizes):
        assert photo.get("error", {}).get("detail") == result.get("error", {}).get("detail") and size < MOST_BYTES
        if "error" in result:
            assert "more" not in photo
            continue
        more, image = photo["more"], result["image"]
        assert photo["image"] == {"width": image["width"], "height": image["height"]}
        small = Image.open(io.BytesIO(base64.b64decode(more["jpeg"])))
        assert small.format == "JPEG" and max(small.size) <= min(400, max(image["width"], image["height"]))
        assert abs(small.width / small.height - image["width"] / image["height"]) < 0.02
        for entry, values, prediction in zip(photo["predictions"], more["maps"], result["predictions"], strict=True):
            assert {k: entry[k] for k in ("rank", "class_id", "label")} == {k: prediction[k] for k in ("rank", "class_id", "label")}
            assert entry["probability"] == prediction["probability"]
            box = prediction["box"]
            assert entry.get("box") == (box and [box["x"], box["y"], box["width"], box["height"]])
            assert more["width"] * more["height"] == len(values) == len(prediction["map"]["values"])
            assert all(abs(a - b) <= 5.1e-4 * abs(b) for a, b in zip(values, prediction["map"]["values"]))


def test_the_photo_is_upright(light_model, tmp_path):
    upright = numpy.full((500, 300, 3), 255, numpy.uint8)
    upright[:200] = 0
    (tmp_path / "turned.jpg").write_bytes(pictures.oriented(upright, 6))
    page = gallery(tmp_path, tmp_path / "turned.jpg", model=light_model)
    small = Image.open(io.BytesIO(base64.b64decode(page.photos[0]["more"]["jpeg"]))).convert("L")
    assert small.size == (240, 400) and small.getpixel((120, 40)) < 30 and small.getpixel((120, 360)) > 225


def test_the_policy_lets_this_script_run_and_nothing_else(light_model, folder, tmp_path):
    reader = gallery(tmp_path, folder / "a.png", model=light_model).reader
    policy = dict(part.split(" ", 1) for part in reader.policy.split("; "))
    hashes = {tag: ["'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'" for text in reader.texts(tag, **kind)]
              for tag, kind in (("script", {"type": "module"}), ("style", {}))}
    assert policy == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "script-src": hashes["script"][0], "style-src": hashes["style"][0]}
    assert len(hashes["script"]) == len(hashes["style"]) == 1
    script = reader.texts("script", type="module")[0]
    assert not re.search(r"^(import|export)\b|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|fetch\(|XMLHttp|https?:", script, re.M)
    names = re.findall(r"^(?:async )?(?:const|let|class|function) +(\w+)", script, re.M)
    assert len(names) > 40 and max(collections.Counter(names).values()) == 1, "modules that are joined share one scope"
    assert "{{" not in (tmp_path / "gallery.html").read_text()


NAMES = ["</script><script>alert(1)</script>", "<!-- <script>", "a\"b\\c'd&amp;", "new\nline", "ü\u2028\u202e", "\x7f\x01", "{{photos}}"]


def test_names_and_labels_are_text(small_weights, tmp_path_factory, tmp_path):
    made, hostile_text = tmp_path_factory.mktemp("hostile"), "</script><img src=x onerror=alert(1)><!--"
    document = json.loads(small_model.ARCHITECTURE.read_text())
    document |= {"classes": [[f"n{i:08}", f"{hostile_text} {i}"] for i in range(1000)]}
    (made / "hostile.json").write_text(json.dumps(document))
    model = small_model.convert(made, small_weights, architecture=made / "hostile.json")
    folder = tmp_path / "photos"
    folder.mkdir()
    photo = pictures.png(pictures.scene(40, 30))
    names = sorted(name.replace("/", "∕").encode() for name in NAMES) + [b"wrong \xff\xc3 byte"]
    for name in names:
        (pathlib.Path(os.fsdecode(os.fsencode(folder) + b"/" + name + b".png"))).write_bytes(photo)
    page = gallery(tmp_path, folder, model=model)
    assert page.reader.elements["script"] == 2 + 2 * len(names) and not page.reader.elements["img"] + page.reader.elements["b"]
    assert all(e["label"].startswith(hostile_text) for p in page.photos for e in p["predictions"])
    said = {base64.b64decode(p["file_base64"]) if "file_base64" in p else p["file"].encode() for p in page.photos}
    assert said == {os.fsencode(folder) + b"/" + name + b".png" for name in names}


def test_lists_standard_input_and_what_fails(light_model, folder, tmp_path):
    (tmp_path / "list").write_text(f"{folder / 'c.jpg'}\n{folder / 'none.jpg'}\n")
    page = gallery(tmp_path, "--paths-from", tmp_path / "list", folder / "a.png", model=light_model, code=1)
    assert [pathlib.Path(p["file"]).name for p in page.photos] == ["a.png", "c.jpg", "none.jpg"]
    assert [("error" in p) for p in page.photos] == [False, False, True]
    page = gallery(tmp_path, "-", model=light_model, stdin=(folder / "a.png").read_bytes())
    assert [p["file"] for p in page.photos] == ["-"]


def test_no_photo_is_no_gallery(light_model, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.heic").write_bytes(b"")
    for arguments in ["--paths-from", "-"], [tmp_path / "photos"], [tmp_path / "photos", "--keep-going"]:
        result = run("explain", "--html", tmp_path / "gallery.html", *arguments, model=light_model, stdin=b"")
        assert result.returncode == 1 and b"no photos, so it is not written" in result.stderr
        assert os.listdir(tmp_path) == ["photos"]


def test_the_command_of_the_docs(small_file, tmp_path):
    paths = jobs.make_photos(tmp_path)
    (tmp_path / "killed").mkdir()  # none is
    assert jobs.run_job(tmp_path, ["sh", "-c", jobs.block("gallery")], settings={"model": small_file}) == 0
    jobs.check(Gallery(tmp_path / "gallery.html").photos, paths)


def test_it_shows_maps_as_the_model_has_them(small_file, folder, tmp_path):
    page = gallery(tmp_path, folder / "a.png", model=small_file)
    assert {k: page.about[k] for k in ("resize", "scale")} == {"resize": "tf1", "scale": "minmax"}


def test_what_it_shows_at_first_is_what_was_asked_for(light_model, folder, tmp_path):
    page = gallery(tmp_path, folder / "a.png", model=light_model)
    assert {k: page.about[k] for k in ("colormap", "scale", "alpha")} == {"colormap": "inferno", "scale": "relu", "alpha": 0.8}
    assert len(page.photos[0]["predictions"]) == 5
    page = gallery(tmp_path, "--colormap", "jet", "--scale", "minmax", "--alpha", "0.25", "--top-k", "1", "--minus", "7", folder / "a.png", model=light_model)
    assert page.about["colormap"] == "jet" and page.about["alpha"] == 0.25 and page.about["minus"]
    assert len(page.photos[0]["predictions"]) == 1


@pytest.mark.parametrize("arguments, words", [(["--json"], "--json"), (["--jsonl"], "--jsonl"), (["-o", "x.png"], "--output"), (["--output-dir", "x"], "--output-dir"),
                                              (["--show-input", "x.png"], "--show-input"), (["--include", "map"], "--include"), (["--size", "input"], "--size"),
                                              (["--format", "jpeg"], "--format")])
def test_what_it_has_none_of_is_refused(light_model, folder, tmp_path, arguments, words):
    result = run("explain", "--html", tmp_path / "g.html", *arguments, folder / "a.png", model=light_model)
    assert result.returncode == 2 and words in result.stderr.decode() and "--html" in result.stderr.decode()
    assert os.listdir(tmp_path) == ["photos"]


def test_no_other_file_is_written_over(light_model, folder, tmp_path):
    photo = folder / "a.png"
    assert run("explain", "--html", photo, photo, model=light_model).returncode == 2
    assert run("explain", "--html", "-", photo, model=light_model).returncode == 2
    precious = tmp_path / "precious"
    for content in photo.read_bytes(), b"<!doctype html>\n<p>mine</p>", b"x":
        precious.write_bytes(content)
        result = run("explain", "--html", precious, folder, model=light_model)
        assert result.returncode == 1 and b"left as it is" in result.stderr and precious.read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == ["photos", "precious"]
    gallery(tmp_path, photo, model=light_model)
    assert len(gallery(tmp_path, photo, photo, model=light_model).photos) == 2, "a gallery is replaced by the next one"


def limited():
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def test_no_room_leaves_nothing(light_model, folder, tmp_path):
    result = subprocess.run([BINARY, "explain", "--html", tmp_path / "gallery.html", *[folder / "b.png"] * 6], capture_output=True, cwd=ROOT, timeout=PATIENCE,
                            env=environment(model=light_model), preexec_fn=limited, restore_signals=False)
    assert result.returncode == 1 and b"cannot be written: File too large" in result.stderr
    assert os.listdir(tmp_path) == ["photos"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_what_was_there(light_model, folder, tmp_path, number):
    path = tmp_path / "gallery.html"
    gallery(tmp_path, folder / "a.png", model=light_model)
    before = path.read_bytes()
    process = subprocess.Popen([BINARY, "explain", "--html", path, "--paths-from", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
                               env=environment(model=light_model))
    process.stdin.write(f"{folder / 'a.png'}\n".encode())
    process.stdin.flush()
    until = time.monotonic() + PATIENCE
    while not list(tmp_path.glob("*.unfinished")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(PATIENCE) == 128 + number
    process.stdin.close()
    process.stderr.close()
    assert sorted(os.listdir(tmp_path)) == ["gallery.html", "photos"] and path.read_bytes() == before
