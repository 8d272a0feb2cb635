"""Memory by formula: what all requests together may take is bodies_bytes + work_bytes + replies_bytes and what is fixed. Each is reserved
before it is used, what does not fit at the moment waits or is told to come back, and what can never fit is told that, with both figures."""
import io
import re
import threading
import time

import numpy
import pytest
from PIL import Image

import hostile
import pictures
from client import cam, problem
from load import together
from metrics import metric, read
from server import PATIENCE, ROOT, SANITIZED, Server, run
from wire import Wire, request

MIB = 1 << 20
SMALL = pictures.png(pictures.smooth(60, 40))
WISH = {"size": "original", "top_k": 1}
TIGHT = 32 * MIB  # work_bytes that a photo of 12 megapixels does not fit in: three bytes a pixel are more
SLACK_MIB = 48  # threads' stacks, sockets, what malloc keeps for itself


def jpeg_of(image, quality):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture(scope="module")
def plain_photo():
    """12 megapixels that pack well: quick to send and to render."""
    return jpeg_of(Image.fromarray(pictures.scene(200, 150)).resize((4000, 3000)), 80)


@pytest.fixture(scope="module")
def noise_photo():
    """As many that do not: its rendering takes a second or so."""
    return jpeg_of(Image.frombytes("RGB", (4000, 3000), numpy.random.default_rng(1).bytes(36000000)), 75)


def figures(document):
    return [int(number) for number in re.findall(r"\d+", document["detail"])]


@pytest.fixture(scope="module")
def need(light_model, plain_photo):
    """What a photo of 4000x3000 takes, as the refusal says."""
    server = Server(model=light_model, work_bytes=TIGHT, admin_port=0)
    document = problem(cam(server.client, plain_photo, **WISH), 422, detail=str(TIGHT))
    more = [figure for figure in figures(document) if figure > TIGHT]
    assert len(more) == 1, document["detail"]
    assert metric(server.admin, "camserve_stage_seconds_count", stage="decode") == 0, "it was decoded first"
    assert cam(server.client, SMALL, **WISH).status_code == 200
    assert cam(server.client, plain_photo, include="none").status_code == 200, "it is decoded at a quarter, and nothing is rendered"
    server.stop()
    return more[0]


# ---- work ----
def test_what_needs_more_alone_is_told_both_figures(need):
    """By the photo's header, before it is decoded: in the fixture."""
    assert 4000 * 3000 * 3 < need < 4000 * 3000 * 40


def test_the_figure_is_the_limit(light_model, need, plain_photo):
    """With as many bytes as it needs it is served, with one less it is not."""
    enough, less = Server(model=light_model, work_bytes=need), Server(model=light_model, work_bytes=need - 1)
    document = problem(cam(less.client, plain_photo, **WISH), 422)
    assert {need, need - 1} <= set(figures(document)), document["detail"]
    assert cam(enough.client, plain_photo, **WISH).status_code == 200
    enough.stop()
    less.stop()


def test_larger_inputs_are_counted_and_given_back(light_model):
    """What detail=fine takes is the request's, not the worker's: refused where there is no room for it, and gone when it is answered."""
    server = Server(model=light_model, work_bytes=16 * MIB, admin_port=0)
    document = problem(cam(server.client, SMALL, detail="fine"), 422, detail=[str(16 * MIB), "detail=normal"])
    counted = max(figures(document))
    assert cam(server.client, SMALL).status_code == 200
    server.stop()
    server = Server(model=light_model, work_bytes=counted, admin_port=0, teams=1)

    def resident_after(detail):
        assert [cam(server.client, SMALL, detail=detail).status_code for _ in range(3)] == [200] * 3
        return metric(server.admin, "process_resident_memory_bytes")
    before, after = resident_after("normal"), resident_after("fine")
    if not SANITIZED:  # AddressSanitizer keeps what is freed
        assert after - before < 6 * MIB < counted / 2, (before, after, counted)
    server.stop()


