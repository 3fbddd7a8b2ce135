"""Streams of events: Server-Sent Events, lines of JSON and JSON text sequences, read and mapped event by event."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final

import orjson

from adapter_host.errors import UpstreamInvalidError
from adapter_host.http_syntax import bare_media_type
from adapter_host.json_nesting import encode_json, parse_json

from .streams import close_stream

MAX_EVENT_SIZE: Final = 1024 * 1024
"""Bytes of one event that is read as such; events that are passed on have no limit."""

_TOO_DEEP: Final = "the upstream sent an event that is nested too deeply"
_EMPTY_LINE: Final = re.compile(rb"\n\n|\r\n\r\n|\r\r")
_LONGEST_END: Final = 4


@dataclass(frozen=True, slots=True)
class Event:
    """One event: as received, and its data; `data` is None for comments and other events without data."""

    raw: bytes
    data: bytes | None


class EventFormat(ABC):
    """A format of event streams.

    `separator` joins the texts of events; nothing if the events as received are text already.
    """

    separator: ClassVar[bytes] = b"\n"

    @abstractmethod
    def next_end(self, buffer: bytearray, start: int) -> int:
        """Return where the first event ends that ends after `start`, or -1."""

    @abstractmethod
    def parse(self, raw: bytes) -> Event:
        """Return the event in one piece of the stream."""

    def text(self, event: Event) -> bytes:
        """Return an event as a reader sees it; nothing for one without data."""
        return event.data or b""

    @abstractmethod
    def with_data(self, event: Event, data: bytes) -> bytes:
        """Return an event with other data; `data` is JSON without line breaks."""

    def item(self, data: bytes) -> Any:
        """Return the data of an event as plain data; raise `UpstreamInvalidError`."""
        try:
            return parse_json(data)
        except orjson.JSONDecodeError:
            raise UpstreamInvalidError("the upstream sent an event that is not JSON") from None
        except ValueError:
            raise UpstreamInvalidError(_TOO_DEEP) from None

    def encode(self, item: Any) -> bytes:
        """Return an event whose data is an item."""
        return self.with_data(Event(b"", None), encode_json(item))

    async def events(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[list[Event], None]:
        """Yield the events of a stream, in lists of those that arrive together; close the stream at the end.

        Raise `UpstreamInvalidError` for an event of more than `MAX_EVENT_SIZE` bytes.
        """
        buffer = bytearray()
        searched = 0
        try:
            async for chunk in stream:
                buffer += chunk
                events = list(self._split(buffer, searched))
                if events:
                    yield events
                searched = len(buffer)
                if searched > MAX_EVENT_SIZE:
                    raise UpstreamInvalidError(f"the upstream sent an event larger than {MAX_EVENT_SIZE} bytes")
            if buffer.strip():
                yield [self.parse(bytes(buffer))]
        finally:
            await close_stream(stream)

    def _split(self, buffer: bytearray, searched: int) -> Iterator[Event]:
        """Remove the complete events from a buffer."""
        position = 0
        # The end of an event may have begun in data that was searched already.
        while (end := self.next_end(buffer, max(position, searched - _LONGEST_END + 1))) >= 0:
            yield self.parse(bytes(buffer[position:end]))
            position = end
        del buffer[:position]


class _ServerSentEvents(EventFormat):
    """`text/event-stream` (HTML, section 9.2.6): lines, and an empty line after each event."""

    def next_end(self, buffer: bytearray, start: int) -> int:
        found = _EMPTY_LINE.search(buffer, start)
        return -1 if found is None else found.end()

    def parse(self, raw: bytes) -> Event:
        lines = [line[5:].removeprefix(b" ") for line in raw.splitlines() if line.startswith(b"data:")]
        return Event(raw, b"\n".join(lines) if lines else None)

    def item(self, data: bytes) -> Any:
        """Return the data of an event as plain data, or its text if it is not JSON."""
        try:
            return parse_json(data)
        except orjson.JSONDecodeError:
            return data.decode("utf-8", "replace")
        except ValueError:
            raise UpstreamInvalidError(_TOO_DEEP) from None

    def with_data(self, event: Event, data: bytes) -> bytes:
        others = [line for line in event.raw.splitlines() if line and not line.startswith(b"data")]
        return b"\n".join([*others, b"data: " + data, b"", b""])


class _LineFormat(EventFormat):
    """A format whose events end with a line feed."""

    def next_end(self, buffer: bytearray, start: int) -> int:
        return buffer.find(b"\n", start) + 1 or -1


class _Lines(_LineFormat):
    """A JSON text in each line."""

    separator = b""

    def text(self, event: Event) -> bytes:
        return event.raw

    def parse(self, raw: bytes) -> Event:
        return Event(raw, raw.strip() or None)

    def with_data(self, event: Event, data: bytes) -> bytes:
        return data + b"\n"


class _TextSequence(_LineFormat):
    """`application/json-seq` (RFC 7464): a record separator before each JSON text, a line feed after it."""

    def parse(self, raw: bytes) -> Event:
        return Event(raw, raw.strip(b"\x1e \t\r\n") or None)

    def with_data(self, event: Event, data: bytes) -> bytes:
        return b"\x1e" + data + b"\n"


JSON_LINES: Final[EventFormat] = _Lines()
LINES_OF_JSON: Final = "application/x-ndjson"

_FORMATS: Final[dict[str, EventFormat]] = {
    "text/event-stream": _ServerSentEvents(),
    "application/json-seq": _TextSequence(),
    "application/jsonl": JSON_LINES,
    "application/jsonlines": JSON_LINES,
    "application/ndjson": JSON_LINES,
    "application/stream+json": JSON_LINES,
    "application/x-jsonlines": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
}


def event_format(media_type: str) -> EventFormat | None:
    """Return the format of a media type of event streams; None for others."""
    return _find_format(media_type)


@lru_cache(maxsize=256)
def _find_format(media_type: str) -> EventFormat | None:
    return _FORMATS.get(bare_media_type(media_type))


class MappedEvents(AsyncIterator[bytes]):
    """A stream whose events have transformed data; events whose data is not JSON are passed on unchanged."""

    def __init__(self, stream: AsyncIterator[bytes], events: EventFormat, transform: Callable[[Any], Any]) -> None:
        self._stream = stream
        self._events = events
        self._transform = transform
        self._reader = events.events(stream)

    async def __anext__(self) -> bytes:
        received = await anext(self._reader)
        return b"".join([_map_event(event, self._events, self._transform) for event in received])

    async def aclose(self) -> None:
        """Close the stream."""
        await self._reader.aclose()
        # A reader that was never started does not close it.
        await close_stream(self._stream)


def _map_event(event: Event, events: EventFormat, transform: Callable[[Any], Any]) -> bytes:
    if event.data is None:
        return event.raw
    try:
        data = parse_json(event.data)
    except orjson.JSONDecodeError:
        # Such as the `[DONE]` with which some APIs end a stream.
        return event.raw
    except ValueError:
        raise UpstreamInvalidError(_TOO_DEEP) from None
    return events.with_data(event, encode_json(transform(data)))
