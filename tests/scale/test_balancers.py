"""Each balancer's configuration as it stands in docker/, with the addresses of this machine and a third server: nothing is lost, whatever becomes of one."""
import os
import re
import signal

import httpx
import pytest

import pictures
from fleet import PHOTO, ROOT, Balancer, Fleet, Load
from server import reserved_port


def haproxy(folder, fleet, text=None):
    port, plain = reserved_port(), bool(text)
    text = text or (ROOT / "docker/haproxy.cfg").read_text()
    checked = "".join(f"    server camserve-{i} 127.0.0.1:{s.port} port {s.admin_port}\n" for i, s in enumerate(fleet.servers, 1))
    anyway = "".join(f"    server anyway-{i} 127.0.0.1:{s.port} backup maxconn 32\n" for i, s in enumerate(fleet.servers, 1))
    text, found = re.subn(r"(?m)(^    server camserve-\d camserve-\d:8080\n)+", checked, text)
    text, found_anyway = re.subn(r"(?m)(^    server anyway-\d camserve-\d:8080 backup maxconn 32\n)+", anyway, text)
    text, bound = re.subn(r"bind :8080", f"bind 127.0.0.1:{port}", text)
    assert (found, found_anyway, bound) == (1, int(not plain), 1)
    (folder / "haproxy.cfg").write_text(text)
    return Balancer(["haproxy", "-db", "-f", folder / "haproxy.cfg"], port, folder / "haproxy.log")


def nginx(folder, fleet):
    text, port = (ROOT / "docker/nginx.conf").read_text(), reserved_port()
    found = 0
    for terms in ("max_fails=1 fail_timeout=2s", "max_fails=0 backup"):
        servers = "".join(f"    server 127.0.0.1:{s.port} {terms};\n" for s in fleet.servers)
        text, n = re.subn(rf"(?m)(^    server camserve-\d:8080 {terms};\n)+", servers, text)
        found += n
    text, bound = re.subn(r"listen 8080;", f"listen 127.0.0.1:{port};", text)
    text, logs = re.subn(r"access_log /dev/stdout", f"access_log {folder}/access.log", text)
    assert (found, bound, logs) == (2, 1, 1)
    paths = "".join(f"  {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""  # whose alone the folder is
    (folder / "nginx.conf").write_text(f"{user}pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\ndaemon off;\n" + text.replace("http {\n", "http {\n" + paths, 1))
    return Balancer(["nginx", "-e", folder / "error.log", "-c", folder / "nginx.conf"], port, folder / "nginx.log")


@pytest.fixture(params=[haproxy, nginx], ids=["haproxy", "nginx"])
def behind(request, tmp_path, model):
    """(fleet, balancer) with leave_ms 8000, as the container has it."""
    fleet = Fleet(tmp_path, model, leave_ms=8000)
    balancer = None
    try:
        balancer = request.param(tmp_path, fleet)
        yield fleet, balancer
    finally:
        if balancer:
            balancer.close()
        fleet.close()


def kill_in_turn(servers, load, requests):
    """SIGKILL of each and its return, so many requests after either."""
    for server in servers:
        server.end(signal.SIGKILL)
        load.more(requests)
        server.begin()
        load.more(requests)


def test_killed(behind, counted):
    """SIGKILL of each in turn, and its return."""
    fleet, balancer = behind
    with Load(balancer.url) as load:
        kill_in_turn(fleet.servers, load, 40)
    assert not counted(load)


def test_killed_one_right_after_another(behind, counted):
    """Each as soon as the one before it is back, whatever the balancer knows of that; twice."""
    fleet, balancer = behind
    with Load(balancer.url) as load:
        for server in fleet.servers * 2:
            server.end(signal.SIGKILL)
            server.begin()
    assert not counted(load)


def test_killed_with_photos_as_large_as_a_telephones(behind, counted):
    """5 MB, which a balancer has to hold as a whole to send it again."""
    fleet, balancer = behind
    photo = pictures.png(pictures.scene(1900, 1400))
    assert len(photo) > 5_000_000
    with Load(balancer.url, clients=4, photo=photo) as load:
        kill_in_turn(fleet.servers[:2], load, 8)
    assert not counted(load)


def test_killed_among_many(behind, counted):
    """More clients than a server's maxconn: those that wait for it are served by the others."""
    fleet, balancer = behind
    with Load(balancer.url, clients=40) as load:
        fleet.servers[0].end(signal.SIGKILL)
        load.more(120)
    assert not counted(load)


def test_ended(behind, counted):
    fleet, balancer = behind
    with Load(balancer.url) as load:
        for server in fleet.servers[:2]:
            server.end()
            load.more(40)
            server.begin()
            load.more(20)
    assert not counted(load)


def test_reloaded(behind, counted):
    fleet, balancer = behind
    with Load(balancer.url) as load:
        for _ in range(2):
            for server in fleet.servers:
                server.process.send_signal(signal.SIGHUP)
                load.more(10)
    assert not counted(load)


PLAIN = """defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend in
    bind :8080
    default_backend camserve
backend camserve
    balance leastconn
    option httpchk GET /readyz
    default-server check inter 1s
    server camserve-1 camserve-1:8080
"""


def test_ended_behind_a_balancer_that_knows_nothing_of_it(tmp_path, model, counted):
    """A check a second and leave_ms 6000 are enough."""
    fleet = Fleet(tmp_path, model, leave_ms=6000)
    balancer = None
    try:
        balancer = haproxy(tmp_path, fleet, PLAIN)
        with Load(balancer.url) as load:
            for server in fleet.servers[:2]:
                server.end()
                load.more(40)
                server.begin()
                load.more(20)
        assert not counted(load)
    finally:
        if balancer:
            balancer.close()
        fleet.close()


def test_the_id_is_passed_on(behind):
    """An answer has one, whoever gave it."""
    response = httpx.post(behind[1].url + "/cam?include=none", content=PHOTO, headers={"X-Request-Id": "mine"}, timeout=120, trust_env=False)
    assert response.status_code == 200 and response.headers["x-request-id"]
