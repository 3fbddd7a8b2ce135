"""MCP servers behind other exposers: over REST, and several of them as one MCP server; also one of this project."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from mcp import Client
from syrupy.assertion import SnapshotAssertion

from adapter_host import (
    Host,
    ProblemsError,
    Settings,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamUnreachableError,
    discover,
)
from adapter_host.testing import Running, running

Serve = Callable[..., AbstractAsyncContextManager[Any]]

SHOP = """\
naftiko: 1.0.0-alpha2
info: {label: Shop}
capability:
  exposes:
    - type: mcp
      namespace: shop
      port: 0
      authentication: {type: bearer, token: s3cr3t}
      tools:
        - name: greet
          description: Greets somebody
          inputParameters:
            - {name: name, type: string, required: true}
          outputParameters:
            - {type: object, properties: {text: {type: string, value: "Hello, {{name}}!"}}}
"""


def document(consumes: list[dict[str, Any]], exposes: list[dict[str, Any]]) -> dict[str, Any]:
    entries = [{"type": "mcp", **entry} for entry in consumes]
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": entries, "exposes": exposes}}


@asynccontextmanager
async def served(capability: dict[str, Any]) -> AsyncIterator[Running]:
    definitions = await discover(capability, settings=Settings(environment={}))
    async with running(capability, discovered=definitions) as found:
        yield found


def rest(*operations: tuple[str, str]) -> dict[str, Any]:
    resources = [
        {"path": f"/{name}", "operations": [{"method": "POST", "name": name, "call": call}]}
        for name, call in operations
    ]
    return {"type": "rest", "namespace": "front", "port": 0, "resources": resources}


async def post(url: str, body: Any) -> tuple[int, str, bytes]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, response.content_type, await response.read()


async def test_rest_over_an_mcp_server(serve: Serve, snapshot: SnapshotAssertion) -> None:
    names = ("forecast", "say", "draw", "refuse", "logo", "greet")
    async with serve() as station:
        consumed = [{"namespace": "api", "url": station.url}]
        async with served(document(consumed, [rest(*((name, f"api.{name}") for name in names))])) as found:
            url = found.url("front")
            assert await post(f"{url}/forecast", {"town": "Vardø", "days": 1}) == (
                200,
                "application/json",
                '{"town":"Vardø","highs":[20.5]}'.encode(),
            )
            status, _, body = await post(f"{url}/forecast", {"town": "Vardø", "days": "many"})
            assert (status, json.loads(body)["detail"]) == snapshot
            assert await post(f"{url}/say", {"text": "hello"}) == (200, "application/json", b'"hello"')
            assert await post(f"{url}/draw", {}) == (200, "image/png", b"\x89PNG\r\n\x1a\n")
            assert await post(f"{url}/logo", {}) == (200, "image/png", b"\x89PNG\r\n\x1a\n")
            status, media_type, body = await post(f"{url}/refuse", {"reason": "no wind"})
            assert (status, media_type, b"no wind" in body) == (422, "text/plain", True)
            assert (await post(f"{url}/greet", {"name": "Ada"}))[0] == 200
            async with aiohttp.ClientSession() as session, session.get(f"{url}/openapi.json") as response:
                assert '"highs":{"items":{"type":"number"}' in await response.text()


async def test_several_servers_as_one(serve: Serve, command: dict[str, Any]) -> None:
    tools = [
        {"name": f"{name}-forecast", "description": "Forecasts", "call": f"{name}.forecast"}
        for name in ("north", "south")
    ]
    front = {"type": "mcp", "namespace": "front", "port": 0, "tools": tools}
    async with serve() as station:
        consumed = [{"namespace": "north", "url": station.url}, {"namespace": "south", **command}]
        async with served(document(consumed, [front])) as found, Client(found.url("front")) as client:
            tool = (await client.list_tools()).tools[0]
            assert tool.input_schema["properties"]["town"]["type"] == "string"
            assert tool.output_schema is not None
            assert tool.output_schema["properties"]["highs"]["type"] == "array"
            for name in ("north", "south"):
                result = await client.call_tool(f"{name}-forecast", {"town": name})
                assert result.structured_content == {"town": name, "highs": [20.5]}


@pytest.mark.parametrize("version", ["handshake", "2026-07-28"])
async def test_server_of_this_project_over_http(tmp_path: Path, version: str) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP)
    async with running(file) as shop:
        entry = {
            "namespace": "api",
            "url": f"{shop.url('shop')}/mcp" if not shop.url("shop").endswith("/mcp") else shop.url("shop"),
            "protocolVersion": version,
            "authentication": {"type": "bearer", "token": "s3cr3t"},
        }
        async with served(document([entry], [rest(("greet", "api.greet"))])) as found:
            assert (await found.host.call("api.greet", {"name": "Ada"})).data == {"text": "Hello, Ada!"}
            assert await post(f"{found.url('front')}/greet", {"name": "Ada"}) == (
                200,
                "application/json",
                b'{"text":"Hello, Ada!"}',
            )
        entry["authentication"] = {"type": "bearer", "token": "wrong"}
        with pytest.raises(UpstreamStatusError) as refused:
            await discover(document([entry], []), settings=Settings(environment={}))
        assert refused.value.upstream_status == 401


async def test_server_of_this_project_over_stdio(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SHOP.replace("      authentication: {type: bearer, token: s3cr3t}\n", ""))
    arguments = ["-m", "adapter_host", "serve", "--stdio", str(file)]
    entry = {"namespace": "api", "command": sys.executable, "arguments": arguments, "x-timeout": {"connect": 20}}
    async with served(document([entry], [rest(("greet", "api.greet"))])) as found:
        assert (await found.host.call("api.greet", {"name": "Ada"})).data == {"text": "Hello, Ada!"}


async def test_changed_server_is_a_warning(serve: Serve, snapshot: SnapshotAssertion) -> None:
    async with serve() as station:
        capability = document([{"namespace": "api", "url": station.url}], [rest(("say", "api.say"))])
        definitions = await discover(capability, settings=Settings(environment={}))
        del definitions["api"]["tools"]["draw"]
        definitions["api"]["tools"]["say"]["description"] = "Says something"
        async with running(capability, discovered=definitions) as found:
            (warning,) = found.host.warnings
            assert (warning.code, warning.message) == snapshot


async def test_redirects_are_followed_within_the_origin_only(serve: Serve) -> None:
    async def redirect(request: web.Request) -> web.Response:
        headers = {"Location": target, "Content-Type": "text/plain"}
        requests.append(request.headers.get("X-Key"))
        return web.Response(status=307, headers=headers)

    requests: list[str | None] = []
    app = web.Application()
    app.router.add_post("/mcp", redirect)
    runner = web.AppRunner(app)
    async with serve() as station:
        target = station.url
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        authentication = {"type": "apikey", "key": "X-Key", "value": "s3cr3t"}
        entry = {"namespace": "api", "url": f"http://{host}:{port}/mcp", "authentication": authentication}
        with pytest.raises(UpstreamUnreachableError):
            await discover(document([entry], []), settings=Settings(environment={}))
        assert set(requests) == {"s3cr3t"}
        await runner.cleanup()


async def test_secrets_are_never_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    environment = {"KEY": "s3cr3t-k3y", "TOKEN": "s3cr3t-t0ken"}
    async with serve() as station:
        entry = {
            "namespace": "api",
            "url": f"{station.url}?key={{{{env.KEY}}}}",
            "authentication": {"type": "bearer", "token": "{{env.TOKEN}}"},
        }
        capability = document([entry], [])
        capability["binds"] = [{"namespace": "env", "keys": {"KEY": "KEY", "TOKEN": "TOKEN"}}]
        definitions = await discover(capability, settings=Settings(environment=environment))
        async with Host(capability, settings=Settings(environment=environment, discovered=definitions)) as host:
            await host.call("api.say", {"text": "hello"})
        capability["capability"]["consumes"][0]["url"] = "http://127.0.0.1:1/{{env.KEY}}"
        with pytest.raises(UpstreamUnreachableError):
            await discover(capability, settings=Settings(environment=environment))
    # The server, which is in the same process, logs its requests.
    texts = [record.getMessage() for record in caplog.records if not record.name.startswith(("uvicorn", "mcp.server"))]
    assert texts
    assert [text for text in texts if "s3cr3t" in text] == []


async def test_response_limit_over_both_transports(serve: Serve, command: dict[str, Any]) -> None:
    limit = 16 * 1024
    async with serve(json_response=True) as station, serve() as events:
        for keys in ({"url": station.url}, {"url": events.url}, command):
            capability = document([{"namespace": "api", **keys}], [])
            definitions = await discover(capability, settings=Settings(environment={}))
            settings = Settings(environment={}, discovered=definitions, response_limit=limit)
            async with Host(capability, settings=settings) as host:
                with pytest.raises(UpstreamInvalidError):
                    await host.call("api.say", {"text": "x" * limit})


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({}, "invalid"),
        ({"url": "http://x", "command": "y"}, "invalid"),
        ({"command": "y", "authentication": {"type": "bearer", "token": "x"}}, "invalid"),
        ({"url": "ftp://x"}, "url"),
        ({"url": "http://x", "authentication": {"type": "mutualTLS"}}, "unsupported"),
        ({"url": "http://x", "authentication": {"type": "apikey", "key": "a b", "value": "b"}}, "header-name"),
        ({"url": "http://x", "authentication": {"type": "bearer"}}, "missing-key"),
        ({"url": "http://x", "authentication": {"type": "bearer", "token": "a\nb"}}, "credential"),
    ],
)
def test_mistakes_of_the_document(entry: dict[str, Any], code: str) -> None:
    with pytest.raises(ProblemsError) as caught:
        Host(document([{"namespace": "api", **entry}], []), settings=Settings(discovered={"api": {}}))
    assert [problem.code for problem in caught.value.problems] == [code]
