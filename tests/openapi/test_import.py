"""Imported OpenAPI documents: they load without warnings and are served; losses are warnings."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from syrupy.assertion import SnapshotAssertion

from adapter_host import Host, ProblemsError, Settings
from adapter_host.cli import main
from adapter_host.openapi import Documents, WarningCollector, read_api, write_capability
from adapter_host.openapi.capability_writer import capability
from adapter_host.testing import running
from tests.support.paths import SHARED

SAMPLES = Path(__file__).parent / "samples"
UPSTREAM = SHARED / "tutorial/upstream"
NAMES = ("bakery-2.0.json", "trains-3.0.yaml", "garden-3.1.yaml")


def imported(document: Any, folder: Path, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the capability of a document, and its warnings."""
    source = folder / "api.json"
    source.write_text(json.dumps(document))
    collector = WarningCollector()
    api = read_api(Documents(collector).open(str(source)), **options)
    return capability(api), [problem.message for problem in collector.problems]


def minimal(operation: Any, path: str = "/things", method: str = "get", **keys: Any) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "servers": [{"url": "https://things.example.com"}],
        "paths": {path: {method: operation}},
        **keys,
    }


def consumed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the only operation that is consumed."""
    (operation,) = (o for r in document["capability"]["consumes"][0]["resources"] for o in r["operations"])
    return dict(operation)


def check_runs(document: Any) -> Host:
    host = Host(document, settings=Settings(environment={}))
    assert host.warnings == ()
    return host


@pytest.fixture
def import_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that imports a document by the command and returns the file and the warnings."""

    def write(source: Path | str, *options: str) -> tuple[Path, list[str]]:
        output = tmp_path / "capability.yaml"
        assert main(["import", "openapi", str(source), "-o", str(output), *options]) == 0
        return output, capsys.readouterr().err.splitlines()

    return write


# The samples


@pytest.mark.parametrize("name", NAMES)
def test_imported_sample_runs_without_warnings(name: str, import_document: Any) -> None:
    output, _ = import_document(SAMPLES / name)
    host = check_runs(output)
    rest, mcp = host.status()
    assert (rest.type, mcp.type) == ("rest", "mcp")
    # REST cannot tell one operation of the trains from another.
    assert rest.operations == mcp.operations - (name == "trains-3.0.yaml") > 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bakery-2.0.json", [(0, 0, "#/paths/~1loaves/get/parameters/3")]),
        (
            "trains-3.0.yaml",
            [
                (64, 9, "#/paths/~1notes/post/callbacks"),
                (69, 7, "#/paths/~1trains~1{other}/get"),
                (9, 5, "#/servers/1"),
            ],
        ),
        (
            "garden-3.1.yaml",
            [
                (31, 11, "#/paths/~1plants~1{id}/get/parameters/1"),
                (32, 11, "#/paths/~1plants~1{id}/get/parameters/2"),
                (33, 11, "#/paths/~1plants~1{id}/get/parameters/3"),
                (34, 11, "#/paths/~1plants~1{id}/get/parameters/4"),
            ],
        ),
    ],
    ids=NAMES,
)
def test_warnings_of_samples(
    name: str, expected: list[tuple[int, int, str]], import_document: Any, snapshot: SnapshotAssertion
) -> None:
    _, warnings = import_document(SAMPLES / name)
    file = str(SAMPLES / name)
    starts = [f"{file}:{line}:{column}: " if line else f"{file}: " for line, column, _ in expected]
    for warning, start, (_, _, pointer) in zip(warnings, starts, expected, strict=True):
        assert warning.startswith(f"{start}warning: {pointer}: ")
    assert [warning.removeprefix(file) for warning in warnings] == snapshot


