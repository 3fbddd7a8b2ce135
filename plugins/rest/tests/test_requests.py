from __future__ import annotations

import zlib
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from adapter_host import attach
from adapter_host.testing import running

JSON = {"Content-Type": "application/json"}
ORDER = {
    "name": "order",
    "method": "POST",
    "path": "/orders/{id}",
    "inputParameters": [
        {"name": "id", "in": "path", "type": "integer", "required": True},
        {"name": "dry", "in": "query", "type": "boolean"},
        {"name": "tags", "in": "query", "type": "array"},
        {"name": "note", "in": "query", "type": "string"},
        {"name": "X-Trace", "in": "header"},
        {"name": "session", "in": "cookie"},
        {"name": "item", "in": "body", "type": "string", "required": True},
        {"name": "count", "in": "body", "type": "integer"},
        {"name": "loose"},
    ],
}
PUT = {
    "name": "put",
    "method": "PUT",
    "path": "/things",
    "inputParameters": [{"name": "body", "in": "body", "type": "object", "required": True}],
}
LIST = {
    "name": "list",
    "method": "GET",
    "path": "/things",
    "inputParameters": [
        {"name": "limit", "in": "query", "type": "integer"},
        {"name": "filter", "in": "query", "type": "object"},
        {"name": "field", "in": "body"},
        {"name": "loose", "type": "number"},
    ],
}
REMOVE = {
    "name": "remove",
    "method": "DELETE",
    "path": "/things",
    "inputParameters": [{"name": "body", "in": "body"}, {"name": "force", "type": "boolean"}],
}


async def test_inputs_are_read_from_their_locations(serve: Any) -> None:
    async with serve(ORDER) as api:
        response = await api(
            "POST",
            "/orders/7?dry=true&tags=1&tags=b&note=&unknown=1",
            json={"item": "nut", "count": 2, "loose": [1]},
            headers={"x-trace": "t", "Cookie": "session=s"},
        )
        assert (response.status, response.data) == (
            200,
            {
                "id": 7,
                "dry": True,
                "tags": ["1", "b"],
                "note": "",
                "X-Trace": "t",
                "session": "s",
                "item": "nut",
                "count": 2,
                "loose": [1],
            },
        )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("dry=", {}),
        ("tags=", {}),
        ("tags=a", {"tags": ["a"]}),
        ("tags=%5B1%5D", {"tags": [1]}),
        ("note=a+b%2B%C3%A9", {"note": "a b+é"}),
        ("loose=q", {"loose": "q"}),
        ("item=q", {}),
    ],
)
async def test_query_values_are_parsed_as_declared(serve: Any, query: str, expected: dict[str, Any]) -> None:
    async with serve(ORDER) as api:
        response = await api("POST", f"/orders/1?{query}", json={"item": "nut"})
        assert response.data == {"id": 1, "item": "nut", **expected}


async def test_body_field_takes_precedence_over_query(serve: Any) -> None:
    async with serve(ORDER) as api:
        response = await api("POST", "/orders/1?loose=query", json={"item": "nut", "loose": "body"})
        assert response.data["loose"] == "body"


ONE: dict[str, Any] = {
    "name": "one",
    "method": "GET",
    "path": "/things/{id}",
    "inputParameters": [{"name": "id", "in": "path"}],
}
START = {**ONE, "name": "start", "method": "POST"}
STOP = {**ONE, "name": "stop", "method": "DELETE"}


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"force": True}},
        {"json": [1]},
        {"data": b"text", "headers": {"Content-Type": "text/plain"}},
        {"data": b"{}x", "headers": JSON},
        {"data": zlib.compress(b'{"a":1}'), "headers": {"Content-Encoding": "deflate"}},
    ],
)
async def test_undeclared_body_is_rejected(serve: Any, method: str, sent: dict[str, Any], snapshot: Any) -> None:
    async with serve(ONE, START, STOP) as api:
        response = await api(method, "/things/7", **sent)
        assert (response.status, response.data["parameter"]) == (400, "body")
        assert response.data["detail"] == snapshot(name="detail")
        assert api.up.calls == []


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
@pytest.mark.parametrize("data", [None, b"", b"{}", b" {}\n"])
async def test_body_without_content_is_accepted(serve: Any, method: str, data: bytes | None) -> None:
    async with serve(ONE, START, STOP) as api:
        assert (await api(method, "/things/7", data=data, headers=JSON)).data == {"id": "7"}