def test_in_a_list_each_photo_is_for_itself(light_model, plain_photo):
    """One that needs too much is an item that failed; the others are there."""
    server = Server(model=light_model, work_bytes=TIGHT)
    response = server.client.post("/cam", files=[("image", SMALL), ("image", plain_photo), ("image", SMALL)], params=WISH)
    assert response.status_code == 200
    results = response.json()["results"]
    assert ["error" in result for result in results] == [False, True, False] and results[1]["error"]["status"] == 422
    assert str(TIGHT) in results[1]["error"]["detail"]
    server.stop()


def test_large_photos_wait_for_each_other(light_model, need, plain_photo):
    """Two teams are free, and there is room for one: none is refused, one after the other is served, and the time it waits counts as queue."""
    server = Server(model=light_model, work_bytes=need + need // 2, teams=2, threads=1, admin_port=0)
    clients = [server.new_client() for _ in range(4)]
    answers = together([lambda client=client: cam(client, plain_photo, **WISH) for client in clients])
    assert [answer.status_code for answer in answers] == [200] * 4, [answer.text[:300] for answer in answers if answer.status_code != 200]
    times = [answer.json()["timing_ms"] for answer in answers]
    served = sum(t["total"] - t["queue"] for t in times)
    assert served < 1.4 * max(t["total"] for t in times), times  # all of it within the longest of them: one at a time
    assert not {kind for kind, count in refusals(server).items() if count}
    server.stop()


def served_while(server, photo, large):
    """Small requests that are answered while `large` requests of the photo are worked on: from the first's beginning to the first byte of
    the first answer."""
    begun, threads, statuses = threading.Event(), [], []

    def post():
        with Wire(server) as wire:
            wire.send(request(target="/cam?size=original&top_k=1", body=photo, headers=["Connection: close"]))
            statuses.append(wire.socket.recv(12))
            begun.set()
            while wire.socket.recv(MIB):
                pass
    for _ in range(large):
        threads.append(threading.Thread(target=post, daemon=True))
        threads[-1].start()
    end = time.monotonic() + PATIENCE
    while not metric(server.admin, "camserve_workers_busy") and not begun.is_set():
        assert time.monotonic() < end
        time.sleep(0.002)
    served = 0
    while not begun.is_set():
        assert cam(server.client, SMALL).status_code == 200
        served += not begun.is_set()
    for thread in threads:
        thread.join(PATIENCE)
    assert statuses == [b"HTTP/1.1 200"] * large
    return served


def test_small_photos_do_not_wait_for_a_large_one(light_model, noise_photo):
    """It is worked on for a second or more, each of them for some ten milliseconds: where they wait for it, one or none is answered
    meanwhile."""
    server = Server(model=light_model, admin_port=0)
    assert served_while(server, noise_photo, 1) >= 3
    server.stop()


def test_small_photos_do_not_wait_for_large_ones_that_wait(light_model, need, noise_photo):
    """Three large ones, and room for one: those that wait hold neither a team nor the place of a small one."""
    server = Server(model=light_model, admin_port=0, teams=2, threads=1, work_bytes=need + 16 * MIB)
    assert served_while(server, noise_photo, 3) >= 3
    server.stop()


def test_a_large_photo_that_waits_has_its_deadline(light_model, need, plain_photo):
    """It waits for memory no longer than for anything else."""
    server = Server(model=light_model, teams=2, threads=1, work_bytes=need, request_deadline_ms=2500, admin_port=0)
    answers = together([lambda: cam(server.new_client(), plain_photo, **WISH)] * 16)
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) <= {200, 503} and 503 in statuses, statuses
    assert {answer.json()["code"] for answer in answers if answer.status_code == 503} == {"deadline"}
    assert cam(server.client, SMALL).status_code == 200
    server.stop()


# ---- bodies and replies ----
def refusals(server):
    return {dict(labels)["reason"]: value for (name, labels), value in read(server.admin).items() if name == "camserve_refused_total"}