async def test_imported_swagger_is_served_over_rest(tmp_path: Path) -> None:
    document = yaml.safe_load(await asyncio.to_thread(text_of, "bakery-2.0.json"))
    async with running(document, mock=True) as served, aiohttp.ClientSession() as session:
        url = served.url("bakery-api-rest")

        async def request(method: str, path: str, **sent: Any) -> Any:
            async with session.request(method, url + path, **sent) as response:
                return response.status, await response.json(content_type=None)

        assert await request("GET", "/loaves?grain=rye&grain=wheat") == (200, [{"id": 7, "name": "rye"}])
        assert await request("POST", "/loaves", json={"name": "rye"}) == (201, {"id": 7, "name": "rye"})
        assert await request("DELETE", "/loaves/7") == (204, None)
        assert (await request("PUT", "/loaves/7", json={"new-name": "Rye"}))[0] == 400
        assert await request("PUT", "/loaves/7", json={"new-name": "rye"}) == (200, {"id": 7, "name": "rye"})
        status, echoed = await request("POST", "/loaves/7/picture", json={"picture": "/w==", "caption": "half"})
        assert status == 200
        assert 'name="picture"; filename="picture"' in echoed["received"]["body"]
        assert 'name="caption"' in echoed["received"]["body"]


def text_of(name: str) -> str:
    return write_capability(read_api(Documents(WarningCollector()).open(str(SAMPLES / name))), name)


def preview(name: str, operation: str, arguments: Any) -> Any:
    host = check_runs(yaml.safe_load(text_of(name)))
    (consumed,) = (item for plan in host.plans for item in plan.consumed if item.name == operation)
    return consumed.preview(arguments)


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"grain": ["rye", "wheat"]}, {"grain=rye,wheat", "shop={{env.BAKERY_API_SHOP}}"}),
        ({"shape": ["a", "b"]}, {"shape=a", "shape=b", "shop={{env.BAKERY_API_SHOP}}"}),
    ],
)
def test_arrays_follow_collection_format(arguments: Any, query: set[str]) -> None:
    url = preview("bakery-2.0.json", "list-loaves", arguments)["url"]
    assert set(url.partition("?")[2].split("&")) == query


def test_bodies_have_declared_media_types() -> None:
    patch = preview("trains-3.0.yaml", "change-train", {"number": "ICE 7", "body": {"number": "ICE 8"}})
    assert patch["headers"]["Content-Type"] == "application/merge-patch+json"
    note = preview("trains-3.0.yaml", "write-note", {"body": "late"})
    assert (note["headers"]["Content-Type"], note["body"]) == ("text/plain; charset=utf-8", "late")
    form = preview("bakery-2.0.json", "rename-loaf", {"id": 7, "id-field": "8", "new-name": "rye"})
    assert (form["headers"]["Content-Type"], form["body"]) == (
        "application/x-www-form-urlencoded",
        "id=8&new.name=rye",
    )


def test_hints_follow_methods() -> None:
    document = yaml.safe_load(text_of("bakery-2.0.json"))
    tools = {tool["name"]: tool["hints"] for tool in document["capability"]["exposes"][1]["tools"]}
    assert tools == {
        "list-loaves": {"readOnly": True},
        "bake-loaf": {"readOnly": False},
        "rename-loaf": {"readOnly": False, "idempotent": True},
        "eat-loaf": {"readOnly": False, "destructive": True, "idempotent": True},
        "add-picture": {"readOnly": False},
    }


async def test_recursive_schema_is_mocked() -> None:
    document = yaml.safe_load(await asyncio.to_thread(text_of, "trains-3.0.yaml"))
    async with running(document, mock=True) as served:
        result = await served.host.call("trains-rest.read-train", {"number": "ICE 7"})
        assert result.data == {"number": "ICE 7", "stops": [{"name": "text"}]}
        assert (await served.host.call("trains-rest.get-trains-number-seats", {"number": "ICE 7"})).data


# The tutorial's upstreams


@pytest.fixture(params=["maritime-registry", "legacy-dockyard"])
def upstream(request: pytest.FixtureRequest) -> Path:
    path = UPSTREAM / f"naftiko-shipyard-{request.param}-api.yaml"
    if not path.is_file():
        pytest.skip("the tutorial's OpenAPI documents are not at hand")
    return path


