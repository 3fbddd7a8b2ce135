"""Cases where the reference engine deviates from the document, and this host does not."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiohttp import encode_basic_auth, web
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from adapter_host import Host, ProblemsError
from tests.support.rest_and_mcp import document, given, offering, operation, resource, tool


async def test_operations_of_one_name_are_distinct() -> None:
    consumed = [
        resource("/users", operation("get"), name="users"),
        resource("/groups", operation("get"), name="groups"),
    ]
    rest = [
        resource("/users", {"method": "GET", "call": "api.get"}),
        resource("/groups", {"method": "GET", "call": "api.get"}),
        resource("/by-name", {"method": "GET", "call": "api.groups.get"}),
    ]
    async with offering(*consumed, rest=rest) as offered:
        for path in ("/groups", "/users", "/by-name"):
            await offered.rest("GET", path)
        assert [seen.target for seen in offered.api.seen] == ["/groups", "/users", "/groups"]


async def test_placeholders_of_either_form_are_filled() -> None:
    consumed = resource("/things/{id}/{{part}}", operation())
    rest = [resource("/{id}/{{part}}", {"method": "GET", "call": "api.do"})]
    async with offering(consumed, rest=rest) as offered:
        await offered.rest("GET", "/7/a%20b")
        assert offered.api.last.target == "/things/7/a%20b"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({"type": "object", "mapping": "$."}, {"a": {"b": [{"c": {"d": "4"}}]}}),
        ({"type": "object", "mapping": "$.a", "properties": {"b": {"type": "array"}}}, {"b": [{"c": {"d": "4"}}]}),
        (
            {
                "type": "object",
                "properties": {
                    "list": {
                        "type": "array",
                        "mapping": "$.a.b",
                        "items": {
                            "type": "object",
                            "properties": {
                                "c": {
                                    "type": "object",
                                    "mapping": "$.c",
                                    "properties": {"d": {"type": "number", "mapping": "$.d"}},
                                }
                            },
                        },
                    }
                },
            },
            {"list": [{"c": {"d": 4}}]},
        ),
    ],
    ids=["whole", "mapped", "deep"],
)
async def test_outputs_are_mapped_at_every_depth(output: Any, expected: Any) -> None:
    rest = [resource("/a", {"method": "GET", "call": "api.do", "outputParameters": [output]})]
    tools = [tool(call="api.do", outputParameters=[output])]
    async with offering(resource("/a", operation()), rest=rest, tools=tools) as offered:
        offered.respond_with({"a": {"b": [{"c": {"d": "4"}}]}})
        assert (await offered.rest("GET", "/a")).data == expected
        assert (await offered.tool("do")).data == expected


async def test_inputs_of_every_location_and_level_are_sent() -> None:
    inputs = [given("field", "body"), given("crumb", "cookie"), given("id", "path", value="7")]
    consumed = resource(
        "/a/{id}", operation("do", "POST", inputParameters=inputs), inputParameters=[given("q", "query")]
    )
    async with offering(
        consumed,
        tools=[tool(call="api.do")],
        consumer={"inputParameters": [given("X-All", "header", value="1")]},
    ) as offered:
        await offered.tool("do", {"field": 1, "crumb": "c", "q": "x"})
        seen = offered.api.last
    assert (seen.target, seen.body) == ("/a/7?q=x", b'{"field":1}')
    assert (seen.headers["Cookie"], seen.headers["X-All"]) == ("crumb=c", "1")


@pytest.mark.parametrize(
    ("body", "sent", "media_type"),
    [
        ({"type": "text", "data": "<{{x}}>"}, b'<a"b&c>', "text/plain"),
        ({"type": "xml", "data": "<v>{{x}}</v>"}, b"<v>a&quot;b&amp;c</v>", "application/xml"),
        ({"type": "formUrlEncoded", "data": {"v": "{{x}}"}}, b"v=a%22b%26c", "application/x-www-form-urlencoded"),
        ({"type": "json", "data": '{"v": "{{x}}"}'}, b'{"v":"a\\"b&c"}', "application/json"),
        ('{"v": {{x}}}', b'{"v":"a\\"b&c"}', "application/json"),
    ],
    ids=["text", "xml", "form", "json as text", "text alone"],
)
async def test_bodies_have_their_declared_type(body: Any, sent: bytes, media_type: str) -> None:
    async with offering(resource("/a", operation("do", "POST", body=body)), tools=[tool(call="api.do")]) as offered:
        assert not (await offered.tool("do", {"x": 'a"b&c'})).failed
        seen = offered.api.last
    assert (seen.body, seen.headers["Content-Type"].partition(";")[0]) == (sent, media_type)


async def test_multipart_form_has_parts() -> None:
    parts = {"type": "multipartForm", "data": [{"name": "v", "value": "{{x}}", "filename": "a.txt"}]}
    async with offering(resource("/a", operation("do", "POST", body=parts)), tools=[tool(call="api.do")]) as offered:
        await offered.tool("do", {"x": "hello"})
        seen = offered.api.last
    assert seen.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert re.search(rb'name="v"; filename="a.txt".*\r\n\r\nhello\r\n', seen.body, re.DOTALL)


async def test_absent_field_is_not_sent() -> None:
    """A cookie is not read from the body either."""
    inputs = [given("a", "body", type="string"), given("b", "body", type="string"), given("c", "cookie")]
    rest = [resource("/a", {"method": "POST", "call": "api.do", "inputParameters": inputs})]
    async with offering(resource("/a", operation("do", "POST", inputParameters=inputs)), rest=rest) as offered:
        await offered.rest("POST", "/a", json={"a": "1"}, headers={"Cookie": "c=jar"})
        seen = offered.api.last
        assert (await offered.rest("POST", "/a", json={"a": "1", "c": "body"})).status == 400
    assert (seen.body, seen.headers["Cookie"]) == (b'{"a":"1"}', "c=jar")


async def test_binds_resolve_in_every_template(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("token: from-file\n")
    binds = [
        {"namespace": "file", "location": "file:///./secrets.yaml", "keys": {"TOKEN": "token"}},
        {"namespace": "env", "keys": {"PLACE": "PLACE"}},
    ]
    headers = [given("X-Token", "header", value="{{file.TOKEN}}"), given("X-Short", "header", value="{{TOKEN}}")]
    async with offering(
        resource("/{{env.PLACE}}", operation(inputParameters=headers)),
        tools=[tool(call="api.do")],
        binds=binds,
        folder=tmp_path,
        settings={"environment": {"PLACE": "here"}},
    ) as offered:
        await offered.tool("do")
        seen = offered.api.last
    assert (seen.target, seen.headers["X-Token"], seen.headers["X-Short"]) == ("/here", "from-file", "from-file")


async def test_passwords_and_headers_are_rendered() -> None:
    consumer = {
        "authentication": {"type": "basic", "username": "us", "password": "{{PASSWORD}}"},
        "inputParameters": [given("X-A", "header", value="{{PASSWORD}}"), given("X-B", "header", value="outer")],
    }
    async with offering(
        resource("/a", operation(inputParameters=[given("X-B", "header", value="inner")])),
        tools=[tool(call="api.do")],
        consumer=consumer,
        binds=[{"namespace": "env", "keys": {"PASSWORD": "PASSWORD"}}],
        settings={"environment": {"PASSWORD": "p:w"}},
    ) as offered:
        await offered.tool("do")
        seen = offered.api.last.headers
    assert seen["Authorization"] == encode_basic_auth("us", "p:w")
    assert (seen["X-A"], seen.getall("X-B")) == ("p:w", ["inner"])


@pytest.mark.parametrize("mode", ["call", "steps", "ref"])
async def test_upstream_error_is_passed_on(mode: str) -> None:
    """Clients get the upstream's status and body, regardless of output mappings."""
    shaped: Any = [{"name": "name", "type": "object", "properties": {"name": {"type": "string", "mapping": "$.name"}}}]
    steps = [{"type": "call", "name": "first", "call": "api.do"}]
    function = {"name": "fn", "description": "Does it", "call": "api.do", "outputParameters": shaped}
    unit: dict[str, Any] = {
        "call": {"call": "api.do", "outputParameters": shaped},
        "steps": {"steps": steps, "mappings": [{"targetName": "name", "value": "$.first.name"}], "name": "do"},
        "ref": {"ref": "all.fn"},
    }[mode]
    async with offering(
        resource("/a", operation()),
        rest=[resource("/a", {"method": "GET", **unit})],
        tools=[tool(**unit)],
        aggregates=[{"label": "All", "namespace": "all", "functions": [function]}],
    ) as offered:
        offered.respond_with({"error": "no such thing"}, status=404)
        response, result = await offered.rest("GET", "/a"), await offered.tool("do")
    assert (response.status, response.data) == (404, {"error": "no such thing"})
    assert result.failed
    assert "no such thing" in result.text


