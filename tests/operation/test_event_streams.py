from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from adapter_host import UpstreamInvalidError, event_format
from adapter_host.operation.event_streams import MAX_EVENT_SIZE, EventFormat, MappedEvents

SSE = "text/event-stream; charset=utf-8"


class Pieces:
    """A stream of pieces that records whether it was closed."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = list(pieces)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        return self.pieces.pop(0)

    async def aclose(self) -> None:
        self.closed = True


def format_of(media_type: str) -> EventFormat:
    events = event_format(media_type)
    assert events is not None
    return events


async def data_of(media_type: str, pieces: Sequence[bytes]) -> list[bytes | None]:
    stream = Pieces(pieces)
    found = [event.data async for events in format_of(media_type).events(stream) for event in events]
    assert stream.closed
    return found


async def mapped(media_type: str, *pieces: bytes) -> list[bytes]:
    return [piece async for piece in MappedEvents(Pieces(pieces), format_of(media_type), lambda data: {"got": data})]


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "", "text/event-stream2", "application/xml"])
def test_other_media_types_are_no_streams_of_events(media_type: str) -> None:
    assert event_format(media_type) is None


@pytest.mark.parametrize(
    ("media_type", "text", "expected"),
    [
        (SSE, b'data: {"a":1}\n\ndata: 2\n\n', [b'{"a":1}', b"2"]),
        (SSE, b"event: x\r\ndata: 1\r\ndata:  2\r\nid: 7\r\n\r\n: comment\r\n\r\n", [b"1\n 2", None]),
        (SSE, b"data: 1\r\rdata:2\r\r", [b"1", b"2"]),
        (SSE, b"data: 1\n\ndata: cut off", [b"1", b"cut off"]),
        ("application/x-ndjson", b'{"a":1}\r\n\n[2]\n3', [b'{"a":1}', None, b"[2]", b"3"]),
        ("application/json-seq", b'\x1e{"a":\t1}\n\x1e2\n', [b'{"a":\t1}', b"2"]),
    ],
    ids=["sse", "sse-crlf", "sse-cr", "sse-cut-off", "lines", "sequence"],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
async def test_events_are_found_however_they_are_cut(
    media_type: str, text: bytes, expected: list[bytes | None], size: int
) -> None:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert await data_of(media_type, pieces) == expected


async def test_events_that_arrive_together_stay_together() -> None:
    lists = [len(events) async for events in format_of(SSE).events(Pieces([b"data: 1\n\ndata: 2\n\nda", b"ta: 3\n\n"]))]
    assert lists == [2, 1]


async def test_mapping_keeps_the_other_fields_and_what_is_no_json() -> None:
    text = b'event: x\nid: 7\ndata: {"a":\ndata: 1}\n\n', b": ping\n\n", b"data: [DONE]\n\n"
    assert await mapped(SSE, *text) == [
        b'event: x\nid: 7\ndata: {"got":{"a":1}}\n\n',
        b": ping\n\n",
        b"data: [DONE]\n\n",
    ]
    assert await mapped("application/jsonl", b"1\n", b"no\n\n2") == [b'{"got":1}\n', b"no\n\n", b'{"got":2}\n']
    assert await mapped("application/json-seq", b"\x1e1\n") == [b'\x1e{"got":1}\n']


@pytest.mark.parametrize("media_type", [SSE, "application/x-ndjson"])
async def test_an_endless_event_is_an_error(media_type: str) -> None:
    with pytest.raises(UpstreamInvalidError, match="event larger than"):
        await data_of(media_type, [b"data: " + b"x" * 100_000] * (MAX_EVENT_SIZE // 100_000 + 2))


async def test_an_event_that_is_nested_too_deeply_is_an_error() -> None:
    with pytest.raises(UpstreamInvalidError, match="nested"):
        await mapped("application/jsonl", b"[" * 200 + b"]" * 200 + b"\n")


@pytest.mark.parametrize("read", [0, 1])
async def test_an_unread_mapping_closes_the_stream(read: int) -> None:
    stream = Pieces([b"1\n", b"2\n"])
    mapping = MappedEvents(stream, format_of("application/jsonl"), lambda data: data)
    for _ in range(read):
        assert await anext(mapping) == b"1\n"
    await mapping.aclose()
    assert stream.closed


async def test_many_small_events_of_one_piece_take_linear_time() -> None:
    # Quadratic time would be hours.
    text = b"data: 1\n\n" * 50_000
    pieces = [text[start : start + 65_536] for start in range(0, len(text), 65_536)]
    async with asyncio.timeout(60):
        assert len(await data_of(SSE, pieces)) == 50_000
