"""Several models in one process: which one answers, what is told of each, and SIGHUP, which reads them again one by one while requests go on."""
import base64
import itertools
import json
import os
import signal
import threading
import time

import httpx
import pytest

import pictures
import small_model
from client import cam, kserve_error, problem, same
from metrics import metric, read, value
from server import PATIENCE, SANITIZED, run
from test_process import until

NAMES = ("one", "two", "three")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Three files whose names' order is not that of NAMES, by the name of the model in them; and "other": a second model "two"."""
    folder = tmp_path_factory.mktemp("three")
    files = {name: small_model.named(folder, name, seed).read_bytes() for seed, name in enumerate(NAMES)}
    return {**files, "other": small_model.named(folder, "two", 9).read_bytes()}


@pytest.fixture
def paths(tmp_path, made):
    """Each model's file, in a folder of their own."""
    folder = tmp_path / "models"
    folder.mkdir()
    files = {name: folder / f"{at}-{name}.safetensors" for at, name in enumerate(NAMES)}
    for name, path in files.items():
        path.write_bytes(made[name])
    return files


def put(path, data):
    """A whole new file under an old name, as one should."""
    path.with_suffix(".new").write_bytes(data)
    os.replace(path.with_suffix(".new"), path)


def reloads(server):
    return [metric(server.client, "camserve_reloads_total", file="model", result=result) for result in ("done", "failed")]


def reload(server, done, failed=0):
    """One SIGHUP and its end: so many files were taken, so many not."""
    before = reloads(server)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: sum(reloads(server)) == sum(before) + done + failed, "the reload never ended")
    assert reloads(server) == [before[0] + done, before[1] + failed]


def served(server):
    return server.client.get("/v1/models").json()["models"]


@pytest.fixture(scope="module")
def photo():
    return pictures.png(pictures.scene(60, 40))


@pytest.fixture
def three(start, paths):
    return start(model=",".join(map(str, paths.values())))


# ---- which one answers ----
def test_the_model_may_be_named_anywhere(three, photo):
    """In the query, as a field before or behind the photo, as a JSON member; the first answers where none is."""
    for name in NAMES:
        encoded = base64.b64encode(photo).decode()
        answers = [cam(three.client, photo, model=name), three.client.post("/cam", files=[("model", (None, name)), ("image", photo)]),
                   three.client.post("/cam", files=[("image", photo), ("model", (None, name))]),
                   three.client.post("/cam", json={"model": name, "image": encoded}), three.client.post("/cam", json={"image": encoded, "model": name})]
        assert {r.status_code for r in answers} == {200} and {r.json()["model"] for r in answers} == {name}
        assert all(p["label"].startswith(name + " ") for r in answers for p in r.json()["predictions"])
        assert all(same(r.json()) == same(answers[0].json()) for r in answers)
    assert cam(three.client, photo).json()["model"] == "one"
    assert cam(three.client, photo, model="two", accept="image/png").headers["x-cam-label"].startswith("two ")


@pytest.mark.hostile
def test_classes_are_those_of_the_model_that_is_asked(start, paths, tiny_file, photo):
    """Also where they come before the model, or in the query while the model is in the body."""
    server = start(model=f"{tiny_file},{paths['one']}")
    assert "999" in problem(cam(server.client, photo, classes="999"), 400)["detail"], "the first has three classes"
    for response in (cam(server.client, photo, classes="999", model="one"), server.client.post("/cam?classes=999", files=[("image", photo), ("model", (None, "one"))]),
                     server.client.post("/cam", files=[("classes", (None, "999")), ("image", photo), ("model", (None, "one"))])):
        assert [p["class_id"] for p in response.json()["predictions"]][-1] == 999


