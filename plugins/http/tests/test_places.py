"""Where arguments go in a request, and that they stay there."""

from __future__ import annotations

from typing import Any

import pytest

from adapter_host import ArgumentError, Input


def given(name: str, place: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, **more}


async def test_path_and_base_are_joined_with_one_slash(start: Any, api: Any) -> None:
    for base, path, target in (
        ("", "/things", "/things"),
        ("/", "things", "/things"),
        ("/v1/", "//things/", "/v1/things/"),
        ("/v1", "", "/v1"),
        ("", "/", "/"),
    ):
        call = await start(path=path, baseUri=api.url + base)
        await call()
        assert api.last.target == target


async def test_every_place(start: Any, api: Any) -> None:
    inputs = [
        given("id", "path"),
        given("limit", "query", type="integer"),
        given("X-Trace", "header"),
        given("session", "cookie"),
        given("amount", "body", type="number"),
        given("note", "body"),
    ]
    call = await start({"method": "POST", "inputParameters": inputs}, path="/things/{id}/parts")
    await call(id="a b", limit=5, amount=1.5, session="x y", **{"X-Trace": "t"})
    assert (api.last.method, api.last.target) == ("POST", "/things/a%20b/parts?limit=5")
    assert api.last.headers["X-Trace"] == "t"
    assert api.last.headers["Cookie"] == "session=x%20y"
    assert api.last.headers["Content-Type"] == "application/json"
    assert api.last.body == b'{"amount":1.5}'


async def test_the_request_introduces_itself(start: Any, api: Any) -> None:
    call = await start()
    await call()
    assert api.last.headers["Accept"] == "application/json"
    assert api.last.headers["User-Agent"].startswith("adapter-host/")
    assert "Content-Type" not in api.last.headers
    call = await start({"inputParameters": [given("accept", "header"), given("USER-AGENT", "header", value="me")]})
    await call()
    assert (api.last.headers.getall("Accept"), api.last.headers["User-Agent"]) == (["application/json"], "me")
    await call(accept="text/csv")
    assert api.last.headers.getall("Accept") == ["text/csv"]


@pytest.mark.parametrize(
    ("path", "arguments", "target"),
    [
        ("/commits/{sha}.{diffType}", {"sha": "a.b", "diffType": "patch"}, "/commits/a.b.patch"),
        ("/{start_date}..{end_date}", {"start_date": "2024-01-01", "end_date": "x/y"}, "/2024-01-01..x%2Fy"),
        ("/{start_date}..", {"start_date": "2024-01-01"}, "/2024-01-01.."),
        ("/{{ id }}", {"id": 5}, "/5"),
        ("/{{tools.id}}/x", {"id": True}, "/true/x"),
        ("/{id}?type=all&owner={owner}", {"id": "1", "owner": "a&b"}, "/1?type=all&owner=a%26b"),
    ],
)
async def test_placeholders(start: Any, api: Any, path: str, arguments: dict[str, Any], target: str) -> None:
    call = await start(path=path)
    await call(**arguments)
    assert api.last.target == target


async def test_placeholders_match_declared_inputs_by_name_then_loosely(start: Any, api: Any) -> None:
    inputs = [given("groupId", "path", type="integer", description="Which"), given("peer_id", "path")]
    call = await start({"inputParameters": inputs}, path="/g/{groupid}/p/{peer-id}")
    assert call.operation.inputs == (
        Input("groupId", "integer", required=True, description="Which", in_="path"),
        Input("peer_id", required=True, in_="path"),
    )
    await call(groupId=7, peer_id="p")
    assert api.last.target == "/g/7/p/p"


async def test_an_undeclared_placeholder_is_a_required_input(start: Any) -> None:
    call = await start(path="/things/{id}")
    assert call.operation.inputs == (Input("id", "string", required=True, in_="path"),)
    with pytest.raises(ArgumentError, match="'id' is required") as caught:
        await call()
    assert caught.value.parameter == "id"


