"""Attacks by OpenAPI documents: references that multiply, nest or lead elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from adapter_host.openapi.source import documents
from tests.conftest import Command
from tests.support.raw_http import Connection, raw_upstream, response

pytestmark = pytest.mark.timeout(30)

Data = dict[str, Any]
COUNT = 10


def reference(name: str) -> Data:
    """Return a reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def document(schemas: Data, schema: Data, **operation: Any) -> Data:
    """Return an OpenAPI document with a schema as the request's body, a parameter and the response."""
    content = {"content": {"application/json": {"schema": schema}}}
    members = {
        "operationId": "do",
        "parameters": [{"name": "p", "in": "query", "schema": schema}],
        "requestBody": content,
        "responses": {"200": {"description": "d", **content}},
        **operation,
    }
    return {**head(), "paths": {"/x": {"post": members}}, "components": {"schemas": schemas}}


def head() -> Data:
    """Return the start of a document."""
    return {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "servers": [{"url": "https://x.example"}]}


def levels(kind: str, depth: int) -> Iterator[tuple[str, Data]]:
    """Yield schemas that refer to the next one `COUNT` times each, to the given depth."""
    for number in range(depth):
        target = reference(f"A{number + 1}")
        if kind == "properties":
            yield f"A{number}", {"type": "object", "properties": {f"p{index}": target for index in range(COUNT)}}
        elif kind == "items":
            yield f"A{number}", {"type": "array", "items": {"allOf": [target] * COUNT}}
        else:
            yield f"A{number}", {kind: [target] * COUNT}
    yield f"A{depth}", {"type": "object", "properties": {"last": {"type": "string"}}}


@pytest.mark.parametrize("kind", ["allOf", "oneOf", "anyOf", "properties", "items"])
def test_schemas_that_multiply_are_read_once(kind: str, command: Command, tmp_path: Path) -> None:
    schemas = dict(levels(kind, 12))
    (tmp_path / "api.json").write_bytes(orjson.dumps(document(schemas, reference("A0"))))
    result = command("import", "openapi", "api.json")
    assert result.returncode == 0
    schemas = yaml.safe_load(result.stdout)["x-schemas"]
    assert len(schemas) == 13
    assert schemas["A12"]["properties"] == {"last": {"type": "string"}}


def nested(kind: str, depth: int) -> Data:
    """Return a schema within schemas, without references."""
    schema: Data = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}} if kind == "properties" else {kind: [schema]}
    return schema


@pytest.mark.parametrize("kind", ["allOf", "oneOf", "anyOf", "properties"])
def test_schemas_nest_deeply(kind: str, command: Command, tmp_path: Path) -> None:
    (tmp_path / "api.json").write_bytes(orjson.dumps(document({}, nested(kind, 120))))
    assert command("import", "openapi", "api.json").returncode == 0


@pytest.mark.parametrize("kind", ["allOf", "oneOf"])
def test_schemas_form_a_long_chain(kind: str, command: Command, tmp_path: Path) -> None:
    schemas: Data = {f"A{number}": {kind: [reference(f"A{number + 1}")]} for number in range(5000)}
    (tmp_path / "api.json").write_bytes(orjson.dumps(document({**schemas, "A5000": {}}, reference("A0"))))
    result = command("import", "openapi", "api.json")
    assert result.returncode == 0
    if kind == "allOf":
        assert "it combines more than 200 schemas by 'allOf'" in result.stderr


def test_a_schema_that_is_within_itself_has_its_fields(command: Command, tmp_path: Path) -> None:
    schemas = {
        "A": {"allOf": [reference("B"), reference("A")], "properties": {"a": {"type": "integer"}}},
        "B": {"allOf": [reference("A")], "properties": {"b": reference("A")}},
    }
    (tmp_path / "api.json").write_bytes(orjson.dumps(document(schemas, reference("A"))))
    result = command("import", "openapi", "api.json")
    assert result.returncode == 0
    schemas = yaml.safe_load(result.stdout)["x-schemas"]
    assert schemas["A"]["properties"] == {"a": {"type": "integer"}}
    assert schemas["B"]["properties"] == {"b": {"$ref": "#/x-schemas/A"}}


def test_references_that_lead_to_one_another_are_limited(command: Command, tmp_path: Path) -> None:
    schemas: Data = {f"A{number}": reference(f"A{number + 1}") for number in range(200)}
    (tmp_path / "api.json").write_bytes(orjson.dumps(document({**schemas, "A200": {}}, reference("A0"))))
    result = command("import", "openapi", "api.json")
    assert result.returncode == 0
    assert "more than 100 references lead to one another; skipped" in result.stderr


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("MAX_VALUES", "more than 5,000 values with references followed; import a part of it with --only"),
        ("MAX_TEXT", "more than 5,000 characters with references followed; import a part of it with --only"),
    ],
)
def test_references_to_one_part_from_many_are_counted(
    limit: str, message: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, limit, 5000)
    item = {"get": {"summary": "x" * 100, "responses": {}, "parameters": [{"name": "p", "in": "query"}] * 10}}
    paths = {f"/p{number}": {"$ref": "#/components/pathItems/one"} for number in range(1000)}
    (tmp_path / "api.json").write_bytes(
        orjson.dumps({**head(), "paths": paths, "components": {"pathItems": {"one": item}}})
    )
    result = command("import", "openapi", "api.json")
    assert result.returncode == 1
    assert message in result.stderr


