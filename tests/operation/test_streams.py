"""Streams of results: bytes or items, their ends, and copies of results."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from adapter_host import MAX_JSON_DEPTH, Result, UpstreamError, UpstreamInvalidError, UpstreamTimeoutError
from adapter_host.operation.event_streams import JSON_LINES, event_format
from adapter_host.operation.item_streams import ItemStream, map_events
from adapter_host.operation.streams import ObservedStream

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"


class Source:
    """A stream of chunks or items that counts how often it was closed; an exception among them is raised."""

    def __init__(self, *chunks: Any) -> None:
        self.chunks = list(chunks)
        self.closed = 0

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if not self.chunks:
            raise StopAsyncIteration
        chunk = self.chunks.pop(0)
        if isinstance(chunk, BaseException):
            raise chunk
        return chunk

    async def aclose(self) -> None:
        self.closed += 1


class Ends:
    """A callback that records what it receives."""

    def __init__(self) -> None:
        self.seen: list[BaseException | None] = []

    def __call__(self, error: BaseException | None) -> None:
        self.seen.append(error)


def observed(result: Result) -> Ends:
    ends = Ends()
    result.on_end(ends)
    return ends


async def read(result: Result) -> bytes:
    assert result.stream is not None
    return b"".join([chunk async for chunk in result.stream])


async def items_of(result: Result) -> list[Any]:
    return [item async for item in result.iter_items()]


# The end of a stream


async def test_end_of_a_stream_that_is_read() -> None:
    result = Result(stream=Source(b"a", b"b"))
    ends = observed(result)
    assert result.stream is not None
    assert await anext(result.stream) == b"a"
    assert ends.seen == []
    assert await read(result) == b"b"
    await result.stream.aclose()
    assert ends.seen == [None]


async def test_end_of_a_stream_that_fails() -> None:
    failure = UpstreamTimeoutError("too slow")
    result = Result(stream=Source(b"a", failure))
    ends = observed(result)
    with pytest.raises(UpstreamTimeoutError):
        await read(result)
    assert result.stream is not None
    await result.stream.aclose()
    assert ends.seen == [failure]


async def test_end_of_a_stream_that_is_closed() -> None:
    source = Source(b"a", b"b")
    result = Result(stream=source)
    ends = observed(result)
    assert result.stream is not None
    await anext(result.stream)
    await result.stream.aclose()
    await result.stream.aclose()
    (end,) = ends.seen
    assert isinstance(end, asyncio.CancelledError)
    assert source.closed == 2


async def test_end_of_a_cancelled_read() -> None:
    started = asyncio.Event()

    async def never() -> AsyncIterator[bytes]:
        started.set()
        await asyncio.Event().wait()
        yield b""

    result = Result(stream=never())
    ends = observed(result)
    reading = asyncio.create_task(read(result))
    await started.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert [type(end) for end in ends.seen] == [asyncio.CancelledError]


async def test_every_observer_is_called_once() -> None:
    result = Result(stream=Source(b"a"))
    copied = result.replace(status=201)
    first, second = observed(result), observed(copied)
    await read(copied)
    assert first.seen == second.seen == [None]
    assert observed(result).seen == [None]


async def test_observer_of_a_stream_that_a_plugin_has_set() -> None:
    result = Result(stream=Source(b"a"))
    inner = observed(result)
    outer_source = Source(b"b", UpstreamError("broken"))
    result.stream = outer_source
    outer = observed(result)
    with pytest.raises(UpstreamError):
        await read(result)
    assert inner.seen == []
    assert [str(end) for end in outer.seen] == ["broken"]


async def test_failing_observer_affects_nobody(caplog: pytest.LogCaptureFixture) -> None:
    result = Result(stream=Source(b"a"))

    def fail(_: BaseException | None) -> None:
        raise ValueError("broken observer")

    result.on_end(fail)
    ends = observed(result)
    with caplog.at_level(logging.ERROR):
        assert await read(result) == b"a"
    assert ends.seen == [None]
    assert "broken observer" in caplog.text


@pytest.mark.parametrize("result", [Result(data=[1]), Result(body=b"x"), Result()])
def test_result_without_a_stream_has_no_end(result: Result) -> None:
    assert observed(result).seen == []
    assert result.stream is None


async def test_end_of_a_held_stream() -> None:
    result = Result(stream=Source(b"[1,", b"2]"))
    ends = observed(result)
    assert (await result.hold(5)).data == [1, 2]
    assert ends.seen == [None]


@pytest.mark.parametrize("faster", [False, True])
async def test_end_of_a_stream_that_is_too_large_to_hold(faster: bool) -> None:
    async def hold(limit: int) -> bytes:
        raise UpstreamInvalidError(f"the upstream response is larger than {limit} bytes")

    source = Source(b"123", b"456")
    result = Result(stream=source, hold=hold if faster else None)
    ends = observed(result)
    with pytest.raises(UpstreamInvalidError, match="larger than 5 bytes"):
        await result.hold(5)
    assert [str(end) for end in ends.seen] == ["the upstream response is larger than 5 bytes"]
    assert source.closed == 1


async def test_end_of_a_stream_that_is_held_in_a_faster_way() -> None:
    async def hold(_: int) -> bytes:
        return b"[3]"

    source = Source(b"[1,", b"2]")
    result = Result(stream=source, hold=hold)
    ends = observed(result)
    assert (await result.hold(5)).data == [3]
    assert (ends.seen, source.closed) == ([None], 1)


# Items


@pytest.mark.parametrize("kind", ["stream", "items"])
async def test_content_of_a_stream_that_is_not_held(kind: str) -> None:
    result = Result(stream=parts_of(b"[7]")) if kind == "stream" else Result(items=parts_of(7))
    for read in (lambda: result.data, lambda: result.body):
        with pytest.raises(RuntimeError, match="the result is a stream; read 'stream' or"):
            read()
    assert (await result.hold(100)).data == [7]


async def parts_of(part: Any) -> AsyncIterator[Any]:
    yield part


async def test_items_are_lines_of_json_to_readers_of_bytes() -> None:
    source = Source({"a": 1}, [2.5, None], "x\ny")
    result = Result(items=source)
    ends = observed(result)
    assert (result.media_type, result.status, result.holds_data) == (NDJSON, 200, False)
    assert await read(result) == b'{"a":1}\n[2.5,null]\n"x\\ny"\n'
    assert ends.seen == [None]


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [(SSE, b"data: 1\n\ndata: 2\n\n"), ("application/json-seq", b"\x1e1\n\x1e2\n"), ("application/jsonl", b"1\n2\n")],
)
async def test_items_in_a_declared_format(media_type: str, expected: bytes) -> None:
    result = Result(items=Source(1, 2), media_type=media_type)
    assert (result.media_type, await read(result)) == (media_type, expected)


async def test_items_are_passed_on_as_they_are() -> None:
    first = {"a": object()}
    source = Source(first, 2)
    result = Result(items=source)
    ends = observed(result)
    assert await items_of(result) == [first, 2]
    assert ends.seen == [None]


@pytest.mark.parametrize(
    ("media_type", "chunks", "expected"),
    [
        (
            SSE,
            [b'event: x\ndata: {"a":', b"1}\n\n: comment\n\ndata: 2\n\n", b"data: [DONE]\n\n"],
            [{"a": 1}, 2, "[DONE]"],
        ),
        (f"{SSE}; charset=utf-8", [b"data: one\ndata: two\n\n"], ["one\ntwo"]),
        (NDJSON, [b'{"a":1}\n\n2', b"\n3"], [{"a": 1}, 2, 3]),
        ("application/json-seq", [b"\x1e1\n\x1e[2", b"]\n"], [1, [2]]),
        (NDJSON, [], []),
        (NDJSON, [b"12345678901234567890123\n0.10\n"], [12345678901234567890123, 0.1]),
    ],
    ids=str,
)
async def test_items_of_bytes(media_type: str, chunks: Sequence[bytes], expected: list[Any]) -> None:
    source = Source(*chunks)
    result = Result(stream=source, media_type=media_type)
    ends = observed(result)
    assert await items_of(result) == expected
    assert ends.seen == [None]
    assert source.closed


@pytest.mark.parametrize("media_type", [NDJSON, "application/json-seq"])
async def test_items_that_are_no_json(media_type: str) -> None:
    source = Source(b"1\n[2\n3\n")
    items = Result(stream=source, media_type=media_type).iter_items()
    assert await anext(items) == 1
    with pytest.raises(UpstreamInvalidError, match="not JSON"):
        await anext(items)
    assert source.closed
    assert [item async for item in items] == []


@pytest.mark.parametrize("media_type", [NDJSON, SSE])
async def test_items_that_are_nested_too_deeply(media_type: str) -> None:
    text = b"[" * (MAX_JSON_DEPTH + 1) + b"]" * (MAX_JSON_DEPTH + 1)
    source = Source(b"data: " + text + b"\n\n" if media_type == SSE else text)
    with pytest.raises(UpstreamInvalidError, match="nested too deeply"):
        await anext(Result(stream=source, media_type=media_type).iter_items())
    assert source.closed


@pytest.mark.parametrize("started", [False, True])
@pytest.mark.parametrize("given", ["stream", "items"])
async def test_items_can_be_closed(given: str, started: bool) -> None:
    source = Source(b"1\n2\n") if given == "stream" else Source(1, 2)
    content: dict[str, Any] = {given: source}
    result = Result(media_type=NDJSON, **content)
    ends = observed(result)
    items = result.iter_items()
    if started:
        assert await anext(items) == 1
    await items.aclose()
    assert [type(end) for end in ends.seen] == [asyncio.CancelledError]
    assert source.closed


@pytest.mark.parametrize("result", [Result(data=[1]), Result(stream=Source(b"x"), media_type="image/png")])
def test_no_items(result: Result) -> None:
    with pytest.raises(UpstreamInvalidError, match="no stream of events"):
        result.iter_items()


@pytest.mark.parametrize(
    ("items", "expected"), [([], b"[]"), ([1], b"[1]"), ([1, {"a": None}], b'[1,{"a":null}]')], ids=str
)
async def test_held_items_are_an_array(items: list[Any], expected: bytes) -> None:
    source = Source(*items)
    result = Result(items=source)
    ends = observed(result)
    held = await result.hold(len(expected))
    assert (held.body, held.data, held.media_type, held.stream) == (expected, items, "application/json", None)
    assert (ends.seen, source.closed) == ([None], 1)


async def test_too_many_items_to_hold() -> None:
    source = Source("123", "456", "789")
    result = Result(items=source)
    ends = observed(result)
    with pytest.raises(UpstreamInvalidError, match="larger than 9 bytes"):
        await result.hold(9)
    assert source.chunks == ["789"]
    assert source.closed == 1
    assert [type(end) for end in ends.seen] == [UpstreamInvalidError]


async def test_item_that_cannot_be_sent() -> None:
    nested: Any = 1
    for _ in range(2000):
        nested = [nested]
    source = Source(nested)
    result = Result(items=source)
    ends = observed(result)
    with pytest.raises(UpstreamInvalidError):
        await read(result)
    assert [type(end) for end in ends.seen] == [UpstreamInvalidError]
    assert source.closed == 1


async def test_mapped_items() -> None:
    source = Source(1, 2)
    result = Result(items=source)
    ends = observed(result)
    assert result.stream is not None
    mapped = result.replace(stream=map_events(result.stream, JSON_LINES, lambda item: {"got": item}))
    assert await items_of(mapped) == [{"got": 1}, {"got": 2}]
    assert ends.seen == [None]


async def test_failing_map_closes_the_source() -> None:
    source = Source(1, 2)

    def fail(_: Any) -> Any:
        raise UpstreamInvalidError("no such field")

    stream = map_events(ItemStream(source, JSON_LINES), JSON_LINES, fail)
    with pytest.raises(UpstreamInvalidError, match="no such field"):
        await anext(stream)
    assert source.closed == 1
    events = event_format(SSE)
    assert events is not None
    assert isinstance(map_events(ObservedStream(source), events, fail), AsyncIterator)


# Copies


def test_copy_with_other_attributes() -> None:
    result = Result(status=202, data={"a": 1}, headers={"X": "1"})
    result.sent_media_type = "application/problem+json"
    copied = result.replace(status=200, headers={})
    assert (copied.status, copied.headers, copied.data, copied.media_type) == (200, {}, {"a": 1}, "application/json")
    assert copied.sent_media_type == "application/problem+json"
    assert (result.status, result.headers) == (202, {"X": "1"})


@pytest.mark.parametrize(
    ("changes", "body"), [({"data": [1]}, b"[1]"), ({"body": b"[2]"}, b"[2]"), ({"data": None}, b"null")], ids=str
)
def test_copy_with_other_content(changes: Any, body: bytes) -> None:
    result = Result(status=202, body=b"{}", headers={"X": "1"}, decode=lambda _: "decoded")
    copied = result.replace(**changes)
    assert (copied.status, copied.headers, copied.body) == (202, {"X": "1"}, body)
    assert copied.data != "decoded"
    assert (result.body, result.data) == (b"{}", "decoded")


async def test_copy_with_another_stream() -> None:
    async def hold(_: int) -> bytes:
        return b"held"

    async def upper(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in stream:
            yield chunk.upper()

    result = Result(stream=Source(b"a", b"b"), media_type="text/plain", hold=hold)
    ends = observed(result)
    assert result.stream is not None
    copied = result.replace(stream=upper(result.stream))
    assert (await copied.hold(10)).body == b"AB"
    assert ends.seen == [None]


async def test_copy_with_items() -> None:
    copied = Result(data=[1]).replace(items=Source(1, 2))
    assert (copied.media_type, await read(copied)) == (NDJSON, b"1\n2\n")


def test_copy_with_unknown_attribute() -> None:
    unknown: Any = {"colour": "red"}
    with pytest.raises(TypeError, match="colour"):
        Result().replace(**unknown)
