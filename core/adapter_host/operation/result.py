"""Results of calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from copy import copy
from typing import Any, Final, TypedDict, Unpack

from adapter_host.errors import UpstreamInvalidError, UpstreamStatusError
from adapter_host.json_nesting import decode_json, encode_json

from .event_streams import JSON_LINES, LINES_OF_JSON, event_format
from .item_streams import EventItems, ItemStream, hold_items
from .streams import ItemIterator, ObservedStream, OnEnd, ResultStream, close_stream, read_at_most, too_large

JSON: Final = "application/json"


class ResultChanges(TypedDict, total=False):
    """The changes of `Result.replace`."""

    status: int
    media_type: str
    headers: Mapping[str, str]
    body: bytes
    data: Any
    stream: AsyncIterator[bytes]
    items: AsyncIterator[Any]


class Result:
    """The result of a call: a status, a media type (the complete value of Content-Type) and a body.

    `cached` is `hit`, `stale` or `revalidated` for a response that a consumer has kept, else None. `sent_media_type` is
    that of the API in place of a declared `media_type`; empty if that is the one.

    Pass `data`, `body`, a `stream` of bytes or `items`; `data` and `body` are converted to each other once, on first
    use. A `stream` is a body that is too large to buffer, or whose events arrive over time (see `event_format`): an
    asynchronous iterator, with an `aclose` if it holds resources. `items` are plain data over time, such as rows; their
    `stream` is in the format of `media_type`, by default lines of JSON (`application/x-ndjson`). The receiver must read
    a stream, or its items by `iter_items`, to the end or close it. `hold(limit)` reads it into a body instead, for a
    stream that has a faster way or a shorter timeout for that.
    """

    __slots__ = (
        "_body",
        "_data",
        "_decode",
        "_hold",
        "_holds_data",
        "cached",
        "headers",
        "media_type",
        "sent_media_type",
        "status",
        "stream",
    )

    def __init__(
        self,
        *,
        status: int = 200,
        media_type: str = JSON,
        body: bytes | None = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        decode: Callable[[bytes], Any] | None = None,
        stream: AsyncIterator[bytes] | None = None,
        items: AsyncIterator[Any] | None = None,
        hold: Callable[[int], Awaitable[bytes]] | None = None,
    ) -> None:
        self.status = status
        self.media_type = media_type
        self.sent_media_type = ""
        self.cached: str | None = None
        self.headers: Mapping[str, str] = headers if headers is not None else {}
        self.stream: ResultStream | None = None if stream is None else ObservedStream(stream)
        self._body = body
        self._data = data if body is None else _UNREAD
        self._decode = decode
        self._holds_data = body is None and stream is None
        self._hold = hold
        if items is not None:
            self._set_items(items)

    def _set_items(self, items: AsyncIterator[Any]) -> None:
        events = event_format(self.media_type)
        if events is None:
            self.media_type = LINES_OF_JSON
        self.stream = ItemStream(items, events or JSON_LINES)
        self._holds_data = False

    def replace(self, **changes: Unpack[ResultChanges]) -> Result:
        """Return a copy with another `status`, `media_type` or `headers`, or other content.

        That is `data`, `body`, a `stream` or `items`. Read or close the stream of only one of both results; one that is
        replaced must be the source of its replacement, or be closed.
        """
        if changes.keys() <= _ATTRIBUTES:
            result = copy(self)
            for name, value in changes.items():
                setattr(result, name, value)
            return result
        kept = {name: getattr(self, name) for name in _ATTRIBUTES}
        result = Result(**{**kept, **changes})
        result.sent_media_type, result.cached = self.sent_media_type, self.cached
        return result

    def on_end(self, callback: OnEnd) -> None:
        """Call `callback` once when the stream ends; do nothing for a result without a stream.

        It receives None after the last chunk or item, a `CancelledError` if the stream is closed before its end (the
        client has gone, or needs no more), or else the error that ended it. It must not block.
        """
        stream = self.stream
        if stream is None:
            return
        if isinstance(stream, ItemStream):
            stream.items.on_end(callback)
            return
        if not isinstance(stream, ObservedStream):
            stream = self.stream = ObservedStream(stream)
        stream.on_end(callback)

    def iter_items(self) -> ItemIterator:
        """Return the items of a stream of events, whatever its format; read these in place of `stream`.

        The items are plain data: those that the result was made of, or the data of each event. Data of server-sent
        events that is not JSON is text. Raise `UpstreamInvalidError` for a result without a stream of events.
        """
        stream, events = self.stream, event_format(self.media_type)
        if isinstance(stream, ItemStream):
            return stream.items
        if stream is None or events is None:
            raise UpstreamInvalidError("the upstream response is no stream of events")
        return EventItems(stream, events)

    @property
    def body(self) -> bytes:
        """The body as bytes; data is serialized as JSON.

        Raises `UpstreamInvalidError` for data nested too deeply, and `RuntimeError` for a stream that is not held.
        """
        if self._body is None:
            self._require_content()
            self._body = encode_json(self._data)
        return self._body

    @property
    def holds_data(self) -> bool:
        """Whether the result was made of `data`, so that the body is its JSON."""
        return self._holds_data

    @property
    def data(self) -> Any:
        """Plain data: a body is parsed as JSON whatever its `media_type`, or `UpstreamInvalidError`; None when empty.

        The text `5` becomes a number, unless a consumer has its own parser. Check `holds_data` and
        `is_json(media_type)` before, and read `body` for other content. Raises `RuntimeError` for a stream that is not
        held.
        """
        if self._data is None:
            self._require_content()
        elif self._data is _UNREAD:
            try:
                self._data = self._parse(self._body) if self._body else None
            except ValueError:
                raise UpstreamInvalidError("the upstream response is not in the declared format") from None
        return self._data

    def _require_content(self) -> None:
        if self.stream is not None and self._body is None:
            raise RuntimeError("the result is a stream; read 'stream' or 'iter_items', or await 'hold' first")

    def _parse(self, body: bytes) -> Any:
        return decode_json(body, self.media_type) if self._decode is None else self._decode(body)

    async def hold(self, limit: int) -> Result:
        """Read a `stream` into the body; raise `UpstreamInvalidError` for more than `limit` bytes.

        Items become a JSON array.
        """
        stream, self.stream = self.stream, None
        if stream is None:
            return self
        if isinstance(stream, ItemStream):
            self._body = await hold_items(stream.items, limit)
            self._data, self.media_type = _UNREAD, JSON
            return self
        error: BaseException | None = None
        try:
            self._body = await self._read(stream, limit)
        except BaseException as reason:
            error = reason
            raise
        finally:
            if isinstance(stream, ObservedStream):
                # A faster way does not read the stream itself.
                stream.end(error)
            await close_stream(stream)
        self._data = _UNREAD
        return self

    async def _read(self, stream: ResultStream, limit: int) -> bytes:
        body = await read_at_most(limit, stream) if self._hold is None else await self._hold(limit)
        if body is None:
            raise too_large(limit)
        return body


def success(result: Result, transform: Callable[[Any], Any] | None = None, media_type: str = JSON) -> Result:
    """Return a result, its data transformed; raise `UpstreamStatusError` for the status of an error.

    `media_type` is that of transformed data.
    """
    if result.status >= 300:
        body = result.body if result.stream is None else b""
        raise UpstreamStatusError(result.status, body, result.media_type, result.headers)
    if transform is None or not result.body:
        return result
    return Result(status=result.status, media_type=media_type, data=transform(result.data), headers=result.headers)


_UNREAD: Final = object()
_ATTRIBUTES: Final = frozenset({"status", "media_type", "headers"})
