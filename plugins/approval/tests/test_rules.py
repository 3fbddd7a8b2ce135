"""Which calls need an approval: policies of exposers and operations, and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from adapter_host import ApprovalRequiredError, Host, Plugins, ProblemsError, Settings
from adapter_host.testing import FakePlugin, running

from .conftest import API, APPROVED, INPUTS, PAGE, document, rest

LINES = {"name": "lines", "type": "array", "required": False}
NESTED = {"name": "order", "type": "object", "required": False}
OPTIONAL = [{**each, "required": False} for each in INPUTS]
READ_ONLY = {"hint": {"readOnly": True}}
DESTRUCTIVE = {"hint": {"destructive": True}}


def mcp(keys: Mapping[str, Any], **config: Any) -> dict[str, Any]:
    """Return an MCP exposer of the refunds."""
    tool = {"name": "refund", "description": "Refunds", "call": "shop.refund", "inputParameters": OPTIONAL, **keys}
    return {"type": "mcp", "namespace": "mcp", "port": 0, "tools": [tool], **config}


async def needs(arguments: Mapping[str, Any], exposer: Mapping[str, Any]) -> bool:
    """Return whether a call needs an approval; check that the API receives it only if it does not."""
    consumed = {**API, "operations": [{"name": "refund", "method": "POST", "inputParameters": exposer_inputs(exposer)}]}
    async with running(document(exposer, consumed=consumed)) as served:
        try:
            await served.host.call("mcp.refund", arguments)
        except ApprovalRequiredError:
            assert served.fake("shop").calls == []
            return True
        assert served.fake("shop").calls == [("refund", arguments)]
        return False


def exposer_inputs(exposer: Mapping[str, Any]) -> Any:
    return exposer["tools"][0]["inputParameters"]


@pytest.mark.parametrize(
    ("condition", "arguments", "expected"),
    [
        ({"argument": "amount", "over": 100}, {"amount": 100}, False),
        ({"argument": "amount", "over": 100}, {"amount": 100.5}, True),
        ({"argument": "amount", "over": 100}, {"amount": 2**70}, True),
        ({"argument": "amount", "over": 100}, {}, True),
        ({"argument": "order", "over": 100}, {"order": "99"}, True),
        ({"argument": "amount", "under": 0}, {"amount": -1}, True),
        ({"argument": "amount", "under": 0}, {"amount": 0}, False),
        ({"argument": "order", "equals": ["prod", "live"]}, {"order": "PROD"}, True),
        ({"argument": "order", "equals": ["prod"]}, {"order": "test"}, False),
        ({"argument": "order", "equals": ["prod"]}, {}, False),
        ({"argument": "amount", "equals": [1]}, {"amount": 1}, True),
        ({"argument": "order"}, {}, False),
        ({"argument": "order"}, {"order": ""}, True),
        ({"method": "post"}, {}, True),
        ({"method": ["DELETE", "PUT"]}, {}, False),
        ({"method": "POST", "argument": "amount", "over": 5}, {"amount": 5}, False),
        (READ_ONLY, {}, False),
        (DESTRUCTIVE, {}, True),
        ({"hint": {"idempotent": False}}, {}, True),
        ({"hint": {"openWorld": False}}, {}, False),
        ({"tag": "money"}, {}, False),
    ],
)
async def test_conditions(condition: Mapping[str, Any], arguments: Mapping[str, Any], expected: bool) -> None:
    assert await needs(arguments, mcp({"x-approval": {"when": [condition]}})) is expected


@pytest.mark.parametrize(
    ("path", "arguments", "expected"),
    [
        ("$.order.total", {"order": {"total": 101}}, True),
        ("$.order.total", {"order": {"total": 99}}, False),
        ("$.order.total", {"order": {}}, True),
        ("$.lines[*].price", {"lines": [{"price": 1}, {"price": 101}]}, True),
        ("$.lines[*].price", {"lines": [{"price": 1}]}, False),
        ("$.lines[*].price", {"lines": []}, True),
        ("$.lines[?@.gift == true].price", {"lines": [{"price": 1, "gift": True}]}, False),
    ],
)
async def test_paths(path: str, arguments: Mapping[str, Any], expected: bool) -> None:
    exposer = mcp({"x-approval": {"when": [{"argument": path, "over": 100}]}, "inputParameters": [LINES, NESTED]})
    assert await needs(arguments, exposer) is expected


@pytest.mark.parametrize(
    ("operation", "exposer", "expected"),
    [
        ({}, APPROVED, True),
        ({"x-approval": False}, APPROVED, False),
        ({"x-approval": {"when": [READ_ONLY]}}, APPROVED, False),
        (APPROVED, {"x-approval": False}, True),
        ({"x-approval": {}}, {}, True),
        ({"tags": ["money"]}, {"x-approval": {"when": [{"tag": ["money", "admin"]}]}}, True),
        ({"hints": {"destructive": False}}, {"x-approval": {"when": [DESTRUCTIVE]}}, False),
        ({"hints": {"readOnly": True}}, {"x-approval": {"when": [DESTRUCTIVE]}}, False),
        ({"hints": {"readOnly": True}}, {"x-approval": {"when": [DESTRUCTIVE, READ_ONLY]}}, True),
        ({}, {"x-approval": {"when": [{"argument": "unknown", "over": 1}]}}, True),
        ({}, {}, False),
    ],
)
async def test_policies(operation: Mapping[str, Any], exposer: Mapping[str, Any], expected: bool) -> None:
    assert await needs({"amount": 1}, mcp(operation, **exposer)) is expected


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"x-approval": {"when": [{"argument": "sum", "over": 1}]}}, "no input has the name 'sum'"),
        ({"x-approval": {"when": [{"argument": "$.[", "over": 1}]}}, "is not a JSONPath"),
        ({"x-approval": {"when": [{"over": 1}]}}, "'over' needs an 'argument'"),
        ({"x-approval": {"when": [{"argument": "amount", "over": 1, "under": 2}]}}, "exclude each other"),
        ({"x-approval": {"when": [{}]}}, "a condition is empty"),
        ({"x-approval": {"when": [{"hint": {"harmless": True}}]}}, "unknown key 'harmless'"),
        ({"x-approval": {"whenever": []}}, "unknown key 'whenever'"),
        ({"x-approval": "always"}, "x-approval"),
        ({"x-approval": {"ask": "page"}}, "nobody can approve 'refund'; add an exposer of type 'approval'"),
        ({"x-approval": {"approvers": ["boss"]}}, "nobody can approve 'refund'"),
        ({"inputParameters": [{**INPUTS[0], "x-approval": True}]}, "'x-approval' has no effect here"),
    ],
)
def test_invalid_policies(operation: Mapping[str, Any], message: str) -> None:
    assert message in problems(document(mcp(operation)))


def test_approvers_need_names() -> None:
    key = {"type": "apikey", "in": "header", "key": "X-Key", "value": "k3y"}
    policy = {"x-approval": {"approvers": ["boss"]}}
    for page in ({**PAGE, "authentication": key}, {k: v for k, v in PAGE.items() if k != "authentication"}):
        assert "'approvers' are names" in problems(document(mcp(policy), page))


@pytest.mark.parametrize("place", ["consumed", "root", "capability"])
def test_misplaced_key(place: str) -> None:
    data = document(mcp({}))
    section = {"consumed": data["capability"]["consumes"][0], "root": data, "capability": data["capability"]}[place]
    section["x-approval"] = True
    assert "'x-approval' has no effect here; set it on an exposer or on one of its operations" in problems(data)


def test_forwards_cannot_wait() -> None:
    api = {"type": "http", "namespace": "shop", "baseUri": "http://localhost", "resources": []}
    resource = {"path": "/all/{path}", "forward": {"targetNamespace": "shop"}}
    exposer = {"type": "rest", "namespace": "rest", "port": 0, "resources": [resource], **APPROVED}
    assert "'x-approval' is not possible for a 'forward'" in problems(document(exposer, consumed=api))


def test_document_is_not_served_without_the_plugin() -> None:
    plugins = Plugins.installed(disabled=["approval"])
    assert "'x-approval' has no effect: its plugin 'approval' is disabled" in problems(document(rest()), plugins)


def problems(data: Mapping[str, Any], plugins: Plugins | None = None) -> str:
    """Return the problems of an invalid document."""
    plugins = plugins or Plugins.installed()
    plugins.register("fake", FakePlugin())
    with pytest.raises(ProblemsError) as caught:
        Host(data, plugins=plugins, settings=Settings(environment={}))
    return str(caught.value)
