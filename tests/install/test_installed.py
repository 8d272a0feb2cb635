"""`make install`: where things are, that they work there, and that `make uninstall` takes them away."""
import os
import re
import signal
import subprocess

import pytest

from conftest import ROOT, files, make, until
from server import PATIENCE, environment


def sh(*command, **more):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=PATIENCE, **more)
    assert result.returncode == 0, (command, result.stdout, result.stderr)
    return result.stdout


# ---- the tree ----
def test_everything_has_its_place(tmp_path):
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    there = files(tmp_path)
    for path in ("usr/bin/camserve", "usr/share/camserve/efficientnet-lite0.safetensors", "usr/share/camserve/efficientnet-lite0-int8.safetensors", "usr/share/man/man1/camserve.1", "usr/share/man/man5/camserve.ini.5",
                 "usr/share/bash-completion/completions/camserve", "usr/share/zsh/site-functions/_camserve", "usr/share/fish/vendor_completions.d/camserve.fish",
                 "usr/lib/systemd/system/camserve.service", "etc/camserve/camserve.ini", "usr/share/doc/camserve/README.md"):
        assert path in there, there
    assert os.access(tmp_path / "usr/bin/camserve", os.X_OK)
    unit = (tmp_path / "usr/lib/systemd/system/camserve.service").read_text()
    assert "ExecStart=/usr/bin/camserve serve" in unit and "=/etc/camserve/camserve.ini" in unit and not re.search(r"@[A-Z]+@", unit)
    settings = tmp_path / "etc/camserve/camserve.ini"
    assert settings.read_bytes() == (ROOT / "config/camserve.ini").read_bytes()
    settings.write_text("port = 8081\n")
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert settings.read_text() == "port = 8081\n", "the operator's own is kept"
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert files(tmp_path) == ["etc/camserve/camserve.ini"]
    settings.write_bytes((ROOT / "config/camserve.ini").read_bytes())
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    assert not files(tmp_path) and not list(tmp_path.glob("*/camserve")) and not list(tmp_path.glob("usr/share/*/camserve"))


def test_it_runs_from_any_folder(tree, tmp_path):
    """It finds its model, its man page says its version, and the settings are those of the file that the unit names."""
    program = tree / "bin/camserve"
    assert "efficientnet-lite0" in sh(program, "info", cwd=tmp_path, env=environment())
    output = open(tmp_path / "log", "w+")
    process = subprocess.Popen([program, "serve", "--port", "0"], cwd="/", stdout=output, stderr=subprocess.STDOUT, env=environment(config=tree.parent / "etc/camserve/camserve.ini"))
    try:
        until(lambda: "curl -F" in (tmp_path / "log").read_text() or process.poll() is not None, "it never became ready")
        assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        output.close()


# ---- man pages ----
@pytest.mark.parametrize("page", ["man1/camserve.1", "man5/camserve.ini.5"])
def test_manual_pages_render(tree, page):
    result = subprocess.run(["man", "--warnings", "--local-file", tree / "share/man" / page], capture_output=True, text=True, env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
    assert result.returncode == 0 and not result.stderr, result.stderr
    words = re.sub(r"\s+", " ", result.stdout)
    for word in ("camserve", "--port", "CAMSERVE_MAX_BODY_BYTES" if "ini" in page else "--top-k", "0 to 65535"):
        assert word in words, word


def test_manual_pages_have_every_flag(tree):
    page = (tree / "share/man/man1/camserve.1").read_text().replace("\\-", "-")
    for command in ("serve", "health", "explain", "convert", "info", "bench", "help"):
        section = re.search(rf"^\.SS {command}\n(.*?)(?=^\.S[SH] )", page, re.M | re.S)[1]
        for flag in re.findall(r"^  (?:-\w, )?(--[\w-]+)", sh(tree / "bin/camserve", command, "--help"), re.M):
            assert f"\\fB{flag}\\fR" in section, (command, flag)


# ---- completions ----
BASH = """source {script}
compopt() {{ echo paths; }}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_camserve
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
CASES = [(["ex"], {"explain"}), (["explain", "--colormap", "v"], {"viridis"}), (["explain", "--colorm"], {"--colormap"}), (["--log", ""], {"text", "json"}), (["serve", "--seccomp", "o"], {"on", "off"}),
         (["--model_n"], {"--model_name"}), (["health", "--top"], set()), (["explain", "--top-k", ""], set()), (["bench", "--lay"], {"--layers"})]


@pytest.mark.parametrize("words, offered", CASES)
def test_bash_completes(tree, tmp_path, words, offered):
    script = tmp_path / "try"
    script.write_text(BASH.format(script=tree / "share/bash-completion/completions/camserve"))
    assert set(sh("bash", "--norc", script, "camserve", *words).split()) == offered


def test_bash_completes_paths(tree, tmp_path):
    script = tmp_path / "try"
    script.write_text(BASH.format(script=tree / "share/bash-completion/completions/camserve"))
    for words in (["explain", "-o", ""], ["explain", "ph"], ["--tls-cert", "x"]):
        assert "paths" in sh("bash", "--norc", script, "camserve", *words)


@pytest.mark.parametrize("words, offered", CASES)
def test_fish_completes(tree, words, offered):
    script = tree / "share/fish/vendor_completions.d/camserve.fish"
    said = sh("fish", "--no-config", "-c", f"source {script}; complete -C 'camserve {' '.join(words)}'", env={**os.environ, "HOME": str(tree)})
    found = {line.split("\t")[0] for line in said.splitlines()}
    assert found == offered or not offered and not any(f.startswith("--") for f in found), found


ZSH = """zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PROMPT=; unsetopt zle_bracketed_paste 2>/dev/null; fpath=({folder} $fpath); autoload -U compinit; compinit -u -D; echo be''gin'
zpty -r z seen '*begin*'
zpty -w -n z $'{line}\\t'
sleep 2
zpty -w z $'\\C-a\\C-k exit'
while zpty -r z seen; do print -r -- "$seen"; done
"""


@pytest.mark.parametrize("line, whole", [("camserve explain --colorm", "--colormap="), ("camserve serve --log=j", "--log=json"), ("camserve benc", "camserve bench"), ("camserve --model_n", "--model_name=")])
def test_zsh_completes(tree, tmp_path, line, whole):
    script = tmp_path / "try.zsh"
    script.write_text(ZSH.format(folder=tree / "share/zsh/site-functions", line=line))
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x08", "", sh("zsh", "-f", script, env={**os.environ, "TERM": "xterm", "HOME": str(tmp_path)}))
    assert whole in said, said


# ---- the unit ----
def test_systemd_knows_every_line(tree):
    sh("systemd-analyze", "verify", "--man=no", tree / "lib/systemd/system/camserve.service")


def test_the_unit_is_not_exposed(tree):
    said = sh("systemd-analyze", "security", "--offline=true", "--no-pager", tree / "lib/systemd/system/camserve.service")
    exposure = float(re.search(r"exposure level for camserve\.service: ([\d.]+)", said)[1])
    assert exposure < 2.0, said
