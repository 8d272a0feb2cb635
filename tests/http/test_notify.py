"""What the service tells the manager that started it (sd_notify(3)), as systemd hears it: datagrams of lines."""
import os
import signal
import socket
import subprocess

import pytest

from metrics import metric
from server import BINARY, PATIENCE, ROOT, environment
from test_leaving import get, until


class Manager:
    """Whoever NOTIFY_SOCKET leads to. next() is what is said next, as a dictionary."""

    def __init__(self, address):
        self.name = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self.socket.settimeout(PATIENCE)

    def next(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())

    def says_nothing_more(self):
        self.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            self.socket.recv(4096)
        self.socket.settimeout(PATIENCE)


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    it = Manager(str(tmp_path / "notify") if request.param == "path" else f"@camserve-test-{os.getpid()}")
    yield it
    it.socket.close()


def test_ready_reloading_stopping(start, manager):
    """Also with the filter of system calls on, and through a manager that is there for the first word alone."""
    server = start(wrapper=("env", f"NOTIFY_SOCKET={manager.name}"))
    ready = manager.next()
    assert ready == {"READY": "1", "STATUS": f"1 model on 127.0.0.1 port {server.port}"}
    for _ in range(2):
        before = metric(server.client, "camserve_reloads_total", file="model", result="done")
        server.process.send_signal(signal.SIGHUP)
        reloading = manager.next()
        assert reloading.pop("RELOADING") == "1" and int(reloading.pop("MONOTONIC_USEC")) > 0 and not reloading
        assert manager.next() == ready
        assert metric(server.client, "camserve_reloads_total", file="model", result="done") == before + 1, "said before it was so"
    server.stop()
    assert manager.next() == {"STOPPING": "1"}
    manager.says_nothing_more()


def test_a_reload_that_fails_ends_too(start, manager, tmp_path, light_model):
    path = tmp_path / "model.safetensors"
    path.symlink_to(light_model)
    server = start(model=path, wrapper=("env", f"NOTIFY_SOCKET={manager.name}"))
    ready = manager.next()
    path.unlink()
    server.process.send_signal(signal.SIGHUP)
    assert "RELOADING" in manager.next() and manager.next() == ready
    assert metric(server.client, "camserve_reloads_total", file="model", result="failed") == 1


def test_ready_means_that_connections_are_accepted(manager, light_model):
    process = subprocess.Popen([BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
                               env={**environment(port=0, model=light_model), "NOTIFY_SOCKET": manager.name})
    try:
        assert get(int(manager.next()["STATUS"].split()[-1])) == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_a_start_that_fails_is_not_ready(manager):
    process = subprocess.run([BINARY, "serve"], stdin=subprocess.DEVNULL, capture_output=True, cwd=ROOT, timeout=PATIENCE,
                             env={**environment(port=0, model="gone.safetensors"), "NOTIFY_SOCKET": manager.name})
    assert process.returncode == 1
    manager.says_nothing_more()


def test_a_manager_that_is_gone(start, manager):
    server = start(wrapper=("env", f"NOTIFY_SOCKET={manager.name}"))
    manager.next()
    manager.socket.close()
    server.process.send_signal(signal.SIGHUP)
    until(lambda: metric(server.client, "camserve_reloads_total", file="model", result="done") == 1, "it never reloaded")
    server.stop()


@pytest.mark.parametrize("address", ["x", "/", "@", "/nowhere/notify", "/" + "x" * 120, "vsock:2:1234"])
def test_addresses_that_lead_nowhere(start, address):
    """It serves, and says so."""
    server = start(wrapper=("env", f"NOTIFY_SOCKET={address}"))
    assert "NOTIFY_SOCKET" in server.log() and server.client.get("/readyz").status_code == 200


def test_nobody_asked(start):
    assert "NOTIFY_SOCKET" not in start(wrapper=("env", "NOTIFY_SOCKET=")).log()
