"""`Capability.document()` is an equivalent document that needs no other one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host import Capability, Host, ProblemsError, Settings
from tests.support.paths import ROOT, SHARED

FILES = sorted((ROOT / "capabilities").glob("*.yaml"))
CASES = sorted((SHARED / "cases/openapi").glob("*.yaml")) or sorted((ROOT / "tests/openapi/cases").glob("*.yaml"))
BESIDE = {"concierge.yaml", "fleet.yaml", "guestbook.yaml", "seed-bank.yaml", "rentals.yaml", "seed-library.yaml"}
"""Documents with scripts, skills, discovered definitions or included capabilities in files beside them."""
SETTINGS = Settings(environment={}, mock=True)


def capability_of(host: Host) -> Capability:
    return host.plans[0].loaded.capability


def schemas_of(host: Host) -> dict[tuple[str, str], Any]:
    return {
        (status.namespace, operation.name): (operation.input_schema, operation.output_schema)
        for status in host.status()
        for operation in status.exposer.operations.values()
    }


def again(host: Host) -> Host:
    return Host(capability_of(host), settings=SETTINGS)


@pytest.mark.parametrize("file", [*FILES, *CASES], ids=lambda file: file.name)
def test_documents_of_examples_are_equivalent(file: Path) -> None:
    host = Host(file, settings=SETTINGS)
    if file.name in BESIDE:
        with pytest.raises(ProblemsError, match=r"does not exist|not found|No such file"):
            again(host)
        return
    copy = again(host)
    assert schemas_of(copy) == schemas_of(host)
    assert capability_of(copy).document() == capability_of(host).document()


PET: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"$ref": "#/x-schemas/Pet"}},
}
OWN = {"type": "string", "maxLength": 3}
ANIMAL = {
    "oneOf": [{"$ref": "#/x-schemas/Cat"}, {"$ref": "other.yaml#/x-schemas/Dog"}],
    "discriminator": {"propertyName": "kind", "mapping": {"c": "#/x-schemas/Cat", "d": "other.yaml#/x-schemas/Dog"}},
}


def consumer(*inputs: dict[str, Any]) -> dict[str, Any]:
    operation = {"name": "do", "method": "POST", "inputParameters": list(inputs)}
    resources = [{"name": "r", "path": "/r", "operations": [operation]}]
    return {"type": "http", "namespace": "api", "baseUri": "https://api.example.com", "resources": resources}


def input_(schema: Any) -> dict[str, Any]:
    return {"name": "pet", "in": "body", "x-schema": schema}


def write(folder: Path, consumes: Any, **root: Any) -> Path:
    tool = {"name": "do", "description": "Does it", "call": "api.do"}
    exposer = {"type": "mcp", "namespace": "tools", "port": 0, "tools": [tool]}
    document = {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [consumes], "exposes": [exposer]}, **root}
    file = folder / "capability.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def bundled(file: Path) -> tuple[Any, dict[str, Any]]:
    """Return the schema of the input in the document of a capability, and its shared schemas."""
    host = Host(file, settings=SETTINGS)
    document = capability_of(host).document()
    # It needs no other file.
    assert capability_of(again(host)).document() == document
    (consumes,) = document["capability"]["consumes"]
    return consumes["resources"][0]["operations"][0]["inputParameters"][0]["x-schema"], document.get("x-schemas", {})


def test_schemas_of_an_imported_document(tmp_path: Path) -> None:
    other = {"consumes": [consumer(input_({"$ref": "#/x-schemas/Pet"}))], "x-schemas": {"Pet": PET}}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(other))
    file = write(tmp_path, {"import": "api", "from": "./other.yaml"}, **{"x-schemas": {"Pet": OWN}})
    schema, shared = bundled(file)
    assert schema == {"$ref": "#/x-schemas/Pet_2"}
    following = {"$ref": "#/x-schemas/Pet_2"}
    assert shared == {"Pet": OWN, "Pet_2": {**PET, "properties": {**PET["properties"], "next": following}}}


def test_schemas_of_other_files_and_of_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(yaml.safe_dump({"x-schemas": {"Dog": {"title": "Dog"}}}))
    file = write(tmp_path, consumer(input_(ANIMAL)), **{"x-schemas": {"Cat": {"title": "Cat"}}})
    schema, shared = bundled(file)
    references = ["#/x-schemas/Cat", "#/x-schemas/Dog"]
    assert schema["oneOf"] == [{"$ref": reference} for reference in references]
    assert list(schema["discriminator"]["mapping"].values()) == references
    assert shared == {"Cat": {"title": "Cat"}, "Dog": {"title": "Dog"}}


def test_parts_of_a_schema_that_it_refers_to_itself(tmp_path: Path) -> None:
    schema = {"$defs": {"id": {"minLength": 1}}, "properties": {"a": {"$ref": "#/$defs/id"}}}
    schema, shared = bundled(write(tmp_path, consumer(input_(schema))))
    assert (schema, shared) == ({"properties": {"a": {"$ref": "#/x-schemas/id"}}}, {"id": {"minLength": 1}})


def test_schemas_that_nothing_refers_to_stay(tmp_path: Path) -> None:
    unused = {"x-schemas": {"Un~used/one": {"title": "Unused"}}}
    _, shared = bundled(write(tmp_path, consumer(input_({"type": "string"})), **unused))
    assert list(shared.values()) == [{"title": "Unused"}]
