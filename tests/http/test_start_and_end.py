"""SIGTERM at every moment of a start, and starts that fail for want of memory: the process always ends, soon, and says how."""
import os
import pty
import re
import resource
import select
import signal
import subprocess
import termios
import threading
import time

import pytest

from server import BINARY, MODEL, PATIENCE, REPORTS, ROOT, SANITIZED, environment, reserved_port
from test_leaving import get, until

STEPS = 12 if SANITIZED else 16
WELCOME = re.compile(rb"on http://127\.0\.0\.1:(\d+)/")


def serve(model, **settings):
    return subprocess.Popen([BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                            env=environment(port=0, admin_port=0, model=model, **settings))


def caught(process):
    """Has it got as far as to have a handler for SIGTERM? Before that nothing of it has begun."""
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"SigCgt:\s+(\w+)", status.read())[1], 16) >> signal.SIGTERM - 1 & 1


def ended_well(process, when):
    """Its end after a SIGTERM: exit code 0 and a clean log."""
    try:
        output = process.communicate(timeout=PATIENCE)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{when}: it did not end:\n{process.communicate()[0].decode()}")
    assert not REPORTS.search(output), f"{when}:\n{output[:6000]}"
    assert process.returncode == 0, f"{when}: exit code {process.returncode}:\n{output[-3000:]}"
    return output


def said(process, enough):
    """What it says, byte by byte, until that is enough."""
    output = b""
    while not enough(output):
        assert select.select([process.stdout], [], [], PATIENCE)[0], output
        piece = os.read(process.stdout.fileno(), 1)
        assert piece, output
        output += piece
    return output


def time_of_a_start(model):
    """Seconds from its handler to its welcome."""
    process = serve(model)
    until(lambda: caught(process), "a handler")
    begin = time.monotonic()
    said(process, WELCOME.search)
    taken = time.monotonic() - begin
    process.send_signal(signal.SIGTERM)
    ended_well(process, "once it is ready")
    return taken


@pytest.mark.concurrent
@pytest.mark.parametrize("settings", [{}, {"leave_ms": 200}], ids=["plain", "leave"])
def test_sigterm_at_every_moment_of_a_start(light_model, settings):
    """From its handler on to a while after it is ready, in equal steps."""
    start_s = time_of_a_start(light_model)
    steps = STEPS if not settings else STEPS // 4
    for step in range(steps + 1):
        delay = 1.25 * start_s * step / steps
        process = serve(light_model, **settings)
        until(lambda: process.poll() is not None or caught(process), "a handler")
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        ended_well(process, f"SIGTERM {1000 * delay:.1f} ms after its handler")


@pytest.mark.concurrent
def test_sigterm_before_there_is_a_handler(light_model):
    """It ends all the same, by the signal or by itself."""
    for delay in (0, 0.001, 0.003, 0.01):
        process = serve(light_model)
        time.sleep(delay)
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=PATIENCE)[0].decode(errors="replace")
        assert process.returncode in (0, -signal.SIGTERM) and not REPORTS.search(output), output


@pytest.mark.concurrent
def test_sigterm_as_each_line_is_printed(light_model):
    """As soon as a line has come: the moments between what it says and does."""
    process = serve(light_model, log="text")
    output = said(process, WELCOME.search)
    port = int(WELCOME.search(output)[1])
    until(lambda: get(port) == 200, "ready")
    process.send_signal(signal.SIGTERM)
    output += ended_well(process, "once it is ready").encode()
    lines = sum(b"/readyz" not in line for line in output[:output.index(b"draining")].splitlines()[:-1])
    assert lines >= 2
    for wanted in range(1, lines + 1):
        process = serve(light_model, log="text")
        output = said(process, lambda text: text.count(b"\n") == wanted)
        until(lambda: caught(process), "a handler")
        process.send_signal(signal.SIGTERM)
        ended_well(process, f"SIGTERM after {output!r}")


@pytest.mark.concurrent
def test_two_signals_during_a_start(light_model):
    """The second ends it at once, with 0 or 1; nothing is torn."""
    for delay in (0, 0.02, 0.05, 0.1):
        process = serve(light_model)
        until(lambda: process.poll() is not None or caught(process), "a handler")
        time.sleep(delay)
        for _ in range(2):
            process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=PATIENCE)[0].decode(errors="replace")
        assert process.returncode in (0, 1), output
        if process.returncode == 0 or "thread leak" not in output:  # who leaves at once joins nobody
            assert not REPORTS.search(output), output