@pytest.mark.hostile
@pytest.mark.parametrize("name", ["four", "One", "", "one ", "one,two", "../one", "x" * 64, "x" * 65, "x" * 5000, "\u00fc"])
def test_a_model_that_is_not_served(three, photo, name):
    encoded = base64.b64encode(photo).decode()
    for response in (cam(three.client, photo, model=name), three.client.post("/cam", files=[("image", photo), ("model", (None, name))]),
                     three.client.post("/cam", json={"image": encoded, "model": name})):
        assert problem(response, 400)["detail"].startswith("model: ")
    if 0 < len(name) <= 64:
        assert "one, two, three" in problem(cam(three.client, photo, model=name), 400)["detail"]


def test_given_twice(three, photo):
    assert "given twice" in problem(three.client.post("/cam?model=one", files=[("image", photo), ("model", (None, "one"))]), 400)["detail"]
    assert "given twice" in problem(three.client.post("/cam?model=one&model=two", content=photo), 400)["detail"]


def test_each_answers_as_if_it_were_alone(start, paths, three, photo):
    for name in NAMES:
        alone = start(model=paths[name])
        for wish in ({}, {"classes": "2,999"}, {"size": "input", "include": "overlay,heatmap,map"}):
            assert same(cam(three.client, photo, model=name, **wish).json()) == same(cam(alone.client, photo, **wish).json())
        alone.stop()


@pytest.mark.concurrent
def test_many_at_once_of_all_models(start, paths, photo):
    """More than the threads, so that each thread serves its own, of one model after another."""
    server = start(model=paths["one"].parent, teams=2, threads=2, queue=200)
    expected = {name: same(cam(server.client, photo, model=name).json()) for name in NAMES}
    wrong = []

    def ask(name):
        client = server.new_client()
        for _ in range(2 if SANITIZED else 6):
            response = cam(client, photo, model=name)
            if response.status_code != 200 or same(response.json()) != expected[name]:
                wrong.append((name, response.status_code, response.text[:300]))
        client.close()
    threads = [threading.Thread(target=ask, args=(name,)) for name in NAMES * 6]
    for t in threads:
        t.start()
    for t in threads:
        t.join(PATIENCE)
    assert not wrong, wrong[:3]


# ---- what is told of them ----
def test_models(three):
    assert served(three) == list(NAMES)
    for name in NAMES:
        model = three.client.get(f"/v1/models/{name}").json()
        assert model["name"] == name and model["ready"] is True and model["classes"] == 1000
        assert (model["method"], model["precision"], model["input"]) == ("cam", "float32", {"width": 96, "height": 96, "resize": "stretch"})
    for name in ("four", "", "One", "one/", "one%2f", "x" * 60, "x" * 5000):
        kserve_error(three.client.get(f"/v1/models/{name}"), 404)


def test_a_model_is_not_ready_when_the_service_leaves(start, paths, photo):
    """It serves all the same, and says which there are."""
    server = start(model=paths["one"].parent, leave_ms=PATIENCE * 1000)
    server.process.send_signal(signal.SIGTERM)
    until(lambda: server.client.get("/readyz").status_code == 503, "it never leaves")
    kserve_error(server.client.get("/v1/models/two"), 503, words="leaving")
    assert served(server) == list(NAMES) and cam(server.client, photo, model="two").json()["model"] == "two"
    server.kill()


def test_labels_and_version(three):
    assert three.client.get("/labels").json()[7]["label"] == "one 7"
    assert three.client.get("/labels?model=three").json()[7]["label"] == "three 7"
    assert "one, two, three" in problem(three.client.get("/labels?model=four"), 400)["detail"]
    version = three.client.get("/version").json()
    assert version["model"] == version["models"][0] and [m["name"] for m in version["models"]] == list(NAMES)
    for model in version["models"]:
        about = three.client.get("/v1/models/" + model["name"]).json()
        assert model == {key: about[key] for key in ("name", "sha256", "precision")}


@pytest.mark.parametrize("query, named", [("model=three&other=1", "other: no such parameter; allowed is model"), ("top_k=1", "top_k"), ("Model=three", "Model"), ("model=three&model=one", "twice"),
                                          ("model=", "model: 0 characters"), ("model", "model: 0 characters"), ("model=" + "x" * 65, "65"),
                                          ("&".join(["model=one"] * 25), "model")])
