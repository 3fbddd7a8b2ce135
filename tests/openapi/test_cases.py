"""Small documents, each with one thing that is easily lost: what is written, and what is sent."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from mcp_types import TextContent

from adapter_host.cli import main
from tests.support.imported import Imported, consumed_operations, import_document, import_file, importing, inputs_of
from tests.support.upstream import serving_api

CASES = Path(__file__).parent / "cases"
Data = dict[str, Any]


def only(name: str) -> Data:
    """Return the only consumed operation of a document."""
    (operation,) = consumed_operations(import_file(CASES / f"{name}.yaml")[0]).values()
    return operation


def consumer_of(document: Data, operation: str) -> Data:
    """Return the consumer that has an operation."""
    (found,) = (
        consumer
        for consumer in document["capability"]["consumes"]
        if any(each["name"] == operation for resource in consumer["resources"] for each in resource["operations"])
    )
    return dict(found)


def serving(name: str, folder: Path, **settings: Any) -> AbstractAsyncContextManager[Imported]:
    return importing(CASES / f"{name}.yaml", folder, **settings)


# Schemas


def test_limit_of_more_than_64_bits() -> None:
    seed = inputs_of(only("crash-int64-limit"))["body"]["x-schema"]["properties"]["seed"]
    assert seed == {"type": "integer", "minimum": float(-9223372036854776000)}


async def test_array_has_items(tmp_path: Path) -> None:
    assert inputs_of(only("array-without-items"))["tags"]["x-schema"] == {"items": {"type": "string"}}
    async with serving("array-without-items", tmp_path) as imported:
        tags = (await imported.tools())["list"].input_schema["properties"]["tags"]
        assert tags == {"type": "array", "items": {"type": "string"}}


async def test_names_with_other_characters(tmp_path: Path) -> None:
    async with serving("property-keys", tmp_path) as imported:
        await imported.rest("GET", "/a?%24filter=1&filter%5Bx%5D=2&StartTime%3C=3")
        assert imported.api.last.target == "/a?%24filter=1&filter%5Bx%5D=2&StartTime%3C=3"


def test_alternatives_of_body() -> None:
    body = inputs_of(only("body-alternatives"))["body"]
    claws, bark = body["x-schema"]["oneOf"]
    assert (body["type"], claws["required"], bark["required"]) == ("object", ["claws"], ["bark"])
    assert claws["properties"] == {"claws": {"type": "boolean"}}


def test_required_field_is_in_the_schema() -> None:
    schema = inputs_of(only("required-field-hidden-deep"))["body"]["x-schema"]
    assert schema["properties"]["l1"]["properties"]["l2"]["properties"]["l3"]["required"] == ["must"]
    many = inputs_of(only("required-field-hidden-after-60"))["body"]
    assert many["x-schema"]["required"] == ["must"]
    assert len(many["x-schema"]["properties"]) == 66
    assert many["description"] == "The request's body, as JSON"


async def test_constants_and_enumerations(tmp_path: Path) -> None:
    inputs = inputs_of(only("const-enum"))
    assert inputs["c"] == {"name": "c", "in": "query", "type": "string", "x-schema": {"const": "fixed"}}
    assert inputs["e"] == {"name": "e", "in": "query", "type": "string", "values": ["a", "b"]}
    assert inputs["body"]["x-schema"]["properties"] == {"kind": {"const": "fixed"}}
    async with serving("const-enum", tmp_path) as imported:
        properties = (await imported.tools())["a"].input_schema["properties"]
        # The portable profile writes a constant as the only allowed value.
        assert properties["c"]["enum"] == ["fixed"]
        assert properties["e"]["enum"] == ["a", "b"]
        assert properties["body"]["required"] == ["kind"]


def test_alternatives_of_several_types() -> None:
    body = inputs_of(only("untyped-input"))["body"]
    assert "type" not in body
    assert body["x-schema"] == {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "string"}}]}


# Names


def test_query_parameter_named_body() -> None:
    inputs = inputs_of(only("query-named-body"))
    assert {name: (item["in"], item.get("x-name")) for name, item in inputs.items()} == {
        "body-query": ("query", "body"),
        "body": ("body", None),
    }


def test_path_and_query_parameter_of_one_name() -> None:
    inputs = inputs_of(only("path-and-query-of-one-name"))
    assert {name: (item["in"], item.get("x-name")) for name, item in inputs.items()} == {
        "id": ("path", None),
        "id-query": ("query", "id"),
    }


async def test_parameters_of_one_name_are_sent(tmp_path: Path) -> None:
    async with serving("query-named-body", tmp_path) as imported:
        response = await imported.rest("POST", "/b?body=q", json={"a": "b"})
        assert response.status == 200
        assert (imported.api.last.target, imported.api.last.body) == ("/b?body=q", b'{"a":"b"}')
        await imported.tool("b", {"body-query": "q", "body": {"a": "c"}})
        assert (imported.api.last.target, imported.api.last.body) == ("/b?body=q", b'{"a":"c"}')
    async with serving("path-and-query-of-one-name", tmp_path) as imported:
        await imported.rest("GET", "/same/1?id=2")
        assert imported.api.last.target == "/same/1?id=2"
        await imported.tool("same", {"id": "3", "id-query": 4})
        assert imported.api.last.target == "/same/3?id=4"


# Servers


def test_server_of_operation() -> None:
    document, warnings = import_file(CASES / "operation-servers.yaml")
    assert consumer_of(document, "maps")["baseUri"] == "https://maps.example.com"
    assert warnings == []


async def test_operations_of_several_servers(tmp_path: Path) -> None:
    async with serving_api() as api, serving_api() as maps:
        document = yaml.safe_load((CASES / "operation-servers.yaml").read_text())
        document["servers"] = [{"url": api.url}]
        document["paths"]["/maps"]["get"]["servers"] = [{"url": f"{maps.url}/v2"}]
        document["paths"]["/other"] = {"get": {"operationId": "other"}, "post": {"operationId": "more"}}
        capability, warnings = import_document(document, tmp_path)
        assert warnings == []
        assert [each["baseUri"] for each in capability["capability"]["consumes"]] == [api.url, f"{maps.url}/v2"]


@pytest.mark.parametrize(
    ("name", "base"),
    [("relative-server", "http://localhost/api/v3"), ("v2-base-path-lost", "http://localhost/api/v1")],
)
def test_base_path_without_host(name: str, base: str) -> None:
    document, (warning,) = import_file(CASES / f"{name}.yaml")
    assert document["capability"]["consumes"][0]["baseUri"] == base
    assert f"baseUri is {base} (override with --base-uri)" in warning


@pytest.mark.parametrize(
    ("name", "path"),
    [("fetched-without-servers", ""), ("relative-server", "/api/v3"), ("v2-base-path-lost", "/api/v1")],
)
async def test_servers_of_fetched_document(name: str, path: str, tmp_path: Path, capsys: Any) -> None:
    output = tmp_path / "capability.yaml"
    async with serving_api() as api:
        text = (CASES / f"{name}.yaml").read_text()

        async def reply(_: web.Request) -> web.Response:
            return web.Response(text=text)

        api.reply = reply
        arguments = ["import", "openapi", f"{api.url}/docs/openapi.yaml", "--allow-remote", "-o", str(output)]
        assert await asyncio.to_thread(main, arguments) == 0
        assert yaml.safe_load(output.read_text())["capability"]["consumes"][0]["baseUri"] == f"{api.url}{path}"
    assert capsys.readouterr().err == ""


# Credentials


def test_credentials_of_operation() -> None:
    document, warnings = import_file(CASES / "security-per-operation.yaml")
    assert warnings == []
    consumers = [consumer_of(document, name) for name in ("me", "admin")]
    assert [(each["namespace"], each["authentication"]["token"]) for each in consumers] == [
        ("bill", "{{env.BILL_TOKEN}}"),
        ("bill-root", "{{env.BILL_ROOT_TOKEN}}"),
    ]
    assert document["binds"][0]["keys"].keys() == {"BILL_TOKEN", "BILL_ROOT_TOKEN"}


async def test_each_operation_is_sent_its_credential(tmp_path: Path) -> None:
    secrets = {"BILL_TOKEN": "user-token", "BILL_ROOT_TOKEN": "root-token"}
    async with serving("security-per-operation", tmp_path, environment=secrets) as imported:
        for path, token in (("/me", "user-token"), ("/admin", "root-token")):
            assert (await imported.rest("GET", path)).status == 200
            assert imported.api.last.headers["Authorization"] == f"Bearer {token}"
            await imported.tool(path[1:])
            assert imported.api.last.headers["Authorization"] == f"Bearer {token}"


# Routes


async def test_operation_without_route_is_a_tool(tmp_path: Path) -> None:
    _, (warning,) = import_file(CASES / "same-shape-paths.yaml")
    assert warning == (
        "#/paths/~1contacts~1{id}/get: it has no route over REST, but is a tool: "
        "it is the same as /contacts/{number} for a router"
    )
    async with serving("same-shape-paths", tmp_path) as imported:
        assert set(await imported.tools()) == {"by-number", "by-id"}
        await imported.tool("by-id", {"id": "7"})
        assert imported.api.last.target == "/contacts/7"
        await imported.rest("GET", "/contacts/8")
        assert imported.api.last.target == "/contacts/8"


# Responses


async def test_response_that_is_no_json(tmp_path: Path) -> None:
    async with serving("success-that-is-no-json", tmp_path) as imported:

        async def reply(request: web.Request) -> web.Response:
            return web.Response(text="OK" if request.path == "/n" else "created 5")

        imported.api.reply = reply
        for path, text in (("/n", "OK"), ("/st", "created 5")):
            response = await imported.rest("POST", path)
            assert (response.status, response.body) == (200, text.encode())
            assert response.headers["Content-Type"].startswith("text/plain")
            result = await imported.tool(path[1:])
            assert not result.is_error
            assert [item.text for item in result.content if isinstance(item, TextContent)] == [text]


@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        (b'\xef\xbb\xbf{"a":1}', "application/json", '{"a":1}'),
        (b'{"s":"\xfc"}', "application/json; charset=iso-8859-1", '{"s":"ü"}'),
        (b'{"s":"\\ud83d"}', "application/json", '{"s":"\\ud83d"}'),
        (b'{"e":1e400}', "application/json", '{"e":1e400}'),
    ],
)
async def test_json_of_another_charset(body: bytes, media_type: str, text: str, tmp_path: Path) -> None:
    async with serving("json-in-other-charsets", tmp_path) as imported:

        async def reply(_: web.Request) -> web.Response:
            return web.Response(body=body, headers={"Content-Type": media_type})

        imported.api.reply = reply
        response = await imported.rest("GET", "/j")
        assert (response.status, response.body) == (200, body)
        result = await imported.tool("j")
        assert not result.is_error
        assert [item.text for item in result.content if isinstance(item, TextContent)] == [text]


def test_accept_is_the_declared_type() -> None:
    assert only("accept")["x-accept"] == "application/hal+json"


async def test_accept_is_sent(tmp_path: Path) -> None:
    async with serving("accept", tmp_path) as imported:
        await imported.rest("GET", "/hal")
        assert imported.api.last.headers["Accept"] == "application/hal+json"


# Serialization


def test_styles_of_parameters() -> None:
    inputs = inputs_of(only("query-styles"))
    wire = {name: {key: item[key] for key in ("x-style", "x-explode") if key in item} for name, item in inputs.items()}
    assert wire == {
        "deep": {"x-style": "deepObject"},
        "pipe": {"x-style": "pipeDelimited"},
        "space": {"x-style": "spaceDelimited"},
        "obj": {"x-style": "form"},
        "ck": {"x-style": "form", "x-explode": False},
    }


def test_styles_are_not_in_descriptions() -> None:
    inputs = inputs_of(only("prose-decides-the-wire"))
    assert {name: item["description"] for name, item in inputs.items()} == {"tags": "Which tags", "ids": "The ids"}
    assert (inputs["tags"]["x-style"], inputs["tags"]["x-explode"]) == ("form", False)
    assert inputs["ids"].keys().isdisjoint({"x-style", "x-explode"})


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        (
            "form-encoding-ignored",
            {
                "metadata": {"style": "deepObject"},
                "items": {"style": "deepObject"},
                "tags": {"style": "form", "explode": False},
            },
        ),
        ("v2-form-array", {"tags": {"style": "form", "explode": False}}),
    ],
)
def test_encoding_of_form(name: str, encoding: Any) -> None:
    assert only(name)["body"]["x-encoding"] == encoding


def test_parts_of_multipart_form() -> None:
    operation = only("multipart-parts")
    parts = {part["name"]: (part.get("filename"), part.get("contentType")) for part in operation["body"]["data"]}
    assert parts == {"files": ("files", None), "maybe": ("maybe", None), "meta": (None, "application/json")}
    content = {"contentEncoding": "base64", "contentMediaType": "application/octet-stream"}
    inputs = inputs_of(operation)
    assert inputs["files"]["x-schema"] == {"items": {"type": "string", **content}}
    assert inputs["maybe"]["x-schema"] == content


def test_bytes_of_bodies() -> None:
    operations = consumed_operations(import_file(CASES / "bytes-in-bodies.yaml")[0])
    for name, media_type in (("oct", "application/octet-stream"), ("img", "image/png")):
        inputs = inputs_of(operations[name])
        assert inputs["Content-Type"]["value"] == media_type
        assert inputs["body"]["x-schema"] == {"contentEncoding": "base64", "contentMediaType": media_type}


@pytest.mark.parametrize(
    ("name", "tool", "arguments", "target"),
    [
        ("query-styles", "q", {"deep": {"role": "x"}}, "/q?deep%5Brole%5D=x"),
        ("query-styles", "q", {"pipe": ["a", "b"]}, "/q?pipe=a%7Cb"),
        ("query-styles", "q", {"space": ["a", "b"]}, "/q?space=a%20b"),
        ("query-styles", "q", {"obj": {"role": "x"}}, "/q?role=x"),
        ("prose-decides-the-wire", "a", {"tags": ["x", "y"], "ids": ["1", "2"]}, "/a?tags=x,y&ids=1&ids=2"),
    ],
)
async def test_styles_are_sent(name: str, tool: str, arguments: Data, target: str, tmp_path: Path) -> None:
    async with serving(name, tmp_path) as imported:
        assert not (await imported.tool(tool, arguments)).is_error
        assert imported.api.last.target == target
        assert (await imported.rest("GET", target)).status == 200
        assert imported.api.last.target == target


async def test_cookie_array_is_sent(tmp_path: Path) -> None:
    async with serving("query-styles", tmp_path) as imported:
        await imported.tool("q", {"ck": ["a", "b"]})
        assert imported.api.last.headers["Cookie"] == "ck=a,b"


@pytest.mark.parametrize(
    ("name", "tool", "arguments", "body"),
    [
        (
            "form-encoding-ignored",
            "create",
            {"metadata": {"a": "b"}, "items": [{"price": "p1"}], "tags": ["x", "y"]},
            "metadata%5Ba%5D=b&items%5B0%5D%5Bprice%5D=p1&tags=x,y",
        ),
        ("v2-form-array", "u", {"tags": ["x", "y"]}, "tags=x,y"),
    ],
)
async def test_form_is_sent(name: str, tool: str, arguments: Data, body: str, tmp_path: Path) -> None:
    async with serving(name, tmp_path) as imported:
        assert not (await imported.tool(tool, arguments)).is_error
        assert imported.api.last.body.decode() == body
        assert imported.api.last.headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_bytes_are_sent(tmp_path: Path) -> None:
    content = b"\xff\xfe\x89PNG\x07"
    async with serving("bytes-in-bodies", tmp_path) as imported:
        for tool, method, media_type in (("oct", "POST", "application/octet-stream"), ("img", "PUT", "image/png")):
            assert not (await imported.tool(tool, {"body": b64encode(content).decode()})).is_error
            assert (imported.api.last.body, imported.api.last.headers["Content-Type"]) == (content, media_type)
            sent = await imported.rest(method, f"/{tool}", data=content, headers={"Content-Type": media_type})
            assert sent.status == 200
            assert (imported.api.last.body, imported.api.last.headers["Content-Type"]) == (content, media_type)


async def test_parts_are_sent(tmp_path: Path) -> None:
    files = [b64encode(text).decode() for text in (b"x", b"\xff", b"z")]
    async with serving("multipart-parts", tmp_path) as imported:
        result = await imported.tool("up", {"files": files[:2], "maybe": files[2], "meta": {"k": "v"}})
        assert not result.is_error
        body = imported.api.last.body
    assert body.count(b'name="files"; filename=') == 2
    assert b'name="maybe"; filename=' in body
    assert b"\r\n\r\n\xff\r\n" in body
    meta = body[body.index(b'name="meta"') :].partition(b"\r\n--")[0]
    assert b"Content-Type: application/json" in meta
    assert meta.endswith(b'{"k":"v"}')
