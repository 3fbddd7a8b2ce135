"""Functions that exposed operations share: inherited and overridden keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
import orjson
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent, TextResourceContents
from syrupy.assertion import SnapshotAssertion

from adapter_host import Capability, Host, Operation, Problem, ProblemsError, Semantics, Settings, UpstreamStatusError
from adapter_host.compiler.loading.loader import load_document
from adapter_host.document.source import Source
from adapter_host.testing import Running, running
from tests.support.adapters import document, plain, plain_plugins

API = {
    "type": "fake",
    "namespace": "api",
    "operations": [
        {
            "name": "ship",
            "inputParameters": [
                {"name": "imo", "in": "path", "type": "string", "required": True, "description": "Its number"},
                {"name": "depth", "in": "query", "type": "integer"},
            ],
        },
        {"name": "crew", "inputParameters": [{"name": "ids", "in": "query", "type": "array"}]},
    ],
}
IMO = {"name": "imo", "type": "string", "description": "Which ship"}
SHIP = {"imo": "1", "name": "Star", "crew": [1]}

CALLED = {"name": "ship-by-imo", "description": "Gets a ship", "call": "api.ship"}
STEPS = {
    "name": "crewed",
    "description": "Gets a ship with its crew",
    "inputParameters": [IMO],
    "steps": [
        {"name": "ship", "type": "call", "call": "api.ship", "with": {"imo": "ships.imo"}},
        {"name": "crew", "type": "call", "call": "api.crew", "with": {"ids": "$.ship.crew"}},
    ],
    "mappings": [{"targetName": "name", "value": "$.ship.name"}, {"targetName": "crew", "value": "$.crew"}],
    "outputParameters": [{"name": "name", "type": "string"}, {"name": "crew", "type": "array"}],
}
MOCK = {
    "name": "mock",
    "description": "Makes one up",
    "inputParameters": [IMO],
    "outputParameters": [
        {"name": "imo", "type": "string", "value": "{{imo}}"},
        {"name": "age", "type": "number", "value": "12"},
    ],
}


def ships(*functions: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"label": "Ships", "namespace": "ships", "functions": list(functions)}]


def host(operation: dict[str, Any], *functions: dict[str, Any], **settings: Any) -> Host:
    declared = document(plain(operation), consumes=[API], aggregates=ships(*(functions or (CALLED, STEPS, MOCK))))
    return Host(declared, plugins=plain_plugins(), settings=Settings(environment={}, **settings))


def operation_of(built: Host) -> Operation:
    (operation,) = built.status()[0].exposer.operations.values()
    return operation


async def result_of(built: Host, name: str, arguments: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Return the result of an operation, and the calls it made."""
    fake = Running(built).fake("api")
    fake.responses["ship"] = lambda given: SHIP
    fake.responses["crew"] = lambda given: ["Erik"]
    await built.start(listen=False)
    try:
        return (await built.call(f"front.{name}", arguments)).data, fake.calls
    finally:
        await built.stop()


@pytest.mark.parametrize(
    ("function", "expected", "requests"),
    [
        ("ship-by-imo", SHIP, [("ship", {"imo": "1"})]),
        ("crewed", {"name": "Star", "crew": ["Erik"]}, [("ship", {"imo": "1"}), ("crew", {"ids": [1]})]),
        ("mock", {"imo": "1", "age": 12}, []),
    ],
)
async def test_function_of_each_mode(function: str, expected: Any, requests: list[Any]) -> None:
    assert await result_of(host({"ref": f"ships.{function}"}), function, {"imo": "1"}) == (expected, requests)


def test_operation_inherits_from_its_function() -> None:
    operation = operation_of(host({"ref": "ships.crewed"}))
    assert (operation.name, operation.description) == ("crewed", "Gets a ship with its crew")
    assert operation.input_schema == {
        "type": "object",
        "properties": {"imo": {"type": "string", "description": "Which ship"}},
        "required": ["imo"],
        "additionalProperties": False,
    }
    assert list((operation.output_schema or {})["properties"]) == ["name", "crew"]
    assert [target.name for target in operation.upstream] == ["ship", "crew"]


def test_function_inputs_default_to_those_of_its_target() -> None:
    inputs = {item.name: item for item in operation_of(host({"ref": "ships.ship-by-imo"})).inputs}
    assert (inputs["imo"].required, inputs["imo"].description, inputs["depth"].type) == (True, "Its number", "integer")


def test_operation_overrides_its_function() -> None:
    own = {"name": "mine", "description": "Own words", "inputParameters": [{"name": "IMO", "in": "path"}]}
    operation = operation_of(host({"ref": "ships.crewed", **own}))
    assert (operation.name, operation.description) == ("mine", "Own words")
    (declared,) = operation.inputs
    assert (declared.name, declared.in_, declared.type, declared.required) == ("IMO", "path", "string", True)


