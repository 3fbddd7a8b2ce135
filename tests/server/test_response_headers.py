"""Responses of REST and MCP have the same `Server`, `X-Content-Type-Options` and, as errors, `X-Request-Id`."""

from __future__ import annotations

from typing import Any

import pytest
from yarl import URL

from adapter_host.testing import Running, running
from tests.support.raw_http import exchange, status_of
from tests.support.rest_and_mcp import document, given, operation, resource, tool

OAUTH = {"type": "oauth2", "authorizationServerUri": "https://issuer.example", "resource": "https://api.example"}
BEARER = {"type": "bearer", "token": "s3cr3t"}
OPEN = "Connection: close\r\nAuthorization: Bearer s3cr3t\r\n"
LOCAL = f"Host: localhost\r\n{OPEN}"
JSON = "Content-Type: application/json\r\nAccept: application/json\r\n"


def headers_of(response: bytes) -> dict[str, list[str]]:
    """Return the values of the header lines by their names in lower case."""
    found: dict[str, list[str]] = {}
    for line in response.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        name, _, value = line.partition(":")
        found.setdefault(name.lower(), []).append(value.strip())
    return found


def port_of(host: Running, namespace: str) -> int:
    port = URL(host.url(namespace)).port
    assert port is not None
    return port


def served(authentication: dict[str, Any]) -> dict[str, Any]:
    consumed = resource("/a", operation(inputParameters=[given("n", "query", type="integer")]))
    rest = [resource("/mcp", operation(call="api.do"))]
    exposer = {"authentication": authentication}
    return document("http://127.0.0.1:9", [consumed], rest=rest, tools=[tool(call="api.do")], exposer=exposer)


@pytest.mark.parametrize("namespace", ["site", "agent"])
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (f"OPTIONS /mcp HTTP/1.1\r\n{LOCAL}", 204),
        ("GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", 401),
        (f"GET /mcp HTTP/1.1\r\nHost: evil.example\r\n{OPEN}", 421),
        (f"GET /mcp HTTP/1.1\r\n{LOCAL}Origin: https://evil.example\r\n", 403),
        (f"GET /mcp HTTP/1.1\r\nHost: a b\r\n{OPEN}", 400),
        (f"GET /other HTTP/1.1\r\n{LOCAL}", 404),
        (f"TRACE /mcp HTTP/1.1\r\n{LOCAL}", 405),
        (f"POST /mcp HTTP/1.1\r\n{LOCAL}{JSON}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n", 501),
        (f"GET /mcp HTTP/1.1\r\n{LOCAL}X: {'x' * 20_000}\r\n", 400),
        ("nonsense\r\n", 400),
    ],
)
async def test_headers_that_do_not_depend_on_the_protocol(namespace: str, head: str, status: int) -> None:
    async with running(served(BEARER)) as host:
        response = await exchange(port_of(host, namespace), f"{head}\r\n".encode())
    headers = headers_of(response)
    assert status_of(response) == status
    assert (headers["server"], headers["x-content-type-options"]) == (["adapter-host"], ["nosniff"])
    assert len(headers["x-request-id"]) == 1


@pytest.mark.parametrize("namespace", ["site", "agent"])
async def test_headers_of_metadata(namespace: str) -> None:
    async with running(served(OAUTH)) as host:
        path = "/.well-known/oauth-protected-resource"
        response = await exchange(port_of(host, namespace), f"GET {path} HTTP/1.1\r\n{LOCAL}\r\n".encode())
    headers = headers_of(response)
    assert status_of(response) == 200
    assert (headers["server"], headers["x-content-type-options"]) == (["adapter-host"], ["nosniff"])
