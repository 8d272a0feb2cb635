"""Every route: status, type, headers, contents; methods; paths that try to leave."""
import json
import re

import pytest

from client import cam, kserve_error, problem
from wire import Wire, request

GETS = {"/": "text/html", "/healthz": None, "/readyz": None, "/metrics": "text/plain", "/v1/models": "application/json", "/v1/models/efficientnet-lite0": "application/json",
        "/labels": "application/json",
        "/version": "application/json", "/openapi.json": "application/json",
        "/v2": "application/json", "/v2/health/live": "application/json", "/v2/health/ready": "application/json", "/v2/models/efficientnet-lite0": "application/json",
        "/v2/models/efficientnet-lite0/ready": "application/json"}
BROWSER = {"Accept": "text/html"}


def refused(response, *statuses):
    """As an error of its path: KServe's below /v1/models and /v2, else a problem; what is wrong."""
    if response.url.path.startswith(("/v1/models", "/v2")):
        return kserve_error(response, *statuses)
    return problem(response, *statuses)["detail"]


@pytest.mark.parametrize("path", GETS)
def test_get(client, path):
    response = client.get(path, headers=BROWSER)
    assert response.status_code == 200
    assert response.headers["x-request-id"]
    assert response.content
    if GETS[path]:
        assert response.headers["content-type"].startswith(GETS[path])


@pytest.mark.parametrize("path", GETS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_wrong_method_names_the_right_one(client, path, method):
    response = client.request(method, path, content=b"x")
    refused(response, 405)
    assert "GET" in response.headers["allow"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_cam_wants_post(client, method):
    response = client.request(method, "/cam")
    problem(response, 405)
    assert "POST" in response.headers["allow"] and "GET" not in response.headers["allow"]


def test_head_is_get_without_body(client):
    response = client.head("/healthz")
    assert response.status_code == 200 and not response.content


@pytest.mark.parametrize("path", ["/nothing", "/cam/", "/cam/x", "/CAM", "/healthz/", "/v1/models/x", "/assets/", "/assets/nothing.js",
                                  "/favicon.xyz"])
def test_unknown_path(client, path):
    refused(client.get(path), 404)


@pytest.mark.parametrize("begin", ["/", "/assets/", "/v1/models/", "/v1/models/efficientnet-lite0"])
def test_unknown_path_is_named_even_if_it_is_long(client, begin):
    for n in 80, 94, 95, 96, 4000:
        path = begin + "x" * (n - len(begin))
        detail = refused(client.get(path), 404)
        assert path[:80] in detail or path.split("/")[-1][:40] in detail, (n, detail)


def test_unknown_path_with_a_body_is_404_and_the_connection_stays_usable(client, scene_png):
    problem(client.post("/nothing", content=scene_png), 404)
    assert client.get("/healthz").status_code == 200


@pytest.mark.hostile
@pytest.mark.parametrize("target", ["/../etc/passwd", "/assets/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
                                    "/assets/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/assets/..%5c..%5cetc",
                                    "/%00", "/cam%00", "/assets/%00.js", "/healthz%00.html", "/%", "/%zz", "/%c0%ae%c0%ae/", "/" + "a" * 4000,
                                    "/?" + "a=b&" * 500, "*", "etc/passwd"])
def test_paths_that_try_to_leave(server, target):
    with Wire(server) as wire:
        status, _, body = wire.send(request("GET", target, length=False)).response()
    assert status is None or status == 200 and target.startswith("/?") or 400 <= status < 500
    assert b"root:" not in body
    assert server.client.get("/healthz").status_code == 200


def test_page_asks_nobody_else(client):
    page = client.get("/", headers=BROWSER).text
    assert "<html" in page.lower() or "<!doctype" in page.lower()
    assets = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page)
    assert assets
    for asset in assets:
        if asset.startswith(("#", "data:", "mailto:")):
            continue
        if re.match(r"https?://", asset):  # a link for people is fine, a resource is not
            assert f'<a ' in page and not re.search(r"<(script|link|img)[^>]*" + re.escape(asset), page)
            continue
        answer = client.get(asset if asset.startswith("/") else "/" + asset)
        assert answer.status_code == 200, asset
        assert not re.search(rb"""(?:fetch\(|import |url\(|src=)\s*["']?https?://""", answer.content), asset


def test_models(client):
    assert client.get("/v1/models").json() == {"models": ["efficientnet-lite0"]}
    model = client.get("/v1/models/efficientnet-lite0").json()
    assert model["name"] == "efficientnet-lite0" and model["ready"] is True and (model["method"], model["precision"]) == ("cam", "float32")
    assert re.fullmatch(r"[0-9a-f]{64}", model["sha256"])
    assert model["input"] == {"width": 224, "height": 224, "resize": "aspect"}
    assert model["pixels"] == {"channels": "RGB", "mean": [127] * 3, "scale": [1 / 128] * 3} and model["map"] == {"resize": "half_pixel", "scale": "relu", "threshold": 0.3}
    assert model["classes"] == 1000
    assert 350e6 < model["multiply_adds"] < 450e6  # 0.78 GFLOP


def test_labels(client):
    labels = client.get("/labels").json()
    assert [c["class_id"] for c in labels] == list(range(1000))
    assert labels[0] == {"class_id": 0, "wnid": "n01440764", "label": "tench, Tinca tinca"}
    assert labels[285] == {"class_id": 285, "wnid": "n02124075", "label": "Egyptian cat"}
    assert len({c["wnid"] for c in labels}) == 1000 and all(re.fullmatch(r"n\d{8}", c["wnid"]) for c in labels)


def test_version_agrees_with_models_and_metrics(client):
    version, model = client.get("/version").json(), client.get("/v1/models/efficientnet-lite0").json()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version["version"]) and version["commit"] and version["openblas"]
    assert version["isa"] in ("portable", "x86-64-v3", "x86-64-v4")
    assert version["model"] == {"name": model["name"], "sha256": model["sha256"], "precision": "float32"} and "models" not in version
    metrics = client.get("/metrics").text
    assert f'version="{version["version"]}"' in metrics and f'sha256="{model["sha256"]}"' in metrics


