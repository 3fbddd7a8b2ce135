"""The URLs of the endpoint, the headers of its responses, and the page for browsers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import aiohttp
import httpx2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from syrupy.assertion import SnapshotAssertion

import adapter_host_mcp
from adapter_host import Host, Plugins, Result, UpstreamUnreachableError, attach
from adapter_host.testing import FakePlugin, running

ACCEPT = {"Accept": "application/json, text/event-stream"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
STATELESS = "2026-07-28"


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def shared_port(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with a second exposer on the same port."""
    (exposer,) = document["capability"]["exposes"]
    both = [{**exposer, "namespace": name, "port": 9090} for name in ("shop", "other")]
    return {**document, "capability": {**document["capability"], "exposes": both}}


@pytest.mark.parametrize("path", ["", "/", "/mcp"])
@pytest.mark.parametrize("shared", [False, True])
async def test_endpoint_is_served_at_its_root_too(
    path: str, shared: bool, shop_document: dict[str, Any], unused_tcp_port: int
) -> None:
    document = shared_port(shop_document) if shared else shop_document
    ports = {"shop": unused_tcp_port, "other": unused_tcp_port}
    async with running(document, ports=ports) as served:
        url = str(served.url("shop")).removesuffix("/mcp") + path
        assert url.count("shop") == shared
        for mode in ("auto", "legacy"):
            async with (
                httpx2.AsyncClient() as http_client,
                Client(streamable_http_client(url, http_client=http_client), mode=mode) as client,
            ):
                assert [tool.name for tool in (await client.list_tools()).tools] == ["get-item", "list-items"]
                assert not (await client.call_tool("get-item", {"id": 7})).is_error
        async with aiohttp.ClientSession() as session:
            async with session.get(url, headers=ACCEPT) as response:
                assert (response.status, response.content_type) == (200, "text/event-stream")
            async with session.delete(url) as response:
                assert response.status == 204


async def test_other_paths_are_not_found(shop: Any) -> None:
    for path in ("/other", "/mcp/other", "//mcp"):
        async with shop.session.post(str(shop.url).replace("/mcp", path), json=message("ping")) as response:
            assert response.status == 404


async def test_root_below_the_prefix_of_an_outer_application(shop_document: dict[str, Any]) -> None:
    host = Host(shop_document, plugins=Plugins({"mcp": adapter_host_mcp, "fake": FakePlugin()}))
    app = web.Application()
    attach(app, host, prefix="/inner")
    async with TestClient(TestServer(app)) as client:
        for path in ("/inner/shop", "/inner/shop/", "/inner/shop/mcp"):
            response = await client.post(path, json=message("ping"), headers=ACCEPT)
            assert (await response.json())["result"] == {}
        response = await client.post("/inner/", json=message("ping"), headers=ACCEPT)
        assert response.status == 404


