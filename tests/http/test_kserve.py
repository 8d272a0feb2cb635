"""KServe's protocols: V1 and V2 (the Open Inference Protocol) say what POST /cam says; their errors; what KServe starts a model with."""
import base64
import json
import signal
import struct
import subprocess

import numpy
import pytest

import pictures
import small_model
from client import cam, kserve_error, problem, strict_json
from metrics import metric
from server import BINARY, PATIENCE, ROOT, Server, environment, reserved_port, run
from test_leaving import until

A, B = pictures.png(pictures.scene(60, 40)), pictures.jpeg(pictures.smooth(50, 70))
BROKEN, GIF = A[:200], b"GIF89a" + bytes(40)


NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A folder of three models in the order of NAMES."""
    folder = tmp_path_factory.mktemp("models")
    for i, name in enumerate(NAMES):
        small_model.named(folder, name, i).rename(folder / f"{i}-{name}.safetensors")
    return folder


def text(photo):
    return base64.b64encode(photo).decode()


@pytest.fixture(scope="module")
def name(client):
    return client.get("/v1/models").json()["models"][0]


def v1(client, name, instances, verb="predict", **parameters):
    return client.post(f"/v1/models/{name}:{verb}", json={"instances": instances, **({"parameters": parameters} if parameters else {})})


def answered(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return strict_json(response.text)


def by_cam(client, photo, **parameters):
    """What POST /cam says of the photo."""
    response = cam(client, photo, **parameters)
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


def labels(predictions):
    """Of /cam's predictions what V1's :predict has of them."""
    top = [{k: p[k] for k in ("class_id", "wnid", "label", "probability") if k in p} for p in predictions]
    return {**{k: predictions[0][k] for k in ("class_id", "label", "probability")}, "top": top}


# ---- V1 ----
FORMS = [lambda t: t, lambda t: {"b64": t}, lambda t: "data:image/png;base64," + t, lambda t: {"image_bytes": {"b64": t}, "key": "1", "more": {"b64": 5}},
         *(lambda t, n=n: {n: t} for n in ("image_bytes", "image", "data", "input", "body")), *(lambda t, n=n: {n: {"b64": t}} for n in ("image", "data", "input", "body"))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("member", ["instances", "inputs"])
def test_v1_takes_each_form_of_an_instance(client, name, form, member):
    response = client.post(f"/v1/models/{name}:predict", json={member: [form(text(A))], "signature_name": "other members are ignored"})
    assert answered(response) == {"predictions": [labels(by_cam(client, A))]}


def test_v1_explain_says_what_cam_says(client, name):
    document = answered(v1(client, name, [text(A), {"image": text(B)}, text(A)], "explain"))
    expected = [by_cam(client, photo) for photo in (A, B, A)]
    assert document == {"predictions": [labels(p) for p in expected], "explanations": expected}
    assert all("overlay_png" in p for photo in document["explanations"] for p in photo)


@pytest.mark.parametrize("parameters", [{"top_k": 5}, {"top_k": "1", "classes": [7, "n01443537"]}, {"include": ["map", "heatmap"], "colormap": "viridis"}, {"include": "none"},
                                        {"format": "jpeg", "minus": 3, "threshold": 0.5}])
def test_v1_parameters(client, name, parameters):
    query = {k: ",".join(map(str, v)) if isinstance(v, list) else v for k, v in parameters.items()}
    expected = [by_cam(client, photo, **query) for photo in (A, B)]
    assert answered(v1(client, name, [text(A), text(B)], "explain", **parameters)) == {"predictions": [labels(p) for p in expected], "explanations": expected}
    predicted = answered(v1(client, name, [text(A), text(B)], **parameters))
    assert predicted == {"predictions": [labels(p) for p in expected]}
    asked = client.post(f"/v1/models/{name}:explain", params=query, json={"instances": [text(A)]})
    assert answered(asked)["explanations"] == expected[:1]


V1_BAD = [
    ({"instances": []}, "instances: 0"), ({"instances": [text(A)] * 9}, "instances: 9"), ({"instances": text(A)}, "not a list"), ({"instances": {"b64": text(A)}}, "not a list"),
    ({}, "instances: missing"), ({"instances": None}, "not a list"), ({"instances": [text(A)], "inputs": [text(A)]}, "one of them"), ([text(A)], "not an object"),
    ({"instances": [text(A), 5]}, "instances[1]"), ({"instances": [text(A), None]}, "instances[1]"), ({"instances": [{"pixels": text(A)}]}, "instances[0]"),
    ({"instances": [{"b64": 5}]}, "instances[0]"), ({"instances": [{"image": {"base64": text(A)}}]}, "instances[0]"), ({"instances": [[text(A)]]}, "instances[0]"),
    ({"inputs": [text(A), "%%%"]}, "inputs[1]"), ({"instances": [text(A), ""]}, "instances[1]: empty"), ({"instances": [text(A), "data:image/png,x"]}, "instances[1]"),
    ({"instances": [text(A), text(A), text(BROKEN)]}, "instances[2]: broken PNG"), ({"instances": [text(GIF)]}, ("instances[0]", "GIF")),
    ({"instances": [text(A)], "parameters": {"top_k": 11}}, "top_k"), ({"instances": [text(A)], "parameters": {"topk": 1}}, "topk: no such parameter"),
    ({"instances": [text(A)], "parameters": [1]}, "parameters: not an object"), ({"instances": [text(A)], "parameters": {"top_k": {}}}, "top_k"),
    ({"instances": [text(A)], "parameters": {"model": "x"}}, "model: given twice"), ({"instances": [text(A)], "parameters": {"classes": "no such class"}}, "no such class"),
]


@pytest.mark.hostile
@pytest.mark.parametrize("body, words", V1_BAD)
@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_v1_says_what_is_wrong(client, name, body, words, verb):
    kserve_error(client.post(f"/v1/models/{name}:{verb}", json=body), 400, words=words)


@pytest.mark.hostile
@pytest.mark.parametrize("body", [b"{", b"", b"\xff\xfe{\0}\0", b'{"instances": ["' + text(A).encode(), A, b'{"instances": [' + b"[" * 500, b'{"instances": ["\\u0000"]}'])
def test_v1_of_what_is_no_json(client, name, body):
    kserve_error(client.post(f"/v1/models/{name}:predict", content=body), 400)


# ---- V2 ----
def tensor(photos, **more):
    """The input, as JSON has it."""
    return {"name": "image", "datatype": "BYTES", "shape": [len(photos)], "data": [text(p) for p in photos], **more}


def infer(client, name, body):
    return client.post(f"/v2/models/{name}/infer", json=body)


def infer_bytes(client, name, photos, body=None, length=None, size=None, shape=None, extra=b"", headers=None):
    """The photos as binary data behind the JSON."""
    tail = b"".join(struct.pack("<I", len(p)) + p for p in photos) + extra
    described = {"name": "image", "datatype": "BYTES", "shape": shape or [len(photos)], "parameters": {"binary_data_size": len(tail) if size is None else size}}
    head = json.dumps({"inputs": [described], **(body or {})}).encode()
    sent = {"Inference-Header-Content-Length": str(len(head) if length is None else length), "Content-Type": "application/octet-stream"}
    return client.post(f"/v2/models/{name}/infer", content=head + tail, headers={**sent, **(headers or {})})


def outputs(response):
    """(document, {name: values in their shape}, {name: as bytes or not})."""
    assert response.status_code == 200, response.text
    n = int(response.headers.get("Inference-Header-Content-Length", len(response.content)))
    document, tail, values, binary = strict_json(response.content[:n].decode()), response.content[n:], {}, {}
    for output in document["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        binary[output["name"]] = size is not None
        assert (size is None) == ("data" in output)
        flat = output["data"] if size is None else unpacked(output["datatype"], tail[:size])
        tail = tail[size or 0:]
        values[output["name"]] = numpy.array(flat, dtype=object).reshape(output["shape"]).tolist()
    assert not tail
    assert response.headers["content-type"] == ("application/octet-stream" if any(binary.values()) else "application/json")
    assert ("Inference-Header-Content-Length" in response.headers) == any(binary.values())
    return document, values, binary


def unpacked(datatype, data):
    if datatype != "BYTES":
        return list(struct.unpack(f"<{len(data) // 4}{'i' if datatype == 'INT32' else 'f'}", data))
    items = []
    while data:
        (n,) = struct.unpack_from("<I", data)
        items.append(data[4:4 + n])
        assert len(items[-1]) == n
        data = data[4 + n:]
    return items


def expected_tensors(predictions):
    """What V2 has of /cam's predictions of several photos."""
    def box(p):
        return [p["box"][k] for k in ("x", "y", "width", "height")] if p["box"] else [0, 0, 0, 0]
    return {"class_id": [[p["class_id"] for p in ps] for ps in predictions], "label": [[p["label"] for p in ps] for ps in predictions],
            "probability": [[p["probability"] for p in ps] for ps in predictions], "box": [[box(p) for p in ps] for ps in predictions],
            "overlay": [[p["overlay_png"] for p in ps] for ps in predictions]}


