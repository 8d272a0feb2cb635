"""`make deb`: what lintian says, what it depends on, and that it answers in a bare Debian."""
import hashlib
import re
import subprocess

import httpx
import pytest

import pictures
from conftest import CLEAN, ROOT, bare, inside, make, may_have_its_own, until
from server import PATIENCE, reserved_port


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True).stdout.strip()


def names(depends):
    """The packages of a Depends line, of alternatives all."""
    return {name for entry in depends.split(",") for name in re.findall(r"(?:^|\|)\s*([a-z0-9.+-]+)", entry)}


def test_lintian_finds_no_error(package):
    result = subprocess.run(["lintian", "--allow-root", package], capture_output=True, text=True)
    assert not re.search(r"^E:", result.stdout, re.M), result.stdout


def test_it_depends_on_what_it_links(package, tmp_path):
    (tmp_path / "debian").mkdir()
    (tmp_path / "debian/control").write_text("Source: camserve\n\nPackage: camserve\nArchitecture: any\n")
    said = subprocess.run(["dpkg-shlibdeps", "-O", f"-e{ROOT}/build/camserve"], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    linked = names(said.partition("=")[2])
    assert linked == names(field(package, "Depends")) - {"libopenblas0-pthread"}


def test_its_version_is_the_programs(package):
    assert field(package, "Version") == make("-s", "version") + "-1"
    contents = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True).stdout
    assert all(line.split()[1] == "root/root" for line in contents.splitlines())
    assert subprocess.run(["dpkg-deb", "--info", package, "conffiles"], capture_output=True, text=True, check=True).stdout == "/etc/camserve/camserve.ini\n"


def test_the_same_sources_make_the_same_bytes(package):
    before = hashlib.sha256(package.read_bytes()).digest()
    make("deb")
    assert hashlib.sha256(package.read_bytes()).digest() == before


@pytest.mark.skipif(not may_have_its_own(), reason="a Debian of its own takes root, and namespaces, which this container does not give")
def test_it_answers_in_a_bare_debian(package, tmp_path):
    """Of the packages that the smallest Debian has, and those that this one asks for; as nobody, from a folder where nothing is."""
    root, port = tmp_path / "root", reserved_port()
    bare(root)
    (root / "camserve.deb").write_bytes(package.read_bytes())
    inside(root, "sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends /camserve.deb")
    process = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--root={root}", "--mount-proc", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                                "sh", "-c", f"cd /var/tmp && exec camserve serve --port {port}"], env=CLEAN, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def answer():
            assert process.poll() is None
            try:
                return httpx.post(f"http://127.0.0.1:{port}/cam?include=none", content=pictures.png(pictures.scene(60, 40)), timeout=PATIENCE, trust_env=False)
            except httpx.ConnectError:
                return None
        assert until(answer, "it never answered").json()["model"] == "efficientnet-lite0"
    finally:
        subprocess.run(["pkill", "-TERM", "-P", str(process.pid)], check=True)  # unshare(1) waits for its child, and ends as that does
        assert process.wait(PATIENCE) == 0
    inside(root, "apt-get", "purge", "-y", "-qq", "camserve")
    assert not list(root.glob("usr/share/camserve/*")) and not (root / "etc/camserve").exists()