def test_inputs_are_limited(command: Command, tmp_path: Path) -> None:
    form = {"type": "object", "properties": {"\u65e5" * (number + 1): {"type": "string"} for number in range(1500)}}
    body = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    parameters = [{"name": f"p{number}", "in": "query", "schema": {"type": "string"}} for number in range(1500)]
    made = document({}, {}, requestBody=body, parameters=parameters)
    (tmp_path / "api.json").write_bytes(orjson.dumps(made))
    result = command("import", "openapi", "api.json")
    assert result.returncode == 0
    assert "it has more than 1,000 parameters; the others are skipped" in result.stderr
    assert "the form has more than 1,000 fields; the others are skipped" in result.stderr
    assert "name: field-field-1000\n" in result.stdout


def test_names_are_numbered_once(command: Command, tmp_path: Path) -> None:
    paths = {f"/p{number}": {"get": {"operationId": "same", "responses": {}}} for number in range(1000)}
    paths |= {f"/q{'-' * number}": {"get": {"responses": {}}} for number in range(1000)}
    (tmp_path / "api.json").write_bytes(orjson.dumps({**head(), "paths": paths}))
    result = command("import", "openapi", "api.json")
    assert result.returncode == 0
    assert "name: get-q-1000\n" in result.stdout


def test_a_server_does_not_grow_by_its_variables(command: Command, tmp_path: Path) -> None:
    variables = {name: {"default": "{b}" * 600 if name == "a" else "c" * 1000} for name in ("a", "b")}
    made = {**document({}, {}), "servers": [{"url": "https://x.example/" + "{a}" * 300, "variables": variables}]}
    (tmp_path / "api.json").write_bytes(orjson.dumps(made))
    result = command("import", "openapi", "api.json")
    assert result.returncode == 0
    assert "is not an http or https URL; skipped" in result.stderr
    assert len(result.stderr) < 10_000


INTERNAL = b'{"get": {"operationId": "x", "summary": "INTERNAL", "responses": {"200": {"description": "d"}}}}'


@pytest.mark.parametrize("status", [b"301 M", b"302 F", b"303 S", b"307 T", b"308 P"])
async def test_a_redirect_to_another_origin_is_not_followed(status: bytes, command: Command) -> None:
    async def internal(connection: Connection) -> None:
        await connection.read_request()
        await connection.send(response(INTERNAL))

    async def outer(connection: Connection) -> None:
        head_, _ = await connection.read_request()
        target = head_.split(b" ")[1]
        if target == b"/openapi.json":
            made = {**head(), "paths": {"/x": {"$ref": "/part.json"}, "/y": {"$ref": f"{other.url}/direct"}}}
            await connection.send(response(orjson.dumps(made)))
        else:
            location = b"/openapi.json" if target == b"/moved" else other.url.encode() + b"/meta-data"
            await connection.send(response(b"", b"Location: " + location, status=status))

    async with raw_upstream(internal) as other, raw_upstream(outer) as upstream:
        result = await asyncio.to_thread(
            command, "import", "openapi", "--allow-remote", f"{upstream.url}/moved", "--namespace", "n"
        )
        assert other.connections == []
        assert f"cannot fetch: it redirects to another host ({other.url}); use a URL without redirects" in result.stderr
        assert f"{other.url} is not an allowed host; add --allow-host" in result.stderr
        assert "INTERNAL" not in result.stdout
        direct = await asyncio.to_thread(command, "import", "openapi", "--allow-remote", f"{upstream.url}/elsewhere")
        assert direct.returncode == 1
        assert f"redirects to another host ({other.url})" in direct.stderr
        assert other.connections == []


async def test_a_redirect_within_the_origin_is_followed(command: Command) -> None:
    async def serve(connection: Connection) -> None:
        head_, _ = await connection.read_request()
        if head_.startswith(b"GET /moved "):
            await connection.send(response(b"", b"Location: /openapi.json", status=b"302 F"))
        elif head_.startswith(b"GET /again "):
            await connection.send(response(b"", b"Location: /again", status=b"302 F"))
        else:
            await connection.send(response(orjson.dumps(document({}, {}))))

    async with raw_upstream(serve) as upstream:
        result = await asyncio.to_thread(command, "import", "openapi", "--allow-remote", f"{upstream.url}/moved")
        assert result.returncode == 0
        assert "name: do" in result.stdout
        endless = await asyncio.to_thread(command, "import", "openapi", "--allow-remote", f"{upstream.url}/again")
        assert endless.returncode == 1
        assert "cannot fetch: more than 5 redirects" in endless.stderr
