"""Every parameter of POST /cam: default, each legal word, bounds, beyond bounds, unknown, twice - in the query, as form field, as JSON member."""
import base64

import pytest

from client import cam, explain, explain_many, problem, same

GOOD = [("top_k", "1"), ("top_k", "10"), ("alpha", "0"), ("alpha", "1"), ("alpha", "1.0"), ("alpha", "0.25"), ("alpha", "1e-1"), ("alpha", ".5"),
        *[("colormap", c) for c in ("jet", "turbo", "viridis", "inferno", "gray")], *[("size", s) for s in ("fit", "input", "original")],
        ("resize", "stretch"), ("resize", "aspect"), ("format", "png"), ("format", "jpeg"),
        ("detail", "normal"), ("detail", "fine"), ("minus", "0"), ("minus", "n02124075"), ("minus", "Samoyed"), ("minus", "samoyed, samoyede"), ("scale", "minmax"), ("scale", "relu"), ("threshold", "0"), ("threshold", "1"), ("threshold", "0.999"),
        ("include", "none"), ("include", "overlay"), ("include", "heatmap"), ("include", "map"), ("include", "map,overlay,heatmap"), ("include", "probabilities"),
        ("classes", "0"), ("classes", "999"), ("classes", "n01440764"), ("classes", "0,n15075141,5,6,7,8,9,10,11,12"),
        ("classes", "Samoyed"), ("classes", "Samoyed, Samoyede"), ("classes", "egyptian CAT, 281")]
BAD = [*[("top_k", v) for v in ("0", "11", "-1", "", "abc", "3x", "2.5", "1e1", "0x3", " 3", "3 ", "99999999999999999999", "4294967297", "NaN",
                                "\u0663")],
       *[("alpha", v) for v in ("-0.01", "1.01", "", "half", "NaN", "nan", "inf", "-inf", "infinity", "1e999", "0,5", "0.5x", "0x1p-1", " 0.5",
                                "0.5 ", "--1", "1e")],
       *[("threshold", v) for v in ("-1e-9", "1.0001", "nan", "", "20%", "1e400")],
       *[(n, v) for n in ("colormap", "size", "resize", "include", "format", "scale", "detail") for v in ("", "JET", "other", "jet ", "fit,input", "overlay,", ",map",
                                                                             "overlay;map", "0", "x" * 3000)],
       ("colormap", "jet,gray"), ("include", "none,map"), ("include", "overlay,none"), ("include", "overlay,hat"),
       ("format", "jpg"), ("format", "png,jpeg"),
       *[("classes", v) for v in ("1000", "-1", "n00000000", "cat", "281,", ",281", "281,,282", "2 81", "1.5", "281;282", "N02124075",
                                  "99999999999999999999",
                                  "4294967296", ",".join(map(str, range(11))), "," * 5000, "\u0663")],
       *[("minus", v) for v in ("", "1000", "-1", "281,282", "cat", "crane", "x" * 3000)], ("colormap", "coolwarm"),
       ("foo", "1"), ("Top_k", "3"), ("top-k", "3"), ("key", "x"), ("", "x"), ("model", "other"), ("%00", "1"), ("image", "http://localhost/")]


def naming(name, value):
    return name if name.isprintable() and name and "%" not in name else None


@pytest.mark.parametrize("name,value", GOOD)
def test_legal_value(client, scene_png, name, value):
    explain(client, scene_png, **{name: value})


@pytest.mark.hostile
@pytest.mark.parametrize("name,value", BAD)
def test_illegal_value_in_query(client, scene_png, name, value):
    problem(cam(client, scene_png, **{name: value}), 400, detail=naming(name, value))


@pytest.mark.parametrize("name,value", [b for b in BAD if b[0] not in ("image", "")])
def test_illegal_value_as_field(client, scene_png, name, value):
    response = client.post("/cam", files={"image": ("a.png", scene_png)}, data={name: value})
    problem(response, 400, detail=naming(name, value))


