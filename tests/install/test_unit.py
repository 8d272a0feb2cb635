"""The unit under a systemd that runs: the package in a Debian with systemd, started by systemd-nspawn. The sandbox that systemd makes is one that no other test has."""
import os
import pathlib
import re
import subprocess

import httpx
import pytest

import pictures
from conftest import bare, inside, until
from server import PATIENCE, reserved_port

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not os.access("/sys/fs/cgroup", os.W_OK), reason="systemd-nspawn takes root, and control groups that can be written")
KEY = "a-key-of-more-than-16"


class Machine:
    """A Debian that has been started; its network is this machine's."""

    def __init__(self, root, log):
        alone = [] if pathlib.Path("/run/systemd/system").exists() else ["--keep-unit"]  # there is no systemd that would give it a unit
        with open(log, "w") as output:
            self.process = subprocess.Popen(["systemd-nspawn", "--quiet", "--register=no", *alone, "--boot", f"--directory={root}", f"--machine=camserve-{os.getpid()}"],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.first = until(self.find_first, "systemd-nspawn started no systemd")

    def find_first(self):
        assert self.process.poll() is None, "systemd-nspawn ended"
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next((pid for pid in children if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd"), None)

    def run(self, *command):
        return subprocess.run(["nsenter", "--all", f"--target={self.first}", *command], capture_output=True, text=True, timeout=PATIENCE)

    def end(self):
        self.run("systemctl", "poweroff", "--no-block")
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def machine(package, tmp_path_factory):
    """(machine, URL of camserve), with the unit enabled, keys that are root's, and ports of its own."""
    root, port = tmp_path_factory.mktemp("live") / "root", reserved_port()
    bare(root, "systemd", "systemd-sysv", "dbus")
    (root / "camserve.deb").write_bytes(package.read_bytes())
    inside(root, "sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends /camserve.deb")
    keys = root / "etc/camserve/keys"
    keys.write_text(KEY)
    keys.chmod(0o600)
    drop_in = root / "etc/systemd/system/camserve.service.d/keys.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text(f"[Service]\nLoadCredential=keys:/etc/camserve/keys\nEnvironment=CAMSERVE_KEYS=%d/keys CAMSERVE_PORT={port}\n")
    inside(root, "systemctl", "enable", "camserve")
    machine = Machine(root, root.parent / "console")
    try:
        until(lambda: machine.run("systemctl", "is-active", "camserve").stdout.strip() in ("active", "failed"), "camserve is neither active nor failed")
        yield machine, f"http://127.0.0.1:{port}"
    finally:
        machine.end()


def shown(machine, *names):
    """Properties of the unit, by name."""
    said = machine.run("systemctl", "show", "camserve", *(f"--property={name}" for name in names)).stdout
    return dict(line.split("=", 1) for line in said.splitlines())


def test_it_is_started_and_answers(machine):
    """As a user of no rights, behind the manager's filter of system calls and its own."""
    machine, url = machine
    state = shown(machine, "ActiveState", "Result", "NRestarts", "StatusText", "MainPID")
    assert (state["ActiveState"], state["Result"], state["NRestarts"]) == ("active", "success", "0"), machine.run("journalctl", "--unit=camserve").stdout
    assert state["StatusText"].startswith("1 model on ")
    status = machine.run("cat", f"/proc/{state['MainPID']}/status").stdout
    assert re.search(r"^CapEff:\s+0+$", status, re.M) and re.search(r"^NoNewPrivs:\s+1$", status, re.M) and not re.search(r"^Uid:\s+0", status, re.M)
    photo = pictures.png(pictures.scene(60, 40))
    assert httpx.post(url + "/cam", content=photo, trust_env=False, timeout=PATIENCE).status_code == 401, "the keys are read, which are root's"
    assert httpx.post(url + "/cam", content=photo, headers={"X-API-Key": KEY}, trust_env=False, timeout=PATIENCE).json()["predictions"]


def test_it_is_reloaded_and_stopped(machine):
    machine, url = machine
    before = shown(machine, "MainPID")
    result = machine.run("systemctl", "reload", "camserve")
    assert result.returncode == 0, result.stderr
    until(lambda: "reloaded: efficientnet-lite0" in machine.run("journalctl", "--unit=camserve").stdout, "it was never reloaded")
    assert shown(machine, "MainPID") == before
    assert machine.run("systemctl", "stop", "camserve").returncode == 0
    assert shown(machine, "ActiveState", "Result", "ExecMainStatus") == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
