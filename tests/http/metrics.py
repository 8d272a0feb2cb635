"""Prometheus text, read strictly: https://prometheus.io/docs/instrumenting/exposition_formats/ and what `promtool check metrics` asks beyond it."""
import re
import time

from server import PATIENCE

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf'({NAME})(?:\{{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*)\}})? (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)')


def parse(text):
    """{(name, frozenset of labels): value}; fails on anything that is not the text format 0.0.4."""
    samples, types, helped, family = {}, {}, set(), None
    assert text.endswith("\n")
    for line in text.splitlines():
        comment = re.fullmatch(rf"# (HELP|TYPE) ({NAME}) (.+)", line)
        if comment and comment[1] == "HELP":
            assert comment[2] not in helped, "two helps: " + line
            helped.add(comment[2])
            family = comment[2]
            continue
        if comment:
            assert comment[2] == family and family not in types, "a type without its help, or a second: " + line
            assert comment[3] in ("counter", "gauge", "histogram"), line
            types[family] = comment[3]
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        base = re.sub("_(bucket|sum|count)$", "", found[1]) if types.get(family) == "histogram" else found[1]
        assert base == family and family in types, "not in its family's group: " + line
        labels = frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or ""))
        assert (found[1], labels) not in samples, "twice: " + line
        samples[found[1], labels] = float(found[3])
    lint(types, samples)
    return samples


def lint(types, samples):
    """promtool's rules that can be broken here: names of counters, no unit but a base unit, whole histograms."""
    for name, kind in types.items():
        assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
        assert not re.search("_(milliseconds|ms|minutes|kilobytes|megabytes|mib)(_|$)", name), name
    for (name, labels), value in samples.items():
        assert value >= 0, (name, labels)
        family = name[:-len("_count")]
        if not name.endswith("_count") or types.get(family) != "histogram":
            continue
        buckets = sorted((float(le), v) for (n, ls), v in samples.items() if n == family + "_bucket" and labels < ls
                         for key, le in ls if key == "le")
        counts = [v for _, v in buckets]
        assert counts == sorted(counts) and buckets[-1] == (float("inf"), value) and (family + "_sum", labels) in samples, name


def read(client):
    return parse(client.get("/metrics").text)


def value(samples, name, **labels):
    """The sample with these labels, or the sum of those that differ by model alone; 0 where there is none."""
    return sum(v for (n, pairs), v in samples.items() if n == name and {k: w for k, w in pairs if k != "model" or k in labels} == labels)


def metric(client, name, **labels):
    return value(read(client), name, **labels)


def total(client, name):
    """Sum over all labels."""
    return sum_of(read(client), name)


def sum_of(samples, name):
    return sum(v for (n, _), v in samples.items() if n == name)


def ledger(samples):
    """How requests ended, by name or reason, without what is zero; checks that the sums agree as far as they must at any moment."""
    ends = {dict(labels)["reason"]: int(v) for (name, labels), v in samples.items() if name in ("camserve_refused_total", "camserve_abandoned_total")}
    ends["answered"] = int(samples["camserve_requests_answered_total", frozenset()])
    received, still_open = (samples[f"camserve_requests_{name}", frozenset()] for name in ("received_total", "open"))
    assert received == sum(ends.values()) + still_open, (received, ends, still_open)
    return {k: v for k, v in ends.items() if v}


def settled(server):
    """The ledger once nothing is going on; asked at the admin port, whose own requests do not count. All that was received has ended, and each end has
    a route and a status."""
    end = time.monotonic() + PATIENCE
    while True:
        samples = read(server.admin)
        if not samples["camserve_requests_open", frozenset()] and not samples["camserve_queue_jobs", frozenset()]:
            break
        assert time.monotonic() < end, "requests that never end"
        time.sleep(0.02)
    assert sum_of(samples, "camserve_requests_total") == samples["camserve_requests_received_total", frozenset()]
    return ledger(samples)
