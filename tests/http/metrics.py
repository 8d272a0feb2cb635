"""Prometheus text, read strictly."""
import re

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (\S+)')


def parse(text):
    """{(name, frozenset of labels): value}; fails on anything that is not the text format 0.0.4."""
    samples = {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.match(r"# (HELP|TYPE) [\w:]+ .+", line), line
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        labels = frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or ""))
        assert (found[1], labels) not in samples, "twice: " + line
        samples[found[1], labels] = float(found[3])
    return samples


def metric(client, name, **labels):
    """One sample; 0 where it is not there."""
    return parse(client.get("/metrics").text).get((name, frozenset(labels.items())), 0)


def total(client, name):
    """Sum over all labels."""
    return sum(v for (n, _), v in parse(client.get("/metrics").text).items() if n == name)
