"""Three servers behind a balancer, and clients that ask all the time."""
import collections
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/http"))
import pictures  # noqa: E402
from server import BINARY, environment, reserved_port  # noqa: E402

PATIENCE = 120
PHOTO = pictures.png(pictures.scene(60, 40))


def until(condition, what, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.02)
    return value


class Server:
    """One camserve at fixed ports; begin() again after it has ended."""

    def __init__(self, folder, model, **settings):
        self.port, self.admin_port = reserved_port(), reserved_port()
        self.folder, self.settings = folder, {"model": model, "log": "json", "trusted_proxies": "127.0.0.1", **settings}
        self.process = None
        self.begin()

    def begin(self):
        with open(self.folder / f"camserve-{self.port}.log", "a") as log:
            self.process = subprocess.Popen([BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT,
                                            env=environment(port=self.port, admin_port=self.admin_port, **self.settings))
        until(self.is_ready, "a server never became ready")

    def is_ready(self):
        assert self.process.poll() is None, "a server did not start"
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert code == (-number if number == signal.SIGKILL else 0), code


class Fleet:
    def __init__(self, folder, model, **settings):
        self.servers = [Server(folder, model, **settings) for _ in range(3)]

    def close(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.process.kill()
            server.process.wait()


class Balancer:
    """A program in the foreground; its port is in its configuration."""

    def __init__(self, command, port, log):
        self.url, self.log = f"http://127.0.0.1:{port}", pathlib.Path(log)
        with open(log, "w") as output:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        until(self.answers, f"{command[0]} passes nothing on")

    def answers(self):
        assert self.process.poll() is None, f"{self.process.args[0]} ended: {self.log.read_text()[-2000:]}"
        try:
            return httpx.get(self.url + "/readyz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Load:
    """So many clients that post a photo again and again, each on a connection that it keeps; seen: how often what came of it."""

    def __init__(self, url, clients=6, photo=PHOTO):
        self.url, self.photo, self.seen, self.lock, self.ended = url, photo, collections.Counter(), threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(clients)]

    def ask(self):
        with httpx.Client(timeout=PATIENCE, trust_env=False) as client:
            while not self.ended.is_set():
                try:
                    response = client.post(self.url + "/cam?include=none&top_k=1", content=self.photo)
                    what = response.status_code if response.status_code != 200 or response.json()["predictions"] else "no answer"
                except (httpx.TransportError, ValueError) as error:
                    what = type(error).__name__
                with self.lock:
                    self.seen[what] += 1

    def answered(self):
        return self.seen[200]

    def more(self, n=30):
        """Waits for so many answers more."""
        before = self.answered()
        until(lambda: self.answered() >= before + n, f"no {n} answers more: {self.seen}")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.more(10)
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join(PATIENCE)

    def lost(self):
        return {what: n for what, n in self.seen.items() if what != 200}