class Terminal:
    """A terminal whose output is held (Ctrl-S): who writes a line to it waits in the middle of that until it is let go."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        termios.tcflow(self.theirs, termios.TCOOFF)
        self.text = b""
        self.reader = threading.Thread(target=self.read, daemon=True)

    def read(self):
        try:
            while piece := os.read(self.ours, 65536):
                self.text += piece
        except OSError:
            pass  # nobody has it open any more

    def let_go(self):
        self.reader.start()
        termios.tcflow(self.theirs, termios.TCOON)
        os.close(self.theirs)


@pytest.mark.concurrent
def test_sigterm_while_the_welcome_is_printed(light_model, tmp_path):
    """The welcome goes to a terminal that stands still between its lines. Meanwhile SIGTERM ends what the welcome speaks of; what it says
    after that is still its own."""
    port, terminal = reserved_port(), Terminal()
    with open(tmp_path / "log", "w+") as log:
        process = subprocess.Popen([BINARY, "serve"], stdin=subprocess.DEVNULL, stdout=terminal.theirs, stderr=log, cwd=ROOT,
                                   env=environment(port=port, admin_port=reserved_port(), model=light_model))
        try:
            until(lambda: caught(process), "a handler")
            end = time.monotonic() + (20 if SANITIZED else 3)
            while get(port) != 200 and time.monotonic() < end:  # it may be that it is not ready before it has said so
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            end = time.monotonic() + (5 if SANITIZED else 1)
            while process.poll() is None and time.monotonic() < end:  # the time in which it tidies up, or waits for the line
                time.sleep(0.01)
            terminal.let_go()
            code = process.wait(PATIENCE)
        finally:
            process.kill()
        log.seek(0)
        text = log.read()
    assert not REPORTS.search(text), text[:6000]
    assert code == 0, text[-3000:]


# ---- for want of memory; not under sanitizers, whose own is far beyond any such limit ----
LIMITS_KB = [60000, 90000, 130000, 150000, 200000, 300000, 400000]
ENOUGH_KB = 4000000
COMMANDS = {"serve": ("serve",), "explain": ("explain", "--json", "downloads/photos/chelsea.png")}


def under_limit(kilobytes, command):
    """(exit code, seconds, output) under ulimit -v; a service that starts nevertheless is ended by SIGTERM. It fails if the process stays."""
    process = subprocess.Popen([BINARY, *COMMANDS[command]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT,
                               env=environment(port=0, model=MODEL),
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (kilobytes * 1024,) * 2))
    begin, output, told = time.monotonic(), b"", False
    try:
        while time.monotonic() < begin + 10:
            if not select.select([process.stdout], [], [], 0.05)[0]:
                continue
            piece = os.read(process.stdout.fileno(), 65536)
            output += piece
            if not piece:
                return process.wait(10), time.monotonic() - begin, output
            if WELCOME.search(output) and not told:
                process.send_signal(signal.SIGTERM)
                told = True
    except subprocess.TimeoutExpired:
        pass
    finally:
        process.kill()
        process.wait()
    raise AssertionError(f"{command} under {kilobytes} KB has not ended: {output.decode(errors='replace')}")


@pytest.mark.parametrize("kilobytes", LIMITS_KB)
@pytest.mark.parametrize("command", COMMANDS)
def test_without_memory_it_ends(command, kilobytes):
    """It says what is missing and exits with 1 within a second, wherever in its start memory ends; that OpenBLAS's thread spins is no
    reason to stay."""
    code, seconds, output = under_limit(kilobytes, command)
    if code in (127, -signal.SIGINT):  # the loader, or OpenBLAS before main(): nothing of ours has run
        assert kilobytes < 100000 and output
        return
    assert code in (0, 1), (code, output)
    assert code == 1 or kilobytes > 150000
    assert code == 0 or output.strip(), "ended without a word"
    assert code == 0 or seconds < 4, seconds  # a second, and three for a machine that does much else


@pytest.mark.parametrize("command", COMMANDS)
def test_with_memory_it_works(command):
    """The limit itself is no hindrance."""
    assert under_limit(ENOUGH_KB, command)[0] == 0