async def test_undeclared_field_of_the_body_is_rejected(serve: Any, snapshot: Any) -> None:
    async with serve(ORDER) as api:
        for body in ({"item": "nut", "cuont": 2}, {"item": "nut", "unknown": 1}, {"item": "nut", "id": 8}):
            response = await api("POST", "/orders/7", json=body)
            assert (response.status, response.data["parameter"]) == (400, list(body)[1])
            assert response.data["detail"] == snapshot
        assert api.up.calls == []


@pytest.mark.parametrize(
    ("path", "body", "parameter"),
    [
        ("/orders/x", {"item": "a"}, "id"),
        ("/orders/1?dry=maybe", {"item": "a"}, "dry"),
        ("/orders/1", {}, "item"),
        ("/orders/1", {"item": 5}, "item"),
        ("/orders/1", {"item": "a", "count": "2"}, "count"),
        ("/orders/1", ["item"], "body"),
    ],
)
async def test_invalid_argument_is_named(serve: Any, path: str, body: Any, parameter: str) -> None:
    async with serve(ORDER) as api:
        response = await api("POST", path, json=body)
        assert (response.status, response.data["parameter"]) == (400, parameter)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["X-Request-Id"] == response.data["request_id"]
        assert api.up.calls == []


async def test_body_fields_come_from_the_query_without_a_body(serve: Any) -> None:
    async with serve(LIST, REMOVE) as api:
        listed = await api("GET", '/things?limit=3&filter={"a":1}&field=f&loose=1.5')
        assert listed.data == {"limit": 3, "filter": {"a": 1}, "field": "f", "loose": 1.5}
        assert (await api("DELETE", "/things?force=1")).data == {"force": True}
        assert (await api("DELETE", "/things", json=[1])).data == {"body": [1]}


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b'{"a":1}', "headers": {"Content-Type": "application/json; charset=utf-8"}}, 200),
        ({"data": b'{"a":1}', "headers": {"Content-Type": "Application/Merge-Patch+JSON"}}, 200),
        ({"data": b'{"a":1}', "skip_auto_headers": ["Content-Type"]}, 200),
        ({"data": b'{"a":1,"a":2}', "headers": JSON}, 200),
        ({"data": zlib.compress(b'{"a":1}'), "headers": {**JSON, "Content-Encoding": "deflate"}}, 200),
        ({"data": b'{"a":1}', "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": {"a": "1"}}, 415),
        ({}, 400),
        ({"json": [1]}, 400),
        ({"data": b'{"a":', "headers": JSON}, 400),
        ({"data": b'{"a":"\xff"}', "headers": JSON}, 400),
        ({"data": b"[" * 5000 + b"]" * 5000, "headers": JSON}, 400),
        ({"json": {"a": "x" * 10_000}}, 413),
    ],
)
async def test_body_must_be_json(serve: Any, sent: dict[str, Any], status: int) -> None:
    async with serve(PUT, settings={"body_limit": 10_000}) as api:
        response = await api("PUT", "/things", **sent)
        assert response.status == status
        assert status == 200 or response.data["parameter"] == "body"


async def test_chunked_body_is_limited(serve: Any) -> None:
    async def chunks() -> Any:
        for _ in range(3):
            yield b" " * 50

    async with serve(PUT, settings={"body_limit": 100}) as api:
        response = await api("PUT", "/things", data=chunks(), headers=JSON)
        assert (response.status, response.data["parameter"]) == (413, "body")


async def test_body_with_invalid_encoding_is_rejected(serve: Any) -> None:
    headers = {**JSON, "Content-Encoding": "gzip"}
    async with serve(PUT) as api:
        response = await api("PUT", "/things", data=b"no gzip at all", headers=headers)
        assert (response.status, response.data["parameter"]) == (400, "body")


@pytest.mark.parametrize(
    ("path", "status", "values"),
    [
        ("/a%2Fb", 200, ["a/b"]),
        ("/caf%C3%A9", 200, ["café"]),
        ("/a%0Ab", 200, ["a\nb"]),
        ("/a%20b+c", 200, ["a b+c"]),
        ("/100%25", 200, ["100%"]),
        ("/..%2f..", 200, ["../.."]),
        ("/x/", 200, ["x"]),
        ("/x//", 404, None),
        ("/%FF", 400, None),
        ("/%00", 400, None),
        ("/", 404, None),
        ("/a/b", 404, None),
    ],
)
async def test_path_variable_is_one_decoded_segment(
    serve: Any, path: str, status: int, values: list[str] | None
) -> None:
    read = {"name": "read", "method": "GET", "path": "/f/{name}", "inputParameters": [{"name": "name"}]}
    async with serve(read) as api:
        response = await api("GET", f"/f{path}")
        assert response.status == status
        assert [arguments["name"] for _, arguments in api.up.calls] == (values or [])