async def test_a_declared_path_input_without_placeholder_is_the_last_segment(start: Any, api: Any) -> None:
    call = await start({"inputParameters": [given("model", "path")]}, path="/models")
    await call(model="gpt/4")
    assert api.last.target == "/models/gpt%2F4"
    assert any("sent as the last segment (write /models/{model})" in text for text in call.warnings)


async def test_constants_of_the_document_and_of_binds(start: Any, api: Any) -> None:
    inputs = [
        given("owner", "path", value="my org"),
        given("Version", "header", value="{{VERSION}}"),
        given("kind", "query", value="{{env.KIND}}"),
        given("page", "query", value=2),
        given("region", "environment", value="{{REGION}}"),
        given("where", "header", value="{{where}}-x"),
    ]
    secrets = {"VERSION": "2024", "KIND": "a b", "REGION": "eu"}
    operation = {"method": "POST", "inputParameters": inputs, "body": {"region": "{{region}}"}}
    call = await start(operation, path="/{owner}/{{VERSION}}", secrets=secrets)
    assert [i.name for i in call.operation.inputs] == ["where"]
    await call()
    assert api.last.target == "/my%20org/2024?kind=a%20b&page=2"
    assert api.last.headers["Version"] == "2024"
    assert "where" not in api.last.headers
    assert api.last.body == b'{"region":"eu"}'
    await call(where="here")
    assert api.last.headers["where"] == "here-x"


async def test_inner_levels_win_by_name_and_place(start: Any, api: Any) -> None:
    call = await start(
        {"inputParameters": [given("x-level", "header", value="operation"), given("level", "query")]},
        inputParameters=[given("X-Level", "header", value="adapter"), given("level", "query", value="adapter")],
        resources=[
            {
                "name": "r",
                "path": "/r",
                "inputParameters": [given("X-Level", "header", value="resource"), given("r", "query", value="1")],
                "operations": [
                    {
                        "name": "do",
                        "method": "GET",
                        "inputParameters": [given("x-level", "header", value="operation"), given("level", "query")],
                    },
                    {"name": "other", "method": "GET", "path": "/own"},
                ],
            }
        ],
    )
    await call()
    assert api.last.headers.getall("X-Level") == ["operation"]
    assert api.last.target == "/r?r=1"
    await call(level="call")
    assert api.last.target == "/r?r=1&level=call"
    await call.operations[1].call({})
    assert (api.last.target, api.last.headers["X-Level"]) == ("/own?level=adapter&r=1", "resource")


@pytest.mark.parametrize(
    ("value", "query"),
    [
        (["a", "b c", 3], "?v=a&v=b%20c&v=3"),
        ({"a": [1]}, "?v=%7B%22a%22%3A%5B1%5D%7D"),
        (True, "?v=true"),
        (False, "?v=false"),
        (1.5, "?v=1.5"),
        (2**70, f"?v={2**70}"),
        ("\ud800", "?v=%3F"),
        ("", "?v="),
        (None, ""),
        ([], ""),
        ("é&=#", "?v=%C3%A9%26%3D%23"),
    ],
)
async def test_query_values(start: Any, api: Any, value: Any, query: str) -> None:
    call = await start({"inputParameters": [given("v", "query")]})
    await call(v=value)
    assert api.last.target == f"/things{query}"


STAYING = [*"/?#\\;@%é +&=", "//evil.example", "a/b", "%2f", "a?b=c", "a#b", "x@evil.example"]
CLIMBING = [
    ".",
    "..",
    "%2e",
    "%2e%2e",
    "%2E.",
    "%252e%252e",
    "../admin",
    "a/../b",
    "..%2fadmin",
    "..%2Fadmin",
    "%2e%2e%2fadmin",
    "..\\admin",
    "..%5cadmin",
    "..;/admin",
    "..;x",
    ".. ",
]
CONTROLS = ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "\x1f", "\x7f"]


