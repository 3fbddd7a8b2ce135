"""The HTTP endpoint with raw requests, valid and invalid."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion
from yarl import URL

import adapter_host_mcp
from adapter_host import Host, Plugins, attach
from adapter_host.testing import FakePlugin, running

HANDSHAKE = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
STATELESS = {"mcp_protocol_version": "2026-07-28"}


def request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def initialize(version: str) -> dict[str, Any]:
    client = {"name": "test", "version": "1"}
    return request("initialize", protocolVersion=version, capabilities={}, clientInfo=client)


def stateless_request(method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    headers = {**STATELESS, "mcp_method": method}
    if "name" in params:
        headers["mcp_name"] = params["name"]
    return request(method, _meta=META, **params), headers


@pytest.mark.parametrize("version", HANDSHAKE)
async def test_initialize_in_every_handshake_revision(shop: Any, version: str) -> None:
    status, response = await shop.post(initialize(version))
    assert status == 200
    assert response["result"] == {
        "protocolVersion": version,
        "capabilities": {"logging": {}, "tools": {"listChanged": True}},
        "serverInfo": {"name": "shop", "title": "Shop", "version": "2.1.0"},
        "instructions": "Sells things",
    }


@pytest.mark.parametrize("version", ["2026-07-28", "1999-01-01"])
async def test_unsupported_version_negotiates_the_newest_handshake_version(shop: Any, version: str) -> None:
    _, response = await shop.post(initialize(version))
    assert response["result"]["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("version", [None, *HANDSHAKE])
async def test_call_in_every_handshake_revision(shop: Any, version: str | None) -> None:
    call = request("tools/call", name="get-item", arguments={"id": 7})
    status, response = await shop.post(call, mcp_protocol_version=version)
    assert (status, response) == (
        200,
        {
            "jsonrpc": "2.0",
            "id": 1,
            "result": {
                "content": [{"type": "text", "text": '{"id":7}'}],
                "structuredContent": {"id": 7},
                "isError": False,
            },
        },
    )


async def test_stateless_result_has_server_info(shop: Any) -> None:
    body, headers = stateless_request("tools/call", name="get-item", arguments={"id": 7})
    status, response = await shop.post(body, **headers)
    assert status == 200
    assert response["result"]["resultType"] == "complete"
    assert response["result"]["_meta"] == {
        "io.modelcontextprotocol/serverInfo": {"name": "shop", "title": "Shop", "version": "2.1.0"}
    }


@pytest.mark.parametrize("method", ["server/discover", "tools/list"])
async def test_no_caching_by_default(shop: Any, method: str) -> None:
    body, headers = stateless_request(method)
    _, response = await shop.post(body, **headers)
    assert (response["result"]["ttlMs"], response["result"]["cacheScope"]) == (0, "private")


@pytest.mark.parametrize("method", ["server/discover", "tools/list"])
async def test_authenticated_results_are_private(shop_document: dict[str, Any], method: str) -> None:
    capability = shop_document["capability"]
    (exposed,) = capability["exposes"]
    guarded = {**exposed, "authentication": {"type": "bearer", "token": "{{KEY}}"}}
    document = {**shop_document, "capability": {**capability, "exposes": [guarded]}}
    body, headers = stateless_request(method)
    request_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    async with running(document, environment={"KEY": "k"}) as served, aiohttp.ClientSession() as session:
        for token, status in (("k", 200), ("x", 401)):
            request_headers |= {"accept": "application/json", "authorization": f"Bearer {token}"}
            async with session.post(served.url("shop"), json=body, headers=request_headers) as response:
                assert response.status == status
                if status == 200:
                    assert (await response.json())["result"]["cacheScope"] == "private"


@pytest.mark.parametrize(
    "changed",
    [
        {"mcp_method": "tools/list"},
        {"mcp_method": None},
        {"mcp_name": "list-items"},
        {"mcp_name": None},
        {"mcp_protocol_version": None},
        {"mcp_protocol_version": "2025-11-25"},
        {"mcp_protocol_version": "2027-01-01"},
    ],
)
async def test_header_mismatch_is_rejected(shop: Any, changed: dict[str, str | None]) -> None:
    body, headers = stateless_request("tools/call", name="get-item", arguments={"id": 7})
    status, response = await shop.post(body, **{**headers, **changed})
    assert (status, response["id"], response["error"]["code"]) == (400, 1, -32020)
    assert shop.stock.calls == []


async def test_duplicate_routing_header_is_rejected(shop: Any) -> None:
    body, headers = stateless_request("tools/list")
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    pairs += [("mcp-method", "tools/list"), ("accept", "application/json")]
    async with shop.session.post(shop.url, json=body, headers=pairs) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (400, -32020)


async def test_unknown_version_error_lists_supported_versions(shop: Any) -> None:
    body, headers = stateless_request("tools/list")
    body["params"]["_meta"] = {**META, "io.modelcontextprotocol/protocolVersion": "2027-01-01"}
    status, response = await shop.post(body, **{**headers, "mcp_protocol_version": "2027-01-01"})
    assert (status, response["error"]["code"]) == (400, -32022)
    assert response["error"]["data"] == {"supported": ["2026-07-28"], "requested": "2027-01-01"}


@pytest.mark.parametrize("method", ["ping", "initialize", "prompts/list", "resources/list", "no/such"])
async def test_unknown_method_is_404_for_stateless_requests(shop: Any, method: str) -> None:
    body, headers = stateless_request(method)
    status, response = await shop.post(body, **headers)
    assert (status, response["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize("method", ["prompts/list", "resources/list", "server/discover", "no/such"])
async def test_unknown_method_is_an_error(shop: Any, method: str) -> None:
    status, response = await shop.post(request(method))
    assert (status, response["error"]["code"]) == (200, -32601)


async def test_ping(shop: Any) -> None:
    assert await shop.post(request("ping")) == (200, {"jsonrpc": "2.0", "id": 1, "result": {}})


@pytest.mark.parametrize("version", [None, "2025-11-25", "2026-07-28"])
@pytest.mark.parametrize("method", ["notifications/initialized", "notifications/cancelled", "notifications/x"])
async def test_notification_is_accepted(shop: Any, method: str, version: str | None) -> None:
    body = {"jsonrpc": "2.0", "method": method}
    assert await shop.post(body, mcp_protocol_version=version) == (202, None)


async def test_notification_with_unknown_version_is_rejected(shop: Any) -> None:
    body = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    status, response = await shop.post(body, mcp_protocol_version="2027-01-01")
    assert (status, response["error"]["code"]) == (400, -32022)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b'"\\ud800"', -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', -32700),
        (b"[" * 100_000, -32700),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}', -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"result":{}}', -32600),
        (b'{"jsonrpc":"2.0","method":null}', -32600),
    ],
)
@pytest.mark.parametrize("version", [None, "2026-07-28"])
async def test_invalid_messages_are_rejected(shop: Any, data: bytes, code: int, version: str | None) -> None:
    status, response = await shop.post(data=data, mcp_protocol_version=version)
    assert (status, response["id"], response["error"]["code"]) == (400, None, code)
    assert (await shop.post(request("ping")))[0] == 200


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | ODD, "method": st.sampled_from(["tools/call", "tools/list", "ping"]) | ODD},
    optional={
        "id": st.integers(0, 9) | ODD,
        "params": ODD
        | st.fixed_dictionaries(
            {},
            optional={
                "name": st.just("get-item") | ODD,
                "arguments": st.fixed_dictionaries({"id": ODD}) | ODD,
                "_meta": st.fixed_dictionaries({}, optional=dict.fromkeys(META, ODD)) | ODD,
                "cursor": ODD,
            },
        ),
    },
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=MESSAGES, version=st.sampled_from([None, "2025-11-25", "2026-07-28"]))
async def test_any_message_gets_a_response(shop: Any, message: Any, version: str | None) -> None:
    status, response = await shop.post(message, mcp_protocol_version=version, mcp_method="tools/call")
    if status == 202:
        assert (response, "id" in message) == (None, False)
    else:
        assert status in (200, 400, 404)
        assert response.get("error", {}).get("code") != -32603


HEADER = st.text("abz09 ,;=/*.-_\"'?&\t\u00e9", max_size=20)
HEADERS = {
    "Accept": st.sampled_from(["application/json", "text/event-stream", "*/*"]) | HEADER,
    "Content-Type": st.just("application/json") | HEADER,
    "MCP-Protocol-Version": st.sampled_from(["2025-11-25", "2026-07-28"]) | HEADER,
    "Mcp-Session-Id": HEADER,
    "Mcp-Method": st.just("ping") | HEADER,
    "Mcp-Name": HEADER,
    "Last-Event-ID": HEADER,
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(method=st.sampled_from(["POST", "GET", "DELETE"]), headers=st.fixed_dictionaries({}, optional=HEADERS))
async def test_any_headers_are_handled(shop: Any, method: str, headers: dict[str, str]) -> None:
    async with shop.session.request(method, shop.url, json=request("ping"), headers=headers) as response:
        assert response.status < 500


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"name": 7},
        {"name": None},
        {"name": ["get-item"]},
        {"name": "get-item", "arguments": [1]},
        {"name": "get-item", "arguments": "x"},
        {"name": "get-item", "arguments": 7},
        {"name": "get-item", "_meta": 7},
    ],
)
async def test_invalid_call_params_are_rejected(shop: Any, params: dict[str, Any]) -> None:
    status, response = await shop.post(request("tools/call", **params))
    assert (status, response["id"], response["error"]["code"]) == (200, 1, -32602)
    assert shop.stock.calls == []


@pytest.mark.parametrize("request_id", [0, -1, 2**53 + 1, 2**64 - 1, "", "x" * 10_000, "\u2028\U0001f600"])
async def test_request_id_is_echoed(shop: Any, request_id: int | str) -> None:
    _, response = await shop.post({"jsonrpc": "2.0", "id": request_id, "method": "ping"})
    assert response["id"] == request_id


@pytest.mark.parametrize(("levels", "refused"), [(98, False), (99, True), (900, True)])
async def test_message_depth_limit(shop: Any, levels: int, refused: bool, snapshot: SnapshotAssertion) -> None:
    deep = b"[" * (levels - 1) + b"]" * (levels - 1)
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list-items","arguments":{"a":%b}}}'
    status, response = await shop.post(data=call % deep)
    if refused:
        assert (status, response["error"]["code"]) == (400, -32600)
        assert response["error"] == snapshot
    else:
        assert response["result"]["content"][0]["text"].startswith("unknown parameter 'a'")


async def test_wide_message_passes_the_depth_limit(shop: Any) -> None:
    arguments = {"id": 7, "note": [{} for _ in range(1000)]}
    status, response = await shop.post(request("tools/call", name="get-item", arguments=arguments))
    assert (status, response["result"]["content"][0]["text"]) == (200, "'note' must be a string (given an array)")


@pytest.mark.parametrize("cursor", ["2", 2, [], ""])
async def test_unknown_cursor_is_rejected(shop: Any, cursor: Any) -> None:
    _, response = await shop.post(request("tools/list", cursor=cursor))
    assert response["error"]["code"] == -32602


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/*;q=0.5", "text/html, application/json"])
async def test_accept_header(shop: Any, accept: str) -> None:
    assert (await shop.post(request("ping"), accept=accept))[0] == 200


@pytest.mark.parametrize("accept", ["text/html", "text/event-stream"])
async def test_json_must_be_accepted(shop: Any, accept: str) -> None:
    status, response = await shop.post(request("ping"), accept=accept)
    assert (status, response["error"]["code"]) == (406, -32600)


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
async def test_content_type_must_be_json(shop: Any, content_type: str | None) -> None:
    data = json.dumps(request("ping")).encode()
    status, response = await shop.post(data=data, content_type=content_type)
    assert (status, response["error"]["code"]) == (415, -32600)


async def test_content_type_charset_is_accepted(shop: Any) -> None:
    assert (await shop.post(request("ping"), content_type="application/json; charset=utf-8"))[0] == 200


async def test_request_body_size_limit(shop_document: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    async def chunks(size: int) -> Any:
        for _ in range(size):
            yield b" " * 1000

    headers = {"accept": "application/json", "content-type": "application/json"}
    async with running(shop_document, body_limit=5000) as served, aiohttp.ClientSession() as session:
        for data in (b" " * 6000, chunks(6)):
            async with session.post(served.url("shop"), data=data, headers=headers) as response:
                assert response.status == 413
                assert (await response.json())["error"] == snapshot(name="error")
        padded = json.dumps(request("ping")).encode().ljust(5000)
        async with session.post(served.url("shop"), data=padded, headers=headers) as response:
            assert response.status == 200


async def test_body_limit_of_an_outer_application_does_not_apply(shop_document: dict[str, Any]) -> None:
    host = Host(shop_document, plugins=Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()}))
    app = web.Application(client_max_size=1000)
    attach(app, host)
    body = request("tools/call", name="get-item", arguments={"id": 7, "note": "x" * 100_000})
    async with TestClient(TestServer(app)) as client:
        response = await client.post("/shop/mcp", json=body, headers={"accept": "*/*"})
        assert len((await response.json())["result"]["structuredContent"]["note"]) == 100_000


@pytest.mark.parametrize(
    ("method", "version", "allowed"),
    [
        ("PUT", "2025-11-25", "DELETE, GET, OPTIONS, POST"),
        ("GET", "2026-07-28", "POST"),
        ("DELETE", "2026-07-28", "POST"),
    ],
)
async def test_http_method_not_allowed(shop: Any, method: str, version: str, allowed: str) -> None:
    headers = {"mcp-protocol-version": version, "accept": "text/event-stream"}
    async with shop.session.request(method, shop.url, headers=headers) as response:
        assert (response.status, response.headers["Allow"]) == (405, allowed)


async def test_disconnect_cancels_the_call(shop: Any) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait(_: dict[str, Any]) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    shop.stock.responses["list"] = wait
    body, headers = stateless_request("tools/call", name="list-items")
    call = asyncio.create_task(shop.post(body, **headers))
    await began.wait()
    call.cancel()
    async with asyncio.timeout(5):
        await ended.wait()


async def test_disconnect_during_request_body(shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    url = URL(shop.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.authority}\r\nAccept: */*\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert (await shop.post(request("ping")))[0] == 200
    assert caplog.text == ""


async def test_drain_waits_for_calls_in_progress(shop_document: dict[str, Any]) -> None:
    began, proceed = asyncio.Event(), asyncio.Event()

    async def wait(_: dict[str, Any]) -> dict[str, Any]:
        began.set()
        await proceed.wait()
        return {"late": True}

    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        served.fake("stock").responses["list"] = wait
        url = URL(served.url("shop"))
        calling = asyncio.create_task(call_tool(session, url))
        await began.wait()
        draining = asyncio.create_task(served.host.drain())
        await wait_until_closed(url)
        assert not draining.done()
        proceed.set()
        assert (await calling)["result"]["structuredContent"] == {"late": True}
        await draining


async def call_tool(session: aiohttp.ClientSession, url: URL) -> Any:
    body = request("tools/call", name="list-items")
    async with session.post(url, json=body, headers={"accept": "application/json"}) as response:
        return await response.json()


async def wait_until_closed(url: URL) -> None:
    """Wait until the port is closed."""
    while True:
        try:
            _, writer = await asyncio.open_connection(url.host, url.port)
        except ConnectionError:
            return
        writer.close()
        await writer.wait_closed()
