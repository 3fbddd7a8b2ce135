"""Tests of `/openapi.json` and `/docs`."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from adapter_host import Host, HttpExposer, Plugins, ProblemsError, Settings, attach
from adapter_host.testing import FakePlugin, running
from adapter_host_rest.docs.fields import MAX_FIELDS, schema_html

ORDER = {
    "name": "order",
    "method": "POST",
    "path": "/orders/{id}",
    "description": "Orders <b>one</b>",
    "inputParameters": [
        {"name": "id", "in": "path", "type": "integer", "required": True, "description": "Which"},
        {"name": "dry", "in": "query", "type": "boolean"},
        {"name": "tags", "in": "query", "type": "array"},
        {"name": "filter", "in": "query", "type": "object"},
        {"name": "X-Trace", "in": "header", "pattern": "^[a-z]+$"},
        {"name": "session", "in": "cookie"},
        {"name": "item", "in": "body", "type": "string", "required": True},
        {"name": "count", "in": "body", "type": "integer"},
    ],
}
READ = {
    "name": "read",
    "method": "GET",
    "path": "/orders/{number}",
    "inputParameters": [{"name": "number", "in": "path", "required": True}],
}
PUT = {
    "name": "put",
    "method": "PUT",
    "path": "/things",
    "inputParameters": [{"name": "body", "in": "body", "type": "object", "required": True, "description": "All"}],
}


def build_host(document: Any) -> Host:
    plugins = Plugins.installed()
    plugins.register("fake", FakePlugin())
    return Host(document, plugins=plugins, settings=Settings(environment={}))


async def test_parameters_have_locations(serve: Any) -> None:
    async with serve(ORDER, READ, PUT) as api:
        response = await api("GET", "/openapi.json")
        assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
        document = response.data
        order = document["paths"]["/orders/{id}"]["post"]
        assert order["parameters"] == [
            {"name": "id", "in": "path", "description": "Which", "required": True, "schema": {"type": "integer"}},
            {"name": "dry", "in": "query", "schema": {"type": "boolean"}},
            {"name": "tags", "in": "query", "schema": {"type": "array"}},
            {"name": "filter", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}},
            {"name": "X-Trace", "in": "header", "schema": {"type": "string", "pattern": "^[a-z]+$"}},
            {"name": "session", "in": "cookie", "schema": {"type": "string"}},
        ]
        assert order["requestBody"] == {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"item": {"type": "string"}, "count": {"type": "integer"}},
                        "required": ["item"],
                    }
                }
            },
        }
        assert set(order["responses"]) == {"2XX", "400", "404", "413", "415", "500", "502", "503", "504", "default"}
        whole = document["paths"]["/things"]["put"]["requestBody"]
        content = {"application/json": {"schema": {"type": "object"}}}
        assert whole == {"description": "All", "required": True, "content": content}


LIMITED = {
    "name": "pick",
    "method": "POST",
    "path": "/pick/{size}",
    "inputParameters": [
        {"name": "size", "in": "path", "type": "string", "required": True, "values": ["s", "x l"]},
        {"name": "count", "in": "query", "type": "integer", "required": True, "values": [2, 4]},
        {"name": "tags", "in": "query", "type": "array", "values": ["a", 1]},
        {"name": "note", "in": "body", "type": "string", "minLength": 2, "maxLength": 4, "values": ["ab", "<b>"]},
        {"name": "X-Code", "in": "header", "minLength": 2, "maxLength": 4, "pattern": "^[a-z<]*$"},
    ],
}


async def test_limits_of_inputs_are_checked_and_described(serve: Any) -> None:
    async with serve(LIMITED) as api:
        operation = (await api("GET", "/openapi.json")).data["paths"]["/pick/{size}"]["post"]
        assert {each["name"]: each["schema"] for each in operation["parameters"]} == {
            "size": {"type": "string", "enum": ["s", "x l"]},
            "count": {"type": "integer", "enum": [2, 4]},
            "tags": {"type": "array", "items": {"enum": ["a", 1]}},
            "X-Code": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z<]*$"},
        }
        body = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
        assert body == {"note": {"type": "string", "minLength": 2, "maxLength": 4, "enum": ["ab", "<b>"]}}
        page = (await api("GET", "/docs/read")).body.decode()
        assert "string; one of s, x l" in page
        assert "array; one of a, 1" in page
        assert "string; at least 2 characters; at most 4 characters; pattern ^[a-z&lt;]*$" in page
        valid = {"headers": {"X-Code": "ab"}, "json": {"note": "ab"}}
        assert (await api("POST", "/pick/x%20l?count=4&tags=a&tags=1", **valid)).status == 200
        assert api.up.calls[-1][1] == {"size": "x l", "count": 4, "tags": ["a", "1"], "X-Code": "ab", "note": "ab"}
        for path, changes, name in (
            ("/pick/m?count=4", {}, "size"),
            ("/pick/s?count=3", {}, "count"),
            ("/pick/s?count=4&tags=b", {}, "tags"),
            ("/pick/s?count=4", {"json": {"note": "a"}}, "note"),
            ("/pick/s?count=4", {"json": {"note": "abc"}}, "note"),
            ("/pick/s?count=4", {"headers": {"X-Code": "abcde"}}, "X-Code"),
        ):
            refused = await api("POST", path, **{**valid, **changes})
            assert (refused.status, refused.data["parameter"]) == (400, name)
        assert len(api.up.calls) == 1
        (status,) = api.host.status()
        usage = status.exposer.usage(api.url) or ""
        assert f"{api.url}/pick/s?count=2" in usage
        assert usage.endswith(f"\n# in the browser: {api.url}/docs")


async def test_paths_of_the_same_shape_are_merged(serve: Any) -> None:
    async with serve(ORDER, READ) as api:
        (path,) = (await api("GET", "/openapi.json")).data["paths"].items()
        assert path[0] == "/orders/{id}"
        assert path[1]["get"]["parameters"][0]["name"] == "id"


async def test_output_parameters_become_the_schema(serve: Any) -> None:
    outputs = [{"type": "object", "properties": {"a": {"type": "string", "mapping": "$.x"}}}]
    exposed = [
        {
            "path": "/a", "label": "Things",
            "operations": [
                {"method": "GET", "name": "same", "call": "up.put", "outputParameters": outputs, "label": "Get it"},
                {"method": "POST", "name": "same", "outputParameters": [{"name": "a", "value": "b"}]},
            ],
        },
    ]  # fmt: skip
    async with serve(PUT, exposed=exposed) as api:
        entry = (await api("GET", "/openapi.json")).data["paths"]["/a"]
        schema = {"type": ["object", "null"], "properties": {"a": {"type": ["string", "null"]}}}
        assert entry["get"]["responses"]["2XX"]["content"] == {"application/json": {"schema": schema}}
        assert (entry["get"]["summary"], entry["get"]["tags"]) == ("Get it", ["Things"])
        assert set(entry["post"]["responses"]) == {"200", "500", "503"}
        assert [entry["get"]["operationId"], entry["post"]["operationId"]] == ["same", "same-post"]


@pytest.mark.parametrize(
    ("authentication", "scheme"),
    [
        ({"type": "bearer", "token": "t"}, {"type": "http", "scheme": "bearer"}),
        ({"type": "basic", "username": "u", "password": "p"}, {"type": "http", "scheme": "basic"}),
        ({"type": "mutualTLS"}, {"type": "mutualTLS"}),
        (
            {"type": "apikey", "key": "X-Key", "value": "v"},
            {"type": "apiKey", "name": "X-Key", "in": "header"},
        ),
    ],
)
def test_security_schemes(document: Any, authentication: Any, scheme: Any) -> None:
    exposer = build_host(document(PUT, authentication=authentication)).status()[0].exposer
    assert isinstance(exposer, HttpExposer)
    described = exposer.openapi("/")
    assert described is not None
    assert described["components"]["securitySchemes"] == {"caller": scheme}
    assert described["security"] == [{"caller": []}]
    assert "401" in described["paths"]["/things"]["put"]["responses"]


async def test_what_describes_the_api_requires_authentication(serve: Any) -> None:
    async with serve(PUT, authentication={"type": "bearer", "token": "t"}) as api:
        for path in ("/openapi.json", "/docs/read"):
            assert (await api("GET", path)).status == 401
            assert (await api("GET", path, headers={"Authorization": "Bearer t"})).status == 200
        page = await api("GET", "/docs")
        assert page.status == 200
        assert "things" not in page.body.decode()
        assert """data-scheme='{&quot;type&quot;:&quot;bearer&quot;}'""" in page.body.decode()
        for target in Resources(page.body.decode()).targets - {"docs/read"}:
            assert (await api("GET", f"/{target}")).status == 200


@pytest.mark.parametrize(
    "route",
    [
        {"path": "/{number}", "operations": [{"method": "GET", "call": "up.put"}]},
        {"path": "/docs", "operations": [{"method": "POST", "call": "up.put"}]},
        {"path": "/docs/{file}", "operations": [{"method": "GET", "call": "up.put"}]},
        {"path": "/{path}", "forward": {"targetNamespace": "web"}},
        {"path": "/docs/vendor/{path}", "forward": {"targetNamespace": "web"}},
    ],
    ids=lambda route: f"{route['path']} {'forward' if 'forward' in route else route['operations'][0]['method']}",
)
async def test_no_route_is_public_by_the_path_of_a_page(document: Any, route: Any) -> None:
    served = document(PUT, exposed=[route], authentication={"type": "bearer", "token": "t"})
    served["capability"]["consumes"].append({"type": "http", "namespace": "web", "baseUri": "http://127.0.0.1:1"})
    async with running(served) as host, ClientSession() as session:
        for path in ("/docs", "/docs/docs.js", "/docs/vendor/preact.mjs"):
            for method in ("GET", "POST", "HEAD"):
                async with session.request(method, host.url("api") + path) as response:
                    assert response.status == 401
        assert host.fake("up").calls == []


@pytest.mark.parametrize(("mode", "status"), [("try", 200), ("read", 200), ("none", 404)])
async def test_the_page_is_declared(serve: Any, mode: str, status: int) -> None:
    async with serve(PUT, **{"x-docs": mode}) as api:
        page = await api("GET", "/docs")
        assert page.status == (await api("GET", "/docs/read")).status == status
        assert status == 404 or f"data-docs='{mode}'" in page.body.decode()
        assert (await api("GET", "/openapi.json")).status == 200
        home = Resources((await api("GET", "/", headers={"Accept": "text/html"})).body.decode())
        assert home.targets == {"/openapi.json", *(["/docs"] if status == 200 else [])}
        (exposer,) = api.host.status()
        assert ("/docs" in (exposer.exposer.usage(api.url) or "")) is (status == 200)


async def test_a_document_with_an_unknown_mode_is_invalid(document: Any) -> None:
    with pytest.raises(ProblemsError) as raised:
        build_host(document(PUT, **{"x-docs": "all"}))
    (problem,) = raised.value.problems
    assert "x-docs" in str(problem)


async def test_files_of_the_page_are_served_with_their_types(serve: Any) -> None:
    async with serve(PUT) as api:
        script = await api("GET", "/docs/docs.js")
        assert (script.status, script.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
        assert script.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        for imported in re.findall(r'from "\./([^"]+)"', script.body.decode()):
            assert (await api("GET", f"/docs/{imported}")).status == 200
        assert (await api("GET", "/docs/../config.py")).status == 404


class Resources(HTMLParser):
    """Collects the elements of a page, and the targets of their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.targets: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.targets |= {value or "" for name, value in attributes if name in ("href", "src", "style", "onclick")}