XML = "<list><item><id>1</id></item></list>"


async def test_formats_are_parsed_in_steps() -> None:
    steps = [{"type": "call", "name": "read", "call": "api.do"}]
    mappings = [{"targetName": "id", "value": "$.read.item.id"}]
    outputs = [{"type": "array", "mapping": "$.item", "items": {"type": "string", "mapping": "$.id"}}]
    async with offering(
        resource("/a", operation(outputRawFormat="xml")),
        tools=[tool("steps", steps=steps, mappings=mappings), tool("list", call="api.do", outputParameters=outputs)],
    ) as offered:
        offered.respond_with(XML, media_type="application/xml")
        assert (await offered.tool("steps")).data == {"id": "1"}
        assert (await offered.tool("list")).data == ["1"]


async def test_steps_use_lookups_and_nulls() -> None:
    steps = [
        {"type": "call", "name": "list", "call": "api.list"},
        {"type": "lookup", "name": "found", "index": "list", "match": "id", "lookupValue": "{{id}}",
         "outputParameters": ["code", "none"]},
        {"type": "call", "name": "read", "call": "api.read", "with": {"code": "{{found.code}}"}},
    ]  # fmt: skip
    mappings = [
        {"targetName": "first", "value": "$.list[0].id"},
        {"targetName": "none", "value": "$.found.none"},
        {"targetName": "all.codes", "value": "$.list[*].code"},
    ]
    consumed = [resource("/list", operation("list")), resource("/read/{code}", operation("read"))]
    given_id = [given("id", type="string", description="Which")]
    async with offering(*consumed, tools=[tool(steps=steps, mappings=mappings, inputParameters=given_id)]) as offered:
        offered.respond_with([{"id": "1", "code": "A"}, {"id": "2", "code": "B/C", "none": None}])
        result = await offered.tool("do", {"id": "2"})
        assert result.data == {"first": "1", "all": {"codes": ["A", "B/C"]}}
        assert offered.api.last.target == "/read/B%2FC"


