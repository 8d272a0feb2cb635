"""The commands of docs/bulk.md, as they stand there, on 200 photos of which one is broken. The first camserve that they start is killed in the middle of its lines."""
import json
import os
import pathlib
import re
import subprocess
import sys

import pictures
from server import BINARY, PATIENCE, ROOT, environment

PHOTOS = 200
KILLED_ONCE = f"""#!{sys.executable}
import os, signal, subprocess, sys, time
try:
    os.mkdir(os.environ["JOB_FOLDER"] + "/killed")
except FileExistsError:
    os.execv({str(BINARY)!r}, sys.argv)
process = subprocess.Popen([{str(BINARY)!r}, *sys.argv[1:]], stdout=subprocess.PIPE)
if "-o" in sys.argv:
    name = sys.argv[sys.argv.index("-o") + 1]
    while process.poll() is None and (not os.path.exists(name) or open(name, "rb").read().count(b"\\n") < 3):
        time.sleep(0.01)
else:
    os.write(1, b"".join(process.stdout.readline() for _ in range(3)) + process.stdout.read(100))
process.kill()
process.wait()
os.kill(os.getpid(), signal.SIGKILL)
"""


def block(name):
    """What stands in docs/bulk.md between ```LANGUAGE NAME and ```."""
    return re.search(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", (ROOT / "docs/bulk.md").read_text(), re.M | re.S)[1]


def make_photos(folder):
    """Their paths below folder, in order."""
    photos = folder / "photos"
    for i in range(PHOTOS):
        path = photos / f"{i % 4}/{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pictures.png(pictures.scene(40, 30, seed=i % 5)) if i != 77 else b"no photo")
    return sorted(str(p.relative_to(folder)) for p in photos.glob("*/*.png"))


def run_job(folder, command, **more):
    """Runs a command in a folder where `camserve` is the program, but the first time it is called dies; the exit code."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/camserve").write_text(KILLED_ONCE)
    (folder / "bin/camserve").chmod(0o755)
    env = dict(environment(**more.pop("settings")), JOB_FOLDER=str(folder), PATH=f"{folder}/bin:{os.environ['PATH']}", **more)
    return subprocess.run(command, cwd=folder, env=env, timeout=10 * PATIENCE).returncode


def check(documents, paths):
    """One of each path, one of them an error."""
    assert sorted(d["file"] for d in documents) == paths
    assert [d["file"] for d in documents if d.get("error")] == ["photos/1/077.png"]


def lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]
