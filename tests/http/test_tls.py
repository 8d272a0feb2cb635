"""HTTPS: the same answers, old versions refused, those who do not speak it; and every deadline and early answer holds as over plain HTTP."""
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

import pictures
from client import cam, problem, same
from metrics import metric
from server import PATIENCE, Server, run
from wire import TlsWire, Wire, request

pytestmark = pytest.mark.hostile
PHOTO = pictures.png(pictures.smooth(60, 40))


def make_certificate(folder, name, *options):
    """A key and a certificate signed by itself, for localhost: (certificate, key)."""
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", *(options or ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")),
                    "-nodes", "-days", "2", "-keyout", key, "-out", cert,
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"), "one")


@pytest.fixture(scope="module")
def secure(light_model, pair):
    it = Server(model=light_model, tls_cert=pair[0], tls_key=pair[1], idle_timeout_s=5)
    yield it
    it.stop()


@pytest.fixture
def lives(secure):
    """The service answers afterwards as before."""
    yield
    assert secure.client.get("/healthz").status_code == 200


# ---- who speaks it ----
def test_answers_are_those_of_plain_http(secure, client, scene_png):
    for params in ({}, {"size": "original", "include": "overlay,heatmap,map", "top_k": 10}):
        assert same(cam(secure.client, scene_png, **params).json()) == same(cam(client, scene_png, **params).json())
    assert cam(secure.client, scene_png, accept="image/png").content == cam(client, scene_png, accept="image/png").content
    assert f"https://127.0.0.1:{secure.port}/" in secure.log() and f"curl -F image=@photo.jpg 'https://127.0.0.1:{secure.port}/cam'" in secure.log()


def test_large_bodies_both_ways(secure):
    photo = pictures.png(pictures.scene(800, 600))
    response = cam(secure.client, photo, size="original", include="overlay,heatmap", top_k=3)
    assert response.status_code == 200 and len(response.content) > 2000000
    problem(cam(secure.client, bytes(20000000)), 415)


@pytest.mark.concurrent
def test_many_at_once(secure):
    """New connections and kept ones, all with the answer that one alone gets."""
    want, answers = same(cam(secure.client, PHOTO, top_k=1).json()), []

    def ask():
        for _ in range(2):
            with secure.new_client() as client:
                answers.extend(same(cam(client, PHOTO, top_k=1).json()) for _ in range(2))
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [want] * 16


