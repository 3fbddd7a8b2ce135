"""Inputs whose name, media type or encoding in a request is declared, and the cases that documents leave open."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host import Host, ProblemsError, Settings
from tests.support.rest_and_mcp import Data, document, given, offering, operation, resource, tool


def served(*inputs: Data, path: str = "/q", **keys: Any) -> Any:
    """Serve an operation with these inputs at its own path, and as a tool."""
    declared = operation(inputParameters=list(inputs), **keys)
    route = resource(path, {"method": declared["method"], "call": "api.do"})
    return offering(resource(path, declared), rest=[route], tools=[tool(call="api.do")])


async def sent_for(inputs: list[Data], arguments: Data, **keys: Any) -> Any:
    """Return the request that the API receives for the arguments of a tool."""
    async with served(*inputs, **keys) as host:
        result = await host.tool("do", arguments)
        assert not result.failed, result.text
        return host.api.last


DEEP = given("deep", "query", type="object", **{"x-style": "deepObject"})


async def test_deep_objects_nest() -> None:
    value = {"role": "x&y", "in": {"a": [1, {"b": True}]}, "none": None}
    target = "/q?deep%5Brole%5D=x%26y&deep%5Bin%5D%5Ba%5D%5B0%5D=1&deep%5Bin%5D%5Ba%5D%5B1%5D%5Bb%5D=true"
    assert (await sent_for([DEEP], {"deep": value})).target == target


@pytest.mark.parametrize(
    ("query", "sent"),
    [
        ("deep[role]=x", "deep%5Brole%5D=x"),
        ("deep%5Brole%5D=x%26y", "deep%5Brole%5D=x%26y"),
        ("deep[ids][]=1&deep[ids][]=2", "deep%5Bids%5D%5B0%5D=1&deep%5Bids%5D%5B1%5D=2"),
        ("deep[ids][0]=1&deep[ids][1]=2", "deep%5Bids%5D%5B0%5D=1&deep%5Bids%5D%5B1%5D=2"),
        ("deep=%7B%22role%22:%22x%22%7D", "deep%5Brole%5D=x"),
        ("other[role]=x", ""),
        ("deep[a]=1&deep[a][b]=2", "deep%5Ba%5D=1"),
    ],
)
async def test_deep_objects_over_rest(query: str, sent: str) -> None:
    async with served(DEEP) as host:
        response = await host.rest("GET", f"/q?{query}")
        assert response.status == 200, response.body
        assert host.api.last.target == f"/q{'?' if sent else ''}{sent}"


async def test_delimiters_in_values_are_encoded() -> None:
    inputs = [
        given("csv", "query", type="array", **{"x-explode": False}),
        given("pipe", "query", type="array", **{"x-style": "pipeDelimited"}),
        given("space", "query", type="array", **{"x-style": "spaceDelimited"}),
    ]
    async with served(*inputs) as host:
        result = await host.tool("do", {"csv": ["a,b", "c&d"], "pipe": ["a|b", "c"], "space": ["a", "b"]})
        assert not result.failed, result.text
        target = "/q?csv=a%2Cb,c%26d&pipe=a%7Cb%7Cc&space=a%20b"
        assert host.api.last.target == target
        # The same request over REST: a comma that is encoded belongs to an element.
        assert (await host.rest("GET", "/q?csv=a%2Cb,c%26d&pipe=x|y&space=a+b")).status == 200
        assert host.api.last.target == "/q?csv=a%2Cb,c%26d&pipe=x%7Cy&space=a%20b"


async def test_nothing_is_sent_for_null_and_empty_values() -> None:
    styles = [("a", "form", False), ("b", "form", True), ("c", "pipeDelimited", False)]
    inputs = [given(name, "query", type="array", **{"x-style": s, "x-explode": e}) for name, s, e in styles]
    assert (await sent_for([*inputs, DEEP], {"a": [], "b": [], "c": [], "deep": {}})).target == "/q"
    assert (await sent_for([*inputs, DEEP], {"a": [None], "b": None})).target == "/q"


async def test_an_exploded_object_has_no_property_with_the_name_of_another_input() -> None:
    inputs = [
        given("filter", "query", type="object", **{"x-explode": True}),
        given("tenant", "query", value="mine"),
        given("page", "query", type="integer"),
    ]
    async with served(*inputs) as host:
        result = await host.tool("do", {"filter": {"color": "red", "size": 3}, "page": 2})
        assert not result.failed, result.text
        assert host.api.last.target == "/q?color=red&size=3&tenant=mine&page=2"
        assert (await host.rest("GET", "/q?color=red&page=2")).status == 200
        assert host.api.last.target == "/q?color=red&tenant=mine&page=2"
        seen = len(host.api.seen)
        result = await host.tool("do", {"filter": {"tenant": "other"}})
        message = "'filter' must not have the property 'tenant', which is another part of the request"
        assert (result.failed, result.text) == (True, message)
        assert len(host.api.seen) == seen


async def test_allow_reserved() -> None:
    inputs = [given("path", "query", **{"x-allow-reserved": True}), given("plain", "query")]
    value = "/a:b@c?d=!$'()*,;[x]#e&f+g%2Fh%zz é"
    request = await sent_for(inputs, {"path": value, "plain": "/a"})
    assert request.target == "/q?path=/a:b@c?d=!$'()*,;%5Bx%5D%23e%26f%2Bg%2Fh%25zz%20%C3%A9&plain=%2Fa"


async def test_content_type_of_a_parameter() -> None:
    keys = {"x-content-type": "application/json"}
    inputs = [
        given("filter", "query", type="object", **keys),
        given("word", "query", type="string", **keys),
        given("X-Filter", "header", type="array", **keys),
    ]
    async with served(*inputs) as host:
        result = await host.tool("do", {"filter": {"a": [1]}, "word": "w", "X-Filter": ["a", "b"]})
        assert not result.failed, result.text
        target = "/q?filter=%7B%22a%22%3A%5B1%5D%7D&word=%22w%22"
        assert (host.api.last.target, host.api.last.headers["X-Filter"]) == (target, '["a","b"]')
        response = await host.rest("GET", target, headers={"X-Filter": '["a", "b"]'})
        assert response.status == 200, response.body
        assert (host.api.last.target, host.api.last.headers["X-Filter"]) == (target, '["a","b"]')
        response = await host.rest("GET", "/q?filter=%7B")
        assert (response.status, response.data["parameter"]) == (400, "filter")


async def test_two_inputs_of_one_name() -> None:
    inputs = [
        given("id", "path"),
        given("id-query", "query", type="integer", **{"x-name": "id"}),
        given("id-header", "header", **{"x-name": "id"}),
        given("filter-x", "query", **{"x-name": "filter[x]"}),
    ]
    async with served(*inputs, path="/same/{id}") as host:
        result = await host.tool("do", {"id": "1", "id-query": 2, "id-header": "3", "filter-x": "4"})
        assert not result.failed, result.text
        assert (host.api.last.target, host.api.last.headers["id"]) == ("/same/1?id=2&filter%5Bx%5D=4", "3")
        response = await host.rest("GET", "/same/1?id=2&filter[x]=4", headers={"id": "3"})
        assert response.status == 200, response.body
        assert (host.api.last.target, host.api.last.headers["id"]) == ("/same/1?id=2&filter%5Bx%5D=4", "3")


async def test_names_in_paths_and_bodies() -> None:
    inputs = [given("the-id", "path", **{"x-name": "id$"}), given("the-note", "body", **{"x-name": "@note"})]
    async with served(*inputs, path="/same/{id$}", method="POST") as host:
        result = await host.tool("do", {"the-id": "1", "the-note": "n"})
        assert not result.failed, result.text
        assert (host.api.last.target, host.api.last.body) == ("/same/1", b'{"@note":"n"}')
        for body in ({"@note": "n"}, {"the-note": "n"}):
            assert (await host.rest("POST", "/same/1", json=body)).status == 200
            assert (host.api.last.target, host.api.last.body) == ("/same/1", b'{"@note":"n"}')


async def test_accept() -> None:
    request = await sent_for([], {}, **{"x-accept": "application/hal+json"})
    assert request.headers.getall("Accept") == ["application/hal+json"]


PROSE = "Which tags. Comma-separated."


@pytest.mark.parametrize(
    ("description", "keys", "sent", "warned"),
    [
        pytest.param(PROSE, {}, "tags=x%2Cy", True, id="prose"),
        pytest.param(PROSE, {"x-explode": False}, "tags=x,y", False, id="prose and key"),
        pytest.param("pass a list, not a comma-separated text", {"x-explode": True}, "tags=x&tags=y", False, id="key"),
        pytest.param("The tags to look for", {"x-explode": False}, "tags=x,y", False, id="key without prose"),
        pytest.param("The tags to look for", {}, "tags=x&tags=y", False, id="neither"),
    ],
)
async def test_keys_decide_and_not_descriptions(description: str, keys: Data, sent: str, warned: bool) -> None:
    declared = given("tags", "query", type="array", description=description, **keys)
    async with served(declared) as host:
        result = await host.tool("do", {"tags": ["x", "y"]})
        assert not result.failed, result.text
        assert host.api.last.target == f"/q?{sent}"
        warnings = [str(warning) for warning in host.served.host.warnings if warning.code == "prose-style"]
        assert [text.endswith("add x-explode: false") for text in warnings] == [True] * warned
        parameter = (await host.rest("GET", "/openapi.json")).data["paths"]["/q"]["get"]["parameters"][0]
        explode = keys.get("x-explode", False if warned else None)
        assert (parameter.get("style"), parameter.get("explode")) == ("form" if explode is not None else None, explode)


def problems_of(*inputs: Data, body: Data | None = None) -> list[str]:
    """Return the problems and warnings of a document with these inputs."""
    declared = {**operation(method="POST", inputParameters=list(inputs)), **({"body": body} if body else {})}
    data = document("http://api.test", [resource("/q/{p}", declared)], tools=[tool(call="api.do")])
    try:
        return [problem.message for problem in Host(data, settings=Settings(environment={})).warnings]
    except ProblemsError as error:
        return [problem.message for problem in error.problems]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            given("q", "query", **{"x-style": "label"}),
            "the style 'label' is not allowed for an input in: query; use form",
        ),
        (
            given("p", "path", **{"x-style": "form"}),
            "is not allowed for an input in: path; use simple or label or matrix",
        ),
        (given("h", "header", **{"x-style": "form"}), "is not allowed for an input in: header; use simple"),
        (
            given("c", "cookie", **{"x-style": "deepObject"}),
            "is not allowed for an input in: cookie; use form or cookie",
        ),
        (given("q", "query", **{"x-style": "pipes"}), "'pipeDelimited'"),
        (
            given("q", "query", **{"x-style": "deepObject", "x-explode": False}),
            "always exploded; remove 'explode: false'",
        ),
        (given("q", "query", type="string", **{"x-style": "pipeDelimited"}), "has no effect on the type string"),
        (
            given("h", "header", **{"x-allow-reserved": True}),
            "'x-allow-reserved' is not allowed for an input in: header",
        ),
        (
            given("q", "query", **{"x-content-type": "application/json", "x-style": "form"}),
            "'x-content-type' and 'x-style' are mutually exclusive",
        ),
        (given("q", "query", **{"x-content-type": "json"}), "invalid media type"),
        (
            given("b", "body", **{"x-style": "form"}),
            "for an input in: body; remove it, or use 'x-encoding' of the body",
        ),
        (given("h", "header", **{"x-name": "a b"}), "'a b' is not a valid header name"),
    ],
)
def test_invalid_keys_are_reported(declared: Data, message: str) -> None:
    found = problems_of(declared)
    assert any(message in each for each in found), found


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ({"tag": {"explode": False}}, "the body has no field 'tag'; did you mean 'tags'?"),
        ({"tags": {"style": "simple"}}, "the style 'simple' is not allowed in a form; use form or"),
        ({"tags": {"style": "deepObject", "explode": False}}, "always exploded"),
        ({"tags": {"style": "form", "contentType": "text/plain"}}, "'contentType' is ignored with a style"),
        ({"tags": {"contentType": "plain"}}, "invalid media type"),
        ({"tags": {"headers": {"a b": "x"}}}, "'a b' is not a header that a part can have"),
        ({"tags": {"headers": {"Content-Type": "x/y"}}}, "or use 'contentType'"),
    ],
)
def test_invalid_encodings_are_reported(encoding: Data, message: str) -> None:
    body = {"type": "formUrlEncoded", "data": {"tags": "{{tags}}"}, "x-encoding": encoding}
    found = problems_of(given("tags", "body", type="array"), body=body)
    assert any(message in each for each in found), found


async def test_texts_of_requests_have_the_types_of_the_schema() -> None:
    properties = {"ids": {"type": "array", "items": {"type": "integer"}}, "on": {"type": "boolean"}}
    inputs = [
        given("deep", "query", **{"x-style": "deepObject", "x-schema": {"type": "object", "properties": properties}}),
        given(
            "flat",
            "query",
            **{"x-explode": True, "x-schema": {"type": "object", "properties": {"n": {"type": "number"}}}},
        ),
        given("ids", "query", **{"x-schema": {"type": "array", "items": {"type": "integer"}}}),
    ]
    async with served(*inputs) as host:
        query = "deep[ids][]=1&deep[on]=true&n=1.5&other=x&ids=1&ids=2"
        response = await host.rest("GET", f"/q?{query}")
        assert response.status == 200, response.body
        assert host.api.last.target == "/q?deep%5Bids%5D%5B0%5D=1&deep%5Bon%5D=true&n=1.5&ids=1&ids=2"
        seen = len(host.api.seen)
        response = await host.rest("GET", "/q?deep[ids][]=x")
        assert (response.status, response.data["parameter"]) == (400, "deep")
        assert "deep.ids[0]" in response.data["detail"]
        assert len(host.api.seen) == seen
