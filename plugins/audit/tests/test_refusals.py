"""Each refused request has one record, through every kind of exposer; a flood of them has a bounded number."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import grpc
import pytest

from adapter_host import Host, Plugins, Settings
from adapter_host.testing import FakePlugin, Running

KEY = {"type": "apikey", "in": "header", "key": "x-key", "value": "k3y"}
CALL = {"name": "get", "call": "api.get", "description": "Gets"}
INPUTS = [{"name": "id", "in": "path", "type": "integer"}]
RESOURCES = [{"path": "/things/{id}", "operations": [{"method": "GET", **CALL, "inputParameters": INPUTS}]}]
EXPOSES: dict[str, dict[str, Any]] = {
    "rest": {"resources": RESOURCES},
    "mcp": {"tools": [CALL]},
    "graphql": {"operations": [{**CALL, "kind": "query"}]},
    "a2a": {"skills": [CALL]},
    "control": {"management": {"reload": True}},
    "grpc": {"operations": [CALL]},
}
JSON = {"Accept": "application/json, text/event-stream"}


def tool_call(**params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get", "arguments": {}, **params}}


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}},
}


@asynccontextmanager
async def serving(path: Path, **settings: Any) -> AsyncIterator[Running]:
    exposes = [
        {"type": kind, "namespace": f"my-{kind}", "port": 0, "authentication": KEY, **keys}
        for kind, keys in EXPOSES.items()
    ]
    document = {
        "naftiko": "1.0.0-alpha2",
        "info": {"label": "Shop"},
        "capability": {
            "consumes": [{"type": "fake", "namespace": "api", "operations": [{"name": "get"}]}],
            "exposes": exposes,
        },
    }
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    audit = {"audit": {"file": str(path), **settings}}
    async with Host(document, plugins=plugins, settings=Settings(environment={}, plugins=audit)) as host:
        yield Running(host)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def block(path: Path) -> None:
    """Put a folder in the place of the file, which cannot be written then."""
    path.unlink()
    path.mkdir()


def unblock(path: Path) -> None:
    path.rmdir()


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


@pytest.mark.parametrize(
    ("kind", "method", "path_below", "body", "template"),
    [
        ("rest", "GET", "/things/s3cr3t", None, "/things/{id}"),
        ("rest", "GET", "/s3cr3t", None, None),
        ("mcp", "POST", "", INITIALIZE, "/mcp"),
        ("mcp", "POST", "", tool_call(_meta={"protocolVersion": "2026-07-28"}), "/mcp"),
        ("graphql", "POST", "", {"query": "{get}"}, "/graphql"),
        ("a2a", "POST", "", {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {}}, "/a2a"),
        ("control", "POST", "/config/reload", None, "/config/reload"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_refused_request(
    path: Path, kind: str, method: str, path_below: str, body: Any, template: str | None
) -> None:
    headers = {**JSON, "X-Key": "s3cr3t"}
    async with serving(path) as served, aiohttp.ClientSession() as session:
        url = f"{served.url(f'my-{kind}')}{path_below}"
        async with session.request(method, url, json=body, headers=headers) as response:
            assert response.status == 401
            request_id = response.headers["X-Request-Id"]
    assert "s3cr3t" not in str(records(path))
    (record,) = records(path)
    assert record.pop("time").endswith("+00:00")
    assert record == {
        "request_id": request_id,
        "capability": "Shop",
        "exposer": f"my-{kind}",
        "exposer_type": kind,
        "transport": "http",
        "principal": None,
        "authentication": "apikey",
        "client_address": "127.0.0.1",
        "method": method,
        "path": template,
        "decision": "refused",
        "outcome": 401,
        "reason": "invalid-credentials",
        "detail": "valid credentials are required",
    }


async def test_refused_call_of_grpc(path: Path) -> None:
    async with serving(path) as served:
        address = urlsplit(served.url("my-grpc")).netloc
        async with grpc.aio.insecure_channel(address) as channel:
            for method in ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/s3cr3t/Get"):
                call: Any = channel.unary_unary(method)
                with pytest.raises(grpc.aio.AioRpcError) as raised:
                    await call(b"")
                assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert [
        (each["exposer"], each["transport"], each["path"], each["reason"], each["client_address"])
        for each in records(path)
    ] == [
        ("my-grpc", "grpc", template, "missing-credentials", "127.0.0.1")
        for template in ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", None)
    ]


async def test_refusal_by_an_exposer_itself(path: Path) -> None:
    async with serving(path) as served, aiohttp.ClientSession() as session:
        headers = {"X-Key": "k3y", "Sec-Fetch-Site": "cross-site"}
        async with session.post(f"{served.url('my-control')}/config/reload", headers=headers) as response:
            assert response.status == 403
    (record,) = records(path)
    assert (record["reason"], record["principal"], record["path"]) == ("cross-origin", {}, "/config/reload")


async def test_flood(path: Path) -> None:
    async with serving(path, refusalsPerSecond=1) as served, aiohttp.ClientSession() as session:
        for _ in range(50):
            async with session.get(f"{served.url('my-rest')}/things/1") as response:
                assert response.status == 401
    written = records(path)
    suppressed = [record for record in written if "suppressed" in record]
    single = [record for record in written if "suppressed" not in record]
    assert len(single) + sum(record["suppressed"] for record in suppressed) == 50
    assert 1 <= len(suppressed) <= len(single) < 50
    for record in suppressed:
        assert record["decision"] == "refused"
        assert record["reasons"] == {"my-rest: missing-credentials": record["suppressed"]}
        assert record["client_addresses"] == {"127.0.0.1": record["suppressed"]}


async def test_refusals_that_cannot_be_written_are_counted(path: Path) -> None:
    async with serving(path) as served, aiohttp.ClientSession() as session:
        block(path)
        for _ in range(3):
            async with session.get(f"{served.url('my-rest')}/things/1") as response:
                assert response.status == 401
        unblock(path)
    assert [record["suppressed"] for record in records(path)] == [3]
