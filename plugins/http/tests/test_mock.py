"""The mock server validates requests as the API would."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from adapter_host import Host, Settings, UpstreamStatusError

from .conftest import document, plugins, single_operation

MOCK = {"mock": True}

WITHOUT_DESCRIPTORS = """
import asyncio, os, resource, socket
from adapter_host import StartError
from adapter_host_http.mock.server import MockApi, MockServer

async def main():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/dev/fd"))) + 1, most))
    held = []
    try:
        while True:
            held.append(socket.socket())
    except OSError:
        pass
    try:
        await MockServer().add(MockApi([], None))
    except StartError as error:
        print(error)

asyncio.run(main())
"""


def input_(name: str, in_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": in_, **more}


async def call_rejected(call: Any, **arguments: Any) -> tuple[int, bytes]:
    with pytest.raises(UpstreamStatusError) as caught:
        await call(**arguments)
    return caught.value.upstream_status, caught.value.body


async def fetch(
    method: str, url: str, body: bytes | None = None, kind: str = "", coding: str = ""
) -> tuple[int, str | None, bytes]:
    headers = {"Content-Type": kind} if kind else {}
    if coding:
        headers["Content-Encoding"] = coding
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body, headers=headers) as response,
    ):
        return response.status, response.headers.get("Allow"), await response.read()


async def test_echo_of_the_request(start: Any, api: Any) -> None:
    inputs = [input_("limit", "query"), input_("X-Trace", "header"), input_("body", "body"), input_("s", "cookie")]
    call = await start(
        {"method": "POST", "inputParameters": inputs},
        path="/users/{id}",
        settings=MOCK,
        secrets={"TOKEN": "unused"},
        authentication={"type": "apikey", "key": "token", "value": "{{TOKEN}}", "placement": "query"},
    )
    result = await call(id="a/b", limit=["1", "2"], body={"a": 1}, **{"X-Trace": "t"})
    assert result == {
        "received": {
            "method": "POST",
            "path": "/users/a/b",
            "query": {"limit": ["1", "2"]},
            "headers": {"X-Trace": "t"},
            "body": {"a": 1},
        }
    }
    assert api.requests == []


@pytest.mark.parametrize(
    "base", [None, "", "https://api.example.org/v1", "{{env.BASE}}", "{{BASE}}/v1", "https://{host}{base}"]
)
async def test_no_base_uri_needed(start: Any, base: str | None) -> None:
    call = await start(settings=MOCK, baseUri=base, secrets={"BASE": ""})
    assert (await call())["received"]["path"] == "/things"


@pytest.mark.parametrize(
    ("example", "status", "data"),
    [
        ({"a": 1}, 200, {"a": 1}),
        ([], 200, []),
        ({"status": "open", "id": 3}, 200, {"status": "open", "id": 3}),
        ({"status": 201, "body": {"id": 7}}, 201, {"id": 7}),
        ({"status": 204}, 204, None),
    ],
)
async def test_example_response(start: Any, example: Any, status: int, data: Any) -> None:
    call = await start({"method": "POST", "x-example": example}, settings=MOCK)
    result = await call.operation.call({})
    assert (result.status, result.data) == (status, data)


async def test_example_of_an_error(start: Any) -> None:
    call = await start({"x-example": {"status": 409, "body": {"error": "taken"}}}, settings=MOCK)
    assert await call_rejected(call) == (409, b'{"error":"taken"}')


@pytest.mark.parametrize(
    ("outputs", "data"),
    [
        (
            [
                {"name": "imo-number", "type": "string", "value": "$.imo_number"},
                {"name": "length", "type": "number", "value": "$.dimensions.length"},
                {"name": "width", "type": "integer", "mapping": "$.dimensions['width']"},
                {"name": "active", "type": "boolean", "mapping": '$["active"]'},
            ],
            {"imo_number": "imo-number", "dimensions": {"length": 1.5, "width": 1}, "active": True},
        ),
        (
            [
                {
                    "name": "ships",
                    "type": "array",
                    "mapping": "$.",
                    "items": {"type": "object", "properties": {"n": {"type": "string", "mapping": "$.vessel.name"}}},
                }
            ],
            [{"vessel": {"name": "n"}}],
        ),
        (
            [{"name": "r", "type": "object", "value": "$.", "properties": {"a": {"type": "integer"}, "b": {}}}],
            {"a": 1, "b": "b"},
        ),
        (
            [
                {"name": "ship", "type": "object", "value": "$.ship", "properties": {"a": {"type": "integer"}}},
                {"name": "ship", "type": "object", "value": "$.ship", "properties": {"b": {"type": "boolean"}}},
            ],
            {"ship": {"a": 1, "b": True}},
        ),
        ([{"name": "first", "type": "string", "value": "$.items[0].id"}], {"items": [{"id": "first"}]}),
        (
            [
                {"name": "ids", "type": "string", "value": "$.items[*].id"},
                {"name": "tags", "type": "array", "value": "$.items[0].tags"},
                {"name": "more", "type": "object", "value": "$.more"},
            ],
            {"items": [{"id": "ids", "tags": []}], "more": {}},
        ),
    ],
)
async def test_sample_of_declared_outputs(start: Any, outputs: Any, data: Any) -> None:
    call = await start({"outputParameters": outputs}, settings=MOCK)
    assert await call() == data


async def test_no_sample_without_mappings(start: Any) -> None:
    call = await start({"outputParameters": [{"name": "result", "type": "object", "value": "$."}]}, settings=MOCK)
    assert "received" in await call()


async def test_binary_example(start: Any) -> None:
    call = await start({"outputRawFormat": "binary", "x-example": "bytes"}, settings=MOCK)
    result = await call.operation.call({})
    assert (result.body, result.media_type) == (b"bytes", "application/octet-stream")


AUTHENTICATIONS = [
    {"type": "bearer", "token": "{{TOKEN}}"},
    {"type": "apikey", "key": "X-Key", "value": "{{TOKEN}}"},
    {"type": "apikey", "key": "key", "value": "{{TOKEN}}", "placement": "query"},
    {"type": "basic", "username": "me", "password": "{{TOKEN}}"},
]


@pytest.mark.parametrize("authentication", AUTHENTICATIONS)
async def test_missing_credential_is_rejected(start: Any, authentication: Any) -> None:
    call = await start(authentication=authentication, secrets={"TOKEN": "unused"}, settings=MOCK)
    assert "unused" not in str(await call())
    status, _, _ = await fetch("GET", f"{call.consumer.base_uri}/things")
    assert status == 401


async def test_wrong_credential_is_rejected(start: Any) -> None:
    inputs = [input_("Authorization", "header")]
    call = await start(
        {"inputParameters": inputs}, authentication=AUTHENTICATIONS[0], secrets={"TOKEN": "t"}, settings=MOCK
    )
    status, _ = await call_rejected(call, Authorization="Bearer other")
    assert status == 401


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/nowhere", 404), ("GET", "/things/1/2", 404), ("PATCH", "/things/1", 405), ("GET", "/things/", 404)],
)
async def test_undeclared_requests_are_rejected(start: Any, method: str, target: str, status: int) -> None:
    call = await start(path="/things/{id}", settings=MOCK)
    received, allowed, body = await fetch(method, f"{call.consumer.base_uri}{target}")
    assert (received, allowed) == (status, "GET" if status == 405 else None)
    assert body.startswith(b'{"error":')


async def test_literal_path_takes_precedence_over_placeholder(start: Any) -> None:
    operations = [
        {"name": "one", "method": "GET", "path": "/u/{id}", "x-example": "one"},
        {"name": "me", "method": "GET", "path": "/u/me", "x-example": "me"},
    ]
    call = await start(resources=[{"name": "u", "path": "/", "operations": operations}], settings=MOCK)
    assert [(await operation.call({"id": "x"})).data for operation in call.operations] == ["one", "me"]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("feedback", {"worker": "7"}),
        ("reviews", {}),
        ("reviews", {"since": "2020"}),
        ("stop", {"reason": "x"}),
        ("start", {}),
        ("post", {"a": 1}),
    ],
)
async def test_operations_that_share_a_url(start: Any, name: str, arguments: dict[str, Any]) -> None:
    operations: list[dict[str, Any]] = [
        {"name": "feedback", "method": "GET", "inputParameters": [input_("worker", "query", required=True)]},
        {"name": "reviews", "method": "GET", "inputParameters": [input_("since", "query")]},
        {"name": "start", "method": "POST", "path": "/things?Action=Start"},
        {
            "name": "stop",
            "method": "POST",
            "path": "/things?Action=Stop",
            "inputParameters": [input_("reason", "query")],
        },
        {"name": "post", "method": "POST", "inputParameters": [input_("a", "body", required=True)]},
    ]
    for operation in operations:
        operation["x-example"] = operation["name"]
    call = await start(resources=[{"name": "r", "path": "/things", "operations": operations}], settings=MOCK)
    (called,) = [operation for operation in call.operations if operation.name == name]
    assert (await called.call(arguments)).data == name


async def test_all_mocked_apis_share_one_port() -> None:
    def consumer(number: int) -> dict[str, Any]:
        return {"type": "http", "namespace": f"api{number}", **single_operation({"x-example": number})}

    document_ = document({}, {})
    document_["capability"]["consumes"] = [consumer(number) for number in range(20)]
    before = len(os.listdir("/dev/fd"))
    async with Host(document_, plugins=plugins(), settings=Settings(mock=True, environment={})) as host:
        consumers: list[Any] = list(host.plans[0].consumers)
        assert len(os.listdir("/dev/fd")) - before < len(consumers)
        assert len({URL(consumer.base_uri).port for consumer in consumers}) == 1
        results = [await consumer.operations()[0].call({}) for consumer in consumers]
        assert [result.data for result in results] == list(range(20))
        await consumers[0].stop()
        assert (await fetch("GET", f"{consumers[0].base_uri}/things"))[0] == 404
        assert (await consumers[1].operations()[0].call({})).data == 1


def test_mock_server_without_descriptors_is_a_clear_error() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_DESCRIPTORS], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (
        "cannot start the mock server: too many open files; raise the limit of open files\n",
        "",
    )


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("text/plain", b"{}", 415),
        ("application/json", b"{}", 400),
        ("application/json", b'{"n": 1}', 200),
    ],
)
async def test_json_bodies_are_validated(start: Any, content_type: str, body: bytes, status: int) -> None:
    call = await start({"method": "POST", "inputParameters": [input_("n", "body", required=True)]}, settings=MOCK)
    received, _, _ = await fetch("POST", f"{call.consumer.base_uri}/things", body, content_type)
    assert received == status


@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", gzip.compress(b'{"n": 1}', mtime=0), 200),
        ("gzip", gzip.compress(b'{"n": 1}', mtime=0)[:-8], 400),
        ("br", b'{"n": 1}', 415),
        ("identity", b'{"n": %b}' % (b"[" * 300 + b"]" * 300), 400),
    ],
    ids=["gzip", "truncated gzip", "another coding", "nested too deeply"],
)
async def test_encoded_and_nested_bodies(start: Any, coding: str, body: bytes, status: int) -> None:
    call = await start({"method": "POST", "inputParameters": [input_("n", "body", required=True)]}, settings=MOCK)
    received, _, _ = await fetch("POST", f"{call.consumer.base_uri}/things", body, "application/json", coding)
    assert received == status


@pytest.mark.parametrize("in_", ["query", "header", "cookie"])
async def test_missing_inputs_are_rejected(start: Any, in_: str) -> None:
    call = await start({"inputParameters": [input_("needed", in_, required=True)]}, settings=MOCK)
    status, body = await call_rejected(call, needed=None)
    assert (status, body) == (400, f'{{"error":"\'needed\' is required in {in_}"}}'.encode())
    assert "received" in await call(needed="x")


async def test_rejected_requests_are_not_logged(start: Any, caplog: pytest.LogCaptureFixture) -> None:
    call = await start({"inputParameters": [input_("key", "query")]}, settings=MOCK)
    await call_rejected(call, key="s3cr3t" + "a" * 9000)
    text = "\n".join(map(caplog.handler.format, caplog.records))
    assert "Error handling request" in text
    assert "s3cr3t" not in text


async def test_required_complete_body(start: Any) -> None:
    whole = input_("body", "body", type="object", required=True)
    call = await start({"method": "POST", "inputParameters": [whole]}, settings=MOCK)
    assert (await call(body={"a": 1}))["received"]["body"] == {"a": 1}
    status, _, body = await fetch("POST", f"{call.consumer.base_uri}/things")
    assert (status, body) == (400, b'{"error":"\'body\' is required in body"}')


async def test_mock_server_stops_with_the_consumer(start: Any) -> None:
    call = await start(settings=MOCK)
    base = call.consumer.base_uri
    await call.consumer.stop()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(base)
    await call.consumer.start()
    assert "received" in await call()


SHIPS = [{"name": "Fram & co", "tons": "402"}, {"name": 'G|ø"a', "tons": ""}]


@pytest.mark.parametrize(
    ("raw_format", "example", "data"),
    [
        ("xml", {"ship": SHIPS, "port": {"name": "Oslo"}}, {"ship": SHIPS, "port": {"name": "Oslo"}}),
        ("xml", "<a><b>1</b></a>", {"b": "1"}),
        ("csv", SHIPS, SHIPS),
        ("tsv", SHIPS, SHIPS),
        ("psv", SHIPS, SHIPS),
        ("csv", "a,b\n1,2", [{"a": "1", "b": "2"}]),
        ("yaml", {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
        ("html", {"tables": [SHIPS]}, {"tables": [SHIPS]}),
        ("html", SHIPS, {"tables": [SHIPS]}),
        ("markdown", {"tables": [SHIPS]}, {"tables": [SHIPS], "sections": []}),
        ("csv", {"status": 200, "body": SHIPS}, SHIPS),
    ],
)
async def test_example_in_the_declared_format(start: Any, raw_format: str, example: Any, data: Any) -> None:
    pytest.importorskip({"html": "cssselect", "markdown": "pyromark"}.get(raw_format, "yaml"))
    call = await start({"outputRawFormat": raw_format, "x-example": example}, settings=MOCK)
    assert await call() == data


@pytest.mark.parametrize("raw_format", ["xml", "csv", "tsv", "psv", "yaml", "html", "markdown"])
async def test_echo_in_the_declared_format(start: Any, raw_format: str) -> None:
    pytest.importorskip({"html": "cssselect", "markdown": "pyromark"}.get(raw_format, "yaml"))
    result = await (await start({"outputRawFormat": raw_format}, settings=MOCK))()
    assert "received" in str(result)
    assert "/things" in str(result)


async def test_example_of_an_error_is_json_in_any_format(start: Any) -> None:
    example = {"status": 404, "body": {"error": "no"}}
    call = await start({"outputRawFormat": "xml", "x-example": example}, settings=MOCK)
    assert await call_rejected(call) == (404, b'{"error":"no"}')


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_digest_without_a_count_is_one_of_an_empty_count(start: Any) -> None:
    digest = {"type": "digest", "username": "me", "password": "{{PASSWORD}}"}
    call = await start(authentication=digest, secrets={"PASSWORD": "p"}, settings=MOCK)
    url = f"{call.consumer.base_uri}/things"
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as challenged:
            challenge = dict(re.findall(r'(\w+)="([^"]*)"', challenged.headers["WWW-Authenticate"]))
        account = _sha256(f"me:{challenge['realm']}:mock-PASSWORD")
        expected = _sha256(f"{account}:{challenge['nonce']}:::auth:{_sha256(f'GET:{urlsplit(url).path}')}")
        sent = f'Digest nonce="{challenge["nonce"]}", response="{expected}"'
        async with session.get(url, headers={"Authorization": sent}) as accepted:
            assert accepted.status == 200


async def test_digest_is_checked(start: Any) -> None:
    digest = {"type": "digest", "username": "me", "password": "{{PASSWORD}}"}
    call = await start(authentication=digest, secrets={"PASSWORD": "p"}, settings=MOCK)
    for _ in range(2):
        assert (await call())["received"]["headers"] == {}
    status, _, body = await fetch("GET", f"{call.consumer.base_uri}/things")
    assert (status, body) == (401, b'{"error":"the header \'Authorization\' does not match the credential"}')
    named = {"inputParameters": [input_("Authorization", "header")]}
    call = await start(named, authentication=digest, secrets={"PASSWORD": "p"}, settings=MOCK)
    assert (await call_rejected(call, Authorization='Digest nonce="x", response="y"'))[0] == 401
