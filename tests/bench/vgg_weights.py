"""A vgg16CAM.npy with pseudo-random weights, which time as the real ones do: those cannot be had from a package. Usage: vgg_weights.py OUT.npy
Layout as published: a NumPy 1.0 file of one object, a dict pickled in protocol 2, of {name: {'weights': HWIO float32, 'biases': float32}}."""
import pickle
import sys

import numpy

LAYERS = [(f"conv{block}_{i}", channels, 1) for block, (channels, n) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 1)
          for i in range(1, n + 1)] + [("CAM_conv", 1024, 2)]  # name, maps out, groups


def make():
    random, weights, before = numpy.random.default_rng(1), {}, 3
    for name, after, groups in LAYERS:
        # He et al., ICCV 2015: signals keep their size through the ReLUs. The picture's values are some 60 times larger than 1.
        deviation = (2 / (9 * before / groups)) ** 0.5 / (60 if name == "conv1_1" else 1)
        weights[name] = {"weights": random.standard_normal((3, 3, before // groups, after), numpy.float32) * numpy.float32(deviation),
                         "biases": numpy.full(after, 0.01, numpy.float32)}
        before = after
    weights["CAM_fc"] = {"weights": random.standard_normal((before, 1000), numpy.float32) * numpy.float32(0.3), "biases": numpy.zeros(1000, numpy.float32)}
    return weights


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as file:
        numpy.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        pickle.dump(numpy.array(make(), dtype=object), file, protocol=2)
