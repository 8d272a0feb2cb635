"""What `make install` and `make deb` write. `make test-install` builds first and calls this; HOME of all is a folder of the test."""
import os
import pathlib
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/http"))


def make(*arguments):
    """Its last words; none of the outer make's flags."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    result = subprocess.run(["make", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, env=env)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()[-1] if result.stdout else ""


def until(condition, what, seconds=240):
    """Waits for the condition to hold; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.05)
    return value


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def bare(root, *packages):
    """Unpacks the smallest Debian, and those packages, in root; it is fetched once."""
    path = ROOT / "downloads" / ("-".join(["bare", *packages]) + ".tar")
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        new = path.with_suffix(".new.tar")
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", *(f"--include={name}" for name in packages), "bookworm", new], check=True)
        new.rename(path)
    root.mkdir()
    subprocess.run(["tar", "-xf", path, "-C", root], check=True)
    (root / "etc/resolv.conf").write_bytes(pathlib.Path("/etc/resolv.conf").read_bytes())


def may_have_its_own():
    """Whether a Debian of its own can be unpacked and entered: device files and namespaces, which root has, but not in every container."""
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode == 0


CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}


def inside(root, *command):
    """What a command says in there."""
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", f"--root={root}", "--mount-proc", *command], check=True, capture_output=True, text=True, env=CLEAN).stdout


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """An installation that runs where it is: PREFIX is its own, so that the unit's paths lead to it."""
    prefix = tmp_path_factory.mktemp("installed", numbered=False) / "usr"
    prefix.parent.chmod(0o755)
    make("install", f"PREFIX={prefix}", f"SYSCONFDIR={prefix.parent}/etc")
    return prefix


@pytest.fixture(scope="session")
def package():
    return ROOT / make("deb")