def test_browsers_are_told_to_stay(secure):
    assert secure.client.get("/").headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions(secure, version):
    with TlsWire(secure, version) as wire:
        assert wire.socket.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
        assert wire.socket.cipher()[0].startswith(("TLS_", "ECDHE-"))
        for _ in range(3):
            assert wire.send(request(body=PHOTO)).response()[0] == 200
        wire.send(request(body=PHOTO) + request("GET", "/healthz", length=False) + request(body=b"no photo"))  # pipelined, in one record
        assert [wire.response()[0] for _ in range(3)] == [200, 200, 415]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(secure, lives, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        TlsWire(secure, version)


@pytest.mark.parametrize("options", [("-newkey", "rsa:2048"), ("-newkey", "ed25519")])
def test_kinds_of_keys(light_model, tmp_path, options):
    cert, key = make_certificate(tmp_path, "other", *options)
    server = Server(model=light_model, tls_cert=cert, tls_key=key, http_threads=1)
    assert server.client.get("/readyz").status_code == 200
    server.stop()


# ---- who does not ----
@pytest.mark.parametrize("data", [
    request("GET", "/healthz", length=False), b"\x16\x03\x01\xff\xff" + bytes(70000), b"\x15\x03\x03\0\2\2\x28", bytes(1000), b"\x80\x2e\1\0\2" + bytes(50)])
def test_what_is_no_handshake_is_closed(secure, lives, data):
    with Wire(secure, timeout=30) as wire:
        try:
            wire.send(data)
            assert wire.closed() and b"HTTP" not in wire.buffer
        except TimeoutError:
            raise
        except OSError:
            pass  # reset: closed as well


def test_many_broken_handshakes_leave_nothing_behind(secure, lives):
    before = secure.descriptors()
    for i in range(60):
        with Wire(secure) as wire:
            wire.send(b"\x16\x03\x01\2\0\1\0\1\xfc\3\3" + bytes([i]) * (i * 8))
    end = time.monotonic() + PATIENCE
    while secure.descriptors() > before + 5:
        assert time.monotonic() < end
        time.sleep(0.05)


# ---- deadlines, early answers, clients that leave ----
@pytest.fixture(scope="module")
def impatient(light_model, pair):
    it = Server(model=light_model, tls_cert=pair[0], tls_key=pair[1], request_deadline_ms=1500, idle_timeout_s=10)
    yield it
    it.stop()


def goes_on_until_closed(send):
    """Calls send ten times a second; True if that fails before half a minute is over."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            send()
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_a_slow_body_is_closed_at_the_deadline(impatient):
    with TlsWire(impatient) as wire:
        wire.send(request(length=100000))
        assert goes_on_until_closed(lambda: wire.send(b"x"))


def test_slow_headers_are_closed_at_the_deadline(impatient):
    with TlsWire(impatient) as wire:
        wire.send(b"GET /healthz HTTP/1.1\r\nX: ")
        assert goes_on_until_closed(lambda: wire.send(b"x"))


def test_a_slow_handshake_is_closed_at_the_deadline(impatient):
    with Wire(impatient) as wire:
        wire.send(b"\x16\x03\x01\2\0\1\0\1\xfc\3\3")
        assert goes_on_until_closed(lambda: wire.send(b"x"))
    with Wire(impatient) as wire:
        assert wire.closed()  # said nothing at all


def test_a_refused_body_that_is_being_sent(secure, lives):
    """The answer is not lost to a reset, whatever the client has still to send."""
    for length in (1 << 30, 21000000):
        with TlsWire(secure) as wire:
            wire.send(request(length=length))
            try:
                for _ in range(32):  # 2 MiB: more than the sockets hold. In this thread, since two must not use one TLS connection
                    wire.send(bytes(1 << 16))
            except OSError:
                pass
            status, headers, body = wire.response()
            assert status == 413 and b"too_large" in body
    with TlsWire(secure) as wire:
        assert wire.send(request(headers=["Expect: 100-continue"], length=1 << 30)).response()[0] == 413


def wait_for_requests(server, count):
    """Until so many wait, are worked on or are answered."""
    end = time.monotonic() + PATIENCE
    def seen():
        return metric(server.client, "camserve_queue_jobs") + metric(server.client, "camserve_workers_busy") + server.log().count('"route":"/cam"')
    while seen() < count:
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("goodbye", [True, False])
def test_a_client_that_leaves_while_it_waits(start, pair, goodbye):
    """Its close_notify is bytes that nobody has read: they must not be taken for a client that is still there."""
    server = start(tls_cert=pair[0], tls_key=pair[1], teams=1, threads=1, request_deadline_ms=PATIENCE * 1000)
    photo, busy, leaver = pictures.png(pictures.scene(400, 300)), [TlsWire(server) for _ in range(4)], TlsWire(server)
    for wire in busy:
        wire.send(request(target="/cam?size=original&top_k=10&include=overlay,heatmap", body=photo))
    wait_for_requests(server, 4)
    leaver.send(request(headers=["X-Request-Id: leaver"], body=PHOTO))
    if goodbye:
        leaver.socket.setblocking(False)
        with pytest.raises(ssl.SSLError):  # close_notify is sent; the answer to it is not waited for
            leaver.socket.unwrap()
    leaver.socket.close()
    for wire in busy:
        assert wire.response()[0] == 200
        wire.socket.close()
    end = time.monotonic() + PATIENCE
    while '"request_id":"leaver"' not in server.log():
        assert time.monotonic() < end
        time.sleep(0.05)
    (line,) = [line for line in server.log().splitlines() if '"leaver"' in line]
    assert "client left" in line and '"status":0' in line


def test_drain(light_model, pair, scene_png):
    server = Server(model=light_model, tls_cert=pair[0], tls_key=pair[1], teams=1, threads=1, drain_ms=PATIENCE * 1000)
    idle, wires = TlsWire(server), [TlsWire(server) for _ in range(4)]
    for wire in wires:
        wire.send(request(body=scene_png))
    wait_for_requests(server, 4)
    server.process.terminate()
    assert [wire.response()[0] for wire in wires] == [200] * 4
    code = server.wait()
    server.client.close()
    server.check(code)
    for wire in [idle, *wires]:
        wire.socket.close()


# ---- a new certificate ----
def serial(wire):
    return wire.socket.getpeercert()["serialNumber"]


@pytest.mark.concurrent
def test_a_certificate_is_exchanged_under_open_connections(start, pair, tmp_path):
    cert, key, both = tmp_path / "cert.pem", tmp_path / "cert.key", tmp_path / "both.pem"

    def put(new):
        shutil.copy(new[0], cert)
        shutil.copy(new[1], key)

    def hang_up(result):
        before = metric(server.client, "camserve_reloads_total", file="certificate", result=result)
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + PATIENCE
        while metric(server.client, "camserve_reloads_total", file="certificate", result=result) == before:
            assert time.monotonic() < end
            time.sleep(0.02)

    other = make_certificate(tmp_path, "two", "-newkey", "rsa:2048")
    both.write_bytes(pair[0].read_bytes() + other[0].read_bytes())
    put(pair)
    server = start(tls_cert=cert, tls_key=key)
    server.certificate = both  # what clients trust
    kept = TlsWire(server)
    first = serial(kept)
    put((other[0], pair[1]))  # the key does not fit yet: nothing is exchanged
    hang_up("failed")
    with TlsWire(server) as wire:
        assert serial(wire) == first
    assert "the certificate stays as it was" in server.log()
    put(other)
    hang_up("done")
    hang_up("done")  # the same once more
    with TlsWire(server) as wire:
        assert serial(wire) != first and wire.send(request(body=PHOTO)).response()[0] == 200
    assert kept.send(request(body=PHOTO)).response()[0] == 200
    kept.socket.close()
    assert server.log().count("certificate of localhost") == 2


# ---- settings ----
def test_health_speaks_tls_too(secure, pair):
    assert run("health", port=secure.port, tls_cert=pair[0]).stdout == b"ready\n"
    result = run("health", port=secure.port)
    assert result.returncode == 1 and b"does it speak TLS? (--tls-cert)" in result.stderr, result.stderr
    with socket.create_server(("127.0.0.1", 0)) as plain:
        def answer():
            peer = plain.accept()[0]
            peer.recv(1000)
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            peer.close()
        thread = threading.Thread(target=answer)
        thread.start()
        result = run("health", port=plain.getsockname()[1], tls_cert=pair[0])
        thread.join()
    assert result.returncode == 1 and b"TLS" in result.stderr


def test_the_admin_port_speaks_plain_http(start, pair):
    server = start(tls_cert=pair[0], tls_key=pair[1], admin_port=0)
    response = server.admin.get("/metrics")
    assert response.status_code == 200 and "strict-transport-security" not in response.headers
    assert run("health", port=1, admin_port=server.admin_port, tls_cert=pair[0]).stdout == b"ready\n"


def test_files_that_are_wrong(tmp_path, pair):
    cert, key = pair
    other = make_certificate(tmp_path, "two")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no PEM\n")
    (tmp_path / "half").write_bytes(key.read_bytes()[:80])
    (tmp_path / "large").write_bytes(bytes(300000))
    locked = ["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:secret", "-out", tmp_path / "locked"]
    subprocess.run(locked, check=True, capture_output=True)
    for settings, said in (({"tls_cert": cert}, "tls_cert is set without tls_key"), ({"tls_key": key}, "tls_key is set without tls_cert"),
                           ({"tls_cert": cert, "tls_key": other[1]}, "is not the key of the certificate"),
                           ({"tls_cert": key, "tls_key": cert}, "tls_cert: "),
                           ({"tls_cert": cert, "tls_key": tmp_path / "nothing"}, "nothing: No such file"),
                           ({"tls_cert": tmp_path / "empty", "tls_key": key}, "0 bytes"),
                           ({"tls_cert": tmp_path / "text", "tls_key": key}, "tls_cert: "),
                           ({"tls_cert": cert, "tls_key": tmp_path / "half"}, "tls_key: "),
                           ({"tls_cert": cert, "tls_key": tmp_path / "large"}, "300000 bytes; allowed are 1 to 262144"),
                           ({"tls_cert": cert, "tls_key": tmp_path / "locked"}, "tls_key: "),
                           ({"tls_cert": "/dev/zero", "tls_key": key}, "not a regular file")):
        result = run("serve", port=0, **settings)
        assert result.returncode in (1, 2) and said.encode() in result.stderr, (settings, result.stderr)
        assert b"BEGIN" not in result.stderr
