"""A photo format is one row in C. What a caller reads of it (the problem for other files, /openapi.json, the page, README) says the same."""
import re

import pytest

from client import cam, problem
from server import ROOT


@pytest.fixture
def formats(client):
    """As the rows say them: {"jpeg", ...}."""
    detail = problem(cam(client, b"GIF89a"), 415)["detail"]
    names = re.search("supported are (.+)$", detail).group(1).replace(" and ", ", ").split(", ")
    assert len(names) >= 4
    return {name.lower() for name in names}


def test_openapi_lists_the_formats(client, formats):
    api = client.get("/openapi.json").json()
    body = api["paths"]["/cam"]["post"]["requestBody"]["content"]
    assert {name[6:] for name in body if name.startswith("image/")} == formats
    field = body["multipart/form-data"]["encoding"]["image"]["contentType"].split(", ")
    assert {name[6:] for name in field if name.startswith("image/")} == formats
    assert set(api["components"]["schemas"]["Image"]["properties"]["format"]["enum"]) == formats


def test_the_page_lists_the_formats(client, formats):
    accept = re.search('type="file"[^>]* accept="([^"]+)"', client.get("/", headers={"Accept": "text/html"}).text).group(1)
    assert set(accept.split(",")) == {f"image/{name}" for name in formats}


def test_readme_lists_the_formats(formats):
    kinds = re.search("the photo itself: ([^.]+?), told by its", (ROOT / "README.md").read_text().replace("\n", " ")).group(1)
    assert {name.lower() for name in re.split(", | or ", kinds)} == formats
