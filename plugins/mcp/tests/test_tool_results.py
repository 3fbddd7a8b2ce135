"""Results of tools by media type."""

from __future__ import annotations

from codecs import BOM_UTF8
from typing import Any
from uuid import UUID

import orjson
import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import Result, UpstreamStatusError
from adapter_host_mcp.features.tool_results import error_members

PNG = b"\x89PNG\r\n"


@pytest.mark.parametrize(
    ("body", "media_type", "content"),
    [
        (b"hello", "text/plain", {"type": "text", "text": "hello"}),
        ("é".encode("latin-1"), "text/plain; charset=iso-8859-1", {"type": "text", "text": "é"}),
        ("é".encode(), 'text/plain; charset="utf-8"', {"type": "text", "text": "é"}),
        (b"a\xffb", "text/plain", {"type": "text", "text": "a\ufffdb"}),
        (b"a", "text/plain; charset=no-such-thing", {"type": "text", "text": "a"}),
        (b"a", "text/plain; charset=base64", {"type": "text", "text": "a"}),
        (b"<a/>", "application/xml", {"type": "text", "text": "<a/>"}),
        (b"<svg/>", "image/svg+xml", {"type": "text", "text": "<svg/>"}),
        (b"a: 1", "application/yaml", {"type": "text", "text": "a: 1"}),
        (b"a: 1", "application/x-yaml", {"type": "text", "text": "a: 1"}),
        (b'{"a":1}\n', "application/x-ndjson", {"type": "text", "text": '{"a":1}\n'}),
        (b"hello", "", {"type": "text", "text": "hello"}),
        (PNG, "image/png", {"type": "image", "data": "iVBORw0K", "mimeType": "image/png"}),
        (PNG, "IMAGE/PNG; q=1", {"type": "image", "data": "iVBORw0K", "mimeType": "image/png"}),
        (b"RIFF", "audio/wav", {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"}),
        (
            b"PK",
            "application/zip",
            {
                "type": "resource",
                "resource": {"uri": "tool://shop/list-items", "blob": "UEs=", "mimeType": "application/zip"},
            },
        ),
        (
            b"\xff\x00",
            "",
            {
                "type": "resource",
                "resource": {
                    "uri": "tool://shop/list-items",
                    "blob": "/wA=",
                    "mimeType": "application/octet-stream",
                },
            },
        ),
    ],
)
async def test_tool_content_by_media_type(shop: Any, body: bytes, media_type: str, content: dict[str, Any]) -> None:
    result = await call_tool(shop, Result(body=body, media_type=media_type))
    (content_item,) = result["content"]
    if content_item["type"] == "resource":
        content_item["resource"]["uri"], _, unique = content_item["resource"]["uri"].rpartition("/")
        assert str(UUID(unique)) == unique
    assert result == {"content": [content], "isError": False}


async def test_blob_uris_are_unique(shop: Any) -> None:
    uris = [
        (await call_tool(shop, Result(body=b"PK", media_type="application/zip")))["content"][0]["resource"]["uri"]
        for _ in range(2)
    ]
    assert len(set(uris)) == 2


@pytest.mark.parametrize("version", [None, "2025-11-25"])
@pytest.mark.parametrize(
    ("body", "structured"),
    [
        (b'{"big":123456789012345678901234567890}', {"big": 123456789012345678901234567890}),
        (b'{"a":null}', {"a": None}),
        (b"{}", {}),
        (b'[{"a":1}]', None),
        (b'"text"', None),
        (b"null", None),
        (b"{", None),
        (b"\xef\xbb\xbf{}", {}),
        (b'{"a":NaN}', None),
        (b'{"a":"\xff"}', None),
    ],
)
async def test_structured_content_of_json(shop: Any, body: bytes, structured: Any, version: str | None) -> None:
    response = Result(body=body, media_type="application/vnd.shop+json; charset=utf-8")
    result = await call_tool(shop, response, version)
    assert result["content"] == [{"type": "text", "text": body.removeprefix(BOM_UTF8).decode(errors="replace")}]
    assert result.get("structuredContent") == structured


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(UpstreamStatusError(500), id="no body"),
        pytest.param(UpstreamStatusError(599, b"x", "text/plain"), id="unknown status"),
        pytest.param(UpstreamStatusError(404, b"<p>", "text/html"), id="HTML"),
        pytest.param(UpstreamStatusError(400, b"why"), id="text without a type"),
        pytest.param(UpstreamStatusError(400, b"\xff\x00"), id="bytes without a type"),
        pytest.param(UpstreamStatusError(418, PNG, "image/png"), id="image"),
    ],
)
def test_upstream_error_text(error: UpstreamStatusError, snapshot: SnapshotAssertion) -> None:
    members = orjson.loads(b"{%b}" % error_members(error))
    text = members["content"][0].pop("text")
    details = members.pop("_meta")["adapter-host/error"]
    assert members == {"content": [{"type": "text"}], "isError": True}
    assert details.pop("request_id").isalnum()
    assert details == {"type": "UpstreamStatusError", "upstream_status": error.upstream_status, "sent": True}
    assert str(error.upstream_status) in text
    assert text == snapshot


async def call_tool(shop: Any, response: Result, version: str | None = None) -> Any:
    shop.stock.responses["list"] = lambda _: response
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list-items"}}
    status, message = await shop.post(call, mcp_protocol_version=version)
    assert status == 200
    return message["result"]
