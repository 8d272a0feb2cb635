"""What camserve replaces: the strongest service that a skilled user writes in an afternoon. FastAPI on uvicorn (uvloop, httptools), ONNX Runtime, class
maps by NumPy, pictures by OpenCV, orjson. Same answer as POST /cam: top-3 and three base64 PNG overlays. PNG at OpenCV's defaults (filter SUB,
run lengths): of its settings that compress, the fastest.
Environment: MODEL (a path without .onnx), THREADS (of ONNX Runtime, and for the overlays), FIT (longest side of the overlays; 0: the photo's own),
REDUCE=1 (JPEGs larger than needed are decoded at 1/2, 1/4 or 1/8)."""
import base64
import concurrent.futures
import os

import cv2
import numpy
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

MODEL, THREADS, FIT, REDUCE = os.environ["MODEL"], int(os.environ["THREADS"]), int(os.environ.get("FIT", "0")), os.environ.get("REDUCE") == "1"
SIDE = 224
cv2.setNumThreads(1)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = THREADS
session = onnxruntime.InferenceSession(MODEL + ".onnx", options, providers=["CPUExecutionProvider"])
fc = numpy.load(MODEL + ".fc.npy")
pool = concurrent.futures.ThreadPoolExecutor(THREADS)
app = FastAPI()


def size_of(jpeg):
    """Height and width, from the frame header."""
    at = 2
    while jpeg[at + 1] not in (0xC0, 0xC1, 0xC2):
        at += 2 + int.from_bytes(jpeg[at + 2:at + 4], "big")
    return int.from_bytes(jpeg[at + 5:at + 7], "big"), int.from_bytes(jpeg[at + 7:at + 9], "big")


def decode(body):
    how = cv2.IMREAD_COLOR
    if REDUCE and FIT and body[:2] == b"\xff\xd8":
        spare = max(size_of(body)) / FIT
        how = cv2.IMREAD_REDUCED_COLOR_8 if spare >= 8 else cv2.IMREAD_REDUCED_COLOR_4 if spare >= 4 else cv2.IMREAD_REDUCED_COLOR_2 if spare >= 2 else how
    photo = cv2.imdecode(numpy.frombuffer(body, numpy.uint8), how)
    height, width = photo.shape[:2]
    if FIT and max(height, width) > FIT:
        photo = cv2.resize(photo, (width * FIT // max(height, width), height * FIT // max(height, width)), interpolation=cv2.INTER_AREA)
    return photo


def overlay(photo, class_map):
    height, width = photo.shape[:2]
    heat = cv2.resize(class_map, (width, height))
    heat = (255 * (heat - heat.min()) / max(1e-9, heat.max() - heat.min())).astype(numpy.uint8)
    blended = cv2.addWeighted(photo, 0.5, cv2.applyColorMap(heat, cv2.COLORMAP_JET), 0.5, 0)
    return base64.b64encode(cv2.imencode(".png", blended)[1]).decode()


def explain(body):
    photo = decode(body)
    x = cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[:, :, ::-1].astype(numpy.float32)
    logits, features = session.run(None, {"x": ((x - 127) / 128).transpose(2, 0, 1)[None]})
    exponentials = numpy.exp(logits[0] - logits[0].max())
    probabilities = exponentials / exponentials.sum()
    best = numpy.argsort(-logits[0])[:3]
    maps = (fc[best] @ features.reshape(fc.shape[1], -1)).reshape(3, *features.shape[2:])
    overlays = pool.map(overlay, [photo] * 3, maps) if THREADS > 1 else map(overlay, [photo] * 3, maps)
    return orjson.dumps({"predictions": [{"class_id": int(k), "probability": float(probabilities[k]), "overlay_png": png} for k, png in zip(best, overlays)]})


@app.post("/cam")
async def cam(request: Request):
    return Response(await run_in_threadpool(explain, await request.body()), media_type="application/json")
