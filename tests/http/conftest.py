"""Fixtures of the black-box tests. CAMSERVE_BINARY chooses the program under test (default build/camserve).
Two marks choose what also runs against the sanitized builds (tests/run): `hostile` (input that means harm) against build/address, `concurrent` (many
clients, the end of the process) against build/address and build/thread."""
import pathlib
import signal

import numpy
import pytest

import pictures
import small_model
from server import MODEL, ROOT, SANITIZED, Server, run


def pytest_configure(config):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell runs in the background ignores it, and so would what is run here
    config.addinivalue_line("markers", "hostile: runs against the address build, too")
    config.addinivalue_line("markers", "concurrent: runs against the address and thread builds, too")


@pytest.fixture(scope="session")
def light_model(request):
    """The default model, but the lightest one where a sanitizer makes each multiplication dear."""
    return request.getfixturevalue("light_file") if SANITIZED else MODEL


@pytest.fixture(scope="session")
def server(light_model):
    """The default model with default settings, but for a deadline that no busy machine misses. Its end is checked: exit code 0, clean log, no 500 among its answers."""
    it = Server(model=light_model)
    yield it
    metrics = it.client.get("/metrics").text
    assert 'status="500"' not in metrics
    it.stop()


@pytest.fixture(scope="session")
def client(server):
    return server.client


@pytest.fixture
def start(light_model):
    """start(queue=1, ...) -> a Server of its own; stopped and checked at the end of the test unless it has already left."""
    servers = []

    def begin(**settings):
        servers.append(Server(**{"model": light_model, **settings}))
        return servers[-1]
    yield begin
    for it in servers:
        if it.process.poll() is None:
            it.stop()


@pytest.fixture(scope="session")
def photos():
    """Real photos by name, as files: chelsea (a cat, 451x300) and coffee (600x400), CC0."""
    return {p.stem: p.read_bytes() for p in (ROOT / "downloads/photos").glob("*.png")}


@pytest.fixture(scope="session")
def chelsea(photos):
    return photos["chelsea"]


@pytest.fixture(scope="session")
def scene():
    """A made picture with structure everywhere, 300x200, as an array; scene_png is its file."""
    return pictures.scene(300, 200)


@pytest.fixture(scope="session")
def scene_png(scene):
    return pictures.png(scene)


@pytest.fixture(scope="session")
def small_weights():
    """Weights of the small vgg16-cam-like network (see small_model.py)."""
    return small_model.make_weights(numpy.random.default_rng(16))


@pytest.fixture(scope="session")
def small_file(tmp_path_factory, small_weights):
    """That network as `camserve convert` makes it from an .npy laid out like vgg16CAM.npy."""
    return small_model.convert(pathlib.Path(tmp_path_factory.mktemp("small")), small_weights)


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory):
    """A model of three classes, where the light one has a thousand."""
    out, source = tmp_path_factory.mktemp("tiny") / "tiny.safetensors", ROOT / "tests/fixtures/convert"
    result = run("convert", source / "stored.pth", "--arch", source / "torch.json", "-o", out)
    assert result.returncode == 0, result.stderr
    return out


@pytest.fixture(scope="session")
def light_file(tmp_path_factory, small_weights):
    """The same with a small input: a fifth of the work."""
    return small_model.convert(pathlib.Path(tmp_path_factory.mktemp("light")), small_weights, side=96)


@pytest.fixture(scope="session")
def light_client(request):
    """For what has to do with photos and pictures, and not with the network."""
    if SANITIZED:
        yield request.getfixturevalue("client")
        return
    it = Server(model=request.getfixturevalue("light_file"))
    yield it.client
    it.stop()


@pytest.fixture(scope="session")
def small_server(small_file):
    it = Server(model=small_file)
    yield it
    it.stop()
