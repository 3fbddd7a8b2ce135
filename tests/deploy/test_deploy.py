"""The files in docs/deploy, checked by the tools that read them: `make deploy-check`.

`HELM` is the command, `CRDS` a folder for each Go module with schemas of custom resources.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "docs/deploy"
CHART = DEPLOY / "chart"
VALUES = [*sorted((Path(__file__).parent / "values").glob("*.yaml")), DEPLOY / "kubernetes-values.yaml"]
TLS = Path(__file__).parent / "values/tls.yaml"
EVERYTHING = Path(__file__).parent / "values/everything.yaml"
KUBERNETES = ["1.29", "1.37"]
# Read here, as the environment of a test has none of them.
HELM, CRDS, REWRITE = (os.environ.get(name, "") for name in ("HELM", "CRDS", "ADAPTER_HOST_REWRITE"))

needs_helm = pytest.mark.skipif(not HELM, reason="HELM is not set: run `make deploy-check`")


def helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HELM, *map(str, arguments)], capture_output=True, text=True, check=False)


def render(values: Path, *arguments: str) -> str:
    run = helm("template", "adapter-host", CHART, "--values", values, *arguments)
    assert run.returncode == 0, run.stderr
    return run.stdout


def objects(text: str) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(text) if each]


class _CrdLoader(yaml.SafeLoader):
    """Reads `=` as the text that it is in an enum, not as YAML 1.1's value key."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:value"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def custom_schemas() -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    for folder in CRDS.split(":"):
        for file in [*Path(folder).glob("*_httproutes.yaml"), *Path(folder).glob("*_servicemonitors.yaml")]:
            crd = yaml.load(file.read_text(), Loader=_CrdLoader)
            for version in crd["spec"]["versions"]:
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                yield key, closed(version["schema"]["openAPIV3Schema"])


def closed(schema: Any) -> Any:
    """Return a schema that refuses properties which it does not name, as the API server drops them silently."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closing = {"additionalProperties": False} if "properties" in schema and schema.get("type") == "object" else {}
    return {**closing, **{key: closed(value) for key, value in schema.items()}}


@pytest.fixture(scope="session")
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    found = dict(custom_schemas())
    # The metadata of a custom resource is an object in its schema; the names in it are the API server's.
    for schema in found.values():
        schema["properties"].setdefault("metadata", {})
        schema["properties"].update(apiVersion={"type": "string"}, kind={"type": "string"})
    return found


@needs_helm
@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.stem)
def test_lint(values: Path) -> None:
    run = helm("lint", CHART, "--strict", "--values", values)
    assert run.returncode == 0, run.stdout + run.stderr


@needs_helm
@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.stem)
def test_objects_meet_their_schemas(values: Path, version: str, schemas: dict[Any, dict[str, Any]]) -> None:
    rendered = objects(render(values, "--kube-version", version))
    assert rendered
    for each in rendered:
        schema = schemas.get((each["apiVersion"], each["kind"]))
        if schema is None:
            kubernetes_validate.validate(each, version, strict=True)
        else:
            jsonschema.validate(each, schema)


@needs_helm
def test_every_kind_is_rendered() -> None:
    kinds = {each["kind"] for each in objects(render(EVERYTHING))}
    assert kinds == {
        "ConfigMap",
        "Deployment",
        "HTTPRoute",
        "HorizontalPodAutoscaler",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
        "ServiceMonitor",
    }


@needs_helm
@pytest.mark.parametrize("source", ["{}", "{configMap: a, claim: b}"])
def test_one_source_of_capabilities(tmp_path: Path, source: str) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(f"image: {{repository: image}}\ncapabilities: {source}\n")
    run = helm("template", "adapter-host", CHART, "--values", values)
    assert run.returncode != 0
    assert "set exactly one of capabilities.files" in run.stderr


@needs_helm
@pytest.mark.parametrize(
    "wrong",
    [
        "replica: 3",
        "ports: [{name: control, port: 9000}]",
        "ports: [{name: rest, port: 80}]",
        "image: {digest: sha256:1}",
        "gateway: {enabled: true, parentRefs: [{name: a}], routes: [{port: soap}]}",
        "gateway: {enabled: true}",
        "state: {url: redis://user:password@host}",
        "tls: {clients: true}",
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, wrong: str) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(wrong)
    run = helm("template", "adapter-host", CHART, "--values", VALUES[0], "--values", values)
    assert run.returncode != 0


@needs_helm
def test_manifests_are_those_of_the_chart() -> None:
    file = DEPLOY / "kubernetes.yaml"
    made = render(DEPLOY / "kubernetes-values.yaml", "--namespace", "default")
    text = "\n".join(line for line in made.splitlines() if not line.startswith("# Source:")).replace("\n\n---", "\n---")
    text = "# Made from the chart with kubernetes-values.yaml; do not edit.\n" + text.rstrip() + "\n"
    if REWRITE:
        file.write_text(text)
    assert file.read_text() == text


@needs_helm
def test_tls() -> None:
    [deployment] = [each for each in objects(render(TLS)) if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    folder = "/etc/adapter-host-tls"
    files = {"--tls-cert": "tls.crt", "--tls-key": "tls.key", "--tls-client-ca": "ca.crt"}
    assert {f"{option}={folder}/{file}" for option, file in files.items()} <= {*container["args"]}
    assert {container[f"{name}Probe"]["httpGet"]["scheme"] for name in ("startup", "liveness", "readiness")} == {
        "HTTPS"
    }
    assert folder in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert "api-certificate" in [volume.get("secret", {}).get("secretName") for volume in pod["volumes"]]


@needs_helm
def test_options_of_the_container_are_known(tmp_path: Path) -> None:
    """The command accepts the arguments that the chart makes, with the files where the pod has them."""
    rendered = objects(render(EVERYTHING))
    deployment = next(each for each in rendered if each["kind"] == "Deployment")
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    maps = [each for each in rendered if each["kind"] == "ConfigMap"]
    for name, text in (item for each in maps for item in each["data"].items()):
        (tmp_path / name).write_text(text)
    files = [str(tmp_path / "control.yaml"), str(tmp_path / "greeting.yaml")]
    options = [each.replace("$(POD_IP)", "10.0.0.1") for each in arguments[:-2]]
    options = [each for each in options if not each.startswith(("--address", "--port", "--workers"))]
    command = [ROOT / ".venv/bin/adapter-host", *options, "--port=control=0", "--port=greeting=0", *files]
    ready = tmp_path / "ready.json"
    with subprocess.Popen([*command, "--ready-file", ready], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if '"serving"' in line:
                break
        process.terminate()
        process.stderr.read()
    assert process.returncode == 0, "".join(lines)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_unit(tmp_path: Path) -> None:
    unit = tmp_path / "adapter-host.service"
    # The command is not installed here, and would be named as missing.
    unit.write_text((DEPLOY / unit.name).read_text().replace("/opt/adapter-host/bin/adapter-host", "/bin/true"))
    activated = tmp_path / "adapter-host.socket"
    activated.write_text((DEPLOY / activated.name).read_text())
    verify = subprocess.run(["systemd-analyze", "verify", unit, activated], capture_output=True, text=True, check=False)
    assert (verify.returncode, verify.stderr) == (0, "")
    security = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert security.returncode == 0, security.stdout


def test_compose_file() -> None:
    [service] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