async def test_the_page_to_read_is_self_contained(serve: Any) -> None:
    async with serve(ORDER, PUT) as api:
        response = await api("GET", "/docs/read")
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        text = response.body.decode()
        resources = Resources(text)
        assert resources.targets == {"../openapi.json"}
        assert not resources.tags & {"script", "img", "link", "iframe", "b"}
        assert "Orders &lt;b&gt;one&lt;/b&gt;" in text
        assert not re.search(r"url\(|@import", text)


async def test_content_security_policy_allows_the_style(serve: Any) -> None:
    async with serve(PUT) as api:
        response = await api("GET", "/docs/read")
        style = response.body.decode().partition("<style>")[2].partition("</style>")[0]
        digest = b64encode(sha256(style.encode()).digest()).decode()
        assert f"style-src 'sha256-{digest}'" in response.headers["Content-Security-Policy"]


async def test_declared_routes_take_precedence_over_pages(serve: Any) -> None:
    own = {"name": "own", "method": "GET", "path": "/docs"}
    post = {"name": "post", "method": "POST", "path": "/openapi.json"}
    async with serve(own, post) as api:
        assert (await api("GET", "/docs")).data == {}
        assert (await api("GET", "/openapi.json")).status == 405
    wild = {**READ, "path": "/{number}"}
    async with serve(wild) as api:
        assert (await api("GET", "/docs")).data == {"number": "docs"}


