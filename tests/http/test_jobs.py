"""The shell commands of docs/bulk.md. Those of Spark and Ray: tests/bulk."""
import pytest

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
