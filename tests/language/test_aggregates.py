"""Functions that exposed operations share."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Inspect, Serve
from .served import API, parsed

CONSUMES = f"""
  - type: http
    namespace: api
    baseUri: {API}
    resources:
      - name: ships
        path: /ships
        operations:
          - {{name: find, method: GET, inputParameters: [{{name: q, in: query}}]}}
          - {{name: add, method: POST}}
"""


def aggregates(text: str, *refs: str) -> dict[str, Any]:
    """Return a document with aggregates, and a tool for each function in `refs`."""
    tools = [{"name": ref.partition(".")[2], "ref": ref} for ref in refs]
    exposer = {"type": "mcp", "namespace": "agents", "port": 0, "tools": tools}
    data = parsed(f"consumes: {CONSUMES}\naggregates:\n{text}")
    return {"naftiko": "1.0.0-alpha2", "capability": {**data, "exposes": [exposer]}}


@pytest.mark.shows("Capability", "aggregates")
@pytest.mark.shows("Aggregate", "namespace", "functions")
@pytest.mark.shows("AggregateFunction", "name", "description", "inputParameters", "call", "with", "steps", "mappings")
@pytest.mark.shows("AggregateFunction", "outputParameters")
async def test_functions_are_shared_by_ref(serve: Serve) -> None:
    text = """
      - label: Fleet
        namespace: fleet
        functions:
          - name: find
            description: Finds a ship
            inputParameters: [{name: ship, type: string, description: Which}]
            call: api.find
            with: {q: fleet.ship}
          - {name: shaped, description: A, call: api.add, outputParameters: [{type: string, mapping: $.method}]}
          - name: stepped
            description: A
            steps: [{type: call, name: one, call: api.add}]
            mappings: [{targetName: how, value: $.one.method}]
          - {name: last, description: A, steps: [{type: call, name: one, call: api.add}]}
          - {name: mocked, description: A, outputParameters: [{name: a, type: string, value: b}]}
      - label: Other
        namespace: other
        functions: [{name: mocked, description: A, outputParameters: [{name: a, type: string, value: other}]}]
    """
    names = ("find", "shaped", "stepped", "last", "mocked")
    document = aggregates(text, *(f"fleet.{name}" for name in names))
    document["capability"]["exposes"][0]["tools"].append({"name": "others", "ref": "other.mocked"})
    async with serve(document) as served:
        tools = await served.tools()
        assert (await served.tool("find", ship="Fram"))["query"] == {"q": ["Fram"]}
        assert await served.tool("shaped") == "POST"
        assert await served.tool("stepped") == {"how": "POST"}
        assert (await served.tool("last"))["method"] == "POST"
        assert await served.tool("mocked") == {"a": "b"}
        assert await served.tool("others") == {"a": "other"}
    assert list(tools) == [*names, "others"]
    assert tools["find"]["description"] == "Finds a ship"
    assert tools["find"]["inputSchema"]["properties"] == {"ship": {"type": "string", "description": "Which"}}


@pytest.mark.shows("AggregateFunction", "semantics")
@pytest.mark.shows("Semantics", "safe", "idempotent")
async def test_semantics_become_hints(serve: Serve) -> None:
    text = """
      - label: Fleet
        namespace: fleet
        functions:
          - {name: bare, description: A, call: api.find}
          - {name: safe, description: A, call: api.find, semantics: {safe: true, idempotent: true}}
          - {name: unsafe, description: A, call: api.find, semantics: {safe: false, idempotent: false}}
    """
    async with serve(aggregates(text, "fleet.bare", "fleet.safe", "fleet.unsafe")) as served:
        tools = {name: tool.get("annotations") for name, tool in (await served.tools()).items()}
    assert tools == {
        "bare": None,
        "safe": {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True},
        "unsafe": {"readOnlyHint": False, "idempotentHint": False},
    }


@pytest.mark.shows("Aggregate", "label")
@pytest.mark.shows("Semantics", "cacheable")
def test_inspect_shows_aggregates(inspect: Inspect) -> None:
    text = """
      - label: The fleet
        namespace: fleet
        functions: [{name: find, description: Finds, call: api.find, semantics: {cacheable: true}}]
    """
    (inspected,) = inspect(aggregates(text, "fleet.find"))["aggregates"]
    function = {"name": "find", "description": "Finds", "semantics": {"cacheable": True}}
    assert inspected == {"namespace": "fleet", "label": "The fleet", "functions": [function]}
