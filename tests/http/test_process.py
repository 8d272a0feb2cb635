"""The end and the beginning of the process: signals, drain, readiness, memory over many requests."""
import os
import resource
import signal
import threading
import time

import httpx
import pytest

import pictures
from client import cam, same
from metrics import metric
from mixture import mixed_requests
from server import BINARY, MODEL, PATIENCE, ROOT, SANITIZED, Server, environment, run
from wire import Wire, request


def slow_photo():
    return pictures.png(pictures.scene(600, 400) if SANITIZED else pictures.scene(2000, 1500))


def in_flight(server, photo, count, **params):
    """Starts count requests in threads; returns (threads, responses) once all have reached the queue or a worker (or are done already)."""
    responses = []

    def post():
        with server.new_client() as client:
            try:
                responses.append(cam(client, photo, **params))
            except httpx.TransportError as error:
                responses.append(error)
    threads = [threading.Thread(target=post, daemon=True) for _ in range(count)]
    for t in threads:
        t.start()
    end = time.monotonic() + PATIENCE
    seen = 0
    while time.monotonic() < end and seen < count:
        time.sleep(0.005)
        # in this order: against a job's way, so that none is counted twice
        seen = len(responses) + metric(server.client, "camserve_workers_busy") + metric(server.client, "camserve_queue_jobs")
    return threads, responses


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
    server = Server(model=light_model, teams=1, threads=1, drain_ms=PATIENCE * 1000)
    idle = Wire(server)
    threads, responses = in_flight(server, slow_photo(), 5, size="original", top_k=5)
    server.process.send_signal(number)
    for t in threads:
        t.join(PATIENCE)
    assert [getattr(r, "status_code", r) for r in responses] == [200] * 5
    code = server.wait()
    idle.socket.close()
    server.client.close()
    server.check(code)


@pytest.mark.concurrent
def test_while_draining_new_work_is_refused_and_readyz_says_so(light_model):
    server = Server(model=light_model, teams=1, threads=1, drain_ms=PATIENCE * 1000)
    photo = slow_photo()
    kept = [Wire(server) for _ in range(2)]  # connections from before the signal
    for wire in kept:
        assert wire.send(request("GET", "/healthz", length=False)).response()[0] == 200
    threads, responses = in_flight(server, photo, 6, size="original", top_k=10)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    try:
        status = kept[0].send(request("GET", "/readyz", length=False)).response()[0]
        assert status in (503, None)
        status = kept[1].send(request(body=photo)).response()[0]
        assert status in (503, None)
    except OSError:
        pass  # closed is an answer, too
    try:
        with Wire(server, timeout=10) as wire:
            assert wire.send(request(body=photo)).response()[0] in (503, None)
    except OSError:
        pass
    answers_and_ends(server, threads, responses, 6)


@pytest.mark.concurrent
def test_second_signal_exits_at_once(light_model):
    server = Server(model=light_model, teams=1, threads=1, drain_ms=600000, request_deadline_ms=600000)
    in_flight(server, slow_photo(), 12, size="original", top_k=10, include="overlay,heatmap")
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert server.process.poll() is None, "it drains"
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.wait()
    assert time.monotonic() - begin < PATIENCE / 2
    server.kill()


def test_drain_has_an_end():
    server = Server(teams=1, threads=1, drain_ms=300, request_deadline_ms=600000)
    in_flight(server, slow_photo(), 16, size="original", top_k=10, include="overlay,heatmap")
    server.process.send_signal(signal.SIGTERM)
    server.wait()
    server.kill()


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
    server = Server(drain_ms=1000)
    wires = [Wire(server) for _ in range(10)]
    for wire in wires:
        wire.send(b"POST /cam HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    time.sleep(0.1)
    server.process.send_signal(signal.SIGTERM)
    code = server.wait()
    assert code in (0, 1)  # 1: requests were cut off
    server.client.close()
    server.check()
    for wire in wires:
        wire.socket.close()


def test_sigpipe_and_sighup_style_noise(server):
    server.process.send_signal(signal.SIGPIPE)
    time.sleep(0.1)
    assert server.process.poll() is None and server.client.get("/healthz").status_code == 200


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
        assert result.returncode == 1 and str(broken).encode() in result.stderr or b"model" in result.stderr, (data and data[:20], result.stderr)


def test_model_with_another_tensor_fails_its_self_test_or_load(tmp_path):
    """Weights changed after conversion: /readyz must never say 200."""
    data = bytearray(MODEL.read_bytes())
    head = int.from_bytes(data[:8], "little") + 8
    for at in range(head + 1000003, len(data) - 4, 40000):
        data[at // 4 * 4:at // 4 * 4 + 4] = b"\0\0\x20\x41"  # 10.0
    (tmp_path / "m.safetensors").write_bytes(data)
    with pytest.raises(AssertionError):
        it = Server(model=tmp_path / "m.safetensors")
        it.kill()


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
def test_memory_returns_after_2000_requests():
    server = Server()
    source, clients = mixed_requests(), [server.new_client() for _ in range(4)]

    def batch(count):
        """count requests by four clients."""
        def loop(client, items):
            for photo, params in items:
                response = cam(client, photo, **params)
                assert response.status_code == 200 or 400 <= response.status_code < 500
        items = [next(source) for _ in range(count)]
        threads = [threading.Thread(target=loop, args=(c, items[i::4])) for i, c in enumerate(clients)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    batch(400)
    memory, descriptors, tasks = server.resident_mib(), server.descriptors(), server.threads()
    batch(2000)
    time.sleep(0.3)
    assert server.resident_mib() <= memory + 8
    assert server.descriptors() <= descriptors + 2 and server.threads() <= tasks
    for c in clients:
        c.close()
    server.stop()
