"""What callers, browsers, shells and clusters really send and set: understood where it can be, and named for what it is where it cannot."""
import base64
import json
import re
import struct

import pytest

import pictures
from client import cam, explain, problem, same
from server import MODEL, reserved_port, run
from test_multipart import BOUNDARY, form, part, post
from wire import Wire, request


@pytest.fixture(scope="module")
def photo():
    return pictures.png(pictures.scene(61, 43))


# ---- base64 as it is found ----
def spellings(data):
    """The same bytes, as JavaScript, Python, JWT libraries and shells write them."""
    plain, url = base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()
    lines = "\n".join(url[i:i + 76] for i in range(0, len(url), 76))
    return {"base64": plain, "unpadded": plain.rstrip("="), "base64url": url, "base64url, unpadded": url.rstrip("="), "base64url in lines": lines,
            "data, unpadded": "data:image/png;base64," + plain.rstrip("="), "data, base64url": "data:image/png;base64," + url.rstrip("=")}


@pytest.mark.parametrize("tail", [0, 1, 2])
@pytest.mark.parametrize("spelling", spellings(b""))
def test_base64_however_it_is_spelt(client, photo, spelling, tail):
    """Each with 0, 1 and 2 bytes over a multiple of three, where the padding differs; junk after a PNG is no part of it."""
    data = photo + bytes((tail - len(photo)) % 3)
    text = spellings(data)[spelling]
    assert len(data) % 3 == tail and ("-" in text or "_" in text) == ("url" in spelling)
    response = client.post("/cam", json={"image": text})
    assert response.status_code == 200, response.text
    assert same(response.json()) == same(explain(client, photo).document)


@pytest.mark.hostile
@pytest.mark.parametrize("text", ["A", "AAAAA", "AA=", "AA=A", "AAA==", "=", "====", "A===", "AA==AA", "AAAA=", "AA.A", "AAAA-_+/*"])
def test_base64_that_is_none(client, text):
    """A last letter that stands for less than a byte, and padding that is wrong, stay errors."""
    problem(client.post("/cam", json={"image": text}), 400, detail="base64")


# ---- a file's name in place of a file ----
def test_a_form_with_a_name_is_told_of_the_at(client, photo):
    def said(*fields):
        return problem(client.post("/cam", files=fields), 415)["detail"]
    assert "is the @ missing? (curl -F image=@photo.jpg)" in said(("image", (None, b"photos/cat.jpg")))
    for other in ("photo.txt", b"photos/cat.jpg"), (None, b"photos/\xff.jpg"), (None, b"x" * 10000):
        assert "@" not in said(("image", other)), other
    several = client.post("/cam", files=[("image", (None, b"photos/cat.jpg")), ("image", ("a.png", photo))])
    assert several.status_code == 200 and "error" in several.json()["results"][0]


# ---- a photo behind curl -d ----
def test_a_photo_that_curl_has_cut_is_told_of_data_binary(client, photo):
    """`curl -d @photo.jpg` takes zeros and line breaks out: what is left is a broken photo, whose sender has done little wrong."""
    form_type = {"content-type": "application/x-www-form-urlencoded"}
    cut = photo.translate(None, b"\0\r\n")
    assert problem(client.post("/cam", content=cut, headers=form_type), 415)["detail"].endswith("curl --data-binary @photo.jpg is wanted")
    assert client.post("/cam", content=photo, headers=form_type).status_code == 200
    problem(client.post("/cam", content=cut), 422)


# ---- JSON that does not say so ----
@pytest.mark.parametrize("content_type", [None, "text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded",
                                          "application/octet-stream", "image/png"])
@pytest.mark.parametrize("begin", ["", " \r\n\t", "\ufeff"])
def test_json_under_another_type_is_told_what_to_send(client, photo, content_type, begin):
    """`curl -d @photo.json` and fetch() with a string send it so."""
    body = begin + json.dumps({"top_k": 1, "image": base64.b64encode(photo).decode()})
    asked = client.build_request("POST", "/cam", content=body.encode())
    asked.headers.pop("content-type", None)
    if content_type:
        asked.headers["content-type"] = content_type
    problem(client.send(asked), 415, detail=["JSON", "application/json"])


# ---- forms as browsers send them ----
EMPTY_INPUT = part("image", b"", "", headers=["Content-Type: application/octet-stream"])
CHARSET = part("_charset_", b"UTF-8", None)
SUBMIT = part("submit", b"Explain", None)


@pytest.mark.parametrize("parts", [
    lambda p: [p, EMPTY_INPUT], lambda p: [EMPTY_INPUT, p], lambda p: [EMPTY_INPUT, p, EMPTY_INPUT], lambda p: [CHARSET, p], lambda p: [p, CHARSET],
    lambda p: [p, SUBMIT], lambda p: [p, part("submit", b"", None)], lambda p: [CHARSET, EMPTY_INPUT, p, EMPTY_INPUT, SUBMIT]], ids=range(8))
