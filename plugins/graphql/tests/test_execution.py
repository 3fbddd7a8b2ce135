"""Calls of operations by fields, and their errors."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from graphql import print_type

from adapter_host import (
    ArgumentError,
    NotFoundError,
    OperationError,
    RefusedError,
    Result,
    UnavailableError,
    UpstreamStatusError,
    UpstreamTimeoutError,
)

from .conftest import Serve, build_host, compiled

READ = [{"name": "read"}]


async def test_queries_run_concurrently(serve: Serve) -> None:
    both_entered = asyncio.Barrier(2)

    async def respond(_: Any) -> Any:
        await both_entered.wait()
        return 1

    async with serve([{"name": "one"}, {"name": "two"}]) as client:
        client.api.responses |= {"one": respond, "two": respond}
        assert (await client("{ one two }")).data == {"one": 1, "two": 1}


async def test_mutations_run_one_after_the_other(serve: Serve) -> None:
    running = 0

    async def respond(arguments: dict[str, Any]) -> Any:
        nonlocal running
        running += 1
        before = running
        await asyncio.sleep(0)
        running -= 1
        return before

    consumed = [{"name": name, "method": "POST"} for name in ("one", "two")]
    async with serve([{"name": "one"}, {"name": "two"}], consumed) as client:
        client.api.responses |= {"one": respond, "two": respond}
        assert (await client("mutation { one two again: one }")).data == {"one": 1, "two": 1, "again": 1}
        assert [name for name, _ in client.api.calls] == ["one", "two", "one"]


async def test_one_call_for_each_field_whatever_is_selected(serve: Serve) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}}
    consumed = [{"name": "read", "method": "GET", "outputParameters": [{"x-schema": schema}]}]
    async with serve(READ, consumed) as client:
        # A field that is not selected is not coerced, and so its type does not matter.
        client.api.responses["read"] = lambda _: {"a": 1, "b": "text"}
        response = await client("{ read { a x: a ... on ReadResult { a } } }")
        assert response.data == {"read": {"a": 1, "x": 1}}
        assert len(client.api.calls) == 1
        response = await client("{ read { a b } }")
        assert response.json["data"] == {"read": {"a": 1, "b": None}}
        assert response.errors == [
            {
                "message": "Long cannot represent 'text'",
                "locations": [{"line": 1, "column": 12}],
                "path": ["read", "b"],
                "extensions": {"code": "UPSTREAM_INVALID"},
            }
        ]


async def test_results_of_other_types(serve: Serve) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string"}}}}
    consumed = [{"name": "read", "method": "GET", "outputParameters": [{"x-schema": schema}]}]
    async with serve(READ, consumed) as client:
        results: list[tuple[Any, list[str]]] = [("text", ["read"]), ({"a": {"b": 1}}, ["read", "a"])]
        for value, path in results:
            client.api.responses["read"] = lambda _, result=value: result  # type: ignore[misc]
            response = await client("{ read { a } }")
            assert (response.codes, response.errors[0]["path"]) == (["UPSTREAM_INVALID"], path)
        client.api.responses["read"] = lambda _: None
        assert (await client("{ read { a } }")).data == {"read": None}


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Result(body=b"a,b", media_type="text/csv"), "a,b"),
        (Result(body=b"\xff", media_type="image/png"), "/w=="),
        (Result(body=b"", media_type="text/plain"), None),
        (Result(body=b'{"a":1}', media_type="application/problem+json"), {"a": 1}),
        (Result(status=204, body=b""), None),
    ],
)
async def test_results_of_other_media_types(serve: Serve, result: Result, expected: Any) -> None:
    async with serve(READ) as client:
        client.api.responses["read"] = lambda _: result
        assert (await client("{ read }")).data == {"read": expected}


@pytest.mark.parametrize(
    ("error", "extensions"),
    [
        (ArgumentError("id", "bad", pointer="/a"), {"code": "BAD_USER_INPUT", "parameter": "id", "pointer": "#/a"}),
        (
            ArgumentError.combine([ArgumentError("a", "bad"), ArgumentError("b", "worse")]),
            {
                "code": "BAD_USER_INPUT",
                "parameter": "a",
                "errors": [{"message": "bad", "parameter": "a"}, {"message": "worse", "parameter": "b"}],
            },
        ),
        (RefusedError("no"), {"code": "FORBIDDEN"}),
        (NotFoundError("nothing"), {"code": "NOT_FOUND"}),
        (UnavailableError("later", retry_after=3.0), {"code": "UNAVAILABLE", "retryAfter": 3.0}),
        (UpstreamTimeoutError("slow", sent=True), {"code": "UPSTREAM_TIMEOUT", "sent": True}),
        (
            UpstreamStatusError(404, b'{"why":"gone"}', "application/json"),
            {"code": "UPSTREAM_STATUS", "sent": True, "upstream": {"status": 404, "body": {"why": "gone"}}},
        ),
        (
            UpstreamStatusError(500, b"oh", "text/plain"),
            {"code": "UPSTREAM_STATUS", "sent": True, "upstream": {"status": 500, "body": "oh"}},
        ),
        (
            UpstreamStatusError(502, b"\xff", "image/png"),
            {"code": "UPSTREAM_STATUS", "sent": True, "upstream": {"status": 502}},
        ),
        (OperationError("odd"), {"code": "OPERATION_FAILED"}),
    ],
)
async def test_errors_of_operations(serve: Serve, error: OperationError, extensions: dict[str, Any]) -> None:
    def respond(_: Any) -> None:
        raise error

    async with serve([{"name": "read"}, {"name": "other"}]) as client:
        client.api.responses["read"] = respond
        response = await client("{ other a: read }")
    assert response.status == 200
    assert response.json["data"] == {"other": {}, "a": None}
    (found,) = response.errors
    assert (found["message"], found["path"], found["locations"]) == (error.message, ["a"], [{"line": 1, "column": 9}])
    assert found["extensions"].pop("requestId", "").isalnum() == (error.status >= 500)
    assert found["extensions"] == extensions


async def test_deep_results(serve: Serve) -> None:
    async with serve(READ) as client:
        body = b"[" * 300 + b"]" * 300
        client.api.responses["read"] = lambda _: Result(body=body, media_type="application/json")
        response = await client("{ read }")
    assert (response.status, response.codes) == (502, ["UPSTREAM_INVALID"])


async def test_errors_of_plugins_are_those_of_their_base(serve: Serve) -> None:
    class LockedError(RefusedError):
        status = 423

    def respond(_: Any) -> None:
        raise LockedError("locked")

    async with serve(READ) as client:
        client.api.responses["read"] = respond
        assert (await client("{ read }")).codes == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("query", "variables", "parameter", "code"),
    [
        ("{ read }", {}, "max-id", "GRAPHQL_VALIDATION_FAILED"),
        ("{ read(maxId: 1.5) }", {}, "max-id", "GRAPHQL_VALIDATION_FAILED"),
        ("{ read(maxId: 1, body: {count: true}) }", {}, "body", "GRAPHQL_VALIDATION_FAILED"),
        ("query ($i: Long!) { read(maxId: $i) }", {}, "max-id", "BAD_USER_INPUT"),
        ("query ($i: Long!) { read(maxId: $i) }", {"i": "x"}, "max-id", "BAD_USER_INPUT"),
        ("query ($c: Long) { read(maxId: 1, body: {count: $c}) }", {"c": 1.5}, "body", "BAD_USER_INPUT"),
        ("query ($i: String!) { read(maxId: $i) }", {}, "max-id", "GRAPHQL_VALIDATION_FAILED"),
        ("{ read(maxId: 11) }", {}, "max-id", "BAD_USER_INPUT"),
    ],
)
async def test_invalid_arguments_are_named(
    serve: Serve, query: str, variables: dict[str, Any], parameter: str, code: str
) -> None:
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}}
    inputs = [
        {"name": "max-id", "type": "integer", "required": True, "x-schema": {"maximum": 10}},
        {"name": "body", "x-schema": schema},
    ]
    async with serve(READ, [{"name": "read", "method": "GET", "inputParameters": inputs}]) as client:
        response = await client(query, variables=variables)
        assert client.api.calls == []
    extensions = response.errors[0]["extensions"]
    assert (extensions["code"], extensions["parameter"]) == (code, parameter)


async def test_inputs_with_any_name(serve: Serve) -> None:
    names = ("source", "info", "self", "_", "a-b", "aB", "7")
    inputs = [{"name": name, "type": "string"} for name in names]
    async with serve(READ, [{"name": "read", "method": "GET", "inputParameters": inputs}]) as client:
        query = '{ read(source: "1", info: "2", self: "3", _: "4", aB_2: "5", aB: "6", _7: "7") }'
        expected = dict(zip(names, "1234567", strict=True))
        assert (await client(query)).data == {"read": expected}


async def test_null_and_missing_arguments(serve: Serve) -> None:
    inputs = [{"name": "note", "x-schema": {"type": ["string", "null"]}}, {"name": "other", "type": "string"}]
    async with serve(READ, [{"name": "read", "method": "GET", "inputParameters": inputs}]) as client:
        assert (await client("{ read(note: null) }")).data == {"read": {"note": None}}
        assert (await client("query ($n: String) { read(note: $n) }")).data == {"read": {}}
        assert (await client("{ read(other: null) }")).data == {"read": {}}


async def test_any_json_as_an_argument(serve: Serve) -> None:
    inputs = [{"name": "body", "type": "object"}]
    async with serve(READ, [{"name": "read", "method": "GET", "inputParameters": inputs}]) as client:
        query = 'query ($x: JSON) { read(body: {a: [1, 2.5, true, null, "text", {b: $x}]}) }'
        expected = {"body": {"a": [1, 2.5, True, None, "text", {"b": {"c": 7}}]}}
        assert (await client(query, variables={"x": {"c": 7}})).data == {"read": expected}
        deep = "{ read(body: {a: " + "[" * 101 + "]" * 101 + "}) }"
        (error,) = (await client(deep)).errors
        assert error["message"] == "JSON must be nested at most 100 levels deep"


def test_binary_results_are_base64() -> None:
    document = {
        "naftiko": "1.0.0-alpha2",
        "capability": {
            "consumes": [
                {
                    "type": "http",
                    "namespace": "api",
                    "baseUri": "https://api.example.com",
                    "resources": [
                        {
                            "name": "photo",
                            "path": "/photo",
                            "operations": [{"name": "show", "method": "GET", "outputRawFormat": "binary"}],
                        }
                    ],
                }
            ],
            "exposes": [{"type": "graphql", "namespace": "front", "port": 0, "operations": [{"call": "api.show"}]}],
        },
    }
    query = compiled(build_host(document)).schema.query_type
    assert query is not None
    assert print_type(query) == "type Query {\n  show: Base64\n}"
