"""HTTP as few clients write it: what RFC 9110 and 9112 allow is served, what they forbid gets one 400 or the connection's end, and a body
that grows past its limit is read on into nothing, so that its sender hears why."""
import base64
import time

import pytest

import pictures
from client import PROBLEM_MEMBERS, strict_json
from metrics import metric
from server import PATIENCE
from wire import Wire, request

pytestmark = pytest.mark.hostile
PHOTO = pictures.png(pictures.smooth(60, 40))
WAIT_S = 30  # far longer than any of these answers takes, far shorter than a run may


@pytest.fixture(autouse=True)
def lives(server):
    yield
    assert server.process.poll() is None
    assert server.client.get("/healthz").status_code == 200


def ask(server, data):
    """(status, headers, body) of the first answer to these bytes; status None: closed without one."""
    with Wire(server, timeout=WAIT_S) as wire:
        return wire.send(data).response()


# ---- allowed ----
@pytest.mark.parametrize("values,given", [
    (["text/html", "image/png"], "image/png"), (["image/png", "text/html"], "image/png"), (["image/png;q=0.5", "image/jpeg"], "image/jpeg"),
    (["image/jpeg", "image/png;q=0.5", "text/plain"], "image/jpeg"), (["application/json;q=0.1", "", "image/png;q=0.2"], "image/png"),
    (["image/png;q=0", "*/*;q=0.1"], "application/json"), (["text/html", "application/xml"], None)])
def test_lines_of_accept_are_one_list(server, values, given):
    """RFC 9110 section 5.3: lines of one name are one list, in their order."""
    status, headers, _ = ask(server, request(body=PHOTO, headers=[f"Accept: {value}" for value in values]))
    assert status == (200 if given else 406)
    assert not given or headers["content-type"] == given


@pytest.mark.parametrize("method,target,body,expected", [
    ("GET", "http://localhost/version", b"", b'"openblas"'), ("GET", "http://photos.example:8080/version", b"", b'"openblas"'),
    ("GET", "HTTP://LOCALHOST/version?x=1", b"", b'"openblas"'), ("GET", "https://photos.example/version", b"", b'"openblas"'),
    ("GET", "http://[::1]:80/version", b"", b'"openblas"'), ("GET", "http://localhost", b"", b"<html"), ("GET", "http://localhost/", b"", b"<html"),
    ("POST", "http://localhost/cam?top_k=1", PHOTO, b'"predictions"')], ids=range(8))
def test_absolute_form(server, method, target, body, expected):
    """RFC 9112 section 3.2.2: a server must accept it from anyone, whatever it says before the path."""
    status, _, answer = ask(server, request(method, target, body, length=None if body else False))
    assert status == 200 and expected in answer and answer.count(b'"rank"') in (0, 1)


def test_absolute_form_is_no_other_route(server):
    """It is the path that is looked for, and the method's answer is that of the path."""
    assert ask(server, request("GET", "http://localhost/nothing", length=False))[0] == 404
    status, headers, _ = ask(server, request("GET", "http://localhost/cam", length=False))
    assert status == 405 and headers["allow"] == "POST"
    assert ask(server, request("GET", "/http://localhost/version", length=False))[0] == 404