def test_what_browsers_add_is_skipped(client, photo, parts):
    """One photo is one photo: the answer is the bare object."""
    response = post(client, form(*parts(part("image", photo))))
    assert response.status_code == 200, response.text
    assert same(response.json()) == same(explain(client, photo).document)


def test_skipped_parts_are_no_photos(client, photo):
    """Eight photos and a ninth input that is empty are eight; none but empty inputs are none."""
    response = post(client, form(*[part("image", photo)] * 8, EMPTY_INPUT))
    assert response.status_code == 200 and len(response.json()["results"]) == 8
    for parts in ([EMPTY_INPUT], [EMPTY_INPUT, EMPTY_INPUT], [CHARSET, SUBMIT], [EMPTY_INPUT, SUBMIT]):
        problem(post(client, form(*parts)), 400, detail="image")


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["hat", "charset", "_charset", "submit2", "Image", "top_K", ""])
def test_other_unknown_fields_stay_errors(client, photo, name):
    problem(post(client, form(part("image", photo), part(name, b"1", None))), 400, detail=name)


@pytest.mark.hostile
def test_an_empty_file_with_a_name_is_no_empty_input(client, photo):
    """A file was chosen, and there is nothing in it."""
    response = post(client, form(part("image", photo), part("image", b"", "empty.png")))
    if response.status_code == 200:
        assert [("error" in result) for result in response.json()["results"]] == [False, True]
    else:
        problem(response, 400)


