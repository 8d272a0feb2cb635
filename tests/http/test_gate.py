"""Who may call, and from where: keys, pages of other sites, what every answer says to browsers; and what the log says of a request."""
import pathlib
import re
import time

import pytest

import pictures
from client import problem, strict_json
from metrics import metric
from server import PATIENCE, ROOT, Server, run
from wire import Wire, request

PHOTO = pictures.png(pictures.smooth(60, 40))
KEY, OTHER = "correct-horse-battery-staple", "n0-b4d-k3y/with+odd=characters~"
pytestmark = pytest.mark.hostile


@pytest.fixture(scope="module")
def gated(light_model, tmp_path_factory):
    """Two keys, one of them named."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(f"# who may call\n\nanna {KEY}\n{OTHER}\n")
    it = Server(model=light_model, keys=path, idle_timeout_s=5)
    yield it
    it.stop()


def log_line(server, request_id):
    """The log line of that request."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for line in server.log().splitlines():
            if f'"request_id":"{request_id}"' in line:
                return strict_json(line)
        time.sleep(0.02)
    raise AssertionError(f"no line of {request_id}")


def post(server, **headers):
    return server.client.post("/cam", content=PHOTO, headers={k.replace("_", "-"): v for k, v in headers.items()})


# ---- keys ----
@pytest.mark.parametrize("headers,name", [
    ({"Authorization": f"Bearer {KEY}"}, "anna"), ({"X-Api-Key": KEY}, "anna"), ({"x-api-key": OTHER}, "line-4"),
    ({"authorization": f"bearer  {OTHER}"}, "line-4"), ({"Authorization": "Basic YTpi", "X-API-Key": KEY}, "anna")])
def test_a_right_key(gated, headers, name):
    response = post(gated, **headers)
    assert response.status_code == 200
    assert log_line(gated, response.headers["x-request-id"])["key"] == name


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": KEY}, {"Cookie": f"key={KEY}"}])
def test_no_key(gated, headers):
    response = post(gated, **headers)
    assert problem(response, 401, detail="missing")["code"] == "unauthorized"
    assert response.headers["www-authenticate"] == 'Bearer realm="camserve"'
    assert "key" not in log_line(gated, response.headers["x-request-id"])


@pytest.mark.parametrize("key", [
    "x", KEY[:-1], KEY + "x", KEY.upper(), KEY[:-1] + "f", f"{KEY},{OTHER}", "k" * 8000, "anna", f"anna {KEY}", "line-4"])
def test_a_wrong_key(gated, key):
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-Api-Key": key}):
        response = post(gated, **headers)
        problem(response, 401, detail="wrong")
        assert 'error="invalid_token"' in response.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/healthz", "/readyz", "/version", "/labels", "/v1/models", "/openapi.json"])
def test_what_is_open_to_all(gated, path):
    assert gated.client.get(path).status_code == 200
    assert gated.client.get(path, headers={"X-Api-Key": "wrong"}).status_code == 200


