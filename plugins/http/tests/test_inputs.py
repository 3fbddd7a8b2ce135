"""Locations of arguments in a request; values stay in their location."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from adapter_host import ArgumentError, Input, ProblemsError


def input_(name: str, in_: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": in_, **more}


async def test_base_and_path_are_joined_with_one_slash(start: Any, api: Any) -> None:
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


async def test_every_input_location(start: Any, api: Any) -> None:
    inputs = [
        input_("id", "path"),
        input_("limit", "query", type="integer"),
        input_("X-Trace", "header"),
        input_("session", "cookie"),
        input_("amount", "body", type="number"),
        input_("note", "body"),
    ]
    call = await start({"method": "POST", "inputParameters": inputs}, path="/things/{id}/parts")
    await call(id="a b", limit=5, amount=1.5, session="x y", **{"X-Trace": "t"})
    assert (api.last.method, api.last.target) == ("POST", "/things/a%20b/parts?limit=5")
    assert api.last.headers["X-Trace"] == "t"
    assert api.last.headers["Cookie"] == "session=x%20y"
    assert api.last.headers["Content-Type"] == "application/json"
    assert api.last.body == b'{"amount":1.5}'


async def test_default_headers(start: Any, api: Any) -> None:
    call = await start()
    await call()
    assert api.last.headers["Accept"] == "application/json"
    assert api.last.headers["User-Agent"].startswith("adapter-host/")
    assert "Content-Type" not in api.last.headers
    call = await start({"inputParameters": [input_("accept", "header"), input_("USER-AGENT", "header", value="me")]})
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


async def test_placeholders_match_inputs_by_exact_then_normalized_name(start: Any, api: Any) -> None:
    inputs = [input_("groupId", "path", type="integer", description="Which"), input_("peer_id", "path")]
    call = await start({"inputParameters": inputs}, path="/g/{groupid}/p/{peer-id}")
    assert call.operation.inputs == (
        Input("groupId", "integer", required=True, description="Which", in_="path"),
        Input("peer_id", required=True, in_="path"),
    )
    await call(groupId=7, peer_id="p")
    assert api.last.target == "/g/7/p/p"


async def test_undeclared_placeholder_is_a_required_input(start: Any) -> None:
    call = await start(path="/things/{id}")
    assert call.operation.inputs == (Input("id", "string", required=True, in_="path"),)
    with pytest.raises(ArgumentError, match="'id' is required") as caught:
        await call()
    assert caught.value.parameter == "id"


async def test_path_input_without_placeholder_is_the_last_segment(start: Any, api: Any) -> None:
    call = await start({"inputParameters": [input_("model", "path")]}, path="/models")
    await call(model="gpt/4")
    assert api.last.target == "/models/gpt%2F4"
    assert any("write /models/{model}" in text for text in call.warnings)


@pytest.mark.parametrize(
    ("path", "inputs", "target"),
    [
        ("/code?q=in:{{owner}}/{name}+OR+a%20b", ["owner", "name"], "/code?q=in%3Ao%26%2Fn%2B%20OR%20a%20b"),
        ("/code?q={{owner}}&sort=a%2Bb&x={ name }", ["owner", "name"], "/code?q=o%26&sort=a%2Bb&x=n%2B"),
        ("/{owner}?q={name}", ["owner", "name"], "/o%26?q=n%2B"),
        ("/{owner}/x?Action=List#note", ["owner"], "/o%26/x?Action=List"),
        ("/oauth2/token#refresh", [], "/oauth2/token"),
        ("/#X-Target={x}?y=1", [], "/"),
    ],
)
async def test_query_and_fragment_of_a_path(start: Any, api: Any, path: str, inputs: list[str], target: str) -> None:
    call = await start({"inputParameters": [input_(name, "path") for name in inputs]}, path=path)
    await call(**{name: value for name, value in {"owner": "o&", "name": "n+"}.items() if name in inputs})
    assert api.last.target == target
    assert [spec.required for spec in call.operation.inputs] == [True] * len(inputs)
    assert len(call.warnings) == path.count("#")


def path_operation(name: str, method: str, *inputs: str) -> dict[str, Any]:
    return {"name": name, "method": method, "inputParameters": [input_(each, "path") for each in inputs]}


@pytest.mark.parametrize(
    ("operations", "refused"),
    [
        pytest.param([path_operation("get", "GET", "id")], [], id="one reading"),
        pytest.param([path_operation("list", "GET"), path_operation("get", "GET", "id")], [], id="list and get"),
        pytest.param([path_operation("get", "GET", "id"), path_operation("head", "HEAD", "id")], [], id="methods"),
        pytest.param([path_operation("cancel", "POST", "id")], ["cancel"], id="POST"),
        pytest.param([path_operation("delete", "DELETE", "id")], ["delete"], id="DELETE"),
        pytest.param([path_operation("put", "PUT", "id"), path_operation("get", "GET", "id")], ["put"], id="PUT"),
        pytest.param([path_operation("get", "GET", "a", "b")], ["get"], id="order"),
        pytest.param(
            [path_operation("get", "GET", "id"), path_operation("dependents", "GET", "name")],
            ["get", "dependents"],
            id="one URL",
        ),
        pytest.param(
            [path_operation("get", "GET", "id"), {**path_operation("read", "GET", "x"), "path": "/things/{x}"}],
            ["get"],
            id="URL of a declared path",
        ),
    ],
)
async def test_path_inputs_without_a_unique_place_are_refused(
    start: Any, operations: list[dict[str, Any]], refused: list[str]
) -> None:
    call = await start(resources=[{"name": "things", "path": "/things", "operations": operations}])
    assert [each.name for each in call.operations if each.refusal] == refused
    guessed = [each for each in call.operations if each.unplaced and not each.refusal]
    assert len(call.warnings) == len(guessed)


async def test_constant_values_and_binds(start: Any, api: Any) -> None:
    inputs = [
        input_("owner", "path", value="my org"),
        input_("Version", "header", value="{{VERSION}}"),
        input_("kind", "query", value="{{env.KIND}}"),
        input_("page", "query", value=2),
        input_("region", "environment", value="{{REGION}}"),
        input_("where", "header", value="{{where}}-x"),
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


async def test_innermost_input_of_a_name_and_location_wins(start: Any, api: Any) -> None:
    call = await start(
        {"inputParameters": [input_("x-level", "header", value="operation"), input_("level", "query")]},
        inputParameters=[input_("X-Level", "header", value="adapter"), input_("level", "query", value="adapter")],
        resources=[
            {
                "name": "r",
                "path": "/r",
                "inputParameters": [input_("X-Level", "header", value="resource"), input_("r", "query", value="1")],
                "operations": [
                    {
                        "name": "do",
                        "method": "GET",
                        "inputParameters": [input_("x-level", "header", value="operation"), input_("level", "query")],
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
    call = await start({"inputParameters": [input_("v", "query")]})
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
async def test_path_value_stays_in_its_segment(start: Any, api: Any, value: str) -> None:
    call = await start(path="/users/{id}/posts")
    await call(id=value)
    before, segment, after = api.last.target.split("/")[1:]
    assert (before, after) == ("users", "posts")
    assert not set(segment) & set("?#\\;@&=+ ")
    assert api.last.headers["Host"] == api.url.removeprefix("http://")


@pytest.mark.parametrize("value", ["", *CLIMBING, *CONTROLS])
async def test_path_value_that_leaves_its_segment_is_rejected(start: Any, api: Any, value: str) -> None:
    call = await start(path="/users/{id}/posts")
    with pytest.raises(ArgumentError) as caught:
        await call(id=value)
    assert (caught.value.parameter, api.requests) == ("id", [])


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
async def test_adjacent_values_cannot_form_dot_segments(
    start: Any, api: Any, path: str, arguments: dict[str, str]
) -> None:
    call = await start(path=path)
    with pytest.raises(ArgumentError):
        await call(**arguments)
    assert api.requests == []


@pytest.mark.parametrize("value", [*STAYING, *CLIMBING, *CONTROLS])
async def test_query_value_stays_in_its_parameter(start: Any, api: Any, value: str) -> None:
    call = await start({"inputParameters": [input_("q", "query"), input_("last", "query", value="1")]})
    await call(q=value)
    assert list(api.last.query.items()) == [("last", "1"), ("q", value)] or list(api.last.query.items()) == [
        ("q", value),
        ("last", "1"),
    ]
    assert api.last.target.startswith("/things?")


@pytest.mark.parametrize("value", [*CONTROLS, "a\tb", "ünïcode", "日本"])
async def test_invalid_header_values_are_rejected(start: Any, api: Any, value: str) -> None:
    call = await start({"inputParameters": [input_("X-Note", "header")]})
    with pytest.raises(ArgumentError) as caught:
        await call(**{"X-Note": value})
    assert (caught.value.parameter, api.requests) == ("X-Note", [])


@pytest.mark.parametrize("value", [*STAYING, *CLIMBING, *CONTROLS, "a; admin=1", "a, b", 'q"q'])
async def test_cookie_value_stays_in_its_cookie(start: Any, api: Any, value: str) -> None:
    call = await start({"inputParameters": [input_("a", "cookie"), input_("b", "cookie", value="2")]})
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
async def test_connection_headers_are_dropped(start: Any, api: Any, name: str) -> None:
    call = await start({"inputParameters": [input_(name, "header"), input_("X-Also", "header", value="1")]})
    assert call.operation.inputs == ()
    assert any(f"header '{name}' belongs to the connection" in text for text in call.warnings)
    await call(**{name: "evil"})
    assert "evil" not in api.last.headers.values()
    assert api.last.headers["X-Also"] == "1"


async def test_inputs_keep_their_declaration(start: Any) -> None:
    inputs = [
        input_("q", "query", type="string", required=True, pattern="^a", description="Query"),
        input_("body", "body", type="object", required=True),
    ]
    call = await start({"method": "POST", "inputParameters": inputs}, path="/{id}")
    assert call.operation.inputs == (
        Input("id", "string", required=True, in_="path"),
        Input("q", "string", required=True, pattern="^a", description="Query", in_="query"),
        Input("body", "object", required=True, in_="body", whole=True),
    )
    with pytest.raises(ArgumentError, match="'q' is required"):
        await call(id="1", body={})


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        pytest.param({"name": "x"}, "missing-key", id="no location"),
        pytest.param({"name": "a b", "in": "header"}, "header-name", id="header name"),
        pytest.param({"name": "a;b", "in": "cookie"}, "cookie-name", id="cookie name"),
        pytest.param({"name": "low", "in": "environment"}, "environment", id="environment without value"),
        pytest.param({"name": "X", "value": "a\nb", "in": "header"}, "header-value", id="header value"),
    ],
)
def test_invalid_inputs(problems: Any, spec: dict[str, Any], code: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems({"inputParameters": [spec]})
    assert problem.code == code
    assert problem.message == snapshot


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "/a/{{UP}}/b", "/{{CONTROL}}"])
def test_invalid_paths(problems: Any, path: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems(path=path, secrets={"UP": "..", "CONTROL": "a\nb"})
    assert problem.code == "path"
    assert problem.message == snapshot


@pytest.mark.parametrize(
    ("base", "code"),
    [
        (None, "no-base-uri"),
        ("", "no-base-uri"),
        ("ftp://example.org", "base-uri"),
        ("example.org/v1", "base-uri"),
        ("http://", "base-uri"),
        pytest.param("http://[::1", "base-uri", id="http://[..1"),
        ("http://a b", "base-uri"),
        ("https://u:pass@h", "base-uri"),
        ("http://h?a=b", "base-uri"),
        ("http://h#a", "base-uri"),
        ("http://{{HOST}}:x", "base-uri"),
        ("http://{HOST}:x", "base-uri"),
        ("http://{}/", "base-uri"),
        ("http://h/{v", "base-uri"),
    ],
)
def test_invalid_base_uris(problems: Any, base: str | None, code: str, snapshot: SnapshotAssertion) -> None:
    (problem,) = problems(baseUri=base, secrets={"HOST": "h"})
    assert problem.code == code
    assert problem.message == snapshot
    assert problems(baseUri=base, settings={"mock": True, "base_uris": {"api": "http://h/"}}) == []


def test_base_uri_is_not_validated_while_its_secret_is_unset(problems: Any) -> None:
    assert problems(baseUri="https://{{env.HOST}}/", secrets={"HOST": ""}) == []


@pytest.mark.parametrize("base", ["{BASE}", "{{BASE}}", "{ env.BASE }", "{{env.BASE}}"])
async def test_braces_in_the_base_uri_are_secrets(start: Any, api: Any, base: str) -> None:
    call = await start(baseUri=f"{base}/v{{version}}", secrets={"BASE": api.url}, variables={"version": "3"})
    await call()
    assert api.last.target == "/v3/things"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"variables": {"root": {"default": "a", "enum": ["a", "b"]}}}, id="OpenAPI"),
        pytest.param({"variables": {"root": "a"}}, id="short"),
        pytest.param({"inputParameters": [{"name": "root", "in": "environment", "value": "a"}]}, id="input"),
        pytest.param({"settings": {"environment": {"root": "a"}}}, id="environment"),
    ],
)
async def test_braces_in_the_base_uri_are_declared_values(start: Any, api: Any, values: dict[str, Any]) -> None:
    call = await start(baseUri=api.url + "/{root}", **values)
    await call()
    assert api.last.target == "/a/things"


async def test_braces_in_the_base_uri_are_never_literal(problems: Any, start: Any) -> None:
    (warning,) = problems(baseUri="https://{instance}.example.com")
    assert (warning.code, warning.warning) == ("undeclared-variable", True)
    with pytest.raises(ProblemsError, match=r"'instance' is not set .*--base-uri api=URL"):
        await start(baseUri="https://{instance}.example.com")


async def test_bind_takes_precedence_over_an_input_of_its_name(start: Any, api: Any) -> None:
    call = await start({"inputParameters": [input_("TEAM", "path")]}, path="/{{TEAM}}/x", secrets={"TEAM": "a"})
    await call(TEAM="evil")
    assert api.last.target == "/a/x"


async def test_base_uri_from_a_bind_or_from_settings(start: Any, api: Any) -> None:
    call = await start(baseUri="{{BASE}}", secrets={"BASE": f"{api.url}/v2/"})
    await call()
    assert api.last.target == "/v2/things"
    call = await start(baseUri="https://unreachable.invalid/v1", settings={"base_uris": {"api": f"{api.url}/v3"}})
    await call()
    assert api.last.target == "/v3/things"
