"""What the measurements need, made once in downloads/bench from the repository's own files: photos, the vgg16-cam model file, and both networks as the
other engines read them; and the networks of networks.py, the other way round."""
import importlib.util
import json
import os
import pathlib
import re
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


class Int8(Network):
    """The same in 8 bits."""

    def __init__(self, float_network):
        super().__init__(float_network.name + "-int8", float_network.peer.with_name("int8.safetensors"))
        self.float, self.peer, self.made = float_network, float_network.peer.with_name("int8"), float_network.made

    @property
    def file(self):
        return self.float.file


LITE0 = Network("efficientnet-lite0", ROOT / "models/efficientnet-lite0.safetensors")
VGG16 = Network("vgg16-cam", FOLDER / "vgg16-cam.safetensors")
ZOO = [Network(name, FOLDER / name / "net.safetensors") for name in ("mobilenet-v2", "resnet50", "efficientnet-b0", "mobilenet-v3-large")]  # of networks.py

INT8 = [Int8(network) for network in (LITE0, *ZOO[:2])]


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


def photos_in(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".bmp"))


def scaled(photo, model):
    """[height, width, 3] RGB of the network's size."""
    return cv2.resize(cv2.imread(str(photo)), (model.width, model.height), interpolation=cv2.INTER_AREA)[:, :, ::-1]


def labelled(folder, model):
    """Photos of a folder that bear a WordNet id, scaled to the network's size (then nobody's scaling matters), and the class of each."""
    classes = {wnid: i for i, (wnid, _) in enumerate(model.graph["classes"])}
    (FOLDER / "photos").mkdir(exist_ok=True)
    photos, truth = [], []
    for photo in photos_in(folder):
        wnid = re.match(r"n\d{8}", photo.name) or re.match(r"n\d{8}", photo.parent.name)
        if wnid and wnid[0] in classes:
            photos.append(FOLDER / f"photos/{len(photos):06}.png")
            truth.append(classes[wnid[0]])
            cv2.imwrite(str(photos[-1]), scaled(photo, model)[:, :, ::-1])
    if not photos:
        sys.exit(f"PHOTOS={folder}: no photo there has a WordNet id of the network's in its name or its folder's")
    return photos, numpy.array(truth)


def calibration():
    """The folder of photos that networks are calibrated with, ours and the others': CALIBRATE, or pieces of the page's sample photos."""
    if os.environ.get("CALIBRATE"):
        return pathlib.Path(os.environ["CALIBRATE"])
    folder, random = FOLDER / "calibration", numpy.random.default_rng(1)
    if stale(folder / "39.png", HERE / "prepare.py"):
        folder.mkdir(exist_ok=True)
        samples = [cv2.imread(str(p)) for p in photos_in(ROOT / "static/samples")]
        for i in range(40):
            photo = samples[i % len(samples)][:, ::random.choice((-1, 1))]
            share = random.uniform(0.4, 1, 2)
            height, width = (share * photo.shape[:2]).astype(int)
            y, x = (random.uniform(size=2) * (1 - share) * photo.shape[:2]).astype(int)
            cv2.imwrite(str(folder / f"{i:02}.png"), photo[y:y + height, x:x + width])
    return folder


def make_int8(network):
    """From the float networks: ours by convert, the others' by ONNX Runtime."""
    photos, net, out = calibration(), network.float.peer.with_name("net.onnx"), network.peer.with_suffix(".onnx")
    if stale(network.path, network.float.path, CAMSERVE, photos):
        say(f"converting {network.name}")
        run(CAMSERVE, "convert", network.float.path, "--int8", "--calibrate", photos, "--name", network.name, "-o", network.path)
    if stale(out, net, HERE / "int8_file.py", photos):
        say(f"making {network.name} for ONNX Runtime and OpenVINO")
        run(sys.executable, HERE / "int8_file.py", network.float.path, net, photos, out)
        numpy.save(network.peer.with_suffix(".fc.npy"), numpy.load(network.float.peer.with_suffix(".fc.npy")))


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
