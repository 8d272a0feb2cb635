"""Coming and going beside a balancer: who connects is served or refused, and never taken in and then cut off; what the service says of
itself meanwhile; how long a connection is kept, and whom a proxy speaks for."""
import contextlib
import re
import signal
import socket
import subprocess
import threading
import time

import httpx
import pytest

import faults
import pictures
from client import cam
from metrics import metric, parse, read
from server import BINARY, PATIENCE, REPORTS, ROOT, SANITIZED, Server, environment, reserved_port, run
from test_gate import log_line
from wire import Wire, request

PHOTO = pictures.png(pictures.smooth(60, 40))
WAIT_S = 60 if SANITIZED else 30  # for what should happen at once


def until(condition, what, seconds=PATIENCE):
    """Waits for the condition to hold; its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: never, in {seconds} s"
        time.sleep(0.005)


def get(port, path="/readyz", host="127.0.0.1"):
    """One request on a connection of its own: its status, or "refused" where none was made, or "cut" where one was and no whole answer
    came."""
    try:
        connection = socket.create_connection((host, port), timeout=PATIENCE)
    except ConnectionRefusedError:
        return "refused"
    with connection:
        answer = b""
        try:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:
            return "cut"
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head, re.I)
    return int(head.split(b" ")[1]) if length and int(length[1]) == len(body) else "cut"


class Hammer(threading.Thread):
    """A client that connects again and again until it is stopped; seen has what became of it each time, repeats taken together:
    [["refused", 812], [200, 377]]."""

    def __init__(self, port, path="/readyz"):
        super().__init__(daemon=True)
        self.port, self.path, self.seen, self.ended = port, path, [], threading.Event()

    def run(self):
        while not self.ended.is_set():
            what = get(self.port, self.path)
            if self.seen and self.seen[-1][0] == what:
                self.seen[-1][1] += 1
            else:
                self.seen.append([what, 1])

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join(PATIENCE)
        assert not self.is_alive()

    def has(self, what, times=1):
        return sum(count for seen, count in list(self.seen) if seen == what) >= times

    def order(self):
        return [what for what, _ in self.seen]


class Slow:
    """camserve serve whose model is read from a slow disk: not ready until model_is_there()."""

    def __init__(self, library, folder, model, **settings):
        self.faults = faults.Faults(library, folder)
        self.faults.read_delay_ms = 1000 * PATIENCE
        self.port, self.admin_port = reserved_port(), reserved_port()
        self.output = open(folder / "log", "w+")
        self.process = subprocess.Popen([*self.faults.wrapper, BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT, cwd=ROOT, env=environment(port=self.port, admin_port=self.admin_port, model=model, **settings))

    def log(self):
        self.output.seek(0)
        return self.output.read()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return faults.build(tmp_path_factory.mktemp("faults"))


@contextlib.contextmanager
def slow_start(*arguments, **settings):
    it = Slow(*arguments, **settings)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.wait()
        it.output.close()


def phases(text):
    """The phases that hold, of those that there are."""
    rows = {dict(labels)["phase"]: value for (name, labels), value in parse(text).items() if name == "camserve_phase"}
    assert set(rows.values()) <= {0, 1}, rows
    return rows, [phase for phase, value in rows.items() if value]


# ---- coming ----
@pytest.mark.concurrent
def test_a_start_refuses_until_it_is_ready(light_model):
    """From the first connection that is taken on, all are served: there is no fast 503 that a balancer of least connections would love."""
    port = reserved_port()
    with Hammer(port) as hammer:
        until(lambda: hammer.has("refused"), "refused before there is a process")
        server = Server(model=light_model, port=port)
        until(lambda: hammer.has(200, 20), "served")
    assert hammer.order() == ["refused", 200], hammer.seen
    server.stop()


def test_nothing_is_taken_before_the_model_is_there(library, tmp_path, light_model):
    """However long it takes; the admin port tells of it meanwhile."""
    with slow_start(library, tmp_path, light_model) as slow:
        until(lambda: get(slow.admin_port, "/healthz") == 200, "the admin port answers")
        for _ in range(50):
            assert get(slow.port) == "refused"
        assert get(slow.admin_port, "/readyz") == 503 and get(slow.admin_port, "/version") == 200
        rows, now = phases(httpx.get(f"http://127.0.0.1:{slow.admin_port}/metrics", trust_env=False).text)
        assert rows["ready"] == 0 and len(now) == 1
        assert slow.end() == 0
        assert get(slow.port) == get(slow.admin_port) == "refused"


# ---- going ----
@pytest.mark.concurrent
@pytest.mark.parametrize("leave_ms", [0, 2000])
def test_an_end_serves_or_refuses(light_model, leave_ms):
    """Of all who connect through the whole end none is cut: neither in the backlog nor when its request comes late. Afterwards all are
    refused at once, while what was there is finished."""
    server = Server(model=light_model, leave_ms=leave_ms, admin_port=0, drain_ms=PATIENCE * 1000)
    data = request(body=PHOTO)
    busy = Wire(server).send(data[:-300])
    until(lambda: metric(server.admin, "camserve_requests_open") == 1, "the photo is on its way")
    with busy, Hammer(server.port, "/version") as one, Hammer(server.port) as two, Hammer(server.admin_port, "/healthz") as admin:
        until(lambda: one.has(200, 20) and two.has(200, 20) and admin.has(200), "served")
        server.process.send_signal(signal.SIGTERM)
        until(lambda: one.has("refused", 20) and two.has("refused", 20), "refused")
        assert server.process.poll() is None and not admin.has("refused"), "it waits for what is there, and tells of it"
        status, headers, _ = busy.send(data[-300:]).response()
        assert status == 200 and headers["connection"] == "close" and busy.closed()
        code = server.wait()
        until(lambda: admin.has("refused"), "the admin port is gone")
    assert one.order() == [200, "refused"], one.seen
    assert two.order() in ([200, 503, "refused"], [200, "refused"] if not leave_ms else None), two.seen
    assert [what for what in admin.order() if what != "cut"] == [200, "refused"], admin.seen
    assert not admin.has("cut", 2), admin.seen  # the last one goes with the process
    server.client.close()
    server.admin.close()
    server.check(code)


@pytest.mark.concurrent
def test_connections_that_came_before_the_end_are_answered(light_model):
    """A request that is sent only when the listener is closed already, on a connection that was taken before: it is answered (with what, is
    up to the drain), and that the connection ends is said."""
    server = Server(model=light_model, drain_ms=PATIENCE * 1000, admin_port=0)
    data = request(body=PHOTO)
    with Wire(server) as busy, Wire(server) as fresh, Wire(server) as kept:
        assert kept.send(request("GET", "/version", length=False)).response()[0] == 200
        busy.send(data[:-300])
        until(lambda: metric(server.admin, "camserve_requests_open") == 1, "the photo is on its way")
        server.admin.close()
        server.process.send_signal(signal.SIGTERM)
        until(lambda: get(server.port) == "refused", "refused")
        for wire in (fresh, kept):
            with contextlib.suppress(ConnectionError):  # idle ones may be closed by then: their clients know that nothing was lost
                status, headers, _ = wire.send(request("GET", "/version", length=False)).response()
                assert status is None or status == 200 and headers["connection"] == "close"
        assert busy.send(data[-300:]).response()[0] == 200
    server.client.close()
    server.check(server.wait())


@pytest.mark.concurrent
def test_leaving_serves_on(light_model):
    """For leave_ms /readyz says 503, each answer says that its connection ends, and all is served, on new connections as on kept ones. A
    second signal ends it."""
    server = Server(model=light_model, leave_ms=3600000, admin_port=0)
    with Wire(server) as kept:
        assert kept.send(request("GET", "/readyz", length=False)).response()[0] == 200
        server.process.send_signal(signal.SIGTERM)
        until(lambda: get(server.port) == 503, "/readyz says so", WAIT_S)
        status, headers, body = kept.send(request(body=PHOTO)).response()
        assert status == 200 and headers["connection"] == "close" and b'"predictions"' in body and kept.closed()
    for method, target, body, expected in (("POST", "/cam", PHOTO, 200), ("GET", "/readyz", b"", 503), ("GET", "/healthz", b"", 200),
                                           ("GET", "/labels", b"", 200)):
        with Wire(server) as wire:
            status, headers, _ = wire.send(request(method, target, body, length=None if body else False)).response()
            assert status == expected and headers["connection"] == "close" and wire.closed()
    assert get(server.admin_port, "/readyz") == 503 and get(server.admin_port, "/healthz") == 200
    rows, now = phases(server.admin.get("/metrics").text)
    assert rows["ready"] == 0 and len(now) == 1
    assert not REPORTS.search(server.log()), server.log()
    server.admin.close()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(WAIT_S)
    server.kill()


@pytest.mark.concurrent
def test_leaving_has_its_time(light_model):
    """leave_ms, and then it is over without a second signal."""
    server = Server(model=light_model, leave_ms=1000)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    until(lambda: get(server.port) == "refused", "refused")
    assert time.monotonic() - begin > 0.9, "left before its time"
    server.client.close()
    server.check(server.wait())


def test_without_leave_an_idle_server_is_gone_at_once(start):
    """leave_ms is 0 unless it is set."""
    server = start()
    server.client.close()
    server.process.send_signal(signal.SIGTERM)
    server.check(server.process.wait(WAIT_S))


# ---- how long a connection is kept ----
def quiet(wire, seconds):
    """True if nothing came and nothing ended for so long."""
    wire.socket.settimeout(seconds)
    try:
        return wire.socket.recv(1) == b"never"
    except socket.timeout:
        return True
    finally:
        wire.socket.settimeout(WAIT_S)


def test_kept_between_requests_and_not_within_one(light_model):
    """Two clocks: keep_alive_s from an answer to the next request, by default longer than a balancer keeps its connections; idle_timeout_s
    within one."""
    patient, hasty = Server(model=light_model, idle_timeout_s=1), Server(model=light_model, keep_alive_s=1, idle_timeout_s=600)
    ask = request("GET", "/version", length=False)
    with Wire(patient) as kept, Wire(hasty) as half, Wire(patient) as stuck, Wire(hasty) as idle:
        for wire in (kept, idle):
            assert wire.send(ask).response()[0] == 200
        stuck.send(request(length=1000, body=b"half"))
        half.send(ask[:-4])
        begin = time.monotonic()
        for wire in (stuck, idle):
            wire.socket.settimeout(WAIT_S)
            assert wire.closed()
        assert quiet(kept, max(0.1, 2.3 - time.monotonic() + begin)), "closed by the clock of requests"
        assert quiet(half, 0.1), "closed by the clock of idle connections"
        assert kept.send(ask).response()[0] == 200
        assert half.send(ask[-4:]).response()[0] == 200
    patient.stop()
    hasty.stop()


def test_a_connection_has_so_many_requests(start):
    """The last answer says that it is the last; what was sent after it is not answered."""
    server = start(connection_requests=3)
    ask = request("GET", "/version", length=False)
    for pipelined in (False, True):
        with Wire(server, timeout=WAIT_S) as wire:
            if pipelined:
                wire.send(ask * 5)
            ends = []
            for _ in range(3):
                if not pipelined:
                    wire.send(ask)
                status, headers, _ = wire.response()
                ends.append((status, headers.get("connection", "keep-alive").lower()))
            assert ends == [(200, "keep-alive"), (200, "keep-alive"), (200, "close")]
            assert wire.closed() and not wire.buffer
    with Wire(server, timeout=WAIT_S) as wire:  # photos count as all do
        wire.send(ask * 2 + request(body=PHOTO))
        assert [wire.response()[0] for _ in range(3)] == [200] * 3 and wire.closed()


# ---- proxies ----
FORWARDED = [
    (["203.0.113.7"], "203.0.113.7"), (["2001:db8::17"], "2001:db8::17"), (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
    (["198.51.100.1", "203.0.113.7"], "203.0.113.7"), (["203.0.113.7, 127.0.0.1"], "203.0.113.7"),
    (["203.0.113.7,192.0.2.9 , 127.0.0.1"], "203.0.113.7"),
    (["evil\", \"status\":\"200, 203.0.113.7"], "203.0.113.7"), (["127.0.0.1"], "127.0.0.1"), ([""], "127.0.0.1"), (["unknown"], "127.0.0.1"),
    (["203.0.113.7, nonsense"], "127.0.0.1"), (["x" * 3000], "127.0.0.1"), ([], "127.0.0.1")]


@pytest.fixture(scope="module")
def behind(light_model):
    """Two proxies are trusted: this machine, and one more."""
    it = Server(model=light_model, trusted_proxies="127.0.0.1, 192.0.2.9", connections_per_ip=4, admin_port=0)
    yield it
    it.stop()


def peer(server, values):
    with Wire(server, timeout=WAIT_S) as wire:
        status, headers, _ = wire.send(request("GET", "/version", headers=[f"X-Forwarded-For: {v}" for v in values], length=False)).response()
    assert status == 200
    return log_line(server, headers["x-request-id"])["peer"]


@pytest.mark.hostile
@pytest.mark.parametrize("values,expected", FORWARDED, ids=range(len(FORWARDED)))
def test_the_peer_is_whom_a_trusted_proxy_names(behind, values, expected):
    """From the right: the first that is no trusted proxy. What stands left of it, a client may have made up."""
    assert peer(behind, values) == expected


@pytest.mark.hostile
@pytest.mark.parametrize("settings", [{}, {"trusted_proxies": "192.0.2.9"}, {"trusted_proxies": "::1"}], ids=["none", "another", "another's"])
def test_who_is_not_trusted_names_nobody(start, settings):
    server = start(**settings)
    for values, _ in FORWARDED:
        assert peer(server, values) == "127.0.0.1"


@pytest.mark.hostile
def test_a_trusted_proxy_has_as_many_connections_as_it_likes(behind):
    wires = [Wire(behind, timeout=WAIT_S) for _ in range(30)]
    try:
        for wire in wires:
            assert wire.send(request("GET", "/version", length=False)).response()[0] == 200
    finally:
        for wire in wires:
            wire.socket.close()


@pytest.mark.hostile
def test_who_is_no_proxy_stays_within_the_limit(behind):
    """The same server, another address of this machine: it names nobody, and has connections_per_ip."""
    sockets = [socket.create_connection(("127.0.0.1", behind.port), timeout=WAIT_S, source_address=("127.0.0.2", 0)) for _ in range(12)]
    answers = []
    for each in sockets:
        with contextlib.suppress(ConnectionError):
            each.sendall(request("GET", "/version", headers=["X-Forwarded-For: 203.0.113.77"], length=False))
            answers.append(each.recv(12))
    for each in sockets:
        each.close()
    assert 1 <= answers.count(b"HTTP/1.1 200") <= 4, answers
    until(lambda: '"peer":"127.0.0.2"' in behind.log(), "its line")
    assert "203.0.113.77" not in behind.log()


@pytest.mark.parametrize("value", ["proxy.example", "127.0.0", "*", "127.0.0.1:8080", "127.0.0.1/33"])
def test_trusted_proxies_that_are_none(value):
    result = run("serve", trusted_proxies=value, port=0)
    assert result.returncode in (1, 2) and b"trusted_proxies" in result.stderr.lower().replace(b"-", b"_"), result.stderr


# ---- gauges ----
@pytest.mark.parametrize("teams,threads,queue", [(1, 2, 64), (3, 1, 1)])
def test_gauges_of_what_there_is(start, teams, threads, queue):
    samples = read(start(teams=teams, threads=threads, queue=queue, admin_port=0).admin)
    value = {name: v for (name, labels), v in samples.items() if not labels}
    assert value["camserve_workers"] == teams * threads and value["camserve_queue_capacity"] == queue
    assert value["camserve_workers_busy"] == value["camserve_queue_jobs"] == value["camserve_log_lines_lost_total"] == 0
    phase = {dict(labels)["phase"]: v for (name, labels), v in samples.items() if name == "camserve_phase"}
    assert phase.pop("ready") == 1 and len(phase) >= 2 and set(phase.values()) == {0}


def test_busy_are_threads(start):
    """All of a team at once: what an autoscaler divides by camserve_workers."""
    server = start(teams=1, threads=2, admin_port=0)
    photo, seen = pictures.png(pictures.smooth(900, 900)), set()

    def watched():
        thread = threading.Thread(target=lambda: cam(server.client, photo, size="original", top_k=10))
        thread.start()
        while thread.is_alive():
            seen.add(metric(server.admin, "camserve_workers_busy"))
        return 2 in seen
    until(watched, "two busy threads")
    assert seen <= {0, 2}, seen
    until(lambda: metric(server.admin, "camserve_workers_busy") == 0, "none is busy")


def test_probes_are_not_counted(start):
    """What balancers and orchestrators ask every second is no traffic."""
    server = start()

    def counted():
        samples = read(server.client)
        return {dict(labels)["route"]: v for (name, labels), v in samples.items() if name == "camserve_requests_total"}, samples
    before, samples = counted()
    for _ in range(10):
        assert server.client.get("/healthz").status_code == server.client.get("/readyz").status_code == 200
        assert server.client.head("/readyz").status_code == 200
    assert cam(server.client, PHOTO).status_code == server.client.get("/version").status_code == 200
    after, more = counted()
    assert not {"/healthz", "/readyz"} & {route for route, v in after.items() if v}
    assert after["/cam"] == before.get("/cam", 0) + 1 and after["/version"] == before.get("/version", 0) + 1
    received = "camserve_requests_received_total", frozenset()
    assert more[received] - samples[received] in (2, 3)  # the photo, /version, and perhaps /metrics itself


# ---- addresses ----
def test_brackets_around_an_address(light_model):
    """As in a URL."""
    port, log = reserved_port(socket.AF_INET6, "::1"), []
    process = subprocess.Popen([BINARY, "serve", "--host", "[::1]", "--port", str(port)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, cwd=ROOT, env=environment(model=light_model))
    try:
        until(lambda: process.poll() is not None or get(port, host="::1") == 200, "served")
        assert process.poll() is None, process.stdout.read()
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=PATIENCE)[0].decode()
    finally:
        process.kill()
    assert process.returncode == 0 and f"http://[::1]:{port}/" in log


NAMES = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
/* One name with three addresses: two that no interface has, then loopback. */
static struct addrinfo *row(const char *address, const char *port, struct addrinfo *next) {
  struct addrinfo *it = calloc(1, sizeof *it);
  struct sockaddr_in6 *at = calloc(1, sizeof *at);
  struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)at;
  const int v6 = strchr(address, ':') != NULL;
  it->ai_family = v6 ? AF_INET6 : AF_INET;
  it->ai_socktype = SOCK_STREAM;
  it->ai_addrlen = v6 ? sizeof *at : sizeof *v4;
  it->ai_addr = (struct sockaddr *)at;
  at->sin6_family = (sa_family_t)it->ai_family;
  at->sin6_port = htons((unsigned short)(port ? atoi(port) : 0));
  inet_pton(it->ai_family, address, v6 ? (void *)&at->sin6_addr : (void *)&v4->sin_addr);
  it->ai_next = next;
  return it;
}
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out) {
  (void)host, (void)hints;
  *out = row("2001:db8::17", port, row("192.0.2.17", port, row(getenv("LAST"), port, NULL)));
  return 0;
}
void freeaddrinfo(struct addrinfo *it) {
  for (struct addrinfo *next; it; it = next) {
    next = it->ai_next;
    free(it->ai_addr);
    free(it);
  }
}
"""


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """A name service of our own, for a name whose first addresses are not this machine's."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "names.c").write_text(NAMES)
    subprocess.run(["cc", "-std=gnu11", "-shared", "-fPIC", "-o", folder / "names.so", folder / "names.c"], check=True)
    return folder / "names.so"


def test_all_addresses_of_a_name_are_tried(start, names):
    """"localhost" is ::1 first on many machines, also where there is no IPv6."""
    server = start(wrapper=("env", f"LD_PRELOAD={names}", "LAST=127.0.0.1"), host="photos.example")
    assert get(server.port) == 200 and f"http://127.0.0.1:{server.port}/" in server.log()


def test_a_name_without_an_address_of_ours(names, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD", str(names))
    monkeypatch.setenv("LAST", "192.0.2.18")
    result = run("serve", host="photos.example", port=0, timeout=WAIT_S)
    assert result.returncode == 1 and b"photos.example" in result.stderr


def test_localhost_and_a_taken_address(light_model):
    """Where its first address is taken and there is another, that one is served; where there is none it does not start, and says why."""
    addresses = [row[4][0] for row in socket.getaddrinfo("localhost", 0, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)]
    families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in addresses]
    with socket.socket(families[0]) as taken:
        port = reserved_port(families[-1], addresses[-1])
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((addresses[0], port))
        taken.listen()
        process = subprocess.Popen([BINARY, "serve", "--host", "localhost", "--port", str(port)], cwd=ROOT, env=environment(model=light_model),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            if len(set(addresses)) > 1:
                until(lambda: process.poll() is not None or get(port, host=addresses[1]) == 200, "served")
                process.send_signal(signal.SIGTERM)
            log = process.communicate(timeout=PATIENCE)[0].decode()
        finally:
            process.kill()
    assert process.returncode == (0 if len(set(addresses)) > 1 else 1) and str(port) in log
