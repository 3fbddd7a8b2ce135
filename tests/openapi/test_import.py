"""Capabilities from OpenAPI documents: they validate without warnings and answer; what is lost is said."""

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

from adapter_host import Host, ProblemsError, Settings
from adapter_host.cli import main
from adapter_host.openapi import Documents, Notes, read_api, write_capability
from adapter_host.openapi.capability_writer import capability
from adapter_host.testing import running
from tests.support.paths import SHARED

SAMPLES = Path(__file__).parent / "samples"
UPSTREAM = SHARED / "tutorial/upstream"
NAMES = ("bakery-2.0.json", "trains-3.0.yaml", "garden-3.1.yaml")


def imported(document: Any, folder: Path, **asked: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the capability of a document, and what was said of it."""
    source = folder / "api.json"
    source.write_text(json.dumps(document))
    notes = Notes()
    api = read_api(Documents(notes).open(str(source)), **asked)
    return capability(api), [problem.message for problem in notes.problems]


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
def written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Import a document by the command: the file that it wrote, and its warnings."""

    def write(source: Path | str, *options: str) -> tuple[Path, list[str]]:
        output = tmp_path / "capability.yaml"
        assert main(["import", "openapi", str(source), "-o", str(output), *options]) == 0
        return output, capsys.readouterr().err.splitlines()

    return write


# The samples


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_runs_without_warnings(name: str, written: Any) -> None:
    output, _ = written(SAMPLES / name)
    host = check_runs(output)
    rest, mcp = host.status()
    assert (rest.type, mcp.type) == ("rest", "mcp")
    assert rest.operations == mcp.operations > 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "bakery-2.0.json",
            [
                "#/paths/~1loaves/get/parameters/3: the header parameter 'Accept' is not a parameter",
                "#/paths/~1loaves~1{id}~1picture/post/parameters/1: a file is sent as the text",
            ],
        ),
        (
            "trains-3.0.yaml",
            [
                "14:5: warning: #/paths/~1trains~1{number}: HEAD is left out",
                "#/paths/~1trains~1{number}~1seats/get/security: it needs no authentication, and is sent that",
                "#/paths/~1trains~1{number}/get/parameters/2: the style 'deepObject' is not sent",
                "#/paths/~1notes/post/callbacks: requests that the API makes itself are left out",
                "#/paths/~1trains~1{other}/get: its path cannot be called: it cannot be told from /trains/{number}",
                "#/paths/~1odd?query/get: its path cannot be called: it has a query or a fragment",
                "9:5: warning: #/servers/1: only the first server is called",
            ],
        ),
        (
            "garden-3.1.yaml",
            [
                "/parameters/1: the reference '../outside.yaml#/Secret' is not followed: it leads out of",
                "/parameters/2: the reference 'https://elsewhere.example.com/parameters.yaml#/Secret' is not followed: "
                "it is remote (--allow-remote follows it)",
                "/parameters/3: the reference '#/components/parameters/Missing' is not followed: nothing is there",
                "/parameters/4: the reference '#/components/parameters/Circle' leads back to itself",
            ],
        ),
    ],
)
def test_what_is_lost_is_said_with_its_place(name: str, said: list[str], written: Any) -> None:
    _, warnings = written(SAMPLES / name)
    assert len(warnings) == len(said)
    for warning, expected in zip(warnings, said, strict=True):
        assert warning.startswith(str(SAMPLES / name))
        assert expected in warning


async def test_swagger_answers_over_rest(tmp_path: Path) -> None:
    document = yaml.safe_load(await asyncio.to_thread(text_of, "bakery-2.0.json"))
    async with running(document, mock=True) as served, aiohttp.ClientSession() as session:
        url = served.url("bakery-api-rest")

        async def answer(method: str, path: str, **sent: Any) -> Any:
            async with session.request(method, url + path, **sent) as response:
                return response.status, await response.json(content_type=None)

        assert await answer("GET", "/loaves?grain=rye&grain=wheat") == (200, [{"id": 7, "name": "rye"}])
        assert await answer("POST", "/loaves", json={"name": "rye"}) == (201, {"id": 7, "name": "rye"})
        assert await answer("DELETE", "/loaves/7") == (204, None)
        assert (await answer("PUT", "/loaves/7", json={"new-name": "Rye"}))[0] == 400
        assert await answer("PUT", "/loaves/7", json={"new-name": "rye"}) == (200, {"id": 7, "name": "rye"})
        status, echoed = await answer("POST", "/loaves/7/picture", json={"picture": "()", "caption": "half"})
        assert status == 200
        assert 'name="picture"; filename="picture"' in echoed["received"]["body"]
        assert 'name="caption"' in echoed["received"]["body"]


