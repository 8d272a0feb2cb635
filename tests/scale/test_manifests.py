"""docker/kubernetes and the compose files: valid, restricted, and with time enough to leave."""
import json
import pathlib
import re
import subprocess

import kserve
import kubernetes.client
import kubernetes_validate
import pytest
import yaml

from fleet import ROOT

MANIFESTS = ROOT / "docker/kubernetes"
VERSION = "1.34"
TOOLS = ROOT / "downloads/scale/bin"


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def one(path):
    (document,) = documents(MANIFESTS / path)
    return document


BUILT_IN = [p for p in sorted(MANIFESTS.glob("*/*.yaml")) if "k8s.io/" in p.read_text() or re.search(r"^apiVersion: (v1|\w+/v\d+)$", p.read_text(), re.M)]
BUILT_IN = [p for p in BUILT_IN if not re.search(r"^apiVersion: (kustomize|serving|monitoring)", p.read_text(), re.M)]


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda p: p.relative_to(MANIFESTS).as_posix())
def test_kubernetes_takes_it(path):
    for document in documents(path):
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_a_wrong_one_is_found():
    deployment = one("base/deployment.yaml")
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 45
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSION, strict=True)


def test_kustomize_has_every_file():
    for folder in ("base", "prometheus"):
        there = {p.name for p in (MANIFESTS / folder).glob("*.yaml")} - {"kustomization.yaml", "hpa-queue.yaml"}
        assert set(one(f"{folder}/kustomization.yaml")["resources"]) == there


@pytest.mark.skipif(not (TOOLS / "kustomize").exists(), reason="kustomize is built where Go is")
def test_kustomize_and_kubeconform(tmp_path):
    """What is applied, as a whole; the schemas are those of kubernetes-validate, in the form that kubeconform reads."""
    rendered = subprocess.run([TOOLS / "kustomize", "build", MANIFESTS / "base"], capture_output=True, text=True, check=True).stdout
    assert "registry.example/camserve:" in rendered and len(list(yaml.safe_load_all(rendered))) == 8
    source = pathlib.Path(kubernetes_validate.__file__).parent / f"kubernetes-json-schema/v{VERSION}.0-local-strict"
    definitions = json.loads(re.sub(r'"(?:/api/_definitions\.json)?#/\$defs/', '"#/definitions/', (source / "_definitions.json").read_text()))["$defs"]
    for path in source.glob("*.json"):
        schema = json.loads(re.sub(r'"(?:/api/_definitions\.json)?#/\$defs/', '"#/definitions/', path.read_text()))
        schema.pop("$id", None)
        schema["definitions"] = definitions
        if path.stem.split("-")[0] in ("deployment", "service", "serviceaccount", "namespace", "configmap", "poddisruptionbudget", "horizontalpodautoscaler", "networkpolicy"):
            (tmp_path / path.name).write_text(json.dumps(schema))
    result = subprocess.run([TOOLS / "kubeconform", "-strict", "-summary", "-schema-location", f"{tmp_path}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"], input=rendered, capture_output=True, text=True)
    assert result.returncode == 0 and "Valid: 8" in result.stdout, result.stdout + result.stderr


def known(value, kind, where):
    """Fails where an object has a member that the class of the Python client does not: kind is its name there."""
    if match := re.fullmatch(r"list\[(\w+)\]", kind):
        for i, item in enumerate(value):
            known(item, match[1], f"{where}[{i}]")
        return
    model = getattr(kserve, kind, None) or getattr(kubernetes.client, kind, None)
    if model is None or not hasattr(model, "openapi_types"):
        return
    names = {written: name for name, written in model.attribute_map.items()}
    for member, inner in value.items():
        assert member in names, f"{where}: {kind} has no {member}"
        known(inner, model.openapi_types[names[member]], f"{where}.{member}")


def test_kserve_takes_it():
    service = one("kserve/inferenceservice.yaml")
    known(service, "V1beta1InferenceService", "InferenceService")
    service["spec"]["predictor"]["containers"][0]["argument"] = []
    with pytest.raises(AssertionError):
        known(service, "V1beta1InferenceService", "InferenceService")


def pods():
    """The specifications of pods, by file."""
    yield "base/deployment.yaml", one("base/deployment.yaml")["spec"]["template"]["spec"]
    predictor = one("kserve/inferenceservice.yaml")["spec"]["predictor"]
    yield "kserve/inferenceservice.yaml", predictor