class Text(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = self.tag = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.tag = tag

    def handle_data(self, data: str) -> None:
        self.text += "" if self.tag == "style" else f"{data}\n"


@pytest.mark.parametrize("path", ["/", "/mcp"])
async def test_page_for_browsers(path: str, shop_document: dict[str, Any], snapshot: SnapshotAssertion) -> None:
    shop_document = {**shop_document, "info": {"label": "<b>Shop</b> & 'more'"}}
    async with running(shop_document) as served, aiohttp.ClientSession() as session:
        url = served.url("shop")
        async with session.get(str(url).replace("/mcp", path), headers=BROWSER) as response:
            assert (response.status, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
            policy = response.headers["Content-Security-Policy"]
            page = Text(await response.text())
    assert "default-src 'none'" in policy
    assert page.tags.isdisjoint({"script", "b", "img", "link"})
    assert page.text.replace(str(url), "URL") == snapshot(name="text")
    assert f'"url": "{url}"' in page.text


async def test_page_shows_the_scheme_of_the_proxy(shop: Any) -> None:
    async with shop.session.get(shop.url, headers={**BROWSER, "X-Forwarded-Proto": "https"}) as response:
        assert f'"url": "{str(shop.url).replace("http://", "https://")}"' in Text(await response.text()).text


async def test_page_needs_the_credentials_of_the_exposer(shop_document: dict[str, Any]) -> None:
    (exposer,) = shop_document["capability"]["exposes"]
    exposer = {**exposer, "authentication": {"type": "bearer", "token": "secret"}}
    document = {**shop_document, "capability": {**shop_document["capability"], "exposes": [exposer]}}
    async with running(document) as served, aiohttp.ClientSession() as session:
        for path in ("/", "/mcp"):
            async with session.get(str(served.url("shop")).replace("/mcp", path), headers=BROWSER) as response:
                assert response.status == 401


@pytest.mark.parametrize(
    ("method", "body", "headers", "status"),
    [
        ("POST", message("ping"), {}, 200),
        ("POST", message("tools/list"), {}, 200),
        ("POST", message("tools/call", name="list-items", arguments={}), {}, 200),
        ("POST", {"jsonrpc": "2.0", "method": "notifications/initialized"}, {}, 202),
        ("POST", message("tools/list", cursor="nope"), {}, 200),
        ("GET", None, {}, 200),
        ("GET", None, BROWSER, 200),
        ("DELETE", None, {}, 204),
        ("OPTIONS", None, {}, 204),
        ("POST", message("ping"), {"Accept": "text/html"}, 406),
        ("POST", message("ping"), {"Content-Encoding": "br"}, 415),
        ("POST", message("ping"), {"MCP-Protocol-Version": "2000-01-01"}, 400),
        ("POST", [], {}, 400),
        ("POST", message("nope"), {"MCP-Protocol-Version": STATELESS}, 400),
        ("POST", message("nope"), {}, 200),
        ("POST", message("tools/call", name="get-item", arguments={"id": "x"}), {}, 200),
        ("GET", None, {"Accept": "*/*"}, 406),
        ("GET", None, {"MCP-Protocol-Version": STATELESS}, 405),
        ("PUT", None, {}, 405),
        ("HEAD", None, {}, 405),
    ],
)
async def test_headers_of_every_response(
    method: str, body: Any, headers: dict[str, str], status: int, shop: Any
) -> None:
    async with shop.session.request(method, shop.url, json=body, headers={**ACCEPT, **headers}) as response:
        assert response.status == status
        assert (response.headers["Server"], response.headers["X-Content-Type-Options"]) == ("adapter-host", "nosniff")
        assert len(response.headers.getall("X-Request-Id")) == 1
        if status == 405:
            assert response.headers["Allow"] in ("DELETE, GET, OPTIONS, POST", "POST")


@pytest.mark.parametrize("version", [None, STATELESS])
async def test_failed_call_has_the_id_of_its_log_line(
    version: str | None, shop: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Any) -> Result:
        raise UpstreamUnreachableError("it cannot be reached")

    shop.stock.responses["list"] = fail
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    call = message("tools/call", name="list-items", arguments={}, **({"_meta": meta} if version else {}))
    routing = {"MCP-Protocol-Version": version, "Mcp-Method": "tools/call", "Mcp-Name": "list-items"} if version else {}
    async with shop.session.post(shop.url, json=call, headers={**ACCEPT, **routing}) as response:
        request_id = response.headers["X-Request-Id"]
        result = (await response.json())["result"]
    assert result["isError"]
    assert result["_meta"]["adapter-host/error"] == {
        "type": "UpstreamUnreachableError",
        "sent": False,
        "request_id": request_id,
    }
    logged = f"request {request_id}: list-items: it cannot be reached; the request was not sent"
    assert logged in [r.getMessage() for r in caplog.records]


async def test_unexpected_error_has_the_id_of_its_log_line(shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> Result:
        raise LookupError("private")

    shop.stock.responses["list"] = fail
    async with shop.session.post(
        shop.url, json=message("tools/call", name="list-items", arguments={}), headers=ACCEPT
    ) as response:
        request_id = response.headers["X-Request-Id"]
        assert (await response.json())["error"]["data"] == {"request_id": request_id}
    assert any(request_id in record.getMessage() for record in caplog.records)


async def test_errors_of_clients_are_not_logged(shop: Any, caplog: pytest.LogCaptureFixture) -> None:
    call = message("tools/call", name="get-item", arguments={"id": "x"})
    async with shop.session.post(shop.url, json=call, headers=ACCEPT) as response:
        assert re.fullmatch(r"[0-9a-f]{16}", response.headers["X-Request-Id"])
    assert [record for record in caplog.records if record.name == "adapter_host.mcp"] == []