async def test_tutorial_upstream_is_served(upstream: Path, tmp_path: Path) -> None:
    output = tmp_path / "capability.yaml"
    assert (
        await asyncio.to_thread(main, ["import", "openapi", str(upstream), "--namespace", "up", "-o", str(output)]) == 0
    )
    check_runs(output)
    ports = {"departurePort": "Oslo", "arrivalPort": "Bergen"}
    voyage = {"shipImo": "7", **ports, "departureDate": "2026-05-01", "arrivalDate": "2026-05-02", "crewIds": []}
    arguments = {"imo_number": "7", "voyageId": "7", "vesselCode": "7", "body": voyage}
    async with running(output, mock=True) as served, Client(streamable_http_client(served.url("up-mcp"))) as client:
        (rest, _) = served.host.status()
        for operation in rest.exposer.operations.values():
            required = {item.name: arguments[item.name] for item in operation.inputs if item.required}
            result = await served.host.call(f"up-rest.{operation.name}", required)
            assert result.status in (200, 201)
            assert result.data
            called = await client.call_tool(operation.name, required)
            assert not called.is_error


async def test_registry_is_mocked_with_its_examples(tmp_path: Path) -> None:
    path = UPSTREAM / "naftiko-shipyard-maritime-registry-api.yaml"
    if not path.is_file():
        pytest.skip("the tutorial's OpenAPI documents are not at hand")
    api = read_api(Documents(WarningCollector()).open(str(path)), namespace="registry", only=["Ships"])
    async with running(capability(api), mock=True) as served, aiohttp.ClientSession() as session:
        async with session.get(served.url("registry-rest") + "/ships/IMO-9321483") as response:
            assert (await response.json())["vessel_name"] == "Northern Star"
        async with session.get(served.url("registry-rest") + "/crew") as response:
            assert response.status == 404


# The command


def test_only_selects_operations(import_document: Any) -> None:
    output, _ = import_document(
        SAMPLES / "bakery-2.0.json", "--only", "loaves", "--only", "eatLoaf", "--namespace", "shop"
    )
    host = check_runs(output)
    assert [o.name for o in host.status()[0].exposer.operations.values()] == ["list-loaves", "bake-loaf", "eat-loaf"]
    assert [item.namespace for item in host.status()] == ["shop-rest", "shop-mcp"]


def test_output_defaults_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "openapi", str(SAMPLES / "garden-3.1.yaml")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Imported from garden-3.1.yaml (OpenAPI 3.1.0).\nnaftiko: 1.0.0-alpha2\n\ninfo:\n")
    assert "&id" not in text
    assert text == text_of("garden-3.1.yaml")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--only", "bread"], 1, "unknown tag or operationId 'bread' (known: addPicture, bake_loaf,"),
        (["--namespace", "a b"], 2, "'a b' is not a valid namespace"),
        (["-o", "/nowhere/at/all.yaml"], 1, "cannot write '/nowhere/at/all.yaml'"),
    ],
)
def test_invalid_arguments(arguments: list[str], code: int, message: str, capsys: Any) -> None:
    try:
        status = main(["import", "openapi", str(SAMPLES / "bakery-2.0.json"), *arguments])
    except SystemExit as error:
        status = int(str(error.code))
    assert status == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("./a\0b.yaml#/schema", "it is not the name of a file"),
        ("a%00b.yaml", "it is not the name of a file"),
        ("loop/b.yaml", "cannot read: Too many levels of symbolic links"),
        (f"{'n' * 300}.yaml", "cannot read: File name too long"),
        (f"#/paths/{'9' * 1900}", "target not found"),
        (f"#/tags/{'9' * 1900}", "target not found"),
    ],
)
def test_reference_that_names_no_file(reference: str, reason: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "loop").symlink_to("loop")
    responses = {"200": {"description": "", "content": {"application/json": {"schema": {"$ref": reference}}}}}
    paths = {"/a": {"get": {"operationId": "a", "parameters": [{"$ref": reference}], "responses": responses}}}
    document = {"openapi": "3.1.0", "info": {"title": "A", "version": "1"}, "tags": [{"name": "a"}], "paths": paths}
    (tmp_path / "api.json").write_text(json.dumps(document))
    assert main(["import", "openapi", str(tmp_path / "api.json"), "--allow-remote"]) == 0
    assert reason in capsys.readouterr().err


