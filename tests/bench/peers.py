"""The other engines: each in a process of its own (engine.py), loaded once and asked again and again. And camserve in the same form."""
import json
import subprocess
import sys
import tempfile

import numpy

import machine
import prepare

ENGINES = {"ncnn": "ncnn", "ONNX Runtime": "onnxruntime", "OpenVINO": "openvino"}


class Peer:
    """name: an engine's, and perhaps what else the network is called."""

    def __init__(self, name, network, threads):
        self.name, self.network = name, network
        engine = next(word for title, word in ENGINES.items() if name.startswith(title))
        command = [sys.executable, prepare.HERE / "engine.py", engine, network.peer, threads]
        pin = ["taskset", "-c", str(machine.cpus()[0])] if threads == 1 else []
        environment = {**prepare.os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(pin + [str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def ask(self, *command):
        print(*command, file=self.process.stdin, flush=True)
        return self.answer()

    def look(self, x):
        """Logits [classes] and features [maps, height, width] of an input as the network sees it."""
        with tempfile.TemporaryDirectory() as folder:
            numpy.save(f"{folder}/in.npy", x)
            self.ask("look", f"{folder}/in.npy", f"{folder}/out.npz")
            with numpy.load(f"{folder}/out.npz") as seen:
                return seen["logits"][0], seen["features"][0]

    def run(self, runs):
        return min(self.ask("run", runs))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Camserve:
    def __init__(self, network, threads, name="camserve"):
        self.network, self.threads, self.name = network, threads, name

    def run(self, runs):
        figures = prepare.camserve_json("bench", "--json", "--runs", runs, "--threads", self.threads, model=self.network.path, pinned=machine.cpus()[0] if self.threads == 1 else None)
        return figures["forward_ms"]["min"]

    def close(self):
        pass