def moved(server, before):
    return {reason: value - before.get(reason, 0) for reason, value in refusals(server).items() if value != before.get(reason, 0)}


@pytest.fixture(scope="module")
def narrow(light_model):
    it = Server(model=light_model, max_body_bytes=4000000, bodies_bytes=MIB, admin_port=0)
    yield it
    it.stop()


@pytest.mark.hostile
def test_a_body_that_can_never_fit(narrow):
    """Whatever the others do: 413, and no "come back later"."""
    before = refusals(narrow)
    with Wire(narrow, timeout=30) as wire:
        status, headers, body = wire.send(request(length=2000000)).response()
    assert status == 413 and "retry-after" not in headers and b"2000000" in body and str(MIB).encode() in body
    end = time.monotonic() + PATIENCE
    while not moved(narrow, before):  # it is counted when it is over, a moment after its answer was read
        assert time.monotonic() < end
    assert moved(narrow, before) == {"too_large": 1}


@pytest.mark.hostile
def test_bodies_that_do_not_fit_now(narrow):
    """Its reason is memory, and not the queue, which is empty."""
    before = refusals(narrow)
    with Wire(narrow, timeout=30) as holder:
        holder.send(request(length=700000, body=bytes(690000)))
        end = time.monotonic() + PATIENCE
        while metric(narrow.admin, "camserve_request_bytes_total") < 690000:
            assert time.monotonic() < end
            time.sleep(0.005)
        response = narrow.client.post("/cam", content=bytes(700000))
        document = problem(response, 429)
        assert int(response.headers["retry-after"]) >= 1 and "wait already" not in document["detail"] and str(MIB) in document["detail"]
        end = time.monotonic() + PATIENCE
        while not moved(narrow, before):  # it is counted when it is over, a moment after its answer was read
            assert time.monotonic() < end
        reasons = moved(narrow, before)
        assert sum(reasons.values()) == 1 and not set(reasons) & {"queue_full", "too_large", "no_memory"} and "memory" in next(iter(reasons))
        assert cam(narrow.client, SMALL).status_code == 200
        assert holder.send(bytes(10000)).response()[0] == 415
    assert narrow.client.post("/cam", content=bytes(700000)).status_code == 415, "what was refused, or is over, still counts"


NOISE = pictures.png(numpy.random.default_rng(5).integers(0, 256, (500, 700, 3), numpy.uint8))


@pytest.mark.hostile
def test_replies_are_reserved(light_model):
    """Nothing is computed for an answer that there is no room for; the answer in its place is the reason."""
    server = Server(model=light_model, admin_port=0, replies_bytes=8000000, teams=1)
    wish = "/cam?size=original&top_k=4"
    with Wire(server) as idle:
        idle.socket.setsockopt(1, 8, 4096)  # SOL_SOCKET, SO_RCVBUF
        idle.send(request(target=wish, body=NOISE))
        assert idle.socket.recv(10)
        decoded, before = metric(server.admin, "camserve_stage_seconds_count", stage="decode"), refusals(server)
        response = server.client.post(wish, content=NOISE)
        document = problem(response, 429, detail="8000000")
        assert int(response.headers["retry-after"]) >= 1 and document["code"] == "busy"
        end = time.monotonic() + PATIENCE
        while not moved(server, before):  # it is counted when it is over, a moment after its answer was read
            assert time.monotonic() < end
        reasons = moved(server, before)
        assert sum(reasons.values()) == 1 and "memory" in next(iter(reasons))
        assert metric(server.admin, "camserve_stage_seconds_count", stage="decode") == decoded, "it was decoded, and then refused"
        assert cam(server.client, SMALL).status_code == 200
    end = time.monotonic() + PATIENCE
    while server.client.post(wish, content=NOISE).status_code != 200:
        assert time.monotonic() < end, "the answer that was cut off still counts"
    server.stop()