@pytest.mark.parametrize("name, pod", list(pods()), ids=lambda x: x if isinstance(x, str) else "")
def test_restricted(name, pod):
    """The profile `restricted` of the Pod Security Standards (https://kubernetes.io/docs/concepts/security/pod-security-standards/), which the namespace enforces."""
    assert not {"hostNetwork", "hostPID", "hostIPC", "volumes", "initContainers", "ephemeralContainers"} & set(pod)
    for container in pod["containers"]:
        own = {**pod.get("securityContext", {}), **container["securityContext"]}
        assert own["allowPrivilegeEscalation"] is False and own["runAsNonRoot"] is True and own.get("runAsUser", 1) != 0
        assert own["capabilities"] == {"drop": ["ALL"]} and own["seccompProfile"] == {"type": "RuntimeDefault"} and not own.get("privileged")
        assert own["readOnlyRootFilesystem"] is True and {"requests", "limits"} == set(container["resources"])
        assert all("hostPort" not in port for port in container["ports"])
    assert one("base/namespace.yaml")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_grace_is_longer_than_the_leave():
    """leave_ms and drain_ms of the image, unless the file says otherwise; nothing sleeps before."""
    image = int(re.search(r"CAMSERVE_LEAVE_MS=(\d+)", (ROOT / "Dockerfile").read_text())[1]) / 1000
    drain = 10
    literals = dict(line.split("=") for line in one("base/kustomization.yaml")["configMapGenerator"][0]["literals"])
    assert int(literals["CAMSERVE_LEAVE_MS"]) / 1000 == image and int(literals["CAMSERVE_DRAIN_MS"]) / 1000 == drain
    for _, pod in pods():
        assert pod["terminationGracePeriodSeconds"] == 45 > image + drain and not any("lifecycle" in c for c in pod["containers"])
    for path in ("docker/compose.yaml", "docker/compose.scale.yaml"):
        (composed,) = documents(ROOT / path)
        ours = [s for s in composed["services"].values() if s["image"] == "camserve"]
        assert ours and all(s["stop_grace_period"] == "30s" for s in ours) and 30 > image + drain


def test_what_is_composed_agrees_with_what_balances_and_scrapes():
    services = yaml.safe_load((ROOT / "docker/compose.scale.yaml").read_text())["services"]
    names = {name for name, service in services.items() if service["image"] == "camserve"}
    assert len(names) == 2
    for path in ("docker/haproxy.cfg", "docker/nginx.conf"):
        assert set(re.findall(r"server (?:\S+ )?(camserve-\d):8080", (ROOT / path).read_text())) == names, path
    scraped = yaml.safe_load((ROOT / "docker/prometheus/prometheus.yml").read_text())["scrape_configs"][0]["static_configs"][0]["targets"]
    assert set(scraped) == {f"{name}:8081" for name in names}


def test_the_operator_has_the_same_rules():
    assert one("prometheus/rules.yaml")["spec"]["groups"] == yaml.safe_load((ROOT / "docker/prometheus/rules.yml").read_text())["groups"]


COMPOSED = ["docker/compose.yaml", "docker/compose.scale.yaml"]


def compose(path):
    """What docker-compose makes of a file; it asks no Docker for that."""
    return subprocess.run(["docker-compose", "-f", ROOT / path, "config"], capture_output=True, text=True)


@pytest.mark.parametrize("path", COMPOSED)
def test_docker_compose_takes_it(path):
    said = compose(path)
    assert said.returncode == 0, said.stderr
    services = yaml.safe_load(said.stdout)["services"].values()
    ours = [service for service in services if service["image"] == "camserve"]
    assert ours and all((pathlib.Path(service["build"]["context"]) / "Dockerfile").samefile(ROOT / "Dockerfile") for service in ours)
    for service in services:
        for volume in service.get("volumes", ()):
            assert pathlib.Path(volume.split(":")[0]).exists(), volume


@pytest.mark.skipif(not (TOOLS / "cmd").exists(), reason="compose-go is built where Go is")
@pytest.mark.parametrize("path", COMPOSED)
def test_compose_go_takes_it(path):
    """The library that today's `docker compose` reads files with."""
    subprocess.run([TOOLS / "cmd", ROOT / path], check=True, stdout=subprocess.DEVNULL)


def test_a_wrong_word_is_found(tmp_path):
    """By whichever of them there is."""
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((ROOT / COMPOSED[0]).read_text().replace("stop_grace_period", "stop_grace_perod"))
    said = compose(wrong)
    assert said.returncode and "stop_grace_perod" in said.stderr
    if (TOOLS / "cmd").exists():
        assert subprocess.run([TOOLS / "cmd", wrong], capture_output=True).returncode
