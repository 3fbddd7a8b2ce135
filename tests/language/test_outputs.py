"""Outputs: mapped from a response, or constant."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Serve
from .served import API, parsed

SHIP = {
    "name": "Fram",
    "size": "39",
    "afloat": "false",
    "home": {"port": "Larvik", "berth": 7},
    "crew": [{"name": "Nansen", "age": "31"}, {"name": "Johansen", "age": "26"}],
}


async def run_outputs(serve: Serve, *outputs: str) -> list[Any]:
    """Return the value of each output (YAML) for the ship."""
    resources = [
        {
            "path": f"/{index}",
            "operations": [
                {"method": "GET", "call": "api.get", "outputParameters": [parsed(f"entry: {item}")["entry"]]}
            ],
        }
        for index, item in enumerate(outputs)
    ]
    consumed = [{"name": "ship", "path": "/ship", "operations": [{"name": "get", "method": "GET"}]}]
    capability = {
        "consumes": [{"type": "http", "namespace": "api", "baseUri": API, "resources": consumed}],
        "exposes": [{"type": "rest", "namespace": "web", "port": 0, "resources": resources}],
    }
    document = {"naftiko": "1.0.0-alpha2", "capability": capability}
    async with serve(document, responses={"/ship": SHIP}) as served:
        return [(await served.rest(f"GET /{index}")).data for index in range(len(outputs))]


@pytest.mark.shows("MappedOutputParameter")
@pytest.mark.shows("MappedOutputParameterBase", "type", "mapping", "value", "const")
@pytest.mark.shows("MappedOutputParameterString", "type", "mapping", "value", "const")
@pytest.mark.shows("MappedOutputParameterNumber", "type", "mapping", "value", "const")
@pytest.mark.shows("MappedOutputParameterBoolean", "type", "mapping", "value", "const")
async def test_scalar_output(serve: Serve) -> None:
    assert await run_outputs(
        serve,
        "{type: string, mapping: $.size}",
        "{type: string, mapping: $.home.berth}",
        "{type: string, value: '7'}",
        "{type: string, const: '8'}",
    ) == ["39", "7", "7", "8"]
    assert await run_outputs(
        serve,
        "{type: number, mapping: $.size}",
        "{type: number, value: '7'}",
        "{type: number, const: 8}",
    ) == [39, 7, 8]
    assert await run_outputs(
        serve,
        "{type: boolean, mapping: $.afloat}",
        "{type: boolean, value: 'true'}",
        "{type: boolean, const: true}",
    ) == [False, True, True]


@pytest.mark.shows("MappedOutputParameterObject", "type", "mapping", "properties", "value", "const")
async def test_object_output(serve: Serve) -> None:
    assert await run_outputs(
        serve,
        "{type: object, properties: {is: {type: string, mapping: $.name}, at: {type: string, mapping: $.home.port}}}",
        "{type: object, mapping: $.home, properties: {at: {type: string, mapping: $.port}}}",
        "{type: object, const: {a: 1}, properties: {}}",
        "{type: object, value: '{\"a\": 2}', properties: {}}",
    ) == [{"is": "Fram", "at": "Larvik"}, {"at": "Larvik"}, {"a": 1}, {"a": 2}]


@pytest.mark.shows("MappedOutputParameterArray", "type", "mapping", "items", "value", "const")
async def test_array_output(serve: Serve) -> None:
    assert await run_outputs(
        serve,
        "{type: array, mapping: $.crew, items: {type: string, mapping: $.name}}",
        "{type: array, mapping: $.crew, items: {type: object, properties: {age: {type: number, mapping: $.age}}}}",
        "{type: array, mapping: $.home, items: {type: string, mapping: $.port}}",
        "{type: array, const: [1, 2], items: {type: number, mapping: $.}}",
        "{type: array, value: '[3]', items: {type: number, mapping: $.}}",
    ) == [["Nansen", "Johansen"], [{"age": 31}, {"age": 26}], ["Larvik"], [1, 2], [3]]


@pytest.mark.shows("MockOutputParameter", "name", "type", "value")
async def test_constant_outputs(serve: Serve) -> None:
    tool = """
      name: sail
      description: Sails
      inputParameters: [{name: to, type: string, description: Where}]
      outputParameters:
        - {name: says, type: string, value: 'To {{to}}!'}
        - {name: knots, type: number, value: '12'}
        - {name: afloat, type: boolean, value: 'true'}
    """
    exposer = {"type": "mcp", "namespace": "agents", "port": 0, "tools": [parsed(tool)]}
    async with serve({"naftiko": "1.0.0-alpha2", "capability": {"exposes": [exposer]}}) as served:
        assert await served.tool("sail", to="Oslo") == {"says": "To Oslo!", "knots": 12, "afloat": True}