def test_metrics_want_a_key(gated):
    problem(gated.client.get("/metrics"), 401)
    assert gated.client.get("/metrics", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


def test_401_before_the_body_is_read(gated):
    """Whether it is announced, sent or withheld."""
    for headers in (["Expect: 100-continue"], []):
        for lines, length in ((headers, 1000000), (headers + ["Transfer-Encoding: chunked"], False)):
            with Wire(gated) as wire:
                status, answer, body = wire.send(request(headers=lines, length=length)).response()
                assert status == 401 and b'"unauthorized"' in body and wire.closed()
    with Wire(gated) as wire:  # all of it sent at once: the answer is not lost to a reset
        wire.send(request(body=bytes(3000000)))
        assert wire.response()[0] == 401
    with Wire(gated) as wire:
        wire.send(request(headers=["Expect: 100-continue", f"X-Api-Key: {KEY}"], length=len(PHOTO)))
        assert wire._more() and wire.buffer.startswith(b"HTTP/1.1 100")
        assert wire.send(PHOTO).response()[0] == 200


def test_refusals_are_counted(gated):
    with gated.new_client() as client:
        client.headers["X-Api-Key"] = KEY
        before = metric(client, "camserve_refused_total", reason="unauthorized")
        for _ in range(3):
            post(gated)
        assert metric(client, "camserve_refused_total", reason="unauthorized") == before + 3


def test_keys_are_never_written(gated):
    assert post(gated, authorization=f"Bearer {KEY}").status_code == 200
    assert KEY not in gated.log() and OTHER not in gated.log() and KEY[:12] not in gated.log()
    command = pathlib.Path(f"/proc/{gated.process.pid}/cmdline").read_bytes()
    assert KEY.encode() not in command


@pytest.mark.parametrize("text,said", [("short\n", ":1: a key of 5 characters; allowed are 16 to 256"), ("# nobody\n", "there is no key in it"),
                                       (f"{KEY}\n\nanna {KEY}\n", ":3: the key of line 1 once more"), ("", "0 bytes"), (None, "No such file")])
def test_a_file_that_is_wrong(tmp_path, text, said):
    path = tmp_path / "keys"
    if text is not None:
        path.write_text(text)
    result = run("serve", keys=path, port=0)
    assert result.returncode in (1, 2) and said.encode() in result.stderr and str(path)[-40:].encode() in result.stderr, result.stderr
    assert KEY.encode() not in result.stderr


# ---- pages of other sites ----
ORIGIN = "https://photos.example"


@pytest.fixture(scope="module")
def shared(light_model, tmp_path_factory):
    """Pages of two origins may call, with a key."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text(KEY)
    it = Server(model=light_model, keys=path, cors=f"{ORIGIN}, http://localhost:3000")
    yield it
    it.stop()


def words(response, name):
    return {w.strip().lower() for w in response.headers[name].split(",")}


def preflight(server, origin=ORIGIN, method="POST", path="/cam", headers="authorization,content-type"):
    return server.client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers})


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:3000"])
def test_preflight(shared, origin):
    response = preflight(shared, origin)
    assert response.status_code == 204 and not response.content
    assert "content-length" not in response.headers or response.headers["content-length"] == "0"
    assert response.headers["access-control-allow-origin"] == origin and words(response, "vary") == {"origin"}
    assert words(response, "access-control-allow-methods") == {"post"}
    assert {"authorization", "content-type", "x-api-key", "x-request-id", "traceparent"} <= words(response, "access-control-allow-headers")
    assert int(response.headers["access-control-max-age"]) > 0
    assert "access-control-allow-credentials" not in response.headers and "content-type" not in response.headers
    assert log_line(shared, response.headers["x-request-id"])["status"] == 204
    assert words(preflight(shared, path="/labels", method="GET"), "access-control-allow-methods") == {"get"}


def test_preflight_that_fails(shared):
    for origin in ("https://photos.example.evil", "https://PHOTOS.example", "http://photos.example", "null", "https://photos.example:443",
                   "x" * 4000):
        response = preflight(shared, origin)
        problem(response, 405)
        assert "access-control-allow-origin" not in response.headers and words(response, "vary") == {"origin"}
    problem(preflight(shared, method="PUT"), 405)
    problem(preflight(shared, path="/nothing"), 404)
    problem(shared.client.options("/cam"), 405)
    with Wire(shared) as wire:
        wire.send(request("OPTIONS", headers=[f"Origin: {ORIGIN}", "Access-Control-Request-Method: POST"], body=b"x"))
        assert wire.response()[0] == 400


def test_answers_to_pages_of_other_sites(shared):
    """Errors too: a page sees why it was refused, and what it may do about it."""
    for status, response in ((200, post(shared, origin=ORIGIN, x_api_key=KEY)), (401, post(shared, origin=ORIGIN)),
                             (200, shared.client.get("/labels", headers={"Origin": ORIGIN})),
                             (404, shared.client.get("/nothing", headers={"Origin": ORIGIN})),
                             (413, shared.client.post("/cam", content=bytes(21000000), headers={"Origin": ORIGIN, "X-Api-Key": KEY}))):
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == ORIGIN and words(response, "vary") == {"origin"}
        exposed = words(response, "access-control-expose-headers")
        assert {"x-request-id", "retry-after", "x-cam-label", "x-cam-class-id", "x-cam-probability", "www-authenticate"} <= exposed
    for headers in ({}, {"Origin": "https://other.example"}):
        response = shared.client.get("/labels", headers=headers)
        assert response.status_code == 200 and "access-control-allow-origin" not in response.headers and words(response, "vary") == {"origin"}


def test_any_page_may_call(start):
    server = start(cors="*")
    for headers in ({}, {"Origin": ORIGIN}, {"Origin": "null"}):
        response = server.client.get("/labels", headers=headers)
        assert response.headers["access-control-allow-origin"] == "*" and "vary" not in response.headers
    assert preflight(server, "null").status_code == 204


def test_no_page_may_call_unless_told(client):
    response = client.get("/labels", headers={"Origin": ORIGIN})
    assert not [h for h in response.headers if h.startswith("access-control")] and "vary" not in response.headers
    problem(client.options("/cam", headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}), 405)


@pytest.mark.parametrize("origins,said", [
    ("photos.example", "https://example.org"), ("https://a.example/", "slash"), ("https://a.example,*", "alone"), ("null", "null")])
def test_origins_that_are_wrong(origins, said):
    result = run("serve", cors=origins, port=0)
    assert result.returncode == 2 and b"cors: " in result.stderr and said.encode() in result.stderr


# ---- what browsers are told ----
def test_every_answer_is_safe_to_show(client, server):
    with Wire(server) as wire:
        _, early, _ = wire.send(request(length=1 << 40)).response()
    answers = client.get("/"), client.get("/nothing"), client.get("/assets/icon.svg"), client.post("/cam", content=PHOTO)
    for headers in (*(answer.headers for answer in answers), early):
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert "strict-transport-security" not in headers  # it is plain HTTP: RFC 6797 section 7.2
        policy = dict((part.split() + [""])[:1] + [part.split()[1:]] for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == ["'none'"]
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == ["'self'"]
        assert not [s for sources in policy.values() for s in sources if "unsafe" in s or "*" in s or s in ("http:", "https:")]


def test_the_page_needs_nothing_that_the_policy_forbids(client):
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|<[^>]+\s(style|on\w+)=|javascript:|<base|<iframe|<object|<embed", page, re.I)
    scripts = sorted((ROOT / "static").glob("*.js"))
    assert len(scripts) > 10
    for path in scripts:
        script = client.get(f"/assets/{path.name}").text
        assert script == path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\('style'|srcdoc", script)


# ---- traces ----
def test_a_trace_goes_into_the_log(client, server):
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    line = log_line(server, client.get("/version", headers={"traceparent": f"00-{trace}-{parent}-01"}).headers["x-request-id"])
    assert line["trace_id"] == trace and line["parent_id"] == parent
    for value in (f"00-{trace}-{parent}", f"00-{trace.upper()}-{parent}-01", f"00-{'0' * 32}-{parent}-01", "x" * 5000, '"}'):
        response = client.get("/version", headers={"traceparent": value})
        assert response.status_code == 200 and "trace_id" not in log_line(server, response.headers["x-request-id"])
    with Wire(server) as wire:
        _, headers, _ = wire.send(request("GET", "/version", headers=[f"traceparent: 00-{trace}-{parent}-01"] * 2, length=False)).response()
    assert "trace_id" not in log_line(server, headers["x-request-id"])


# ---- the log ----
def test_a_line_has_everything(gated, scene_png):
    headers = {"X-Api-Key": KEY, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    response = gated.client.post("/cam", content=scene_png, headers=headers)
    line = log_line(gated, response.headers["x-request-id"])
    want = {"peer": "127.0.0.1", "key": "anna", "method": "POST", "route": "/cam", "status": 200, "in": len(scene_png),
            "out": len(response.content), "photos": 1, "format": "png",
            "width": 300, "height": 200, "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "parent_id": "00f067aa0ba902b7"}
    assert want == {name: line[name] for name in want}
    assert {"time", "queue_ms", "decode_ms", "resize_ms", "forward_ms", "cam_ms", "render_ms", "total_ms"} < set(line)
    response = gated.client.post("/cam", content=b"no photo", headers=headers)
    line = log_line(gated, response.headers["x-request-id"])
    assert line["status"] == 415 and line["code"] == "unsupported_format" and line["stage"] == "decode" and line["key"] == "anna"


def test_no_caller_breaks_a_line(gated):
    evil = b'"},{\\"status":200,\x1b[2J\xc3\xa4\x7f'
    for data in (b"GET /" + evil + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /%0A%22%7D%0D%0A HTTP/1.1\r\nHost: a\r\n\r\n",
                 b'G"\\T /cam HTTP/1.1\r\nHost: a\r\n\r\n',
                 b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + evil + b"\r\ntraceparent: "
                 + evil + b"\r\nX-Api-Key: " + evil + b"\r\nOrigin: " + evil + b"\r\n\r\n",
                 b"POST /cam?" + evil + b"=1 HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + KEY.encode() + b"\r\nContent-Length: 1\r\n\r\nx"):
        with Wire(gated) as wire:
            wire.send(data).response()
    assert gated.client.get("/healthz").status_code == 200
    lines = gated.log().splitlines()
    assert not [c for c in gated.log() if c != "\n" and not " " <= c <= "~"]
    assert sum(not line.startswith("{") for line in lines) == 2  # the welcome
    for line in lines:
        if line.startswith("{"):
            assert {"time"} < set(strict_json(line))