def text_of(name: str) -> str:
    return write_capability(read_api(Documents(Notes()).open(str(SAMPLES / name))), name)


def preview(name: str, operation: str, arguments: Any) -> Any:
    host = check_runs(yaml.safe_load(text_of(name)))
    (found,) = (o for plan in host.plans for o in plan.consumed if o.name == operation)
    return found.preview(arguments)


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({"grain": ["rye", "wheat"]}, {"grain=rye%2Cwheat", "shop={{env.BAKERY_API_SHOP}}"}),
        ({"shape": ["a", "b"]}, {"shape=a", "shape=b", "shop={{env.BAKERY_API_SHOP}}"}),
    ],
)
def test_arrays_are_written_as_the_api_wants_them(arguments: Any, query: set[str]) -> None:
    url = preview("bakery-2.0.json", "list-loaves", arguments)["url"]
    assert set(url.partition("?")[2].split("&")) == query


def test_bodies_have_their_media_types() -> None:
    patch = preview("trains-3.0.yaml", "change-train", {"number": "ICE 7", "body": {"number": "ICE 8"}})
    assert patch["headers"]["Content-Type"] == "application/merge-patch+json"
    note = preview("trains-3.0.yaml", "write-note", {"body": "late"})
    assert (note["headers"]["Content-Type"], note["body"]) == ("text/plain; charset=utf-8", "late")
    form = preview("bakery-2.0.json", "rename-loaf", {"id": 7, "id-field": "8", "new-name": "rye"})
    assert (form["headers"]["Content-Type"], form["body"]) == (
        "application/x-www-form-urlencoded",
        "id=8&new.name=rye",
    )


def test_hints_say_what_methods_mean() -> None:
    document = yaml.safe_load(text_of("bakery-2.0.json"))
    tools = {tool["name"]: tool["hints"] for tool in document["capability"]["exposes"][1]["tools"]}
    assert tools == {
        "list-loaves": {"readOnly": True},
        "bake-loaf": {"readOnly": False},
        "rename-loaf": {"readOnly": False, "idempotent": True},
        "eat-loaf": {"readOnly": False, "destructive": True, "idempotent": True},
        "add-picture": {"readOnly": False},
    }


async def test_a_recursive_schema_is_described_and_answered() -> None:
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


async def test_an_upstream_of_the_tutorial_answers_over_both(upstream: Path, tmp_path: Path) -> None:
    output = tmp_path / "capability.yaml"
    assert (
        await asyncio.to_thread(main, ["import", "openapi", str(upstream), "--namespace", "up", "-o", str(output)]) == 0
    )
    check_runs(output)
    arguments = {"imo_number": "7", "voyageId": "7", "vesselCode": "7", "body": {"shipImo": "7"}}
    async with running(output, mock=True) as served, Client(streamable_http_client(served.url("up-mcp"))) as client:
        (rest, _) = served.host.status()
        for operation in rest.exposer.operations.values():
            given = {each.name: arguments[each.name] for each in operation.inputs if each.required}
            result = await served.host.call(f"up-rest.{operation.name}", given)
            assert result.status in (200, 201)
            assert result.data
            called = await client.call_tool(operation.name, given)
            assert not called.is_error


async def test_the_registry_answers_its_own_examples(tmp_path: Path) -> None:
    path = UPSTREAM / "naftiko-shipyard-maritime-registry-api.yaml"
    if not path.is_file():
        pytest.skip("the tutorial's OpenAPI documents are not at hand")
    api = read_api(Documents(Notes()).open(str(path)), namespace="registry", only=["Ships"])
    async with running(capability(api), mock=True) as served, aiohttp.ClientSession() as session:
        async with session.get(served.url("registry-rest") + "/ships/IMO-9321483") as answer:
            assert (await answer.json())["vessel_name"] == "Northern Star"
        async with session.get(served.url("registry-rest") + "/crew") as answer:
            assert answer.status == 404


