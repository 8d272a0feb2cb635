"""What the measurements need, made once in downloads/bench from the repository's own files: photos, the vgg16-cam model file, and both networks as the
other engines read them; and the networks of networks.py, the other way round."""
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import cv2
import numpy

import model_file

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / "downloads/bench"
CAMSERVE = ROOT / "build/camserve"
SMALL, LARGE = FOLDER / "500x436.jpg", FOLDER / "4000x3000.jpg"
QUALITY = 90


def say(text):
    print(text, file=sys.stderr, flush=True)


class Network:
    """A model file of camserve (model) and, as `peer`, the path without extension of the same network for the others."""

    def __init__(self, name, model):
        self.name, self.path, self.peer = name, model, FOLDER / name / "net"
        self.made = FOLDER / name / "made.npy"  # the made picture as the network sees it
        self._file = None

    @property
    def file(self):
        self._file = self._file or model_file.Model(self.path)
        return self._file


LITE0 = Network("efficientnet-lite0", ROOT / "models/efficientnet-lite0.safetensors")
VGG16 = Network("vgg16-cam", FOLDER / "vgg16-cam.safetensors")
ZOO = [Network(name, FOLDER / name / "net.safetensors") for name in ("mobilenet-v2", "resnet50", "efficientnet-b0", "mobilenet-v3-large")]  # of networks.py


def run(*command, **options):
    result = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{result.stdout}")


def stale(target, *sources):
    return not target.exists() or any(source.stat().st_mtime > target.stat().st_mtime for source in sources)


def make_photos():
    """From two CC0 photos of scikit-image, which the tests fetch as well."""
    for target, source, size in ((SMALL, "chelsea", (500, 436)), (LARGE, "coffee", (4000, 3000))):
        if stale(target):
            photo = cv2.resize(cv2.imread(str(ROOT / f"downloads/photos/{source}.png")), size, interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(target), photo, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def make_vgg16():
    architecture = ROOT / "config/models/vgg16-cam.json"
    if stale(VGG16.path, architecture, HERE / "vgg_weights.py"):
        say("making vgg16-cam with pseudo-random weights")
        weights = FOLDER / "vgg16CAM.npy"
        run(sys.executable, HERE / "vgg_weights.py", weights)
        run(CAMSERVE, "convert", weights, "--arch", architecture, "-o", VGG16.path)
        weights.unlink()


def make_peer(network):
    """As ONNX and, from that, for ncnn (by its own converter, pnnx)."""
    files = [network.peer.with_name("net" + end) for end in (".onnx", ".ncnn.param", ".ncnn.bin", ".fc.npy")] + [network.made]
    if not any(stale(file, network.path, HERE / "onnx_file.py") for file in files):
        return
    say(f"making {network.name} for ONNX Runtime, OpenVINO and ncnn")
    folder = network.peer.parent
    folder.mkdir(exist_ok=True)
    run(sys.executable, HERE / "onnx_file.py", network.path, "net.onnx", cwd=folder)
    pnnx = pathlib.Path(importlib.util.find_spec("pnnx").submodule_search_locations[0], "pnnx")
    run(pnnx, "net.onnx", f"inputshape=[1,3,{network.file.height},{network.file.width}]", "fp16=0", cwd=folder)
    numpy.save(files[3], network.file.fc)
    numpy.save(network.made, network.file.seen(network.file.made_picture()))
    for file in folder.iterdir():
        if file not in files:
            file.unlink()
    for file in files:
        os.utime(file)


def make_zoo(network):
    """One of networks.py: for the others as it is, for camserve converted, if ONNX Runtime's answer for the made picture is its own. Why not; None: it is there."""
    import onnxruntime
    folder, net = network.peer.parent, network.peer.with_name("net.onnx")
    folder.mkdir(exist_ok=True)
    if stale(net, HERE / "networks.py"):
        say(f"making {network.name} with pseudo-random weights")
        run(sys.executable, HERE / "networks.py", network.name, net, network.peer.with_name("net.fc.npy"))
    if not stale(network.path, net, CAMSERVE):
        return None
    say(f"converting {network.name}")
    numpy.save(network.made, numpy.random.default_rng(2).standard_normal((1, 3, 224, 224), numpy.float32))
    answer = folder / "answer.npy"
    numpy.save(answer, onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"]).run(["logits"], {"x": numpy.load(network.made)})[0])
    result = subprocess.run([CAMSERVE, "convert", net, "--compare", network.made, answer, "--name", network.name, "-o", network.path], stderr=subprocess.PIPE, text=True)
    return result.stderr.splitlines()[-1].removeprefix("camserve: ") if result.returncode else None


def prepare():
    FOLDER.mkdir(parents=True, exist_ok=True)
    make_photos()
    make_vgg16()
    for network in (LITE0, VGG16):
        make_peer(network)


def camserve_json(*arguments, pinned=None, **settings):
    """What a command of camserve prints as JSON."""
    environment = {**os.environ, **{"CAMSERVE_" + key.upper(): str(value) for key, value in settings.items()}}
    command = ([] if pinned is None else ["taskset", "-c", str(pinned)]) + [CAMSERVE, *arguments]
    return json.loads(subprocess.run([str(c) for c in command], env=environment, stdout=subprocess.PIPE, check=True).stdout)
