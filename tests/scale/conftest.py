"""camserve under what people run: balancers, Kubernetes, Prometheus, KServe. `make test-scale` installs the real programs and calls this; at the end it says
how many requests each test has seen."""
import numpy
import pytest

from fleet import ROOT
import small_model

COUNTS = []


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The lightest network: what is tested is not its speed."""
    return small_model.convert(tmp_path_factory.mktemp("model"), small_model.make_weights(numpy.random.default_rng(16)), side=96)


@pytest.fixture
def counted(request):
    """Notes what a load has seen."""
    def note(load):
        COUNTS.append((request.node.name, load.answered(), load.lost()))
        return load.lost()
    return note


def pytest_terminal_summary(terminalreporter):
    for name, answered, lost in COUNTS:
        terminalreporter.write_line(f"{name}: {answered} answered, {sum(lost.values())} lost {lost or ''}")
