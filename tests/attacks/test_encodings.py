"""Attacks by values that try to leave their place in the upstream's request; independent parsers read the request."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree

import aiohttp
import orjson
import pyoxigraph
import pytest

from tests.support.rest_and_mcp import Offered, offering, operation, resource

SEED = "a fixed seed, so that a failure can be repeated"
PIECES = [
    *"ab 1.:;,?#&=/%+-_~'\"\\<>(){}[]|^`@!$*",
    "\n",
    "\t",
    "--",
    "]]>",
    "&amp;",
    "%00",
    "%0d%0a",
    "\\u0022",
    "é",
    "\u2028",
]
HOSTILE = [
    '"',
    "'",
    "\\",
    '\\"',
    "a'b\"c",
    "\r\nX: y",
    '"""',
    "'''",
    "&quot;",
    "--x",
    "x; filename=y",
    "{{b}}",
    "?x#",
    "\x85",
]


def values() -> list[str]:
    """Return hostile texts: written ones, and many that are put together at random."""
    chance = random.Random(SEED)
    return [*HOSTILE, *("".join(chance.choices(PIECES, k=chance.randint(1, 8))) for _ in range(60))]


@asynccontextmanager
async def sending(**declared: Any) -> AsyncIterator[tuple[Offered, Callable[..., Awaitable[int]]]]:
    """Serve an operation with the input `v`; yield a function that calls it and returns the status."""
    declared = {"method": "POST", "inputParameters": [{"name": "v", "in": "body", "type": "string"}], **declared}
    inputs = [{"name": "v", "in": "body", "type": "string"}]
    exposed = [resource("/do", {"method": "POST", "call": "api.do", "inputParameters": inputs})]
    async with (
        offering(resource(declared.pop("path", "/do"), operation(**declared)), rest=exposed) as offered,
        aiohttp.ClientSession() as session,
    ):
        url = f"{offered.served.url('site')}/do"

        async def send(value: str) -> int:
            async with session.post(url, json={"v": value}) as response:
                return response.status

        yield offered, send


QUERY = """
# The owner's things: it's {{v}}
PREFIX : <http://x.example/it's#>
SELECT ?v WHERE { ?s :secret ?v . ?s :owner %s . FILTER(?v != "YOURS") }
"""
DATA = """
PREFIX : <http://x.example/it's#>
INSERT DATA { :a :owner :me; :secret "mine" . :b :owner :you, "me"; :secret "YOURS" . :c :owner 5; :secret "five" }
"""


def secrets(query: bytes) -> list[str]:
    """Return the results of a query; raise `SyntaxError` if it is none."""
    store = pyoxigraph.Store()
    store.update(DATA)
    found = store.query(query.decode())
    assert isinstance(found, pyoxigraph.QuerySolutions)
    return sorted(str(each[0].value) for each in found)


@pytest.mark.parametrize(
    ("place", "accepted"),
    [
        ("{{v}}", {":me": ["mine"], "5": ["five"], "-5": [], "1.5e3": [], ":a-b": [], "true": []}),
        (":{{v}}", {"me": ["mine"], "a-b": []}),
        ("<http://x.example/it's#{{v}}>", {"me": ["mine"], "a:b": []}),
        ("<{{v}}>", {"http://x.example/it's#me": ["mine"]}),
        ("'{{v}}'", {"me": [], ":me": [], "?x": []}),
        ('"""a"b{{v}}"""', {"me": []}),
    ],
)
async def test_sparql_values_stay_in_their_place(place: str, accepted: dict[str, list[str]]) -> None:
    data = QUERY.replace("it's {{v}}", "it's") % place
    async with sending(body={"type": "sparql", "data": data}) as (offered, send):
        for value, found in accepted.items():
            assert await send(value) == 200
            assert secrets(offered.api.last.body) == found
        attacks = [
            "?x",
            "?x#",
            "_:x",
            "_",
            "",
            "5.",
            "1.:x",
            ":me .",
            ":me.",
            ":me,:you",
            "5-3",
            "x\n",
            "#",
            ":a%3F",
            "5a",
        ]
        attacks += [
            "<http://x.example/it's#you>",
            "> . ?x ?y ?z #",
            "../x",
            "..",
            "/",
            "\\u003Fx",
            "' . ?s ?p ?o #",
            *values(),
        ]
        for value in attacks:
            status = await send(value)
            assert status in (200, 400)
            if status == 200:
                assert secrets(offered.api.last.body) == []


@pytest.mark.parametrize("quote", ["'", '"', "'''", '"""'])
async def test_sparql_strings_have_the_value(quote: str) -> None:
    query = f"# it's\nSELECT ({quote}{{{{v}}}}{quote} AS ?r) WHERE {{ FILTER(1<2&&2>1) }}"
    async with sending(body={"type": "sparql", "data": query}) as (offered, send):
        for value in values():
            assert await send(value) == 200
            found = pyoxigraph.Store().query(offered.api.last.body.decode())
            assert isinstance(found, pyoxigraph.QuerySolutions)
            assert [each["r"].value for each in found] == [value]