def test_source_that_is_no_url(capsys: Any) -> None:
    assert main(["import", "openapi", "http://[", "--allow-remote"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("openapi: 4.0.0\npaths: {}\n", "not an OpenAPI document of version 2.0 or 3.x (given 4.0.0)"),
        ("naftiko: 1\n", "no 'openapi: 3.x' or 'swagger: \"2.0\"'"),
        ("openapi: 3.1.0\n", "no supported operation"),
        ("openapi: 3.1.0\npaths: {a: 1\n", "api.yaml:3:1:"),
        ('{"openapi": "3.1.0",, }', "api.yaml:1:21:"),
        ("a: &a [*a]\n", "is inside its own anchor"),
        ("- 1\n", "a document must be a mapping"),
    ],
)
def test_invalid_document(text: str, message: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "api.yaml").write_text(text)
    assert main(["import", "openapi", str(tmp_path / "api.yaml")]) == 1
    assert message in capsys.readouterr().err
    assert main(["import", "openapi", str(tmp_path / "missing.yaml")]) == 1
    assert "missing.yaml: cannot read: No such file or directory" in capsys.readouterr().err


# Elsewhere


@pytest.fixture
async def remote() -> Any:
    garden = (SAMPLES / "garden-3.1.yaml").read_bytes()
    plant = (SAMPLES / "parts/plant.yaml").read_bytes()
    app = web.Application()

    async def handle(request: web.Request) -> web.Response:
        return web.Response(body=plant if request.path.endswith("plant.yaml") else garden)

    app.router.add_get("/apis/garden.yaml", handle)
    app.router.add_get("/apis/parts/plant.yaml", handle)
    async with TestServer(app) as server:
        yield server


async def test_url_needs_allow_remote(remote: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(remote.make_url("/apis/garden.yaml"))
    assert await asyncio.to_thread(main, ["import", "openapi", url]) == 2
    assert "SRC is a URL; add --allow-remote to fetch it" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["import", "openapi", url, "--allow-remote"]) == 0
    output = capsys.readouterr()
    assert yaml.safe_load(output.out)["x-schemas"]["Plant"]["properties"]["children"] == {
        "type": "array",
        "items": {"$ref": "#/x-schemas/Plant"},
    }
    assert "outside.yaml#/Secret' cannot be resolved" in output.err
    assert "https://elsewhere.example.com is not an allowed host; add --allow-host" in output.err
    missing = str(remote.make_url("/apis/none.yaml"))
    assert await asyncio.to_thread(main, ["import", "openapi", missing, "--allow-remote"]) == 1
    assert "none.yaml: cannot fetch: status 404" in capsys.readouterr().err


