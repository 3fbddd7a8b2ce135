"""Commands know the entries that an exposer includes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapter_host.cli import main
from adapter_host.cli.output.usage import usage_examples
from adapter_host.host.host import Host
from adapter_host.host.loading import load_documents
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.settings import McpEndpoint, Settings
from tests.support.paths import ROOT

CONCIERGE = str(ROOT / "capabilities/concierge.yaml")


def test_commands_know_the_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = {
        "name": "list",
        "description": "Lists",
        "outputParameters": [{"name": "x", "type": "string", "value": "no"}],
    }
    included = {"type": "mcp", "namespace": "orders", "port": 9090, "description": "Orders", "tools": [tool]}
    desk = {**included, "namespace": "desk", "port": 9091, "x-include": [{"namespace": "orders", "prefix": "o_"}]}
    data = {"naftiko": "1.0.0-alpha2", "info": {"label": "Desk", "description": "Desk"}}
    file = tmp_path / "desk.json"
    file.write_text(json.dumps({**data, "capability": {"exposes": [included, desk]}}))
    assert main(["validate", "--strict", str(file)]) == 0, capsys.readouterr().err
    assert main(["inspect", str(file)]) == 0
    assert "  o_list\n" in capsys.readouterr().out
    assert main(["call", str(file), "desk.o_list"]) == 0
    assert capsys.readouterr().out == '{"x":"no"}\n'
    assert main(["schema"]) == 0
    assert "x-include" in capsys.readouterr().out


def test_inspect_shows_the_declaration(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--format", "json", CONCIERGE]) == 0
    described = json.loads(capsys.readouterr().out)
    entries = {entry["title"]: entry.get("included") for each in described["exposers"] for entry in each["catalog"]}
    place = str(ROOT / "capabilities/greeting.yaml")
    assert entries["breakfast-hours"] is None
    assert entries["greet"] == f"'greeting-mcp' ({place}:38:11)"
    assert entries["GET /guests/greetings/{name}"] == f"'greeting-rest' ({place}:16:15)"


def test_an_included_operation_is_called_by_its_own_name_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", CONCIERGE, "concierge-mcp.greet", "name=Ada", "times=2"]) == 0
    assert json.loads(capsys.readouterr().out) == {"greeting": "Hello, Ada!", "times": 2}


def test_lint_checks_included_operations_where_they_are_declared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = tmp_path / "api.yaml"
    api.write_text(API)
    (tmp_path / "desk.yaml").write_text(DESK)
    assert main(["lint", str(tmp_path / "desk.yaml")]) == 1
    found = capsys.readouterr().out.splitlines()
    assert [line.split("[")[-1] for line in found] == ["open-exposer]"]
    assert found[0].startswith(f"{tmp_path / 'desk.yaml'}:6:18: ")


@pytest.mark.parametrize(
    ("endpoint", "names"),
    [(None, ["greeting-mcp", "observatory-mcp"]), (McpEndpoint(port=0, path="/all"), ["adapter-host"])],
)
async def test_the_start_shows_the_configuration_for_everything(endpoint: McpEndpoint | None, names: list[str]) -> None:
    files = [ROOT / "capabilities" / name for name in ("greeting.yaml", "observatory.yaml")]
    ports = dict.fromkeys(("greeting-rest", "greeting-mcp", "observatory-mcp"), 0)
    settings = Settings(environment={}, mock=True, ports=ports, mcp_endpoint=endpoint)
    async with Host(*files, settings=settings) as host:
        route, configuration = usage_examples(host.status())
    assert route.startswith("curl http://")
    servers = json.loads(configuration)["mcpServers"]
    assert [*servers] == names
    assert servers[names[0]]["url"].endswith("/mcp" if endpoint is None else "/all")


def test_a_document_without_includes_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(API)
    loading = load_documents([tmp_path / "api.yaml"], Plugins.installed(), Settings(environment={"KEY": "k"}))
    assert (len(loading.plans), loading.included, loading.combined) == (1, [], None)
    (exposed,) = loading.plans[0].exposers
    assert [operation.origin for operation in exposed.exposer.operations.values()] == [None]


API = """\
naftiko: 1.0.0-alpha2
info: {label: API}
binds:
  - {namespace: env, keys: {KEY: KEY}}
capability:
  consumes:
    - type: http
      namespace: api
      baseUri: https://api.example.com
      authentication: {type: bearer, token: "{{env.KEY}}"}
      resources:
        - {name: orders, path: /orders, operations: [{name: list, method: GET}, {name: add, method: POST}]}
  exposes:
    - type: mcp
      namespace: orders
      port: 9001
      tools:
        - {name: list, call: api.add, hints: {readOnly: true}}
"""

DESK = """\
naftiko: 1.0.0-alpha2
info: {label: Desk}
capability:
  exposes:
    - type: mcp
      namespace: desk
      port: 9002
      tools: []
      x-include:
        - location: api.yaml
"""