TYPES = {"class_id": "INT32", "label": "BYTES", "probability": "FP32", "box": "INT32", "overlay": "BYTES"}


@pytest.mark.parametrize("send", [lambda *a: infer(a[0], a[1], {"inputs": [tensor(a[2])], "id": "mine"}), lambda *a: infer_bytes(*a, {"id": "mine"})])
@pytest.mark.parametrize("photos", [[A], [B, A, B]])
def test_v2_says_what_cam_says(client, name, photos, send):
    document, values, binary = outputs(send(client, name, photos))
    assert values == expected_tensors([by_cam(client, p) for p in photos]) and not any(binary.values())
    assert document["model_name"] == name and document["model_version"] == "1" and document["id"] == "mine"
    assert {o["name"]: o["datatype"] for o in document["outputs"]} == TYPES
    assert {o["name"]: o["shape"] for o in document["outputs"]} == {k: [len(photos), 3] + ([4] if k == "box" else []) for k in TYPES}
    assert document["outputs"][-1]["parameters"] == {"content_type": "base64"}


@pytest.mark.parametrize("chosen", [{"overlay": True}, {"overlay": False}, {"label": True, "probability": True}, {"box": True, "overlay": True, "class_id": False},
                                    {"class_id": True, "label": False, "probability": True, "box": False, "overlay": True}])
