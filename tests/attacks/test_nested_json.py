"""JSON that is nested deeply: in requests, in responses of an upstream, and in results of scripts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from adapter_host.testing import Running, running
from tests.support.raw_http import CLOSE, Connection, exchange, raw_upstream, response, status_of

ANY = {"name": "any", "in": "body", "required": False}
OBJECT = {"name": "object", "in": "query", "type": "object", "required": False}
ARRAY = {"name": "array", "in": "query", "type": "array", "required": False}
TEXT = {"name": "text", "type": "string", "value": "{{any}}"}
HELLO = {"name": "text", "type": "string", "value": "hello"}
TOOL_INPUT = {"name": "any", "type": "array", "description": "Anything"}
SCRIPTS = {
    "javascript": "let value = 1; for (let i = 0; i < 300; i++) value = [value]; result = value;",
    "python": "result = 1\nfor _ in range(300):\n    result = [result]",
}
SHALLOW, DEEP = 98, 300


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def document(upstream: str = "http://127.0.0.1:1", folder: str = "file:///") -> dict[str, Any]:
    def script(language: str) -> dict[str, Any]:
        step = {"type": "script", "name": "run", "language": language, "location": folder, "file": f"deep.{language}"}
        return {"method": "GET", "name": language, "steps": [step]}

    mapped = [{"name": "data", "type": "array", "mapping": "$.a"}, {"name": "text", "type": "string", "mapping": "$.a"}]
    call = {"method": "GET", "call": "api.read"}
    resources = [
        {"path": "/echo", "operations": [{"method": "POST", "inputParameters": [ANY], "outputParameters": [TEXT]}]},
        {
            "path": "/query",
            "operations": [{"method": "GET", "inputParameters": [OBJECT, ARRAY], "outputParameters": [HELLO]}],
        },
        {"path": "/send", "operations": [{"method": "POST", "call": "api.send"}]},
        {"path": "/identity", "operations": [call]},
        {"path": "/mapped", "operations": [{**call, "outputParameters": [{"type": "object", "properties": mapped}]}]},
        {"path": "/text", "operations": [{**call, "outputParameters": mapped[1:]}]},
    ]
    if folder != "file:///":
        resources += [{"path": f"/{language}", "operations": [script(language)]} for language in SCRIPTS]
    body = {"name": "body", "in": "body"}
    operations = [{"name": "read", "method": "GET"}, {"name": "send", "method": "POST", "inputParameters": [body]}]
    resource = {"name": "deep", "path": "/deep", "operations": operations}
    tool = {"name": "echo", "description": "Echo", "inputParameters": [TOOL_INPUT], "outputParameters": [TEXT]}
    line = {"name": "echo", "inputParameters": [ANY], "outputParameters": [TEXT]}
    return {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [{"type": "http", "namespace": "api", "baseUri": upstream, "resources": [resource]}],
            "exposes": [
                {"type": "rest", "namespace": "rest", "port": 0, "resources": resources},
                {"type": "mcp", "namespace": "mcp", "port": 0, "tools": [tool]},
                {"type": "echo", "namespace": "echo", "port": 0, "operations": [line]},
            ],
        },
    }


def port_of(served: Running, namespace: str) -> int:
    return int(served.url(namespace).split(":")[2].split("/")[0])


def post(target: str, body: bytes) -> bytes:
    headers = b"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: %d\r\n" % len(body)
    return f"POST {target} HTTP/1.1\r\n".encode() + CLOSE + headers + b"\r\n" + body


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\n".encode() + CLOSE + b"\r\n"


@pytest.mark.parametrize("levels", [DEEP, 1000, 100_000])
@pytest.mark.parametrize("target", ["/echo", "/send"])
async def test_deep_body_is_a_client_error(target: str, levels: int, caplog: pytest.LogCaptureFixture) -> None:
    async with running(document()) as served:
        deep = post(target, b'{"any":%b,"body":%b}' % (nested(levels), nested(levels)))
        assert status_of(await exchange(port_of(served, "rest"), deep)) == 400
        shallow = await exchange(port_of(served, "rest"), post("/echo", b'{"any":%b}' % nested(SHALLOW)))
        assert (status_of(shallow), nested(SHALLOW) in shallow) == (200, True)
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize("name", ["object", "array"])
async def test_deep_query_is_a_client_error(name: str, caplog: pytest.LogCaptureFixture) -> None:
    text = nested(DEEP).decode() if name == "array" else f'{{"a":{nested(DEEP).decode()}}}'
    async with running(document()) as served:
        sent = await exchange(port_of(served, "rest"), get(f"/query?{name}={quote(text)}"))
    assert status_of(sent) == 400
    assert b"nested more than 100 levels deep" in sent
    assert "unexpected" not in caplog.text


async def test_deep_arguments_of_a_tool_are_a_client_error(caplog: pytest.LogCaptureFixture) -> None:
    def call(levels: int) -> bytes:
        params = b'{"name":"echo","arguments":{"any":%b}}' % nested(levels)
        return post("/mcp", b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%b}' % params)

    async with running(document()) as served:
        assert status_of(await exchange(port_of(served, "mcp"), call(DEEP))) == 400
        assert status_of(await exchange(port_of(served, "mcp"), call(90))) == 200
    assert "unexpected" not in caplog.text


async def test_deep_line_is_a_client_error(caplog: pytest.LogCaptureFixture) -> None:
    async with running(document()) as served:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(served, "echo"))
        for levels, status in ((DEEP, 400), (1000, 400), (100_000, 400), (SHALLOW, None)):
            writer.write(b'echo {"any":%b}\n' % nested(levels))
            assert json.loads(await reader.readline()).get("status") == status
        writer.close()
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize(("target", "status"), [("/identity", 200), ("/mapped", 502), ("/text", 502)])
async def test_deep_response_is_passed_through_or_an_upstream_error(
    target: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(response(b'{"a":%b}' % nested(DEEP)))

    async with raw_upstream(serve) as upstream, running(document(upstream.url)) as served:
        assert status_of(await exchange(port_of(served, "rest"), get(target))) == status
    assert "unexpected" not in caplog.text


@pytest.mark.parametrize("language", SCRIPTS)
async def test_deep_result_of_a_script_is_its_error(
    language: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in SCRIPTS.items():
        (tmp_path / f"deep.{name}").write_text(text)
    async with running(document(folder=tmp_path.as_uri())) as served:
        sent = await exchange(port_of(served, "rest"), get(f"/{language}"))
    assert status_of(sent) == 500
    assert b"nest" in sent
    assert "unexpected" not in caplog.text
