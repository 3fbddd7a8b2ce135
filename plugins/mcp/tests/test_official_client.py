"""The official client, with the handshake and stateless."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult
from syrupy.assertion import SnapshotAssertion

from adapter_host import Result, UpstreamStatusError, UpstreamTimeoutError

MODES = ["legacy", "auto", "2026-07-28"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_newest_versions_are_negotiated(shop: Any) -> None:
    async with Client(shop.url, mode="legacy") as old, Client(shop.url, mode="auto") as new:
        assert (old.session.protocol_version, new.session.protocol_version) == ("2025-11-25", "2026-07-28")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_server_info(shop: Any, mode: str) -> None:
    async with Client(shop.url, mode=mode) as client:
        info = client.server_info
        assert info is not None
        assert (info.name, info.title, info.version) == ("shop", "Shop", "2.1.0")
        assert client.instructions == "Sells things"


async def test_list_tools(shop: Any, mode: str) -> None:
    async with Client(shop.url, mode=mode) as client:
        item, items = (await client.list_tools()).tools
    assert (item.name, item.title, item.description) == ("get-item", "Get an item", "Reads one item")
    assert item.annotations is not None
    assert item.annotations.model_dump(exclude_none=True) == {
        "title": "Get an item",
        "read_only_hint": True,
        "open_world_hint": False,
    }
    assert item.input_schema == {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "note": {"type": "string", "description": "Anything"}},
        "required": ["id"],
        "additionalProperties": False,
    }
    assert (items.name, items.annotations) == ("list-items", None)


async def test_object_result_is_text_and_structured(shop: Any, mode: str) -> None:
    body = b'{ "id": 7, "price": 1.50, "left": null }'
    shop.stock.responses["get"] = lambda _: Result(body=body)
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", {"id": 7, "note": "n"})
    assert not result.is_error
    assert text_of(result) == body.decode()
    assert result.structured_content == {"id": 7, "price": 1.5, "left": None}
    assert shop.stock.calls == [("get", {"id": 7, "note": "n"})]


@pytest.mark.parametrize(("mode", "structured"), [("legacy", None), ("2026-07-28", [1, 2])])
async def test_array_result_is_structured_in_stateless_revisions(shop: Any, mode: str, structured: Any) -> None:
    shop.stock.responses["list"] = lambda _: [1, 2]
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("list-items")
    assert text_of(result) == "[1,2]"
    assert result.structured_content == structured


async def test_image_result(shop: Any, mode: str) -> None:
    shop.stock.responses["list"] = lambda _: Result(body=b"\x89PNG", media_type="image/png")
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("list-items")
    assert content_of(result) == [{"type": "image", "mime_type": "image/png", "data": "iVBORw=="}]


async def test_empty_result(shop: Any, mode: str) -> None:
    shop.stock.responses["list"] = lambda _: Result(status=204, body=b"", media_type="")
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("list-items")
    assert (result.content, result.structured_content, result.is_error) == ([], None, False)


@pytest.mark.parametrize(
    "arguments", [{}, {"id": "seven"}, {"id": 7, "zebra": 8}], ids=["missing", "wrong type", "unknown"]
)
async def test_invalid_arguments_are_tool_errors(
    shop: Any, mode: str, arguments: dict[str, Any], snapshot: SnapshotAssertion
) -> None:
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", arguments)
    assert result.is_error
    assert text_of(result) == snapshot
    assert shop.stock.calls == []


async def test_upstream_error_is_a_tool_error(shop: Any, mode: str, snapshot: SnapshotAssertion) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise UpstreamStatusError(404, b'{"error":"no such item"}', "application/json")

    shop.stock.responses["get"] = refuse
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", {"id": 7})
    assert result.is_error
    assert text_of(result) == snapshot


async def test_upstream_timeout_is_a_tool_error(shop: Any, mode: str) -> None:
    def late(_: dict[str, Any]) -> None:
        raise UpstreamTimeoutError("upstream timeout")

    shop.stock.responses["get"] = late
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", {"id": 7})
    assert (result.is_error, text_of(result)) == (True, "upstream timeout")


async def test_unknown_tool(shop: Any, mode: str) -> None:
    async with Client(shop.url, mode=mode) as client:
        with pytest.raises(MCPError, match="Unknown tool: get-itme") as caught:
            await client.call_tool("get-itme", {})
    assert caught.value.code == -32602


async def test_internal_error_hides_details(shop: Any, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise RuntimeError("a detail")

    shop.stock.responses["get"] = fail
    async with Client(shop.url, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("get-item", {"id": 7})
    assert (caught.value.code, caught.value.message) == (-32603, "Internal error")
    assert caught.value.data["request_id"] in caplog.text
    assert "a detail" in caplog.text


def content_of(result: CallToolResult) -> list[dict[str, Any]]:
    """Return the content of a result as plain data."""
    return [content.model_dump(exclude_none=True) for content in result.content]


def text_of(result: CallToolResult) -> str:
    """Return the text of a result that is a single text."""
    (content,) = content_of(result)
    assert content["type"] == "text"
    return str(content["text"])