def test_v2_outputs_are_chosen_and_may_be_bytes(client, name, chosen):
    wanted = [{"name": output, "parameters": {"binary_data": binary}} for output, binary in chosen.items()]
    for send in (lambda b: infer(client, name, {"inputs": [tensor([A, B])], **b}), lambda b: infer_bytes(client, name, [A, B], b)):
        _, values, binary = outputs(send({"outputs": wanted, "parameters": {"top_k": 2}}))
        assert binary == chosen
        for output, rows in expected_tensors([by_cam(client, p, top_k=2) for p in (A, B)]).items():
            if output not in chosen:
                assert output not in values
                continue
            if chosen[output] and output == "overlay":
                rows = [[base64.b64decode(p) for p in row] for row in rows]
            elif chosen[output] and output == "label":
                rows = [[p.encode() for p in row] for row in rows]
            if output == "probability":
                assert numpy.allclose(numpy.array(values[output], float), rows, rtol=1e-7)
            else:
                assert values[output] == rows


def test_v2_all_outputs_as_bytes(client, name):
    body = {"parameters": {"binary_data_output": True}, "outputs": [{"name": "label"}, {"name": "box", "parameters": {"binary_data": False}}]}
    assert outputs(infer_bytes(client, name, [A], body))[2] == {"label": True, "box": False}
    assert outputs(infer_bytes(client, name, [A], {"parameters": {"binary_data_output": True}}))[2] == dict.fromkeys(TYPES, True)


def test_v2_parameters(client, name):
    document, values, _ = outputs(infer(client, name, {"inputs": [tensor([A])], "parameters": {"include": "none", "top_k": 10}}))
    assert "overlay" not in values and len(values["label"][0]) == 10
    document, values, _ = outputs(infer(client, name, {"inputs": [tensor([A, B])], "parameters": {"format": "jpeg", "scale": "relu", "minus": 5, "colormap": "gray"}}))
    expected = [by_cam(client, p, format="jpeg", scale="relu", minus=5, colormap="gray") for p in (A, B)]
    assert values["overlay"] == [[p["overlay_jpeg"] for p in ps] for ps in expected]
    document, _, _ = outputs(infer(client, name, {"inputs": [tensor([A])], "outputs": [], "parameters": None, "id": None}))
    assert len(document["outputs"]) == 5 and document["id"]


