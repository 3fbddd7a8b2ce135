"""Lists of several pages: their forms, ends, bounds and merged results."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from adapter_host import Host, ProblemsError
from adapter_host.testing import running
from tests.support.rest_and_mcp import Data, Offered, document, given, offering, operation, resource, tool
from tests.support.upstream import send

Responder = Callable[[web.Request], web.Response]

CURSOR: Data = {"form": "cursor", "items": "$.data", "next": "$.next", "input": "cursor"}
PAGE: Data = {"form": "page", "input": "page", "pageSize": {"input": "size", "value": 3}}
OFFSET: Data = {"form": "offset", "input": "skip", "pageSize": {"input": "size", "value": 3}, "items": "$.data"}
INPUTS = [given(name, "query") for name in ("cursor", "page", "skip")]
INPUTS.append(given("size", "query", type="integer"))


def listing(pagination: Data, **keys: Any) -> Data:
    """Return a consumed resource with one list, its route and its tool."""
    declared: Data = {**operation("list"), "inputParameters": INPUTS, "x-pagination": pagination, **keys}
    exposed = {"rest": [resource("/items", {"method": "GET", "call": "api.list"})]}
    return {"resource": resource("/items", declared), **exposed, "tools": [tool("list", call="api.list")]}


def serve_list(pagination: Data, *, settings: Data | None = None, below: str = "", consumer: Data | None = None) -> Any:
    """Serve the list of an API over REST and MCP."""
    made = listing(pagination)
    return offering(
        made["resource"], rest=made["rest"], tools=made["tools"], settings=settings, below=below, consumer=consumer
    )


def respond(offered: Offered, responder: Responder) -> None:
    """Let the API respond with a function of its request."""

    async def reply(request: web.Request) -> web.StreamResponse:
        return responder(request)

    offered.api.reply = reply


def numbers(first: int, count: int, total: int) -> list[int]:
    return list(range(first, min(first + count, total)))


def by_cursor(total: int, size: int = 3) -> Responder:
    """Return an API whose cursors are offsets."""

    def responder(request: web.Request) -> web.Response:
        start = int(request.query.get("cursor", 0))
        end = start + int(request.query.get("size", size))
        following = {"next": f"{end}"} if end < total else {}
        return web.json_response({"kind": "list", "data": numbers(start, end - start, total), **following})

    return responder


def targets(offered: Offered) -> list[str]:
    return [seen.target for seen in offered.api.seen]


async def test_without_a_limit_one_page_is_returned_unchanged() -> None:
    async with serve_list(CURSOR) as offered:
        respond(offered, by_cursor(10))
        response = await offered.rest("GET", "/items")
        assert response.data == {"kind": "list", "data": [0, 1, 2], "next": "3"}
        assert targets(offered) == ["/items"]


@pytest.mark.parametrize(
    ("limit", "expected", "requests"),
    [
        (10, {"kind": "list", "data": [*range(7)]}, 3),
        (6, {"kind": "list", "data": [*range(6)], "next": "6"}, 2),
        (5, {"kind": "list", "data": [*range(5)], "next": "3"}, 2),
        (2, {"kind": "list", "data": [0, 1]}, 1),
    ],
)
async def test_cursors_are_followed_over_every_protocol(limit: int, expected: Data, requests: int) -> None:
    async with serve_list(CURSOR) as offered:
        respond(offered, by_cursor(7))
        response = await offered.rest("GET", f"/items?limit={limit}")
        assert response.data == expected
        assert len(offered.api.seen) == requests
        assert (await offered.tool("list", {"limit": limit})).data == expected


async def test_the_page_size_is_sent_and_fits_the_limit() -> None:
    async with serve_list({**CURSOR, "pageSize": {"input": "size", "value": 4}}) as offered:
        respond(offered, by_cursor(20))
        response = await offered.rest("GET", "/items?limit=6")
        assert response.data == {"kind": "list", "data": [*range(6)], "next": "6"}
        assert targets(offered) == ["/items?size=4", "/items?cursor=4&size=2"]


async def test_lists_start_at_the_cursor_and_with_the_page_size_of_the_caller() -> None:
    async with serve_list({**CURSOR, "pageSize": {"input": "size", "value": 4}}) as offered:
        respond(offered, by_cursor(20))
        response = await offered.rest("GET", "/items?limit=5&cursor=10&size=2")
        assert response.data == {"kind": "list", "data": [10, 11, 12, 13, 14], "next": "14"}
        assert [target.split("&")[-1] for target in targets(offered)] == ["size=2"] * 3


def by_number(request: web.Request) -> web.Response:
    size = int(request.query["size"])
    return web.json_response(numbers((int(request.query["page"]) - 1) * size, size, 8))


@pytest.mark.parametrize(
    ("limit", "expected", "pages"),
    [(100, [*range(8)], ["1", "2", "3"]), (6, [*range(6)], ["1", "2"]), (2, [0, 1], ["1"])],
)
async def test_pages_by_number_end_with_a_short_page(limit: int, expected: list[int], pages: list[str]) -> None:
    async with serve_list(PAGE) as offered:
        respond(offered, by_number)
        assert (await offered.rest("GET", f"/items?limit={limit}")).data == expected
        assert [target.split("page=")[1][0] for target in targets(offered)] == pages


@pytest.mark.parametrize(("total", "requests"), [(6, 2), (7, 3), (0, 1)])
async def test_offsets_end_at_the_total(total: int, requests: int) -> None:
    def responder(request: web.Request) -> web.Response:
        start = int(request.query.get("skip", 0))
        return web.json_response({"data": numbers(start, 3, total), "total": total})

    async with serve_list({**OFFSET, "total": "$.total"}) as offered:
        respond(offered, responder)
        response = await offered.rest("GET", "/items?limit=100")
        assert response.data == {"data": [*range(total)], "total": total}
        assert len(offered.api.seen) == requests


async def test_without_a_page_size_an_empty_page_ends_the_list() -> None:
    def responder(request: web.Request) -> web.Response:
        return web.json_response(numbers(int(request.query["page"]) * 2, 2, 5))

    async with serve_list({"form": "page", "input": "page", "start": 0}) as offered:
        respond(offered, responder)
        assert (await offered.rest("GET", "/items?limit=100")).data == [*range(5)]
        assert len(offered.api.seen) == 4


async def test_a_flag_ends_the_list_and_the_last_item_can_be_the_cursor() -> None:
    def responder(request: web.Request) -> web.Response:
        start = int(request.query.get("cursor", -1)) + 1
        items = [{"id": number} for number in numbers(start, 2, 5)]
        return web.json_response({"data": items, "has_more": start + 2 < 5})

    async with serve_list({**CURSOR, "next": "$.data[-1].id", "more": "$.has_more"}) as offered:
        respond(offered, responder)
        response = await offered.rest("GET", "/items?limit=50")
        assert response.data == {"data": [{"id": number} for number in range(5)], "has_more": False}
        cut = await offered.rest("GET", "/items?limit=3")
        assert cut.data == {"data": [{"id": 0}, {"id": 1}, {"id": 2}], "has_more": True}


async def test_until_returns_the_items_before_the_known_one() -> None:
    def responder(request: web.Request) -> web.Response:
        start = int(request.query.get("cursor", 0))
        return web.json_response(
            {"data": [{"id": f"i{number}"} for number in range(start, start + 3)], "next": start + 3}
        )

    async with serve_list({**CURSOR, "until": "$.id", "maxItems": 8}) as offered:
        respond(offered, responder)
        response = await offered.rest("GET", "/items?until=i4")
        assert [item["id"] for item in response.data["data"]] == ["i0", "i1", "i2", "i3"]
        assert len(offered.api.seen) == 2
        unknown = await offered.tool("list", {"until": "i99"})
        assert "no item has the value of 'until' among the first 8" in unknown.text


async def test_links_of_headers_are_followed_with_the_credentials() -> None:
    def responder(request: web.Request) -> web.Response:
        start = int(request.query.get("from", 0))
        links = ['<https://elsewhere.test/>; rel="prev first"', f'</v1/items?from={start + 3}>; title="a, b"; rel=NEXT']
        headers = {"Link": ", ".join(links[: 2 if start < 6 else 1])}
        return web.json_response(numbers(start, 3, 8), headers=headers)

    key = {"type": "apikey", "key": "api_key", "value": "s3cret", "placement": "query"}
    async with serve_list({"form": "link"}, below="/v1", consumer={"authentication": key}) as offered:
        respond(offered, responder)
        assert (await offered.rest("GET", "/items?limit=100&size=3")).data == [*range(8)]
        assert targets(offered) == [
            "/v1/items?api_key=s3cret&size=3",
            "/v1/items?from=3&api_key=s3cret",
            "/v1/items?from=6&api_key=s3cret",
        ]


@pytest.mark.parametrize("relative", [True, False])
async def test_links_of_bodies_are_followed(relative: bool) -> None:
    def responder(request: web.Request) -> web.Response:
        start = int(request.query.get("from", 0))
        base = "" if relative else str(request.url.origin()) + "/v1/items"
        following = f"{base}?from={start + 3}" if start < 6 else None
        return web.json_response({"value": numbers(start, 3, 8), "nextLink": following})

    async with serve_list({"form": "link", "items": "$.value", "next": "$.nextLink"}, below="/v1") as offered:
        respond(offered, responder)
        assert (await offered.rest("GET", "/items?limit=100")).data == {"value": [*range(8)], "nextLink": None}
        assert targets(offered) == ["/v1/items", "/v1/items?from=3", "/v1/items?from=6"]


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("http://127.0.0.1:9/v1/items", "has another origin"),
        ("https://{host}/v1/items", "has another origin"),
        ("//evil.test/v1/items", "has another origin"),
        ("http://user:pass@{host}/v1/items", "has another origin"),
        ("/v2/items", "outside of the base URL"),
        ("/v1/../admin", "outside of the base URL"),
        ("/v1/%2e%2e/admin", "outside of the base URL"),
        ("http://[", "invalid"),
        ("/v1/" + "x" * 9_000, "longer than 8192"),
    ],
)
async def test_links_that_leave_the_base_are_refused(link: str, message: str) -> None:
    def responder(request: web.Request) -> web.Response:
        return web.json_response({"value": [1], "next": link.replace("{host}", request.host)})

    async with serve_list({"form": "link", "items": "$.value", "next": "$.next"}, below="/v1") as offered:
        respond(offered, responder)
        response = await offered.tool("list", {"limit": 5})
        assert response.failed
        assert message in response.text
        assert "page 2 of 'api.list'" in response.text
        assert len(offered.api.seen) == 1


async def test_a_repeated_cursor_is_an_error() -> None:
    async with serve_list(CURSOR) as offered:
        offered.respond_with({"data": [1, 2], "next": "same"})
        response = await offered.tool("list", {"limit": 10})
        assert response.failed
        assert "page 2 of 'api.list': the upstream repeats a cursor of an earlier page" in response.text
        assert "(4 items of the pages before read, none returned)" in response.text
        assert len(offered.api.seen) == 2


async def test_an_error_of_a_later_page_names_it() -> None:
    def responder(request: web.Request) -> web.Response:
        if request.query.get("cursor") == "6":
            return web.json_response({"error": "slow down"}, status=429, headers={"Retry-After": "1"})
        return by_cursor(20)(request)

    async with serve_list(CURSOR) as offered:
        respond(offered, responder)
        response = await offered.tool("list", {"limit": 20})
        assert response.failed
        expected = "page 3 of 'api.list': the upstream returned 429 (6 items of the pages before read, none returned)"
        assert expected in response.text
        first = await offered.rest("GET", "/items?limit=20&cursor=6")
        assert first.status == 429


async def test_each_page_is_retried_by_itself() -> None:
    failed: set[str] = set()

    def responder(request: web.Request) -> web.Response:
        cursor = request.query.get("cursor", "")
        if cursor in ("", "6") and cursor not in failed:
            failed.add(cursor)
            return web.Response(status=429, headers={"Retry-After": "0"})
        return by_cursor(9)(request)

    policy = {"retry": {"attempts": 2, "backoff": 0.001}}
    async with serve_list(CURSOR, consumer={"x-resilience": policy}) as offered:
        respond(offered, responder)
        assert (await offered.tool("list", {"limit": 20})).data["data"] == [*range(9)]
        assert len(offered.api.seen) == 5


async def test_each_page_is_cached_by_itself() -> None:
    def responder(request: web.Request) -> web.Response:
        response = by_cursor(9)(request)
        response.headers["Cache-Control"] = "max-age=600"
        return response

    async with serve_list(CURSOR, consumer={"x-cache": True}) as offered:
        respond(offered, responder)
        assert (await offered.tool("list", {"limit": 6})).data["data"] == [*range(6)]
        assert (await offered.tool("list", {"limit": 9})).data["data"] == [*range(9)]
        assert len(offered.api.seen) == 3


async def test_the_number_of_pages_is_bounded() -> None:
    def endless(request: web.Request) -> web.Response:
        cursor = int(request.query.get("cursor", 0))
        return web.json_response({"data": [cursor], "next": str(cursor + 1)})

    async with serve_list({**CURSOR, "maxPages": 1000}) as offered:
        respond(offered, endless)
        response = await offered.tool("list", {"limit": 5000})
        assert response.failed
        assert "page 1000 of 'api.list': there are more than 1000 pages; ask for fewer items" in response.text
        assert len(offered.api.seen) == 1000


async def test_the_bytes_of_a_held_list_are_bounded() -> None:
    def large(request: web.Request) -> web.Response:
        cursor = int(request.query.get("cursor", 0))
        return web.json_response({"data": ["x" * 30_000], "next": str(cursor + 1)})

    async with serve_list(CURSOR, settings={"response_limit": 100_000}) as offered:
        respond(offered, large)
        response = await offered.tool("list", {"limit": 50})
        assert "the pages are larger than 100000 bytes; ask for fewer items" in response.text
        assert len(offered.api.seen) == 4


async def test_the_time_for_all_pages_is_bounded() -> None:
    async with serve_list({**CURSOR, "maxTime": 0.2}) as offered:
        never = asyncio.Event()

        async def reply(request: web.Request) -> web.StreamResponse:
            if "cursor" in request.query:
                await never.wait()
            return by_cursor(9)(request)

        offered.api.reply = reply
        response = await offered.tool("list", {"limit": 9})
        assert "page 2 of 'api.list': not all pages arrived within 0.2 s; ask for fewer items" in response.text
        never.set()


async def test_rest_writes_items_as_pages_arrive() -> None:
    release = asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        if "cursor" in request.query:
            await release.wait()
        return by_cursor(5)(request)

    async with serve_list(CURSOR) as offered, aiohttp.ClientSession() as session:
        offered.api.reply = reply
        async with session.get(offered.served.url("site") + "/items?limit=50") as response:
            assert await response.content.readany() == b'{"data":[0,1,2'
            release.set()
            assert await response.content.read() == b',3,4],"kind":"list"}'
            assert response.content_type == "application/json"


async def test_an_error_within_a_stream_ends_the_connection() -> None:
    def responder(request: web.Request) -> web.Response:
        return web.Response(status=500) if "cursor" in request.query else by_cursor(9)(request)

    async with serve_list(CURSOR) as offered:
        respond(offered, responder)
        with pytest.raises(aiohttp.ClientError):
            await offered.rest("GET", "/items?limit=9")


async def test_a_cancelled_call_reads_no_more_pages() -> None:
    second = asyncio.Event()

    async def reply(request: web.Request) -> web.StreamResponse:
        if "cursor" in request.query:
            second.set()
            await asyncio.Event().wait()
        return by_cursor(9)(request)

    async with serve_list(CURSOR) as offered:
        offered.api.reply = reply
        call = asyncio.create_task(offered.served.host.call("api.list", {"limit": 9}))
        await second.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert len(offered.api.seen) == 2


async def test_mappings_and_schemas_see_the_whole_list() -> None:
    made = listing(CURSOR)
    outputs = [{"type": "array", "mapping": "$.data", "items": {"type": "number"}}]
    mapped = resource("/items", {"method": "GET", "call": "api.list", "outputParameters": outputs})
    async with offering(made["resource"], rest=[mapped]) as offered:
        respond(offered, by_cursor(7))
        assert (await offered.rest("GET", "/items?limit=50")).data == [*range(7)]


async def test_steps_and_declared_inputs_set_the_limit() -> None:
    made = listing(CURSOR)
    steps = [{"type": "call", "name": "all", "call": "api.list", "with": {"limit": 5}}]
    outputs = [{"type": "array", "mapping": "$.all.data"}]
    stepped = tool("stepped", steps=steps, outputParameters=outputs)
    declared = tool("declared", call="api.list", inputParameters=[given("limit", type="integer", required=True)])
    fixed = tool("fixed", call="api.list", inputParameters=[], **{"with": {"limit": 4}})
    async with offering(made["resource"], tools=[stepped, declared, fixed]) as offered:
        respond(offered, by_cursor(7))
        assert (await offered.tool("declared", {"limit": 5})).data["data"] == [*range(5)]
        assert (await offered.tool("fixed")).data["data"] == [*range(4)]
        schema = (await offered.tools())["declared"]["inputSchema"]
        assert schema["required"] == ["limit"]
        assert schema["properties"]["limit"]["maximum"] == 10_000


async def test_limits_are_checked() -> None:
    async with serve_list({**CURSOR, "maxItems": 50}) as offered:
        for limit in ("0", "51", "many"):
            assert (await offered.rest("GET", f"/items?limit={limit}")).status == 400
        assert not offered.api.seen


def problems_of(pagination: Data, **keys: Any) -> list[str]:
    """Return the problems of a document with a declaration."""
    declared = operation(**{"name": "list", "inputParameters": INPUTS, "x-pagination": pagination, **keys})
    rest = [resource("/items", {"method": "GET", "call": "api.list"})]
    with pytest.raises(ProblemsError) as raised:
        Host(document("http://api.test", [resource("/items", declared)], rest=rest))
    return [problem.message for problem in raised.value.problems]


@pytest.mark.parametrize(
    ("pagination", "keys", "message"),
    [
        (CURSOR, {"method": "POST"}, "the operation sends POST, which may change something; set 'readOnly: true'"),
        (CURSOR, {"method": "HEAD"}, "a response to HEAD has no items; use GET"),
        (CURSOR, {"outputRawFormat": "binary"}, "responses of binary data or events have no pages"),
        ({**CURSOR, "input": "curser"}, {}, "the operation has no input 'curser'; did you mean 'cursor'?"),
        ({**PAGE, "pageSize": {"input": "no", "value": 1}}, {}, "the operation has no input 'no'"),
        ({**CURSOR, "limitInput": "size"}, {}, "the operation has an input 'size' already"),
        ({**CURSOR, "until": "$.id", "untilInput": "limit"}, {}, "'limitInput' and 'untilInput' are the same name"),
        ({**CURSOR, "items": "$..data"}, {}, "'items' must be a path of names"),
        ({"form": "cursor", "input": "cursor"}, {}, "the form 'cursor' needs 'next'"),
        ({"form": "page"}, {}, "the form 'page' needs the 'input'"),
        ({"form": "link", "input": "cursor"}, {}, "the form 'link' has no 'input'"),
        ({**CURSOR, "total": "$.total"}, {}, "the form 'cursor' has no 'total'"),
        ({**CURSOR, "nxt": "$.next"}, {}, "unknown key 'nxt'; did you mean 'next'?"),
    ],
)
def test_wrong_declarations_are_problems(pagination: Data, keys: Data, message: str) -> None:
    assert any(message in problem for problem in problems_of(pagination, **keys))


def test_clashing_inputs_are_problems_at_both_places(tmp_path: Path) -> None:
    made = listing({**CURSOR, "limitInput": "size"})
    file = tmp_path / "capability.yaml"
    file.write_text(yaml.safe_dump(document("http://api.test", [made["resource"]], rest=made["rest"]), sort_keys=False))
    with pytest.raises(ProblemsError) as raised:
        Host(file)
    at_input, at_key = raised.value.problems
    assert "'x-pagination' of the operation offers callers an input 'size', too" in at_input.message
    assert f"the operation has an input 'size' already at {file}:{at_input.line}" in at_key.message
    lines = file.read_text().splitlines()
    assert "name: size" in lines[at_input.line - 1]
    assert "limitInput: size" in lines[at_key.line - 1]


def test_an_input_with_two_meanings_is_a_problem() -> None:
    made = listing(CURSOR)
    exposed = {"method": "GET", "call": "api.list", "inputParameters": [given("limit", "query")]}
    rest = [resource("/items", {**exposed, "with": {"size": "{{limit}}"}})]
    with pytest.raises(ProblemsError) as raised:
        Host(document("http://api.test", [made["resource"]], rest=rest))
    (problem,) = raised.value.problems
    assert "'limit' is the input 'size' of 'api.list', and also its 'x-pagination' input 'limit'" in problem.message


def test_searches_by_post_are_paged_if_they_only_read() -> None:
    declared = operation("list", "POST", inputParameters=INPUTS, **{"x-pagination": {**CURSOR, "readOnly": True}})
    rest = [resource("/items", {"method": "GET", "call": "api.list"})]
    Host(document("http://api.test", [resource("/items", declared)], rest=rest))


@pytest.mark.parametrize(
    "pagination",
    [
        {"form": "link"},
        {"form": "link", "items": "$.data", "next": "$.next"},
        {**CURSOR, "pageSize": {"input": "size", "value": 2}},
        {**PAGE, "pageSize": {"input": "size", "value": 2}},
        {**OFFSET, "pageSize": {"input": "size", "value": 2}, "total": "$.total"},
    ],
    ids=["link", "link in the body", "cursor", "page", "offset"],
)
async def test_the_mock_server_has_pages(pagination: Data) -> None:
    items = [*range(5)]
    path = pagination.get("items", "$")
    example = {"data": items, "next": None, "total": 0} if path == "$.data" else items
    if pagination["form"] == "link":
        pagination = {**pagination, "pageSize": {"input": "size", "value": 2}}
    made = listing(pagination, **{"x-example": example})
    data = document("http://api.test", [made["resource"]], rest=made["rest"])
    async with running(data, mock=True) as served, aiohttp.ClientSession() as session:
        url = served.url("site") + "/items"
        first = (await send(session, "GET", url + "?size=2")).data
        assert (first if path == "$" else first["data"]) == [0, 1]
        merged = (await send(session, "GET", url + "?limit=50")).data
        assert (merged if path == "$" else merged["data"]) == items