@pytest.mark.hostile
@pytest.mark.parametrize("cut", ["the last boundary", "its last hyphens", "within the photo"])
def test_a_form_without_its_end_says_so(client, photo, cut):
    """What a client that was cut off, or that counts its Content-Length wrong, sends: not taken for a broken photo."""
    whole = form(part("image", photo))
    body = {"the last boundary": form(part("image", photo), end=False), "its last hyphens": whole[:-4], "within the photo": whole[:len(whole) // 2]}[cut]
    document = problem(post(client, body), 400, detail="boundary")
    assert re.search(f"final|last|closing|end|{BOUNDARY}--", document["detail"]), document["detail"]


def test_a_form_whose_last_line_lacks_its_newline(client, photo):
    """It is whole (RFC 2046 section 5.1.1): what follows the last boundary is nobody's."""
    whole = form(part("image", photo))
    for body in (whole[:-2], whole + b"epilogue\r\n"):
        assert post(client, body).status_code == 200


# ---- what is packed ----
@pytest.mark.parametrize("value", ["gzip", "GZIP", "br", "deflate", "zstd", "gzip, gzip", "x-compress"])
def test_a_content_encoding_is_named(client, server, photo, value):
    response = client.post("/cam", content=photo, headers={"Content-Encoding": value})
    problem(response, 415, detail=["Content-Encoding", value.split(",")[0]])
    with Wire(server, timeout=30) as wire:  # before the body is sent
        status, _, _ = wire.send(request(headers=[f"Content-Encoding: {value}"], length=100000)).response()
    assert status == 415


def test_identity_is_no_encoding(client, photo):
    """RFC 9110 section 8.4: it should not be sent, and means nothing."""
    assert client.post("/cam", content=photo, headers={"Content-Encoding": "identity"}).status_code == 200


# ---- Accept ----
@pytest.mark.parametrize("value,given", [
    ("image/png;q=0x1, application/json;q=0.5", "application/json"), ("image/png;q=0X1p0, application/json;q=0.1", "application/json"),
    ("image/png;q=1e0, application/json;q=0.5", "application/json"), ("image/png;q=0.5, application/json;q=0x1", "image/png"),
    ("image/png;q=1.000, application/json;q=0.5", "image/png"), ("image/png;q=0.001", "image/png"), ("image/png;q=1.", "image/png")])
def test_q_is_a_decimal_number(client, photo, value, given):
    """RFC 9110 section 12.4.2; what is none is no wish."""
    response = cam(client, photo, accept=value)
    assert response.status_code == 200 and response.headers["content-type"] == given


@pytest.mark.parametrize("value", ["image/png;q=0x1", "image/png;q=1e9", "image/png;q=0x1p4"])
def test_q_that_is_none(client, photo, value):
    assert cam(client, photo, accept=value).status_code == 406


def relabelled(path, label):
    """The model with that label for every class."""
    file = MODEL.read_bytes()
    (size,) = struct.unpack("<Q", file[:8])
    header = json.loads(file[8:8 + size])
    own = json.loads(header["__metadata__"]["camserve"])
    own["classes"] = [[wnid, label] for wnid, _ in own["classes"]]
    header["__metadata__"]["camserve"] = json.dumps(own)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + file[8 + size:])
    return path


@pytest.mark.parametrize("label", ["", " "], ids=["empty", "blank"])
def test_an_empty_label_does_not_stop_a_picture(start, tmp_path, photo, label):
    """HTTP libraries refuse empty values; the picture is there all the same, the header only where it says something."""
    server = start(model=relabelled(tmp_path / "model.safetensors", label))
    assert explain(server.client, photo).first.entry["label"] == label
    for kind in ("png", "jpeg"):
        response = cam(server.client, photo, accept=f"image/{kind}")
        assert response.status_code == 200 and response.headers["content-type"] == f"image/{kind}"
        assert not response.headers.get("x-cam-label", "").strip() and response.headers["x-cam-class-id"]


# ---- what platforms set ----
def links(prefix, port):
    """The variables that Kubernetes sets in every container for a service (kubernetes.io/docs, "Accessing the Service"), as settings of
    ours."""
    address = f"tcp://10.0.0.1:{port}"
    return {f"{prefix}service_host": "10.0.0.1", f"{prefix}service_port": port, f"{prefix}service_port_http": port, f"{prefix}port": address,
            f"{prefix}port_{port}_tcp": address, f"{prefix}port_{port}_tcp_proto": "tcp", f"{prefix}port_{port}_tcp_port": port,
            f"{prefix}port_{port}_tcp_addr": "10.0.0.1"}


@pytest.mark.parametrize("set_to", ["", "tcp://10.0.0.1:8080"])
def test_port_of_the_platform(start, set_to):
    """Knative and Cloud Run say it so, where CAMSERVE_PORT does not: empty or a service link is as good as not set."""
    port = reserved_port()
    server = start(wrapper=("env", f"PORT={port}"), port=set_to)
    assert server.port == port and server.client.get("/healthz").status_code == 200


def test_our_own_port_wins(start):
    taken, port = reserved_port(), reserved_port()
    assert start(wrapper=("env", f"PORT={taken}"), port=port).port == port


def test_an_empty_port_is_none(start):
    """And the one set wins over a wrong one, too."""
    port = reserved_port()
    assert start(wrapper=("env", "PORT="), port=port).port == port


@pytest.mark.parametrize("value", ["http", "70000", "-2"])
def test_a_wrong_port_is_refused_by_name(monkeypatch, value):
    monkeypatch.setenv("PORT", value)
    result = run("serve", port="")
    assert result.returncode == 2 and b"PORT" in result.stderr and value.encode() in result.stderr, result.stderr


@pytest.mark.parametrize("services", [[""], ["admin_"], ["", "admin_", "canary_", "v2_"]], ids=["camserve", "camserve-admin", "several"])
def test_service_links_are_ignored_with_one_line(start, services):
    """Those of services named camserve, camserve-admin, camserve-canary ...: one line for all of them, and none that calls them unknown."""
    settings = {name: value for prefix in services for name, value in links(prefix, 8080).items()}
    server = start(wrapper=("env", f"PORT={reserved_port()}"), log="text", **{"port": "", **settings})
    assert server.admin is None, "a link is no admin port"
    lines = [line for line in server.log().splitlines() if re.search("service link", line, re.I)]
    assert len(lines) == 1, server.log()
    rest = [line for line in server.log().splitlines() if line not in lines]
    assert not [line for line in rest for name in settings if f"CAMSERVE_{name.upper()}" in line], server.log()


def test_only_addresses_are_links():
    """What merely looks wrong is a wrong setting, as ever."""
    for value in ("tcp", "tcp:", "tcp//10.0.0.1", "8080/tcp", "http://10.0.0.1:80"):
        result = run("serve", port=value)
        assert result.returncode == 2 and b"port" in result.stderr.lower() and value.encode() in result.stderr, result.stderr


def test_unknown_variables_are_warned_of(start):
    """By name, and without what they hold: a key that was put there does not end in the log."""
    names = {"queu": 5, "max_body": 1000, "key": "correct-horse-battery", "model_path": "x"}
    server = start(**names)
    assert server.client.get("/healthz").status_code == 200
    for name, value in names.items():
        assert re.search(rf"\bCAMSERVE_{name.upper()}\b", server.log()), server.log()
    assert "correct-horse-battery" not in server.log()


def test_known_variables_are_not_warned_of(start, tmp_path):
    config = tmp_path / "camserve.ini"
    config.write_text("queue = 7\n")
    server = start(config=config, queue=8, keys="")
    assert not re.search("CAMSERVE_", server.log()), server.log()
