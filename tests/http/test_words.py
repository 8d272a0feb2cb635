"""A colormap, a size, a resize policy and a form of pictures are a row each in include/cam_engine.h. What a caller reads of them (problems,
/openapi.json, the page, README) lists the same words in the same order: a row without its words elsewhere fails here."""
import json
import re

import pytest

from client import cam, problem
from server import ROOT

HEADER = (ROOT / "include/cam_engine.h").read_text()
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "static/index.html").read_text()
API = json.loads((ROOT / "static/openapi.json").read_text())


def rows(name):
    """The words of a list: the second column of #define NAME(X), whose rows end with a backslash but for the last."""
    table = re.search(rf"#define {name}\(X\)(?:.*\\\n)+.*\n", HEADER)[0]
    words = re.findall(r'X\(\w+,\s*"(\w+)"', table)
    assert len(words) == table.count("\n") - 1 >= 2, table
    return words


WORDS = {"colormap": rows("CAM_COLORMAPS"), "size": rows("CAM_SIZES"), "resize": rows("CAM_RESIZES"), "format": rows("CAM_PICTURES"),
         "scale": rows("CAM_SCALES"), "detail": rows("CAM_DETAILS")}

OF_ONE_CLASS = [word for word in WORDS["colormap"] if word != "coolwarm"]  # which the page takes by itself where two are compared


def enums(node):
    """Every "enum" below a node of the API's document."""
    if isinstance(node, dict):
        if isinstance(node.get("enum"), list):
            yield node["enum"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from enums(each)


def options(select):
    """The values of a <select> of the page: an option's value, or its text where it has none."""
    body = re.search(rf'<select name="{select}">(.*?)</select>', PAGE, re.S)[1]
    return [(re.findall('value="(.*?)"', attributes) or [text])[0] for attributes, text in re.findall("<option([^>]*)>([^<]*)", body)]


@pytest.mark.parametrize("parameter", WORDS)
def test_a_problem_lists_the_words(client, scene_png, parameter):
    detail = problem(cam(client, scene_png, **{parameter: "?"}), 400)["detail"]
    assert re.split(", | and ", re.search("allowed are (.+)$", detail)[1]) == WORDS[parameter]


@pytest.mark.parametrize("parameter", WORDS)
def test_openapi_lists_the_words(parameter):
    named = [p for p in API["components"]["parameters"].values() if p["name"] == parameter]
    assert [p["schema"]["enum"] for p in named] == [WORDS[parameter]]
    if parameter != "format":  # whose words are those of photos, too: test_formats.py
        for words in enums(API):
            assert words == WORDS[parameter] or not set(words) & set(WORDS[parameter])


def test_openapi_lists_the_methods():
    assert API["components"]["schemas"]["Prediction"]["properties"]["method"]["enum"] == rows("CAM_METHODS")


def test_openapi_has_the_members_of_each_form():
    members = API["components"]["schemas"]["Prediction"]["properties"]
    for kind in ("overlay", "heatmap"):
        assert [name for name in members if name.startswith(kind)] == [f"{kind}_{form}" for form in WORDS["format"]]
        assert [members[f"{kind}_{form}"]["contentMediaType"] for form in WORDS["format"]] == [f"image/{form}" for form in WORDS["format"]]
    answer = API["paths"]["/cam"]["post"]["responses"]["200"]["content"]
    assert [kind for kind in answer if kind.startswith("image/")] == [f"image/{form}" for form in WORDS["format"]]


def test_the_page_offers_the_words():
    assert options("colormap") == OF_ONE_CLASS
    assert set(options("resize")) == {"", *WORDS["resize"]}  # "": as the model


@pytest.mark.parametrize("parameter", WORDS)
def test_readme_lists_the_words(parameter):
    meaning = re.search(rf"^\| `{parameter}` \| [^|]+ \| (.+) \|$", README, re.M)[1]
    assert [word for word in re.findall(r"\w+", meaning) if word in WORDS[parameter]][:len(WORDS[parameter])] == WORDS[parameter]
