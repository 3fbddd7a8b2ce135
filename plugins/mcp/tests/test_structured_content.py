"""Structured content meets the output schema that clients get, whatever the upstream sends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mcp import Client
from mcp_types import TextContent

import adapter_host_mcp
from adapter_host import Host, Plugins, Result, Settings
from adapter_host.testing import FakePlugin, Running, running
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.features.declared_tools import prepare_tools
from adapter_host_mcp.features.tool_calls import compile_call
from adapter_host_mcp.features.tools import Tool


def document(*tools: Mapping[str, Any]) -> dict[str, Any]:
    exposer = {"type": "mcp", "namespace": "shop", "port": 0, "tools": list(tools)}
    stock = {"type": "fake", "namespace": "stock", "operations": [{"name": "get"}]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [stock], "exposes": [exposer]}}


def tool(name: str, *outputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Gets", "call": "stock.get", "outputParameters": list(outputs), **more}


PATHS = st.sampled_from(["$.a", "$.b", "$.a[0]", "$.a.b", "$.missing", "$.", "$.a[*].b", "$..b"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "7", "1.5", "true", "1e999", "123456789012345678901"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "n"]), inner, max_size=3),
    max_leaves=8,
)
CONSTANTS = st.sampled_from(["n/a", "5", "true", "[1]", '{"a": 1}', 5, 1.5, True, [1], {"a": "x"}])


def typed(name: str, **more: Any) -> st.SearchStrategy[dict[str, Any]]:
    source = st.fixed_dictionaries({}, optional={"mapping": PATHS}) | st.fixed_dictionaries({"value": CONSTANTS})
    return source.map(lambda found: {"type": name, **more, **found})


SCALARS = st.sampled_from(["string", "number", "integer", "boolean", "object", "array"]).flatmap(typed)
OUTPUTS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["a", "b"]), inner, min_size=1, max_size=2).flatmap(
            lambda properties: typed("object", properties=properties)
        ),
        inner.flatmap(lambda items: typed("array", items=items)),
    ),
    max_leaves=5,
)
STEPS = [{"name": "got", "type": "call", "call": "stock.get"}]
MAPPINGS = [{"targetName": "a", "value": "$.got.a"}, {"targetName": "b", "value": "$.got.b"}]
UNITS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    OUTPUTS.map(lambda output: {"call": "stock.get", "outputParameters": [output]}),
    st.tuples(OUTPUTS, OUTPUTS, st.booleans()).map(
        lambda made: {
            "steps": STEPS,
            **({"mappings": MAPPINGS} if made[2] else {}),
            "outputParameters": [{"name": "a", **made[0]}, {"name": "b", **made[1]}],
        }
    ),
)


def build(unit: Mapping[str, Any], response: Any) -> Tool:
    """Build a tool whose upstream sends `response`; bytes are sent unchanged."""
    plugins = Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})
    host = Host(
        document({"name": "do", "description": "d", **unit}), plugins=plugins, settings=Settings(environment={})
    )
    exposer = host.status()[0].exposer
    assert isinstance(exposer, McpExposer)
    body = response if isinstance(response, bytes) else None
    Running(host).fake("stock").responses["get"] = lambda _: Result(body=body, data=response)
    return prepare_tools(exposer.config, exposer.operations, exposer.context)["do"]


@settings(max_examples=400, deadline=None)
@given(UNITS, JSON | st.just(b""), st.booleans())
def test_structured_content_meets_the_schema(unit: dict[str, Any], response: Any, stateless: bool) -> None:
    made = build(unit, response)
    schema = made.definition(allow_any_json=stateless).get("outputSchema")
    members, _ = asyncio.run(compile_call(made)({}, {}, allow_any_json=stateless))
    result = orjson.loads(b"{%b}" % members)
    assert not result["isError"]
    assert schema is None or "structuredContent" in result
    if schema is not None:
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(result["structuredContent"])
        assert (schema["type"], type(result["structuredContent"])) == ("object", dict)


MISSING = "$.nope"
NESTED = {"type": "object", "properties": {"a": {"type": "string", "mapping": "$.k"}}}
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "text": ({"type": "string", "mapping": MISSING}, {"result": None}),
    "object": ({**NESTED, "mapping": MISSING}, {}),
    "array": ({"type": "array", "mapping": MISSING, "items": {"type": "string"}}, {"result": None}),
    "object-as-text": ({"type": "string", "mapping": "$."}, {"result": None}),
    "constant": ({"type": "number", "value": "n/a"}, {"result": None}),
    "field": (NESTED, {"a": None}),
    "elements": (
        {"type": "array", "mapping": "$.list", "items": {"type": "number"}},
        {"result": [1, None, 123456789012345678901]},
    ),
}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_official_client_accepts_every_result(mode: str) -> None:
    tools = [tool(name, output) for name, (output, _) in CASES.items()]
    async with running(document(*tools)) as served, Client(served.url("shop"), mode=mode) as client:
        served.fake("stock").responses["get"] = lambda _: {"k": None, "list": [1, "x", "123456789012345678901"]}
        for name, (_, structured) in CASES.items():
            result = await client.call_tool(name, {})
            assert (name, result.structured_content) == (name, structured)
            (content,) = result.content
            assert isinstance(content, TextContent)
        served.fake("stock").responses["get"] = lambda _: Result(status=204, body=b"")
        for name, (output, _) in CASES.items():
            result = await client.call_tool(name, {})
            empty = {} if output["type"] == "object" else {"result": None}
            assert (name, result.content, result.structured_content) == (name, [], empty)
