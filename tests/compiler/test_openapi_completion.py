"""Consumed operations that the API's OpenAPI document completes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import Host, Operation, Problem, ProblemsError, Settings
from adapter_host.cli import main

PARCEL = {"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}, "grams": {"maximum": 9}}}
OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Parcels", "version": "1"},
    "servers": [{"url": "https://parcels.example.com/v1"}],
    "paths": {
        "/parcels": {
            "get": {
                "summary": "List parcels",
                "parameters": [
                    {"name": "state", "in": "query", "required": True, "schema": {"enum": ["sent", "lost"]}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string", "maxLength": 8}},
                ],
                "responses": {
                    "200": {"description": "", "content": {"application/json": {"schema": {"type": "array"}}}}
                },
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Parcel"}}},
                },
                "responses": {
                    "201": {
                        "description": "",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Parcel"}}},
                    }
                },
            },
        },
        "/parcels/{parcelId}": {
            "get": {
                "parameters": [{"name": "parcelId", "in": "path", "required": True, "schema": {"type": "integer"}}],
                "responses": {"200": {"description": ""}},
            }
        },
    },
    "components": {"schemas": {"Parcel": PARCEL}},
}
WHOLE = {"name": "result", "type": "object", "value": "$."}


def operation(method: str = "GET", path: str = "/parcels", **keys: Any) -> dict[str, Any]:
    return {"path": path, "operations": [{"name": "do", "method": method, **keys}]}


def capability(resource: dict[str, Any], **consumer: Any) -> dict[str, Any]:
    api = {"type": "http", "namespace": "api", "baseUri": "https://parcels.example.com/v1", "resources": [resource]}
    tool = {"name": "do", "description": "Does it", "call": "api.do"}
    exposer = {"type": "mcp", "namespace": "tools", "port": 0, "tools": [tool]}
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {"consumes": [{"x-openapi": "api.yaml", **api, **consumer}], "exposes": [exposer]},
    }


def tools(host: Host) -> list[Operation]:
    (exposer,) = host.plans[0].exposers
    return list(exposer.exposer.operations.values())


class Folder:
    """A folder with a capability and an OpenAPI document."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("api.yaml", OPENAPI)

    def write(self, name: str, data: Any) -> str:
        (self.path / name).write_text(yaml.safe_dump(data, sort_keys=False))
        return str(self.path / name)

    def host(self, resource: dict[str, Any], settings: Settings | None = None, **consumer: Any) -> Host:
        return Host(self.write("capability.yaml", capability(resource, **consumer)), settings=settings)

    def schema(self, resource: dict[str, Any], **consumer: Any) -> dict[str, Any]:
        """Return the schema of the tool's arguments."""
        ((tool,),) = [
            exposer.exposer.operations.values() for exposer in self.host(resource, **consumer).plans[0].exposers
        ]
        schema: dict[str, Any] = tool.input_schema
        return schema

    def warnings(self, resource: dict[str, Any], **consumer: Any) -> list[Problem]:
        return [each for each in self.host(resource, **consumer).warnings if each.code == "x-openapi"]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_inputs_get_types_schemas_and_required(folder: Folder) -> None:
    inputs = [{"name": "state", "in": "query"}, {"name": "x-trace", "in": "header", "description": "Mine"}]
    schema = folder.schema(operation(inputParameters=inputs))
    assert schema["properties"]["state"]["enum"] == ["sent", "lost"]
    assert schema["properties"]["x-trace"] == {"type": "string", "maxLength": 8, "description": "Mine"}
    assert schema["required"] == ["state"]


def test_an_operation_without_inputs_gets_all_of_them(folder: Folder) -> None:
    assert set(folder.schema(operation())["properties"]) == {"state", "X-Trace"}
    assert set(folder.schema(operation("POST"))["properties"]) == {"body"}


def test_variables_of_a_path_may_have_other_names(folder: Folder) -> None:
    resource = operation(path="/parcels/{{id}}", inputParameters=[{"name": "id", "in": "path"}])
    assert folder.schema(resource)["properties"]["id"]["type"] == "integer"


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("https://parcels.example.com/v1", "/parcels"),
        ("https://parcels.example.com", "/v1/parcels"),
        ("https://other.example.com/proxy", "/parcels"),
        ("https://{{HOST}}", "/v1/parcels"),
    ],
)
def test_base_paths_may_differ(folder: Folder, base: str, path: str) -> None:
    resource = operation(path=path, inputParameters=[{"name": "state", "in": "query"}])
    assert folder.schema(resource, baseUri=base)["properties"]["state"]["enum"] == ["sent", "lost"]


def test_the_body_and_its_fields_get_their_schemas(folder: Folder) -> None:
    whole = {"name": "body", "in": "body", "type": "object", "description": "Request body (JSON)."}
    body = folder.schema(operation("POST", inputParameters=[whole]))["properties"]["body"]
    assert (body["required"], body["description"]) == (["to"], "Request body (JSON).")
    fields = [{"name": "to", "in": "body"}, {"name": "other", "in": "body"}]
    properties = folder.schema(operation("POST", inputParameters=fields))["properties"]
    assert (properties["to"]["type"], properties["other"]) == ("string", {})


