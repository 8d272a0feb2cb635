"""Accept: image/png and image/jpeg give the first overlay itself; what cannot be given is 406."""
import base64
import io
import json

import pytest
from PIL import Image

import pictures
from client import cam, explain, problem
from wire import Wire, request


def test_png_is_the_first_overlay(client, scene_png):
    answer = explain(client, scene_png, colormap="turbo")
    response = cam(client, scene_png, accept="image/png", colormap="turbo")
    assert response.status_code == 200 and response.headers["content-type"] == "image/png"
    first = answer.first.entry
    assert response.content == base64.b64decode(first["overlay_png"])
    assert Image.open(io.BytesIO(response.content)).size == (300, 200)
    assert response.headers["x-cam-class-id"] == str(first["class_id"])
    assert response.headers["x-cam-label"] == first["label"]
    assert float(response.headers["x-cam-probability"]) == first["probability"]
    assert response.headers["x-request-id"]


def test_jpeg_is_the_first_overlay(client, scene_png):
    answer = explain(client, scene_png, format="jpeg", colormap="turbo")
    response = cam(client, scene_png, accept="image/jpeg", colormap="turbo")
    assert response.status_code == 200 and response.headers["content-type"] == "image/jpeg"
    assert response.content == base64.b64decode(answer.first.entry["overlay_jpeg"])
    assert response.headers["x-cam-class-id"] == str(answer.first.class_id)


@pytest.mark.parametrize("accept,format,given", [
    ("image/jpeg", "jpeg", "image/jpeg"), ("image/png", "png", "image/png"), ("image/*", "jpeg", "image/jpeg"),
    ("image/*", "png", "image/png"), ("image/*", None, "image/png"),
    ("image/jpeg, image/png", None, "image/png"), ("image/jpeg, image/png;q=0.9", None, "image/jpeg"),
    ("image/jpeg, image/png;q=0.9", "png", "image/png"),
    ("image/png;q=0, image/*", None, "image/jpeg"), ("application/json", "jpeg", "application/json"), ("*/*", "jpeg", "application/json")])
def test_format_chooses_among_what_is_accepted(client, scene_png, accept, format, given):
    response = cam(client, scene_png, accept=accept, **({"format": format} if format else {}))
    assert response.status_code == 200 and response.headers["content-type"] == given
    if given != "application/json":
        assert Image.open(io.BytesIO(response.content)).format == given.split("/")[1].upper()


@pytest.mark.parametrize("accept,format", [("image/png", "jpeg"), ("image/jpeg", "png"), ("image/*, image/jpeg;q=0", "jpeg")])
def test_format_that_is_not_accepted(client, scene_png, accept, format):
    problem(cam(client, scene_png, accept=accept, format=format), 406, detail="format")
    response = client.post("/cam", files={"image": ("a.png", scene_png)}, data={"format": format}, headers={"Accept": accept})
    problem(response, 406, detail="format")


@pytest.mark.parametrize("params", [{"include": "none"}, {"include": "map"}, {"include": "heatmap,map"}])
def test_png_without_overlay(client, scene_png, params):
    problem(cam(client, scene_png, accept="image/png", **params), 406, detail="overlay")


def test_png_with_more_included(client, scene_png):
    assert cam(client, scene_png, accept="image/png", include="overlay,map").headers["content-type"] == "image/png"


def test_png_of_several_photos(client, scene_png):
    response = client.post("/cam", files=[("image", ("a.png", scene_png))] * 2, headers={"Accept": "image/png"})
    problem(response, 406)


def test_png_of_one_form_part_and_of_json(client, scene_png):
    want = cam(client, scene_png, accept="image/png").content
    assert client.post("/cam", files={"image": ("a.png", scene_png)}, headers={"Accept": "image/png"}).content == want
    assert client.post("/cam", json={"image": base64.b64encode(scene_png).decode()}, headers={"Accept": "image/png"}).content == want


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*", "application/json, image/png;q=0.5",
                                    "text/html, application/json;q=0.9, */*;q=0.8", "image/png;q=0, application/json",
                                    "APPLICATION/JSON", "application/json;q=1.0", "image/png;q=0, */*"])
def test_json_is_given(client, scene_png, accept):
    response = cam(client, scene_png, accept=accept)
    assert response.status_code == 200 and response.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("accept", ["image/png", "image/png, */*;q=0.1", "image/png;q=0.9, application/json;q=0.1", "IMAGE/PNG", "image/png;q=1",
                                    "text/plain, image/png"])
def test_png_is_given(client, scene_png, accept):
    response = cam(client, scene_png, accept=accept)
    assert response.status_code == 200 and response.headers["content-type"] == "image/png"


@pytest.mark.parametrize("accept", ["text/html", "image/webp", "image/png;q=0", "application/json;q=0", "video/*"])
def test_neither_can_be_given(client, scene_png, accept):
    problem(cam(client, scene_png, accept=accept), 406)


@pytest.mark.hostile
@pytest.mark.parametrize("accept", [",,,", ";", "image/png;q=", "image/png;q=x", "a" * 4000, "/", "image", "image/png" * 100, "\"", ";q=1", "*/png",
                                    "image/png;;;q=1;"])
def test_nonsense_harms_nobody(client, scene_png, accept):
    response = cam(client, scene_png, accept=accept)
    assert response.status_code == 200 or problem(response, 406, 400)


def test_errors_stay_problem_documents(client):
    problem(cam(client, b"no photo", accept="image/png"), 415)
    problem(cam(client, b"no photo", accept="application/json"), 415)
    problem(client.get("/nothing", headers={"Accept": "image/png"}), 404)


def test_label_header_is_one_line(start, small_file, tmp_path):
    """Whatever a model file calls its classes: what no header may hold becomes ?, and nothing of it a header of its own. JSON keeps it."""
    label = "caf\u00e9\r\nX-Evil: 1\x7f\ttail"
    (tmp_path / "evil.safetensors").write_bytes(renamed(small_file.read_bytes(), label))
    server, photo = start(model=tmp_path / "evil.safetensors"), pictures.png(pictures.scene(64, 64))
    with Wire(server) as wire:
        status, headers, _ = wire.send(request(body=photo, headers=["Accept: image/png"])).response()
    assert status == 200 and "x-evil" not in headers
    assert headers["x-cam-label"] == "caf????X-Evil: 1??tail"
    assert explain(server.client, photo).first.entry["label"] == label


def renamed(model, label):
    """The model file with that label for each class."""
    size = int.from_bytes(model[:8], "little")
    header = json.loads(model[8:8 + size])
    about = json.loads(header["__metadata__"]["camserve"])
    about["classes"] = [[wnid, label] for wnid, _ in about["classes"]]
    header["__metadata__"]["camserve"] = json.dumps(about)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + model[8 + size:]