def test_labels_take_a_model_and_nothing_else(three, query, named):
    """As /cam does: what is not understood is said, not answered with the first model."""
    assert named in problem(three.client.get("/labels?" + query), 400)["detail"]


def test_metrics_and_log(three, photo):
    """Requests and stages are counted by model, where one was found; whatever is asked for makes no series. The log's line names it."""
    before = read(three.client)
    ids = {name: cam(three.client, photo, model=name).json()["request_id"] for name in ("two", "three", "three")}
    problem(cam(three.client, photo, model="four"), 400)
    problem(three.client.post("/cam", files=[("image", photo), ("model", (None, "five"))]), 400)
    problem(cam(three.client, photo, model="two", classes="5000"), 400)
    after = read(three.client)

    def grown(name, **labels):
        return value(after, name, **labels) - value(before, name, **labels)
    assert [grown("camserve_requests_total", route="/cam", status="200", model=m) for m in NAMES] == [0, 1, 1 + 1]
    assert [grown("camserve_stage_seconds_count", stage="forward", model=m) for m in NAMES] == [0, 1, 2]
    assert grown("camserve_requests_total", route="/cam", status="400", model="two") == 1
    assert grown("camserve_requests_total", route="/cam", status="400") == 3
    assert {dict(labels).get("model") for (name, labels) in after if name.startswith("camserve")} == {None, *NAMES}
    assert {dict(labels)["name"] for (name, labels) in after if name == "camserve_model_info"} == set(NAMES)
    entries = {entry.get("request_id"): entry for entry in map(json.loads, (line for line in three.log().splitlines() if line.startswith("{")))}
    assert {name: entries[i]["model"] for name, i in ids.items()} == {name: name for name in ids}
    assert not any(entry.get("model") in ("four", "five") for entry in entries.values())


# ---- which files ----
def test_folder_by_file_name(start, paths, made):
    """Not what is hidden, and nothing else."""
    folder = paths["one"].parent
    (folder / ".hidden.safetensors").write_bytes(b"no model")
    (folder / "notes.txt").write_bytes(b"no model")
    assert served(start(model=folder)) == list(NAMES)


def test_folder_begins_with_the_shorter_of_two_names(start, tmp_path):
    """'-' and '.' in names: NET answers by default, not NET-int8."""
    for seed, name in enumerate(("net", "net-int8", "net.old")):
        small_model.named(tmp_path, name, seed)
    assert served(start(model=tmp_path)) == ["net", "net-int8", "net.old"]


def test_commands_take_one(tmp_path, paths):
    """However several are named: in a file, with commas, as a folder, as flags."""
    file = tmp_path / "camserve.ini"
    file.write_text("".join(f"model = {path}\n" for path in paths.values()))
    for command in (("explain", "x.png"), ("info",), ("bench",)):
        for result in (run(*command, "--config", file, model=""), run(*command, "--model", f"{paths['one']},{paths['two']}"), run(*command, model=paths["one"].parent)):
            assert result.returncode == 2 and b"this command takes one" in result.stderr, (command, result.stderr)
        result = run(*command, "--model", paths["one"], "--model", paths["two"])
        assert result.returncode == 2 and b"given twice" in result.stderr


@pytest.mark.hostile
def test_start_needs_all_of_them(paths, made, tmp_path):
    """Broken, missing, twice the same name, or none: exit code 1, and the file is named."""
    folder, port = paths["one"].parent, 0

    def refused(*says, model):
        result = run("serve", port=port, model=model)
        assert result.returncode in (1, 2) and not b"curl" in result.stdout, result
        for said in says:
            assert said in result.stderr.decode(), result.stderr
    (folder / "3.safetensors").write_bytes(made["three"][:-4])
    refused("3.safetensors", model=folder)
    (folder / "3.safetensors").write_bytes(made["other"])
    refused('"two"', "1-two.safetensors", "3.safetensors", model=folder)
    refused("nothing.safetensors", model=f"{paths['one']},{tmp_path}/nothing.safetensors")
    refused("given twice", model=f"{paths['one']},{paths['one']}")
    (tmp_path / "empty").mkdir()
    refused("empty", model=tmp_path / "empty")
    for i in range(33):
        (tmp_path / "empty" / f"{i}.safetensors").write_bytes(b"")
    refused("at most 32", model=tmp_path / "empty")


