"""A made tree for tests of the checkers themselves."""
import pytest


@pytest.fixture
def made(tmp_path):
    """made({"server/a/x.c": "text"}) -> the root of a tree of these files."""
    def make(texts):
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path
    return make
