"""Content of every kind, as the members of a result."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from adapter_host import Result, UpstreamStatusError
from adapter_host_mcp.features.tool_results import failure

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
async def test_each_media_type_has_its_content(
    shop: Any, body: bytes, media_type: str, content: dict[str, Any]
) -> None:
    result = await answered(shop, Result(body=body, media_type=media_type))
    (given,) = result["content"]
    if given["type"] == "resource":
        given["resource"]["uri"], _, unique = given["resource"]["uri"].rpartition("/")
        assert str(UUID(unique)) == unique
    assert result == {"content": [content], "isError": False}


async def test_no_two_blobs_have_one_uri(shop: Any) -> None:
    uris = [
        (await answered(shop, Result(body=b"PK", media_type="application/zip")))["content"][0]["resource"]["uri"]
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
        (b"\xef\xbb\xbf{}", None),
        (b'{"a":NaN}', None),
        (b'{"a":"\xff"}', None),
    ],
)
async def test_json_is_embedded_as_it_came_if_it_is_an_object(
    shop: Any, body: bytes, structured: Any, version: str | None
) -> None:
    answer = Result(body=body, media_type="application/vnd.shop+json; charset=utf-8")
    result = await answered(shop, answer, version)
    assert result["content"] == [{"type": "text", "text": body.decode(errors="replace")}]
    assert result.get("structuredContent") == structured


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UpstreamStatusError(500), "the upstream responded with 500 (Internal Server Error)"),
        (UpstreamStatusError(599, b"x", "text/plain"), "the upstream responded with 599\nx"),
        (UpstreamStatusError(404, b"<p>", "text/html"), "the upstream responded with 404 (Not Found)\n<p>"),
        (UpstreamStatusError(400, b"why"), "the upstream responded with 400 (Bad Request)\nwhy"),
        (
            UpstreamStatusError(400, b"\xff\x00"),
            "the upstream responded with 400 (Bad Request)\n[2 bytes of unknown content]",
        ),
        (
            UpstreamStatusError(418, PNG, "image/png"),
            "the upstream responded with 418 (I'm a Teapot)\n[6 bytes of image/png]",
        ),
    ],
)
def test_an_upstream_error_is_told_in_text(error: UpstreamStatusError, text: str) -> None:
    members = orjson.loads(b"{%b}" % failure(error))
    assert members == {"content": [{"type": "text", "text": text}], "isError": True}


async def answered(shop: Any, answer: Result, version: str | None = None) -> Any:
    shop.stock.answers["list"] = lambda _: answer
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list-items"}}
    status, message = await shop.post(call, mcp_protocol_version=version)
    assert status == 200
    return message["result"]
