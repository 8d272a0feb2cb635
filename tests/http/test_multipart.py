"""multipart/form-data: one to eight photos, items that fail, and every way to get the form wrong."""
import pytest

import hostile
import pictures
from client import check_problem, explain, explain_many, problem, same
from wire import Wire, request

BOUNDARY = "----camserve0123456789"


def part(name, content, filename="a.png", boundary=BOUNDARY, headers=()):
    disposition = f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename is not None else "")
    return (f"--{boundary}\r\n" + "\r\n".join([disposition, *headers]) + "\r\n\r\n").encode() + content + b"\r\n"


def form(*parts, boundary=BOUNDARY, end=True):
    return b"".join(parts) + (f"--{boundary}--\r\n".encode() if end else b"")


def post(client, body, boundary=BOUNDARY, content_type=None):
    return client.post("/cam", content=body, headers={"Content-Type": content_type or f"multipart/form-data; boundary={boundary}"})


@pytest.fixture(scope="module")
def several():
    return [pictures.png(pictures.scene(40 + 10 * i, 60, seed=i)) for i in range(8)]


@pytest.mark.parametrize("count", [2, 3, 8])
def test_several_photos(client, several, count):
    document = explain_many(client, several[:count], top_k=1)
    assert set(document) == {"request_id", "model", "results", "timing_ms"}
    assert len(document["results"]) == count
    for photo, result in zip(several, document["results"]):
        alone = explain(client, photo, top_k=1).document
        assert result == {k: alone[k] for k in ("image", "input", "predictions")}


def test_one_photo_answers_the_bare_object(client, several):
    assert same(explain_many(client, several[:1])) == same(explain(client, several[0]).document)


@pytest.mark.hostile
def test_nine_photos_are_refused(client, several):
    response = client.post("/cam", files=[("image", ("a.png", p)) for p in [*several, several[0]]])
    problem(response, 400, detail="8")


@pytest.mark.hostile
def test_items_that_fail(client, several):
    """Always 200; each failing item is a problem of its own, in its place."""
    document = explain_many(client, [several[0], b"hello", hostile.half(several[1]), several[2], b"GIF89a" + bytes(60)], top_k=1)
    results = document["results"]
    assert ["error" in r for r in results] == [False, True, True, False, True]
    for r in results:
        if "error" in r:
            assert set(r) == {"error"}
            check_problem(r["error"])
            assert r["error"]["request_id"] == document["request_id"]
    assert [results[i]["error"]["status"] for i in (1, 2, 4)] == [415, 422, 415]
    assert "GIF" in results[4]["error"]["detail"]


def test_all_items_fail_is_still_a_list(client):
    results = explain_many(client, [b"a", b"b"])["results"]
    assert all(r["error"]["status"] == 415 for r in results)


def test_one_failing_photo_is_a_plain_problem(client):
    problem(client.post("/cam", files={"image": ("a.png", b"hello")}), 415)


@pytest.mark.parametrize("filename", ["", "a.png", "../../etc/passwd", "a\\b.png", "\u00e4.png", "x" * 3000, "a;b=c.png", "NUL.png"])
def test_filenames_mean_nothing(client, several, filename):
    assert post(client, form(part("image", several[0], filename))).status_code == 200


def test_part_headers_mean_nothing(client, several):
    for headers in (["Content-Type: image/gif"], ["Content-Type: text/html", "X-Other: y"], ["Content-Length: 5"],
                    ["content-type: application/json"]):
        assert post(client, form(part("image", several[0], headers=headers))).status_code == 200


def test_fields_before_and_after_the_photo(client, several):
    for body in (form(part("top_k", b"1", None), part("image", several[0])), form(part("image", several[0]), part("top_k", b"1", None))):
        response = post(client, body)
        assert response.status_code == 200, response.text
        assert len(response.json()["predictions"]) == 1


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary={0}", 'multipart/form-data; boundary="{0}"',
                                          "Multipart/Form-Data; boundary={0}", "multipart/form-data;boundary={0}"])
def test_boundaries_that_are_right(client, several, content_type):
    assert post(client, form(part("image", several[0])), content_type=content_type.format(BOUNDARY)).status_code == 200


