"""Overlays of OpenAPI documents (Overlay Specification 1.0)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter_host.openapi import Documents, WarningCollector
from tests.conftest import Command

API = """\
openapi: 3.1.0
info: {title: Shop, version: "1"}
servers:
  - url: https://shop.example.com
paths:
  /orders/{id}:
    get:
      operationId: readOrder
      tags: [orders]
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: trace, in: header, schema: {type: string}}
      responses:
        "200": {description: The order}
    delete:
      operationId: deleteOrder
      x-internal: true
      responses: {"204": {description: Gone}}
"""


@pytest.fixture
def overlaid(tmp_path: Path) -> Any:
    """Return a function that applies actions, in files of their own, and returns the document and the warnings."""

    def apply(*overlays: str, suffix: str = "yaml") -> tuple[Any, list[str]]:
        api = tmp_path / f"api.{suffix}"
        api.write_text(API if suffix == "yaml" else json.dumps(yaml.safe_load(API)))
        files = []
        for number, text in enumerate(overlays):
            files.append(tmp_path / f"overlay{number}.yaml")
            files[-1].write_text(f"overlay: 1.0.0\ninfo: {{title: O, version: '1'}}\nactions:\n{text}")
        collector = WarningCollector()
        root = Documents(collector, overlays=[str(file) for file in files]).open(str(api))
        return root.value, [str(problem).removeprefix(f"{tmp_path}/") for problem in collector.problems]

    return apply


def changed(**places: Any) -> Any:
    """Return the document with `get` of the path changed, and other places set."""
    document = yaml.safe_load(API)
    document["paths"]["/orders/{id}"]["get"].update(places)
    return document


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_actions_are_applied_in_order(suffix: str, overlaid: Any) -> None:
    document, warnings = overlaid(
        """\
  - target: $.paths.*[?@.x-internal == true]
    remove: true
  - target: $.paths['/orders/{id}'].get
    update: {description: First, tags: [public], responses: {"404": {description: None}}}
  - target: $.paths.*.get
    update:
      description: Second
      responses: {200: {headers: {ETag: {schema: {type: string}}}}}
  - target: $.paths.*.get.parameters[?@.in == 'header']
    remove: true
