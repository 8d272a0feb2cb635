"""Each balancer's configuration as it stands in docker/, with the addresses of this machine and a third server: nothing is lost, whatever becomes of one."""
import re
import signal

import pytest

from fleet import ROOT, Balancer, Fleet, Load
from server import reserved_port


def haproxy(folder, fleet, text=None):
    text, port = text or (ROOT / "docker/haproxy.cfg").read_text(), reserved_port()
    servers = "\n".join(f"    server camserve-{i} 127.0.0.1:{s.port} port {s.admin_port}" for i, s in enumerate(fleet.servers, 1))
    text, found = re.subn(r"(?m)(^    server camserve-\d .*\n?)+", servers + "\n", text)
    text, bound = re.subn(r"bind :8080", f"bind 127.0.0.1:{port}", text)
    assert (found, bound) == (1, 1)
    (folder / "haproxy.cfg").write_text(text)
    return Balancer(["haproxy", "-db", "-f", folder / "haproxy.cfg"], port, folder / "haproxy.log")


def nginx(folder, fleet):
    text, port = (ROOT / "docker/nginx.conf").read_text(), reserved_port()
    terms = re.search(r"server camserve-1:8080 (.*);", text)[1]
    servers = "".join(f"    server 127.0.0.1:{s.port} {terms};\n" for s in fleet.servers)
    text, found = re.subn(r"(?m)(^    server camserve-\d:8080 .*;\n)+", servers, text)
    text, bound = re.subn(r"listen 8080;", f"listen 127.0.0.1:{port};", text)
    text, logs = re.subn(r"access_log /dev/stdout", f"access_log {folder}/access.log", text)
    assert (found, bound, logs) == (1, 1, 1)
    paths = "".join(f"  {name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"pid {folder}/nginx.pid;\nerror_log {folder}/error.log;\ndaemon off;\n" + text.replace("http {\n", "http {\n" + paths, 1))
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


def test_killed(behind, counted):
    """SIGKILL of each in turn, and its return."""
    fleet, balancer = behind
    with Load(balancer.url) as load:
        for server in fleet.servers:
            server.end(signal.SIGKILL)
            load.more(40)
            server.begin()
            load.more(40)
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
        balancer = haproxy(tmp_path, fleet, re.sub("    default-server check", "    default-server check", PLAIN))
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


def test_a_photo_as_large_as_a_telephones(behind):
    """Nothing before camserve refuses what camserve takes, and it passes the id on."""
    import httpx

    import pictures
    photo = pictures.png(pictures.scene(900, 700))
    assert len(photo) > 1 << 20
    response = httpx.post(behind[1].url + "/cam?include=none", content=photo, headers={"X-Request-Id": "mine"}, timeout=120, trust_env=False)
    assert response.status_code == 200 and response.headers["x-request-id"]
