"""What Prometheus' own tool says of the rules, of what /metrics answers, and of the configuration; each alert fires in tests/scale/rules_test.yml."""
import pathlib
import re
import subprocess

import httpx
import yaml

from fleet import ROOT, Load, Server

HERE = pathlib.Path(__file__).resolve().parent
RULES = ROOT / "docker/prometheus/rules.yml"


def promtool(*arguments, **more):
    result = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, **more)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_the_configuration_and_the_rules():
    promtool("check", "config", ROOT / "docker/prometheus/prometheus.yml")
    promtool("check", "rules", RULES)


def test_each_alert_fires_and_is_quiet():
    promtool("test", "rules", HERE / "rules_test.yml")
    tests = yaml.safe_load((HERE / "rules_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", ())]
    for name in {rule["alert"] for rule in rules() if "alert" in rule}:
        said = [bool(case.get("exp_alerts")) for case in cases if case["alertname"] == name]
        assert True in said and False in said, f"{name}: no test in which it fires, or none in which it is quiet"


def test_each_alert_says_what_to_do():
    page = (ROOT / "docs/operations.md").read_text()
    assert not [rule["alert"] for rule in rules() if "alert" in rule and f"`{rule['alert']}`" not in page]


def test_the_metrics_and_what_the_rules_ask_for(model, tmp_path):
    server = Server(tmp_path, model)
    try:
        with Load(f"http://127.0.0.1:{server.port}", clients=2):
            text = httpx.get(f"http://127.0.0.1:{server.admin_port}/metrics", trust_env=False).text
        promtool("check", "metrics", input=text)
        page = (ROOT / "docs/operations.md").read_text()
        assert not [name for name in re.findall(r"^# TYPE (\S+)", text, re.M) if f"`{name}`" not in page], "docs/operations.md has every metric"
        there = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[0] != "#"}
        asked = {word for rule in rules() for word in re.findall(r"\bcamserve_\w+", rule["expr"])}
        assert asked and asked <= there, asked - there
    finally:
        server.end()