async def test_base_and_path_are_joined_by_one_slash() -> None:
    async with offering(resource("things", operation()), below="/v1", tools=[tool(call="api.do")]) as offered:
        await offered.tool("do")
        assert offered.api.last.target == "/v1/things"


@pytest.mark.parametrize("value", ["rest.x", "tools.x", "$this.agent.x", "agent.x", "{{x}}", "x"])
async def test_with_accepts_every_reference_form(value: str) -> None:
    inputs = [given("x", type="string", description="It")]
    unit = {**tool(call="api.do", inputParameters=inputs), "with": {"x": value}}
    async with offering(resource("/a", operation(inputParameters=[given("x", "query")])), tools=[unit]) as offered:
        await offered.tool("do", {"x": "given"})
        assert offered.api.last.target == "/a?x=given"


async def test_head_options_and_405() -> None:
    async with offering(
        resource("/a", operation()), rest=[resource("/a", {"method": "GET", "call": "api.do"})]
    ) as offered:
        head, options = await offered.rest("HEAD", "/a"), await offered.rest("OPTIONS", "/a")
        other = await offered.rest("DELETE", "/a")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", "12")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert (other.status, other.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


async def test_two_protocols_share_a_function() -> None:
    function = {
        "name": "fn",
        "description": "Does it",
        "inputParameters": [given("x", type="string", description="It")],
        "call": "api.do",
        "with": {"x": "all.x"},
    }
    rest = [resource("/{x}", {"method": "GET", "ref": "all.fn", "with": {"x": "site.x"}})]
    async with offering(
        resource("/a", operation(inputParameters=[given("x", "query")])),
        rest=rest,
        tools=[{**tool(ref="all.fn"), "with": {"x": "agent.x"}}],
        aggregates=[{"label": "All", "namespace": "all", "functions": [function]}],
    ) as offered:
        calls = [offered.rest("GET", f"/r{n}") for n in range(20)]
        await asyncio.gather(*calls, *(offered.tool("do", {"x": f"t{n}"}) for n in range(5)))
        asked = {seen.target for seen in offered.api.seen}
    assert asked == {f"/a?x=r{n}" for n in range(20)} | {f"/a?x=t{n}" for n in range(5)}