# The command


def test_only_some_of_it(written: Any) -> None:
    output, _ = written(SAMPLES / "bakery-2.0.json", "--only", "loaves", "--only", "eatLoaf", "--namespace", "shop")
    host = check_runs(output)
    assert [o.name for o in host.status()[0].exposer.operations.values()] == ["list-loaves", "bake-loaf", "eat-loaf"]
    assert [each.namespace for each in host.status()] == ["shop-rest", "shop-mcp"]


def test_it_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "openapi", str(SAMPLES / "garden-3.1.yaml")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# Imported from garden-3.1.yaml (OpenAPI 3.1.0).\nnaftiko: 1.0.0-alpha2\n\ninfo:\n")
    assert "&id" not in text
    assert text == text_of("garden-3.1.yaml")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--only", "bread"], 1, "no tag or operationId is 'bread' (there are: addPicture, bake_loaf,"),
        (["--namespace", "a b"], 2, "'a b' is not a valid namespace"),
        (["-o", "/nowhere/at/all.yaml"], 1, "cannot write '/nowhere/at/all.yaml'"),
    ],
)
def test_it_says_what_is_wrong(arguments: list[str], code: int, message: str, capsys: Any) -> None:
    try:
        given = main(["import", "openapi", str(SAMPLES / "bakery-2.0.json"), *arguments])
    except SystemExit as error:
        given = int(str(error.code))
    assert given == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("openapi: 4.0.0\npaths: {}\n", "it is no OpenAPI document of version 2.0 or 3.x (given 4.0.0)"),
        ("naftiko: 1\n", "there is no 'openapi: 3.x' and no 'swagger: \"2.0\"'"),
        ("openapi: 3.1.0\n", "it has no operation that can be called"),
        ("openapi: 3.1.0\npaths: {a: 1\n", "api.yaml:3:1:"),
        ('{"openapi": "3.1.0",, }', "api.yaml:1:21:"),
        ("a: &a [*a]\n", "stands inside of what it stands for"),
        ("- 1\n", "a document must be a mapping"),
    ],
)
def test_it_says_what_is_wrong_with_a_document(text: str, message: str, tmp_path: Path, capsys: Any) -> None:
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

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=plant if request.path.endswith("plant.yaml") else garden)

    app.router.add_get("/apis/garden.yaml", give)
    app.router.add_get("/apis/parts/plant.yaml", give)
    async with TestServer(app) as server:
        yield server