async def test_pages_allow_only_get_and_head(serve: Any) -> None:
    async with serve(PUT) as api:
        head = await api("HEAD", "/openapi.json")
        assert (head.status, head.body) == (200, b"")
        refused = await api("DELETE", "/docs")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        assert (await api("OPTIONS", "/docs")).status == 204
        assert (await api("GET", "/docs/more")).status == 404


async def test_server_url_of_exposers_sharing_a_port(document: Any, unused_tcp_port: int) -> None:
    two = document(PUT)
    (first,) = two["capability"]["exposes"]
    two["capability"]["exposes"] = [first, {**first, "namespace": "other"}]
    ports = dict.fromkeys(("api", "other"), unused_tcp_port)
    async with (
        running(two, ports=ports) as host,
        ClientSession() as session,
        session.get(host.url("other") + "/openapi.json") as response,
    ):
        assert (await response.json())["servers"] == [{"url": "/other"}]


async def test_server_url_when_attached(document: Any) -> None:
    app = web.Application()
    attach(app, build_host(document(PUT)), prefix="/v1")
    async with TestServer(app) as server, ClientSession() as session:
        async with session.get(server.make_url("/v1/api/openapi.json")) as response:
            assert (await response.json())["servers"] == [{"url": "/v1/api"}]
        async with session.get(server.make_url("/v1/api/docs/read")) as response:
            assert "<code>/v1/api</code>" in await response.text()