async def test_path_variables_match_inputs_by_normalized_name(serve: Any) -> None:
    inputs = [{"name": "stationId", "in": "path"}, {"name": "when", "in": "path"}]
    read = {"name": "read", "method": "GET", "path": "/s/{{stationId}}", "inputParameters": inputs}
    path = "/v1/{{station-id}}"
    exposed = [{"path": path, "operations": [{"method": "get", "call": "up.read"}]}]
    async with serve(read, exposed=exposed) as api:
        response = await api("GET", "/v1/7?when=now&stationId=8")
        assert response.data == {"stationId": "7", "when": "now"}


async def test_one_variable_expands_to_a_pattern(serve: Any) -> None:
    one = {"name": "one", "method": "GET", "path": "/c/{sha}", "inputParameters": [{"name": "sha", "in": "path"}]}
    both = [{"name": "sha", "in": "path"}, {"name": "diffType", "in": "path"}]
    diff = {"name": "diff", "method": "GET", "path": "/c/{sha}.{diffType}", "inputParameters": both}
    exposed = [
        {"path": "/v1/c/{sha}", "operations": [{"method": "GET", "call": "up.one"}]},
        {"path": "/v1/c/{sha-difftype}", "operations": [{"method": "GET", "call": "up.diff"}]},
    ]
    async with serve(one, diff, exposed=exposed) as api:
        assert (await api("GET", "/v1/c/abc")).data == {"sha": "abc"}
        assert (await api("GET", "/v1/c/v1.2.diff")).data == {"sha": "v1.2", "diffType": "diff"}
        assert [name for name, _ in api.up.calls] == ["one", "diff"]


async def test_inputs_are_inherited_from_resource_and_exposer(serve: Any) -> None:
    read = {
        "name": "read",
        "method": "GET",
        "path": "/s",
        "inputParameters": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
    }
    resource = {
        "path": "/s/{b}",
        "inputParameters": [{"name": "b", "in": "path"}, {"name": "c", "in": "header"}],
        "operations": [{"method": "GET", "call": "up.read", "inputParameters": [{"name": "c", "in": "query"}]}],
    }
    exposer_inputs = [{"name": "a", "in": "header"}, {"name": "b", "in": "header"}]
    async with serve(read, exposed=[resource], inputParameters=exposer_inputs) as api:
        response = await api("GET", "/s/2?c=3", headers={"a": "1", "b": "x", "c": "x"})
        assert response.data == {"a": "1", "b": "2", "c": "3"}


async def test_method_not_allowed(serve: Any) -> None:
    async with serve(LIST, PUT) as api:
        refused = await api("POST", "/things")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, OPTIONS, PUT")
        assert refused.headers["Content-Type"] == "application/problem+json"
        options = await api("OPTIONS", "/things")
        assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, PUT")
        assert (await api("OPTIONS", "/nothing")).status == 404
        assert (await api("PROPFIND", "/things")).status == 405


async def test_routes_by_query(serve: Any) -> None:
    def route(query: str, value: str) -> dict[str, Any]:
        mock = {"method": "GET", "name": value, "outputParameters": [{"type": "string", "value": value}]}
        return {"path": f"/v1/{query}", "operations": [mock]}

    exposed = [
        route("?Action=Run", "run"),
        route("?Action=Stop%20all&n=1", "stop"),
        route("?Action=Run&DryRun=1", "dry run"),
        route("?id={id}&list", "list"),
    ]
    async with serve(LIST, exposed=exposed) as api:
        for query, value in {
            "Action=Run": "run",
            "x=1&Action=Run": "run",
            "Action=Run&DryRun=1": "dry run",
            "n=1&Action=Stop+all": "stop",
            "list=&id=7": "list",
        }.items():
            assert (await api("GET", f"/v1/?{query}")).data == value
        for query in ("", "Action=Stop", "Action=Stop+all", "action=Run"):
            refused = await api("GET", f"/v1/?{query}")
            assert refused.status == 404
            assert "Action=Run" in refused.data["detail"]
        paths = (await api("GET", "/openapi.json")).data["paths"]
        assert sorted(paths) == [
            "/v1/?Action=Run",
            "/v1/?Action=Run&DryRun=1",
            "/v1/?Action=Stop+all&n=1",
            "/v1/?list=",
        ]