@pytest.mark.hostile
def test_a_reply_that_can_never_fit(light_model):
    """Larger than all replies may be together: no "come back later", and nothing is computed."""
    server = Server(model=light_model, admin_port=0, replies_bytes=2000000)
    response = server.client.post("/cam?size=original&top_k=4", content=NOISE)
    problem(response, 413, 422, detail="2000000")
    assert "retry-after" not in response.headers and metric(server.admin, "camserve_stage_seconds_count", stage="decode") == 0
    server.stop()


# ---- the formula ----
def default(name):
    """As --help says it."""
    text = " ".join(run("serve", "--help").stdout.decode().split())
    return int(re.search(rf"--{name.replace('_', '-')} N .*?default (-?\d+)\)", text)[1])


def test_the_defaults_agree():
    """Bodies, work, replies and what is fixed are within the 2 GiB of README, compose and container; a telephone's 50 megapixels are within
    max_pixels, and SECURITY.md says the formula."""
    parts = [default(name) for name in ("bodies_bytes", "work_bytes", "replies_bytes")]
    assert sum(parts) + 128 * MIB <= 2048 * MIB, parts
    assert default("max_pixels") == 64000000
    assert default("max_body_bytes") <= parts[0] and default("max_reply_bytes") <= parts[2] and default("decode_bytes") <= parts[1]
    for file, words in (("SECURITY.md", ["bodies_bytes", "work_bytes", "replies_bytes"]), ("README.md", ["--memory 2g"]), ("docs/operating.md", ["--memory 2g", "--work-bytes"])):
        text = (ROOT / file).read_text()
        assert not [word for word in words if word not in text], file


def test_the_largest_photo(light_model):
    """64 million pixels at their own size, with default settings; the peak is what it was told it needs, and one pixel more is refused by
    its header."""
    server = Server(model=light_model, admin_port=0)
    assert cam(server.client, SMALL, **WISH).status_code == 200
    before = server.peak_mib()
    photo = jpeg_of(Image.fromarray(pictures.scene(200, 200)).resize((8000, 8000), Image.NEAREST), 60)
    response = cam(server.client, photo, **WISH)
    assert response.status_code == 200, response.text[:500]
    assert response.json()["image"]["width"] == 8000
    assert server.peak_mib() < before + (len(photo) + len(response.content) + default("work_bytes")) / MIB + SLACK_MIB
    problem(cam(server.client, hostile.huge_jpeg(8000, 8001), **WISH), 422, detail=["64008000", "64000000"])
    server.stop()


def test_the_peak_is_within_the_formula(light_model, need, noise_photo):
    """More clients than there is room for, each with a photo that takes all of work_bytes: what is refused is told to come back, and the
    peak holds."""
    bodies, replies = 32 * MIB, 96 * MIB
    server = Server(model=light_model, admin_port=0, bodies_bytes=bodies, work_bytes=need, replies_bytes=replies, teams=2, threads=1)
    assert cam(server.client, SMALL, **WISH).status_code == 200
    fixed = server.peak_mib()
    answers = together([lambda: cam(server.new_client(), noise_photo, **WISH).status_code] * 5)
    assert set(answers) <= {200, 429} and 200 in answers, answers
    peak, most = server.peak_mib() - fixed, (bodies + need + replies) / MIB + SLACK_MIB
    assert peak < most, f"{peak:.0f} MiB above {fixed:.0f} at rest; allowed are {most:.0f}"
    server.stop()


@pytest.mark.parametrize("width", [1, 8, 9, 16])
def test_narrow_and_flat_pictures(client, width):
    """JPEGs 1 to 16 pixels wide, or high, are blocks of 8 or 16 all the same: what is set aside for them is enough, whatever their kind."""
    picture = Image.fromarray(pictures.scene(20, 20))
    for sides in ((width, 4000), (4000, width)):
        for options in ({"subsampling": 0}, {"subsampling": 2}, {"subsampling": 2, "progressive": True}):
            file = pictures.jpeg(picture.resize(sides), **options)
            assert cam(client, file, size="original", top_k=1).status_code == 200, (sides, options)