async def test_with_renames_and_fixes_inputs() -> None:
    renamed = {"name": "mine", "ref": "ships.ship-by-imo", "with": {"imo": "front.number", "depth": 3}}
    built = host(renamed)
    assert [item.name for item in operation_of(built).inputs] == ["number"]
    assert (await result_of(built, "mine", {"number": "1"}))[1] == [("ship", {"imo": "1", "depth": 3})]


@pytest.mark.parametrize(
    ("function", "outputs", "expected"),
    [
        (
            "ship-by-imo",
            [{"type": "object", "properties": {"n": {"type": "string", "mapping": "$.name"}}}],
            {"n": "Star"},
        ),
        ("crewed", [{"name": "name", "type": "string"}], {"name": "Star", "crew": ["Erik"]}),
        ("crewed", [{"type": "string", "mapping": "$.crew[0]"}], "Erik"),
        ("mock", [{"name": "id", "type": "string", "value": "no {{imo}}"}], {"id": "no 1"}),
        ("mock", [{"name": "imo", "type": "string"}], {"imo": "1", "age": 12}),
    ],
)
async def test_operation_outputs_replace_those_of_the_function(
    function: str, outputs: list[Any], expected: Any
) -> None:
    built = host({"ref": f"ships.{function}", "outputParameters": outputs})
    assert (await result_of(built, function, {"imo": "1"}))[0] == expected


def test_preview() -> None:
    operation = operation_of(host({"ref": "ships.crewed", "with": {"imo": "front.number"}}))
    assert operation.preview({"number": "1"}) == {
        "steps": [
            {"step": "ship", "operation": "api.ship", "arguments": {"imo": "1"}},
            {"step": "crew", "operation": "api.crew", "waits_for": ["ship"]},
        ]
    }


def test_exposers_see_the_semantics() -> None:
    assert operation_of(host({"ref": "ships.mock"})).semantics is None
    built = host({"ref": "ships.mock"}, {**MOCK, "semantics": {"safe": True, "cacheable": False}})
    assert operation_of(built).semantics == Semantics(safe=True, cacheable=False)


def problem(operation: dict[str, Any], *functions: dict[str, Any]) -> Problem:
    with pytest.raises(ProblemsError) as caught:
        host(operation, *functions)
    (found,) = caught.value.problems
    return found


AGAIN = {"name": "again", "description": "x", "ref": "ships.again"}


@pytest.mark.parametrize(
    ("operation", "functions", "code"),
    [
        ({"ref": "ships.crewd"}, (), "unknown-ref"),
        ({"ref": "ships"}, (), "unknown-ref"),
        ({"ref": "ships.mock"}, (MOCK, {**MOCK, "description": "Another"}), "duplicate-function"),
        ({"ref": "ships.again"}, (AGAIN,), "function-ref"),
        ({"ref": "ships.mock", "steps": STEPS["steps"]}, (), "modes"),
    ],
    ids=["similar", "unknown", "duplicate", "recursive", "modes"],
)
def test_invalid_references(
    operation: dict[str, Any], functions: tuple[dict[str, Any], ...], code: str, snapshot: SnapshotAssertion
) -> None:
    invalid = problem(operation, *functions)
    assert invalid.code == code
    assert invalid.message == snapshot


def test_function_problems_are_reported_once() -> None:
    broken = {"name": "broken", "description": "x", "call": "api.shop"}
    for functions in ((broken,), (MOCK, broken)):
        invalid = problem({"ref": f"ships.{functions[0]['name']}"}, *functions)
        assert (invalid.code, "'api.shop'" in invalid.message) == ("unknown-call", True)
    two = plain({"name": "a", "ref": "ships.broken"}, {"name": "b", "ref": "ships.broken"})
    with pytest.raises(ProblemsError) as caught:
        Host(document(two, consumes=[API], aggregates=ships(broken)), plugins=plain_plugins())
    assert len(caught.value.problems) == 1


def test_skip_invalid_leaves_out_a_broken_function() -> None:
    broken = {"name": "broken", "description": "x", "call": "api.shop"}
    exposed = plain({"name": "a", "ref": "ships.broken"}, {"name": "b", "ref": "ships.mock"})
    built = Host(
        document(exposed, consumes=[API], aggregates=ships(MOCK, broken)),
        plugins=plain_plugins(),
        settings=Settings(environment={}, skip_invalid=True),
    )
    assert operation_of(built).name == "b"
    assert {warning.code for warning in built.warnings} == {"unknown-call"}


