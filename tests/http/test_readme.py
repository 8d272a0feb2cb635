"""README, as a newcomer tries it: its commands are run in a folder that has what the clone has, and its answer is the one that they give."""
import base64
import json
import re
import subprocess
import sys

import pytest

from server import BINARY, MODEL, PATIENCE, ROOT, Server, environment

README = (ROOT / "README.md").read_text()
SHELL = "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.M | re.S)) + "\n".join(re.findall(r"^\| .*?`((?:curl|build/camserve) .*?)`", README, re.M))
COMMANDS = [re.sub(r"\s+# .*", "", line) for line in SHELL.splitlines() if "static/samples" in line]
CUT = "..."  # what README's base64 ends in


@pytest.fixture(scope="module")
def served():
    it = Server(model=MODEL)
    yield it
    it.stop()


@pytest.fixture
def clone(tmp_path):
    """A folder with the program and copies of the photos, in which files may be written."""
    (tmp_path / "build").mkdir()
    (tmp_path / "build/camserve").symlink_to(BINARY)
    (tmp_path / "static/samples").mkdir(parents=True)
    for photo in (ROOT / "static/samples").glob("*.jpg"):
        (tmp_path / "static/samples" / photo.name).write_bytes(photo.read_bytes())
    return tmp_path


def tried(command, server, folder):
    """In a shell, with this server's port; curl fails where the answer is an error."""
    command = command.replace("localhost:8080", f"127.0.0.1:{server.port}").replace("curl ", "curl -sS --noproxy '*' --fail-with-body ")
    return subprocess.run(command, shell=True, cwd=folder, env=environment(model=MODEL), capture_output=True, timeout=PATIENCE)


def agree(told, got, where="answer"):
    """As README has it but for times, the request's own id and cut base64; the last digits are the instruction set's."""
    if where.endswith((".request_id", ".timing_ms")):
        assert type(told) is type(got), where
    elif isinstance(told, dict):
        assert list(told) == list(got), where
        for name in told:
            agree(told[name], got[name], f"{where}.{name}")
    elif isinstance(told, list):
        assert len(told) == len(got), where
        for i, each in enumerate(told):
            agree(each, got[i], f"{where}[{i}]")
    elif isinstance(told, float):
        assert abs(told - got) <= 1e-4 * abs(told), where
    elif isinstance(told, str) and told.endswith(CUT):
        assert got.startswith(told.removesuffix(CUT)), where
    else:
        assert told == got, where


def test_the_answer_is_the_one_in_readme(served, clone):
    command, answer = re.search(r"^```sh\n(curl [^\n]+) > coffee\.json\n```\n.*?^```json\n(.*?)^```", README, re.M | re.S).groups()
    result = tried(command, served, clone)
    assert result.returncode == 0, result.stdout
    told, got = json.loads(answer), json.loads(result.stdout)
    agree(told, got)
    assert list(told["timing_ms"]) == list(got["timing_ms"])


@pytest.mark.parametrize("command", [c for c in COMMANDS if "model=" not in c])
def test_commands_work_in_a_clone(served, clone, command):
    result = tried(command, served, clone)
    assert result.returncode == 0, result.stdout + result.stderr
    made = re.search(r"(?:>|-o|--html) (\S+)$", command)
    assert (clone / made[1]).stat().st_size if made else result.stdout


def test_commands_are_found():
    assert {c.split()[0] for c in COMMANDS} == {"curl", "build/camserve"} and len(COMMANDS) >= 6, COMMANDS


def test_python(served, clone):
    code = re.search(r"^```python\n(.*?)^```", README, re.M | re.S)[1].replace("localhost:8080", f"127.0.0.1:{served.port}")
    result = subprocess.run([sys.executable, "-c", code], cwd=clone, env={**environment(), "NO_PROXY": "*"}, capture_output=True, timeout=PATIENCE)
    assert result.stdout.startswith(b"espresso 0.64"), result.stderr
    assert (clone / "coffee.cam.png").read_bytes().startswith(base64.b64decode("iVBORw0KGgo="))