async def test_declared_head_and_options(serve: Any) -> None:
    def operation(name: str, method: str) -> dict[str, Any]:
        return {"name": name, "method": method, "path": "/r", "inputParameters": [{"name": "q", "in": "query"}]}

    async with serve(operation("head", "HEAD"), operation("options", "OPTIONS"), operation("get", "GET")) as api:
        for name in ("HEAD", "OPTIONS", "GET"):
            response = await api(name, "/r?q=x")
            assert response.status == 200
            assert api.up.calls[-1] == (name.lower(), {"q": "x"})
    async with serve(operation("head", "HEAD")) as api:
        assert (await api("HEAD", "/r")).status == 200
        refused = await api("GET", "/r")
        assert (refused.status, refused.headers["Allow"]) == (405, "HEAD, OPTIONS")
        assert (await api("OPTIONS", "/r")).status == 204


async def test_mounted_below_a_prefix(document: Any) -> None:
    async with running(document(PUT)) as served:
        host = served.host
    app = web.Application(client_max_size=10)
    attach(app, host, prefix="/apis")
    async with TestServer(app) as server, ClientSession() as session:
        url = server.make_url("/apis/api/things")
        async with session.put(url, json={"a": "longer than the other limit"}) as response:
            assert await response.json() == {"body": {"a": "longer than the other limit"}}
        async with session.get(server.make_url("/apis/api/")) as response:
            assert (response.status, response.content_type) == (404, "application/problem+json")


async def test_skipped_operation_has_no_route(serve: Any) -> None:
    exposed = [
        {"path": "/things", "operations": [{"method": "GET", "call": "up.list"}]},
        {"path": "/gone", "operations": [{"method": "GET", "call": "up.nothing"}]},
    ]
    async with serve(LIST, exposed=exposed, settings={"skip_invalid": True}) as api:
        assert (await api("GET", "/things")).status == 200
        assert (await api("GET", "/gone")).status == 404


async def test_consumed_path_that_is_not_a_template_is_ignored(serve: Any) -> None:
    odd = {"name": "odd", "method": "GET", "path": "/c/{sha", "inputParameters": [{"name": "sha", "in": "path"}]}
    exposed = [{"path": "/c/{sha}", "operations": [{"method": "GET", "call": "up.odd"}]}]
    async with serve(odd, exposed=exposed) as api:
        assert (await api("GET", "/c/1.2")).data == {"sha": "1.2"}


MANY: dict[str, Any] = {
    "name": "many",
    "method": "POST",
    "path": "/many/{id}",
    "inputParameters": [
        {"name": "id", "in": "path", "type": "integer"},
        *({"name": f"q{number}", "in": "query", "type": "integer"} for number in range(9)),
        {
            "name": "styled",
            "in": "query",
            "type": "array",
            "x-style": "form",
            "x-schema": {"items": {"type": "integer"}},
        },
        {"name": "X-Count", "in": "header", "type": "integer"},
        {"name": "cookie", "in": "cookie", "type": "boolean"},
        {"name": "name", "in": "body"},
    ],
}


async def test_all_texts_that_cannot_be_read_are_named(serve: Any) -> None:
    async with serve(MANY) as api:
        headers = {"X-Count": "x", "Cookie": "cookie=x"}
        response = await api("POST", "/many/x?q1=x&q2=2&q3=x", headers=headers, json={"name": "n", "nmae": 1, "a": 2})
        assert response.status == 400
        assert [error["parameter"] for error in response.data["errors"]] == [
            "id", "q1", "q3", "X-Count", "cookie", "nmae", "a"
        ]  # fmt: skip
        assert response.data["errors"][1]["detail"] == "'q1' must be an integer (given \"x\")"
        assert response.data["parameter"] == "id"
        query = "&".join(f"q{number}=x" for number in range(9))
        response = await api("POST", f"/many/x?{query}", headers=headers, json={"name": "n"})
        assert len(response.data["errors"]) == 10
        response = await api("POST", "/many/1?q1=x", json={"name": "n"})
        assert (response.data["parameter"], "errors" in response.data) == ("q1", False)
        assert api.up.calls == []
