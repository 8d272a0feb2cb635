"""A camserve whose allocations, threads, accepts and reads fail when a test says so: tests/faults/faults.c, loaded before the C library."""
import mmap
import struct
import subprocess
import time

from server import PATIENCE, ROOT, Server

FIELDS = ("allocations first last live threads thread_first thread_last accept_errno accept_times clocks clock_at clock_jump_s read_delay_ms").split()
EVER = 1 << 40


def build(folder):
    """The library, compiled anew: it is small."""
    library = folder / "faults.so"
    subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library, ROOT / "tests/faults/faults.c", "-ldl"],
                   check=True)
    return library


class Faults:
    """The counters, by name; wrapper is what a Server is started with."""

    def __init__(self, library, folder):
        path = folder / f"faults-{time.monotonic_ns()}"
        path.write_bytes(bytes(8 * len(FIELDS)))
        with open(path, "r+b") as file:
            object.__setattr__(self, "memory", mmap.mmap(file.fileno(), 0))
        object.__setattr__(self, "wrapper", ("env", f"LD_PRELOAD={library}", f"FAULTS={path}"))

    def __getattr__(self, name):
        return struct.unpack_from("q", self.memory, 8 * FIELDS.index(name))[0]

    def __setattr__(self, name, value):
        struct.pack_into("q", self.memory, 8 * FIELDS.index(name), value)

    def fail(self, first, last=None):
        """Allocations number first to last from now on; last None: that one alone."""
        self.first, self.last = 0, 0
        self.allocations = 0
        self.last = first if last is None else last
        self.first = first

    def off(self):
        self.first = self.thread_first = self.accept_times = self.clock_at = self.read_delay_ms = 0


class FaultyServer(Server):
    def __init__(self, library, folder, **settings):
        self.faults = Faults(library, folder)
        super().__init__(wrapper=self.faults.wrapper, **settings)

    def at_rest(self, most=None):
        """Live allocations once nothing is going on: the least seen while it stays so for a moment, or as soon as it is not more than most."""
        end, seen, since = time.monotonic() + PATIENCE / 4, self.faults.live, time.monotonic()
        while time.monotonic() < end:
            time.sleep(0.005)
            now = self.faults.live
            if most is not None and now <= most:
                return now
            if now != seen:
                seen, since = now, time.monotonic()
            elif most is None and time.monotonic() - since > 0.3:
                break
        return seen
