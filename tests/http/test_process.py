"""The end and the beginning of the process: signals, drain, readiness, memory over many requests."""
import os
import re
import resource
import signal
import threading
import time

import httpx
import pytest

import pictures
from client import cam, same
from load import together
from metrics import metric
from mixture import mixed_requests
from server import BINARY, MODEL, PATIENCE, ROOT, SANITIZED, Server, environment, run
from wire import Wire, request


def slow_photo():
    return pictures.png(pictures.scene(150, 100) if SANITIZED else pictures.scene(1000, 750))


def until(true, what):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def in_flight(server, photo, count, **params):
    """Starts count requests in threads; returns (threads, responses) once all have reached the queue or a worker (or are done already)."""
    responses, teller = [], server.admin or server.client

    def post():
        with server.new_client() as client:
            try:
                responses.append(cam(client, photo, **params))
            except httpx.TransportError as error:
                responses.append(error)

    def seen():  # in this order: against a job's way, so that none is counted twice
        return len(responses) + metric(teller, "camserve_workers_busy") + metric(teller, "camserve_queue_jobs")
    threads = [threading.Thread(target=post, daemon=True) for _ in range(count)]
    for t in threads:
        t.start()
    until(lambda: seen() >= count, "requests that never reached the queue")
    return threads, responses


PHOTO = pictures.png(pictures.smooth(60, 40))
PATIENT = {"admin_port": 0, "request_deadline_ms": 3600000, "idle_timeout_s": 3600, "upload_bytes_per_s": 0}  # nothing but its end ends a request


def hold(server):
    """A request whose last byte is withheld, for a server that is PATIENT: it is open for as long as the client likes."""
    wire = Wire(server)
    wire.send(request(body=PHOTO)[:-1])
    until(lambda: metric(server.admin, "camserve_requests_open") == 1, "the request never began")
    return wire


def is_answered(server, data):
    """Whether a new connection gets an answer. False: it is closed without."""
    try:
        with Wire(server) as wire:
            return wire.send(data).response()[0] is not None
    except ConnectionError:
        return False


def answers_and_ends(server, threads, responses, count):
    """What in_flight began is answered 200, all of it, and the server ends by itself with a clean log."""
    for t in threads:
        t.join(PATIENCE)
    assert [getattr(r, "status_code", r) for r in responses] == [200] * count
    code = server.wait()
    server.client.close()
    server.check(code)


@pytest.mark.concurrent
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain_answers_what_is_in_flight(number, light_model):
    """What waits, what is computed, and what has not come whole."""
    server = Server(model=light_model, teams=1, threads=1, drain_ms=PATIENCE * 1000, **PATIENT)
    with Wire(server), hold(server) as held:  # the first says nothing: nobody waits for it
        threads, responses = in_flight(server, slow_photo(), 5, size="original", top_k=5)
        server.process.send_signal(number)
        until(lambda: "draining" in server.log(), "it never drained")
        for t in threads:
            t.join(PATIENCE)
        assert server.process.poll() is None, "it left while a request was open"
        assert held.send(PHOTO[-1:]).response()[0] == 200
        answers_and_ends(server, threads, responses, 5)


@pytest.mark.concurrent
def test_while_draining_new_work_is_refused_and_readyz_says_so(light_model):
    server = Server(model=light_model, teams=1, threads=1, drain_ms=PATIENCE * 1000, **PATIENT)
    with Wire(server) as looking, Wire(server) as late:  # connections from before the signal
        for wire in (looking, late):
            assert wire.send(request("GET", "/healthz", length=False)).response()[0] == 200
        assert is_answered(server, request("GET", "/healthz", length=False))
        with hold(server) as held:
            threads, responses = in_flight(server, slow_photo(), 6, size="original", top_k=10)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: looking.send(request("GET", "/readyz", length=False)).response()[0] == 503, "it never drained")
            status, headers, body = late.send(request(body=PHOTO)).response()
            assert status == 503 and b'"not_ready"' in body and int(headers["retry-after"]) >= 1
            assert late.closed()
            until(lambda: not is_answered(server, request("GET", "/healthz", length=False)), "new connections are taken while it drains")
            assert held.send(PHOTO[-1:]).response()[0] == 200
        answers_and_ends(server, threads, responses, 6)


@pytest.mark.concurrent
def test_second_signal_exits_at_once(light_model):
    """While work is done that would be finished, and while one waits that never would."""
    server = Server(model=light_model, teams=1, threads=1, drain_ms=3600000, **PATIENT)
    with hold(server):
        in_flight(server, slow_photo(), 12, size="original", top_k=10, include="overlay,heatmap")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: "draining" in server.log(), "it never drained")
        assert server.process.poll() is None, "it drains"
        server.process.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE / 4) == 1
    assert "drained" not in server.log()
    server.kill()


def test_drain_has_an_end():
    server = Server(teams=1, threads=1, drain_ms=300, **PATIENT)
    with hold(server):
        in_flight(server, slow_photo(), 16, size="original", top_k=10, include="overlay,heatmap")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE / 4) == 1
    assert re.search(r"drained: [1-9]\d* requests cut off", server.log())
    server.client.close()
    server.check()


def test_idle_server_leaves_at_once_with_open_connections():
    server = Server(drain_ms=PATIENCE * 1000)
    wires = [Wire(server) for _ in range(20)]
    for wire in wires[:10]:
        assert wire.send(request("GET", "/healthz", length=False)).response()[0] == 200
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < PATIENCE / 2
    for wire in wires:
        wire.socket.close()


