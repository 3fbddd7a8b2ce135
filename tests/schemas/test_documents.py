"""Schemas of whole documents: imports, functions, steps, reload, `--skip-invalid`, and the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from adapter_host import Host, ProblemsError, Settings
from adapter_host.cli import main
from tests.support.rest_and_mcp import document, given, offering, operation, resource, tool

SHARED = """\
naftiko: 1.0.0-alpha2
x-schemas:
  Pet: {type: object, required: [name], properties: {name: {$ref: '#/x-schemas/Name'}}}
  Name: {type: string, maxLength: 3}
consumes:
  - type: http
    namespace: api
    baseUri: http://api.test
    resources:
      - path: /pets
        operations:
          - name: add
            method: POST
            inputParameters:
              - {name: body, in: body, x-schema: {$ref: '#/x-schemas/Pet'}}
              - {name: size, in: query, x-schema: {$ref: 'sizes.yaml#/Size'}}
"""
IMPORTING = """\
naftiko: 1.0.0-alpha2
x-schemas: {Pet: {type: string}}
capability:
  consumes: [{import: api, location: ./shared.yaml}]
  exposes:
    - type: rest
      namespace: site
      port: 8080
      resources: [{path: /pets, operations: [{method: POST, call: api.add}]}]
    - type: mcp
      namespace: agent
      port: 9090
      tools: [{name: add, description: Adds a pet, call: api.add}]
"""


@pytest.fixture
def importing(tmp_path: Path) -> Path:
    (tmp_path / "shared.yaml").write_text(SHARED)
    (tmp_path / "sizes.yaml").write_text("Size: {type: integer, maximum: 3}")
    path = tmp_path / "capability.yaml"
    path.write_text(IMPORTING)
    return path


def test_imported_entry_refers_to_the_schemas_of_its_file(importing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", "--format", "json", str(importing)]) == 0
    inspected = json.dumps(json.loads(capsys.readouterr().out))
    assert '"$defs": {"Name": {"type": "string", "maxLength": 3}}' in inspected
    assert main(["inspect", str(importing)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert '      schema: {"type":"integer","maximum":3}' in lines
    assert main(["export", "openapi", str(importing)]) == 0
    exported = json.loads(capsys.readouterr().out)
    assert exported["components"]["schemas"]["Name"] == {"type": "string", "maxLength": 3}
    body = exported["paths"]["/pets"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"] == {"name": {"$ref": "#/components/schemas/Name"}}


def test_files_of_schemas_are_watched(importing: Path) -> None:
    (plan,) = Host(importing).plans
    assert [Path(file).name for file in plan.loaded.files] == ["capability.yaml", "shared.yaml", "sizes.yaml"]


def test_call_says_all_mistakes(importing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", str(importing), "agent.add", "size=5", 'body={"name": "Abcd"}']) == 2
    message = "body.name must have at most 3 characters (given 4)"
    assert message in capsys.readouterr().err


def test_strict_validation_knows_the_keys(importing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--strict", str(importing)]) == 0, capsys.readouterr()


def test_misplaced_key_is_a_warning() -> None:
    misplaced: dict[str, Any] = {**operation("a"), "x-schema": {}}
    made = document("http://api.test", [resource("/a", misplaced)], tools=[tool(call="api.a")])
    (plan,) = Host({**made, "x-schema": {}}).plans
    messages = {problem.message.rpartition(": ")[2] for problem in plan.loaded.diagnostics.problems}
    assert messages == {"'x-schema' has no effect here; set it on an input or an output of an operation"}


def test_schemas_that_are_no_mapping() -> None:
    made = {
        **document("http://api.test", [resource("/a", operation("a"))], tools=[tool(call="api.a")]),
        "x-schemas": [],
    }
    with pytest.raises(ProblemsError, match="'x-schemas' must be a mapping of schemas by name, not a list"):
        Host(made)


def test_invalid_schema_skips_only_its_operation() -> None:
    consumed = [resource("/a", operation("a"))]
    wrong = given("q", "query", **{"x-schema": {"type": "text"}})
    tools = [tool("wrong", call="api.a", inputParameters=[wrong]), tool("right", call="api.a")]
    made = document("http://api.test", consumed, tools=tools)
    with pytest.raises(ProblemsError, match="'type' of a JSON Schema"):
        Host(made)
    host = Host(made, settings=Settings(skip_invalid=True))
    assert [entry.title for entry in host.plans[0].exposers[0].exposer.catalog()] == ["right"]


SIZE: dict[str, Any] = {"type": "integer", "maximum": 3}
CONSUMED = resource("/a", operation("a", inputParameters=[given("size", "query", **{"x-schema": SIZE})]))


@pytest.mark.parametrize(
    "unit",
    [
        {"call": "api.a"},
        {"ref": "fleet.a"},
        {"ref": "fleet.own"},
        {"steps": [{"name": "one", "type": "call", "call": "api.a"}]},
        {"inputParameters": [given("large", "query")], "call": "api.a", "with": {"size": "{{large}}"}},
    ],
    ids=["call", "ref", "function", "steps", "with"],
)
async def test_schema_applies_in_every_mode(unit: dict[str, Any]) -> None:
    own = {"name": "size", "type": "integer", "x-schema": SIZE}
    functions = [
        {"name": "a", "description": "d", "call": "api.a"},
        {"name": "own", "description": "d", "inputParameters": [own], "call": "api.a"},
    ]
    aggregates = [{"namespace": "fleet", "functions": functions}]
    async with offering(CONSUMED, tools=[tool(**unit)], aggregates=aggregates) as offered:
        name = "large" if "with" in unit else "size"
        listed = (await offered.tools())["do"]["inputSchema"]["properties"]
        assert (listed[name]["type"], listed[name]["maximum"]) == ("integer", 3)
        result = await offered.tool("do", {name: 4})
        assert (result.failed, result.text) == (True, f"'{name}' must be at most 3 (given 4)")
        assert offered.api.seen == []
        assert not (await offered.tool("do", {name: 3})).failed


async def test_output_with_schemas_in_it() -> None:
    """A mapped output may have the schema of a part."""
    line = {
        "type": "array",
        "mapping": "$.lines",
        "items": {"type": "object", "x-schema": {"$ref": "#/x-schemas/Line"}},
    }
    outputs = [{"type": "object", "properties": {"id": {"type": "integer", "mapping": "$.id"}, "lines": line}}]
    schemas = {"Line": {"type": "object", "properties": {"next": {"$ref": "#/x-schemas/Line"}}}}
    tools = [tool(call="api.a", outputParameters=outputs)]
    async with offering(CONSUMED, tools=tools, schemas=schemas, exposer={"x-schema-profile": "full"}) as offered:
        offered.respond_with({"id": 1, "lines": [{"next": {}}]})
        listed = (await offered.tools())["do"]["outputSchema"]
        result = await offered.tool("do")
    assert listed["$defs"]["Line"] == {"type": "object", "properties": {"next": {"$ref": "#/$defs/Line"}}}
    assert orjson.loads(result.text) == {"id": 1, "lines": [{"next": {}}]}
