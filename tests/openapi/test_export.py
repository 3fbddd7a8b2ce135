"""Exported OpenAPI documents: valid, complete, and stable in a round trip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import Host, Settings
from adapter_host.cli import main
from adapter_host.openapi import Documents, WarningCollector, read_api, write_capability
from adapter_host_rest.exposer import RestExposer
from tests.support.imported import import_file
from tests.support.openapi_facts import body_media_type, operation_facts, schema_facts
from tests.support.paths import ROOT
from tests.support.schema_counts import operations_of, pointer_in, read

SAMPLES = ROOT / "tests/openapi/samples"
CAPABILITIES = sorted((ROOT / "capabilities").glob("*.yaml"))
NAMES = ("bakery-2.0.json", "trains-3.0.yaml", "garden-3.1.yaml")


def exported(document: Any) -> Any:
    host = Host(document, settings=Settings(environment={}))
    exposers = [item.exposer for item in host.status() if isinstance(item.exposer, RestExposer)]
    return exposers[0].openapi("https://api.example.com") if exposers else None


def imported(source: Path) -> Any:
    return yaml.safe_load(write_capability(read_api(Documents(WarningCollector()).open(str(source))), source.name))


def check_valid(document: Any) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.OpenAPIV31SpecValidator(json.loads(json.dumps(document))).validate()


@pytest.mark.parametrize("path", CAPABILITIES, ids=lambda path: path.stem)
def test_openapi_of_examples_is_valid(path: Path) -> None:
    document = exported(path)
    if document is None:
        pytest.skip("it exposes nothing over REST")
    check_valid(document)


@pytest.mark.parametrize("name", NAMES)
def test_openapi_of_imported_samples_is_valid(name: str) -> None:
    check_valid(exported(imported(SAMPLES / name)))


def operations(document: Any) -> Any:
    """Return the parts that a round trip keeps: operations with parameters and bodies."""
    return {
        (path, method): (
            operation["operationId"],
            operation.get("description"),
            operation.get("parameters"),
            operation.get("requestBody"),
        )
        for path, entry in document["paths"].items()
        for method, operation in entry.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_export_round_trips(name: str, tmp_path: Path) -> None:
    first = exported(imported(SAMPLES / name))
    (tmp_path / "again.json").write_text(json.dumps(first))
    again = exported(imported(tmp_path / "again.json"))
    assert again["info"] == first["info"]
    assert {key: value[0] for key, value in operations(again).items()} == {
        k: v[0] for k, v in operations(first).items()
    }
    for key, (_, _, parameters, _) in operations(first).items():
        kept = {(item["name"], item["in"], item.get("required", False)) for item in parameters or ()}
        assert {(p["name"], p["in"], p.get("required", False)) for p in operations(again)[key][2] or ()} == kept


def test_imported_operations_are_exported() -> None:
    document = exported(imported(SAMPLES / "trains-3.0.yaml"))
    assert document["info"] == {"title": "Trains", "version": "1", "description": "Trains, over REST and MCP."}
    read = document["paths"]["/trains/{number}"]["get"]
    assert (read["operationId"], read["description"]) == ("read-train", "One train, with its stops.")
    assert {item["name"]: item["in"] for item in read["parameters"]} == {
        "number": "path",
        "fields": "query",
        "session": "cookie",
        "filter": "query",
    }
    body = document["paths"]["/trains/{number}"]["patch"]["requestBody"]
    assert body["required"]
    schema = body["content"]["application/json"]["schema"]
    assert (schema["type"], schema["required"]) == ("object", ["number"])


def test_command_writes_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "openapi", str(ROOT / "capabilities/stations.yaml")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["openapi"] == "3.1.0"
    port = yaml.safe_load((ROOT / "capabilities/stations.yaml").read_text())["capability"]["exposes"][0]["port"]
    assert document["servers"] == [{"url": f"http://127.0.0.1:{port}"}]
    output = tmp_path / "api.json"
    assert main(["export", "openapi", str(ROOT / "capabilities/stations.yaml"), "-o", str(output)]) == 0
    assert json.loads(output.read_text()) == document


def test_exposer_is_chosen_by_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = yaml.safe_load((ROOT / "capabilities/greeting.yaml").read_text())
    exposes = document["capability"]["exposes"]
    exposes.append({**exposes[0], "namespace": "second", "port": 0})
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(document))
    first = exposes[0]["namespace"]
    assert main(["export", "openapi", str(path)]) == 2
    assert f"several exposers; choose one with --exposer: {first}, second" in capsys.readouterr().err
    assert main(["export", "openapi", str(path), "--exposer", "secnd"]) == 2
    assert "unknown exposer 'secnd'; did you mean 'second'?" in capsys.readouterr().err
    assert main(["export", "openapi", str(path), "--exposer", "second"]) == 0
    assert json.loads(capsys.readouterr().out)["servers"] == [{"url": "/"}]


def test_export_needs_a_rest_exposer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "openapi", str(ROOT / "capabilities/library.yaml")]) == 2
    assert "has no exposer with an OpenAPI document; add one of type rest" in capsys.readouterr().err


def test_unknown_formats_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "openap", str(ROOT / "capabilities/stations.yaml")]) == 2
    assert "has no exposer with the format 'openap'; did you mean 'openapi'?" in capsys.readouterr().err
    assert main(["export", "proto", str(ROOT / "capabilities/stations.yaml")]) == 2
    assert "has no exposer with the format 'proto' (known: openapi)" in capsys.readouterr().err


# What an imported document says


DOCUMENTS = [
    path
    for folder in ("cases", "documents")
    for path in sorted((ROOT / "tests/openapi" / folder).glob("*"))
    if "swagger" not in path.read_text()
]
NOT_ROUTED = {("/contacts/{id}", "get")}
AS_TEXT = {("/notes", "post")}
"""Callers of REST send a text body as a field of JSON."""
NO_FILE = {("body/maybe/anyOf/0", "is", "bytes"), ("body/maybe/anyOf/0", "type", "['string']")}
NO_FILE |= {("body/maybe/anyOf/1", "type", "['null']")}
"""A part of a form is left out and cannot be null."""
NEW_STYLE = {("cookie crumbs", "style", "cookie")}
"""The exported document is of OpenAPI 3.1."""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_exported_document_says_what_the_imported_one_says(path: Path) -> None:
    source = read(path)
    capability_, _ = import_file(path)
    document = exported(capability_)
    check_valid(document)
    there = {(route, method): (item, operation) for route, method, item, operation in operations_of(document)}
    compared = 0
    for route, method, item, operation in operations_of(source):
        if (route, method) in NOT_ROUTED | AS_TEXT:
            continue
        media_type = body_media_type(source, operation)
        said = operation_facts(source, item, operation)
        seen = operation_facts(document, *there[route, method], media_type)
        assert said - seen - NO_FILE - NEW_STYLE == set(), (route, method)
        compared += 1
    assert compared > 0


def test_difference_is_found() -> None:
    """The facts that only one of two schemas has."""
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"]}
    less = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert schema_facts(schema, pointer_in({}), "readOnly") - schema_facts(less, pointer_in({}), "readOnly") == {
        ("/a", "maxLength", "3.0"),
        ("", "required", "a"),
    }
