"""Who may call: keys."""
import pathlib
import time

import pytest

import pictures
from client import problem, strict_json
from metrics import metric
from server import Server, run
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
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for line in server.log().splitlines():
            if f'"request_id":"{request_id}"' in line:
                return strict_json(line)
        time.sleep(0.02)
    raise AssertionError(f"no line of {request_id}")


def post(server, **headers):
    return server.client.post("/cam", content=PHOTO, headers={k.replace("_", "-"): v for k, v in headers.items()})


# ---- keys ----
@pytest.mark.parametrize("headers,name", [({"Authorization": f"Bearer {KEY}"}, "anna"), ({"X-Api-Key": KEY}, "anna"), ({"x-api-key": OTHER}, "line-4"),
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


@pytest.mark.parametrize("key", ["x", KEY[:-1], KEY + "x", KEY.upper(), KEY[:-1] + "f", f"{KEY},{OTHER}", "k" * 8000, "anna", f"anna {KEY}", "line-4"])
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