def test_fields_of_nested_schemas() -> None:
    person = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "The <b>full</b> name", "enum": ["a", "b"]},
            "friend": {"$ref": "#/components/schemas/Person"},
            "places": {"type": "array", "items": {"type": "object", "properties": {"city": {"type": "string"}}}},
        },
        "required": ["name"],
    }
    html = schema_html({"$ref": "#/components/schemas/Person"}, {"Person": person})
    lists = html.partition("<details")[0]
    assert "<code>name</code> <span class='type'>string; one of a, b</span>" in lists
    assert "The &lt;b&gt;full&lt;/b&gt; name" in lists
    assert "<code>friend</code> (optional) <span class='type'>Person</span></li>" in lists
    assert "each item <span class='type'>object</span><ul class='fields'><li><code>city</code>" in lists


def test_variants_and_values_without_fields() -> None:
    variants = schema_html({"oneOf": [{"type": "string"}, {"type": "object", "properties": {"x": {}}}]}, {})
    assert variants.count("<li>either") == 2
    assert "<p>string; pattern ^a</p>" in schema_html({"type": "string", "pattern": "^a"}, {})
    assert schema_html({}, {}) == schema_html(None, {}) == ""


def test_a_schema_with_very_many_fields_is_bounded() -> None:
    # Each level refers to the next one ten times: without a bound, a list of a hundred million fields.
    schemas = {
        f"Level{level}": {
            "properties": {f"f{number}": {"$ref": f"#/components/schemas/Level{level + 1}"} for number in range(10)}
        }
        for level in range(9)
    }
    html = schema_html({"$ref": "#/components/schemas/Level0"}, schemas).partition("<details")[0]
    assert html.count("<li>") == MAX_FIELDS + 1
    assert html.count("more fields, in the JSON Schema") == 1


async def test_a_browser_at_the_root_gets_a_page(serve: Any) -> None:
    browser = {"headers": {"Accept": "text/html,application/xhtml+xml"}}
    async with serve(ORDER, PUT) as api:
        response = await api("GET", "/", **browser)
        assert response.status == 200
        assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
        text = response.body.decode()
        assert "a REST API with 2 operations" in text
        assert Resources(text).targets == {"/docs", "/openapi.json"}
        assert (await api("GET", "/")).status == 404
        assert (await api("POST", "/", **browser)).status == 404
        assert (await api("GET", "/other", **browser)).status == 404
    async with serve({"name": "own", "method": "GET", "path": "/"}) as api:
        assert (await api("GET", "/", **browser)).data == {}
