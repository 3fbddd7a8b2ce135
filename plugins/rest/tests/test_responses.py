from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientError, ClientPayloadError

from adapter_host import (
    ArgumentError,
    InternalError,
    NotFoundError,
    OperationError,
    RefusedError,
    Result,
    UnavailableError,
    UpstreamDisconnectedError,
    UpstreamError,
    UpstreamIncompleteError,
    UpstreamInvalidError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)

READ = {"name": "read", "method": "GET", "path": "/r", "inputParameters": [{"name": "x", "in": "query"}]}


def raising(error: BaseException) -> Any:
    def fail(_: dict[str, Any]) -> Any:
        raise error

    return fail


def returning(result: Any) -> Any:
    return lambda _: result


async def test_result_status_type_and_body_are_sent_unchanged(serve: Any) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = returning(Result(status=201, media_type="text/csv", body=b"a;b"))
        response = await api("GET", "/r")
        assert (response.status, response.headers["Content-Type"], response.body) == (201, "text/csv", b"a;b")
        assert response.headers["Server"] == "adapter-host"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert len(response.headers["X-Request-Id"]) == 16


@pytest.mark.parametrize("status", [204, 205])
async def test_bodiless_statuses(serve: Any, status: int) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = returning(Result(status=status, body=b"ignored"))
        response = await api("GET", "/r")
        assert (response.status, response.body) == (status, b"")
        assert "Content-Type" not in response.headers


async def test_forwarded_upstream_headers(serve: Any) -> None:
    passed = {
        "Content-Disposition": "attachment",
        "ETag": '"1"',
        "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        "Link": "</r?page=2>; rel=next",
        "Location": "/r/1",
        "Retry-After": "3",
        "X-Total-Count": "9",
        "RateLimit-Remaining": "1",
        "X-RateLimit-Limit": "5",
        "X-Rate-Limit-Reset": "9",
        "Age": "4",
        "CDN-Cache-Control": "no-store",
        "Cache-Control": "no-store, private",
        "Content-Language": "da",
        "Deprecation": "@1688169599",
        "Expires": "Mon, 01 Jan 2024 00:00:00 GMT",
        "Sunset": "Sun, 30 Jun 2030 23:59:59 GMT",
        "Vary": "Accept-Language",
    }
    kept_back = {"Set-Cookie": "a=b", "X-Internal": "1", "Connection": "close", "Content-Length": "999"}
    async with serve(READ) as api:
        api.up.responses["read"] = returning(Result(data=1, headers={**passed, **kept_back}))
        response = await api("GET", "/r")
        assert {name: response.headers.get(name) for name in passed} == passed
        assert not {"Set-Cookie", "X-Internal", "Connection"} & set(response.headers)
        assert response.body == b"1"


