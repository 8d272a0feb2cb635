"""Many clients: the same answers as one gets, refusals that are told, clients that leave."""
import socket
import time

import pytest

import hostile
import pictures
from client import cam, problem, same
from load import together
from metrics import metric, total
from server import PATIENCE, SANITIZED
from test_process import until
from wire import Wire, request

pytestmark = pytest.mark.concurrent
CLIENTS, REQUESTS = 8, 24 if SANITIZED else 64


def mixture():
    """Photos of several shapes and parameters; some fail."""
    part = 2 if SANITIZED else 1
    photos = [pictures.png(pictures.scene(w // part, h // part, seed=w)) for w, h in ((300, 200), (224, 224), (100, 400), (640, 200))]
    photos += [pictures.jpeg(pictures.scene(333 // part, 222 // part)), b"no photo"]
    wishes = [{}, {"size": "input", "include": "overlay,heatmap,map"}, {"resize": "stretch", "colormap": "turbo"},
              {"top_k": 5, "classes": "1,999", "alpha": 0.3}]
    return [(photos[i % len(photos)], wishes[i // 2 % len(wishes)]) for i in range(REQUESTS)]


def answer(client, photo, wish):
    response = cam(client, photo, **wish)
    assert response.status_code in (200, 415), response.text
    return same(response.json())


def differing(one, other, where=""):
    """Members of the one document that the other has not, each with what both say, cut to what can be read."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [found for k in one for found in differing(one[k], other[k], f"{where}/{k}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [found for k, (a, b) in enumerate(zip(one, other)) for found in differing(a, b, f"{where}/{k}")]
    return [] if one == other else [f"{where}: {str(one)[:40]} not {str(other)[:40]}"]


def test_parallel_answers_equal_serial_ones(start):
    """64 requests by 8 clients, byte for byte what one client gets; whatever the number of teams and threads."""
    requests = mixture()
    servers = [start(teams=1, threads=1), start(teams=2, threads=2, http_threads=4), start(teams=1, threads=3)]
    serial = [answer(servers[0].client, *r) for r in requests]
    for server in servers:
        clients = [server.new_client() for _ in range(CLIENTS)]
        parallel = together([lambda c=c, i=i: [answer(c, *r) for r in requests[i::CLIENTS]] for i, c in enumerate(clients)])
        different = [(i + CLIENTS * k, differing(a, b)) for i in range(CLIENTS) for k, (a, b) in enumerate(zip(parallel[i], serial[i::CLIENTS])) if a != b]
        assert not different, f"server {servers.index(server)}: {different}"
        for c in clients:
            c.close()


def test_a_photo_among_others_answers_as_alone(client):
    photos = [pictures.png(pictures.scene(224, 224, seed=i)) for i in range(8)]
    alone = [same(cam(client, p, include="overlay,heatmap,map").json()) for p in photos]
    document = client.post("/cam", files=[("image", p) for p in photos], params={"include": "overlay,heatmap,map"}).json()
    for a, r in zip(alone, document["results"]):
        assert r == {k: a[k] for k in ("image", "input", "predictions")}


def slow_photo():
    return pictures.png(pictures.scene(300, 200) if SANITIZED else pictures.scene(2000, 1500))


def few_bytes_much_work():
    return pictures.png(pictures.smooth(300, 200) if SANITIZED else pictures.smooth(2000, 1500), compress_level=6)


def test_burst_answers_200_and_429_only(start):
    """40 at once into room for two: some are served, the others told when to come back; health answers all the while; counters add up."""
    server = start(queue=1, teams=1, threads=1)
    photo, health = slow_photo(), server.new_client()

    def post():
        client = server.new_client()
        response = cam(client, photo, size="original")
        client.close()
        return response

    def ask_health():
        times = []
        for _ in range(20):
            begin = time.monotonic()
            assert health.get("/healthz").status_code == 200
            times.append(time.monotonic() - begin)
        return max(times)
    results = together([post] * 40 + [ask_health])
    assert results.pop() < PATIENCE / 4
    busy = [r for r in results if r.status_code == 429]
    assert {r.status_code for r in results} == {200, 429}
    for response in busy:
        assert problem(response, 429)["code"] == "busy"
        assert 1 <= int(response.headers["retry-after"]) <= 3600
    text = server.client.get("/metrics").text
    assert f'status="429"}} {len(busy)}\n' in text
    assert total(server.client, "camserve_refused_total") == len(busy)
    assert cam(server.client, photo).status_code == 200, "served again once the burst is over"


def test_full_queue_is_told_before_the_body(start):
    server = start(queue=1, teams=1, threads=1)
    for _ in range(50):  # on a busy machine the worker may be done before the late one asks
        if late_is_refused(server):
            return
    raise AssertionError("a full queue was never told")


def late_is_refused(server):
    """Fills the worker and the queue and announces one more body: whether the answer is 429 at once, not 100."""
    photo, wish = few_bytes_much_work(), "/cam?size=original&top_k=10&include=overlay,heatmap"
    wires = [Wire(server) for _ in range(6)]
    try:
        for wire in wires:  # one into the worker, one into the queue, the others nowhere
            wire.send(request(target=wish, body=photo))
        with Wire(server) as late:
            late.send(request(headers=["Expect: 100-continue"], length=len(photo)))
            assert late._more()
            told = not late.buffer.startswith(b"HTTP/1.1 100 ")
            if told:
                status, headers, _ = late.response()
                assert status == 429 and int(headers["retry-after"]) >= 1
        assert {wire.response()[0] for wire in wires} <= {200, 429}
        return told
    finally:
        for wire in wires:
            wire.socket.close()


def test_clients_that_leave_while_queued(start):
    server = start(queue=32, teams=1, threads=1)
    photo = slow_photo()
    for linger in (False, True):
        left = metric(server.client, "camserve_abandoned_total", reason="queued")
        wires = [Wire(server) for _ in range(10)]
        for wire in wires:
            wire.send(request(body=photo))
        until(lambda: metric(server.client, "camserve_queue_jobs") >= 3, "they never waited")
        for wire in wires:
            if linger:
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.socket.close()
        assert cam(server.client, pictures.png(pictures.smooth(50, 50))).status_code == 200
        assert metric(server.client, "camserve_abandoned_total", reason="queued") > left, "they were computed as if they were there"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and total(server.client, "camserve_queue_jobs") + total(server.client, "camserve_workers_busy"):
        time.sleep(0.1)
    assert total(server.client, "camserve_queue_jobs") == 0 and total(server.client, "camserve_workers_busy") == 0


def test_deadline_while_queued_is_503(start):
    """A request that waited too long is told so, not computed. How many have to come together for that is up to the machine."""
    photo, wish = few_bytes_much_work(), {"size": "original", "top_k": 6}
    server = start(queue=64, teams=1, threads=1, request_deadline_ms=300)

    def post():
        client = server.new_client()
        response = cam(client, photo, **wish)
        client.close()
        return response
    for clients in (6, 12, 24, 48):
        responses = together([post] * clients)
        assert {r.status_code for r in responses} <= {200, 503}
        late = [r for r in responses if r.status_code == 503]
        assert all(problem(r, 503)["code"] == "deadline" for r in late)
        if [r for r in late if r.json().get("stage", "queue") == "queue"]:
            break
    else:
        raise AssertionError("none waited too long")
    assert server.client.get("/healthz").status_code == 200


def test_hostile_and_good_mixed_at_once(server):
    good = pictures.png(pictures.scene(200, 150))
    bad = [hostile.scans_jpeg(300), hostile.huge_jpeg(), b"x", hostile.half(pictures.jpeg(pictures.scene(300, 300))), hostile.huge_png()]
    want = same(cam(server.client, good).json())

    def loop(i):
        client = server.new_client()
        for k in range(6):
            if i % 2:
                assert same(cam(client, good).json()) == want
            else:
                problem(cam(client, bad[(i + k) % len(bad)]), 415, 422)
        client.close()
    together([lambda i=i: loop(i) for i in range(8)])
