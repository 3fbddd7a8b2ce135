"""Binary responses, from a real API to real clients: over REST, and over MCP in both generations.

Invalid documents are in `bad/binary.yaml` and `bad/binary-keys.yaml`.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mcp import Client, MCPError
from mcp_types import AudioContent, BlobResourceContents, EmbeddedResource, ImageContent, TextContent
from openapi_spec_validator import validate

from adapter_host.cli import main
from adapter_host.testing import Running, running

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MIB = 2**20
MODES = ["legacy", "2026-07-28"]

EACH_MODE = pytest.mark.parametrize("mode", MODES)


@dataclass
class Photos:
    """An API with binary responses; `sent` is the number of bytes written."""

    url: str = ""
    body: bytes = PNG
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "image/png"})
    chunked: bool = False
    pieces: int = 1
    status: int = 200
    sent: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status, headers=self.headers)
        if self.chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(self.body) * self.pieces
        try:
            await response.prepare(request)
            for _ in range(self.pieces):
                await response.write(self.body)
                self.sent += len(self.body)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            self.left.set()
            raise
        return response


@asynccontextmanager
async def photos() -> AsyncIterator[Photos]:
    api, app = Photos(), web.Application()
    app.router.add_route("*", "/{path:.*}", api.serve)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await runner.cleanup()


@pytest.fixture
async def api() -> AsyncIterator[Photos]:
    async with photos() as api:
        yield api


def document(
    operation: Mapping[str, Any] | None = None,
    *,
    rest: Mapping[str, Any] | None = None,
    mcp: Mapping[str, Any] | None = None,
    route: Mapping[str, Any] | None = None,
    tool: Mapping[str, Any] | None = None,
    resource: Mapping[str, Any] | None = None,
    function: Mapping[str, Any] | None = None,
    base: str = "http://127.0.0.1:1",
) -> dict[str, Any]:
    """Return a document with a photo over REST, as a tool and as a resource, with further keys of each."""
    consumed = {"name": "get", "method": "GET", "outputRawFormat": "binary", **(operation or {})}
    does = {"ref": "shared.photo"} if function is not None else {"call": "photos.get"}
    functions = [{"namespace": "shared", "functions": [{"name": "photo", "call": "photos.get", **(function or {})}]}]
    return {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Photos", "version": "3.2.1"},
        "capability": {
            "consumes": [
                {
                    "type": "http",
                    "namespace": "photos",
                    "baseUri": base,
                    "resources": [{"name": "photo", "path": "/photo", "operations": [consumed]}],
                }
            ],
            **({"aggregates": functions} if function is not None else {}),
            "exposes": [
                {
                    "type": "rest",
                    "namespace": "rest",
                    "port": 8080,
                    "resources": [{"path": "/photo", "operations": [{"method": "GET", **does, **(route or {})}]}],
                    **(rest or {}),
                },
                {
                    "type": "mcp",
                    "namespace": "mcp",
                    "port": 9090,
                    "tools": [{"name": "photo", "description": "A photo", **does, **(tool or {})}],
                    "resources": [
                        {
                            "name": "photo",
                            "label": "P",
                            "description": "P",
                            "uri": "p://photo",
                            **does,
                            **(resource or {}),
                        }
                    ],
                    **(mcp or {}),
                },
            ],
        },
    }


@asynccontextmanager
async def serving(api: Photos, **parts: Any) -> AsyncIterator[Running]:
    settings = parts.pop("settings", {})
    operation = parts.pop("operation", None)
    async with running(document(operation, base=api.url, **parts), **settings) as served:
        yield served


@dataclass(frozen=True)
class Received:
    status: int
    media_type: str | None
    body: bytes


async def get(served: Running, path: str = "/photo") -> Received:
    async with aiohttp.ClientSession() as session, session.get(served.url("rest") + path) as response:
        return Received(response.status, response.headers.get("Content-Type"), await response.read())


async def call(served: Running, mode: str) -> Any:
    async with Client(served.url("mcp"), mode=mode) as client:
        return await client.call_tool("photo", {})


# Media types: of the operation, then the contract, then the API, then application/octet-stream.

JPEG_BODY = {"responseBinary": {"mediaType": "image/jpeg"}}


@pytest.mark.parametrize(
    ("operation", "route", "sent", "expected"),
    [
        ({}, {}, "image/png", "image/png"),
        ({}, {}, "image/png; q=1", "image/png; q=1"),
        ({}, {}, None, "application/octet-stream"),
        ({}, JPEG_BODY, "image/png", "image/jpeg"),
        ({}, JPEG_BODY, None, "image/jpeg"),
        ({"outputMediaType": "image/webp"}, JPEG_BODY, "image/png", "image/webp"),
        ({"outputMediaType": "image/webp"}, {}, None, "image/webp"),
        ({}, {"responseBinary": {"mediaType": "image/jpeg", "status": 206}}, "image/png", "image/png"),
        (
            {},
            {"responses": {"2XX": {"content": {"image/jpeg": {"binary": True}, "image/png": {"binary": True}}}}},
            "image/png",
            "image/png",
        ),
        ({}, {"responses": {"200": {"content": {"application/json": {"schema": {}}}}}}, "image/png", "image/png"),
    ],
)
async def test_binary_content_type_over_rest(
    api: Photos, operation: Any, route: Any, sent: str | None, expected: str
) -> None:
    api.headers = {"Content-Type": sent} if sent else {}
    async with serving(api, operation=operation, route=route) as served:
        assert await get(served) == Received(200, expected, PNG)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"outputMediaType": "application/vnd.a+json"}, "application/vnd.a+json"),
        ({"outputMediaType": "text/plain"}, "text/plain"),
        ({}, "application/json"),
    ],
)
async def test_declared_json_media_type(api: Photos, declared: Any, expected: str) -> None:
    api.body, api.headers = b'{"a": 1}', {"Content-Type": "application/json"}
    async with serving(api, operation={"outputRawFormat": "json", **declared}) as served:
        assert await get(served) == Received(200, expected, b'{"a": 1}')


@pytest.mark.parametrize(
    ("declared", "expected"), [("application/vnd.a+json", None), ("text/plain", "application/json")]
)
async def test_mapped_outputs_are_json(api: Photos, declared: str, expected: str | None) -> None:
    api.body, api.headers = b'{"a": 1}', {"Content-Type": "application/json"}
    route = {"outputParameters": [{"type": "number", "mapping": "$.a"}]}
    async with serving(api, operation={"outputRawFormat": "json", "outputMediaType": declared}, route=route) as served:
        assert await get(served) == Received(200, expected or declared, b"1")


@EACH_MODE
@pytest.mark.parametrize("function", [{}, {"outputMediaType": "image/gif"}])
async def test_function_returns_bytes(api: Photos, function: Any, mode: str) -> None:
    expected = function.get("outputMediaType", "image/png")
    async with serving(api, function=function) as served:
        assert await get(served) == Received(200, expected, PNG)
        (content,) = (await call(served, mode)).content
    assert isinstance(content, ImageContent)
    assert (content.mime_type, base64.b64decode(content.data)) == (expected, PNG)


@EACH_MODE
async def test_last_step_returns_bytes(api: Photos, mode: str) -> None:
    api.body, api.headers = PNG, {"Content-Type": "image/png"}
    steps = {"steps": [{"name": "one", "type": "call", "call": "photos.get"}], "call": None, "name": "stepped"}
    async with serving(api, route=steps, tool=steps) as served:
        assert await get(served) == Received(200, "image/png", PNG)
        async with Client(served.url("mcp"), mode=mode) as client:
            (content,) = (await client.call_tool("stepped", {})).content
    assert isinstance(content, ImageContent)


# MCP


@EACH_MODE
async def test_image_content(api: Photos, mode: str) -> None:
    async with serving(api) as served:
        result = await call(served, mode)
    (content,) = result.content
    assert isinstance(content, ImageContent)
    assert (content.mime_type, base64.b64decode(content.data)) == ("image/png", PNG)
    assert (result.is_error, result.structured_content) == (False, None)


@EACH_MODE
async def test_audio_content(api: Photos, mode: str) -> None:
    async with serving(api, operation={"outputMediaType": "audio/mpeg"}) as served:
        (content,) = (await call(served, mode)).content
    assert isinstance(content, AudioContent)
    assert (content.mime_type, base64.b64decode(content.data)) == ("audio/mpeg", PNG)


@EACH_MODE
@pytest.mark.parametrize("kind", ["application/pdf", "application/zip", None])
async def test_other_bytes_are_an_embedded_blob(api: Photos, mode: str, kind: str | None) -> None:
    api.body, api.headers = b'{"a": 1}', {"Content-Type": kind} if kind else {}
    async with serving(api) as served:
        result = await call(served, mode)
    (content,) = result.content
    assert isinstance(content, EmbeddedResource)
    assert isinstance(content.resource, BlobResourceContents)
    assert content.resource.mime_type == (kind or "application/octet-stream")
    assert base64.b64decode(content.resource.blob) == b'{"a": 1}'
    assert content.resource.uri.startswith("tool://mcp/photo/")
    assert (result.is_error, result.structured_content) == (False, None)


@EACH_MODE
@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain", "é".encode(), "é"),
        ("text/html; charset=latin-1", b"\xe9", "é"),
        ("application/json", b'{"a": 1}', '{"a": 1}'),
        ("application/x-ndjson", b'{"a": 1}\n', '{"a": 1}\n'),
        ("text/plain", b"\xe9", None),
        ("application/json", b"\xe9", None),
        ("text/plain; charset=none", b"a", None),
    ],
)
async def test_text_is_returned_as_text_if_it_decodes(
    api: Photos, kind: str, body: bytes, text: str | None, mode: str
) -> None:
    """Text is returned as text: the language has no format for it, so it is declared as binary."""
    api.body, api.headers = body, {"Content-Type": kind}
    async with serving(api) as served:
        (content,) = (await call(served, mode)).content
    if text is not None:
        assert isinstance(content, TextContent)
        assert content.text == text
    else:
        assert isinstance(content, EmbeddedResource)
        assert isinstance(content.resource, BlobResourceContents)
        assert base64.b64decode(content.resource.blob) == body


@EACH_MODE
@pytest.mark.parametrize(
    ("declared", "sent", "text"),
    [
        ("application/x-ndjson", "application/json", True),
        ("application/pdf", "application/x-ndjson", True),
        ("application/pdf", "application/pdf", False),
        ("application/pdf", "application/octet-stream", False),
    ],
)
async def test_the_type_that_the_api_sends_makes_text(
    api: Photos, declared: str, sent: str, text: bool, mode: str
) -> None:
    api.body, api.headers = b'{"a": 1}', {"Content-Type": sent}
    async with serving(api, operation={"outputMediaType": declared}) as served:
        (content,) = (await call(served, mode)).content
    assert isinstance(content, TextContent if text else EmbeddedResource)
    if isinstance(content, TextContent):
        assert content.text == '{"a": 1}'


@EACH_MODE
@pytest.mark.parametrize("kind", ["text/plain", "image/png"])
async def test_binary_resource_is_a_blob(api: Photos, mode: str, kind: str) -> None:
    api.body, api.headers = b"words", {"Content-Type": kind}
    async with (
        serving(api, resource={"binary": True}) as served,
        Client(served.url("mcp"), mode=mode) as client,
    ):
        (content,) = (await client.read_resource("p://photo")).contents
    assert isinstance(content, BlobResourceContents)
    assert (content.mime_type, base64.b64decode(content.blob)) == (kind, b"words")


@EACH_MODE
async def test_resource_is_listed_with_the_operation_media_type(api: Photos, mode: str) -> None:
    async with (
        serving(api, operation={"outputMediaType": "image/webp"}) as served,
        Client(served.url("mcp"), mode=mode) as client,
    ):
        (listed,) = (await client.list_resources()).resources
        (content,) = (await client.read_resource("p://photo")).contents
    assert (listed.mime_type, content.mime_type) == ("image/webp", "image/webp")


@EACH_MODE
async def test_binary_file_is_a_blob(tmp_path: Path, mode: str) -> None:
    (tmp_path / "a.txt").write_text("words")
    preview = document()
    keys = {"name": "a", "label": "A", "description": "A", "uri": "f://a", "binary": True}
    preview["capability"]["exposes"][1]["resources"] = [{**keys, "location": (tmp_path / "a.txt").as_uri()}]
    async with running(preview) as served, Client(served.url("mcp"), mode=mode) as client:
        (content,) = (await client.read_resource("f://a")).contents
    assert isinstance(content, BlobResourceContents)
    assert base64.b64decode(content.blob) == b"words"


# Size limits

CAPS = [
    ({"maxBinarySize": "1KiB"}, {}, 1024),
    ({}, {"maxBinarySize": "1KiB"}, 1024),
    ({"maxBinarySize": "0.5KiB"}, {"maxBinarySize": "1GiB"}, 512),
    ({"maxBinarySize": "2KiB"}, {"maxBinarySize": "1B"}, 2048),
]


@EACH_MODE
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("operation", "adapter", "most"), CAPS)
async def test_response_over_the_limit_is_an_error(
    api: Photos, operation: Any, adapter: Any, most: int, mode: str, *, chunked: bool
) -> None:
    api.chunked = chunked
    async with serving(api, operation=operation, rest=adapter, mcp=adapter) as served:
        api.body = bytes(most)
        assert (await get(served)).body == api.body
        assert not (await call(served, mode)).is_error
        api.body = bytes(most + 1)
        refused = await get(served)
        result = await call(served, mode)
        async with Client(served.url("mcp"), mode=mode) as client:
            with pytest.raises(MCPError, match=f"larger than {most} bytes"):
                await client.read_resource("p://photo")
    assert refused.status == 502
    assert f"larger than {most} bytes".encode() in refused.body
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert (result.is_error, f"larger than {most} bytes" in content.text) == (True, True)


@EACH_MODE
async def test_default_buffer_limit_is_ten_mebibytes(api: Photos, mode: str) -> None:
    api.body, api.pieces = bytes(MIB), 11
    async with serving(api) as served:
        (content,) = (await call(served, mode)).content
    assert isinstance(content, TextContent)
    assert content.text.endswith(f"larger than {10 * MIB} bytes")
    for parts in ({"mcp": {"maxBinarySize": "11MiB"}}, {"operation": {"maxBinarySize": "11MiB"}}):
        async with serving(api, **parts) as served:
            (content,) = (await call(served, mode)).content
        assert isinstance(content, ImageContent)
        assert len(base64.b64decode(content.data)) == 11 * MIB


async def test_stream_has_no_default_limit(api: Photos) -> None:
    api.body, api.pieces = bytes(MIB), 12
    async with serving(api) as served:
        assert len((await get(served)).body) == 12 * MIB


async def test_stream_with_excessive_content_length_is_rejected_at_once(api: Photos) -> None:
    api.body, api.pieces = bytes(MIB), 64
    async with serving(api, rest={"maxBinarySize": "1MiB"}) as served:
        assert (await get(served)).status == 502
        await api.left.wait()
    assert api.sent < 32 * MIB


async def test_stream_over_the_limit_is_aborted(api: Photos, caplog: pytest.LogCaptureFixture) -> None:
    api.body, api.pieces, api.chunked = bytes(MIB), 64, True
    async with serving(api, rest={"maxBinarySize": "2MiB"}) as served:
        with pytest.raises(aiohttp.ClientError):
            await get(served)
        await api.left.wait()
    assert api.sent < 32 * MIB
    assert f"larger than {2 * MIB} bytes" in caplog.text


async def test_stream_is_forwarded_unbuffered(api: Photos) -> None:
    """The client reads the first bytes before the API has sent half of a response larger than the buffers."""
    api.body, api.pieces = bytes(MIB), 256
    async with (
        serving(api) as served,
        aiohttp.ClientSession() as session,
        session.get(served.url("rest") + "/photo") as response,
    ):
        await response.content.readexactly(MIB)
        assert api.sent < 128 * MIB
        response.close()
        await api.left.wait()


# Upstream errors


@EACH_MODE
async def test_upstream_errors_stay_errors(api: Photos, mode: str) -> None:
    api.status, api.body, api.headers = 404, b"no such photo", {"Content-Type": "text/plain"}
    async with serving(api, operation={"outputMediaType": "image/png"}, route=JPEG_BODY) as served:
        assert await get(served) == Received(404, "text/plain", b"no such photo")
        result = await call(served, mode)
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert (result.is_error, content.text) == (True, "the upstream returned 404 (Not Found)\nno such photo")


# OpenAPI


@pytest.mark.parametrize(
    ("operation", "route", "successes"),
    [
        ({}, {}, {"2XX": {"*/*": {"type": "string", "format": "binary"}}}),
        (
            {"outputMediaType": "image/webp"},
            JPEG_BODY,
            {"200": {"image/webp": {"type": "string", "format": "binary"}}},
        ),
        ({}, JPEG_BODY, {"200": {"image/jpeg": {"type": "string", "format": "binary"}}}),
        (
            {},
            {
                "responses": {
                    "200": {"description": "It", "content": {"image/png": {"binary": True}}},
                    "202": {"content": {"application/json": {"schema": {"type": "object"}}}},
                    "404": {"description": "Gone"},
                }
            },
            {
                "200": {"image/png": {"type": "string", "format": "binary"}},
                "202": {"application/json": {"type": "object"}},
            },
        ),
    ],
)
async def test_openapi_describes_binary_responses(api: Photos, operation: Any, route: Any, successes: Any) -> None:
    async with (
        serving(api, operation=operation, route=route) as served,
        aiohttp.ClientSession() as session,
        session.get(served.url("rest") + "/openapi.json") as response,
    ):
        described = await response.json()
    validate(described)
    responses = described["paths"]["/photo"]["get"]["responses"]
    result = {code: response["content"] for code, response in responses.items() if code.startswith("2")}
    assert {c: {kind: item["schema"] for kind, item in content.items()} for c, content in result.items()} == successes
    if "responses" in route:
        assert (responses["200"]["description"], responses["404"]) == ("It", {"description": "Gone"})
        assert responses["202"]["description"] == "Accepted"
    assert "502" in responses


# Command line

CAPABILITY = """
naftiko: 1.0.0-alpha2
capability:
  consumes:
    - type: http
      namespace: photos
      baseUri: http://127.0.0.1:1
      resources:
        - name: photo
          path: /photo
          operations:
            - name: get
              method: GET
              outputRawFormat: binary
              x-example: data:image/png;base64,iVBORw0KGgo=
  exposes:
    - type: rest
      namespace: rest
      port: 0
      resources:
        - path: /photo
          operations:
            - method: GET
              name: photo
              call: photos.get
"""


def test_call_command_writes_bytes_unchanged(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "photos.yaml").write_text(CAPABILITY)
    assert main(["call", str(tmp_path / "photos.yaml"), "photo", "--mock"]) == 0
    assert capfdbinary.readouterr().out == b"\x89PNG\r\n\x1a\n"


async def test_mock_server_returns_the_example_bytes(tmp_path: Path) -> None:
    (tmp_path / "photos.yaml").write_text(CAPABILITY)
    async with running(tmp_path / "photos.yaml", mock=True) as served:
        assert await get(served) == Received(200, "image/png", b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(("excess", "complete"), [(0, True), (1, False)])
async def test_a_stream_of_exactly_the_limit_passes(api: Photos, excess: int, *, complete: bool) -> None:
    """It is larger than what is held in memory, and its length is not known before its end."""
    api.body, api.chunked = bytes(MIB + excess), True
    async with serving(api, rest={"maxBinarySize": "1MiB"}) as served:
        if complete:
            assert (await get(served)).body == api.body
        else:
            with pytest.raises(aiohttp.ClientError):
                await get(served)
