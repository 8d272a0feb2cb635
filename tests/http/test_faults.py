"""A machine at its limits: allocations that fail one by one or all at once, no threads, no descriptors, no time. What is left is a clear answer or a closed
connection, nothing leaked, and a server that goes on. By default a part of all places, in seconds; `make faults` tries each."""
import base64
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest
from PIL import Image

import hostile
import pictures
import profiles
from client import check_problem, same, strict_json
from faults import EVER, Faults, FaultyServer, build
from server import BINARY, PATIENCE, ROOT, environment, reserved_port
from test_reload import put, until
from wire import Wire, request

ALL = bool(os.environ.get("CAMSERVE_FAULTS_ALL"))


def places(count, part, step=1):
    """Numbers of the allocations that are made to fail: all (of thousands that are alike, each step-th after the first 500), or the first ones and then `part`
    spread over the rest."""
    if ALL:
        return [*range(1, min(count, 500) + 1), *range(501, count + 1, step)]
    first = min(count, 8)
    return sorted({*range(1, first + 1), *(first + (count - first) * i // part for i in range(1, part + 1))} - {0})


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return build(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="module")
def faulty(library, tmp_path_factory, light_file):
    server = FaultyServer(library, tmp_path_factory.mktemp("faulty"), model=light_file, teams=1, threads=2, idle_timeout_s=2)
    server.client.close()  # its connection would have memory of its own
    yield server
    server.stop()


def form(photos, **fields):
    parts = [f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    parts += [b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n' + p + b"\r\n" for p in photos]
    return b"".join(parts) + b"--b--\r\n"


def asks():
    """One of each way through the service: {name: (request, statuses without a fault)}. Each on a connection of its own, so that its memory ends with it."""
    scene = pictures.scene(60, 40)
    png, jpeg = pictures.png(scene), pictures.jpeg(scene)

    def post(target, body, *headers):
        return request(target=target, body=body, headers=["Connection: close", *headers])

    def get(target):
        return request("GET", target, headers=["Connection: close"], length=False)
    as_json = json.dumps({"image": base64.b64encode(jpeg).decode(), "top_k": 2, "classes": [7, "n02124075"]}).encode()
    return {
        "png": post("/cam", png), "progressive": post("/cam?include=overlay,heatmap,map&format=jpeg", pictures.jpeg(scene, progressive=True)),
        "bmp": post("/cam?size=input", pictures.save(scene, "BMP")), "webp": post("/cam", pictures.webp(scene)),
        "coloured png": post("/cam?include=none", pictures.png(scene, icc_profile=profiles.KNOWN["ProPhoto"]())),
        "ink": post("/cam?include=none", pictures.jpeg(Image.fromarray(scene).convert("CMYK"), icc_profile=profiles.cmyk(3))),
        "picture": post("/cam", png, "Accept: image/png"), "json": post("/cam?alpha=0.3", as_json, "Content-Type: application/json"),
        "form": post("/cam", form([png, b"no photo", jpeg], top_k=2), "Content-Type: multipart/form-data; boundary=b"),
        "chunked": b"POST /cam HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(png), png),
        "broken": post("/cam", hostile.half(jpeg)), "refused": post("/cam?top_k=0", png), "page": get("/"), "labels": get("/labels"), "metrics": get("/metrics"),
        "nothing": get("/nothing"),
    }


def ask(server, data):
    """(status, comparable body); status None: closed."""
    with Wire(server) as wire:
        try:
            status, headers, body = wire.send(data).response()
        except (BrokenPipeError, ConnectionResetError):
            return None, None
    if status is None or len(body) < int(headers.get("content-length", 0)):
        return None, None
    if "json" not in headers.get("content-type", ""):
        return status, re.sub(rb"(?m)^((# \w+ )?process_|camserve_).*\n", b"", body)  # of the process what could be read
    document = strict_json(body.decode())
    if status >= 400 and "type" in document:
        check_problem(document, status)
    return status, same(document)


def allowed(got, expected):
    """What may be answered while memory fails: the usual, 503 out_of_memory, nothing; in a list, also an item that says so."""
    status, body = got
    if got == expected or status is None:
        return True
    if status == 503:
        return body.get("code") == "out_of_memory"
    if status == 200 and expected[0] == 200 and isinstance(body, dict) and "results" in body:
        return all(a == b or a.get("error", {}).get("code") == "out_of_memory" for a, b in zip(body["results"], expected[1]["results"]))
    return False


@pytest.mark.parametrize("name", asks())
def test_each_allocation_of_a_request_may_fail(faulty, name):
    """Alone (what is done about it?), and with all that follow it until the client has its answer (is there one that needs memory to be refused?)."""
    data, faults = asks()[name], faulty.faults
    for _ in range(3):  # caches fill
        expected = ask(faulty, data)
    assert expected[0] in (200, 400, 404, 422)
    base = faulty.at_rest()
    faults.fail(EVER)
    assert ask(faulty, data) == expected
    faulty.at_rest()
    count = faults.allocations
    assert count > 10
    bad, seen = [], set()
    for last in (None, EVER):
        for place in places(count, 20 if last is None else 6):
            faults.fail(place, last)
            got = ask(faulty, data)
            faults.off()
            seen.add(got[0])
            if not allowed(got, expected):
                bad.append((place, last, got[0], str(got[1])[:300]))
            if not faulty.process.poll() is None:
                raise AssertionError(f"allocation {place} of {count} ended the process with {faulty.process.returncode}:\n" + faulty.log()[-2000:])
            if ALL or place % 5 == 0:
                left = faulty.at_rest(base)
                if left > base:
                    bad.append((place, last, f"{left - base} allocations were not freed"))
                    base = left
    assert not bad, "\n".join(map(str, bad[:40]))
    assert ask(faulty, data) == expected
    assert faulty.at_rest(base) <= base, "leaked"
    assert len(seen) > 1, "no failure was seen at all"


def test_each_allocation_of_a_reload_may_fail(library, tmp_path, light_file):
    path = tmp_path / "model.safetensors"
    put(path, light_file.read_bytes())
    server = FaultyServer(library, tmp_path, model=path, teams=1, threads=2)
    server.client.close()
    data = asks()["png"]
    expected = ask(server, data)

    def reload():
        said = len(server.log())  # its lines take no memory to write, as a look at /metrics would
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "reloaded" in server.log(said), "the reload never ended")
        return "not reloaded" not in server.log(said)
    assert reload() and reload()
    base = server.at_rest()
    server.faults.fail(EVER)
    assert reload()
    server.at_rest()
    count, failed = server.faults.allocations, 0
    for place in places(count, 60, 11):
        server.faults.fail(place)
        failed += not reload()
        server.faults.off()
        assert server.process.poll() is None
        if ALL or place % 5 == 0:
            assert ask(server, data) == expected
            left = server.at_rest(base)
            assert left <= base, f"allocation {place} of {count}: {left - base} not freed"
    assert failed > 20
    for number in (1, 2, 3):  # threads of the new contexts
        server.faults.threads, server.faults.thread_last, server.faults.thread_first = 0, EVER, number
        assert reload() == (server.faults.threads < number)
        server.faults.off()
        assert ask(server, data) == expected
    assert reload() and server.at_rest(base) <= base
    server.stop()


def start(library, folder, light_file, **counters):
    """camserve with these counters from its first moment on: (exit code, what it said, the counters). Without seccomp: libseccomp 2.5.4 uses what it could
    not allocate, which ends the process before it is ready."""
    faults = Faults(library, folder)
    for name, value in counters.items():
        setattr(faults, name, value)
    process = subprocess.Popen([*faults.wrapper, BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                               env=environment(port=0, model=light_file, teams=2, threads=2, admin_port=0, seccomp="off"))
    lines, timer = [], threading.Timer(PATIENCE / 2, process.kill)
    timer.start()
    for line in process.stdout:
        lines.append(line.decode())
        if "curl" in lines[-1]:  # it is ready
            process.send_signal(signal.SIGTERM)
    code = process.wait(PATIENCE)
    timer.cancel()
    process.stdout.close()
    return code, "".join(lines), faults


def test_each_thread_and_allocation_of_the_start_may_fail(library, tmp_path, light_file):
    """It serves, or it says what there was not enough of and leaves with 1; it neither hangs nor falls."""
    code, _, faults = start(library, tmp_path, light_file)
    assert code == 0
    threads, allocations = faults.threads, faults.allocations
    assert threads > 5 and allocations > 1000
    tries = [{"thread_first": n, "thread_last": n} for n in range(1, threads + 1)] + [{"thread_first": n, "thread_last": EVER} for n in (1, threads // 2, threads)]
    tries += [{"first": n, "last": last} for n in places(allocations, 25, 97) for last in (n, EVER)]
    for counters in tries:
        code, said, _ = start(library, tmp_path, light_file, **counters)
        assert code in (0, 1), (counters, code, said[-1500:])
        assert code == 0 or "camserve: " in said or not said, (counters, said)


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED", "EPERM"])
def test_accept_fails_for_a_while(faulty, error):
    import errno
    data = asks()["png"]
    expected = ask(faulty, data)
    for open_ones in (0, 2):
        wires = [Wire(faulty) for _ in range(open_ones)]
        for wire in wires:
            assert wire.send(request("GET", "/healthz", length=False)).response()[0] == 200
        faulty.faults.accept_errno = getattr(errno, error)
        faulty.faults.accept_times = 20
        before = len(faulty.log())
        with Wire(faulty) as late:
            late.send(data)
            for wire in wires:
                assert wire.send(request("GET", "/healthz", length=False)).response()[0] == 200, "who is in is served"
                wire.socket.close()
            assert late.response()[0] == 200, "who waited is let in"
        faulty.faults.off()
        assert len(faulty.log()) - before < 100000, "the log is not flooded"
    assert ask(faulty, data) == expected


def test_no_descriptor_is_left(library, tmp_path, light_file):
    """The limit itself, lowered while it runs: callers wait in the kernel, those inside are served, nothing spins or floods the log."""
    server = FaultyServer(library, tmp_path, model=light_file, teams=1, threads=1)
    data, limits = asks()["png"], resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    expected, kept = ask(server, data), Wire(server)
    assert kept.send(request("GET", "/healthz", length=False)).response()[0] == 200
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (server.descriptors(), limits[1]))
    before = len(server.log())
    waiting = [Wire(server) for _ in range(5)]
    for wire in waiting:
        wire.send(data)
    busy = processor_seconds(server)
    time.sleep(1)
    spent = processor_seconds(server) - busy
    assert kept.send(request("GET", "/healthz", length=False)).response()[0] == 200
    assert kept.send(data.replace(b"Connection: close\r\n", b"")).response()[0] == 200
    log = server.log()[before:]
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, limits)
    kept.socket.close()
    for wire in waiting:
        assert wire.response()[0] == 200
        wire.socket.close()
    assert ask(server, data) == expected
    server.stop()
    assert "Too many open files" in log and len(log) < 10000, "the log says so, and is not flooded"
    assert spent < 0.3, f"{spent} s of processor time in a second of waiting"


def processor_seconds(server):
    fields = open(f"/proc/{server.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_deadline_passes_in_every_stage(library, tmp_path, light_file):
    """One look at the clock after the other lies far in the future: 503 that names the stage, and the next request is served as ever."""
    server = FaultyServer(library, tmp_path, model=light_file, teams=1, threads=1)
    data = asks()["png"]
    expected, stages, wanted = ask(server, data), set(), {"queue", "decode", "resize", "forward", "cam", "render"}
    for place in list(range(1, 31)) * 10:  # other threads look at the clock, too: a place is not the same stage every time
        if stages == wanted:
            break
        server.faults.clock_jump_s, server.faults.clocks = 1000, 0
        server.faults.clock_at = place
        status, body = ask(server, data)
        server.faults.off()
        assert status in (200, 503, None), (place, status, body)
        if status == 503:
            assert body["code"] == "deadline", body
            stages.add(body.get("stage", "queue"))
        assert ask(server, data) == expected
    assert stages == wanted
    server.stop()


def test_signals_while_the_model_is_read_slowly(library, tmp_path, light_file):
    """From a disk that takes 3 seconds: SIGTERM ends the start at once; a reload holds up neither requests nor the end."""
    faults = Faults(library, tmp_path)
    faults.read_delay_ms = 1000 * PATIENCE
    port = reserved_port()
    process = subprocess.Popen([*faults.wrapper, BINARY, "serve"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                               env=environment(port=0, admin_port=port, model=light_file))  # which answers before there is a model
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert "left while a model was being loaded" in process.communicate(timeout=PATIENCE / 2)[0].decode()
    assert process.returncode == 0
    server = FaultyServer(library, tmp_path, model=light_file, teams=1)
    server.faults.read_delay_ms = 1000 * PATIENCE
    server.process.send_signal(signal.SIGHUP)
    expected = ask(server, asks()["png"])
    assert expected[0] == 200 and ask(server, asks()["png"]) == expected
    server.client.close()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE / 2) == 0
    server.check()
