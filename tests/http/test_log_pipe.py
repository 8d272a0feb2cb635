"""The log goes to whoever reads it, and nobody waits for that reader: a pipe that is full, or closed, holds up no request, no answer of the
admin port, and not the end. What is lost is counted, and the first line after says how much."""
import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
import time

import httpx
import pytest

import pictures
from client import strict_json
from metrics import parse
from server import BINARY, PATIENCE, REPORTS, ROOT, SANITIZED, environment

pytestmark = pytest.mark.concurrent
PHOTO = pictures.png(pictures.smooth(60, 40))
WAIT_S = 60 if SANITIZED else 20  # for an answer: one that waits for a reader never comes
PIPE = 4096  # bytes: the least that Linux gives, some 25 lines
MANY = 400  # requests: far more lines than the pipe, and whatever stands before it, holds for long
LOST = "camserve_log_lines_lost_total", frozenset()


class Piped:
    """camserve serve whose log, and whose welcome where it says so, go into a pipe that is read only when a test does."""

    def __init__(self, model, together=False, **settings):
        self.end, theirs = os.pipe()
        fcntl.fcntl(self.end, fcntl.F_SETPIPE_SZ, PIPE)
        os.set_blocking(self.end, False)
        self.text = b""
        self.process = subprocess.Popen([BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=theirs if together else subprocess.PIPE, stderr=theirs, cwd=ROOT,
                                        env=environment(port=0, admin_port=0, model=model, log="json", **settings))
        os.close(theirs)
        welcome, end = b"", time.monotonic() + PATIENCE
        while b"/metrics\n" not in welcome:
            assert time.monotonic() < end and self.process.poll() is None, welcome
            if together:
                self.read_for(0.05)
                welcome = self.text
            elif select.select([self.process.stdout], [], [], 0.05)[0]:
                welcome += os.read(self.process.stdout.fileno(), 65536)
        ports = [int(port) for port in re.findall(rb"http://127\.0\.0\.1:(\d+)/(?:\n|metrics)", welcome)]
        self.client, self.admin = (httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S, trust_env=False) for port in ports)
        end = time.monotonic() + PATIENCE
        while self.admin.get("/readyz").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.02)

    def read_for(self, seconds):
        """Reads what is there, and what comes in so long a time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.end], [], [], max(0, end - time.monotonic()))[0]:
                return
            piece = os.read(self.end, 65536)
            if not piece:
                return
            self.text += piece

    def lines(self):
        """All lines that have come, whole and JSON, but for the welcome."""
        lines = self.text.decode().split("\n")[:-1]
        return [strict_json(line) for line in lines if not line.startswith(("camserve ", "curl ", "for who "))]

    def lost(self):
        return int(parse(self.admin.get("/metrics").text)[LOST])

    def until_lost(self):
        """Requests until lines are lost, and MANY more."""
        for asked in range(10 * MANY):
            assert self.client.get("/version").status_code == 200
            if asked % 50 == 49 and self.lost():
                break
        assert self.lost(), "no line was lost, and nobody reads"
        for _ in range(MANY):
            assert self.client.get("/version").status_code == 200

    def leave(self):
        """SIGTERM; the exit code, soon."""
        self.client.close()
        self.admin.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)

    def close(self):
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        with contextlib.suppress(OSError):
            os.close(self.end)


@pytest.fixture
def piped(light_model):
    made = []

    def begin(**settings):
        made.append(Piped(light_model, **settings))
        return made[-1]
    yield begin
    for it in made:
        it.close()


@pytest.mark.parametrize("together", [False, True], ids=["log", "log and welcome"])
def test_nobody_reads_the_log(piped, together):
    """In a container both streams are one pipe. Requests, admin port and SIGTERM go on."""
    it = piped(together=together)
    it.until_lost()
    assert it.client.post("/cam", content=PHOTO).status_code == 200
    assert it.client.post("/cam", content=b"no photo").status_code == 415
    assert [it.admin.get(path).status_code for path in ("/healthz", "/readyz", "/metrics", "/version")] == [200] * 4
    assert it.lost() >= MANY / 2
    assert it.leave() == 0


def told(lines):
    """What the lines say was lost, together."""
    events = [line["event"] for line in lines if "lost" in line.get("event", "")]
    return sum(int(re.search(r"\d+", event)[0]) for event in events)


def test_what_was_lost_is_said(piped):
    """By the first line that is written after each gap: all of them are what the counter says, and no more is said once nothing more is lost."""
    it = piped()
    it.until_lost()
    end = time.monotonic() + PATIENCE
    while told(it.lines()) != it.lost():
        assert time.monotonic() < end, f"{it.lost()} lines were lost; told of are {told(it.lines())}"
        it.read_for(0.2)
        assert it.client.get("/version").status_code == 200
    assert it.lost() >= MANY / 2
    before = len(it.lines())
    asked = it.client.get("/version").headers["x-request-id"]
    while not [line for line in it.lines()[before:] if line.get("request_id") == asked]:
        assert time.monotonic() < end, "what comes after is not logged"
        it.read_for(0.2)
    assert it.leave() == 0
    it.read_for(WAIT_S)
    assert not told(it.lines()[before:]) and not REPORTS.search(it.text.decode())


def test_lines_that_came_and_lines_that_were_lost_are_all(piped):
    """What the counter says and what the pipe gave add up to what was asked."""
    it = piped()
    asked = {it.client.get("/version").headers["x-request-id"] for _ in range(3 * MANY)}
    end = time.monotonic() + PATIENCE
    while True:
        it.read_for(0.2)
        came = {line["request_id"] for line in it.lines() if line.get("request_id") in asked}
        if len(came) + it.lost() >= len(asked):
            break
        assert time.monotonic() < end, (len(came), it.lost(), len(asked))
    assert len(came) + it.lost() == len(asked)
    assert it.leave() == 0


def test_the_end_is_logged_where_somebody_reads(piped):
    """That nobody waits for the reader is no reason to drop what could be written: all lines of a short life are there."""
    it = piped()
    asked = [it.client.get("/version").headers["x-request-id"] for _ in range(10)]
    assert it.leave() == 0
    it.read_for(WAIT_S)
    lines = it.lines()
    assert asked == [line["request_id"] for line in lines if line.get("request_id") in asked]
    assert [line for line in lines if "drain" in line.get("event", "")]


def test_the_reader_is_gone(piped):
    """A pipe that is closed at the other end is one more that nobody reads."""
    it = piped()
    os.close(it.end)
    for _ in range(20):
        assert it.client.get("/version").status_code == 200
    assert it.client.post("/cam", content=PHOTO).status_code == 200
    assert it.leave() == 0


@pytest.mark.hostile
def test_a_full_pipe_and_many_clients(piped):
    """A client's bad requests are logged too, and stall nobody."""
    it = piped(idle_timeout_s=1)
    it.until_lost()
    for _ in range(50):
        with contextlib.suppress(httpx.TransportError):
            it.client.request("BREW", "/" + "x" * 3000, headers={"X-Request-Id": "y" * 500})
    assert it.client.get("/healthz").status_code == 200
    assert it.leave() == 0
