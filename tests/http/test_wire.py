"""The HTTP below the contract: connections kept, pipelined, slow, half open; lengths that lie. What libmicrohttpd itself rejects may get its
own page or a closed connection; in every case the program lives and answers the next caller."""
import socket
import time

import pytest

import pictures
from metrics import ledger, read
from server import PATIENCE, Server
from wire import Wire, request

pytestmark = pytest.mark.hostile
PHOTO = pictures.png(pictures.smooth(60, 40))


@pytest.fixture(autouse=True)
def lives(server):
    yield
    assert server.process.poll() is None
    assert server.client.get("/healthz").status_code == 200


@pytest.fixture(scope="module")
def impatient(light_model):
    """For what is never whole: the library waits for the rest until it loses patience."""
    it = Server(model=light_model, idle_timeout_s=1)
    yield it
    it.stop()


def test_keep_alive_over_many_kinds(server):
    with Wire(server) as wire:
        for _ in range(5):
            assert wire.send(request(body=PHOTO)).response()[0] == 200
            assert wire.send(request(body=b"no photo")).response()[0] == 415
            assert wire.send(request("GET", "/nothing", length=False)).response()[0] == 404
            assert wire.send(request("GET", "/healthz", length=False)).response()[0] == 200


def test_pipelining_keeps_the_order(server):
    with Wire(server) as wire:
        wire.send(request(body=PHOTO, target="/cam?top_k=1") + request("GET", "/healthz", length=False) + request(body=b"no photo"))
        wire.send(request(body=PHOTO, target="/cam?top_k=2") + request("GET", "/version", length=False))
        answers = [wire.response() for _ in range(5)]
    assert [a[0] for a in answers] == [200, 200, 415, 200, 200]
    assert answers[0][2].count(b'"rank"') == 1 and answers[3][2].count(b'"rank"') == 2 and b"openblas" in answers[4][2]


def test_connection_close_and_http_1_0(server):
    with Wire(server) as wire:
        status, headers, _ = wire.send(request(body=PHOTO, headers=["Connection: close"])).response()
        assert status == 200 and headers.get("connection", "").lower() == "close" and wire.closed()
    with Wire(server) as wire:
        wire.send(b"POST /cam HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(PHOTO) + PHOTO)
        assert wire.response()[0] == 200 and wire.closed()


def test_expect_100_continue(server):
    with Wire(server) as wire:
        wire.send(request(headers=["Expect: 100-continue"], length=len(PHOTO)))
        time.sleep(0.1)
        assert wire.send(PHOTO).response()[0] == 200


def test_expect_100_continue_is_refused_early(server):
    """A body of 1 GB is refused before it is sent."""
    with Wire(server) as wire:
        status, headers, _ = wire.send(request(headers=["Expect: 100-continue"], length=1 << 30)).response()
    assert status == 413 and headers["content-type"].startswith("application/problem+json")


@pytest.mark.parametrize("length", [20971521, 1 << 31, 1 << 40, (1 << 63) - 1])
def test_declared_length_over_the_limit(server, length):
    with Wire(server) as wire:
        status, headers, body = wire.send(request(length=length)).response()
    assert status == 413 and headers["content-type"].startswith("application/problem+json") and b"20971520" in body


@pytest.mark.parametrize("lines", [
    ["Content-Length: -1"], ["Content-Length: x"], ["Content-Length: 18446744073709551616"], ["Content-Length: 5", "Content-Length: 6"],
    ["Content-Length: 5, 6"],
    ["Content-Length: 5", "Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 5"], ["Transfer-Encoding: gzip"],
    ["Transfer-Encoding: gzip, chunked"],
    ["Transfer-Encoding: identity"], ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], ["Transfer-Encoding: xchunked"],
    ["Transfer-Encoding : chunked"], ["Content-Length: +5"], ["Content-Length: 0x5"]])
def test_lengths_that_lie(server, lines):
    """Never taken for two requests: the smuggled GET must not be answered as one after a refusal."""
    with Wire(server, timeout=20) as wire:
        wire.send(request(headers=lines, length=False, body=b"0\r\n\r\nGET /version HTTP/1.1\r\nHost: a\r\n\r\n"))
        status, _, _ = wire.response()
        assert status is None or 400 <= status < 600 and status != 500
        after = wire.response()[0] if status else None
        assert after is None or after in (400, 404, 405, 413, 501), after


@pytest.mark.parametrize("line", ["Content-Length : %d", "Content-Length\t: %d", "Content-Length: %d\r\nContent-Length: 0", "Transfer-Encoding : chunked",
                                  "X Y: z", "Host: b"])
def test_what_another_reads_as_a_body_is_no_second_request(server, line):
    """A proxy that takes the line for what it looks like sends the second request as a body: RFC 9112 section 5.1."""
    second = b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"
    with Wire(server, timeout=20) as wire:
        wire.send(request("GET", "/healthz", headers=[line.replace("%d", str(len(second)))], length=False, body=second))
        assert wire.response()[0] == 400 and (line == "Host: b" or wire.closed())