def test_v2_of_nothing_that_speaks_for_the_label(client, name):
    """A null box is 0, 0, 0, 0."""
    first = by_cam(client, A, top_k=1)[0]["class_id"]
    parameters = {"minus": first, "top_k": 1}
    assert by_cam(client, A, **parameters)[0]["box"] is None
    assert outputs(infer(client, name, {"inputs": [tensor([A])], "parameters": parameters}))[1]["box"] == [[[0, 0, 0, 0]]]


V2_BAD = [
    ({"inputs": [tensor([A, B], shape=[3])]}, "shape [3], but there are 2"), ({"inputs": [tensor([A], shape=[1, 1])]}, "shape [1, 1]"), ({"inputs": [tensor([A], shape=[])]}, "shape []"),
    ({"inputs": [tensor([A], shape=["1"])]}, "shape"), ({"inputs": [tensor([A], shape=1)]}, "shape"), ({"inputs": [tensor([A], shape=[1.5])]}, "shape [1.5]"), ({"inputs": [tensor([A], shape=[-1])]}, "shape [-1]"),
    ({"inputs": [tensor([A], shape=[1e300])]}, "shape"), ({"inputs": [tensor([A], shape=[1] * 1000)]}, "shape"), ({"inputs": [tensor([A], datatype="UINT8")]}, "UINT8; BYTES is wanted"),
    ({"inputs": [tensor([A], name="photo")]}, "photo"), ({"inputs": [tensor([A]), tensor([B])]}, "2 tensors"), ({"inputs": []}, "0 tensors"), ({"inputs": tensor([A])}, "inputs"), ({}, "inputs"), ([], "not an object"),
    ({"inputs": [tensor([A] * 9)]}, "image: 9 photos"), ({"inputs": [tensor([])]}, "image: 0 photos"), ({"inputs": [tensor([A, BROKEN])]}, "image[1]: broken PNG"), ({"inputs": [tensor([GIF])]}, ("image[0]", "GIF")),
    ({"inputs": [tensor([A, B], data=[text(A), 5])]}, "image[1]"), ({"inputs": [tensor([A], data=[[text(A)]])]}, "image[0]"), ({"inputs": [tensor([A], data=text(A))]}, "data is not a list"),
    ({"inputs": [tensor([A], data=["%"])]}, "image[0]"), ({"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1]}]}, "neither data nor binary_data_size"),
    ({"inputs": [tensor([A], parameters={"binary_data_size": 5})]}, "data and binary_data_size"), ({"inputs": [{"datatype": "BYTES", "shape": [1], "data": [text(A)]}]}, "name"),
    ({"inputs": [tensor([A])], "outputs": [{"name": "heatmap"}]}, "heatmap"), ({"inputs": [tensor([A])], "outputs": [{}]}, "name"), ({"inputs": [tensor([A])], "outputs": {}}, "outputs: not a list"), ({"inputs": [tensor([A])], "outputs": [{"name": "box", "parameters": "x"}]}, "parameters: not an object"),
    ({"inputs": [tensor([A], parameters=[])]}, "parameters: not an object"),
    ({"inputs": [tensor([A])], "outputs": [{"name": "box", "parameters": {"binary_data": 1}}]}, "binary_data"), ({"inputs": [tensor([A])], "parameters": {"binary_data_output": "yes"}}, "binary_data_output"),
    ({"inputs": [tensor([A])], "parameters": {"classes": [5]}}, "classes"), ({"inputs": [tensor([A])], "parameters": {"top_k": 0}}, "top_k"), ({"inputs": [tensor([A])], "parameters": 5}, "parameters"),
    ({"inputs": [tensor([A])], "parameters": {"model": "x"}}, "model: given twice"), ({"inputs": [tensor([A])], "id": 5}, "id"),
]


@pytest.mark.hostile
@pytest.mark.parametrize("body, words", V2_BAD)
def test_v2_says_what_is_wrong(client, name, body, words):
    kserve_error(infer(client, name, body), 400, words=words)


@pytest.mark.hostile
@pytest.mark.parametrize("how, words", [
    ({"shape": [1]}, "shape [1], but there are 2"), ({"shape": [2, 1]}, "shape [2, 1]"), ({"extra": b"x"}, "image[2]"), ({"extra": b"\1\0\0\0"}, "image[2]"), ({"extra": b"\xff\xff\xff\xffx"}, "image[2]"),
    ({"extra": b"\0\0\0\0"}, "image[2]: empty"), ({"size": 7}, "binary_data_size 7"), ({"size": -1}, "binary_data_size"), ({"size": 1e300}, "binary_data_size"), ({"size": "5"}, "binary_data_size"), ({"size": 0.5}, "binary_data_size"),
    ({"length": 10}, "JSON"), ({"length": 0}, "JSON"), ({"length": 10 ** 9}, "Inference-Header-Content-Length: 1000000000"), ({"length": "x"}, "Inference-Header-Content-Length"), ({"length": -1}, "Inference-Header-Content-Length"),
    ({"length": 2 ** 63}, "Inference-Header-Content-Length"), ({"body": {"id": []}}, "id")])
def test_v2_bytes_that_are_wrong(client, name, how, words):
    kserve_error(infer_bytes(client, name, [A, B], **how), 400, words=words)


@pytest.mark.hostile
def test_v2_bytes_without_photos_and_with_too_many(client, name):
    kserve_error(infer_bytes(client, name, []), 400, words="image: 0 photos")
    kserve_error(infer_bytes(client, name, [b"x"] * 1000), 400, words="image: 1000 photos")
    kserve_error(infer_bytes(client, name, [A, BROKEN]), 400, words="image[1]: broken PNG")
    kserve_error(infer(client, name, {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 5}}]}), 400, words="0 bytes")
    head = json.dumps({"inputs": [tensor([A])]}).encode()
    response = client.post(f"/v2/models/{name}/infer", content=head + b"more", headers={"Inference-Header-Content-Length": str(len(head))})
    kserve_error(response, 400, words="4 bytes behind the JSON")


