"""Reads a model file of camserve (engine/network/graph.h says what is in it): tensors, graph, the made picture, and a photo as the network sees it."""
import json
import struct

import numpy


class Model:
    def __init__(self, path):
        with open(path, "rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            data = file.read()
        self.graph = json.loads(header.pop("__metadata__")["camserve"])
        self.tensors = {name: numpy.frombuffer(data[t["data_offsets"][0]:t["data_offsets"][1]], "<f4").reshape(t["shape"]) for name, t in header.items()}
        self.name, self.nodes = self.graph["name"], self.graph["nodes"]
        self.height, self.width = self.graph["input"]["height"], self.graph["input"]["width"]
        self.fc = self.tensors[self.nodes[-1]["weight"]]  # [classes, features]

    def seen(self, rgb):
        """[height, width, 3] of 8 bits -> [1, 3, height, width] as the network sees it."""
        x = rgb[:, :, ::-1] if self.graph["input"]["channels"] == "BGR" else rgb
        x = (x.astype(numpy.float32) - numpy.float32(self.graph["input"]["mean"])) * numpy.float32(self.graph["input"]["scale"])
        return numpy.ascontiguousarray(x.transpose(2, 0, 1)[None])

    def made_picture(self):
        """What cam_made_input in engine/network/graph.c makes, before the normalisation."""
        y, x, c = numpy.meshgrid(numpy.arange(self.height), numpy.arange(self.width), numpy.arange(3), indexing="ij")
        wave = (x * (3 + c) + y * (5 - c)) % 448
        noise, level = 1, numpy.where(wave < 224, wave, 447 - wave) // 2 + (x // 16 + y // 16) % 2 * 64
        flat = level.reshape(-1)
        for i in range(flat.size):
            noise = (noise * 1664525 + 1013904223) & 0xffffffff
            flat[i] += noise >> 27
        return level