# ---- forbidden ----
FORMS = {
    "NUL after the path": b"GET /version\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL and more path": b"GET /version\0.json HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the path": b"GET /ver\0sion HTTP/1.1\r\nHost: a\r\n\r\n",
    "%00 after the path": b"GET /version%00 HTTP/1.1\r\nHost: a\r\n\r\n",
    "%00 and more path": b"GET /version%00/../cam HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in the query": b"GET /version?a=\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in a value": b"GET /version HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "NUL after a value": b"GET /version HTTP/1.1\r\nHost: a\r\nX: a\0\r\n\r\n",
    "NUL in a name": b"GET /version HTTP/1.1\r\nHost: a\r\nX\0Y: a\r\n\r\n",
    "NUL in Host": b"GET /version HTTP/1.1\r\nHost: a\0.example\r\n\r\n",
    "no name": b"GET /version HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n",
    "no name, first": b"GET /version HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n",
    "no name and no value": b"GET /version HTTP/1.1\r\nHost: a\r\n:\r\n\r\n",
    "all lines end in LF": b"GET /version HTTP/1.1\nHost: a\n\n",
    "the request line ends in LF": b"GET /version HTTP/1.1\nHost: a\r\n\r\n",
    "a header ends in LF": b"GET /version HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "the last line is LF": b"GET /version HTTP/1.1\r\nHost: a\r\n\n",
    "a header folded by a blank": b"GET /version HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n",
    "a header folded by a tab": b"GET /version HTTP/1.1\r\nHost: a\r\nX: b\r\n\tc\r\n\r\n",
    "a header folded to nothing": b"GET /version HTTP/1.1\r\nHost: a\r\nX: b\r\n \r\n\r\n",
    "a length that is folded": b"GET /version HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n 5\r\n\r\nabcde",
    "the first header begins with a blank": b"GET /version HTTP/1.1\r\n Host: a\r\n\r\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_that_are_forbidden(server, form):
    """RFC 9112 sections 2.2, 3, 5.1 and 5.2, RFC 9110 section 5.5: who reads them otherwise than a proxy before it can be lied to."""
    refusals = (400, None, 404) if "%00" in form else (400, None)  # what is escaped is a path like any other, that nobody has
    assert ask(server, FORMS[form])[0] in refusals
    pieces = FORMS[form]
    with Wire(server, timeout=WAIT_S) as wire:  # and however it is cut into packets
        try:
            for i in range(0, len(pieces), 7):
                wire.send(pieces[i:i + 7])
            assert wire.response()[0] in refusals
        except ConnectionError:
            pass  # closed before all of it was sent


@pytest.mark.parametrize("form", ["NUL after a value", "no name", "a header ends in LF", "a header folded by a blank"])
def test_forbidden_forms_with_a_photo(server, form):
    """The same line before a body: nothing is computed."""
    before = metric(server.client, "camserve_stage_seconds_count", stage="total")
    head, data = FORMS[form].replace(b"GET /version", b"POST /cam").rsplit(b"\r\n\r\n", 1)
    with Wire(server, timeout=WAIT_S) as wire:
        try:
            status = wire.send(head + b"\r\nContent-Length: %d\r\n\r\n" % len(PHOTO) + data + PHOTO).response()[0]
        except ConnectionError:
            status = None
    assert status in (400, None)
    assert metric(server.client, "camserve_stage_seconds_count", stage="total") == before


@pytest.mark.parametrize("method,target", [("POST", "/cam"), ("GET", "/version"), ("POST", "/nothing")])
@pytest.mark.parametrize("value", ["x", "-1", "+5", "0x5", "5x", "5 5", "1.5", "18446744073709551616", "9" * 40, "5;", "5,", ""])
def test_a_bad_length_gets_one_answer(server, method, target, value):
    """And then the connection's end: where the next request begins is not known."""
    with Wire(server, timeout=WAIT_S) as wire:
        wire.send(request(method, target, headers=[f"Content-Length: {value}"], length=False) + b"abcdeGET /version HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.closed()
    assert wire.buffer.count(b"HTTP/1.") == 1, wire.buffer
    status = int(wire.buffer.split(b" ", 2)[1])
    assert status in (400, 413) and b'"openblas"' not in wire.buffer


# ---- a body that grows past its limit ----
def chunked(headers=()):
    return request(headers=["Transfer-Encoding: chunked", *headers], length=False)


def chunk(data):
    return b"%x\r\n" % len(data) + data + b"\r\n"


@pytest.fixture(scope="module")
def narrow(light_model):
    from server import Server
    it = Server(model=light_model, max_body_bytes=100000, admin_port=0)
    yield it
    it.stop()


FORM = (b'--b0und\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n', "multipart/form-data; boundary=b0und")
KINDS = {"a photo": (b"", "image/png"), "a form": FORM, "JSON": (b'{"image": "', "application/json")}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [100001, 3000000])
def test_chunks_past_the_limit(narrow, kind, size):
    """All of it is taken, then the answer says what is allowed; nothing of the rest is kept."""
    begin, content_type = KINDS[kind]
    with Wire(narrow, timeout=WAIT_S) as wire:
        wire.send(chunked([f"Content-Type: {content_type}"]) + chunk(begin + b"A"))
        for sent in range(len(begin) + 1, size, 50000):
            wire.send(chunk(b"A" * min(50000, size - sent)))
        status, headers, body = wire.send(b"0\r\n\r\n").response()
    assert status == 413 and headers["content-type"].startswith("application/problem+json"), (status, body)
    document = strict_json(body.decode())
    assert PROBLEM_MEMBERS <= set(document) and document["code"] == "too_large" and "100000" in document["detail"]
    assert narrow.client.post("/cam", content=PHOTO).status_code == 200


def test_chunks_within_the_limit(narrow):
    """One byte less is no matter of size."""
    with Wire(narrow, timeout=WAIT_S) as wire:
        wire.send(chunked() + chunk(b"A" * 50000) + chunk(b"A" * 50000) + b"0\r\n\r\n")
        assert wire.response()[0] == 415


def test_what_is_read_into_nothing_is_not_kept(narrow):
    """40 bodies of 8 MB each are 320 MB on the wire, 100 KB each in memory."""
    before = narrow.peak_mib()
    wires = [Wire(narrow, timeout=WAIT_S) for _ in range(40)]
    piece = chunk(b"A" * 100000)
    for wire in wires:
        wire.send(chunked())
    for _ in range(20):
        for wire in wires:
            wire.send(piece)
    for wire in wires:
        status = wire.send(b"0\r\n\r\n").response()[0]
        wire.socket.close()
        assert status == 413
    assert narrow.peak_mib() < before + 48


def test_a_body_without_end_is_ended(start):
    """Reading on has the request's own end: its deadline, and its pace."""
    server = start(max_body_bytes=100000, request_deadline_ms=2000, admin_port=0)
    begin, piece = time.monotonic(), chunk(b"A" * 10000)
    with Wire(server, timeout=1) as wire:
        wire.send(chunked())
        with pytest.raises(OSError):
            while time.monotonic() - begin < PATIENCE:
                wire.send(piece)
                time.sleep(0.01)
    assert time.monotonic() - begin < PATIENCE
    assert server.client.get("/healthz").status_code == 200


def test_a_large_body_that_fits_when_it_is_declared(narrow):
    """Declared, it is refused before it is sent; that stays so."""
    text = base64.b64encode(bytes(90000))
    with Wire(narrow, timeout=WAIT_S) as wire:
        status, _, body = wire.send(request(length=len(text))).response()
    assert status == 413 and b"120000" in body and b"100000" in body
