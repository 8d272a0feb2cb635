"""Every way in which a request can end, made on purpose: each is counted once, under its own name, and received = answered + refused + abandoned."""
import select
import socket
import time

import pytest

import pictures
from client import cam
from load import together
from metrics import metric, read, settled, sum_of, value
from server import PATIENCE, SANITIZED
from wire import Wire, request

pytestmark = pytest.mark.concurrent
PHOTO = pictures.png(pictures.smooth(60, 40))


@pytest.fixture
def server(start):
    """Room for one request that waits."""
    return start(admin_port=0, queue=1, teams=1, threads=1, max_body_bytes=4000000, request_deadline_ms=240000, drain_ms=240000)


def wait_for(server, name, value=1, **labels):
    end = time.monotonic() + PATIENCE
    while metric(server.admin, name, **labels) != value:
        assert time.monotonic() < end, f"{name} never became {value}"
        time.sleep(0.005)


def ends(server, wanted):
    """That is how all requests have ended, once that is counted: a client may know of its end before the server has noted it."""
    end = time.monotonic() + PATIENCE
    while settled(server) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    assert settled(server) == wanted


def computed_by(server):
    """Requests of photos that a worker took."""
    return metric(server.admin, "camserve_stage_seconds_count", stage="total")


def hard_work():
    """A request that keeps the worker for a while, with few bytes."""
    side = 300 if SANITIZED else 1500
    return request(target="/cam?size=original&top_k=10&include=overlay,heatmap", body=pictures.png(pictures.smooth(side, side)))


def reset(wire):
    """Closes so that the other side gets a reset."""
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wire.socket.close()


def test_answers(server):
    client = server.client
    base = settled(server).get("answered", 0)
    statuses = [cam(client, PHOTO).status_code, cam(client, PHOTO, top_k=0).status_code, cam(client, b"GIF89a").status_code, cam(client, b"x").status_code,
                client.get("/nothing").status_code, client.put("/cam", content=b"").status_code, client.head("/version").status_code,
                cam(client, PHOTO, accept="text/html").status_code, client.get("/metrics").status_code]
    assert statuses == [200, 400, 415, 415, 404, 405, 200, 406, 404]
    with Wire(server) as wire:  # one connection, several requests at once
        wire.send(request("GET", "/version", length=False) * 3 + request(length=False))
        assert [wire.response()[0] for _ in range(4)] == [200, 200, 200, 411]
    ends(server, {"answered": base + len(statuses) + 4})


def test_too_large(server):
    base = settled(server)
    assert cam(server.client, bytes(4000001)).status_code == 413  # before its body
    with Wire(server) as wire:  # after it
        wire.send(request(headers=["Transfer-Encoding: chunked"], length=False) + (b"100000\r\n" + bytes(1 << 20) + b"\r\n") * 4 + b"0\r\n\r\n")
        assert wire.response()[0] == 413
    ends(server, {**base, "too_large": 2})


def test_too_slow(start):
    server = start(admin_port=0, idle_timeout_s=1)
    base = settled(server)
    with Wire(server) as wire:
        assert wire.send(request(length=1000, body=b"half")).closed()  # nothing moves for idle_timeout_s
    ends(server, {**base, "too_slow": 1})


def test_deadline_while_it_is_sent(start):
    server = start(admin_port=0, request_deadline_ms=800, idle_timeout_s=30)
    base = settled(server)
    with Wire(server) as wire:
        wire.send(request(length=1000, body=b"half"))
        assert wire.closed()
    with Wire(server) as wire:
        assert wire.send(b"GET /heal").closed()
    ends(server, {**base, "too_slow": 2})


def test_malformed(start):
    """What the library rejects by itself: before the request line is whole it tells nobody, and the connection's bytes say that something came."""
    server = start(admin_port=0, idle_timeout_s=2)
    base = settled(server)
    unread = [b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0" + bytes(200), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HT"]
    read_in_part = [b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", request(length="x"),
                    request(headers=["Transfer-Encoding: chunked"], length=False, body=b"xyz\r\n")]
    for data in unread + read_in_part:
        with Wire(server) as wire:
            wire.send(data)
            if data == b"GET / HT":
                wire.socket.shutdown(socket.SHUT_WR)
            assert wire.closed()
    with Wire(server):
        pass  # says nothing: no request
    ends(server, {**base, "malformed": len(unread + read_in_part)})


def test_malformed_after_good_ones(server):
    base = settled(server)
    with Wire(server) as wire:
        for _ in range(3):
            assert wire.send(request("GET", "/version", length=False)).response()[0] == 200
        assert wire.send(b"nonsense\r\n\r\n").closed()
    ends(server, {"answered": base.get("answered", 0) + 3, "malformed": 1})


def test_headers_too_large(server):
    base = settled(server)
    with Wire(server) as wire:
        try:
            wire.send(b"GET / HTTP/1.1\r\nX: " + b"y" * 200000 + b"\r\n\r\n").closed()
        except OSError:
            pass
    ends(server, {**base, "too_large": 1})


def seen_or_answered(server, name, wire):
    """Waits until the number is 1, or the wire's answer shows that it has been."""
    end = time.monotonic() + PATIENCE
    while not metric(server.admin, name) and not select.select([wire.socket], [], [], 0.001)[0]:
        assert time.monotonic() < end, f"{name} never became 1, and no answer came"


