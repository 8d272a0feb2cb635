"""SIGHUP: another model while requests go on. Nothing is lost, refused or mixed; a bad file changes nothing; memory comes back."""
import itertools
import os
import pty
import shutil
import signal
import socket
import subprocess
import threading
import time

import httpx
import pytest

import pictures
from client import cam, problem, same
from metrics import metric
from server import BINARY, PATIENCE, ROOT, SANITIZED, Server, environment, reserved_port, run
from test_process import answers_and_ends, in_flight, until
from wire import Wire, request

WISHES = [{}, {"classes": "2,999"}, {"size": "input", "include": "overlay,heatmap,map"}, {"resize": "stretch", "top_k": 2}]


def put(path, data):
    """A whole new file under an old name, as one should."""
    path.with_suffix(".new").write_bytes(data)
    os.replace(path.with_suffix(".new"), path)


def reloads(server, result):
    return metric(server.admin or server.client, "camserve_reloads_total", file="model", result=result)


def reload(server, result="done"):
    """One SIGHUP and its end."""
    before = reloads(server, result)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: reloads(server, result) > before, f"no reload was {result}")


@pytest.fixture
def path(tmp_path, light_file):
    """Where the model is: at first the light one."""
    shutil.copy(light_file, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def models(light_file, tiny_file):
    return {"vgg16-cam": light_file.read_bytes(), "tiny": tiny_file.read_bytes()}


@pytest.mark.concurrent
def test_requests_stream_over_reloads(start, path, models):
    """Four clients ask without a pause over several reloads: each answer is, byte for byte, the one or the other model's."""
    server, photos = start(model=path, teams=2, threads=2), [pictures.png(pictures.scene(60, 40)), pictures.jpeg(pictures.scene(90, 90))]
    asks = list(itertools.product(photos, WISHES))
    answers = {}
    for name in ("tiny", "vgg16-cam"):
        put(path, models[name])
        reload(server)
        answers[name] = [(r.status_code, same(r.json())) for r in (cam(server.client, p, **w) for p, w in asks)]
    assert {status for status, _ in answers["tiny"]} == {200, 400} and {status for status, _ in answers["vgg16-cam"]} == {200}
    seen, wrong, stop = set(), [], threading.Event()

    def stream(client):
        for i in itertools.cycle(range(len(asks))):
            if stop.is_set():
                return
            try:
                response = cam(client, asks[i][0], **asks[i][1])
            except httpx.TransportError as error:
                return wrong.append(repr(error))
            got = [name for name in answers if answers[name][i] == (response.status_code, same(response.json()))]
            seen.update(got)
            if len(got) != 1:
                wrong.append((i, response.status_code, response.text[:300]))
    clients = [server.new_client() for _ in range(4)]
    threads = [threading.Thread(target=stream, args=(c,)) for c in clients]
    for t in threads:
        t.start()
    for name in ("tiny", "vgg16-cam") * (2 if SANITIZED else 4):
        put(path, models[name])
        reload(server)
        assert server.client.get("/version").json()["model"]["name"] == name
        assert cam(server.client, asks[1][0], **asks[1][1]).status_code == answers[name][1][0], "requests after the swap meet the new model"
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join(PATIENCE)
    assert not wrong and seen == set(answers)
    for c in clients:
        c.close()


@pytest.mark.concurrent
def test_what_is_queued_is_answered_by_the_model_it_was_checked_against(start, path, models):
    server = start(model=path, teams=1, threads=1, admin_port=0, request_deadline_ms=PATIENCE * 1000, idle_timeout_s=PATIENCE, upload_bytes_per_s=0)
    photo, wish = pictures.png(pictures.scene(150, 100) if SANITIZED else pictures.scene(800, 600)), {"classes": "999", "top_k": 10, "size": "original"}
    expected = same(cam(server.client, photo, **wish).json())
    threads, responses = in_flight(server, photo, 5, **wish)
    came, slow = metric(server.admin, "camserve_request_bytes_total"), Wire(server)
    slow.send(request(target="/cam?classes=999", body=photo[:-1], length=len(photo)))  # its headers came before the reload, its last byte comes after
    until(lambda: metric(server.admin, "camserve_request_bytes_total") >= came + len(photo) - 1, "it never came")
    put(path, models["tiny"])
    reload(server)
    assert "999" in problem(cam(server.client, photo, **wish), 400)["detail"], "the new model has three classes"
    assert 'camserve_model_info{name="tiny",' in server.admin.get("/metrics").text
    status, _, body = slow.send(photo[-1:]).response()
    assert status == 200 and b'"vgg16-cam"' in body
    slow.socket.close()
    for t in threads:
        t.join(PATIENCE)
    assert [same(r.json()) for r in responses] == [expected] * 5


@pytest.mark.concurrent
def test_bad_files_change_nothing(start, path, models):
    server, photo = start(model=path, teams=1), pictures.png(pictures.scene(50, 40))
    good, expected = models["vgg16-cam"], same(cam(server.client, photo).json())
    torn = bytearray(good)
    torn[len(good) // 2:] = bytes(len(good) - len(good) // 2)
    bad = [lambda: path.unlink(), lambda: os.mkfifo(path), lambda: path.mkdir(), lambda: put(path, b""), lambda: put(path, good[:-4]),
           lambda: put(path, good[:1000]), lambda: put(path, b"\xff" * 5000), lambda: put(path, bytes(torn))]
    for make in bad:
        if path.is_dir():
            path.rmdir()
        elif make is not bad[0]:
            path.unlink(missing_ok=True)
        make()
        reload(server, "failed")
        assert same(cam(server.client, photo).json()) == expected and server.client.get("/readyz").status_code == 200
    assert server.log().count("not reloaded, the present model stays: ") == len(bad)
    put(path, models["tiny"])
    reload(server)
    assert server.client.get("/v1/models/tiny").json()["classes"] == len(server.client.get("/labels").json()) == 3


@pytest.mark.concurrent
def test_file_that_shrinks_and_grows(start, path, models):
    """In place, while it serves and while it is read: what is served was copied and checked, what is half written is refused."""
    server, photo, good = start(model=path, teams=1), pictures.png(pictures.scene(50, 40)), models["vgg16-cam"]
    expected = same(cam(server.client, photo).json())
    os.truncate(path, 0)
    assert same(cam(server.client, photo).json()) == expected
    stop = threading.Event()

    def write():
        with open(path, "r+b") as file:
            for i in itertools.count():
                if stop.is_set():
                    break
                file.truncate((0, len(good) // 2, len(good) - 1)[i % 3])
                file.seek(0)
                file.write(good)
                file.flush()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5 if SANITIZED else 30):
            before = reloads(server, "done") + reloads(server, "failed")
            server.process.send_signal(signal.SIGHUP)
            until(lambda: reloads(server, "done") + reloads(server, "failed") > before, "the reload never ended")
            result = run("info", path)
            assert result.returncode in (0, 1)
            assert same(cam(server.client, photo).json()) == expected
    finally:
        stop.set()
        writer.join()
    reload(server)
    assert same(cam(server.client, photo).json()) == expected


@pytest.mark.concurrent
def test_many_signals_are_one_more_load(start, path, models):
    server = start(model=path, teams=1)
    put(path, models["tiny"])
    for _ in range(300):
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.0002)  # so that each is delivered
    until(lambda: server.client.get("/version").json()["model"]["name"] == "tiny", "the last file must be read")
    before = reloads(server, "done")
    reload(server)
    done = reloads(server, "done")
    assert 1 <= before < done < 300 and reloads(server, "failed") == 0
    time.sleep(0.3)
    assert reloads(server, "done") <= done + 1, "signals that came together are loaded one by one"


def test_memory_returns_after_reloads(start, path, models):
    server, photo = start(model=path), pictures.png(pictures.scene(100, 80))
    for i in range(24):
        put(path, models[("tiny", "vgg16-cam")[i % 2]])
        reload(server)
        assert cam(server.client, photo).status_code == 200
        if i == 3:
            base = server.resident_mib(), server.descriptors(), server.threads()
    until(lambda: server.threads() <= base[2], "the old model's threads end")
    assert server.resident_mib() <= base[0] + 6 and server.descriptors() <= base[1]


def test_keys_are_read_again_with_it(start, path, models, tmp_path):
    """Both, each for itself: a bad file of one does not hold up the other."""
    old, new, photo = "k" * 20, "n" * 20, pictures.png(pictures.scene(30, 30))
    file = tmp_path / "keys"
    file.write_text(f"old {old}\n")
    server = start(model=path, keys=file)
    server.client.headers["X-Api-Key"] = old

    def ask(key):
        return server.client.post("/cam", content=photo, headers={"X-Api-Key": key}).status_code
    assert (ask(old), ask(new)) == (200, 401)
    file.write_text(f"old {old}\nnew {new}\n")
    put(path, b"no model")
    reload(server, "failed")
    assert (ask(old), ask(new)) == (200, 200)
    file.write_text("short\n")
    put(path, models["tiny"])
    reload(server)
    assert (ask(old), ask(new)) == (200, 200)
    assert [metric(server.client, "camserve_reloads_total", file="keys", result=r) for r in ("done", "failed")] == [1, 1]


# ---- signals at other times ----
@pytest.mark.concurrent
def test_reload_wished_for_while_draining(light_model):
    server = Server(model=light_model, teams=1, threads=1, drain_ms=PATIENCE * 1000, request_deadline_ms=PATIENCE * 1000)
    threads, responses = in_flight(server, pictures.png(pictures.scene(150, 100) if SANITIZED else pictures.scene(500, 400)), 3, size="original", top_k=5)
    server.process.send_signal(signal.SIGTERM)
    for _ in range(3):
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.02)
    answers_and_ends(server, threads, responses, 3)


@pytest.mark.concurrent
def test_end_during_a_reload(light_model):
    """At many moments of it; in-flight requests are answered, the exit code is 0."""
    for delay in (0.01, 0.1) if SANITIZED else (0, 0.001, 0.003, 0.01, 0.03, 0.1):
        server = Server(model=light_model, teams=1, drain_ms=PATIENCE * 1000, request_deadline_ms=PATIENCE * 1000)
        threads, responses = in_flight(server, pictures.png(pictures.scene(100, 80)), 3)
        server.process.send_signal(signal.SIGHUP)
        time.sleep(delay)
        server.process.send_signal(signal.SIGTERM)
        answers_and_ends(server, threads, responses, 3)


def begin(light_model, **more):
    """camserve as it comes: its admin port answers, the model is not read yet. The other port is there when it is."""
    ports = reserved_port(), reserved_port()
    process = subprocess.Popen([BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                               env=environment(port=ports[0], admin_port=ports[1], model=light_model), **more)
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", ports[1])).close()
            return process, ports[0]
        except ConnectionRefusedError:
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.001)


def is_ready(client):
    """False also while nobody listens yet."""
    try:
        return client.get("/readyz").status_code == 200
    except httpx.ConnectError:
        return False


@pytest.mark.concurrent
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_end_while_starting(light_model, number):
    """At many moments of it; at one of them at least there is no model yet."""
    ends = []
    for delay in (0, 0, 0, 0.005, 0.02, 0.05)[::3 if SANITIZED else 1]:
        process, _ = begin(light_model)
        time.sleep(delay)
        process.send_signal(number)
        text = process.communicate(timeout=PATIENCE)[0].decode()
        assert process.returncode == 0 and "Sanitizer" not in text, text
        ends.append("curl -F" not in text)  # what it says when it is ready
    assert any(ends), "it was ready each time"


@pytest.mark.concurrent
def test_reload_wished_for_while_starting(path, models):
    """What is served in the end is the file of after the signal, read once or twice."""
    process, port = begin(path)
    put(path, models["tiny"])
    process.send_signal(signal.SIGHUP)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as client:
        until(lambda: is_ready(client) and client.get("/version").json()["model"]["name"] == "tiny", "it must be read")
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=PATIENCE) and process.returncode == 0


@pytest.mark.parametrize("nohup", [False, True])
def test_without_its_terminal_it_ends(light_model, nohup):
    """SIGHUP by kill(1) means reload; by the kernel, that the terminal is gone. Under nohup(1) that is nothing."""
    master, slave = pty.openpty()

    def take_terminal():
        import fcntl
        import termios
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)  # whatever the tests run under
    process, port = begin(light_model, preexec_fn=take_terminal)
    os.close(slave)
    os.close(master)
    if nohup:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE, trust_env=False) as client:
            until(lambda: is_ready(client), "it must serve")
        process.send_signal(signal.SIGTERM)
        assert b"draining" in process.communicate(timeout=PATIENCE)[0]
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