def test_openapi_describes_every_route_and_parameter(client):
    document = json.loads(client.get("/openapi.json").text)
    assert document["openapi"].startswith("3.1")
    for path in [*GETS, "/cam", "/v1/models/{name}:predict", "/v1/models/{name}:explain", "/v2/models/{name}/infer"]:
        if path not in ("/", "/openapi.json"):
            assert path.replace("efficientnet-lite0", "{name}") in document["paths"], path
    text = json.dumps(document)
    for name in ("application/problem+json", "multipart/form-data", "image/png", "Retry-After"):
        assert name in text, name
    references = re.findall(r'"\$ref": "#/([^"]+)"', text)
    for reference in references:
        at = document
        for step in reference.split("/"):
            at = at[step]
    parameters = {p["name"]: p for p in (resolve(document, p) for p in document["paths"]["/cam"]["post"]["parameters"]) if p["in"] == "query"}
    assert {"top_k", "classes", "alpha", "colormap"} < set(parameters) # all of them: tests/unit/test_params.c
    assert set(parameters["colormap"]["schema"]["enum"]) == {"jet", "turbo", "viridis", "inferno", "gray", "coolwarm"}


def resolve(document, node):
    if "$ref" in node:
        at = document
        for step in node["$ref"][2:].split("/"):
            at = at[step]
        return at
    return node


@pytest.mark.parametrize("given", ["abc", "0123456789abcdef-ABCDEF_x.y", "a" * 64])
def test_plain_request_id_is_kept(client, given):
    assert client.get("/healthz", headers={"X-Request-Id": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["a b", 'a"b', "a<script>", "x" * 5000, "a\tb", "{}", "a;b=c", "\xe4", ""])
def test_other_request_ids_are_replaced(server, given):
    with Wire(server) as wire:
        _, headers, _ = wire.send(request("GET", "/nothing", headers=["X-Request-Id: " + given], length=False)).response()
    assert headers["x-request-id"] and headers["x-request-id"] != given
    assert re.fullmatch(r"[\w.:-]{1,128}", headers["x-request-id"])


def test_ids_differ(client):
    assert len({client.get("/healthz").headers["x-request-id"] for _ in range(50)}) == 50


def test_one_id_in_header_body_and_log(server, client):
    response = cam(client, b"this is no photo")
    identity = problem(response, 415)["request_id"]
    lines = [line for line in server.log().splitlines() if identity in line]
    assert len(lines) == 1, lines
    entry = json.loads(lines[0])  # CAMSERVE_LOG=json
    assert identity in entry.values() and entry["status"] == 415


def test_every_log_line_is_json_and_holds_nothing_of_the_caller(server, client):
    client.get('/x"\n\x1b[31m', headers={"User-Agent": "secret-agent"})
    entries = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    assert entries and "\x1b" not in server.log()
