"""Bodies of forms and of bytes in requests to the API, for callers over MCP and over REST."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import aiohttp
import pytest
from hypothesis import given as given_text
from hypothesis.strategies import binary
from multidict import CIMultiDict, CIMultiDictProxy

from adapter_host import ArgumentError
from adapter_host_rest.body_reader import read_parts
from tests.support.rest_and_mcp import Data, given, offering, operation, resource, tool

PNG = b"\x89PNG\r\n\x1a\n\x00\xff--\r\n\r\nx"
PNG_TEXT = b64encode(PNG).decode()
BYTES: Data = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"}


def form(data: Any, encoding: Data, *inputs: Data, kind: str = "formUrlEncoded") -> Data:
    """Return an operation with a form."""
    body = {"type": kind, "data": data, **({"x-encoding": encoding} if encoding else {})}
    return operation(method="POST", body=body, inputParameters=list(inputs))


def served(operation: Data) -> Any:
    """Serve an operation at its own path, and as a tool."""
    route = resource("/form", {"method": operation["method"], "call": "api.do"})
    return offering(resource("/form", operation), rest=[route], tools=[tool(call="api.do")])


FIELDS = [
    given("metadata", "body", type="object"),
    given("items", "body", type="array"),
    given("tags", "body", type="array"),
]
DATA = {"metadata": "{{metadata}}", "items": "{{items}}", "tags": "{{tags}}"}
ARGUMENTS = {"metadata": {"a": "b & c"}, "items": [{"price": "p1"}], "tags": ["x", "y,z"]}


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        pytest.param(
            {}, "metadata=%7B%22a%22%3A%22b+%26+c%22%7D&items=%7B%22price%22%3A%22p1%22%7D&tags=x&tags=y%2Cz", id="none"
        ),
        pytest.param(
            {
                "metadata": {"style": "deepObject", "explode": True},
                "items": {"style": "deepObject", "explode": True},
                "tags": {"explode": False},
            },
            "metadata%5Ba%5D=b+%26+c&items%5B0%5D%5Bprice%5D=p1&tags=x,y%2Cz",
            id="deep objects and commas",
        ),
        pytest.param(
            {
                "metadata": {"style": "form"},
                "items": {"contentType": "application/json"},
                "tags": {"style": "pipeDelimited"},
            },
            "a=b+%26+c&items=%5B%7B%22price%22%3A%22p1%22%7D%5D&tags=x%7Cy%2Cz",
            id="exploded object, JSON and pipes",
        ),
    ],
)
async def test_form_fields(encoding: Data, sent: str) -> None:
    async with served(form(DATA, encoding, *FIELDS)) as host:
        result = await host.tool("do", ARGUMENTS)
        assert not result.failed, result.text
        assert host.api.last.body.decode() == sent
        # The API's own media type, as the API gets it.
        media_type = {"Content-Type": "application/x-www-form-urlencoded"}
        response = await host.rest("POST", "/form", data=sent, headers=media_type)
        assert response.status == 200, response.body
        assert host.api.last.body.decode() == sent
        response = await host.rest("POST", "/form", json=ARGUMENTS)
        assert (response.status, host.api.last.body.decode()) == (200, sent)


async def test_form_over_rest_is_checked_and_typed() -> None:
    fields = [given("count", "body", type="integer", required=True), given("own", "body")]
    operation_ = form({"count": "{{count}}", "Other Name": "{{own}}"}, {}, *fields)
    async with served(operation_) as host:
        media_type = {"Content-Type": "application/x-www-form-urlencoded"}

        async def send(body: str) -> Any:
            return await host.rest("POST", "/form", data=body, headers=media_type)

        assert (await send("count=7&Other+Name=a%26b")).status == 200
        assert host.api.last.body == b"count=7&Other%20Name=a%26b".replace(b"%20", b"+")
        seen = len(host.api.seen)
        for body, parameter in (("count=x", "count"), ("own=1", "count"), ("count=1&none=2", "none")):
            response = await send(body)
            assert (response.status, response.data["parameter"]) == (400, parameter)
        response = await host.rest("POST", "/form", data=b"count=1", headers={"Content-Type": "text/plain"})
        assert response.status == 415
        assert len(host.api.seen) == seen
        assert (await host.rest("POST", "/form", json={"count": 1, "own": "o"})).status == 200
        assert host.api.last.body == b"count=1&Other+Name=o"


def parts(request: Any) -> list[tuple[str, str | None, str | None, bytes]]:
    """Return name, filename, Content-Type and content of the parts of a multipart request, by another parser."""
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    pieces = request.body.split(b"--" + boundary)
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    found = []
    for piece in pieces[1:-1]:
        head, _, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        message = BytesParser(policy=HTTP).parsebytes(head + b"\r\n\r\n")
        disposition = message["Content-Disposition"].params
        media_type = message["Content-Type"]
        found.append(
            (
                disposition["name"],
                disposition.get("filename"),
                media_type and str(media_type),
                content.removesuffix(b"\r\n"),
            )
        )
    return found


UPLOAD_DATA = [
    {"name": "files", "value": "{{files}}"},
    {"name": "maybe", "value": "{{maybe}}"},
    {"name": "meta", "value": "{{meta}}"},
    {"name": "note", "value": "{{note}}"},
]
UPLOAD = [
    given("files", "body", type="array", **{"x-schema": {"type": "array", "items": BYTES}}),
    given(
        "maybe",
        "body",
        **{"x-schema": {"anyOf": [{"type": "string", "contentEncoding": "base64"}, {"type": "null"}]}},
    ),
    given("meta", "body", type="object"),
    given("note", "body"),
]
RECEIVED = [
    ("files", "files-1.png", "image/png", PNG),
    ("files", "files-2.png", "image/png", b"y"),
    ("maybe", "maybe", "application/octet-stream", b"z"),
    ("meta", None, "application/json", b'{"k":"v"}'),
    ("note", None, None, b"n"),
]


async def test_multipart_files_have_names_and_objects_are_json() -> None:
    async with served(form(UPLOAD_DATA, {}, *UPLOAD, kind="multipartForm")) as host:
        arguments = {"files": [PNG_TEXT, "eQ=="], "maybe": "eg==", "meta": {"k": "v"}, "note": "n"}
        result = await host.tool("do", arguments)
        assert not result.failed, result.text
        assert parts(host.api.last) == RECEIVED
        sent = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        sent.add_field("files", PNG, filename='a "b".png', content_type="image/jpeg")
        sent.add_field("files", b"y", filename="é;,.png")
        sent.add_field("maybe", b"z", filename="c.txt", content_type="text/plain")
        sent.add_field("meta", '{"k": "v"}', content_type="application/json")
        sent.add_field("note", "n")
        response = await host.rest("POST", "/form", data=sent)
        assert response.status == 200, response.body
        assert parts(host.api.last) == [
            ("files", "a %22b%22.png", "image/png", PNG),
            ("files", "é;,.png", "image/png", b"y"),
            # Nothing is declared for this one, so it has the client's type.
            ("maybe", "c.txt", "text/plain", b"z"),
            *RECEIVED[3:],
        ]
        assert (await host.rest("POST", "/form", json=arguments)).status == 200
        assert parts(host.api.last) == RECEIVED


async def test_files_of_tools_may_have_names() -> None:
    async with served(form(UPLOAD_DATA, {}, *UPLOAD, kind="multipartForm")) as host:
        named = "data:text/csv;charset=utf-8;name=a%20b.csv;base64,eg=="
        result = await host.tool("do", {"maybe": named, "files": ["data:;base64,eQ=="]})
        assert not result.failed, result.text
        assert parts(host.api.last) == [
            ("files", "files.png", "image/png", b"y"),
            ("maybe", "a b.csv", "text/csv", b"z"),
        ]
        for wrong in ("data:text/plain,abc", "data:text/plain;base64,a", "x"):
            result = await host.tool("do", {"maybe": wrong})
            assert (result.failed, result.text) == (True, "'maybe' must be bytes as base64 text")


async def test_multipart_encoding() -> None:
    encoding = {
        "meta": {"contentType": "application/vnd.api+json", "headers": {"X-Kind": "meta", "X-Of": "{{note}}"}},
        "files": {"contentType": "image/webp"},
        "list": {"style": "form", "explode": False},
    }
    data = [*UPLOAD_DATA, {"name": "list", "value": "{{list}}"}]
    operation_ = form(data, encoding, *UPLOAD, given("list", "body", type="array"), kind="multipartForm")
    async with served(operation_) as host:
        result = await host.tool("do", {"files": ["eQ=="], "meta": {"k": 1}, "note": "n", "list": ["a", "b"]})
        assert not result.failed, result.text
        assert parts(host.api.last) == [
            ("files", "files.webp", "image/webp", b"y"),
            ("meta", None, "application/vnd.api+json", b'{"k":1}'),
            ("note", None, None, b"n"),
            ("list", None, None, b"a,b"),
        ]
        assert b"\r\nX-Kind: meta\r\nX-Of: n\r\n" in host.api.last.body


@pytest.mark.parametrize(
    "declared",
    [
        pytest.param({"inputParameters": [given("body", "body", **{"x-schema": BYTES})]}, id="input"),
        pytest.param(
            {
                "inputParameters": [given("body", "body", **{"x-schema": BYTES})],
                "body": {"type": "text", "data": "{{body}}"},
            },
            id="text body",
        ),
    ],
)
async def test_bytes(declared: Data) -> None:
    async with served(operation(method="POST", **declared)) as host:
        result = await host.tool("do", {"body": PNG_TEXT})
        assert not result.failed, result.text
        assert (host.api.last.body, host.api.last.headers["Content-Type"]) == (PNG, "image/png")
        response = await host.rest("POST", "/form", data=PNG, headers={"Content-Type": "image/png"})
        assert (response.status, host.api.last.body) == (200, PNG)
        response = await host.rest("POST", "/form", json=PNG_TEXT)
        assert (response.status, host.api.last.body) == (200, PNG)
        seen = len(host.api.seen)
        result = await host.tool("do", {"body": "no base64!"})
        assert (result.failed, result.text) == (True, "'body' must be bytes as base64 text")
        assert len(host.api.seen) == seen


async def test_openapi_describes_forms_and_bytes() -> None:
    encoding = {"metadata": {"style": "deepObject"}, "tags": {"explode": False}}
    async with served(form(DATA, encoding, *FIELDS)) as host:
        document = (await host.rest("GET", "/openapi.json")).data
        content = document["paths"]["/form"]["post"]["requestBody"]["content"]
        assert set(content) == {"application/x-www-form-urlencoded", "application/json"}
        assert content["application/x-www-form-urlencoded"]["encoding"] == {
            "metadata": {"style": "deepObject", "explode": True},
            "tags": {"style": "form", "explode": False},
        }
    async with served(form(UPLOAD_DATA, {}, *UPLOAD, kind="multipartForm")) as host:
        document = (await host.rest("GET", "/openapi.json")).data
        content = document["paths"]["/form"]["post"]["requestBody"]["content"]["multipart/form-data"]
        assert content["schema"]["properties"]["files"] == {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
        }
        assert content["encoding"]["files"] == {"contentType": "image/png"}
    async with served(operation(method="POST", inputParameters=[given("body", "body", **{"x-schema": BYTES})])) as host:
        document = (await host.rest("GET", "/openapi.json")).data
        content = document["paths"]["/form"]["post"]["requestBody"]["content"]
        assert content["image/png"] == {"schema": {"type": "string", "format": "binary"}}
    inputs = [given("Content-Type", "header", value="application/json-patch+json"), given("body", "body", type="array")]
    async with served(operation(method="PATCH", inputParameters=inputs)) as host:
        document = (await host.rest("GET", "/openapi.json")).data
        content = document["paths"]["/form"]["patch"]["requestBody"]["content"]
        assert list(content) == ["application/json-patch+json", "application/json"]
        assert content["application/json-patch+json"] == {"schema": {"type": "array"}}
        for media_type in content:
            assert (await host.rest("PATCH", "/form", data=b"[]", headers={"Content-Type": media_type})).status == 200
            assert host.api.last.headers["Content-Type"] == "application/json-patch+json"


NAMED = b"Content-Disposition: form-data; name=note\r\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"--b\r\n" + NAMED + b"\r\nx\r\n--b--\r\n", 200),
        (b"--b\r\n" + NAMED + b"Content-Transfer-Encoding: binary\r\n\r\nx\r\n--b--\r\n", 200),
        (b"--b\r\n" + NAMED + b"content-transfer-encoding: base64\r\n\r\neA==\r\n--b--\r\n", 400),
        (b"--b\r\n" + NAMED + b"content-encoding: gzip\r\n\r\nx\r\n--b--\r\n", 400),
        (b"--c\r\n" + NAMED + b"\r\nx\r\n--c--\r\n", 400),
        (b"--b\r\n" + NAMED + b"\r\nx", 400),
        (b"--b\r\n" + NAMED + b"\r\n\xff\r\n--b--\r\n", 400),
        (b"no parts", 400),
        (b"--b\r\n\r\nx\r\n--b--\r\n", 400),
        (b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n", 400),
        (b"--b\r\nContent-Disposition: form-data; name=none\r\n\r\nx\r\n--b--\r\n", 400),
        ((b"--b\r\n" + NAMED + b"\r\nx\r\n") * 10_001 + b"--b--\r\n", 400),
    ],
)
async def test_invalid_multipart_forms_are_refused(body: bytes, status: int) -> None:
    async with served(form(UPLOAD_DATA, {}, *UPLOAD, kind="multipartForm")) as host:
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        response = await host.rest("POST", "/form", data=body, headers=headers)
        assert response.status == status, response.body
        assert len(host.api.seen) == (status == 200)
        response = await host.rest("POST", "/form", data=body, headers={"Content-Type": "multipart/form-data"})
        assert response.status == 400


async def test_a_large_file_arrives() -> None:
    content = bytes(range(256)) * 4000
    async with served(form(UPLOAD_DATA, {}, *UPLOAD, kind="multipartForm")) as host:
        sent = aiohttp.FormData(default_to_multipart=True)
        sent.add_field("maybe", content, filename="large")
        response = await host.rest("POST", "/form", data=sent)
        assert response.status == 200, response.body
        assert [part[3] for part in parts(host.api.last)] == [content]


async def test_a_form_has_a_limit_of_fields() -> None:
    async with served(form(DATA, {}, *FIELDS)) as host:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await host.rest("POST", "/form", data=b"tags=x&" * 9_999 + b"tags=x", headers=headers)).status == 200
        response = await host.rest("POST", "/form", data=b"tags=x&" * 10_000 + b"tags=x", headers=headers)
        assert (response.status, response.data["detail"]) == (400, "the body must have at most 10,000 fields")


@given_text(binary(max_size=80))
def test_any_multipart_body_is_a_form_or_an_invalid_argument(tail: bytes) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
    headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "multipart/form-data; boundary=b"}))
    for body in (head + tail, head + b"x" + tail + b"\r\n--b--\r\n", tail):
        try:
            parts_ = asyncio.run(read_parts(headers, body))
        except ArgumentError:
            continue
        assert all(isinstance(name, str) for name, _ in parts_)
