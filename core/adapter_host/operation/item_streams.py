"""Streams of items: plain data over time, such as rows, or the data of events."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from adapter_host.json_nesting import encode_json

from .event_streams import EventFormat, MappedEvents
from .streams import ItemIterator, ObservedStream, ResultStream, close_stream, too_large


def map_events(stream: ResultStream, events: EventFormat, transform: Callable[[Any], Any]) -> ResultStream:
    """Return a stream whose events have transformed data."""
    if isinstance(stream, ItemStream):
        return ItemStream(_MappedItems(stream.items, transform), events)
    return MappedEvents(stream, events, transform)


class ItemStream(AsyncIterator[bytes]):
    """A stream of plain data, which is bytes of a format of event streams to those who read no items."""

    def __init__(self, items: AsyncIterator[Any], events: EventFormat) -> None:
        self.items = items if isinstance(items, ObservedStream) else ObservedStream(items)
        """The items; read these or the bytes, not both."""
        self._events = events

    async def __anext__(self) -> bytes:
        item = await anext(self.items)
        try:
            return self._events.encode(item)
        except BaseException as error:
            self.items.end(error)
            await self.items.aclose()
            raise

    async def aclose(self) -> None:
        """Close the source of the items."""
        await self.items.aclose()


async def hold_items(items: ObservedStream[Any], limit: int) -> bytes:
    """Return the JSON array of all items, and close them; raise `UpstreamInvalidError` for more than `limit` bytes."""
    array = bytearray(b"[")
    try:
        async for item in items:
            array += encode_json(item)
            array += b","
            if len(array) > limit:
                raise too_large(limit)
    except BaseException as error:
        items.end(error)
        raise
    finally:
        await items.aclose()
    array[max(1, len(array) - 1) :] = b"]"
    return bytes(array)


class _MappedItems(AsyncIterator[Any]):
    """Transformed items."""

    def __init__(self, items: ItemIterator, transform: Callable[[Any], Any]) -> None:
        self._items = items
        self._transform = transform

    async def __anext__(self) -> Any:
        item = await anext(self._items)
        try:
            return self._transform(item)
        except BaseException:
            await self._items.aclose()
            raise

    async def aclose(self) -> None:
        await self._items.aclose()


class EventItems(AsyncIterator[Any]):
    """The data of the events of a stream, as plain data."""

    def __init__(self, stream: ResultStream, events: EventFormat) -> None:
        self._stream = stream
        self._events = events
        self._reader = events.events(stream)
        self._received: deque[bytes] = deque()

    async def __anext__(self) -> Any:
        while not self._received:
            self._received.extend(event.data for event in await anext(self._reader) if event.data is not None)
        try:
            return self._events.item(self._received.popleft())
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close the stream."""
        self._received.clear()
        await self._reader.aclose()
        # A reader that was never started does not close it.
        await close_stream(self._stream)
