#!/usr/bin/python3
"""Makes tests/fixtures/finetune/NAME.f64, which test_adjoint.c reads: what TensorFlow (tf.compat.v1, float64) says of three steps of training a network of
vgg16-cam's kind: c1 3x3 6, ReLU, c2 3x3 8, ReLU, 2x2 max pool, c3 3x3 8, ReLU, CAM_conv 3x3 12 in two groups, gap, CAM_fc 5 without bias; input 16x16.

usage: finetune_fixtures.py NAME.npz...

The .npz have pictures, labels, names, start.NAME, grad.NAME, sgd1.NAME, sgd3.NAME, momentum3.NAME (HWIO), sgd_ce_f64, sgd_wd_f64, momentum_ce_f64, momentum_wd_f64,
keep_prob and mask. Loss: mean softmax cross-entropy + 0.0005 * sum(W^2) / 2; rate 2e-4, momentum 0.9. What comes out is float64, little-endian, one after another:
pictures, BGR, [3,16,16,3]; labels [3]; dropout's factors [3,12], 1 without; then the parameters in the order of the
nodes, weights before biases, conv HWIO, fc [out,in], five times over: start, grad, sgd1, sgd3, momentum3; then cross-entropy and decay before each of
three steps of SGD and after the last, [2,4], and of momentum [2,4]."""
import pathlib
import sys

import numpy as np

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "finetune"


def parameters(z, kind):
    for name in z["names"]:
        value = z[f"{kind}.{name.replace('/', '.')}"].astype("<f8")
        yield (value.T if name == "CAM_fc/W" else value).ravel()


for path in sys.argv[1:]:
    z = np.load(path)
    mask = z["mask"] / z["keep_prob"] if "mask" in z.files else np.ones((3, 12))
    parts = [z["pictures"].astype("<f8")[..., ::-1], z["labels"], mask]
    for kind in ("start", "grad", "sgd1", "sgd3", "momentum3"):
        parts += parameters(z, kind)
    parts += [z[f"{optimizer}_{part}_f64"] for optimizer in ("sgd", "momentum") for part in ("ce", "wd")]
    OUT.mkdir(exist_ok=True)
    (OUT / pathlib.Path(path).with_suffix(".f64").name).write_bytes(np.concatenate([p.astype("<f8").ravel() for p in parts]).tobytes())