@pytest.mark.hostile
@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data;", "multipart/form-data; boundary=",
                                          'multipart/form-data; boundary=""', 'multipart/form-data; boundary="abc',
                                          "multipart/form-data; boundary=other", "multipart/form-data; charset=utf-8",
                                          "multipart/form-data; boundary=" + "b" * 3000, "multipart/form-data; boundary=a b",
                                          "multipart/form-data; boundary=;", "multipart/form-data boundary=x"])
def test_boundaries_that_are_wrong(client, several, content_type):
    problem(post(client, form(part("image", several[0])), content_type=content_type), 400)


@pytest.mark.hostile
@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary={0}; charset=utf-8", 'multipart/form-data; charset=utf-8; boundary="{0}"',
                                          "multipart/form-data; Boundary={0}",
                                          "multipart/mixed; boundary={0}", "multipart/form-datax; boundary={0}"])
def test_boundaries_that_may_be_either(client, several, content_type):
    """Legal or odd spellings: understood or refused, never silently without photos and never worse."""
    response = post(client, form(part("image", several[0])), content_type=content_type.format(BOUNDARY))
    assert response.status_code == 200 or problem(response, 400, 415)


BROKEN = {
    "empty": b"", "end alone": form(), "no part": b"preamble only", "no end": form(part("image", b"x"), end=False),
    "cut in head": b"--" + BOUNDARY.encode() + b"\r\nContent-Disp",
    "cut in photo": form(part("image", pictures.png(pictures.smooth(30, 30))))[:300], "empty part": form(part("image", b"")),
    "wrong field": form(part("photo", b"x")),
    "no name": form(f'--{BOUNDARY}\r\nContent-Disposition: form-data; filename="a"\r\n\r\nx\r\n'.encode()),
    "no disposition": form(f"--{BOUNDARY}\r\n\r\nx\r\n".encode()),
    "unquoted name": form(f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\nx\r\n".encode()),
    "empty name": form(part("", b"x")),
    "parameter alone": form(part("top_k", b"3", None)),
    "unknown field": form(part("image", pictures.png(pictures.smooth(9, 9))), part("hat", b"1", None)),
    "10,000 parts": form(*[part("image", b"x")] * 10000), "10,000 fields": form(*[part(f"f{i}", b"x", None) for i in range(10000)]),
    "long field": form(part("top_k", b"3" * 5000000, None), part("image", b"x")), "long part head": form(part("image", b"x", "n" * 1000000)),
    "binary field": form(part("top_k", bytes(range(256)), None), part("image", b"x")),
    "NUL in field": form(part("top_k", b"3\0\0", None), part("image", pictures.png(pictures.smooth(9, 9)))),
    "nested": form(part("image", form(part("image", b"x", boundary="inner"), boundary="inner"),
                        headers=["Content-Type: multipart/mixed; boundary=inner"])),
    "newlines only": b"\r\n" * 50000, "boundary storm": (f"--{BOUNDARY}\r\n".encode()) * 20000, "name of 1 MB": form(part("n" * 1000000, b"x", None)),
}


@pytest.mark.hostile
@pytest.mark.parametrize("name", BROKEN)
def test_broken_forms(client, name):
    either = {"nested": (415,), "cut in photo": (422,), "long part head": (415,), "no end": (415,), "unquoted name": (415,)}  # or understood so far
    problem(post(client, BROKEN[name]), 400, *either.get(name, ()))


@pytest.mark.hostile
def test_names_the_wrong_field(client):
    problem(post(client, BROKEN["wrong field"]), 400, detail="photo")
    problem(post(client, BROKEN["unknown field"]), 400, detail="hat")


@pytest.mark.hostile
def test_form_in_many_small_pieces(server, several):
    body = form(part("image", several[0]), part("top_k", b"1", None))
    with Wire(server) as wire:
        wire.send(request(headers=[f"Content-Type: multipart/form-data; boundary={BOUNDARY}"], length=len(body)))
        for i in range(0, len(body), 211):
            wire.send(body[i:i + 211])
        status, _, reply = wire.response()
    assert status == 200, reply[:300]


def test_photo_that_holds_almost_boundaries(client, several):
    tail = (f"\r\n--{BOUNDARY[:-1]}\r\n\r\n--" + BOUNDARY[:5]).encode()
    assert post(client, form(part("image", several[0] + tail))).status_code == 200