async def test_a_url_is_fetched_when_asked(remote: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(remote.make_url("/apis/garden.yaml"))
    assert await asyncio.to_thread(main, ["import", "openapi", url]) == 2
    assert "SRC is a URL; add --allow-remote to fetch it" in capsys.readouterr().err
    assert await asyncio.to_thread(main, ["import", "openapi", url, "--allow-remote"]) == 0
    said = capsys.readouterr()
    assert "- children (array of object)" in said.out
    assert "outside.yaml#/Secret' is not followed" in said.err
    assert "it leads to another host than the document's" in said.err
    missing = str(remote.make_url("/apis/none.yaml"))
    assert await asyncio.to_thread(main, ["import", "openapi", missing, "--allow-remote"]) == 1
    assert "none.yaml: cannot fetch: it answered 404" in capsys.readouterr().err


async def test_nobody_is_waited_for(capsys: pytest.CaptureFixture[str], unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}/api.json"
    assert await asyncio.to_thread(main, ["import", "openapi", url, "--allow-remote"]) == 1
    assert "cannot fetch: ClientConnectorError" in capsys.readouterr().err


# What documents try


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
def test_no_document_reaches_the_environment(document: Any, tmp_path: Path) -> None:
    made, _ = imported(document, tmp_path)
    host = Host(made, settings=Settings(environment={"HOME": "/home/ada/secret"}))
    assert host.warnings == ()
    assert all("HOME" not in plan.loaded.secrets.names for plan in host.plans)


def test_a_path_of_a_template_is_left_out(tmp_path: Path) -> None:
    document = minimal({}, "/{{HOME}}")
    document["paths"]["/fine"] = {"get": {}}
    made, said = imported(document, tmp_path)
    assert consumed(made)["name"] == "get-fine"
    assert said == ["#/paths/~1{{HOME}}/get: its path cannot be called: its braces hold no names, so it is left out"]


def test_names_are_legal_unique_and_short(tmp_path: Path) -> None:
    long = "listEverythingThatThereIs" * 4
    paths = {f"/p{n}": {"get": {"operationId": name}} for n, name in enumerate([long, long, "a b", "a_b", "é", ""])}
    made, _ = imported({**minimal({}), "paths": paths}, tmp_path)
    tools = [tool["name"] for tool in made["capability"]["exposes"][1]["tools"]]
    assert len(set(tools)) == len(tools) == 6
    assert max(map(len, tools)) <= 64
    assert tools[2:] == ["a-b", "get-p3", "get-p4", "get-p5"]
    check_runs(made)


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
def test_each_scheme_is_an_authentication(security: Any, schemes: Any, expected: str | None, tmp_path: Path) -> None:
    made, _ = imported(minimal({}, security=security, components={"securitySchemes": schemes}), tmp_path)
    consumes = made["capability"]["consumes"][0]
    assert consumes.get("authentication", {}).get("type") == expected
    if schemes["b"].get("in") == "cookie":
        assert consumes["inputParameters"] == [{"name": "k", "in": "cookie", "value": "{{env.THINGS_B}}"}]
    check_runs(made)


def test_values_allowed_are_described(tmp_path: Path) -> None:
    schema = {"type": "string", "enum": ["a", "b"], "default": "a", "format": "letter", "description": "not this"}
    made, _ = imported(
        minimal({"parameters": [{"name": "x", "in": "query", "description": "Which", "schema": schema}]}), tmp_path
    )
    assert consumed(made)["inputParameters"] == [
        {"name": "x", "in": "query", "type": "string", "description": "Which. One of: a, b. Format: letter. Default a."}
    ]


def test_a_pattern_that_python_does_not_know_is_said(tmp_path: Path) -> None:
    parameter = {"name": "x", "in": "query", "schema": {"type": "string", "pattern": "\\p{L}+("}}
    made, said = imported(minimal({"parameters": [parameter]}), tmp_path)
    assert "pattern" not in consumed(made)["inputParameters"][0]
    assert len(said) == 1
    assert said[0].startswith("#/paths/~1things/get/parameters/0/schema: this pattern is not one of Python's")


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
def test_schemas_that_refer_to_each_other_end(
    defined: Any, used: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = {"application/json": {"schema": used}}
    operation = {
        "parameters": [{"name": "x", "in": "query", "schema": used}],
        "requestBody": {"content": content},
        "responses": {"200": {"content": content}},
    }
    document = minimal(operation, method="post", components={"schemas": defined})
    made, _ = imported(document, tmp_path_factory.mktemp("api"))
    check_runs(made)


WORDS = """
paths /a get parameters name in schema $ref responses 200 content application/json requestBody security servers url
components securitySchemes info title items properties examples type style explode tags description required allOf
"""
keys = st.sampled_from(WORDS.split())
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["#/paths", "#", "query", "x", "object"]))
anything = st.recursive(leaves, lambda c: st.lists(c, max_size=3) | st.dictionaries(keys, c, max_size=4), max_leaves=25)


@given(paths=anything, rest=st.dictionaries(keys, anything, max_size=4), version=st.sampled_from(["2.0", "3.0.0"]))
@settings(max_examples=150, deadline=None)
def test_whatever_a_document_holds_it_is_imported_or_refused(
    paths: Any, rest: Any, version: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    head = {"swagger": version} if version == "2.0" else {"openapi": version}
    document = {**rest, **head, "paths": {"/a": {"get": paths, "post": {}}}}
    made, _ = imported(document, tmp_path_factory.mktemp("api"))
    check_runs(made)


def test_a_reference_bomb_is_small(tmp_path: Path) -> None:
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
    made, _ = imported(document, tmp_path)
    assert len(json.dumps(made)) < 100_000
    with pytest.raises(ProblemsError):
        imported({"openapi": "3.1.0"}, tmp_path)
