"""KServe's own client, from PyPI: every call that it has for HTTP."""
import asyncio
import base64
import io

import httpx
import numpy
import pytest
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from PIL import Image

import pictures
from fleet import Server

PHOTOS = [pictures.png(pictures.scene(60, 40)), pictures.png(pictures.scene(50, 70))]
TEXTS = [base64.b64encode(p).decode() for p in PHOTOS]
NAME = "vision-1.0_b"  # all that a name may have


@pytest.fixture(scope="module")
def url(model, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"), model, model_name=NAME)
    yield f"http://127.0.0.1:{server.port}"
    server.end()


def call(protocol, method, *arguments, **more):
    async def run():
        client = InferenceRESTClient(RESTConfig(protocol=protocol, timeout=120))
        try:
            return await getattr(client, method)(*arguments, **more)
        finally:
            await client.close()
    return asyncio.run(run())


def by_cam(url, photo, **params):
    return httpx.post(url + "/cam", content=photo, params=params, timeout=120, trust_env=False).json()["predictions"]


def is_picture(data, width, height):
    image = Image.open(io.BytesIO(data))
    return image.size == (width, height) and image.format == "PNG"


def test_v1(url):
    assert call("v1", "is_server_live", url) is True and call("v1", "is_model_ready", url, NAME) is True
    data = {"instances": [{"image_bytes": {"b64": text}, "key": str(i)} for i, text in enumerate(TEXTS)]}
    predicted = call("v1", "infer", url, data, model_name=NAME)
    assert [p["label"] for p in predicted["predictions"]] == [by_cam(url, p)[0]["label"] for p in PHOTOS]
    explained = call("v1", "explain", url, NAME, data)
    assert explained["predictions"] == predicted["predictions"] and explained["explanations"] == [by_cam(url, p) for p in PHOTOS]


@pytest.mark.parametrize("instance", [lambda t: t, lambda t: "data:image/png;base64," + t, lambda t: {"b64": t}, lambda t: {"data": t}, lambda t: {"image": {"b64": "data:image/png;base64," + t}, "key": 5}],
                         ids=["text", "uri", "b64", "data", "nested"])
def test_v1_in_other_forms(url, instance):
    data = {"inputs": [instance(t) for t in TEXTS * 4], "parameters": {"top_k": 1, "include": "map", "minus": 5}}
    explained = call("v1", "explain", url, NAME, data)
    assert explained["explanations"] == [by_cam(url, p, top_k=1, include="map", minus=5) for p in PHOTOS] * 4
    assert [len(p["top"]) for p in explained["predictions"]] == [1] * 8


def test_v2(url):
    assert call("v2", "is_server_live", url) is True and call("v2", "is_server_ready", url) is True
    assert call("v2", "is_model_ready", url, NAME) is True and call("v2", "is_model_ready", url, "other") is False


def tensor(binary):
    image = InferInput("image", [2], "BYTES")
    if binary:
        image.set_data_from_numpy(numpy.array(PHOTOS, dtype=object), binary_data=True)
    else:
        image.set_data_from_numpy(numpy.array([t.encode() for t in TEXTS], dtype=object), binary_data=False)
    return image


@pytest.mark.parametrize("binary", [True, False])
def test_v2_infer(url, binary):
    answer = call("v2", "infer", url, InferRequest(NAME, [tensor(binary)], request_id="mine", parameters={"top_k": 2}), model_name=NAME)
    expected = [by_cam(url, p, top_k=2) for p in PHOTOS]
    assert answer.id == "mine" and answer.model_name == NAME
    outputs = {o.name: o.as_numpy() for o in answer.outputs}
    assert outputs["class_id"].tolist() == [[p["class_id"] for p in ps] for ps in expected] and outputs["label"].tolist() == [[p["label"] for p in ps] for ps in expected]
    assert numpy.allclose(outputs["probability"], [[p["probability"] for p in ps] for ps in expected])
    assert outputs["box"].shape == (2, 2, 4) and outputs["box"].dtype == numpy.int32
    for row, (width, height) in zip(outputs["overlay"].tolist(), [(60, 40), (50, 70)]):
        assert all(is_picture(base64.b64decode(text), width, height) for text in row)


def test_v2_chosen_outputs_as_bytes(url):
    wanted = [RequestedOutput("label", {"binary_data": True}), RequestedOutput("probability", {"binary_data": True}), RequestedOutput("overlay", {"binary_data": False})]
    answer = call("v2", "infer", url, InferRequest(NAME, [tensor(True)], request_outputs=wanted), model_name=NAME)
    assert [o.name for o in answer.outputs] == ["label", "probability", "overlay"]
    assert answer.outputs[0].as_numpy().tolist() == [[p["label"] for p in by_cam(url, photo)] for photo in PHOTOS]


def test_v2_a_body_near_the_largest(url):
    image = InferInput("image", [1], "BYTES")
    image.set_data_from_numpy(numpy.array([PHOTOS[0] + bytes(20_000_000)], dtype=object), binary_data=True)
    answer = call("v2", "infer", url, InferRequest(NAME, [image], request_outputs=[RequestedOutput("class_id")]), model_name=NAME)
    assert answer.outputs[0].as_numpy().tolist() == [[p["class_id"] for p in by_cam(url, PHOTOS[0])]]


@pytest.mark.parametrize("arguments, words", [
    (("v1", {"instances": [TEXTS[0], "%%%"]}, NAME), "instances[1]"), (("v1", {"instances": []}, NAME), "instances"), (("v1", {"instances": TEXTS}, "other"), "other"),
    (("v1", {"instances": [TEXTS[0][:200]]}, NAME), "broken PNG"), (("v2", {"inputs": []}, NAME), "inputs"),
    (("v2", InferRequest(NAME, [InferInput("pixels", [1], "BYTES", data=[TEXTS[0]])]), NAME), "pixels"),
    (("v2", InferRequest(NAME, [InferInput("image", [3], "BYTES", data=TEXTS)]), NAME), "shape [3]"), (("v2", InferRequest(NAME, [InferInput("image", [2, 1], "BYTES", data=TEXTS)]), NAME), "shape [2, 1]"),
    (("v2", InferRequest(NAME, [InferInput("image", [1], "BYTES", data=TEXTS[:1])], request_outputs=[RequestedOutput("heatmap")]), NAME), "heatmap"),
    (("v1", {"instances": TEXTS * 5}, NAME), "10 photos"),
    (("v2", InferRequest(NAME, [InferInput("image", [1], "BYTES", data=TEXTS[:1])], parameters={"classes": 5}), NAME), "classes")])
def test_what_is_wrong_is_shown(url, arguments, words):
    protocol, data, name = arguments
    with pytest.raises(httpx.HTTPStatusError) as raised:
        call(protocol, "infer", url, data, model_name=name)
    assert words in str(raised.value)