@pytest.mark.parametrize("data", [
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(200),
    b"POST /cam HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"y" * 200000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n: \r\n\r\n",
    b"\0" * 5000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"G\xff\xfeT / HTTP/1.1\r\n\r\n", b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"BREW /cam HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_not_quite_http(impatient, data):
    with Wire(impatient, timeout=30) as wire:
        try:
            wire.send(data)
            wire.socket.shutdown(socket.SHUT_WR)
            status = wire.response()[0]
        except TimeoutError:
            raise  # neither answered nor closed
        except OSError:
            status = None
    assert status is None or 200 <= status < 600 and status != 500


CHUNKS = {"size not hexadecimal": b"xyz\r\nabc\r\n0\r\n\r\n", "huge size": b"ffffffffffffffff\r\nabc", "size over 64 bit": b"1" * 40 + b"\r\nabc",
          "negative": b"-1\r\nabc\r\n0\r\n\r\n",
          "long extension": b"1;" + b"e" * 100000 + b"\r\na\r\n0\r\n\r\n", "no newline": b"5\r\nabcdefgh\r\n0\r\n\r\n",
          "trailers": b"1\r\na\r\n0\r\n" + b"T: t\r\n" * 3000 + b"\r\n"}


@pytest.mark.parametrize("name", CHUNKS)
def test_broken_chunks(impatient, name):
    with Wire(impatient, timeout=30) as wire:
        try:
            wire.send(request(headers=["Transfer-Encoding: chunked"], length=False, body=CHUNKS[name]))
            wire.socket.shutdown(socket.SHUT_WR)
            status, headers, _ = wire.response()
        except TimeoutError:
            raise  # neither answered nor closed
        except OSError:
            status, headers = None, {}
    assert status is None or 400 <= status < 600
    assert status != 500 or "x-request-id" not in headers  # libmicrohttpd's own, for a line of a chunk that does not fit its memory


def test_chunked_photo_byte_by_byte(server):
    body = b"".join(b"1\r\n" + bytes([b]) + b"\r\n" for b in PHOTO) + b"0\r\n\r\n"
    with Wire(server) as wire:
        assert wire.send(request(headers=["Transfer-Encoding: chunked"], length=False, body=body)).response()[0] == 200


def test_slow_body_is_closed_at_the_deadline(start):
    """One byte at a time never outlives the deadline of the whole request."""
    server = start(request_deadline_ms=1500, idle_timeout_s=10)
    begin = time.monotonic()
    with Wire(server, timeout=1) as wire:
        wire.send(request(length=1000))
        try:
            for _ in range(300):
                wire.send(b"x")
                time.sleep(0.1)
            ended = False
        except OSError:
            ended = True
    assert ended and time.monotonic() - begin < 20
    assert server.client.post("/cam", content=PHOTO).status_code == 200
    assert ledger(read(server.client))["too_slow"] == 1


def test_body_that_stops_is_closed(start):
    server = start(request_deadline_ms=60000, idle_timeout_s=1)
    with Wire(server, timeout=30) as wire:
        assert wire.send(request(length=1000, body=b"half")).closed()
    with Wire(server, timeout=30) as wire:
        assert wire.send(b"GET / HT").closed()
    with Wire(server, timeout=30) as wire:
        assert wire.closed()  # said nothing at all


def test_half_closed_client_still_gets_its_answer(server):
    with Wire(server) as wire:
        wire.send(request(body=PHOTO, headers=["Connection: close"]))
        wire.socket.shutdown(socket.SHUT_WR)
        status = wire.response()[0]
    assert status in (200, None)  # None: taken for a client that left


def test_clients_that_reset_in_the_middle(server):
    for cut in (10, 60, 100, len(PHOTO)):
        for _ in range(5):
            wire = Wire(server)
            wire.send(request(body=PHOTO)[:cut + 40])
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close sends RST
            wire.socket.close()
    assert server.client.post("/cam", content=PHOTO).status_code == 200


def test_client_that_reads_slowly_gets_all(server):
    with Wire(server) as wire:
        big = pictures.png(pictures.scene(1200, 900))
        wire.send(request(target="/cam?size=original&top_k=3&include=overlay,heatmap", body=big))
        time.sleep(2)  # the sockets' buffers are full long before
        status, headers, body = wire.response()
    assert status == 200 and len(body) == int(headers["content-length"]) and body.endswith(b"}")


def test_idle_connections_do_not_stop_others(server):
    wires = [Wire(server) for _ in range(100)]
    try:
        for wire in wires[:50]:
            wire.send(b"POST /cam HT")
        assert server.client.post("/cam", content=PHOTO).status_code == 200
    finally:
        for wire in wires:
            wire.socket.close()


def test_connection_limits_hold(start):
    server = start(connections=60, connections_per_ip=20)
    wires = [Wire(server) for _ in range(40)]
    try:
        answers = []
        for wire in wires:
            try:
                answers.append(wire.send(request("GET", "/healthz", length=False)).response()[0])
            except OSError:
                answers.append(None)
        assert 10 <= answers.count(200) <= 20 and answers.count(200) + answers.count(None) == 40
    finally:
        for wire in wires:
            wire.socket.close()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with Wire(server) as wire:
            try:
                if wire.send(request("GET", "/healthz", length=False)).response()[0] == 200:
                    return
            except OSError:
                pass  # closed before it was sent
        time.sleep(0.1)
    raise AssertionError("places of closed connections never came back")