async def test_unreachable_url(capsys: pytest.CaptureFixture[str], unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/api.json"
    assert await asyncio.to_thread(main, ["import", "openapi", url, "--allow-remote"]) == 1
    assert "cannot fetch: ClientConnectorError" in capsys.readouterr().err


# Malicious documents


@pytest.mark.parametrize(
    "document",
    [
        minimal({"parameters": [{"name": "{{HOME}}", "in": "query", "schema": {"type": "string"}}]}),
        minimal({"description": "{{env.HOME}}", "summary": "{{HOME}}"}),
        minimal({"responses": {"200": {"content": {"application/json": {"example": "{{HOME}}"}}}}}),
        minimal({"requestBody": {"content": {"application/{{HOME}}+json": {}}}}, method="post"),
        minimal(
            {"requestBody": {"content": {"multipart/form-data": {"schema": {"properties": {"{{HOME}}": {}}}}}}},
            method="post",
        ),
        minimal(
            {},
            security=[{"key": []}],
            components={"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "{{HOME}}"}}},
        ),
        minimal({}, servers=[{"url": "https://{{HOME}}.example.com"}]),
        minimal({}, servers=[{"url": "https://example.com/{{HOME}}"}]),
        {"swagger": "2.0", "host": "{{HOME}}", "paths": {"/a": {"get": {}}}},
        {"swagger": "2.0", "host": "example.com", "basePath": "/{{HOME}}", "paths": {"/a": {"get": {}}}},
    ],
)
def test_templates_in_document_are_not_expanded(document: Any, tmp_path: Path) -> None:
    converted, _ = imported(document, tmp_path)
    host = Host(converted, settings=Settings(environment={"HOME": "/home/ada/secret"}))
    assert host.warnings == ()
    assert all("HOME" not in plan.loaded.secrets.names for plan in host.plans)


def test_path_with_template_is_skipped(tmp_path: Path) -> None:
    document = minimal({}, "/{{HOME}}")
    document["paths"]["/fine"] = {"get": {}}
    converted, warnings = imported(document, tmp_path)
    assert consumed(converted)["name"] == "get-fine"
    assert warnings == ["#/paths/~1{{HOME}}/get: path not supported: it has two braces in a row; skipped"]


def test_names_are_valid_unique_and_short(tmp_path: Path) -> None:
    long = "listEverythingThatThereIs" * 4
    paths = {f"/p{n}": {"get": {"operationId": name}} for n, name in enumerate([long, long, "a b", "a_b", "é", ""])}
    converted, _ = imported({**minimal({}), "paths": paths}, tmp_path)
    tools = [tool["name"] for tool in converted["capability"]["exposes"][1]["tools"]]
    assert len(set(tools)) == len(tools) == 6
    assert max(map(len, tools)) <= 64
    assert tools[2:] == ["a-b", "get-p3", "get-p4", "get-p5"]
    check_runs(converted)


@pytest.mark.parametrize(
    ("security", "schemes", "expected"),
    [
        ([{"b": []}], {"b": {"type": "http", "scheme": "Basic"}}, "basic"),
        ([{"b": []}], {"b": {"type": "http", "scheme": "digest"}}, "digest"),
        ([{"b": []}], {"b": {"type": "openIdConnect", "openIdConnectUrl": "https://a.example.com"}}, "bearer"),
        ([{"missing": []}, {"b": []}], {"b": {"type": "apiKey", "in": "query", "name": "k"}}, "apikey"),
        ([{"b": []}], {"b": {"type": "apiKey", "in": "cookie", "name": "k"}}, None),
        ([{"b": []}], {"b": {"type": "mutualTLS"}}, None),
        ([{"b": []}], {"b": {"type": "apiKey", "in": "header", "name": "kéy"}}, None),
        ([], {"b": {"type": "http", "scheme": "bearer"}}, None),
    ],
)
def test_security_schemes(security: Any, schemes: Any, expected: str | None, tmp_path: Path) -> None:
    converted, _ = imported(minimal({}, security=security, components={"securitySchemes": schemes}), tmp_path)
    consumes = converted["capability"]["consumes"][0]
    assert consumes.get("authentication", {}).get("type") == expected
    if schemes["b"].get("in") == "cookie":
        assert consumes["inputParameters"] == [{"name": "k", "in": "cookie", "value": "{{env.THINGS_B}}"}]
    check_runs(converted)


def test_words_and_schema_of_parameter(tmp_path: Path) -> None:
    schema = {"type": "string", "enum": ["a", "b"], "default": "a", "format": "letter", "description": "not this"}
    converted, _ = imported(
        minimal({"parameters": [{"name": "x", "in": "query", "description": "Which", "schema": schema}]}), tmp_path
    )
    assert consumed(converted)["inputParameters"] == [
        {
            "name": "x",
            "in": "query",
            "type": "string",
            "description": "Which",
            "values": ["a", "b"],
            "x-schema": {"format": "letter", "default": "a"},
        }
    ]


def test_unsupported_pattern_is_skipped(tmp_path: Path) -> None:
    parameter = {"name": "x", "in": "query", "schema": {"type": "string", "pattern": "\\p{L}+("}}
    converted, warnings = imported(minimal({"parameters": [parameter]}), tmp_path)
    assert "pattern" not in consumed(converted)["inputParameters"][0]
    assert len(warnings) == 1
    assert warnings[0].startswith("#/paths/~1things/get/parameters/0/schema/pattern: the pattern")


# Anything


names = st.sampled_from(["A", "B", "C"])
references = st.builds(lambda name: {"$ref": f"#/components/schemas/{name}"}, names)
scalars = st.sampled_from([{}, {"type": "string"}, {"type": ["integer", "null"]}, {"enum": [1, "a"]}, True, 7, None])


def deeper(schemas: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda key, parts: {key: parts}, st.sampled_from(["allOf", "oneOf", "anyOf"]), st.lists(schemas)),
        st.builds(lambda child: {"type": "array", "items": child}, schemas),
        st.builds(lambda one, two: {"type": "object", "properties": {"one": one, "two": two}}, schemas, schemas),
        st.builds(lambda child: {"properties": {"one": child}, "required": ["one", 1]}, schemas),
    )


schemas = st.recursive(st.one_of(scalars, references), deeper, max_leaves=8)


@given(defined=st.fixed_dictionaries({"A": schemas, "B": schemas, "C": schemas}), used=schemas)
@settings(max_examples=60, deadline=None)
def test_recursive_schemas_terminate(defined: Any, used: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    content = {"application/json": {"schema": used}}
    operation = {
        "parameters": [{"name": "x", "in": "query", "schema": used}],
        "requestBody": {"content": content},
        "responses": {"200": {"content": content}},
    }
    document = minimal(operation, method="post", components={"schemas": defined})
    converted, _ = imported(document, tmp_path_factory.mktemp("api"))
    check_runs(converted)


WORDS = """
paths /a get parameters name in schema $ref responses 200 content application/json requestBody security servers url
components securitySchemes info title items properties examples type style explode tags description required allOf
"""
keys = st.sampled_from(WORDS.split())
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["#/paths", "#", "query", "x", "object"]))
anything = st.recursive(leaves, lambda c: st.lists(c, max_size=3) | st.dictionaries(keys, c, max_size=4), max_leaves=25)


