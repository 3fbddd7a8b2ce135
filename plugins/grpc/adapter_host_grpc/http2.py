"""HTTP/2 connections of clients (RFC 9113) over asyncio; the frames are those of `h2`."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, MutableSet
from dataclasses import dataclass
from typing import Any, Final, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

log = logging.getLogger("adapter_host.grpc")

MAX_STREAMS: Final = 100
"""Calls in flight of one connection."""

MAX_HEADERS: Final = 16 * 1024
"""Bytes of the metadata of a call, as HTTP/2 counts them: 32 more than its text for each entry.

More than 64 KiB end the connection.
"""

MAX_RESETS: Final = 100
"""Calls that a client may cancel on a connection; each one that it completes allows another."""

STREAM_WINDOW: Final = 256 * 1024
CONNECTION_WINDOW: Final = 1024 * 1024

_SETTINGS: Final = {
    SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
    SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEADERS,
    SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
    SettingCodes.ENABLE_CONNECT_PROTOCOL: 0,
}

Headers = Iterable[tuple[str, str]]


class StreamResetError(Exception):
    """The client has cancelled the stream, or the connection is gone."""


class SlowClientError(Exception):
    """The client does not read the response in time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, 0 for none: for the first request, between requests, and to read some of a response."""

    header_timeout: float
    idle_timeout: float
    send_timeout: float


class Stream:
    """One request and its response."""

    def __init__(self, connection: ServerConnection, stream_id: int, headers: Iterable[tuple[str, str]]) -> None:
        self.id = stream_id
        self.headers: dict[str, str] = {}
        self.header_size = 0
        for name, value in headers:
            # Repeated metadata is one value (gRPC over HTTP/2, "Custom-Metadata").
            self.headers[name] = f"{self.headers[name]},{value}" if name in self.headers else value
            self.header_size += len(name) + len(value) + 32
        self.connection = connection
        self.task: asyncio.Task[None] | None = None
        self._chunks: deque[tuple[bytes, int]] = deque()
        self._ended = False
        self._changed = asyncio.Event()
        self.responds = False

    async def receive(self) -> bytes:
        """Return the next piece of the request body; nothing at its end."""
        while not self._chunks:
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        data, size = self._chunks.popleft()
        self.connection.acknowledge(self.id, size)
        return data

    def send_headers(self, headers: Headers, *, end: bool = False) -> None:
        """Send the headers of the response, or its trailers; raise `StreamResetError`."""
        self.responds = True
        self.connection.send_headers(self.id, headers, end=end)

    async def send(self, data: bytes) -> None:
        """Send a piece of the response body as the client reads it; raise `StreamResetError` or `SlowClientError`."""
        await self.connection.send(self.id, data)

    def feed(self, data: bytes, size: int) -> None:
        """Add a piece of the request body, which counts as `size` bytes of the window."""
        self._chunks.append((data, size))
        self._changed.set()

    def feed_end(self) -> None:
        """End the request body."""
        self._ended = True
        self._changed.set()

    @property
    def is_read(self) -> bool:
        """Whether the client has sent the whole request."""
        return self._ended

    def discard(self) -> None:
        """Free the window that unread data holds."""
        unread = sum(size for _, size in self._chunks)
        self._chunks.clear()
        self.connection.acknowledge(self.id, unread)


Handler = Callable[[Stream], Coroutine[Any, Any, None]]


class ServerConnection(asyncio.Protocol):
    """Accepts the streams of one client, and runs `handler` for each in a task that ends with its stream.

    It is one of `connections` while it is open. `owner` returns the exposer that serves it now.
    """

    def __init__(
        self,
        handler: Handler,
        limits: Limits,
        connections: MutableSet[ServerConnection],
        owner: Callable[[], object],
    ) -> None:
        self.owner = owner
        self._handler = handler
        self._limits = limits
        self._connections = connections
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="latin-1"))
        self._h2.local_settings = Settings(client=False, initial_values=_SETTINGS)
        self.transport: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._writable = asyncio.Event()
        self._window = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._resets = MAX_RESETS
        self._draining = False

    @property
    def peer(self) -> str:
        """The address of the client."""
        name = self.transport.get_extra_info("peername") if self.transport is not None else None
        return str(name[0]) if isinstance(name, tuple) and name else ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Other event loops have classes of their own.
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._writable.set()
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - 65_535)
        self._flush()
        self._wait(self._limits.header_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._stop_timer()
        self._connections.discard(self)
        for stream in self._streams.values():
            if stream.task is not None:
                stream.task.cancel()

    def pause_writing(self) -> None:
        # A client that reads nothing gets nothing more to respond to.
        self._writable.clear()
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        self._writable.set()
        if self.transport is not None:
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        return False

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except H2Error as error:
            log.info("connection closed: %s", error)
            self._close()
            return
        for event in events:
            if self.transport is None or self.transport.is_closing():
                return
            self._process(event)
        self._flush()

    def _process(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self._accept(event)
        elif isinstance(event, DataReceived):
            stream = self._streams.get(event.stream_id)
            if stream is None:
                self.acknowledge(event.stream_id, event.flow_controlled_length)
            else:
                stream.feed(event.data, event.flow_controlled_length)
        elif isinstance(event, StreamEnded):
            if (ended := self._streams.get(event.stream_id)) is not None:
                ended.feed_end()
        elif isinstance(event, StreamReset):
            self._process_reset(event)
        elif isinstance(event, WindowUpdated | RemoteSettingsChanged):
            self._window.set()
        elif isinstance(event, ConnectionTerminated):
            # The client opens no new streams; those in flight go on.
            self._draining = True
            self._close_if_idle()

    def _accept(self, event: RequestReceived) -> None:
        if self._draining:
            self._reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        self._stop_timer()
        headers = ((str(name), str(value)) for name, value in event.headers)
        stream = self._streams[event.stream_id] = Stream(self, event.stream_id, headers)
        stream.task = asyncio.get_running_loop().create_task(self._serve(stream))
        # Also for a task that is cancelled before it begins.
        stream.task.add_done_callback(lambda _: self._release(stream))

    def _process_reset(self, event: StreamReset) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None and stream.task is not None:
            stream.task.cancel()
        if event.remote_reset:
            self._resets -= 1
            if self._resets < 0:
                log.warning("connection closed: the client cancels more calls than it completes")
                self._h2.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
                self._close()

    async def _serve(self, stream: Stream) -> None:
        try:
            await self._handler(stream)
            self._resets = min(self._resets + 1, MAX_RESETS)
            if not stream.is_read:
                # The response is complete, so the rest of the request is not needed (RFC 9113, section 8.1).
                self._reset(stream.id, ErrorCodes.NO_ERROR)
        except StreamResetError:
            log.debug("stream closed by the client")
        except SlowClientError:
            log.info("stream aborted: its client did not read the response in time")
            self._reset(stream.id, ErrorCodes.CANCEL)
        except Exception:
            log.exception("unexpected error")
            self._reset(stream.id, ErrorCodes.INTERNAL_ERROR)

    def _release(self, stream: Stream) -> None:
        del self._streams[stream.id]
        stream.discard()
        if not self._streams:
            self._wait(self._limits.idle_timeout)
            self._close_if_idle()

    def acknowledge(self, stream_id: int, size: int) -> None:
        """Let the client send as many bytes again."""
        if size and self.transport is not None:
            try:
                self._h2.acknowledge_received_data(size, stream_id)
            except H2Error:
                return  # the connection is closed
            self._flush()

    def send_headers(self, stream_id: int, headers: Headers, *, end: bool) -> None:
        """Send headers or trailers; raise `StreamResetError`."""
        if stream_id not in self._h2.streams or self.transport is None:
            raise StreamResetError
        try:
            self._h2.send_headers(stream_id, list(headers), end_stream=end)
        except H2Error as error:
            raise StreamResetError from error
        self._flush()

    async def send(self, stream_id: int, data: bytes) -> None:
        """Send data within the windows of the client; raise `StreamResetError` or `SlowClientError`."""
        view = memoryview(data)
        while view:
            size = await self._sendable_in_time(stream_id)
            try:
                self._h2.send_data(stream_id, bytes(view[:size]))
            except H2Error as error:
                raise StreamResetError from error
            self._flush()
            view = view[size:]

    async def _sendable_in_time(self, stream_id: int) -> int:
        timer = asyncio.timeout(self._limits.send_timeout or None)
        try:
            async with timer:
                return await self._sendable(stream_id)
        except TimeoutError:
            raise SlowClientError from None

    async def _sendable(self, stream_id: int) -> int:
        """Wait until the client reads, and return how many bytes it takes."""
        while True:
            await self._writable.wait()
            if self.transport is None:
                raise StreamResetError
            try:
                size = min(self._h2.local_flow_control_window(stream_id), self._h2.max_outbound_frame_size)
            except H2Error as error:
                raise StreamResetError from error
            if size > 0:
                return size
            self._window.clear()
            await self._window.wait()

    def drain(self) -> None:
        """Accept no new streams; close the connection after those in flight."""
        if not self._draining and self.transport is not None:
            self._draining = True
            # Not by h2, which sends nothing more on streams in flight after it.
            last = self._h2.highest_inbound_stream_id
            self.transport.write(GoAwayFrame(0, last_stream_id=last, error_code=ErrorCodes.NO_ERROR).serialize())
            self._close_if_idle()

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        try:
            self._h2.reset_stream(stream_id, code)
        except H2Error:
            return  # closed by the client
        self._flush()

    def _close_if_idle(self) -> None:
        if self._draining and not self._streams:
            self._close()

    def _close(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._flush()
            self.transport.close()
            # A client that reads nothing does not keep the socket.
            asyncio.get_running_loop().call_later(self._limits.send_timeout or 30, self.transport.abort)

    def _flush(self) -> None:
        if (data := self._h2.data_to_send()) and self.transport is not None:
            self.transport.write(data)

    def _wait(self, timeout: float) -> None:
        """Close the connection unless a stream begins within `timeout` seconds."""
        self._stop_timer()
        if timeout and self.transport is not None:
            self._timer = asyncio.get_running_loop().call_later(timeout, self.drain)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