def test_what_the_capability_says_wins(folder: Folder) -> None:
    own = {"name": "state", "in": "query", "required": False, "description": "Mine", "x-schema": {"type": "string"}}
    schema = folder.schema(operation(inputParameters=[own]))
    assert schema["properties"]["state"] == {"type": "string", "description": "Mine"}
    assert "required" not in schema


def test_contradictions_and_unknown_operations_are_warnings_with_both_places(folder: Folder) -> None:
    inputs = [{"name": "X-Trace", "in": "header", "type": "integer"}]
    warnings = folder.warnings(operation(inputParameters=inputs, outputParameters=[WHOLE]))
    texts = [str(warning) for warning in warnings]
    assert all(warning.warning and warning.line > 1 for warning in warnings)
    assert len(texts) == 2
    assert "'X-Trace' is integer, but string" in texts[0]
    assert "the output is object, but array in" in texts[1]
    (unknown,) = folder.warnings(operation("DELETE"))
    assert "DELETE /parcels is not in" in unknown.message
    assert "api.yaml" in unknown.message


@pytest.mark.parametrize(
    ("declared", "schema", "message"),
    [
        ({"type": "boolean"}, {"type": ["integer", "string"]}, "is boolean, but the OpenAPI document allows"),
        ({"type": "object"}, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "is object, but string"),
        ({"pattern": "^a"}, {"type": ["string", "null"], "pattern": "^b"}, "has another 'pattern' than in"),
        ({"maxLength": 2}, {"type": ["string", "null"], "maxLength": 3}, "has another 'maxLength' than in"),
        ({"type": "string", "values": ["a"]}, {"type": ["string", "null"], "enum": ["a", "b"]}, "has other values"),
        ({"type": "array", "values": ["a"]}, {"type": "array", "items": {"enum": ["b"]}}, "has other values"),
    ],
)
def test_inputs_that_contradict_the_document_are_warnings(
    folder: Folder, declared: Any, schema: Any, message: str
) -> None:
    operation_ = {"parameters": [{"name": "p", "in": "query", "schema": schema}], "responses": {}}
    folder.write("api.yaml", {**OPENAPI, "paths": {"/parcels": {"get": operation_}}})
    (warning,) = folder.warnings(operation(inputParameters=[{"name": "p", "in": "query", **declared}]))
    assert message in warning.message


def test_a_field_whose_schema_contradicts_itself_has_no_type(folder: Folder) -> None:
    body = {"properties": {"a": {"type": "integer", "$ref": "#/components/schemas/Parcel"}, "b": True}}
    content = {"application/json": {"schema": body}}
    folder.write("api.yaml", {**OPENAPI, "paths": {"/parcels": {"post": {"requestBody": {"content": content}}}}})
    fields = [{"name": "a", "in": "body"}, {"name": "b", "in": "body"}]
    assert folder.warnings(operation("POST", inputParameters=fields)) == []


def test_schemas_of_several_documents_stay_apart(folder: Folder) -> None:
    path = folder.write("other.yaml", {**OPENAPI, "components": {"schemas": {"Parcel": {"type": "object"}}}})
    document = capability(operation("POST"))
    consumers = document["capability"]["consumes"]
    consumers.append({**consumers[0], "namespace": "other", "x-openapi": Path(path).name})
    declared = document["capability"]["exposes"][0]["tools"]
    declared.append({"name": "other", "description": "Other", "call": "other.do"})
    host = Host(folder.write("capability.yaml", document))
    first, second = tools(host)
    assert first.input_schema["properties"]["body"]["required"] == ["to"]
    assert "required" not in second.input_schema["properties"]["body"]


def test_a_document_of_the_command_line_replaces_that_of_the_capability(folder: Folder, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    paths = {"/parcels": {"get": {"responses": {"200": {"description": ""}}}}}
    (other / "empty.yaml").write_text(yaml.safe_dump({**OPENAPI, "paths": paths}))
    host = folder.host(operation(), Settings(openapi={"api": str(other / "empty.yaml")}))
    (tool,) = tools(host)
    assert tool.input_schema["properties"] == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("../api.yaml", "must be in the folder of the document"),
        ("missing.yaml", "cannot read"),
        (7, "must be the path of a file"),
        ("capability.yaml", "OpenAPI"),
    ],
)
def test_wrong_documents_are_problems(folder: Folder, value: Any, message: str) -> None:
    with pytest.raises(ProblemsError, match=message):
        folder.host(operation(), **{"x-openapi": value})


def test_a_wrong_document_is_left_out_with_skip_invalid(folder: Folder) -> None:
    host = folder.host(operation(), Settings(skip_invalid=True), **{"x-openapi": "missing.yaml"})
    assert [warning.message for warning in host.warnings if "missing.yaml" in str(warning)]
    (tool,) = tools(host)
    assert tool.input_schema["properties"] == {}


def test_a_document_as_data_has_no_folder() -> None:
    with pytest.raises(ProblemsError, match="needs a document that is a file"):
        Host(capability(operation()))