async def test_head_response_has_no_body(serve: Any) -> None:
    async with serve(READ) as api:
        response = await api("HEAD", "/r?x=abc")
        assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"", "11")
        assert api.up.calls == [("read", {"x": "abc"})]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ArgumentError("x", "'x' is odd"), 400),
        (RefusedError("not you"), 403),
        (NotFoundError("no such thing"), 404),
        (InternalError(), 500),
        (OperationError(), 500),
        (UnavailableError("draining"), 503),
        (UpstreamError("it failed"), 502),
        (UpstreamUnreachableError("no connection"), 502),
        (UpstreamDisconnectedError("no response"), 502),
        (UpstreamIncompleteError("half a response"), 502),
        (UpstreamInvalidError("no JSON"), 502),
        (UpstreamTimeoutError("no response"), 504),
        (UpstreamTimeoutError("no response", sent=True), 504),
        (UpstreamTimeoutError("no connection", sent=False), 504),
    ],
)
async def test_errors_are_problem_json(
    serve: Any, error: OperationError, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = raising(error)
        response = await api("GET", "/r?x=private")
    assert (response.status, response.headers["Content-Type"]) == (status, "application/problem+json")
    request_id = response.headers["X-Request-Id"]
    expected = {
        "type": "about:blank",
        "title": error.title,
        "status": status,
        "detail": error.message,
        "request_id": request_id,
    }
    if isinstance(error, ArgumentError):
        expected["parameter"] = "x"
    if isinstance(error, UpstreamError) and error.sent is not None:
        expected["sent"] = error.sent
    assert response.data == expected
    assert response.headers["Server"] == "adapter-host"
    logged = [r.getMessage() for r in caplog.records if r.name == "adapter_host.rest"]
    assert logged == ([f"request {request_id}: read: {error.message}"] if status >= 500 else [])


async def test_unavailable_has_retry_after(serve: Any) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = raising(UnavailableError())
        response = await api("GET", "/r")
        assert (response.headers["Retry-After"], response.headers["Connection"]) == ("1", "close")


@pytest.mark.parametrize(("status", "logged"), [(302, 0), (404, 0), (429, 0), (503, 1), (599, 1)])
async def test_upstream_error_is_passed_through(
    serve: Any, status: int, logged: int, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Retry-After": "7", "Set-Cookie": "a=b", "Location": "http://127.0.0.1:9/"}
    async with serve(READ) as api:
        api.up.responses["read"] = raising(UpstreamStatusError(status, b"<no/>", "text/xml", headers))
        response = await api("GET", "/r", allow_redirects=False)
    assert (response.status, response.body, response.headers["Content-Type"]) == (status, b"<no/>", "text/xml")
    assert response.headers["Retry-After"] == "7"
    assert "Set-Cookie" not in response.headers
    request_id = response.headers["X-Request-Id"]
    messages = [r.getMessage() for r in caplog.records if r.name == "adapter_host.rest"]
    assert len(messages) == logged
    for message in messages:
        assert message.startswith(f"request {request_id}: read: ")
        assert message.endswith(str(status))


async def test_upstream_error_without_body(serve: Any) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = raising(UpstreamStatusError(304, headers={"ETag": '"1"'}))
        response = await api("GET", "/r")
        assert (response.status, response.body, response.headers["ETag"]) == (304, b"", '"1"')


async def test_unexpected_exception_is_only_logged(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = raising(KeyError("details"))
        response = await api("GET", "/r")
    assert (response.status, response.headers["Content-Type"]) == (500, "application/problem+json")
    assert b"details" not in response.body
    (record,) = [r for r in caplog.records if r.name == "adapter_host.rest"]
    assert response.headers["X-Request-Id"] in record.getMessage()
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


class Stream:
    """A stream of chunks; an exception among them is raised after `go_on`."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = chunks
        self.go_on = asyncio.Event()
        self.closed = asyncio.Event()

    async def read(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                if isinstance(chunk, Exception):
                    await self.go_on.wait()
                    raise chunk
                yield chunk
        finally:
            self.closed.set()

    def result(self, **headers: str) -> Result:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return Result(media_type="text/plain", stream=self.read(), headers=given)


async def test_stream_is_relayed(serve: Any) -> None:
    async with serve(READ) as api:
        stream = Stream(b"one", b"two")
        api.up.responses["read"] = returning(stream.result(ETag='"s"'))
        response = await api("GET", "/r")
        assert (response.body, response.headers["Transfer-Encoding"]) == (b"onetwo", "chunked")
        assert (response.headers["Content-Type"], response.headers["ETag"]) == ("text/plain", '"s"')
        assert stream.closed.is_set()


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({"Content_Length": "6"}, "6"),
        ({"Content_Length": "4", "Content_Encoding": "gzip"}, None),
        ({"Content_Length": "-6"}, None),
    ],
)
async def test_stream_content_length(serve: Any, headers: dict[str, str], length: str | None) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = lambda _: Stream(b"one", b"two").result(**headers)
        response = await api("GET", "/r")
        assert (response.body, response.headers.get("Content-Length")) == (b"onetwo", length)
        head = await api("HEAD", "/r")
        assert (head.body, head.headers.get("Content-Length")) == (b"", length)


async def test_stream_of_a_head_request_is_closed(serve: Any) -> None:
    async with serve(READ) as api:
        stream = Stream(b"one")
        source = stream.read()
        api.up.responses["read"] = returning(Result(stream=source))
        assert (await api("HEAD", "/r")).body == b""
        assert [chunk async for chunk in source] == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (UpstreamUnreachableError("it broke"), "it broke; the request was not sent"),
        (ValueError("private"), "ValueError"),
    ],
)
async def test_broken_stream_aborts_the_connection(
    serve: Any, error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(READ) as api:
        stream = Stream(b"one", error)
        api.up.responses["read"] = returning(stream.result())
        async with api.session.get(f"{api.url}/r") as response:
            assert await response.content.readexactly(3) == b"one"
            stream.go_on.set()
            with pytest.raises((ClientPayloadError, ClientError, ConnectionError)):
                await response.read()
        await stream.closed.wait()
    (record,) = [r for r in caplog.records if r.name == "adapter_host.rest"]
    assert ": read: " in record.getMessage()
    assert record.getMessage().endswith(f": {reason}")


async def test_stream_shorter_than_content_length_aborts_the_connection(serve: Any) -> None:
    async with serve(READ) as api:
        api.up.responses["read"] = returning(Stream(b"one").result(Content_Length="6"))
        with pytest.raises((ClientError, ConnectionError)):
            await api("GET", "/r")


async def test_stream_is_closed_when_the_client_disconnects(serve: Any) -> None:
    async with serve(READ) as api:
        stream = Stream(b"one", UpstreamUnreachableError())
        api.up.responses["read"] = returning(stream.result())
        response = await api.session.get(f"{api.url}/r")
        assert await response.content.readexactly(3) == b"one"
        response.close()
        await stream.closed.wait()


async def test_drain_waits_for_calls_in_flight(serve: Any) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: dict[str, Any]) -> str:
        entered.set()
        await go_on.wait()
        return "done"

    async with serve(READ) as api:
        api.up.responses["read"] = wait
        call = asyncio.create_task(api("GET", "/r"))
        await entered.wait()
        drained = asyncio.create_task(api.host.drain())
        go_on.set()
        assert (await call).data == "done"
        await drained