@pytest.mark.parametrize("value", STAYING)
async def test_a_path_value_stays_in_its_segment(start: Any, api: Any, value: str) -> None:
    call = await start(path="/users/{id}/posts")
    await call(id=value)
    before, segment, after = api.last.target.split("/")[1:]
    assert (before, after) == ("users", "posts")
    assert not set(segment) & set("?#\\;@&=+ ")
    assert api.last.headers["Host"] == api.url.removeprefix("http://")


@pytest.mark.parametrize("value", ["", *CLIMBING, *CONTROLS])
async def test_a_path_value_that_would_leave_its_segment_is_refused(start: Any, api: Any, value: str) -> None:
    call = await start(path="/users/{id}/posts")
    with pytest.raises(ArgumentError) as caught:
        await call(id=value)
    assert (caught.value.parameter, api.seen) == ("id", [])


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("/{a}.{b}", {"a": "", "b": ""}),
        ("/{a}{b}", {"a": ".", "b": "."}),
        ("/{a}{b}", {"a": "", "b": ""}),
        ("/{a}..", {"a": ""}),
        ("/{a}{b}", {"a": "%2", "b": "e."}),
    ],
)
async def test_values_cannot_climb_together(start: Any, api: Any, path: str, arguments: dict[str, str]) -> None:
    call = await start(path=path)
    with pytest.raises(ArgumentError):
        await call(**arguments)
    assert api.seen == []


@pytest.mark.parametrize("value", [*STAYING, *CLIMBING, *CONTROLS])
async def test_a_query_value_stays_in_its_parameter(start: Any, api: Any, value: str) -> None:
    call = await start({"inputParameters": [given("q", "query"), given("last", "query", value="1")]})
    await call(q=value)
    assert list(api.last.query.items()) == [("last", "1"), ("q", value)] or list(api.last.query.items()) == [
        ("q", value),
        ("last", "1"),
    ]
    assert api.last.target.startswith("/things?")


@pytest.mark.parametrize("value", [*CONTROLS, "a\tb", "ünïcode", "日本"])
async def test_a_header_value_that_would_leave_its_line_is_refused(start: Any, api: Any, value: str) -> None:
    call = await start({"inputParameters": [given("X-Note", "header")]})
    with pytest.raises(ArgumentError) as caught:
        await call(**{"X-Note": value})
    assert (caught.value.parameter, api.seen) == ("X-Note", [])


@pytest.mark.parametrize("value", [*STAYING, *CLIMBING, *CONTROLS, "a; admin=1", "a, b", 'q"q'])
async def test_a_cookie_value_stays_in_its_cookie(start: Any, api: Any, value: str) -> None:
    call = await start({"inputParameters": [given("a", "cookie"), given("b", "cookie", value="2")]})
    await call(a=value)
    pairs = api.last.headers["Cookie"].split("; ")
    assert len(api.last.headers.getall("Cookie")) == 1
    assert sorted(pair.split("=", 1)[0] for pair in pairs) == ["a", "b"]
    assert not set(pairs[0] + pairs[1]) & set(' ,;"\\\r\n\x00')


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "Upgrade",
        "TE",
        "Trailer",
        "Keep-Alive",
        "Expect",
        "Proxy-Authorization",
    ],
)
async def test_headers_of_the_connection_are_dropped(start: Any, api: Any, name: str) -> None:
    call = await start({"inputParameters": [given(name, "header"), given("X-Also", "header", value="1")]})
    assert call.operation.inputs == ()
    assert any(f"header '{name}' belongs to the connection" in text for text in call.warnings)
    await call(**{name: "evil"})
    assert "evil" not in api.last.headers.values()
    assert api.last.headers["X-Also"] == "1"


async def test_inputs_say_what_they_are(start: Any) -> None:
    inputs = [
        given("q", "query", type="string", required=True, pattern="^a", description="Query"),
        given("body", "body", type="object", required=True),
    ]
    call = await start({"method": "POST", "inputParameters": inputs}, path="/{id}")
    assert call.operation.inputs == (
        Input("id", "string", required=True, in_="path"),
        Input("q", "string", required=True, pattern="^a", description="Query", in_="query"),
        Input("body", "object", required=True, in_="body", whole=True),
    )
    with pytest.raises(ArgumentError, match="'q' is required"):
        await call(id="1", body={})


