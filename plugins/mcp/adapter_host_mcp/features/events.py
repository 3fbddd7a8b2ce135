"""Streams of events as results of tools: each event is progress, and the result holds them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from adapter_host import Result, event_format

OnEvent = Callable[[int, str], Awaitable[None]]
"""Receives the number of an event, from 1, and its text."""

LONGEST_PROGRESS: Final = 4096
"""Characters of an event in its progress notification."""

_TEXT: Final = "text/plain; charset=utf-8"


async def collect_events(result: Result, limit: int, on_event: OnEvent | None) -> Result:
    """Return a result whose text has the data of each event in a line, up to about `limit` bytes.

    Lines of JSON are text as they are. Further events are not read: an API may send them for ever.
    """
    stream, events = result.stream, event_format(result.media_type)
    if stream is None or events is None:
        return await result.hold(limit)
    texts: list[bytes] = []
    count = size = 0
    reader = events.events(stream)
    try:
        async for received in reader:
            for event in received:
                text = events.text(event)
                size += len(text) + len(events.separator)
                if size > limit:
                    texts.append(b"[the result holds the first %d events; there are more]" % count)
                    return _with_text(result, events.separator, texts)
                if text:
                    texts.append(text)
                if event.data is None:
                    continue
                count += 1
                if on_event is not None:
                    await on_event(count, event.data.decode("utf-8", "replace")[:LONGEST_PROGRESS])
    finally:
        await reader.aclose()
    return _with_text(result, events.separator, texts)


def _with_text(result: Result, separator: bytes, texts: list[bytes]) -> Result:
    return Result(status=result.status, media_type=_TEXT, body=separator.join(texts), headers=result.headers)