def leaves_the_queue(server):
    """One client keeps the worker busy, a second leaves. True: it had not been begun. False: the worker was faster than we are on this machine now, and both
    were computed."""
    before, computed = settled(server), computed_by(server)
    with Wire(server) as first, Wire(server) as second:
        first.send(hard_work())
        seen_or_answered(server, "camserve_workers_busy", first)
        second.send(request(body=PHOTO))
        seen_or_answered(server, "camserve_queue_jobs", second)
        second.socket.close()
        assert first.response()[0] == 200
    after = settled(server)
    queued = after.get("queued", 0) - before.get("queued", 0)
    assert queued in (0, 1) and sum(after.values()) == sum(before.values()) + 2
    assert computed_by(server) == computed + 2 - queued, "who left while waiting is not computed"
    return queued == 1


def test_clients_that_leave_the_queue(server):
    for _ in range(50):
        if leaves_the_queue(server):
            return
    raise AssertionError("a client that left while it waited was never seen to")


def test_clients_that_leave(server):
    """While their body is read, while their answer is sent."""
    base = settled(server)
    for leave in (lambda wire: wire.socket.close(), reset):
        wire = Wire(server)
        wire.send(request(length=1000, body=b"half"))
        wait_for(server, "camserve_requests_open")
        leave(wire)
        settled(server)
    ends(server, {**base, "receiving": 2})
    wire = Wire(server)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.send(request(target="/cam?size=original&top_k=10&include=overlay,heatmap", body=pictures.png(pictures.scene(700, 560))))
    assert wire.socket.recv(100)
    reset(wire)
    ends(server, {**base, "receiving": 2, "sending": 1})


def test_burst(server):
    """Twenty times what there is room for, at once, from 40 connections: each is answered or told to come back, and all are counted."""
    base = settled(server)
    photo, wish = pictures.png(pictures.smooth(300, 200) if SANITIZED else pictures.smooth(600, 400)), {"size": "original", "top_k": 5}

    def post():
        client = server.new_client()
        statuses = [cam(client, photo, **wish).status_code for _ in range(3)]
        client.close()
        return statuses

    def ask():
        """The slowest of many answers of the admin port."""
        slowest = 0
        for path in ("/healthz", "/readyz", "/metrics", "/version") * 10:
            begin = time.monotonic()
            assert server.admin.get(path).status_code == 200
            slowest = max(slowest, time.monotonic() - begin)
            time.sleep(0.005)
        return slowest
    *answers, slowest = together([post] * 40 + [ask])
    statuses = [s for answer in answers for s in answer]
    assert set(statuses) == {200, 429}
    assert slowest < PATIENCE / 2, "the admin port waited for the workers"
    ends(server, {"answered": base.get("answered", 0) + statuses.count(200), "queue_full": statuses.count(429)})
    samples = read(server.admin)
    for status in (200, 429):
        assert value(samples, "camserve_requests_total", route="/cam", status=str(status)) == statuses.count(status)


def test_admin_port_answers_at_the_connection_limit(start):
    """The main port takes no more connections; who runs the service still sees that."""
    server = start(admin_port=0, connections=12, connections_per_ip=8, http_threads=2)
    server.client.close()
    wait_for(server, "camserve_connections_open", 0)  # else its place is not free yet
    wires = [Wire(server) for _ in range(30)]
    try:
        wait_for(server, "camserve_connections_open", 8)
        wait_for(server, "camserve_connections_refused_total", 22)
        assert [server.admin.get(p).status_code for p in ("/healthz", "/readyz", "/version")] == [200] * 3
    finally:
        for wire in wires:
            wire.socket.close()
    wait_for(server, "camserve_connections_open", 0)
    samples = read(server.admin)
    assert sum_of(samples, "camserve_connections_total") >= 8


def test_ports(server, start):
    """What the service tells of itself is at the admin port alone where there is one; photos are not."""
    assert [server.client.get(p).status_code for p in ("/metrics", "/healthz", "/readyz", "/version")] == [404, 200, 200, 200]
    assert [server.admin.get(p).status_code for p in ("/metrics", "/", "/openapi.json", "/labels")] == [200, 404, 404, 404]
    assert cam(server.admin, PHOTO).status_code == 404
    assert start().client.get("/metrics").status_code == 200  # without one


def test_draining_is_seen_at_the_admin_port(server):
    """While the last requests are finished the admin port says so, to new connections, too; what comes to the main port on a connection that was told so is
    refused and counted."""
    with Wire(server) as busy, Wire(server) as late:
        assert late.send(request("GET", "/healthz", length=False)).response()[0] == 200
        data = request(body=PHOTO) + request("GET", "/version", length=False)
        busy.send(data[:-300])
        wait_for(server, "camserve_requests_open")
        server.process.terminate()
        asked = server.new_client(server.admin_port)
        while asked.get("/readyz").status_code == 200:
            time.sleep(0.005)
        assert late.send(request(body=PHOTO)).response()[0] == 503
        wait_for(server, "camserve_refused_total", reason="not_ready")
        asked.close()
        assert busy.send(data[-300:]).response()[0] == 200
    server.client.close()
    server.admin.close()
    server.check(server.wait())