def test_problems_of_inputs(problems: Any) -> None:
    def messages(**spec: Any) -> list[str]:
        found = problems({"inputParameters": [spec]})
        return [problem.message.split(": ", 1)[1] for problem in found]

    assert messages(name="x") == ["input 'x' says not where it goes (in: path, query, header, cookie or body)"]
    assert messages(name="a b", **{"in": "header"}) == ["'a b' is no name of a header"]
    assert messages(name="a;b", **{"in": "cookie"}) == ["'a;b' is no name of a cookie"]
    assert messages(name="low", **{"in": "environment"}) == [
        "nothing gives 'low' its value (add value: '{{A_BOUND_VARIABLE}}')"
    ]
    header = "the value of header 'X' may hold only ASCII characters and no control characters"
    assert messages(name="X", value="a\nb", **{"in": "header"}) == [header]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/a/../b", "a path may hold no '.' or '..' as a segment"),
        ("/a/%2e%2e/b", "a path may hold no '.' or '..' as a segment"),
        ("/a/{{UP}}/b", "a path may hold no '.' or '..' as a segment"),
        ("/a#b", "a path may hold no fragment ('#')"),
        ("/{{CONTROL}}", "'CONTROL' may hold no control characters (in the path)"),
    ],
)
def test_problems_of_paths(problems: Any, path: str, message: str) -> None:
    found = problems(path=path, secrets={"UP": "..", "CONTROL": "a\nb"})
    assert [problem.message.split(": ", 1)[1] for problem in found] == [message]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (None, "'api' has no baseUri (set it, or call it elsewhere with --base-uri api=URL)"),
        ("", "'api' has no baseUri (set it, or call it elsewhere with --base-uri api=URL)"),
        ("ftp://example.org", "baseUri must be an http or https URL (given ftp://example.org)"),
        ("example.org/v1", "baseUri must be an http or https URL (given example.org/v1)"),
        ("http://", "baseUri must be an http or https URL (given http://)"),
        ("http://[::1", "baseUri is not a URL (given http://[::1)"),
        ("http://a b", "baseUri must be an http or https URL (given http://a b)"),
        ("https://u:pass@h", "baseUri may hold no user or password (use authentication)"),
        ("http://h?a=b", "baseUri may hold no query and no fragment (given http://h?a=b)"),
        ("http://h#a", "baseUri may hold no query and no fragment (given http://h#a)"),
        ("http://{{HOST}}:x", "baseUri is not a URL (given http://{{env.HOST}}:x)"),
    ],
)
def test_problems_of_the_base(problems: Any, base: str | None, message: str) -> None:
    found = problems(baseUri=base, secrets={"HOST": "h"})
    assert [problem.message.split(": ", 1)[1] for problem in found] == [message]
    assert problems(baseUri=base, settings={"mock": True, "base_uris": {"api": "http://h/"}}) == []


def test_a_base_is_not_judged_while_its_secret_is_unset(problems: Any) -> None:
    assert problems(baseUri="https://{{env.HOST}}/", secrets={"HOST": ""}) == []


async def test_a_bind_goes_before_an_input_of_its_name(start: Any, api: Any) -> None:
    call = await start({"inputParameters": [given("TEAM", "path")]}, path="/{{TEAM}}/x", secrets={"TEAM": "a"})
    await call(TEAM="evil")
    assert api.last.target == "/a/x"


async def test_the_base_may_come_from_a_bind_or_from_who_runs_the_host(start: Any, api: Any) -> None:
    call = await start(baseUri="{{BASE}}", secrets={"BASE": f"{api.url}/v2/"})
    await call()
    assert api.last.target == "/v2/things"
    call = await start(baseUri="https://unreachable.invalid/v1", settings={"base_uris": {"api": f"{api.url}/v3"}})
    await call()
    assert api.last.target == "/v3/things"