# ---- what there is ----
def test_what_is_told(client, name):
    assert answered(client.get("/v2")) == {"name": "camserve", "version": client.get("/version").json()["version"], "extensions": ["binary_tensor_data"]}
    assert answered(client.get("/v2/health/live")) == {"live": True} and answered(client.get("/v2/health/ready")) == {"ready": True}
    assert answered(client.get(f"/v2/models/{name}/ready")) == answered(client.get(f"/v2/models/{name}/versions/1/ready")) == {"name": name, "ready": True}
    model = answered(client.get(f"/v2/models/{name}"))
    assert (model["name"], model["platform"], model["versions"]) == (name, "camserve", ["1"])
    assert model["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert {o["name"]: (o["datatype"], o["shape"]) for o in model["outputs"]} == {k: (t, [-1, -1] + ([4] if k == "box" else [])) for k, t in TYPES.items()}


@pytest.mark.parametrize("path, allow", [("/v1/models/{}:predict", "POST"), ("/v1/models/{}:explain", "POST"), ("/v2/models/{}/infer", "POST"), ("/v1/models", "GET, HEAD"), ("/v1/models/{}", "GET, HEAD"),
                                         ("/v2", "GET, HEAD"), ("/v2/health/live", "GET, HEAD"), ("/v2/health/ready", "GET, HEAD"), ("/v2/models/{}", "GET, HEAD"), ("/v2/models/{}/ready", "GET, HEAD")])
def test_wrong_methods(client, name, path, allow):
    for method in ("GET", "POST", "PUT", "DELETE"):
        if method not in allow:
            response = client.request(method, path.format(name), content=b"x")
            kserve_error(response, 405)
            assert response.headers["allow"] == allow


def test_errors_are_written_so_on_these_routes_and_on_no_other(client, name):
    for path in ("/v1/models/", "/v1/models/x", "/v1/models/x/y", "/v2/", "/v2/x", "/v2/models", "/v2/models/", "/v2/models/x", "/v2/models/x/ready", f"/v2/models/{name}/x", "/v2/models//ready",
                 f"/v2/models/{name}/versions/2", "/v1/models/" + "x" * 4000, "/v2/models/" + "x" * 90 + "/ready"):
        kserve_error(client.get(path), 404)
    for path in ("/v1/models/x:predict", "/v1/models/:predict", "/v1/models/x:explain", "/v2/models/x/infer", "/v2/models//infer"):
        kserve_error(client.post(path, json={}), 404)
    for path in ("/v1", "/v1/", "/v1/modelsx", "/v2x", "/v3"):
        problem(client.get(path), 404)
    predict = f"/v1/models/{name}:predict"
    kserve_error(client.post(predict, content=b"x", headers={"Content-Encoding": "gzip"}), 400, words="gzip")
    kserve_error(client.post(predict, content=b"x" * 21_000_000), 413)
    kserve_error(client.request("POST", predict), 400, 411)
    kserve_error(client.get("/v2", headers={"X-Long": "x" * 20000}), 431)
    kserve_error(client.request("GET", "/v2", content=b"x"), 400)


def test_accept_changes_nothing(client, name):
    """There is one form."""
    response = client.post(f"/v1/models/{name}:explain", json={"instances": [text(A)]}, headers={"Accept": "image/png"})
    assert answered(response)["explanations"] == [by_cam(client, A)]


@pytest.mark.parametrize("accept, page", [(None, True), ("text/html", True), ("text/html,application/xhtml+xml,*/*;q=0.8", True), ("*/*", False), ("application/json", False), ("TEXT/HTML", True), ("", False)])
def test_the_root_is_the_page_or_says_that_it_lives(server, accept, page):
    client = server.new_client()
    del client.headers["accept"]
    response = client.get("/", headers={} if accept is None else {"Accept": accept})
    assert response.status_code == 200 and "Accept" in response.headers["vary"]
    if page:
        assert response.headers["content-type"].startswith("text/html")
    else:
        assert answered(response) == {"status": "alive"}
    client.close()


# ---- keys, limits, counters ----
def test_keys(start, tmp_path):
    key = "a-key-of-more-than-16"
    (tmp_path / "keys").write_text(key)
    server = start(keys=tmp_path / "keys")
    name = server.client.get("/v1/models").json()["models"][0]
    for path in (f"/v1/models/{name}:predict", f"/v1/models/{name}:explain", f"/v2/models/{name}/infer"):
        response = server.client.post(path, json={"instances": [text(A)], "inputs": []})
        kserve_error(response, 401, words="key")
        assert response.headers["www-authenticate"].startswith("Bearer")
        kserve_error(server.client.post(path, json={}, headers={"X-Api-Key": "x" * 20}), 401)
        kserve_error(server.client.post(path, json={}, headers={"X-Api-Key": key}), 400)
    for path in ("/v1/models", f"/v1/models/{name}", "/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{name}", f"/v2/models/{name}/ready"):
        assert server.client.get(path).status_code == 200
    assert answered(server.client.post(f"/v1/models/{name}:predict", json={"instances": [text(A)]}, headers={"Authorization": f"Bearer {key}"}))


def test_at_most_max_photos(start):
    server = start(max_photos=2)
    name = server.client.get("/v1/models").json()["models"][0]
    kserve_error(v1(server.client, name, [text(A)] * 3), 400, words="3 photos; allowed are 1 to 2")
    kserve_error(infer_bytes(server.client, name, [A] * 3), 400, words="3 photos; allowed are 1 to 2")
    assert len(answered(v1(server.client, name, [text(A)] * 2))["predictions"]) == 2


def test_limits_of_answers_and_deadlines(start):
    server = start(max_reply_bytes=65536, max_pixels=2500)
    name = server.client.get("/v1/models").json()["models"][0]
    kserve_error(infer(server.client, name, {"inputs": [tensor([pictures.png(pictures.scene(50, 50))] * 8)], "parameters": {"top_k": 10}}), 400, words="the answer")
    kserve_error(v1(server.client, name, [text(B)]), 400, words=("instances[0]", "2500"))


def test_they_are_counted_like_all(start):
    server = start()
    name = server.client.get("/v1/models").json()["models"][0]
    for _ in range(3):
        answered(server.client.get("/v2/health/ready"))
        answered(server.client.get("/v2/health/live"))
    answered(v1(server.client, name, [text(A)]))
    outputs(infer_bytes(server.client, name, [A]))
    kserve_error(infer(server.client, name, {}), 400)
    for route, status in (("/v1/models/...:predict", "200"), ("/v2/models/.../infer", "200"), ("/v2/models/.../infer", "400")):
        assert metric(server.client, "camserve_requests_total", route=route, status=status) == 1
    assert metric(server.client, "camserve_requests_total", route="/v2/models/.../infer", status="200", model=name) == 1
    assert "/v2/health" not in server.client.get("/metrics").text, "probes are not counted"


# ---- several models, other names, the end ----
def test_several_models(start, three):
    server = start(model=three)
    for name in NAMES:
        expected = by_cam(server.client, A, model=name)
        assert answered(v1(server.client, name, [text(A)], "explain"))["explanations"] == [expected]
        document, values, _ = outputs(infer(server.client, name, {"inputs": [tensor([A])]}))
        assert document["model_name"] == name and values == expected_tensors([expected])
        assert answered(server.client.get(f"/v2/models/{name}/ready"))["name"] == name
    kserve_error(server.client.post(f"/v1/models/{NAMES[1]}:predict", params={"model": NAMES[0]}, json={"instances": [text(A)]}), 400, words="model: given twice")
    kserve_error(v1(server.client, "four", [text(A)]), 404, words="four")


def test_model_name_renames_the_first(start, three):
    server = start(model=three, model_name="cat-explainer_1.0")
    names = ["cat-explainer_1.0", *NAMES[1:]]

    def check():
        assert server.client.get("/v1/models").json() == {"models": names}
        assert cam(server.client, A).json()["model"] == names[0] and cam(server.client, A, model=names[0]).status_code == 200
        assert problem(cam(server.client, A, model=NAMES[0]), 400)
        assert server.client.get(f"/v1/models/{names[0]}").json()["name"] == server.client.get("/version").json()["model"]["name"] == names[0]
        assert outputs(infer(server.client, names[0], {"inputs": [tensor([A])]}))[0]["model_name"] == names[0]
        kserve_error(v1(server.client, NAMES[0], [text(A)]), 404)
    check()
    assert f'camserve_model_info{{name="{names[0]}"' in server.client.get("/metrics").text
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log().count("reloaded: ") == 3, "it never reloaded")
    check()


