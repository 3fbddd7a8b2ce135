"""Conversions of hostile responses: linear in their size, limited, and ended with their call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from adapter_host import UnavailableError, UpstreamInvalidError, UpstreamTimeoutError
from adapter_host_http.formats.convert import IN_PLACE

MEBIBYTE = 1024 * 1024

SLOW_PAGE = b"<table><tr><th>a</table>" + b"<p>" * 100_000
"""A page on which `SLOW_SELECTOR` takes quadratic time, whatever evaluates it."""
SLOW_SELECTOR = "p ~ p ~ table"

CSV = "a,b\n" + "1,2\n" * IN_PLACE

CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children")


def child_processes() -> set[str]:
    return set(CHILDREN.read_text().split())


def repeated(unit: str, size: int = MEBIBYTE) -> str:
    return unit * (size // len(unit))


def numbered(text: str, count: int) -> str:
    return "".join(text.format(number) for number in range(count))


def sending(body: str | bytes, content_type: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def reply(_: web.Request) -> web.Response:
        headers = {"Content-Type": content_type}
        return web.Response(body=body if isinstance(body, bytes) else body.encode(), headers=headers)

    return reply


@pytest.mark.parametrize(
    ("raw_format", "body"),
    [
        ("html", f"<table {numbered('a{}=1 ', 150_000)}>"),
        ("html", f"<table><tr><th>a<tr><td {numbered('a{}=1 ', 150_000)}>"),
        ("html", "<table><tr><th>a<tr><td>" * 60 + repeated("<b>x</b>", 3 * MEBIBYTE)),
        ("markdown", "|a|\n|-|\n" + repeated("|1|\n")),
        ("markdown", repeated("|a|\n|-|\n|1|\n\n")),
        ("markdown", f"|{'a|' * 100_000}\n|{'-|' * 100_000}\n" + repeated("|\n")),
        ("markdown", repeated("* a\n", 2 * MEBIBYTE)),
        ("markdown", repeated("[" * 9000 + "\n\n")),
        ("markdown", repeated("![[" * 3000 + "\n\n", 2 * MEBIBYTE)),
        ("markdown", repeated("[a](" * 2400 + "\n\n", 2 * MEBIBYTE)),
        ("markdown", repeated("|a|\n|-|\n|" + "[" * 9000 + "|\n\n", 2 * MEBIBYTE)),
        ("yaml", "- &x {a: 1}\n- {" + numbered("k{}: 1,", 100_000) + repeated("<<: *x,") + "}\n"),
        ("yaml", numbered("%TAG !a{}! b\n", 130_000) + "---\na"),
    ],
    ids=[
        *("attributes", "attributes of a cell", "tables in tables", "rows", "tables", "empty cells", "lists"),
        *("brackets", "images", "links", "brackets in cells", "merge keys", "tag directives"),
    ],
)
async def test_hostile_responses_take_linear_time(start: Any, api: Any, raw_format: str, body: str) -> None:
    """Each of them took minutes; the timeout of tests ends this one then."""
    api.reply = sending(body, f"text/{raw_format}")
    host = await start({"outputRawFormat": raw_format}, settings={"conversion_timeout": 1000.0})
    with suppress(UpstreamInvalidError):
        await host()


@pytest.mark.parametrize(
    ("raw_format", "body"),
    [
        ("csv", f"{'a' * 100_000}\n" + "1\n" * 1000),
        ("csv", f"{'a' * IN_PLACE}\n"[-8000:] + "1\n" * 4000),
        ("html", f"<table><tr><th>{'a' * MEBIBYTE}</table>".replace("</table>", "<tr><td>1" * 1000)),
        ("html", "<table><tr><th>a<tr><td>" * 60 + "a" * MEBIBYTE),
        ("markdown", f"|{'a' * MEBIBYTE}|\n|-|\n" + "|1|\n" * 1000),
        ("yaml", f"- &a {'a' * MEBIBYTE}\n- [{'*a ,' * 1000}]\n"),
        ("yaml", f"a0: &a0 {'a' * 8000}\n" + numbered("b{0}: &b{0} [*a0, *a0, *a0]\n", 200)),
        ("yaml", "a0: &a0 [" + "a" * 5000 + "]\n" + "".join(
            f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 8)
        )),
    ],
)  # fmt: skip
async def test_data_is_limited_like_a_json_response(start: Any, api: Any, raw_format: str, body: str) -> None:
    api.reply = sending(body, f"text/{raw_format}")
    host = await start({"outputRawFormat": raw_format}, settings={"response_limit": 4 * MEBIBYTE})
    with pytest.raises(UpstreamInvalidError, match=r"is larger than 4194304 bytes as JSON"):
        await host()


async def test_large_and_small_responses_become_the_same(start: Any, api: Any) -> None:
    host = await start({"outputRawFormat": "csv"})
    for rows in (10, IN_PLACE):
        api.reply = sending("a,b\n" + "1,2\n" * rows, "text/csv")
        assert await host() == [{"a": "1", "b": "2"}] * rows


async def test_rejections_of_workers_have_their_reason(start: Any, api: Any) -> None:
    host = await start({"outputRawFormat": "csv"})
    api.reply = sending(CSV + '"', "text/csv")
    with pytest.raises(UpstreamInvalidError, match=r"is not CSV \(received text/csv; line \d+: unexpected end of data"):
        await host()
    api.reply = sending(b"a\n\xff" * IN_PLACE, "text/csv")
    with pytest.raises(UpstreamInvalidError, match=r"is not CSV \(received text/csv\)$"):
        await host()


async def test_conversion_has_a_timeout(start: Any, api: Any, caplog: pytest.LogCaptureFixture) -> None:
    host = await start({"outputRawFormat": "html", "outputSchema": SLOW_SELECTOR}, settings={"conversion_timeout": 0.2})
    api.reply = sending(SLOW_PAGE, "text/html")
    for _ in range(2):
        with pytest.raises(UpstreamInvalidError, match="cannot be converted from HTML in time"):
            await host()
    warnings = [record.message for record in caplog.records if "conversion" in record.message]
    assert warnings == [f"upstream 'api': a conversion of {len(SLOW_PAGE)} bytes was ended after 0.2 s"]


async def test_conversion_is_part_of_the_call(start: Any, api: Any) -> None:
    host = await start({"outputRawFormat": "html", "outputSchema": SLOW_SELECTOR}, **{"x-timeout": {"total": 1}})
    api.reply = sending(SLOW_PAGE, "text/html")
    with pytest.raises(
        UpstreamTimeoutError,
        match=r"^the response of the upstream 'api' was not converted within 1 s; the request was sent$",
    ):
        await host()


async def test_conversion_ends_after_its_caller_has_left(start: Any, api: Any) -> None:
    """With one worker, another conversion runs only after that of the caller."""
    settings = {"conversion_workers": 1}
    host = await start({"outputRawFormat": "html", "outputSchema": SLOW_SELECTOR}, settings=settings)
    responded = asyncio.Event()

    async def reply(request: web.Request) -> web.Response:
        responded.set()
        return await sending(SLOW_PAGE, "text/html")(request)

    api.reply = reply
    for _ in range(3):
        call = asyncio.create_task(host())
        await responded.wait()
        responded.clear()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    api.reply = sending(b"<table><tr><th>a<tr><td>1</table>" * 1000, "text/html")
    assert (await host())["tables"] == []


async def test_busy_workers_are_reported(start: Any, api: Any) -> None:
    settings = {"conversion_workers": 1, "conversion_timeout": 0.5}
    host = await start({"outputRawFormat": "html", "outputSchema": SLOW_SELECTOR}, settings=settings)
    api.reply = sending(SLOW_PAGE, "text/html")
    errors = await asyncio.gather(*(host() for _ in range(6)), return_exceptions=True)
    assert all(isinstance(error, UpstreamInvalidError | UnavailableError) for error in errors)
    assert len({type(error) for error in errors}) == 2


@pytest.mark.skipif(not CHILDREN.exists(), reason="the children of a process are not listed here")
async def test_processes_end_with_the_host(start: Any, api: Any) -> None:
    before = child_processes()
    host = await start({"outputRawFormat": "csv"})
    api.reply = sending(CSV, "text/csv")
    assert child_processes() == before
    await host()
    (worker,) = child_processes() - before
    await host.host.reload()
    await host()
    assert child_processes() - before == {worker}
    await host.host.stop()
    assert child_processes() == before
    async with host.host:
        assert len(await host()) == IN_PLACE