@pytest.mark.parametrize("name,value", [b for b in BAD if b[0] not in ("image", "")])
def test_illegal_value_as_member(client, scene_png, name, value):
    response = client.post("/cam", json={"image": base64.b64encode(scene_png).decode(), name: value})
    problem(response, 400, detail=naming(name, value))


def test_defaults_are_what_the_contract_says(client, scene_png):
    said = explain(client, scene_png, top_k=3, alpha=0.5, colormap="jet", size="fit", resize="aspect", include="overlay", format="png", scale="relu",
                   threshold=0.3, detail="normal")
    assert same(said.document) == same(explain(client, scene_png).document)
    assert len(said.predictions) == 3


def test_query_field_and_member_say_the_same(client, scene_png):
    params = {"top_k": "2", "classes": "7,n02124075", "alpha": "0.3", "colormap": "turbo", "size": "input", "resize": "stretch",
              "include": "overlay,heatmap,map", "format": "jpeg", "scale": "minmax", "threshold": "0.6",
              "minus": "tench", "detail": "fine"}
    query = same(explain(client, scene_png, **params).document)
    assert query == same(explain_many(client, [scene_png], data=params))
    as_json = client.post("/cam", json={"image": base64.b64encode(scene_png).decode(), **params})
    assert query == same(as_json.json())
    numbers = client.post("/cam", json={"image": base64.b64encode(scene_png).decode(), **params, "top_k": 2, "alpha": 0.3, "threshold": 0.6})
    assert query == same(numbers.json())


def test_parameters_may_be_spread_over_query_and_body(client, scene_png):
    spread = explain_many(client, [scene_png], data={"alpha": "0.3"}, top_k=1)
    assert same(spread) == same(explain(client, scene_png, alpha=0.3, top_k=1).document)


def test_percent_encoding(client, scene_png):
    response = client.post("/cam?top%5Fk=1&include=overlay%2Cheatmap&classes=1%2C2", content=scene_png)
    assert response.status_code == 200, response.text
    predictions = response.json()["predictions"]
    assert len(predictions) == 3 and {1, 2} < {p["class_id"] for p in predictions}
    assert all({"overlay_png", "heatmap_png"} <= set(p) for p in predictions)


TWICE = [("top_k", "3"), ("alpha", "0.5"), ("colormap", "jet"), ("size", "fit"), ("resize", "aspect"), ("include", "none"), ("format", "png"),
         ("scale", "relu"), ("minus", "1"), ("detail", "normal"), ("threshold", "0.2")]


@pytest.mark.parametrize("name,value", TWICE)
def test_twice(client, scene_png, name, value):
    problem(client.post("/cam", content=scene_png, params=[(name, value), (name, value)]), 400, detail=name)
    problem(client.post("/cam", files={"image": ("a.png", scene_png)}, data={name: [value, value]}), 400, detail=name)
    problem(client.post("/cam", files={"image": ("a.png", scene_png)}, data={name: value}, params={name: value}), 400, detail=name)
    text = base64.b64encode(scene_png).decode()
    problem(client.post("/cam", json={"image": text, name: value}, params={name: value}), 400, detail=name)
    double = '{"image": "%s", "%s": "%s", "%s": "%s"}' % (text, name, value, name, value)
    problem(client.post("/cam", content=double, headers={"Content-Type": "application/json"}), 400)


OTHER_KINDS = [(n, v) for n in ("top_k", "alpha", "include", "classes", "minus") for v in (None, True, [], {}, [3], [[3]], {"a": 1})]
OTHER_KINDS.remove(("classes", [3]))


@pytest.mark.parametrize("name,value", OTHER_KINDS)
def test_members_of_other_kinds(client, scene_png, name, value):
    problem(client.post("/cam", json={"image": base64.b64encode(scene_png).decode(), name: value}), 400, detail=name)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "3.5", "1e300", "-0.5", "11"])
