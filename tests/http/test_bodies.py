"""The three kinds of body: the photo itself, JSON with base64, multipart; and what is none of them."""
import base64
import json

import pytest

import pictures
from client import cam, explain, problem, same

JSON = {"Content-Type": "application/json"}


def post_json(client, text, **more):
    return client.post("/cam", content=text, headers=JSON, **more)


@pytest.mark.parametrize("content_type", ["application/octet-stream", "application/x-www-form-urlencoded", "image/png", "image/jpeg", "text/plain",
                                          "nonsense", "application/xml",
                                          "image/png; charset=utf-8", "x" * 2000])
def test_raw_whatever_its_content_type(client, scene_png, content_type):
    assert cam(client, scene_png, content_type=content_type).status_code == 200


def test_raw_without_content_type(client, scene_png):
    request = client.build_request("POST", "/cam", content=scene_png)
    request.headers.pop("content-type", None)
    assert client.send(request).status_code == 200


def test_kinds_of_body_answer_the_same(client, scene_png):
    raw = same(explain(client, scene_png).document)
    text = base64.b64encode(scene_png).decode()
    for response in (client.post("/cam", files={"image": ("a.png", scene_png, "image/png")}), client.post("/cam", json={"image": text}),
                     client.post("/cam", json={"image": "data:image/png;base64," + text}),
                     client.post("/cam", json={"image": "data:image/jpeg;base64," + text}),
                     client.post("/cam", content=chunks(scene_png))):  # httpx sends an iterator chunked
        assert response.status_code == 200, response.text
        assert same(response.json()) == raw


def chunks(data, size=1000):
    for i in range(0, len(data), size):
        yield data[i:i + size]


@pytest.mark.parametrize("kind", ["application/json", "APPLICATION/JSON", "application/json; charset=utf-8", "application/json;x=y",
                                  "Application/Json ; charset=UTF-8"])
def test_json_however_it_is_spelt(client, scene_png, kind):
    body = json.dumps({"image": base64.b64encode(scene_png).decode(), "top_k": 1})
    response = client.post("/cam", content=body, headers={"Content-Type": kind})
    assert response.status_code == 200, response.text
    assert len(response.json()["predictions"]) == 1


def test_json_with_escapes_spaces_and_any_order(client, scene_png):
    text = base64.b64encode(scene_png).decode()
    escaped = text.replace("/", "\\/").replace("A", "\\u0041", 5)
    response = post_json(client, ' {\r\n\t"top_k" : 2 , "\\u0069mage" : "%s" }\n ' % escaped)
    assert response.status_code == 200, response.text
    assert len(response.json()["predictions"]) == 2


IMAGE = base64.b64encode(pictures.png(pictures.smooth(20, 20))).decode()
BAD_JSON = {
    "empty": "", "text": "photo", "null": "null", "array": "[]", "array of object": '[{"image": "%s"}]' % IMAGE, "number": "1",
    "string": '"%s"' % IMAGE, "no image": "{}",
    "image null": '{"image": null}', "image number": '{"image": 5}', "image list": '{"image": ["%s"]}' % IMAGE, "image object": '{"image": {}}',
    "image empty": '{"image": ""}',
    "not base64": '{"image": "***"}', "bad padding": '{"image": "%s"}' % (IMAGE.rstrip("=") + "A"), "padding within": '{"image": "AA==%s"}' % IMAGE,
    "data without comma": '{"image": "data:image/png;base64"}', "data not base64": '{"image": "data:image/png,%s"}' % "abc",
    "data empty": '{"image": "data:"}',
    "URL": '{"image": "http://127.0.0.1:1/a.png"}', "file URL": '{"image": "file:///etc/passwd"}', "path": '{"image": "/etc/passwd"}',
    "cut": '{"image": "%s' % IMAGE, "trailing": '{"image": "%s"} x' % IMAGE, "two documents": '{"image": "%s"}{}' % IMAGE,
    "twice": '{"image": "%s", "image": "%s"}' % (IMAGE, IMAGE),
    "unknown member": '{"image": "%s", "url": "x"}' % IMAGE, "single quotes": "{'image': '%s'}" % IMAGE,
    "comment": '{"image": "%s" /* photo */}' % IMAGE,
    "trailing comma": '{"image": "%s",}' % IMAGE, "deep": "[" * 100000, "deep object": '{"a":' * 50000,
    "deep member": '{"image": "%s", "top_k": %s1%s}' % (IMAGE, "[" * 60, "]" * 60),
    "NUL": '{"image": "%s"}\0' % IMAGE, "NUL within": '{"image": "\\u0000"}', "lone surrogate": '{"image": "\\ud800"}',
    "NaN": '{"image": "%s", "alpha": NaN}' % IMAGE,
    "Infinity": '{"image": "%s", "alpha": Infinity}' % IMAGE, "many members": "{" + ",".join('"m%d": 1' % i for i in range(50000)) + "}",
    "long name": '{"%s": 1}' % ("n" * 1000000),
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", BAD_JSON)
def test_bad_json(client, name):
    problem(post_json(client, BAD_JSON[name]), 400)


@pytest.mark.hostile
def test_json_of_bytes(client):
    for body in (b"\xff\xfe{\0}\0", b'\xef\xbb\xbf{"image": 1}', b'{"image": "\xff\xff"}', bytes(1000), b'{"image": "' + bytes(range(256)) + b'"}'):
        problem(post_json(client, body), 400)


def test_base64_with_line_breaks(client, scene_png):
    text = base64.encodebytes(scene_png).decode()
    assert client.post("/cam", json={"image": text}).status_code == 200


def test_json_photo_that_is_none(client):
    problem(client.post("/cam", json={"image": base64.b64encode(b"GIF89a" + bytes(50)).decode()}), 415, detail="GIF")
    problem(client.post("/cam", json={"image": base64.b64encode(b"hello").decode()}), 415)


@pytest.mark.hostile
def test_empty_body(client):
    problem(cam(client, b""), 400, 415)
    problem(client.post("/cam"), 400, 411, 415)


@pytest.mark.hostile
def test_too_many_bytes(start, scene_png):
    """Declared: 413 before the body. Chunked: closed, or 413."""
    server = start(max_body_bytes=100000)
    assert explain(server.client, scene_png[:0] + pictures.png(pictures.smooth(50, 50)))
    response = problem(cam(server.client, bytes(100001)), 413, detail=["100000", "100001"])
    assert response["code"] == "too_large"
    try:
        chunked = server.client.post("/cam", content=chunks(bytes(3000000)))
        problem(chunked, 413)
    except Exception as error:  # httpx: the server closed while the body was still coming
        assert "RemoteProtocol" in type(error).__name__ or "Write" in type(error).__name__ or "Read" in type(error).__name__, error
    problem(server.client.post("/cam", content=chunks(bytes(99999))), 415)
    assert server.client.get("/healthz").status_code == 200
    problem(server.client.post("/cam", json={"image": "A" * 100000}), 413)
    problem(server.client.post("/cam", files={"image": bytes(100000)}), 413)


def test_unsupported_content_encoding_does_not_pass_as_a_photo(client, scene_png):
    import gzip
    response = client.post("/cam", content=gzip.compress(scene_png), headers={"Content-Encoding": "gzip"})
    problem(response, 415, 400)
