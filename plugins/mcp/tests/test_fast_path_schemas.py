"""Tools that the fast path lists and calls without the SDK."""

from __future__ import annotations

from typing import Any

import pytest

import adapter_host_mcp
from adapter_host import Host, Plugins
from adapter_host.testing import FakePlugin
from adapter_host_mcp.discovery import _is_schema, fit_fast_path
from adapter_host_mcp.exposer import McpExposer


def test_usual_tools_fit(shop_document: dict[str, Any]) -> None:
    exposer = Host(shop_document, plugins=Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()})).status()[0].exposer
    assert isinstance(exposer, McpExposer)
    assert fit_fast_path([*exposer.tools.values()])


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "object"}, True),
        ({"type": "object", "properties": {}, "required": [], "additionalProperties": False}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "description": "A"}, True),
        ({"type": "array"}, False),
        ({"properties": {}}, False),
        ({}, False),
        ({"type": "object", "$ref": "#/x"}, False),
        ({"type": "object", "properties": []}, False),
        ({"type": "object", "properties": {"a": True}}, False),
        ({"type": "object", "required": "a"}, False),
        ([], False),
        (True, False),
    ],
    ids=str,
)
def test_schemas(schema: Any, *, fits: bool) -> None:
    assert _is_schema(schema) is fits
