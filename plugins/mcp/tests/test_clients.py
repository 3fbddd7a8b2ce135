"""The official client, by the handshake and without it."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult

from adapter_host import Result, UpstreamStatusError, UpstreamTimeoutError

MODES = ["legacy", "auto", "2026-07-28"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_the_newest_revision_of_each_era_is_spoken(shop: Any) -> None:
    async with Client(shop.url, mode="legacy") as old, Client(shop.url, mode="auto") as new:
        assert (old.session.protocol_version, new.session.protocol_version) == ("2025-11-25", "2026-07-28")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_server_says_who_it_is(shop: Any, mode: str) -> None:
    async with Client(shop.url, mode=mode) as client:
        info = client.server_info
        assert info is not None
        assert (info.name, info.title, info.version) == ("shop", "Shop", "2.1.0")
        assert client.instructions == "Sells things"


async def test_tools_are_listed_as_declared(shop: Any, mode: str) -> None:
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


async def test_an_object_comes_as_text_and_as_structure(shop: Any, mode: str) -> None:
    body = b'{ "id": 7, "price": 1.50, "left": null }'
    shop.stock.answers["get"] = lambda _: Result(body=body)
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", {"id": 7, "note": "n"})
    assert not result.is_error
    assert text(result) == body.decode()
    assert result.structured_content == {"id": 7, "price": 1.5, "left": None}
    assert shop.stock.calls == [("get", {"id": 7, "note": "n"})]


@pytest.mark.parametrize(("mode", "structured"), [("legacy", None), ("2026-07-28", [1, 2])])
async def test_an_array_is_structure_where_the_revision_allows_it(shop: Any, mode: str, structured: Any) -> None:
    shop.stock.answers["list"] = lambda _: [1, 2]
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("list-items")
    assert text(result) == "[1,2]"
    assert result.structured_content == structured


async def test_an_image_comes_as_an_image(shop: Any, mode: str) -> None:
    shop.stock.answers["list"] = lambda _: Result(body=b"\x89PNG", media_type="image/png")
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("list-items")
    assert told(result) == [{"type": "image", "mime_type": "image/png", "data": "iVBORw=="}]


async def test_nothing_is_no_error(shop: Any, mode: str) -> None:
    shop.stock.answers["list"] = lambda _: Result(status=204, body=b"", media_type="")
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("list-items")
    assert (result.content, result.structured_content, result.is_error) == ([], None, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "'id' is required"),
        ({"id": "seven"}, "'id' must be an integer (given \"seven\")"),
        ({"id": 7, "zebra": 8}, "unknown parameter 'zebra' (known: id, note)"),
    ],
)
async def test_a_wrong_argument_is_told_to_the_model(
    shop: Any, mode: str, arguments: dict[str, Any], message: str
) -> None:
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", arguments)
    assert result.is_error
    assert text(result) == message
    assert shop.stock.calls == []


async def test_an_upstream_error_keeps_its_status_and_body(shop: Any, mode: str) -> None:
    def refuse(_: dict[str, Any]) -> None:
        raise UpstreamStatusError(404, b'{"error":"no such item"}', "application/json")

    shop.stock.answers["get"] = refuse
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", {"id": 7})
    assert result.is_error
    assert text(result) == 'the upstream responded with 404 (Not Found)\n{"error":"no such item"}'


async def test_another_failure_is_told_in_its_words(shop: Any, mode: str) -> None:
    def late(_: dict[str, Any]) -> None:
        raise UpstreamTimeoutError("the upstream did not answer in 5 s")

    shop.stock.answers["get"] = late
    async with Client(shop.url, mode=mode) as client:
        result = await client.call_tool("get-item", {"id": 7})
    assert (result.is_error, text(result)) == (True, "the upstream did not answer in 5 s")


async def test_an_unknown_tool_is_named(shop: Any, mode: str) -> None:
    async with Client(shop.url, mode=mode) as client:
        with pytest.raises(MCPError, match="Unknown tool: get-itme") as caught:
            await client.call_tool("get-itme", {})
    assert caught.value.code == -32602


async def test_our_own_failure_tells_no_details(shop: Any, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: dict[str, Any]) -> None:
        raise RuntimeError("a detail")

    shop.stock.answers["get"] = fail
    async with Client(shop.url, mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("get-item", {"id": 7})
    assert (caught.value.code, caught.value.message) == (-32603, "Internal error")
    assert caught.value.data["request_id"] in caplog.text
    assert "a detail" in caplog.text


def told(result: CallToolResult) -> list[dict[str, Any]]:
    """Return the content of a result, as plain data."""
    return [content.model_dump(exclude_none=True) for content in result.content]


def text(result: CallToolResult) -> str:
    """Return the content of a result that is one text."""
    (content,) = told(result)
    assert content["type"] == "text"
    return str(content["text"])