def test_unknown_call_is_an_error() -> None:
    mocked = [{"name": "x", "type": "string", "value": "made up"}]
    rest = [resource("/a", {"method": "GET", "call": "api.nothing", "outputParameters": mocked})]
    with pytest.raises(ProblemsError, match=r"unknown operation 'api\.nothing'"):
        Host(document("http://127.0.0.1:1", [resource("/a", operation())], rest=rest))


async def test_constant_outputs_have_their_type() -> None:
    outputs = [
        {"name": "count", "type": "number", "value": "{{n}}"},
        {"name": "on", "type": "boolean", "value": "true"},
        {"name": "text", "type": "string", "value": "{{n}}"},
    ]
    inputs = [given("n", type="integer", description="It")]
    async with offering(tools=[tool(inputParameters=inputs, outputParameters=outputs)]) as offered:
        assert (await offered.tool("do", {"n": 3})).data == {"count": 3, "on": True, "text": "3"}


@pytest.mark.parametrize(
    ("sent", "parameter"),
    [({"n": "x"}, "n"), ({"n": "1", "code": "abc"}, "code"), ({"code": "AB"}, "n")],
    ids=["type", "pattern", "required"],
)
async def test_inputs_are_validated_before_the_call(sent: dict[str, str], parameter: str) -> None:
    inputs = [
        given("n", "query", type="integer", required=True),
        given("code", "query", type="string", pattern="^[A-Z]+$"),
    ]
    rest = [resource("/a", {"method": "GET", "call": "api.do", "inputParameters": inputs})]
    async with offering(resource("/a", operation(inputParameters=inputs)), rest=rest) as offered:
        response = await offered.rest("GET", "/a?" + "&".join(f"{name}={value}" for name, value in sent.items()))
        assert (response.status, response.data["parameter"], offered.api.seen) == (400, parameter, [])


async def test_empty_response_is_an_empty_result() -> None:
    consumed = resource("/a", operation("do", "DELETE"))
    rest = [resource("/a", operation("do", "DELETE", call="api.do"))]
    async with offering(consumed, rest=rest, tools=[tool(call="api.do")]) as offered:

        async def reply(_: web.Request) -> web.Response:
            return web.Response(status=204)

        offered.api.reply = reply
        response = await offered.rest("DELETE", "/a")
        async with (
            httpx2.AsyncClient() as http_client,
            Client(streamable_http_client(offered.served.url("agent"), http_client=http_client)) as client,
        ):
            result = await client.call_tool("do", {})
    assert (response.status, response.body) == (204, b"")
    assert (result.is_error, result.content) == (False, [])


def test_call_and_steps_exclude_each_other() -> None:
    steps = [{"type": "call", "name": "one", "call": "api.do"}]
    both = {"method": "GET", "name": "do", "call": "api.do", "steps": steps}
    with pytest.raises(ProblemsError) as caught:
        Host(document("http://127.0.0.1:9", [resource("/a", operation("do"))], rest=[resource("/a", both)]))
    assert [problem.code for problem in caught.value.problems] == ["modes"]


async def test_text_that_is_too_long_is_rejected() -> None:
    consumed = resource("/a", operation(inputParameters=[given("name", "query", type="string", maxLength=3)]))
    rest = [resource("/a", operation(call="api.do"))]
    async with offering(consumed, rest=rest, tools=[tool(call="api.do")]) as offered:
        response = await offered.rest("GET", "/a?name=Anna")
        result = await offered.tool("do", {"name": "Anna"})
        assert offered.api.seen == []
    assert (response.status, response.data["parameter"]) == (400, "name")
    assert result.failed
    assert "at most 3 characters long (given 4)" in response.data["detail"]
    assert "at most 3 characters long (given 4)" in result.text
