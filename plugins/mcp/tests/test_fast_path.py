"""The fast path: its responses equal those of the SDK, which it does not import."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from mcp.server.lowlevel import Server
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from multidict import CIMultiDict

import adapter_host_mcp
from adapter_host import Plugins, RegisterExposer, hookimpl
from adapter_host.testing import FakePlugin, running
from adapter_host_mcp import protocol
from adapter_host_mcp.exposer import McpExposer
from adapter_host_mcp.http import fast_path

Path = tuple[str, ...]

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"roots": {"listChanged": True}, "elicitation": {"form": {}}},
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "progressToken": "a",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
CLIENT = {"name": "test", "version": "1", "title": "A test"}
INITIALIZE = {"protocolVersion": "2025-06-18", "capabilities": {"sampling": {}}, "clientInfo": CLIENT}
CALL = {"name": "get-item", "arguments": {"id": 7}}
REQUESTS: dict[str, tuple[str, dict[str, Any] | None, bool]] = {
    "initialize": ("initialize", INITIALIZE, False),
    "ping": ("ping", None, False),
    "list": ("tools/list", {}, False),
    "call": ("tools/call", {**CALL, "_meta": {"progressToken": 3}}, False),
    "discover": ("server/discover", {"_meta": META}, True),
    "stateless list": ("tools/list", {"_meta": META}, True),
    "stateless call": ("tools/call", {**CALL, "_meta": META}, True),
}
ODD_VALUES: tuple[Any, ...] = (None, True, 0, 1.5, "", "x", "=?base64?eA==?=", [], {}, {"x": 1}, ["x"])


class SdkExposer(McpExposer):
    """An exposer without the fast path, since it overrides `build_server`."""

    def build_server(self) -> Server[None]:
        return super().build_server()


class SdkPlugin:
    """Registers the exposer as `type: sdk`."""

    @hookimpl
    def register_exposers(self, register: RegisterExposer) -> None:
        register("sdk", SdkExposer)


@asynccontextmanager
async def serve_twice(document: dict[str, Any]) -> AsyncIterator[tuple[str, str]]:
    """Serve the MCP exposer of a document twice, with and without the fast path; yield both URLs."""
    both = copy.deepcopy(document)
    (exposer,) = both["capability"]["exposes"]
    both["capability"]["exposes"].append(
        {**copy.deepcopy(exposer), "type": "sdk", "namespace": f"{exposer['namespace']}-sdk"}
    )
    plugins = Plugins({"mcp": adapter_host_mcp, "sdk": SdkPlugin(), "fake": FakePlugin()})
    async with running(both, plugins=plugins) as host:
        yield host.url(exposer["namespace"]), host.url(f"{exposer['namespace']}-sdk")


async def post_to_both(urls: tuple[str, str], message: Any, headers: dict[str, str]) -> tuple[Any, Any]:
    """Return status, header names and body of both responses."""
    request_headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json", **headers}
    responses = []
    async with aiohttp.ClientSession() as session:
        for url in urls:
            async with session.post(url, data=json.dumps(message), headers=request_headers) as response:
                text = (await response.text()).replace("shop-sdk", "shop")
                header_names = sorted(set(response.headers) - {"Date"})
                responses.append((response.status, header_names, json.loads(text) if text else None))
    return responses[0], responses[1]


def request(name: str) -> tuple[dict[str, Any], dict[str, str]]:
    method, params, stateless = REQUESTS[name]
    message = {"jsonrpc": "2.0", "id": 1, "method": method, **({} if params is None else {"params": params})}
    if not stateless:
        return copy.deepcopy(message), {}
    headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
    name_header = {"Mcp-Name": "get-item"} if method == "tools/call" else {}
    return copy.deepcopy(message), {**headers, **name_header}


def parse_request(message: dict[str, Any], headers: dict[str, str]) -> fast_path.McpRequest | None:
    return fast_path.parse_request(message, CIMultiDict(headers), None)


def test_versions_match_the_sdk() -> None:
    assert protocol.HANDSHAKE_VERSIONS == HANDSHAKE_PROTOCOL_VERSIONS
    assert (protocol.STATELESS_VERSION,) == MODERN_PROTOCOL_VERSIONS


@pytest.mark.parametrize("name", REQUESTS)
def test_common_requests_use_the_fast_path(name: str) -> None:
    assert parse_request(*request(name)) is not None


ITEM = {"name": "item", "uri": "stock://{id}", "description": "An item", "call": "stock.get"}
CASES: dict[str, dict[str, Any]] = {
    "tools": {},
    "no description": {"description": None},
    "resources": {"resources": [ITEM]},
    "prompts": {"prompts": [{"name": "p", "description": "x", "template": [{"role": "user", "content": "hi"}]}]},
    "no tools": {"tools": []},
    "an array": {
        "tools": [
            {
                "name": "get-item",
                "label": "Get",
                "description": "d",
                "call": "stock.get",
                "outputParameters": [{"type": "array", "items": {"type": "string"}}],
            }
        ]
    },
    "callers": {"authentication": {"type": "bearer", "token": "secret"}},
    "a choice": {
        "resources": [
            {
                **ITEM,
                "uri": "stock://{id}/{kind}",
                "inputParameters": [
                    {"name": "id", "type": "integer", "required": True, "description": "x"},
                    {"name": "kind", "type": "boolean", "required": True, "description": "x"},
                ],
            }
        ]
    },
}


@pytest.mark.parametrize("case", CASES)
async def test_fast_path_equals_sdk(shop_document: dict[str, Any], case: str) -> None:
    document = copy.deepcopy(shop_document)
    (exposer,) = document["capability"]["exposes"]
    exposer |= CASES[case]
    exposer.pop("port")
    exposer["port"] = 0
    async with serve_twice(document) as urls:
        for name in REQUESTS:
            message, headers = request(name)
            for version in ("", *HANDSHAKE_PROTOCOL_VERSIONS) if not REQUESTS[name][2] else ("",):
                version_header = {"MCP-Protocol-Version": version} if version else {}
                authorization = {"Authorization": "Bearer secret"}
                ours, theirs = await post_to_both(urls, message, {**headers, **version_header, **authorization})
                assert ours == theirs, (name, version)


def mutations(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each path in a message with each odd value to put there; `...` means to remove it."""
    if path:
        yield from ((path, value) for value in ODD_VALUES)
        yield path, ...
    if isinstance(value, dict):
        yield (*path, "extra"), 1
        for key, mutation in value.items():
            yield from mutations(mutation, (*path, key))


