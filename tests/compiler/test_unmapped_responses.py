"""Responses that nothing maps are passed on byte for byte; only those that are read must be JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.support.rest_and_mcp import Data, offering, operation, resource, tool

LONG = 123456789012345678901234567890
LATIN = '{"id": "é"}'.encode("latin-1")

UNITS: dict[str, Data] = {
    "call": {"call": "api.do"},
    "passed": {"call": "api.do", "outputParameters": [{"type": "object", "mapping": "$."}]},
    "ref": {"ref": "shared.do"},
    "steps": {
        "steps": [{"name": "unread", "type": "call", "call": "api.do"}, {"name": "s", "type": "call", "call": "api.do"}]
    },
}
SHARED = {"namespace": "shared", "functions": [{"name": "do", "description": "d", "call": "api.do"}]}


def sending(body: bytes, media_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": media_type})

    return reply


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        (b"just text", "text/plain", "just text"),
        (b"<!doctype html><p>x", "text/html; charset=utf-8", "<!doctype html><p>x"),
        (b'{"a":1}\n{"a":2}\n', "application/x-ndjson", '{"a":1}\n{"a":2}\n'),
        (b'\xef\xbb\xbf{"id": 5}', "application/json", '{"id": 5}'),
        (LATIN, "application/json; charset=iso-8859-1", '{"id": "é"}'),
        (b'{"id": "\\ud800"}', "application/json", '{"id": "\\ud800"}'),
        (b'{"id": 1e400}', "application/json", '{"id": 1e400}'),
        (b"not JSON", "application/json", "not JSON"),
        (b'{"id": 5}', "application/octet-stream", '{"id": 5}'),
    ],
)
async def test_text_is_passed_on(name: str, body: bytes, media_type: str, text: str) -> None:
    unit = UNITS[name]
    rest = [resource("/a", {"method": "GET", "name": "do", **unit})]
    async with offering(resource("/a", operation()), rest=rest, tools=[tool(**unit)], aggregates=[SHARED]) as offered:
        offered.api.reply = sending(body, media_type)
        response = await offered.rest("GET", "/a")
        assert (response.status, response.headers["Content-Type"], response.body) == (200, media_type, body)
        result = await offered.tool("do")
        assert (result.failed, result.text) == (False, text)


@pytest.mark.parametrize(
    ("body", "media_type"), [(b"%PDF\xff", "application/pdf"), (b"\x00\x01", "application/octet-stream")]
)
async def test_bytes_are_passed_on(body: bytes, media_type: str) -> None:
    rest = [resource("/a", {"method": "GET", "call": "api.do"})]
    async with offering(resource("/a", operation()), rest=rest) as offered:
        offered.api.reply = sending(body, media_type)
        response = await offered.rest("GET", "/a")
        assert (response.status, response.headers["Content-Type"], response.body) == (200, media_type, body)


ID: Data = {"type": "object", "properties": {"id": {"type": "number", "mapping": "$.id"}}}
NAME: Data = {"type": "object", "properties": {"id": {"type": "string", "mapping": "$.id"}}}
MAPPED: dict[str, Data] = {
    "outputs": {"call": "api.do", "outputParameters": [ID]},
    "mappings": {
        "name": "do",
        "steps": [{"name": "s", "type": "call", "call": "api.do"}],
        "mappings": [{"targetName": "id", "value": "$.s.id"}],
    },
}


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (b'\xef\xbb\xbf{"id": 5}', "application/json", b'{"id":5}'),
        ('{"id": 5}'.encode("utf-16"), "application/json", b'{"id":5}'),
        (LATIN, "application/json; charset=iso-8859-1", '{"id":"é"}'.encode()),
        (b'{"id": %d}' % LONG, "application/json", b'{"id":%d}' % LONG),
        (b'{"id": -%d}' % LONG, "application/json", b'{"id":-%d}' % LONG),
        (b'{"id": 0.12345678901234567890}', "application/json", b'{"id":0.12345678901234567890}'),
        (b'{"id": 18446744073709551615}', "application/json", b'{"id":18446744073709551615}'),
    ],
)
async def test_mapped_json(name: str, body: bytes, media_type: str, expected: bytes) -> None:
    unit = {**MAPPED[name], **({"outputParameters": [NAME]} if body == LATIN and name == "outputs" else {})}
    rest = [resource("/a", {"method": "GET", **unit})]
    async with offering(resource("/a", operation()), rest=rest, tools=[{**tool(), **unit}]) as offered:
        offered.api.reply = sending(body, media_type)
        response = await offered.rest("GET", "/a")
        assert (response.status, response.body) == (200, expected)
        assert (await offered.tool("do")).text.encode() == expected


async def test_long_integers_of_steps_keep_their_digits() -> None:
    consumed = [
        resource("/a", operation("get")),
        resource("/b/{id}", operation("put", "PUT", body={"id": "{{id}}", "in": {"list": ["{{id}}"]}})),
    ]
    steps = [
        {"name": "got", "type": "call", "call": "api.get"},
        {"name": "done", "type": "call", "call": "api.put", "with": {"id": "$.got.id"}},
    ]
    async with offering(*consumed, tools=[tool(steps=steps)]) as offered:
        offered.respond_with(b'{"id": %d}' % LONG)
        assert not (await offered.tool("do")).failed
        assert offered.api.last.target == f"/b/{LONG}"
        assert offered.api.last.body == b'{"id":%d,"in":{"list":[%d]}}' % (LONG, LONG)


@pytest.mark.parametrize("name", MAPPED)
@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"<p>", "text/html"),
        (b"{", "application/json"),
        (b'"\xff"', "application/json"),
        (b"{}", "text/x; charset=punycode"),
    ],
)
async def test_data_that_is_read_must_be_json(name: str, body: bytes, media_type: str) -> None:
    unit = MAPPED[name]
    rest = [resource("/a", {"method": "GET", **unit})]
    async with offering(resource("/a", operation()), rest=rest, tools=[{**tool(), **unit}]) as offered:
        offered.api.reply = sending(body, media_type)
        response = await offered.rest("GET", "/a")
        reason = f"the response of the upstream 'api' is not JSON (received {media_type.partition(';')[0]})"
        assert response.status == 502
        assert reason in orjson.loads(response.body)["detail"]
        assert reason in (await offered.tool("do")).text


@pytest.mark.parametrize(("number", "status"), [(b"9" * 300, 200), (b"9" * 5000, 502), (b"1e400", 502)])
async def test_size_of_numbers(number: bytes, status: int) -> None:
    output: dict[str, Any] = {"type": "string", "mapping": "$.name"}
    rest = [resource("/a", {"method": "GET", "call": "api.do", "outputParameters": [output]})]
    async with offering(resource("/a", operation()), rest=rest) as offered:
        offered.api.reply = sending(b'{"id": %b, "name": "x"}' % number, "application/json")
        assert (await offered.rest("GET", "/a")).status == status