# ---- SIGHUP ----
@pytest.mark.concurrent
def test_reloaded_one_by_one_under_load(start, paths, made, photo):
    """Clients ask each model without a pause, in the query and in the body, while all are read again and again: each answer is its own model's, and of "two" the
    one or the other file's."""
    server = start(model=paths["one"].parent, teams=2, threads=2)
    wishes = [{}, {"classes": "2,999", "include": "map"}]
    expected = {}
    for file in ("other", "two"):
        put(paths["two"], made[file])
        reload(server, 3)
        for name in NAMES:
            expected.setdefault(name, [set() for _ in wishes])
            for i, wish in enumerate(wishes):
                expected[name][i].add(json.dumps(same(cam(server.client, photo, model=name, **wish).json()), sort_keys=True))
    assert [len(answers) for name in NAMES for answers in expected[name]] == [1, 1, 2, 2, 1, 1]
    wrong, asked, stop = [], dict.fromkeys(NAMES, 0), threading.Event()

    def stream(client, name):
        for i in itertools.cycle(range(2 * len(wishes))):
            if stop.is_set():
                return
            try:
                wish = wishes[i // 2]
                response = cam(client, photo, model=name, **wish) if i % 2 else client.post("/cam", files=[("image", photo), ("model", (None, name))], params=wish)
            except httpx.TransportError as error:
                return wrong.append(repr(error))
            asked[name] += 1
            if response.status_code != 200 or json.dumps(same(response.json()), sort_keys=True) not in expected[name][i // 2]:
                wrong.append((name, i, response.status_code, response.text[:300]))
    clients = [(server.new_client(), name) for name in NAMES * 2]
    threads = [threading.Thread(target=stream, args=arguments) for arguments in clients]
    for t in threads:
        t.start()
    for file in ("other", "two") * (1 if SANITIZED else 4):
        put(paths["two"], made[file])
        reload(server, 3)
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join(PATIENCE)
    for client, _ in clients:
        client.close()
    assert not wrong, wrong[:3]
    assert min(asked.values()) > 0


@pytest.mark.concurrent
def test_what_cannot_be_read_again_stays(start, paths, made, photo):
    """The others are exchanged all the same."""
    server = start(model=paths["one"].parent, teams=1)
    before = same(cam(server.client, photo, model="three").json()), same(cam(server.client, photo, model="two").json())
    put(paths["three"], made["three"][:-4])
    put(paths["two"], made["other"])
    reload(server, 2, 1)
    assert same(cam(server.client, photo, model="three").json()) == before[0] and same(cam(server.client, photo, model="two").json()) != before[1]
    assert served(server) == list(NAMES) and server.client.get("/readyz").status_code == 200
    assert paths["three"].name in server.log()


@pytest.mark.concurrent
def test_folder_is_read_again(start, paths, made, photo):
    """New files are served, those of files that are gone no more, the order is that of the names; a model whose file was renamed is never missed."""
    folder = paths["one"].parent
    server = start(model=folder, teams=1)
    expected = {name: same(cam(server.client, photo, model=name).json()) for name in NAMES}
    paths["one"].unlink()
    paths["three"].rename(folder / "0-three.safetensors")
    stop, wrong = threading.Event(), []

    def ask(client):
        while not stop.is_set():
            if same(cam(client, photo, model="three").json()) != expected["three"]:
                wrong.append("three")
    client = server.new_client()
    thread = threading.Thread(target=ask, args=(client,))
    thread.start()
    reload(server, 2)
    until(lambda: served(server) == ["three", "two"], "one is gone, three is the first")
    stop.set()
    thread.join(PATIENCE)
    client.close()
    assert not wrong and cam(server.client, photo).json()["model"] == "three"
    assert "two, " not in problem(cam(server.client, photo, model="one"), 400)["detail"]
    (folder / "9.safetensors").write_bytes(made["one"])
    (folder / "5.safetensors").write_bytes(made["other"])  # a second "two"
    (folder / "6.safetensors").write_bytes(b"no model")
    reload(server, 3, 2)
    until(lambda: served(server) == ["three", "two", "one"], "the new one is the last")
    assert {name: same(cam(server.client, photo, model=name).json()) for name in NAMES} == expected
    log = server.log()
    assert "1-two.safetensors and " in log and "5.safetensors" in log and "6.safetensors" in log and "one is served no more" in log


@pytest.mark.concurrent
def test_nothing_is_served_less_than_before(start, paths, photo):
    """A folder that is empty, or gone, leaves what there is."""
    folder = paths["one"].parent
    server = start(model=folder, teams=1)
    for path in paths.values():
        path.unlink()
    reload(server, 0, 1)
    folder.rmdir()
    reload(server, 0, 1)
    assert served(server) == list(NAMES) and cam(server.client, photo, model="two").status_code == 200


@pytest.mark.concurrent
def test_the_given_name_goes_to_a_new_first_file(start, paths, made, photo):
    """At one SIGHUP, and it is never missed; a first file that is no model leaves it where it is."""
    folder = paths["one"].parent
    server = start(model=folder, model_name="vision", teams=1)
    by_own_name = same(cam(server.client, photo, model="two").json())
    stop, missed = threading.Event(), []

    def ask(client):
        while not stop.is_set():
            if cam(client, photo, model="vision").status_code != 200:
                missed.append("vision")
    client = server.new_client()
    thread = threading.Thread(target=ask, args=(client,))
    thread.start()
    first = folder / "+first.safetensors"
    first.write_bytes(b"no model")
    reload(server, 3, 1)
    assert served(server) == ["vision", "two", "three"]
    put(first, made["other"])
    reload(server, 4)
    until(lambda: served(server) == ["vision", "one", "two", "three"], "the file of before has its own name, behind the new one")
    assert cam(server.client, photo).json()["model"] == "vision"
    put(first, b"no model")
    reload(server, 3, 1)
    assert served(server) == ["vision", "one", "two", "three"]
    first.unlink()
    reload(server, 3)
    until(lambda: served(server) == ["vision", "two", "three"], "it goes back")
    stop.set()
    thread.join(PATIENCE)
    client.close()
    assert not missed and same(cam(server.client, photo, model="two").json()) == by_own_name


def test_names_that_change_places(start, paths, made, photo):
    """Two files with each other's models: refused, since each name is another file's when it comes; both go on as they are."""
    server = start(model=paths["one"].parent, teams=1)
    put(paths["one"], made["two"])
    put(paths["two"], made["one"])
    reload(server, 1, 2)
    assert served(server) == list(NAMES) and cam(server.client, photo).json()["model"] == "one"


def test_memory_returns_after_reloads(start, paths, photo):
    """One model is there twice for a moment, not all."""
    server = start(model=paths["one"].parent, teams=1)
    for i in range(12):
        reload(server, 3)
        assert cam(server.client, photo, model="two").status_code == 200
        if i == 3:
            base = server.resident_mib(), server.descriptors(), server.threads()
    until(lambda: server.threads() <= base[2], "the old models' threads end")
    assert server.resident_mib() <= base[0] + 6 and server.descriptors() <= base[1]


@pytest.mark.concurrent
def test_end_during_a_reload(start, paths, photo):
    """Between any two of them."""
    for delay in (0.05, 0.3) if SANITIZED else (0, 0.003, 0.01, 0.02, 0.04, 0.08):
        server = start(model=paths["one"].parent, teams=1)
        server.process.send_signal(signal.SIGHUP)
        time.sleep(delay)
        server.stop()