def test_numbers_out_of_range_as_members(client, scene_png, text):
    body = '{"image": "%s", "top_k": %s}' % (base64.b64encode(scene_png).decode(), text)
    problem(client.post("/cam", content=body, headers={"Content-Type": "application/json"}), 400)


def test_lists_where_lists_are_meant(client, scene_png):
    text = base64.b64encode(scene_png).decode()
    listed = client.post("/cam", json={"image": text, "classes": [5, "n02124075"], "include": ["map", "heatmap"]})
    assert listed.status_code == 200, listed.text
    assert same(listed.json()) == same(explain(client, scene_png, classes="5,n02124075", include="map,heatmap").document)


def test_classes_by_label(client, scene_png):
    """A label, or its first name; given again and again it is taken whole, wherever it stands."""
    by_index = same(explain(client, scene_png, classes="258,285").document)
    text = base64.b64encode(scene_png).decode()
    for classes in ("Samoyed,Egyptian cat", ["Samoyed, Samoyede", "egyptian cat"], ["258", "n02124075"]):
        assert same(explain(client, scene_png, classes=classes).document) == by_index
        assert same(client.post("/cam", json={"image": text, "classes": classes}).json()) == by_index
        assert same(explain_many(client, [scene_png], data={"classes": classes})) == by_index
    assert same(explain_many(client, [scene_png], data={"classes": "Samoyed"}, classes="258,285")) == by_index


def test_a_name_of_several_classes_is_refused_with_all_of_them(client, scene_png):
    for name, ids in (("crane", ("134", "517")), ("maillot", ("638", "639")), ("CARDIGAN", ("264", "474"))):
        problem(cam(client, scene_png, classes=name), 400, detail=["classes", name, *ids])
    both = explain(client, scene_png, classes="Cardigan,cardigan", top_k=1, include="none").predictions
    assert {p.class_id for p in both} >= {264, 474}


def test_more_classes_than_ten_one_by_one(client, scene_png):
    explain(client, scene_png, classes=[str(c) for c in range(10)], include="none")
    problem(cam(client, scene_png, classes=[str(c) for c in range(11)]), 400, detail="classes")
    problem(cam(client, scene_png, classes=["0,1,2,3,4,5", "6,7,8,9,10"]), 400, detail="classes")


def test_parameter_without_value(client, scene_png):
    for query in ("top_k", "top_k=", "classes", "alpha&top_k=1"):
        problem(client.post("/cam?" + query, content=scene_png), 400)


def test_bad_parameter_wins_over_a_broken_photo_and_comes_early(client):
    """A mistake in the query is told whatever the body holds."""
    problem(cam(client, b"not a photo", top_k=0), 400, detail="top_k")


def test_classes_follow_the_top_in_the_order_asked(client, scene_png):
    ids = [p.class_id for p in explain(client, scene_png, top_k=10, include="none").predictions]
    others = [i for i in (900, 3, 77, 500) if i not in ids]
    asked = [others[0], ids[1], others[1], ids[0], others[2]]
    predictions = explain(client, scene_png, top_k=2, classes=",".join(map(str, asked)), include="none").predictions
    assert [p.class_id for p in predictions] == [ids[0], ids[1], others[0], others[1], others[2]]
    assert [p.rank for p in predictions][:2] == [1, 2] and all(p.rank > 2 for p in predictions[2:])


def test_a_class_has_the_same_numbers_however_it_was_asked_for(client, scene_png):
    top = explain(client, scene_png, top_k=5, include="overlay,heatmap,map").predictions[4]
    wnid = client.get("/labels").json()[top.class_id]["wnid"]
    named = explain(client, scene_png, top_k=1, classes=wnid, include="overlay,heatmap,map").predictions[1]
    assert named.entry == top.entry


def test_a_class_named_twice_is_answered_once(client, scene_png):
    response = cam(client, scene_png, top_k=1, classes="900,900,n02124075,285", include="none")
    if response.status_code == 200:
        ids = [p["class_id"] for p in response.json()["predictions"]]
        assert len(ids) == len(set(ids))
    else:
        problem(response, 400, detail="classes")
