"""Services under load: started, asked, measured, ended."""
import atexit
import concurrent.futures
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

import prepare

PATIENCE = 60  # seconds


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


running = []


@atexit.register
def stop_all():
    """Whatever happens, nothing is left running."""
    for service in list(running):
        service.stop()


class Service:
    """A running service that answers POST /cam on self.port. start_seconds: from its start to its first whole answer."""

    def __init__(self, name, command, environment, path="/cam"):
        self.name, self.path, self.port = name, path, free_port()
        photo = prepare.SMALL.read_bytes()
        begin = time.monotonic()
        self.process = subprocess.Popen([str(c).replace("PORT", str(self.port)) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={**os.environ, **environment}, start_new_session=True)
        running.append(self)
        while not self.accepts(photo):
            if self.process.poll() is not None or time.monotonic() > begin + PATIENCE:
                sys.exit(f"{name} does not answer: {' '.join(map(str, command))}")
            time.sleep(0.001)
        self.start_seconds = time.monotonic() - begin

    def accepts(self, photo):
        try:
            return self.ask(photo)[0] == 200
        except OSError:
            return False

    def ask(self, photo, path=None, connection=None):
        """Status and body of one POST."""
        client = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        client.request("POST", path or self.path, photo, {"Content-Type": "image/jpeg"})
        reply = client.getresponse()
        body = reply.read()
        if not connection:
            client.close()
        return reply.status, body

    def ask_many(self, photo, requests, clients=4):
        def loop(n):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            assert all(self.ask(photo, connection=connection)[0] == 200 for _ in range(n)), self.name
            connection.close()
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            list(pool.map(loop, [requests // clients] * clients))

    def load(self, photo_file, clients, seconds, path=None):
        """wrk's figures, and client_share: processors that wrk itself took (a client that takes a whole one is what is measured)."""
        before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        result = subprocess.run(["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", prepare.HERE / "post.lua", f"http://127.0.0.1:{self.port}{path or self.path}"],
                                env={**os.environ, "BODY": str(photo_file)}, stdout=subprocess.PIPE, text=True, check=True)
        after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - begin
        figures = json.loads(result.stdout.splitlines()[-1])
        if figures["errors"]:
            sys.exit(f"{self.name}: not every answer was 200: {figures}")
        figures["per_second"] = figures["requests"] / figures["seconds"]
        figures["client_share"] = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / wall
        return figures

    def resident_mib(self):
        """Of its processes together: all pages of each, and (as "shared") with shared pages counted once."""
        total = shared = 0
        for pid in family(self.process.pid):
            lines = dict(line.split(":")[:2] for line in open(f"/proc/{pid}/smaps_rollup").read().splitlines()[1:])
            total += int(lines["Rss"].split()[0])
            shared += int(lines["Pss"].split()[0])
        return total / 1024, shared / 1024

    def stop(self):
        running.remove(self)
        for end in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, end)  # the session that it leads
                self.process.wait(10)
                return
            except subprocess.TimeoutExpired:
                pass


def family(pid):
    """The process and all below it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass  # gone
    found = [pid]
    for p in found:
        found += [child for child, parent in parents.items() if parent == p]
    return found


def camserve(network=prepare.LITE0, query=""):
    return Service("camserve", [prepare.CAMSERVE, "serve", "--port", "PORT", "--model", network.path], {}, "/cam" + query)


def python_service(workers, threads, network=prepare.LITE0, **settings):
    environment = {"MODEL": str(network.peer), "THREADS": str(threads), "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(prepare.HERE), **settings}
    name = f"{workers} x {threads}" + " int8" * isinstance(network, prepare.Int8)
    return Service(name, [sys.executable, "-m", "uvicorn", "service:app", "--workers", workers, "--port", "PORT", "--log-level", "error", "--no-access-log"], environment)
