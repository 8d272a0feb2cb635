"""Least privilege, seen from outside: every thread of a serving process is confined, and it serves from a read-only root without privileges. What the
filter of system calls refuses: tests/unit/test_sandbox.c."""
import ctypes
import os
import pathlib
import platform
import re
import struct
import subprocess

import pytest

from client import cam, same
from server import Server


def status(server):
    """/proc/PID/task/*/status of each thread, as dicts."""
    for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())


# ---- the process ----
def filters_here():
    """Linux says so there: seccomp(2)."""
    return pathlib.Path("/proc/sys/kernel/seccomp/actions_avail").exists()


def test_every_thread_is_confined(server, client, scene_png):
    assert cam(client, scene_png).status_code == 200
    threads = list(status(server))
    assert len(threads) > 3
    assert {t["NoNewPrivs"] for t in threads} == {"1"}
    assert {t["Seccomp"] for t in threads} == {"2" if filters_here() else "0"}
    assert ("system calls are filtered" if filters_here() else "system calls are not filtered") in server.log()
    limits = pathlib.Path(f"/proc/{server.process.pid}/limits").read_text()
    assert re.search(r"Max core file size +0 +0 ", limits), "a core file would hold photos"


def test_off_is_off_and_is_said(start):
    it = start(seccomp="off")
    ours = re.search(r"^Seccomp:\s*(\d)", pathlib.Path("/proc/self/status").read_text(), re.M)[1]  # a container's filter is passed on
    assert {t["Seccomp"] for t in status(it)} == {ours} and {t["NoNewPrivs"] for t in status(it)} >= {"1"}
    assert "seccomp is off" in it.log()


# Linux's numbers of seccomp(2) and prctl(2), and its classic BPF (linux/filter.h): code, jump if true, jump if false, constant.
SECCOMP, PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}[platform.machine()]
LOAD, EQUAL, RETURN, ALLOW, REFUSE = 0x20, 0x15, 0x06, 0x7FFF0000, 0x00050001
FORBID_FILTERS = [(LOAD, 0, 0, 0), (EQUAL, 4, 0, SECCOMP), (EQUAL, 0, 2, PRCTL), (LOAD, 0, 0, 16), (EQUAL, 1, 0, 22), (RETURN, 0, 0, ALLOW),
                  (RETURN, 0, 0, REFUSE)]


def forbid_filters():
    """In a process that is about to become camserve: a filter like some containers', under which it cannot put on its own."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in FORBID_FILTERS))
    program = struct.pack("HxxxxxxQ", len(FORBID_FILTERS), ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    libc.prctl(22, 2, program, 0, 0)  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


def test_auto_serves_where_there_is_no_filter_and_says_so(client, scene_png):
    it = Server(before=forbid_filters)
    assert "system calls are not filtered: system calls cannot be filtered here" in it.log()
    assert same(cam(it.client, scene_png).json()) == same(cam(client, scene_png).json())
    it.stop()


def test_on_does_not_start_without():
    with pytest.raises(AssertionError, match="seccomp is on, but system calls cannot be filtered here"):
        Server(before=forbid_filters, seccomp="on").kill()


# ---- a container, without one ----
READ_ONLY = r"""
set -e
mount --make-rprivate /
cut -d " " -f 2 /proc/self/mounts | while read -r point; do mount -o remount,bind,ro "$point" 2>/dev/null || true; done
for folder in / /tmp "$PWD"; do if touch "$folder/camserve-was-here" 2>/dev/null; then exit 99; fi; done
exec "$@"
"""


def read_only_root():
    """A command that runs another one where no file system can be written to, as a user without privileges, on one processor. Where this user may
    not make a view of the file systems of its own, that part is left out."""
    wrapper = []
    for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if subprocess.run([*unshare, "true"], capture_output=True).returncode == 0:
            wrapper = [*unshare, "sh", "-c", READ_ONLY, "sh"]
            break
    if os.getuid() == 0:
        wrapper += ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    return [*wrapper, "taskset", "--cpu-list", str(min(os.sched_getaffinity(0)))]


def test_read_only_root_unprivileged_user_one_processor(client, scene_png):
    it = Server(wrapper=read_only_root())
    for thread in status(it):
        assert int(thread["CapPrm"], 16) == 0 or os.getuid() != 0
        assert thread["Cpus_allowed_list"].isdecimal()
    assert same(cam(it.client, scene_png).json()) == same(cam(client, scene_png).json())
    assert it.client.get("/metrics").status_code == 200
    it.stop()
