"""Calls of operations with an `x-schema`: definitions, and calls that are refused before the API is called."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from tests.support.rest_and_mcp import Offered, given, offering, operation, resource, tool

SCHEMAS = {
    "Line": {
        "type": "object",
        "properties": {
            "sku": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "quantity": {"type": "integer", "minimum": 1, "maximum": 10},
        },
        "required": ["sku", "quantity"],
        "additionalProperties": False,
    },
    "Order": {
        "type": "object",
        "properties": {
            "id": {"type": "integer", "readOnly": True},
            "customer": {"type": "string", "minLength": 1},
            "lines": {"type": "array", "items": {"$ref": "#/x-schemas/Line"}, "minItems": 1},
            "gift": {"type": "boolean"},
            "note": {"type": ["string", "null"]},
        },
        "required": ["id", "customer", "lines"],
    },
    "Receipt": {
        "type": "object",
        "properties": {"total": {"type": "number"}, "secret": {"type": "string", "writeOnly": True}},
        "required": ["total", "secret"],
    },
}
ORDER = {"$ref": "#/x-schemas/Order"}
RECEIPT = {"mapping": "$.", "type": "object", "x-schema": {"$ref": "#/x-schemas/Receipt"}}
CREATE = resource(
    "/orders",
    operation("create", "POST", inputParameters=[given("body", "body", required=True, **{"x-schema": ORDER})]),
    operation(
        "find",
        "GET",
        inputParameters=[
            given("page", "query", **{"x-schema": {"type": "integer", "minimum": 1}}),
            given("sizes", "query", **{"x-schema": {"type": "array", "items": {"type": "integer", "maximum": 50}}}),
            given("state", "query", type="string", values=["open", "done"]),
        ],
    ),
)
REST = [
    resource(
        "/orders",
        {"method": "POST", "call": "api.create", "outputParameters": [RECEIPT]},
        {"method": "GET", "call": "api.find"},
    )
]
TOOLS = [
    tool("create", call="api.create", outputParameters=[RECEIPT]),
    tool("find", call="api.find"),
]
GOOD: dict[str, Any] = {"customer": "Ada", "lines": [{"sku": "ABC", "quantity": 1}]}


@asynccontextmanager
async def shop(tool_keys: dict[str, Any] | None = None) -> AsyncIterator[Offered]:
    """Serve the shop; `tool_keys` are keys of both exposers."""
    async with offering(CREATE, rest=REST, tools=TOOLS, schemas=SCHEMAS, exposer=tool_keys) as offered:
        offered.respond_with({"total": 3})
        yield offered


async def test_callers_see_the_schema() -> None:
    async with shop() as offered:
        tools = await offered.tools()
        openapi = orjson.loads((await offered.rest("GET", "/openapi.json")).body)
        page = (await offered.rest("GET", "/docs/read")).body.decode()
    body = tools["create"]["inputSchema"]["properties"]["body"]
    assert set(body["properties"]) == {"customer", "lines", "gift", "note"}
    assert body["required"] == ["customer", "lines"]
    assert tools["create"]["outputSchema"]["required"] == ["total"]
    assert "secret" not in orjson.dumps(tools["create"]["outputSchema"]).decode()
    assert tools["find"]["inputSchema"]["properties"]["page"] == {"type": "integer", "minimum": 1}
    created = openapi["paths"]["/orders"]["post"]
    shown = created["requestBody"]["content"]["application/json"]["schema"]
    assert shown["properties"]["lines"]["items"] == {"$ref": "#/components/schemas/Line"}
    assert openapi["components"]["schemas"]["Line"] == SCHEMAS["Line"]
    received = created["responses"]["2XX"]["content"]["application/json"]["schema"]
    assert received["properties"] == {"total": {"type": "number"}}
    page_parameters = {each["name"]: each for each in openapi["paths"]["/orders"]["get"]["parameters"]}
    assert page_parameters["sizes"]["schema"]["items"] == {"type": "integer", "maximum": 50}
    assert "<summary>Line</summary>" in page


WRONG = [
    ({**GOOD, "lines": [GOOD["lines"][0]] * 2 + [{"sku": "ABC", "quantity": 12}]},
     "body.lines[2].quantity must be at most 10 (given 12)", "#/lines/2/quantity"),
    ({**GOOD, "lines": []}, "body.lines must have at least 1 element (given 0)", "#/lines"),
    ({**GOOD, "lines": [{"sku": "ABC"}]}, "body.lines[0].quantity is required", "#/lines/0/quantity"),
    ({**GOOD, "lines": [{"sku": "ABC", "quantity": 1, "color": 1}]},
     "body.lines[0].color is unknown", "#/lines/0/color"),
    ({**GOOD, "lines": [{"sku": "ABC", "quantity": 1, "skus": 1}]},
     "body.lines[0].skus is unknown; did you mean 'sku'?", "#/lines/0/skus"),
    ({**GOOD, "lines": [{"sku": "abc", "quantity": 1}]},
     "body.lines[0].sku must match the pattern ^[A-Z]{3}$", "#/lines/0/sku"),
    ({**GOOD, "gift": [1]}, "body.gift must be true or false (given an array)", "#/gift"),
    ({"lines": GOOD["lines"]}, "body.customer is required", "#/customer"),
    ([], "'body' must be an object (given an array)", None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message", "pointer"), WRONG, ids=[each[1] for each in WRONG])
async def test_wrong_body_is_refused_with_its_place(body: Any, message: str, pointer: str | None) -> None:
    async with shop() as offered:
        response = await offered.rest("POST", "/orders", json=body)
        result = await offered.tool("create", {"body": body})
        assert offered.api.seen == []
    problem = orjson.loads(response.body)
    assert response.status == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (problem["detail"], problem["parameter"], problem.get("pointer")) == (message, "body", pointer)
    assert (result.failed, result.text) == (True, message)


async def test_all_mistakes_of_a_call_are_named() -> None:
    body = {"lines": [{"sku": "ABC", "quantity": number} for number in range(11, 30)]}
    async with shop() as offered:
        problem = orjson.loads((await offered.rest("POST", "/orders", json=body)).body)
        several = orjson.loads((await offered.rest("GET", "/orders?page=0&state=late&sizes=51&sizes=1")).body)
    assert len(problem["errors"]) == 10
    assert problem["detail"] == "\n".join(each["detail"] for each in problem["errors"])
    assert several["errors"] == [
        {"detail": "'page' must be at least 1 (given 0)", "parameter": "page", "pointer": "#"},
        {"detail": "sizes[0] must be at most 50 (given 51)", "parameter": "sizes", "pointer": "#/0"},
        {"detail": '\'state\' must be one of "open", "done" (given "late")', "parameter": "state"},
    ]


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        {**GOOD, "id": 7},
        {**GOOD, "note": None, "gift": True, "more": {"any": [1]}},
        {**GOOD, "lines": [{"sku": "ABC", "quantity": 10.0}] * 5},
    ],
)
async def test_right_body_is_sent_as_it_is(body: dict[str, Any]) -> None:
    async with shop() as offered:
        assert (await offered.rest("POST", "/orders", json=body)).status == 200
        assert not (await offered.tool("create", {"body": body})).failed
        assert [orjson.loads(seen.body) for seen in offered.api.seen] == [body, body]


async def test_query_of_texts_is_read_as_the_schema_says() -> None:
    async with shop() as offered:
        assert (await offered.rest("GET", "/orders?page=2&sizes=1&sizes=50&state=open")).status == 200
        assert (await offered.rest("GET", "/orders?sizes=7")).status == 200
        assert [seen.target.partition("?")[2] for seen in offered.api.seen] == [
            "page=2&sizes=1&sizes=50&state=open",
            "sizes=7",
        ]


MEANT = [
    ({"body": orjson.dumps(GOOD).decode()}, GOOD),
    ({"body": {**GOOD, "lines": orjson.dumps(GOOD["lines"]).decode()}}, GOOD),
    ({"body": {**GOOD, "lines": [{"sku": "ABC", "quantity": "3"}]}},
     {**GOOD, "lines": [{"sku": "ABC", "quantity": 3}]}),
    ({"body": {**GOOD, "gift": "true"}}, {**GOOD, "gift": True}),
    ({"body": {**GOOD, "note": "null"}}, {**GOOD, "note": "null"}),
    ({"body": {**GOOD, "customer": "12"}}, {**GOOD, "customer": "12"}),
    ({"body": {**GOOD, "customer": '{"a": 1}'}}, {**GOOD, "customer": '{"a": 1}'}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "meant"), MEANT)
async def test_texts_of_models_are_taken_for_what_they_mean(arguments: dict[str, Any], meant: dict[str, Any]) -> None:
    async with shop() as offered:
        result = await offered.tool("create", arguments)
        assert not result.failed, result.text
        assert orjson.loads(offered.api.seen[0].body) == meant


async def test_texts_of_models_for_declared_types() -> None:
    inputs = [
        given("count", "query", type="integer"),
        given("ratio", "query", type="number"),
        given("deep", "query", type="boolean"),
        given("ids", "query", type="array"),
    ]
    consumed = resource("/all", operation("all", inputParameters=inputs))
    sent = {"count": "3", "ratio": "0.5", "deep": "true", "ids": "[1, 2]"}
    async with offering(consumed, tools=[tool("all", call="api.all")]) as offered:
        assert not (await offered.tool("all", sent)).failed
        assert offered.api.seen[0].target.partition("?")[2] == "count=3&ratio=0.5&deep=true&ids=1&ids=2"
        wrong = await offered.tool("all", {"count": "three", "deep": "yes"})
        assert wrong.text.splitlines() == [
            "'count' must be an integer (given \"three\")",
            "'deep' must be true or false (given \"yes\")",
        ]


async def test_conversion_of_texts_can_be_off() -> None:
    tools = [tool("create", call="api.create")]
    async with offering(CREATE, tools=tools, schemas=SCHEMAS, exposer={"x-convert-texts": False}) as offered:
        result = await offered.tool("create", {"body": {**GOOD, "gift": "true"}})
        assert (result.failed, result.text) == (True, 'body.gift must be true or false (given "true")')
        assert offered.api.seen == []


async def test_rest_does_not_convert_texts_in_bodies() -> None:
    async with shop() as offered:
        response = await offered.rest("POST", "/orders", json={**GOOD, "gift": "true"})
        assert response.status == 400


async def test_result_that_breaks_its_schema_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    broken = {"total": "three", "more": 1}
    async with shop() as offered:
        offered.respond_with(broken)
        with caplog.at_level(logging.WARNING):
            response = await offered.rest("POST", "/orders", json=GOOD)
            assert (response.status, orjson.loads(response.body)) == (200, broken)
            over_rest = [record.getMessage() for record in caplog.records]
            async with offered.client() as client:
                # The official client checks it too.
                with pytest.raises(RuntimeError, match="schema"):
                    await client.call_tool("create", {"body": GOOD})
    message = "the result breaks its schema: total must be a number"
    assert [text.partition(": ")[2] for text in over_rest] == [message]
    assert len(caplog.records) == 2


async def test_results_as_text_or_structured_content() -> None:
    for results, content, structured in (("text", 1, None), ("structured", 0, {"total": 3}), ("both", 1, {"total": 3})):
        tools = [tool("create", call="api.create", outputParameters=[RECEIPT])]
        async with offering(CREATE, tools=tools, schemas=SCHEMAS, exposer={"x-results": results}) as offered:
            offered.respond_with({"total": 3})
            assert ("outputSchema" in (await offered.tools())["create"]) is (results != "text")
            async with offered.client() as client:
                result = await client.call_tool("create", {"body": GOOD})
            assert (len(result.content), result.structured_content) == (content, structured)


async def test_exposed_input_takes_the_schema_of_the_consumed_one_unless_it_has_its_own() -> None:
    own = given("body", "body", **{"x-schema": {"type": "object", "required": ["customer"]}})
    tools = [
        tool("whole", call="api.create", inputParameters=[given("body", "body", description="The order")]),
        tool("own", call="api.create", inputParameters=[own]),
    ]
    async with offering(CREATE, tools=tools, schemas=SCHEMAS, exposer={"x-schema-profile": "full"}) as offered:
        listed = await offered.tools()
        assert (await offered.tool("whole", {"body": {}})).text.splitlines() == [
            "body.customer is required",
            "body.lines is required",
        ]
        assert (await offered.tool("own", {"body": {}})).text == "body.customer is required"
        assert not (await offered.tool("own", {"body": {"customer": "Ada"}})).failed
    assert listed["whole"]["inputSchema"]["properties"]["body"]["description"] == "The order"
    assert listed["own"]["inputSchema"]["properties"]["body"] == own["x-schema"]


async def test_null_is_a_value_where_the_schema_allows_it() -> None:
    inputs = [
        given("note", "body", **{"x-schema": {"type": ["string", "null"], "maxLength": 3}}),
        given("size", "body", **{"x-schema": {"type": "integer"}}),
        given("any", "body", **{"x-schema": {"anyOf": [{"type": "object"}, {"type": "null"}]}}),
    ]
    consumed = resource("/all", operation("all", "POST", inputParameters=inputs))
    async with offering(consumed, tools=[tool("all", call="api.all")], exposer={"x-schema-profile": "full"}) as offered:
        listed = (await offered.tools())["all"]["inputSchema"]["properties"]
        assert listed["note"] == {"type": ["string", "null"], "maxLength": 3}
        assert listed["any"] == {"anyOf": [{"type": "object"}, {"type": "null"}]}
        assert not (await offered.tool("all", {"note": None, "size": None, "any": None})).failed
        assert orjson.loads(offered.api.seen[0].body) == {"note": None, "any": None}
        assert (await offered.tool("all", {"note": "long"})).text == "'note' must have at most 3 characters (given 4)"