def test_capability_document_round_trip() -> None:
    declared = document(plain({"name": "go", "ref": "ships.crewed"}), consumes=[API], aggregates=ships(STEPS))
    plugins = plain_plugins()
    capability = load_document(Source.from_data(declared), plugins, Settings(environment={})).capability
    assert isinstance(capability, Capability)
    again = capability.document()["capability"]["aggregates"]
    assert again == ships(STEPS)
    assert operation_of(Host(capability, plugins=plugins, settings=Settings(environment={}))).name == "go"


def mcp(*tools: dict[str, Any]) -> dict[str, Any]:
    return {"type": "mcp", "namespace": "agents", "port": 0, "tools": list(tools)}


def rest(*operations: dict[str, Any]) -> dict[str, Any]:
    resources = [{"path": "/ships", "operations": list(operations)}]
    return {"type": "rest", "namespace": "web", "port": 0, "resources": resources}


@asynccontextmanager
async def agent(served: Running) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient() as http,
        Client(streamable_http_client(served.url("agents"), http_client=http)) as client,
    ):
        yield client


async def test_rest_and_mcp_share_a_function() -> None:
    exposed = [
        mcp({"ref": "ships.crewed"}),
        rest({"method": "GET", "ref": "ships.crewed"}, {"method": "POST", "ref": "ships.mock"}),
    ]
    declared = document(*exposed, consumes=[API], aggregates=ships(STEPS, MOCK))
    async with running(declared) as served, agent(served) as client, aiohttp.ClientSession() as session:
        fake = served.fake("api")
        fake.responses["ship"] = lambda arguments: SHIP
        fake.responses["crew"] = lambda arguments: ["Erik"]
        (tool,) = (await client.list_tools()).tools
        assert (tool.name, tool.description) == ("crewed", "Gets a ship with its crew")
        result = await client.call_tool("crewed", {"imo": "1"})
        assert result.structured_content == {"name": "Star", "crew": ["Erik"]}
        async with session.get(f"{served.url('web')}/ships?imo=1") as response:
            assert (response.status, await response.json()) == (200, result.structured_content)
        async with session.get(f"{served.url('web')}/ships") as response:
            assert (response.status, (await response.json())["parameter"]) == (400, "imo")
        async with session.post(f"{served.url('web')}/ships", json={"imo": "1"}) as response:
            assert await response.json() == {"imo": "1", "age": 12}

        def missing(arguments: dict[str, Any]) -> Any:
            raise UpstreamStatusError(404, b'{"error":"none"}', "application/json")

        fake.responses["ship"] = missing
        result = await client.call_tool("crewed", {"imo": "1"})
        (content,) = result.content
        assert isinstance(content, TextContent)
        assert content.text == 'step \'ship\': the upstream returned 404 (Not Found)\n{"error":"none"}'
        async with session.get(f"{served.url('web')}/ships?imo=1") as response:
            assert (response.status, response.headers["X-Failed-Step"]) == (404, "ship")


async def test_resource_refers_to_a_function() -> None:
    resource = {"name": "ship", "uri": "ships://{imo}", "description": "A ship", "ref": "ships.crewed"}
    declared = document({**mcp(), "resources": [resource]}, consumes=[API], aggregates=ships(STEPS))
    async with running(declared) as served, agent(served) as client:
        served.fake("api").responses["ship"] = lambda arguments: {"name": arguments["imo"]}
        served.fake("api").responses["crew"] = lambda arguments: ["Erik"]
        (content,) = (await client.read_resource("ships://7")).contents
    assert isinstance(content, TextResourceContents)
    assert orjson.loads(content.text) == {"name": "7", "crew": ["Erik"]}


@pytest.mark.parametrize(
    ("semantics", "hints", "expected"),
    [
        (None, None, {}),
        ({}, None, {}),
        ({"safe": True}, None, {"readOnlyHint": True, "destructiveHint": False}),
        ({"safe": False}, None, {"readOnlyHint": False}),
        ({"idempotent": True}, None, {"idempotentHint": True}),
        ({"idempotent": False, "cacheable": True}, None, {"idempotentHint": False}),
        ({"safe": True}, {"readOnly": False}, {"readOnlyHint": False, "destructiveHint": False}),
        (
            {"safe": True, "idempotent": True},
            {"destructive": True, "openWorld": False},
            {"readOnlyHint": True, "destructiveHint": True, "idempotentHint": True, "openWorldHint": False},
        ),
    ],
)
async def test_semantics_become_mcp_annotations(semantics: Any, hints: Any, expected: dict[str, bool]) -> None:
    function = {**MOCK, **({} if semantics is None else {"semantics": semantics})}
    tool = {"ref": "ships.mock", **({} if hints is None else {"hints": hints})}
    declared = document(mcp(tool), consumes=[API], aggregates=ships(function))
    async with running(declared) as served, agent(served) as client:
        (offered,) = (await client.list_tools()).tools
    annotations = offered.annotations
    assert (annotations.model_dump(by_alias=True, exclude_none=True) if annotations else {}) == expected
