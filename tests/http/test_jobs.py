"""The shell commands of docs/bulk.md. Those of Spark and Ray: tests/bulk."""
import os

import pytest

import pictures
from jobs import block, check, lines, make_photos, run_job


@pytest.mark.parametrize("name, runs", [("one", 2), ("pipe", 2), ("xargs", 2), ("parallel", 1)])
def test_shell_commands(small_file, tmp_path, name, runs):
    paths = make_photos(tmp_path)
    codes = [run_job(tmp_path, ["sh", "-c", block(name)], settings={"model": small_file}) for _ in range(runs)]
    assert (tmp_path / "killed").exists() and codes[-1] == 0
    check(lines(tmp_path / "photos.jsonl"), paths)
    if name != "xargs":  # whose last command is another one's
        assert runs == 1 or codes[0] != 0


def test_failed_photos_again(small_file, tmp_path):
    paths = make_photos(tmp_path)
    for name in "one", "one", "again":
        run_job(tmp_path, ["sh", "-c", block(name)], settings={"model": small_file})
    assert [d["file"] for d in lines(tmp_path / "photos.jsonl")] == [p for p in paths if p != "photos/1/077.png"]
    assert run_job(tmp_path, ["sh", "-c", block("one")], settings={"model": small_file}) == 0
    check(lines(tmp_path / "photos.jsonl"), paths)


@pytest.mark.parametrize("n_good", [0, 2])
def test_failed_photos_of_any_name_again(small_file, tmp_path, n_good):
    """Also where the name has quotes or is no text, and where all have failed."""
    (tmp_path / "killed").mkdir()
    (tmp_path / "photos").mkdir()
    for name in b'q"u","error".png', b"back\\.png", b"\xff.png", b"plain.png":
        (tmp_path / "photos" / os.fsdecode(name)).write_bytes(b"no photo")
    for i in range(n_good):
        (tmp_path / f'photos/good","error"{i}.png').write_bytes(pictures.png(pictures.scene(40, 30, seed=i)))
    for name, n in ("one", 4 + n_good), ("again", n_good), ("one", 4 + n_good):
        run_job(tmp_path, ["sh", "-c", block(name)], settings={"model": small_file})
        assert len(lines(tmp_path / "photos.jsonl")) == n, name
