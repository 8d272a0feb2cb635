"""Starts the real program on a free port, talks to it, stops it, and reads what it said.

A Server's stop() is itself a check: the program must leave by SIGTERM with exit code 0, and neither a sanitizer's report nor an answer
"internal" may stand in its log."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CAMSERVE_BINARY", ROOT / "build/camserve")).resolve()
MODEL = ROOT / "models/efficientnet-lite0.safetensors"
SANITIZED = BINARY.parent.name in ("address", "thread", "undefined")
PATIENCE = 240 if SANITIZED else 120  # seconds that any one thing may take on a loaded machine
REPORTS = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|SUMMARY: \w+Sanitizer|\"internal\"|code=internal")


def environment(**settings):
    """The environment of a run: the caller's own CAMSERVE_* is not inherited; settings become CAMSERVE_NAME."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("CAMSERVE_")}
    env.update({"CAMSERVE_" + k.upper(): str(v) for k, v in settings.items()})
    env.setdefault("ASAN_OPTIONS", "abort_on_error=0:detect_leaks=1:allocator_may_return_null=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=0:exitcode=66:second_deadlock_stack=1")
    return env


def run(*args, stdin=None, timeout=PATIENCE, **settings):
    """camserve as a command: a CompletedProcess with bytes. It runs in the repository's root, where the model's default path leads."""
    settings.setdefault("model", MODEL)
    return subprocess.run([BINARY, *map(str, args)], input=stdin if stdin is not None else b"", capture_output=True, timeout=timeout, cwd=ROOT,
                          env=environment(**settings))


RESERVED = []


def reserved_port(family=socket.AF_INET, host="127.0.0.1"):
    """A port for a server to come, as often as it likes. It stays bound here, so nobody else is given it meanwhile, and nobody listens there: connections are
    refused. A server may have it all the same, by SO_REUSEADDR."""
    RESERVED.append(socket.socket(family))
    RESERVED[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    RESERVED[-1].bind((host, 0))
    return RESERVED[-1].getsockname()[1]


class Server:
    def __init__(self, before=None, wrapper=(), **settings):
        """before: runs in the new process before the program does. wrapper: a command that ends in running the one it is given, as the same process."""
        settings = {"port": 0, "model": MODEL, "log": "json", "request_deadline_ms": PATIENCE * 1000, **settings}
        self.log_file = tempfile.TemporaryFile()  # it has no name, so nothing stays behind however this ends
        self.process = subprocess.Popen([*wrapper, BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=subprocess.STDOUT, cwd=ROOT,
                                        env=environment(**settings), preexec_fn=before)
        try:
            self.port = self._wait_for_port()
            self.certificate = settings.get("tls_cert")
            self.url = f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"
            self.client = self.new_client()
            self._wait_until_ready()
            found = re.search(r"for who runs it: http://127\.0\.0\.1:(\d+)", self.log())
            self.admin_port = int(found[1]) if found else None
            self.admin = self.new_client(self.admin_port) if found else None
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def new_client(self, port=None):
        """An httpx client of one connection pool. Not for use by two threads at once."""
        url = f"http://127.0.0.1:{port}" if port else self.url
        return httpx.Client(base_url=url, timeout=PATIENCE, limits=httpx.Limits(max_connections=100), trust_env=False,
                            verify=str(self.certificate) if self.certificate else False)

    def log(self, begin=0):
        """What it said, all or from that byte on."""
        size = os.fstat(self.log_file.fileno()).st_size
        return os.pread(self.log_file.fileno(), size - begin, begin).decode(errors="replace")  # the place to write at is the program's

    def _wait_for_port(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = re.search(r"(?:127\.0\.0\.1|localhost|0\.0\.0\.0):(\d+)", self.log())
            if found and int(found[1]):
                return int(found[1])
            assert self.process.poll() is None, f"camserve ended with {self.process.returncode}:\n{self.log()}"
            time.sleep(0.02)
        raise AssertionError("camserve printed no address:\n" + self.log())

    def _wait_until_ready(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, f"camserve ended with {self.process.returncode}:\n{self.log()}"
            time.sleep(0.05)
        raise AssertionError("camserve never became ready:\n" + self.log())

    # ---- what /proc says ----
    def _status_mib(self, name):
        return int(re.search(name + r":\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024

    def resident_mib(self):
        return self._status_mib("VmRSS")

    def peak_mib(self):
        """The most that was resident since watch_peak(), or ever."""
        return self._status_mib("VmHWM")

    def watch_peak(self):
        """Forgets what peak_mib() was (proc(5), clear_refs); what is resident now."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.resident_mib()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    # ---- the end ----
    def wait(self, timeout=PATIENCE):
        """Exit code once the program has left by itself."""
        return self.process.wait(timeout)

    def kill(self):
        """For tests that end it another way; says nothing of the exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; fails unless the program drains, exits 0 and left a clean log."""
        self.client.close()
        if self.admin:
            self.admin.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("camserve did not leave after SIGTERM:\n" + self.log()[-2000:])
        self.check(code)

    def check(self, code=0):
        report = REPORTS.search(self.log())
        assert not report, "the log holds a report:\n" + self.log()[max(0, report.start() - 500):report.start() + 6000]
        assert code == 0, f"exit code {code}:\n" + self.log()[-3000:]
