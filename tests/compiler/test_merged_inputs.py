"""Inputs of one name that come from several targets, and schemas of outputs by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from adapter_host import Host, Input, ProblemsError
from adapter_host.capability.spec import InputSpec, OutputSpec
from adapter_host.compiler.values.arguments import declared_input
from adapter_host.compiler.values.output_schemas import describe_mapped_results
from tests.support.adapters import document, plain, plain_plugins


def merged(first: dict[str, Any], second: dict[str, Any]) -> Input:
    """Return the input `x` of an operation that calls two operations with an input `x`."""
    operations = [
        {"name": name, "inputParameters": [{"name": "x", **keys}]} for name, keys in (("one", first), ("two", second))
    ]
    steps = [{"type": "call", "name": name, "call": f"api.{name}"} for name in ("one", "two")]
    api = {"type": "fake", "namespace": "api", "operations": operations}
    host = Host(document(plain({"name": "get", "steps": steps}), consumes=[api]), plugins=plain_plugins())
    ((item,),) = (operation.inputs for operation in host.status()[0].exposer.operations.values())
    return item


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"description": "1"}, {"description": "2"}, Input("x", description="1")),
        ({"description": "1", "type": "string"}, {"type": "integer"}, Input("x", "string", description="1")),
        ({"description": "1"}, {"type": "integer"}, Input("x", "integer")),
        ({"type": "string"}, {"required": True}, Input("x", "string", required=True)),
        ({"required": True}, {"type": "string", "description": "2"}, Input("x", "string", True, "2")),
        ({"required": True, "type": "string"}, {"description": "2"}, Input("x", "string", required=True)),
    ],
    ids=str,
)
def test_stricter_declaration_wins(first: dict[str, Any], second: dict[str, Any], expected: Input) -> None:
    assert merged(first, second) == expected


@pytest.mark.parametrize(
    ("location", "whole"), [(None, True), ("body", True), ("query", False), ("path", False), ("header", False)]
)
def test_declared_location_of_a_whole_body(location: str | None, *, whole: bool) -> None:
    spec = InputSpec.model_validate({"name": "x"} | ({"in": location} if location else {}))
    assert declared_input(spec, Input("x", in_="body", whole=True)).whole is whole
    assert declared_input(spec, Input("x", in_="body")).whole is False


def test_schema_of_outputs_by_name() -> None:
    items = [
        {"name": "n", "type": "number"},
        {"name": "deep", "type": "array", "items": [{"name": "m", "type": "string", "description": "M"}]},
    ]
    output = OutputSpec.model_validate({"name": "all", "type": "array", "items": items})
    deep = {"type": ["object", "null"], "properties": {"m": {"type": ["string", "null"], "description": "M"}}}
    fields = {"n": {"type": ["number", "null"]}, "deep": {"type": ["array", "null"], "items": deep}}
    assert describe_mapped_results([output]).schema == {
        "type": "object",
        "properties": {"all": {"type": ["array", "null"], "items": {"type": ["object", "null"], "properties": fields}}},
    }


def test_forward_to_a_consumer_without_forwarding() -> None:
    api = {"type": "fake", "namespace": "api", "operations": []}
    exposed = {
        "type": "rest",
        "namespace": "front",
        "port": 0,
        "resources": [{"path": "/{path}", "forward": {"targetNamespace": "api"}}],
    }
    plugins = plain_plugins(rest=import_module("adapter_host_rest"))
    with pytest.raises(ProblemsError) as raised:
        Host(document(exposed, consumes=[api]), plugins=plugins)
    (problem,) = raised.value.problems
    assert problem.code == "unsupported"
    assert problem.message.startswith("capability.exposes.0.resources.0.forward.targetNamespace: ")