def test_the_document_and_its_own_files_are_files_of_the_capability(folder: Folder) -> None:
    folder.write("parcel.yaml", {"Parcel": PARCEL})
    document = {**OPENAPI, "components": {"schemas": {"Parcel": {"$ref": "parcel.yaml#/Parcel"}}}}
    file = folder.write("api.yaml", document)
    names = {Path(name).name for name in folder.host(operation("POST")).plans[0].loaded.files}
    assert names == {"capability.yaml", "api.yaml", "parcel.yaml"}
    # Also where it is served in the place of a capability.
    assert {Path(name).name for name in Host(file).plans[0].loaded.files} == {"api.yaml", "parcel.yaml"}


# Overlays


def overlay(maximum: int) -> dict[str, Any]:
    """Return an overlay that limits the trace of a request."""
    update = {"schema": {"maxLength": maximum}}
    action = {"target": "$.paths['/parcels'].get.parameters[?@.name == 'X-Trace']", "update": update}
    return {"overlay": "1.0.0", "info": {"title": "Limits", "version": "1"}, "actions": [action]}


def longest_trace(host: Host) -> int:
    (tool,) = tools(host)
    longest: int = tool.input_schema["properties"]["X-Trace"]["maxLength"]
    return longest


def test_overlays_of_the_capability_are_applied_in_order(folder: Folder) -> None:
    for maximum in (4, 6):
        folder.write(f"overlay{maximum}.yaml", overlay(maximum))
    own: dict[str, Any] = {"x-openapi-overlays": ["overlay4.yaml", "overlay6.yaml"]}
    host = folder.host(operation(), **own)
    assert longest_trace(host) == 6
    names = {Path(name).name for name in host.plans[0].loaded.files}
    assert names == {"capability.yaml", "api.yaml", "overlay4.yaml", "overlay6.yaml"}


def test_overlays_of_the_settings_are_applied_last(folder: Folder) -> None:
    first, last = (folder.write(f"overlay{maximum}.yaml", overlay(maximum)) for maximum in (4, 6))
    settings = Settings(openapi_overlays={"api": (last,)})
    own: dict[str, Any] = {"x-openapi-overlays": [Path(first).name]}
    assert longest_trace(folder.host(operation(), settings, **own)) == 6
    # A document of the settings replaces that of the capability with its overlays.
    settings = Settings(openapi={"api": folder.write("other.yaml", OPENAPI)})
    assert longest_trace(folder.host(operation(), settings, **own)) == 8


def test_one_document_with_different_overlays_is_two_documents(folder: Folder) -> None:
    folder.write("overlay.yaml", overlay(4))
    document = capability(operation(), **{"x-openapi-overlays": ["overlay.yaml"]})
    consumers = document["capability"]["consumes"]
    consumers.append({**consumers[0], "namespace": "other", "x-openapi-overlays": []})
    declared = document["capability"]["exposes"][0]["tools"]
    declared.append({"name": "other", "description": "Other", "call": "other.do"})
    first, second = tools(Host(folder.write("capability.yaml", document)))
    longest = [tool.input_schema["properties"]["X-Trace"]["maxLength"] for tool in (first, second)]
    assert longest == [4, 8]


@pytest.mark.parametrize(
    ("consumer", "message"),
    [
        ({"x-openapi-overlays": ["../overlay.yaml"]}, "'x-openapi-overlays' must be in the folder of the document"),
        ({"x-openapi-overlays": ["missing.yaml"]}, "missing.yaml"),
        ({"x-openapi-overlays": ["api.yaml"]}, "not an Overlay document"),
        ({"x-openapi-overlays": [7]}, "'x-openapi-overlays' must be the path of a file"),
        ({"x-openapi": None, "x-openapi-overlays": ["api.yaml"]}, "overlays need an OpenAPI document; add 'x-openapi'"),
    ],
)
def test_wrong_overlays_are_problems(folder: Folder, consumer: dict[str, Any], message: str) -> None:
    document = capability(operation(), **consumer)
    if consumer.get("x-openapi", "") is None:
        del document["capability"]["consumes"][0]["x-openapi"]
    with pytest.raises(ProblemsError, match=message):
        Host(folder.write("capability.yaml", document))


def test_overlays_of_the_command(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    changed = folder.write("overlay.yaml", overlay(4))
    file = folder.write("capability.yaml", capability(operation()))
    for command in (["inspect", "--format", "json"], ["validate", "--format", "json"]):
        assert main([*command, file, "--overlay", f"api={changed}"]) == 0
    assert '"maxLength":4' in capsys.readouterr().out.replace(" ", "")
    assert main(["call", file, "tools.do", "state=sent", "X-Trace=12345", "--mock", "--overlay", f"api={changed}"]) != 0
    assert "'X-Trace' must be at most 4 characters long" in capsys.readouterr().err
    assert main(["validate", file, "--overlay", f"other={changed}"]) == 2
    assert "--overlay: unknown namespace 'other' (known: api)" in capsys.readouterr().err
    # Without a namespace it is for OpenAPI documents in the place of capabilities.
    assert main(["validate", file, "--overlay", changed]) == 2
    assert "--overlay: no OpenAPI document is among the files" in capsys.readouterr().err
