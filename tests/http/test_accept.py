"""Accept: image/png gives the first overlay itself; what cannot be given is 406."""
import base64
import io

import pytest
from PIL import Image

import pictures
from client import cam, explain, problem


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


def test_label_header_is_one_line(client):
    photo = pictures.png(pictures.scene(64, 64))
    for class_id in range(0, 1000, 250):
        response = cam(client, photo, accept="image/png", classes=class_id)
        assert "\n" not in response.headers["x-cam-label"]