async def test_sparql_comments_end_with_their_line() -> None:
    async with sending(body={"type": "sparql", "data": QUERY % ":me"}) as (offered, send):
        for value in ["\nSELECT ?v WHERE { ?s ?p ?v } #", "\r", "\\u000a?x", *values()]:
            assert await send(value) == 200
            assert secrets(offered.api.last.body) == ["mine"]


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("SELECT ?v_{{v}} WHERE {?s ?p ?v_{{v}}}", "a-b"),
        ("SELECT * WHERE {?s ?p ?v FILTER(?v<{{v}}&&?v>1)}", "?v"),
        ("SELECT * WHERE {?s ?p 'x'@{{v}}}", "en .?s ?p ?o"),
        ("SELECT * WHERE {?s ?p 'x'^^{{v}}}", "<x>"),
    ],
)
async def test_sparql_tokens_are_not_divided(query: str, refused: str) -> None:
    accepted = "http:a" if "^^" in query else "5"
    async with sending(body={"type": "sparql", "data": query}) as (offered, send):
        assert await send(accepted.removeprefix("http") if "^^" in query else accepted) == 200
        assert await send(refused) == 400
        assert len(offered.api.seen) == 1


async def test_xml_values_stay_in_their_place() -> None:
    data = "<r a=\"{{v}}\" b='{{v}}'><t>{{v}}</t><c/></r>"
    async with sending(body={"type": "xml", "data": data}) as (offered, send):
        for value in [*values(), "\r", "a\r\nb", "\t\n"]:
            assert await send(value) == 200
            root = ElementTree.fromstring(offered.api.last.body.decode())
            assert (root.get("a"), root.get("b"), root.findtext("t"), len(root)) == (value, value, value, 2)
        for value in ["\x00", "\x1b", "\ufffe"]:
            assert await send(value) == 400


async def test_json_values_stay_in_their_place() -> None:
    data = '{"a": "{{v}}", "b": "x{{v}}y", "{{v}}": {{v}}, "query": "query($v: String) { a(v: $v) }", "z": 1}'
    async with sending(body={"type": "json", "data": data}) as (offered, send):
        for value in values():
            assert await send(value) == 200
            expected = {"a": value, "b": f"x{value}y", "query": "query($v: String) { a(v: $v) }", "z": 1}
            assert orjson.loads(offered.api.last.body) == {**expected, value: own_json(value)}


def own_json(value: str) -> Any:
    """Return the data that an unquoted tag takes: that of a text that is JSON."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


@pytest.mark.parametrize("data", [{"a": "{{v}}", "z": "1"}, "a={{v}}&z=1"])
async def test_form_values_stay_in_their_place(data: Any) -> None:
    async with sending(body={"type": "formUrlEncoded", "data": data}) as (offered, send):
        for value in values():
            assert await send(value) == 200
            assert parse_qsl(offered.api.last.body.decode(), keep_blank_values=True) == [("a", value), ("z", "1")]


async def test_parts_of_a_form_have_the_value() -> None:
    parts = [{"name": "a", "value": "{{v}}", "filename": 'f"{{v}}\r\n.txt', "contentType": "text/plain"}]
    async with sending(body={"type": "multipartForm", "data": [*parts, {"name": "z", "value": "1"}]}) as (
        offered,
        send,
    ):
        for value in values():
            assert await send(value) == 200
            head = f"Content-Type: {offered.api.last.headers['Content-Type']}\r\n\r\n".encode()
            message = message_from_bytes(head + offered.api.last.body, policy=policy.HTTP)
            first, second = message.iter_parts()
            assert first.keys() == ["Content-Disposition", "Content-Type"]
            assert first.get_payload(decode=True) == value.encode()
            assert second.get_payload(decode=True) == b"1"


@pytest.mark.parametrize("place", ["query", "cookie", "header", "path"])
async def test_values_of_the_head_stay_in_their_place(place: str) -> None:
    inputs = [{"name": "v", "in": place, "type": "string"}, {"name": "z", "in": "query", "value": "1"}]
    path = "/do/{v}/end" if place == "path" else "/do"
    async with sending(path=path, inputParameters=inputs) as (offered, send):
        for value in values():
            count = len(offered.api.seen)
            status = await send(value)
            if status == 400:
                assert place in ("header", "path")
                assert len(offered.api.seen) == count
                continue
            received = offered.api.last
            url = urlsplit(received.target)
            assert parse_qsl(url.query)[-1] == ("z", "1")
            if place == "query":
                assert parse_qsl(url.query) == [("v", value), ("z", "1")]
            elif place == "cookie":
                (cookie,) = SimpleCookie(received.headers["Cookie"]).values()
                assert (cookie.key, unquote(cookie.value)) == ("v", value)
            elif place == "header":
                assert received.headers["v"] == value.strip(" \t")
            else:
                _, _, segment, _ = url.path.split("/")
                assert unquote(segment) == value