@given(paths=anything, rest=st.dictionaries(keys, anything, max_size=4), version=st.sampled_from(["2.0", "3.0.0"]))
@settings(max_examples=150, deadline=None)
def test_any_document_is_imported(
    paths: Any, rest: Any, version: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    head = {"swagger": version} if version == "2.0" else {"openapi": version}
    document = {**rest, **head, "paths": {"/a": {"get": paths, "post": {}}}}
    converted, _ = imported(document, tmp_path_factory.mktemp("api"))
    check_runs(converted)


def test_reference_bomb_is_limited(tmp_path: Path) -> None:
    schemas = {
        f"S{n}": {
            "type": "object",
            "properties": {f"p{m}": {"$ref": f"#/components/schemas/S{n + 1}"} for m in range(9)},
        }
        for n in range(12)
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}
    document = minimal(
        {"requestBody": {"content": content}, "responses": {"200": {"content": content}}},
        method="post",
        components={"schemas": {**schemas, "S12": {"type": "string"}}},
    )
    converted, _ = imported(document, tmp_path)
    assert len(json.dumps(converted)) < 100_000
    with pytest.raises(ProblemsError):
        imported({"openapi": "3.1.0"}, tmp_path)


async def test_reference_in_a_remote_document_that_is_no_url(capsys: pytest.CaptureFixture[str]) -> None:
    responses = {"200": {"description": "", "content": {"application/json": {"schema": {"$ref": "http://["}}}}}
    paths = {"/a": {"get": {"operationId": "a", "responses": responses}}}
    document = {"openapi": "3.1.0", "info": {"title": "A", "version": "1"}, "paths": paths}
    app = web.Application()

    async def handle(_: web.Request) -> web.Response:
        return web.json_response(document)

    app.router.add_get("/api.json", handle)
    async with TestServer(app) as server:
        url = str(server.make_url("/api.json"))
        assert await asyncio.to_thread(main, ["import", "openapi", url, "--allow-remote"]) == 0
    assert "it is not a URL" in capsys.readouterr().err