def mutated(message: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(message)
    target = changed
    for key in path[:-1]:
        target = target[key]
    if value is ...:
        target.pop(path[-1])
    else:
        target[path[-1]] = value
    return changed


@pytest.mark.parametrize("name", REQUESTS)
async def test_fast_path_requests_are_valid_for_the_sdk(shop_document: dict[str, Any], name: str) -> None:
    message, headers = request(name)
    changed = [mutated(message, path, value) for path, value in mutations(message)]
    accepted = [mutation for mutation in changed if parse_request(mutation, headers) is not None]
    assert 0 < len(accepted) < len(changed)
    document = copy.deepcopy(shop_document)
    document["capability"]["exposes"][0]["port"] = 0
    async with serve_twice(document) as urls:
        for mutation in accepted:
            ours, theirs = await post_to_both(urls, mutation, headers)
            assert ours == theirs, mutation


@pytest.mark.parametrize("name", ["discover", "stateless call"])
@pytest.mark.parametrize("header", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
async def test_mismatched_headers_miss_the_fast_path(shop_document: dict[str, Any], name: str, header: str) -> None:
    message, headers = request(name)
    for value in ("", "x", "2025-11-25"):
        assert parse_request(message, {**headers, header: value}) is None
    if header in headers:
        duplicated = CIMultiDict(headers)
        duplicated.add(header, headers[header])
        assert fast_path.parse_request(message, duplicated, None) is None
        assert parse_request(message, {key: value for key, value in headers.items() if key != header}) is None


def test_deep_messages_miss_the_fast_path() -> None:
    assert fast_path.parse_body(b"[" * 101 + b"]" * 101) is None
    assert fast_path.parse_body(b"[1") is None
    assert fast_path.parse_body(b'{"a": [1]}') == {"a": [1]}


SESSION = """
import asyncio, sys
import aiohttp
from adapter_host.testing import running
import json

document = json.loads(sys.argv[1])

async def main():
    async with running(document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        headers = {"Accept": "application/json, text/event-stream"}
        async def post(method, id=1, **params):
            message = {"jsonrpc": "2.0", "method": method, "params": params, **({"id": id} if id else {})}
            async with session.post(url, json=message, headers=headers) as response:
                assert response.status == (200 if id else 202), await response.text()
                headers.setdefault("Mcp-Session-Id", response.headers.get("Mcp-Session-Id", ""))
                return await response.json() if id else None
        agreed = await post(
            "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "x", "version": "1"}
        )
        headers["MCP-Protocol-Version"] = agreed["result"]["protocolVersion"]
        await post("notifications/initialized", id=None)
        async with session.get(url, headers=headers) as news:
            assert news.content_type == "text/event-stream"
            assert len((await post("tools/list"))["result"]["tools"]) == 2
            called = await post("tools/call", name="get-item", arguments={"id": 7})
            assert called["result"]["isError"] is False, called
            assert (await post("ping"))["result"] == {}
        async with session.delete(url, headers=headers) as ended:
            assert ended.status == 204
        print(sorted({name.partition(".")[0] for name in sys.modules} & {"mcp", "mcp_types"}))
        headers.pop("Mcp-Session-Id")
        assert (await post("tools/call", name="absent"))["error"]["code"]

asyncio.run(main())
"""


def test_session_on_the_fast_path_does_not_import_the_sdk(shop_document: dict[str, Any]) -> None:
    """The script then calls an unknown tool, which needs the SDK."""
    command = [sys.executable, "-c", SESSION, json.dumps(shop_document)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout == "[]\n"
