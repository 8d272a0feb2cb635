"""GET /metrics: Prometheus text that parses, has the names of the contract, and adds up."""
import json
import re
import time

import pytest

import pictures
from client import cam, explain
from metrics import parse, value
from server import ROOT

NAMES = {"camserve_requests_received_total": "counter", "camserve_requests_answered_total": "counter", "camserve_requests_open": "gauge",
         "camserve_abandoned_total": "counter", "camserve_connections_total": "counter", "camserve_connections_open": "gauge",
         "camserve_connections_refused_total": "counter", "process_virtual_memory_bytes": "gauge", "process_max_fds": "gauge",
         "process_cpu_seconds_total": "counter", "process_start_time_seconds": "gauge", "camserve_requests_total": "counter", "camserve_refused_total": "counter", "camserve_stage_seconds": "histogram",
         "camserve_queue_jobs": "gauge", "camserve_workers_busy": "gauge",
         "camserve_request_bytes_total": "counter", "camserve_response_bytes_total": "counter", "camserve_build_info": "gauge",
         "camserve_model_info": "gauge",
         "process_resident_memory_bytes": "gauge", "process_open_fds": "gauge"}
STAGES = {"queue", "decode", "resize", "forward", "cam", "render", "total"}


@pytest.fixture
def sample(client):
    return lambda: parse(client.get("/metrics").text)


def test_names_and_types(client):
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    types = dict(re.findall(r"# TYPE (\S+) (\S+)", response.text))
    explained = re.findall(r"# HELP (\S+)", response.text)
    for name, kind in NAMES.items():
        assert types.get(name) == kind, name
        assert explained.count(name) == 1


def test_requests_are_counted_by_route_and_status(client, scene_png, sample):
    before = sample()
    for _ in range(3):
        explain(client, scene_png)
    cam(client, b"no photo")
    cam(client, scene_png, top_k=0)
    client.get("/nothing/1"), client.get("/nothing/2")
    client.get("/labels")
    after = sample()

    def grown(**labels):
        return value(after, "camserve_requests_total", **labels) - value(before, "camserve_requests_total", **labels)
    assert grown(route="/cam", status="200") == grown(route="/cam", status="200", model="efficientnet-lite0") == 3
    assert grown(route="/cam", status="415") == 1 and grown(route="/cam", status="400") == 1
    assert grown(route="/labels", status="200") == 1
    assert sum(v for (n, labels), v in after.items() if n == "camserve_requests_total" and ("status", "404") in labels) \
        - sum(v for (n, labels), v in before.items() if n == "camserve_requests_total" and ("status", "404") in labels) == 2
    assert not any("nothing" in v for _, labels in after for _, v in labels), "a caller must not make new time series"


def test_bytes_are_counted(client, scene_png, sample):
    before = sample()
    size = len(cam(client, scene_png).content)
    after = sample()
    assert value(after, "camserve_request_bytes_total") - value(before, "camserve_request_bytes_total") >= len(scene_png)
    assert value(after, "camserve_response_bytes_total") - value(before, "camserve_response_bytes_total") >= size


def test_stage_histograms(client, scene_png, sample):
    before = sample()
    for _ in range(4):
        explain(client, scene_png)
    after = sample()
    stages = {dict(labels)["stage"] for name, labels in after if name == "camserve_stage_seconds_count"}
    assert {"decode", "resize", "forward", "cam", "render"} <= stages <= STAGES
    for stage in stages:
        count = value(after, "camserve_stage_seconds_count", stage=stage)
        assert count - value(before, "camserve_stage_seconds_count", stage=stage) == 4
        sums = [value(samples, "camserve_stage_seconds_sum", stage=stage) for samples in (before, after)]
        assert sums[1] > sums[0] or stage in ("queue", "cam")
        mine = [(dict(labels), v) for (name, labels), v in after.items() if name == "camserve_stage_seconds_bucket"]
        buckets = sorted((float(labels["le"]), v) for labels, v in mine if labels["stage"] == stage)
        assert buckets[-1] == (float("inf"), count)
        assert [v for _, v in buckets] == sorted(v for _, v in buckets)


def test_gauges(server, sample):
    samples = sample()
    assert abs(value(samples, "process_resident_memory_bytes") / 2**20 - server.resident_mib()) < 32
    assert abs(value(samples, "process_open_fds") - server.descriptors()) <= 4
    assert value(samples, "camserve_queue_jobs") == 0 and value(samples, "camserve_workers_busy") == 0
    for name in ("camserve_build_info", "camserve_model_info"):
        ((labels, v),) = [(dict(labels), v) for (n, labels), v in samples.items() if n == name]
        assert v == 1 and (name != "camserve_model_info" or labels["precision"] == "float32")


def test_process(client, sample):
    """The names and units of Prometheus's own client libraries: processor time grows with work, the start lies behind us."""
    before = sample()
    explain(client, pictures.png(pictures.smooth(600, 400)))
    after = sample()
    assert value(after, "process_cpu_seconds_total") > value(before, "process_cpu_seconds_total") > 0
    assert time.time() - 86400 < value(after, "process_start_time_seconds") < time.time()
    assert value(after, "process_max_fds") >= value(after, "process_open_fds") > 0
    assert value(after, "process_virtual_memory_bytes") > value(after, "process_resident_memory_bytes")


def test_dashboard_asks_for_what_there_is(client, scene_png, sample):
    """Each metric and each label that the Grafana dashboard names is in /metrics, and each metric is on it; histogram_quantile gets buckets."""
    explain(client, scene_png)
    there = sample()
    labels = {name: {key for n, pairs in there if n == name for key, _ in pairs} for name, _ in there}
    dashboard = json.loads((ROOT / "docker/grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    named = set()
    for expression in asked:
        mine = re.findall(r"((?:camserve|process)_\w+)(?:\{([^}]*)\})?", expression)
        for name, selector in mine:
            assert name in labels, f"{name} is not in /metrics: {expression}"
            assert set(re.findall(r"(\w+)=", selector)) <= labels[name] | {"job", "instance"}, expression
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        assert grouped <= set.union(*(labels[name] for name, _ in mine)), expression
        assert "histogram_quantile" not in expression or "_bucket{" in expression and "le" in grouped, expression
        named |= {name.removesuffix("_bucket") for name, _ in mine}
    assert named == set(re.findall(r"# TYPE (\S+)", client.get("/metrics").text))


def test_refusals_have_reasons(start):
    server = start(max_body_bytes=5000)
    before = parse(server.client.get("/metrics").text)
    cam(server.client, bytes(6000))
    cam(server.client, pictures.png(pictures.smooth(9, 9)))
    after = parse(server.client.get("/metrics").text)
    reasons = {dict(labels)["reason"] for (n, labels), v in after.items() if n == "camserve_refused_total" and v > before.get((n, labels), 0)}
    assert reasons == {"too_large"}