def test_bodies_that_never_end_do_not_keep_it_from_leaving():
    server = Server(drain_ms=1000, admin_port=0)
    wires = [Wire(server) for _ in range(10)]
    for wire in wires:
        wire.send(b"POST /cam HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    until(lambda: metric(server.admin, "camserve_requests_open") == 10, "requests that never began")
    server.process.send_signal(signal.SIGTERM)
    assert server.wait() == 1
    assert "drained: 10 requests cut off" in server.log()
    server.client.close()
    server.admin.close()
    server.check()
    for wire in wires:
        wire.socket.close()


def test_sigpipe_and_sighup_style_noise(server):
    server.process.send_signal(signal.SIGPIPE)
    assert server.client.get("/healthz").status_code == 200 and server.process.poll() is None


def test_taken_port_is_said(server):
    result = run("serve", port=server.port)
    assert result.returncode == 1 and str(server.port).encode() in result.stderr


@pytest.mark.parametrize("settings", [{"port": "x"}, {"port": "65536"}, {"port": "-1"}, {"queue": "0"}, {"threads": "65"}, {"log": "loud"},
                                      {"teams": "1.5"}, {"max_body_bytes": "5"}, {"isa": "avx9"}])
def test_wrong_settings_are_refused_by_name(settings):
    result = run("serve", **{"port": 0, **settings})
    (name,) = settings
    assert result.returncode in (1, 2) and name.encode() in result.stderr.lower(), result.stderr


def test_missing_and_broken_model(tmp_path):
    broken = tmp_path / "model.safetensors"
    for data in (None, b"", b"x" * 7, bytes(8), b"\xff" * 8, (100).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}",
                 MODEL.read_bytes()[:100000], MODEL.read_bytes()[:-4]):
        if data is not None:
            broken.write_bytes(data)
        result = run("serve", model=broken, port=0)
        assert result.returncode == 1 and str(broken).encode() in result.stderr, (data and data[:20], result.stderr)


def test_model_with_another_tensor_fails_its_self_test_or_load(tmp_path):
    """Weights changed after conversion: /readyz must never say 200."""
    data = bytearray(MODEL.read_bytes())
    head = int.from_bytes(data[:8], "little") + 8
    for at in range(head + 1000003, len(data) - 4, 40000):
        data[at // 4 * 4:at // 4 * 4 + 4] = b"\0\0\x20\x41"  # 10.0
    (tmp_path / "m.safetensors").write_bytes(data)
    result = run("serve", model=tmp_path / "m.safetensors", port=0)
    assert result.returncode == 1 and b"self-test" in result.stderr and b"http://" not in result.stdout, result


def test_read_only_folder_and_other_directory(tmp_path):
    """Nothing is written where it runs; the model's path may be absolute."""
    import subprocess
    folder = tmp_path / "empty"
    folder.mkdir()
    result = subprocess.run([BINARY, "explain", "--json", ROOT / "downloads/photos/chelsea.png"], cwd=folder, env=environment(model=MODEL),
                            capture_output=True, timeout=PATIENCE)
    assert result.returncode == 0, result.stderr
    assert not list(folder.iterdir())


def test_one_processor_and_no_privileges(client, scene_png):
    def lower():
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # nothing large is written anywhere
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
    server = Server(before=lower)
    assert server.threads() < 10
    assert same(cam(server.client, scene_png).json()) == same(cam(client, scene_png).json())
    server.stop()


@pytest.mark.parametrize("isa", ["portable", "x86-64-v3"])
def test_every_instruction_set_says_the_same(start, client, scene_png, isa):
    """Up to rounding: logits within 1e-3."""
    if not supported(isa):
        assert run("info", isa=isa).returncode != 0
        return
    other = start(isa=isa)
    assert other.client.get("/version").json()["isa"] == isa
    a, b = (cam(c, scene_png, top_k=1, classes="1,2,3", include="map").json()["predictions"] for c in (client, other.client))
    assert [p["class_id"] for p in a] == [p["class_id"] for p in b]
    for p, q in zip(a, b):
        assert abs(p["logit"] - q["logit"]) < 1e-3
        assert max(abs(x - y) for x, y in zip(p["map"]["values"], q["map"]["values"])) < 5e-3


def supported(isa):
    flags = open("/proc/cpuinfo").read()
    return isa == "portable" or "avx2" in flags and "fma" in flags and "bmi2" in flags


# ---- memory ----
def test_memory_returns_after_2000_requests(light_file):
    """What could grow is around the network, so a small one is as good."""
    server = Server(model=light_file)
    source, clients = mixed_requests(), [server.new_client() for _ in range(4)]

    def batch(count):
        """count requests by four clients."""
        def ask(client, items):
            for photo, params in items:
                response = cam(client, photo, **params)
                assert response.status_code == 200 or 400 <= response.status_code < 500
        items = [next(source) for _ in range(count)]
        together([lambda c=c, i=i: ask(c, items[i::4]) for i, c in enumerate(clients)])
    batch(400)
    memory, descriptors, tasks = server.resident_mib(), server.descriptors(), server.threads()
    for _ in range(4):
        batch(400)
    until(lambda: server.threads() <= tasks and server.descriptors() <= descriptors + 2, "threads or descriptors that stay")
    assert server.resident_mib() <= memory + 8
    for c in clients:
        c.close()
    server.stop()
