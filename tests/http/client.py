"""POST /cam for tests: one photo in, the checked answer out with its pictures decoded."""
import base64
import io
import json

import numpy
from PIL import Image


class Prediction:
    """One label of an answer; overlay, heatmap and map as arrays (None where they were not included)."""

    def __init__(self, entry):
        self.entry = entry
        self.class_id, self.rank, self.logit, self.box = entry["class_id"], entry["rank"], entry["logit"], entry["box"]
        self.overlay = picture(entry, "overlay", "RGB")
        self.heatmap = picture(entry, "heatmap", "L")
        self.map, self.bias = None, entry.get("bias")
        if "map" in entry:
            grid = entry["map"]
            assert len(grid["values"]) == grid["width"] * grid["height"]
            self.map = numpy.array(grid["values"], numpy.float32).reshape(grid["height"], grid["width"])


class Answer:
    def __init__(self, document):
        self.document = document
        self.image, self.input = document["image"], document["input"]
        self.predictions = [Prediction(p) for p in document["predictions"]]
        self.first = self.predictions[0]


def picture(entry, name, mode):
    """base64 PNG or JPEG -> array; checks that it is an 8-bit picture of that mode and of the format its member names."""
    given = [format for format in ("png", "jpeg") if f"{name}_{format}" in entry]
    if not given:
        return None
    assert len(given) == 1
    image = Image.open(io.BytesIO(base64.b64decode(entry[f"{name}_{given[0]}"], validate=True)))
    assert image.format == given[0].upper() and image.mode == mode, (image.format, image.mode)
    image.load()
    return numpy.asarray(image)


def strict_json(text):
    """JSON without NaN, Infinity or duplicate members."""
    def refuse(word):
        raise ValueError(f"{word} in JSON")

    def unique(pairs):
        assert len({k for k, _ in pairs}) == len(pairs), f"duplicate members in {[k for k, _ in pairs]}"
        return dict(pairs)
    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


def cam(client, photo, content_type="application/octet-stream", accept=None, **params):
    """Posts the photo itself, parameters in the query; the bare response."""
    headers = {"Content-Type": content_type, **({"Accept": accept} if accept else {})}
    return client.post("/cam", content=photo, params=params, headers=headers)


def explain(client, photo, **params):
    """Posts the photo and wants 200; an Answer."""
    response = cam(client, photo, **params)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].split(";")[0] == "application/json"
    document = strict_json(response.text)
    assert document["request_id"] == response.headers["x-request-id"]
    return Answer(document)


def explain_many(client, photos, data=None, **params):
    """Posts several photos as form fields; the whole document."""
    response = client.post("/cam", files=[("image", (f"{i}.png", photo)) for i, photo in enumerate(photos)], data=data or {}, params=params)
    assert response.status_code == 200, response.text
    return strict_json(response.text)


PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


def problem(response, *statuses, detail=None):
    """The response must be a whole problem document with one of these statuses whose detail holds the given words."""
    assert response.status_code in statuses, f"{response.status_code}, wanted {statuses}: {response.text[:500]}"
    assert response.headers["content-type"].split(";")[0] == "application/problem+json", response.headers
    document = strict_json(response.text)
    check_problem(document, response.status_code)
    assert document["request_id"] == response.headers["x-request-id"]
    for word in [detail] if isinstance(detail, str) else detail or []:
        assert word.lower() in document["detail"].lower(), (word, document["detail"])
    return document


def kserve_error(response, *statuses, words=()):
    """The response must be an error as KServe's routes write it, {"error": "..."}, with one of these statuses and the given words; its text."""
    assert response.status_code in statuses, f"{response.status_code}, wanted {statuses}: {response.text[:500]}"
    assert response.headers["content-type"] == "application/json", response.headers  # the client of KServe compares the whole
    document = strict_json(response.text)
    assert set(document) == {"error"} and document["error"], document
    for word in [words] if isinstance(words, str) else words:
        assert word.lower() in document["error"].lower(), (word, document["error"])
    return document["error"]


def check_problem(document, status=None):
    assert PROBLEM_MEMBERS <= set(document), document
    assert status is None or document["status"] == status
    assert 400 <= document["status"] < 600 and document["status"] != 500
    for member in ("type", "title", "detail", "code", "request_id"):
        assert isinstance(document[member], str) and document[member], (member, document)


def same(document):
    """An answer without what may differ between two runs: ids and timings (also those inside a list's problems)."""
    if isinstance(document, dict):
        return {k: same(v) for k, v in document.items() if k not in ("request_id", "timing_ms")}
    return [same(v) for v in document] if isinstance(document, list) else document
