"""Responses that are slow to convert: the rest of the host goes on, and ends when it should."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.host_process import HostProcess, host_process
from tests.support.raw_http import CLOSE, Connection, connect, exchange, raw_upstream, response, status_of

ATTRIBUTES = b"<table " + b" ".join(b"a%d=1" % number for number in range(150_000)) + b">"
SLOW_PAGE = b"<table><tr><th>a</table>" + b"<p>" * 100_000
ROWS = b"a,b\n" + b"1,2\n" * 30_000

DOCUMENT = """
naftiko: 1.0.0-alpha2
info: {{label: Pages}}
capability:
  consumes:
    - type: http
      namespace: pages
      baseUri: {url}
      resources:
        - {{path: /attributes, operations: [{{name: attributes, method: GET, outputRawFormat: html}}]}}
        - path: /slow
          operations: [{{name: slow, method: GET, outputRawFormat: html, outputSchema: p ~ p ~ table}}]
    - type: http
      namespace: tables
      baseUri: {url}
      resources:
        - {{path: /rows, operations: [{{name: rows, method: GET, outputRawFormat: csv}}]}}
  exposes:
    - type: rest
      namespace: front
      port: 0
      resources:
        - {{path: /attributes, operations: [{{method: GET, call: pages.attributes}}]}}
        - {{path: /slow, operations: [{{method: GET, call: pages.slow}}]}}
        - {{path: /rows, operations: [{{method: GET, call: tables.rows}}]}}
    - {{type: skill, namespace: skills, port: 0, skills: [{{name: a, description: d, location: "file:///./skill"}}]}}
    - {{type: control, port: 0, management: {{reload: true, validate: true}}}}
"""


class Pages:
    """An API of hostile pages; `sent` counts them."""

    def __init__(self) -> None:
        self.sent = asyncio.Semaphore(0)

    async def serve(self, connection: Connection) -> None:
        while True:
            head, _ = await connection.read_request()
            path = head.split()[1]
            body, media_type = {
                b"/attributes": (ATTRIBUTES, b"text/html"),
                b"/slow": (SLOW_PAGE, b"text/html"),
                b"/rows": (ROWS, b"text/csv"),
            }[path]
            await connection.send(response(body).replace(b"application/json", media_type, 1))
            self.sent.release()


def get(path: str, method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/1.1\r\n".encode() + CLOSE + b"Content-Length: 0\r\n\r\n"


async def check_others(host: HostProcess) -> None:
    """Check that everything else is served: a large conversion of another API, a file, a validation and a reload."""
    for namespace, request in (
        ("front", get("/rows")),
        ("skills", get("/skills/a/contents/SKILL.md")),
        ("control", get("/config/validate", "POST")),
        ("control", get("/config/reload", "POST")),
    ):
        assert status_of(await exchange(host.port(namespace), request, seconds=50)) == 200


def write_skill(folder: Path) -> None:
    (folder / "skill").mkdir()
    (folder / "skill/SKILL.md").write_text("hello")


@pytest.mark.parametrize("path", ["/attributes", "/slow"])
async def test_slow_conversions_whose_callers_have_left(tmp_path: Path, path: str) -> None:
    """They took every thread of the default executor, for minutes, and SIGTERM waited for them."""
    write_skill(tmp_path)
    pages = Pages()
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(raw_upstream(pages.serve))
        host = await stack.enter_async_context(host_process(tmp_path, DOCUMENT.format(url=upstream.url)))
        async with AsyncExitStack() as callers:
            for _ in range(8):
                caller = await callers.enter_async_context(connect(host.port("front")))
                await caller.send(get(path))
                await pages.sent.acquire()
            # The host has read the pages when it has handled further requests.
            for _ in range(20):
                assert status_of(await exchange(host.port("front"), get("/nowhere"))) == 404
        await check_others(host)
        assert await host.terminate() == 0


async def test_slow_conversions_whose_callers_wait(tmp_path: Path) -> None:
    write_skill(tmp_path)
    pages = Pages()
    async with raw_upstream(pages.serve) as upstream, AsyncExitStack() as stack:
        options = ("--conversion-timeout", "40", "--drain-timeout", "1")
        host = await stack.enter_async_context(host_process(tmp_path, DOCUMENT.format(url=upstream.url), *options))
        for _ in range(8):
            caller = await stack.enter_async_context(connect(host.port("front")))
            await caller.send(get("/slow"))
            await pages.sent.acquire()
        await check_others(host)
        assert await host.terminate() == 0


async def test_slow_conversion_has_a_timeout(tmp_path: Path) -> None:
    write_skill(tmp_path)
    async with raw_upstream(Pages().serve) as upstream:
        options = ("--conversion-timeout", "0.3")
        async with host_process(tmp_path, DOCUMENT.format(url=upstream.url), *options) as host:
            rejected = await exchange(host.port("front"), get("/slow"))
            assert status_of(rejected) == 502
            assert b"cannot be converted from HTML in time" in rejected
            # The log is written in a thread; all of it is written when the process has ended.
            assert await host.terminate() == 0
            assert "a conversion of 300024 bytes was ended after 0.3 s" in host.log
