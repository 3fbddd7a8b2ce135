"""Short runs of the fuzzers, which always send the same, and what the fuzzers notice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from aiohttp import web

from . import run
from .requests import Request
from .responses import IncompleteResponseError, MalformedResponseError, read_response
from .server import responses, serving

SHORT = 40
"""Examples of a short run."""

LIVE = b"GET /things/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("name", run.MODULES)
def test_short_run(name: str) -> None:
    with run.open_fuzzer(name) as fuzz:
        fuzz(seed=1, examples=SHORT)


class Counting:
    """A fuzzer that fails with the third seed from 7 on."""

    def __init__(self) -> None:
        self.seeds: list[int] = []

    def __call__(self, seed: int, examples: int) -> None:
        self.seeds.append(seed)
        assert seed < 9, f"one of {examples}"

    @contextmanager
    def open_fuzzer(self) -> Iterator[run.Fuzzer]:
        yield self


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    fuzzer = Counting()
    monkeypatch.setitem(sys.modules, "counting", SimpleNamespace(open_fuzzer=fuzzer.open_fuzzer))
    monkeypatch.setattr(run, "MODULES", {"counting": "counting"})
    return fuzzer


def test_run_is_bounded_by_time(counting: Counting, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--seconds", "0", "--seed", "7"]) == 0
    assert counting.seeds == [7]
    assert capsys.readouterr().out == "counting: 100 examples without a failure (first seed: 7)\n"


def test_failure_names_its_seed(counting: Counting, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["counting", "--seconds", "3600", "--seed", "7"]) == 1
    output = capsys.readouterr()
    assert counting.seeds == [7, 8, 9]
    assert "'counting --seed 9 --seconds 0'" in output.out
    assert "one of 100" in output.err


def test_unknown_fuzzer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["clients"])
    assert "unknown fuzzer 'clients'" in capsys.readouterr().err


async def test_server_errors_are_noticed() -> None:
    async def fail(_: web.Request) -> web.Response:
        return web.Response(status=503)

    async with serving(fail) as target:
        with pytest.raises(AssertionError, match="503"):
            await target.check(Request("forward", (LIVE.replace(b"/things", b"/forward"),), complete=True))


async def test_host_that_no_longer_serves_is_noticed() -> None:
    async def fail(_: web.Request) -> web.Response:
        return web.Response(status=418)

    async with serving(fail) as target:
        with pytest.raises(AssertionError, match="418"):
            await target.check(Request("control", (LIVE.replace(b"/things/1", b"/status"),), complete=True))


async def test_second_response_is_noticed() -> None:
    async with serving() as target:
        request = Request("rest", (LIVE.replace(b"close", b"keep-alive"), LIVE), complete=True)
        with pytest.raises(AssertionError):
            await target.check(request)
        await target.check(Request("rest", request.pieces, complete=False))


@pytest.mark.parametrize(
    ("data", "status", "body", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP", 200, b"ab", b"HTTP"),
        (b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n0\r\n\r\nc", 200, b"ab", b"c"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", b""),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", 200, b"to the end", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP", 100, b"", b"HTTP"),
    ],
)
def test_well_formed_response(data: bytes, status: int, body: bytes, rest: bytes) -> None:
    response, after = read_response(data, to_head=False, closed=True)
    assert (response.status, response.body, after) == (status, body, rest)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: x\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxy\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_malformed_response(data: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        read_response(data, to_head=False, closed=True)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2",
    ],
)
def test_incomplete_response(data: bytes) -> None:
    with pytest.raises(IncompleteResponseError):
        read_response(data, to_head=False, closed=True)
    with pytest.raises(IncompleteResponseError):
        responses(data, Request("rest", (LIVE,), complete=False), closed=False)
