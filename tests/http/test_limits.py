"""Each limit of a request: just within it all is well; beyond it a refusal that says what was given and what is allowed, or the connection's end where no
answer can be given any more."""
import socket
import time

import numpy
import pytest

import hostile
import pictures
from client import cam, explain, problem
from metrics import metric, settled
from server import PATIENCE
from wire import Wire, request

PHOTO = pictures.png(pictures.smooth(60, 40))
NOISE = pictures.png(numpy.random.default_rng(5).integers(0, 256, (500, 700, 3), numpy.uint8))
pytestmark = pytest.mark.hostile


@pytest.fixture(scope="module")
def tight(light_model):
    """Small limits of everything that is asked for with few bytes."""
    from server import Server
    it = Server(model=light_model, admin_port=0, max_headers=12, max_header_bytes=2000, max_photos=2, max_reply_bytes=3000000, teams=1)
    yield it
    it.stop()


@pytest.mark.parametrize("method,target", [("GET", "/healthz"), ("POST", "/cam")])
def test_headers(tight, method, target):
    body = PHOTO if method == "POST" else b""
    length = None if method == "POST" else False

    def ask(headers):
        with Wire(tight) as wire:
            return wire.send(request(method, target, body, headers, length)).response()
    few = [f"X-{i}: y" for i in range(10)]
    assert ask(few)[0] == 200
    status, headers, text = ask(few + ["X: y"] * 3)
    assert status == 431 and headers["content-type"] == "application/problem+json"
    assert b'"headers_too_large"' in text and b"allowed are 12" in text and (b"14 headers" in text or b"15 headers" in text)
    assert ask(["X: " + "y" * 1800])[0] == 200
    status, _, text = ask(["X: " + "y" * 2000])
    assert status == 431 and b"allowed are 2000" in text
    try:
        status, headers, text = ask(["X: " + "y" * 100000])  # more than a connection's memory: the library's own page, or the end
        assert status in (431, None) and "x-request-id" not in headers
    except ConnectionError:
        pass  # the end, while it is sent


def test_photos(tight):
    def post(n):
        return tight.client.post("/cam", files=[("image", PHOTO)] * n, params={"top_k": 1})
    assert len(post(2).json()["results"]) == 2
    problem(post(3), 400, detail=["image: 3 photos", "1 to 2"])


def test_reply(tight):
    """Refused before anything is decoded; less of it is fine."""
    wish = {"size": "original", "top_k": 3}
    before = metric(tight.admin, "camserve_stage_seconds_count", stage="decode")
    document = problem(cam(tight.client, NOISE, **wish), 422, detail="allowed are 3000000")
    assert document["code"] == "reply_too_large"
    problem(cam(tight.client, NOISE, size="original", top_k=1, classes="1,2", include="heatmap,overlay"), 422)
    assert metric(tight.admin, "camserve_stage_seconds_count", stage="decode") == before
    assert metric(tight.admin, "camserve_refused_total", reason="reply_too_large") == 2
    explain(tight.client, NOISE, **{**wish, "top_k": 1})
    explain(tight.client, NOISE, **{**wish, "include": "map"})
    explain(tight.client, NOISE, **wish, format="jpeg")
    assert cam(tight.client, NOISE, accept="image/png", size="original", top_k=10).status_code == 200


def test_reply_of_many_large_photos(client):
    """Photos of 49 megapixels, as large as they are: refused for a few hundred bytes of headers. Two make too large an answer, eight take too much
    memory on the way, and with twenty labels each of them does for itself."""
    photo = hostile.huge_png(7000, 7000)
    wish = {"size": "original", "top_k": 1}
    document = problem(client.post("/cam", files=[("image", photo)] * 2, params=wish), 422, detail="allowed are 268435456")
    assert document["code"] == "reply_too_large"
    document = problem(client.post("/cam", files=[("image", photo)] * 8, params=wish), 422, detail="allowed are 1073741824")
    assert document["code"] == "decode_budget"
    wish = {"size": "original", "top_k": 10, "classes": ",".join(str(i) for i in range(900, 910)), "include": "overlay,heatmap"}
    response = client.post("/cam", files=[("image", photo)] * 8, params=wish)
    assert response.status_code == 200
    assert [item["error"]["code"] for item in response.json()["results"]] == ["decode_budget"] * 8


def test_all_replies_together(start):
    """Answers that nobody reads are kept, up to a limit for all of them."""
    server = start(admin_port=0, replies_bytes=8000000, teams=1)
    wish = "/cam?size=original&top_k=4"
    with Wire(server) as idle:
        idle.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.send(request(target=wish, body=NOISE))
        assert idle.socket.recv(10)
        response = server.client.post(wish, content=NOISE)
        assert problem(response, 429, detail="8000000")["code"] == "busy" and int(response.headers["retry-after"]) >= 1
        assert cam(server.client, PHOTO).status_code == 200
    end = time.monotonic() + PATIENCE
    while server.client.post(wish, content=NOISE).status_code != 200:
        assert time.monotonic() < end, "the answer that was cut off still counts"
    assert settled(server)["memory"] >= 1 and not settled(server).get("queue_full")


def test_slow_upload(start):
    """Below upload_bytes_per_s it is closed long before the deadline; it never had a place in the queue. What is quick enough is served."""
    server = start(admin_port=0, upload_bytes_per_s=100000, upload_grace_ms=300, queue=1, teams=1)
    base = settled(server)
    with Wire(server, timeout=1) as wire:
        wire.send(request(length=10000000))
        with pytest.raises(OSError):
            for _ in range(100):
                wire.send(b"x" * 100)
                assert not metric(server.admin, "camserve_queue_jobs")
                time.sleep(0.1)
    assert cam(server.client, NOISE, top_k=1).status_code == 200
    end = time.monotonic() + PATIENCE
    while settled(server) != {"answered": base.get("answered", 0) + 1, "too_slow": 1}:
        assert time.monotonic() < end, settled(server)
        time.sleep(0.05)
    assert "bytes of the body in" in server.log()


def test_reader_that_does_not_read(start):
    server = start(admin_port=0, download_bytes_per_s=1073741824, request_deadline_ms=3000, drain_ms=60000)
    base = settled(server)
    with Wire(server) as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.send(request(target="/cam?size=original&top_k=10&include=overlay,heatmap", body=NOISE))
        assert wire.socket.recv(10)
        assert settled(server) in ({**base, "sending": 1}, {**base, "deadline": 1})


def test_time_to_decode(start):
    photo = pictures.jpeg(pictures.smooth(1600, 1200), progressive=True)
    server = start(decode_ms=1)
    document = problem(cam(server.client, photo), 422, detail="1 ms")
    assert document["code"] == "decode_budget" and document["stage"] == "decode"
    assert cam(server.client, PHOTO).status_code == 200