""",
        """\
  - target: $.paths.*.get.parameters
    update: {name: unit, in: query, schema: {type: string}}
  - target: $.info
    update: {title: Store, contact: {name: Ada}}
  - target: $.paths.*.get.description
    remove: true
  - target: $.servers[0]
    description: Removes, whatever else it says
    remove: true
    update: {url: https://other.example.com}
""",
        suffix=suffix,
    )
    expected = changed(
        tags=["orders", "public"],
        parameters=[
            {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
            {"name": "unit", "in": "query", "schema": {"type": "string"}},
        ],
        responses={
            "200": {"description": "The order", "headers": {"ETag": {"schema": {"type": "string"}}}},
            "404": {"description": "None"},
        },
    )
    del expected["paths"]["/orders/{id}"]["delete"]
    expected["info"] = {"title": "Store", "version": "1", "contact": {"name": "Ada"}}
    expected["servers"] = []
    assert document == expected
    assert warnings == []


def test_outer_parts_are_updated_before_inner_ones(overlaid: Any) -> None:
    document, _ = overlaid("  - {target: '$..schema', update: {schema: {a: 1}, b: [1]}}\n")
    schema = document["paths"]["/orders/{id}"]["get"]["parameters"][0]["schema"]
    assert schema == {"type": "integer", "schema": {"a": 1}, "b": [1]}


def test_a_target_that_selects_nothing_is_a_warning(overlaid: Any) -> None:
    document, warnings = overlaid("  - target: $.paths['/none']\n    remove: true\n")
    assert document == changed()
    assert warnings == [
        "overlay0.yaml:4:13: warning: #/actions/0/target: \"$.paths['/none']\" selects nothing; "
        "the action has no effect"
    ]


def test_what_an_overlay_adds_is_reported_at_its_place(command: Command, tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(API)
    (tmp_path / "o.yaml").write_text(
        "overlay: 1.0.0\nactions:\n"
        "  - target: $.paths.*.get\n    update:\n      callbacks:\n        changed: {}\n"
        "  - target: $.paths.*.delete\n    remove: true\n"
    )
    result = command("import", "openapi", "api.yaml", "--overlay", "o.yaml")
    assert result.returncode == 0
    assert result.stderr == (
        "o.yaml:6:9: warning: #/paths/~1orders~1{id}/get/callbacks: "
        "requests sent by the API are not supported; skipped\n"
    )
    assert "delete-order" not in result.stdout


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ("  - target: $.paths[\n    remove: true\n", "4:13: '$.paths[' is not a JSONPath (unexpected end of query)"),
        ("  - target: paths\n    remove: true\n", "4:13: 'paths' is not a JSONPath"),
        ("  - remove: true\n", "4:5: an action needs a 'target', which is a JSONPath"),
        ("  - target: [$]\n    remove: true\n", "4:13: an action needs a 'target', which is a JSONPath"),
        ("  - target: $\n", "4:5: an action needs 'update' or 'remove: true'"),
        ("  - target: $\n    remove: false\n", "4:5: an action needs 'update' or 'remove: true'"),
        ("  - target: $\n    remove: 'yes'\n", "5:13: 'remove' must be true or false, not text"),
        ("  - $.paths\n", "4:5: an action must be a mapping, not text"),
        ("  - target: $\n    remove: true\n", "4:13: the whole document cannot be removed; select parts of it"),
        (
            "  - target: $.info.title\n    update: Store\n",
            "4:13: it selects text at #/info/title; select the mapping that it is in",
        ),
        ("  - target: $.info\n    update: Store\n", "5:13: 'update' must be a mapping for #/info, not text"),
        (
            "  - target: $\n    update:\n      info: Store\n",
            "6:13: text cannot be merged into a mapping at #/info; remove that first, in an action of its own",
        ),
        (
            "  - target: $\n    update:\n      paths:\n        /orders/{id}: {get: {tags: {a: 1}}}\n",
            "7:36: a mapping cannot be merged into a list at #/paths/~1orders~1{id}/get/tags; remove that first, in an "
            "action of its own",
        ),
        ("  []\n", "4:3: an overlay needs a list of 'actions'"),
    ],
)
def test_errors_have_their_place(actions: str, message: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(API)
    (tmp_path / "o.yaml").write_text(f"overlay: 1.0.0\ninfo: {{title: O, version: '1'}}\nactions:\n{actions}")
    result = command("import", "openapi", "api.yaml", "--overlay", "o.yaml", "-o", "shop.yaml")
    assert result.returncode == 1
    assert result.stderr.startswith(f"o.yaml:{message}")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "shop.yaml").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("openapi: 3.1.0\n", "o.yaml:1:1: not an Overlay document: it has no 'overlay'; write 'overlay: 1.0.0'"),
        ("overlay: 2.0.0\n", "o.yaml:1:10: not an Overlay document: 'overlay' is '2.0.0'; write 'overlay: 1.0.0'"),
        ("overlay: 1.0.0\nactions: {}\n", "o.yaml:2:10: an overlay needs a list of 'actions'"),
        ("overlay: 1.0.0\n", "o.yaml:1:1: an overlay needs a list of 'actions'"),
        ("overlay: [", "o.yaml:2:1: a value is expected here"),
    ],
)
def test_a_file_that_is_no_overlay(text: str, message: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(API)
    (tmp_path / "o.yaml").write_text(text)
    result = command("import", "openapi", "api.yaml", "--overlay", "o.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(message)


def test_overlay_of_a_document_that_is_served(command: Command, tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(API)
    (tmp_path / "o.yaml").write_text("overlay: 1.0.0\nactions:\n  - {target: $.paths.*.delete, remove: true}\n")
    assert "delete-order" in command("inspect", "api.yaml").stdout
    for name in ("inspect", "validate"):
        result = command(name, "api.yaml", "--overlay", "o.yaml")
        assert (result.returncode, result.stderr) == (0, "")
        assert "delete-order" not in result.stdout
    result = command("call", "api.yaml", "delete-order", "id=7", "--overlay", "o.yaml", "--mock")
    assert result.returncode == 2
    (tmp_path / "shop.yaml").write_text(command("import", "openapi", "api.yaml").stdout)
    result = command("validate", "shop.yaml", "--overlay", "o.yaml")
    assert result.returncode == 2
    assert "--overlay: no OpenAPI document is among the files" in result.stderr
