"""The stand-in: it checks what the API would, over the real wire."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from adapter_host import UpstreamStatusError

MOCK = {"mock": True}


def given(name: str, place: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, **more}


async def refused(call: Any, **arguments: Any) -> tuple[int, bytes]:
    with pytest.raises(UpstreamStatusError) as caught:
        await call(**arguments)
    return caught.value.upstream_status, caught.value.body


async def fetch(method: str, url: str, body: bytes | None = None, kind: str = "") -> tuple[int, str | None, bytes]:
    headers = {"Content-Type": kind} if kind else {}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body, headers=headers) as response,
    ):
        return response.status, response.headers.get("Allow"), await response.read()


async def test_it_says_what_it_received(start: Any, api: Any) -> None:
    inputs = [given("limit", "query"), given("X-Trace", "header"), given("body", "body"), given("s", "cookie")]
    call = await start(
        {"method": "POST", "inputParameters": inputs},
        path="/users/{id}",
        settings=MOCK,
        secrets={"TOKEN": "unused"},
        authentication={"type": "apikey", "key": "token", "value": "{{TOKEN}}", "placement": "query"},
    )
    answer = await call(id="a/b", limit=["1", "2"], body={"a": 1}, **{"X-Trace": "t"})
    assert answer == {
        "received": {
            "method": "POST",
            "path": "/users/a/b",
            "query": {"limit": ["1", "2"]},
            "headers": {"X-Trace": "t"},
            "body": {"a": 1},
        }
    }
    assert api.seen == []


@pytest.mark.parametrize("base", [None, "", "https://api.example.org/v1"])
async def test_it_needs_no_base(start: Any, base: str | None) -> None:
    call = await start(settings=MOCK, baseUri=base)
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
async def test_an_example_is_the_answer(start: Any, example: Any, status: int, data: Any) -> None:
    call = await start({"method": "POST", "x-example": example}, settings=MOCK)
    result = await call.operation.call({})
    assert (result.status, result.data) == (status, data)


async def test_an_example_may_be_an_error(start: Any) -> None:
    call = await start({"x-example": {"status": 409, "body": {"error": "taken"}}}, settings=MOCK)
    assert await refused(call) == (409, b'{"error":"taken"}')


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
async def test_declared_outputs_make_a_sample(start: Any, outputs: Any, data: Any) -> None:
    call = await start({"outputParameters": outputs}, settings=MOCK)
    assert await call() == data


async def test_outputs_that_say_nothing_make_none(start: Any) -> None:
    call = await start({"outputParameters": [{"name": "result", "type": "object", "value": "$."}]}, settings=MOCK)
    assert "received" in await call()


async def test_binary_is_bytes(start: Any) -> None:
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
async def test_it_asks_for_the_credential(start: Any, authentication: Any) -> None:
    call = await start(authentication=authentication, secrets={"TOKEN": "unused"}, settings=MOCK)
    assert "unused" not in str(await call())
    status, _, _ = await fetch("GET", f"{call.consumer.base_uri}/things")
    assert status == 401


async def test_another_credential_is_refused(start: Any) -> None:
    inputs = [given("Authorization", "header")]
    call = await start(
        {"inputParameters": inputs}, authentication=AUTHENTICATIONS[0], secrets={"TOKEN": "t"}, settings=MOCK
    )
    status, _ = await refused(call, Authorization="Bearer other")
    assert status == 401


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("GET", "/nowhere", 404), ("GET", "/things/1/2", 404), ("PATCH", "/things/1", 405), ("GET", "/things/", 404)],
)
async def test_it_knows_only_what_is_declared(start: Any, method: str, target: str, status: int) -> None:
    call = await start(path="/things/{id}", settings=MOCK)
    got, allowed, body = await fetch(method, f"{call.consumer.base_uri}{target}")
    assert (got, allowed) == (status, "GET" if status == 405 else None)
    assert body.startswith(b'{"error":')


async def test_a_fixed_path_goes_before_one_with_a_placeholder(start: Any) -> None:
    operations = [
        {"name": "one", "method": "GET", "path": "/u/{id}", "x-example": "one"},
        {"name": "me", "method": "GET", "path": "/u/me", "x-example": "me"},
    ]
    call = await start(resources=[{"name": "u", "path": "/", "operations": operations}], settings=MOCK)
    assert [(await operation.call({"id": "x"})).data for operation in call.operations] == ["one", "me"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("text/plain", b"{}", 415),
        ("application/json", b"{}", 400),
        ("application/json", b'{"n": 1}', 200),
    ],
)
async def test_it_reads_json_bodies(start: Any, content_type: str, body: bytes, status: int) -> None:
    call = await start({"method": "POST", "inputParameters": [given("n", "body", required=True)]}, settings=MOCK)
    got, _, _ = await fetch("POST", f"{call.consumer.base_uri}/things", body, content_type)
    assert got == status


@pytest.mark.parametrize("place", ["query", "header", "cookie"])
async def test_it_asks_for_what_is_required(start: Any, place: str) -> None:
    call = await start({"inputParameters": [given("needed", place, required=True)]}, settings=MOCK)
    status, body = await refused(call, needed=None)
    assert (status, body) == (400, f'{{"error":"\'needed\' is required in {place}"}}'.encode())
    assert "received" in await call(needed="x")


async def test_a_required_whole_body_may_hold_anything(start: Any) -> None:
    whole = given("body", "body", type="object", required=True)
    call = await start({"method": "POST", "inputParameters": [whole]}, settings=MOCK)
    assert (await call(body={"a": 1}))["received"]["body"] == {"a": 1}
    status, _, body = await fetch("POST", f"{call.consumer.base_uri}/things")
    assert (status, body) == (400, b'{"error":"\'body\' is required in body"}')


async def test_it_stops_with_the_consumer(start: Any) -> None:
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
    ("format", "example", "data"),
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
async def test_it_answers_in_the_declared_format(start: Any, format: str, example: Any, data: Any) -> None:
    pytest.importorskip({"html": "cssselect", "markdown": "markdown_it"}.get(format, "yaml"))
    call = await start({"outputRawFormat": format, "x-example": example}, settings=MOCK)
    assert await call() == data


@pytest.mark.parametrize("format", ["xml", "csv", "tsv", "psv", "yaml", "html", "markdown"])
async def test_so_it_does_without_an_example(start: Any, format: str) -> None:
    pytest.importorskip({"html": "cssselect", "markdown": "markdown_it"}.get(format, "yaml"))
    answer = await (await start({"outputRawFormat": format}, settings=MOCK))()
    assert "received" in str(answer)
    assert "/things" in str(answer)


async def test_an_example_of_an_error_is_json_whatever_the_format(start: Any) -> None:
    example = {"status": 404, "body": {"error": "no"}}
    call = await start({"outputRawFormat": "xml", "x-example": example}, settings=MOCK)
    assert await refused(call) == (404, b'{"error":"no"}')


async def test_it_asks_for_a_digest(start: Any) -> None:
    digest = {"type": "digest", "username": "me", "password": "{{PASSWORD}}"}
    call = await start(authentication=digest, secrets={"PASSWORD": "p"}, settings=MOCK)
    for _ in range(2):
        assert (await call())["received"]["headers"] == {}
    status, _, body = await fetch("GET", f"{call.consumer.base_uri}/things")
    assert (status, body) == (401, b'{"error":"the header \'Authorization\' does not hold the credential"}')
    named = {"inputParameters": [given("Authorization", "header")]}
    call = await start(named, authentication=digest, secrets={"PASSWORD": "p"}, settings=MOCK)
    assert (await refused(call, Authorization='Digest nonce="x", response="y"'))[0] == 401