@pytest.mark.parametrize("name", ["a/b", "a:predict", "a b", "\u00e4", "x" * 65, "%41"])
def test_names_that_no_path_could_carry(name, light_model):
    result = run("serve", "--port", "0", "--model", light_model, "--model-name", name)
    assert result.returncode == 2 and b"model" in result.stderr and b"at most 64" in result.stderr, result.stderr


def test_flags_that_kserve_starts_an_explainer_with(light_model):
    """As its controller has them; without a command, and beside PORT."""
    port = reserved_port()
    process = subprocess.Popen([BINARY, "--model_name", "vision", "--predictor_host", "vision-predictor.default", "--http_port", str(port), "--workers", "3"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env={**environment(model=light_model), "PORT": str(reserved_port())})
    try:
        client = Server.new_client(type("", (), {"url": f"http://127.0.0.1:{port}", "certificate": None})())

        def ready():
            try:
                return client.get("/v1/models/vision").json() if process.poll() is None else {}
            except Exception:
                return None
        assert until(ready, "it never became ready", PATIENCE)["ready"] is True
        assert answered(v1(client, "vision", [text(A)]))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    for wrong in (["--http_port", "x"], ["--http_port", "1", "--port", "2"], ["--workers"], ["--model-names", "x"]):
        assert run("serve", *wrong).returncode == 2


def test_not_ready_while_it_leaves(start):
    server = start(leave_ms=PATIENCE * 1000)
    name = server.client.get("/v1/models").json()["models"][0]
    server.process.send_signal(signal.SIGTERM)
    until(lambda: server.client.get("/readyz").status_code == 503, "it never leaves")
    for path in (f"/v1/models/{name}", "/v2/health/ready", f"/v2/models/{name}/ready"):
        kserve_error(server.client.get(path), 503, words="leaving")
    assert answered(server.client.get("/v2/health/live")) == {"live": True}
    assert answered(v1(server.client, name, [text(A)])) and outputs(infer_bytes(server.client, name, [A]))
    server.kill()
