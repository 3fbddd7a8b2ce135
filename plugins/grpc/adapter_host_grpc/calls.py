"""One call of a client: its headers, messages, deadline and status (gRPC over HTTP/2)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, TypeVar

from adapter_host import OperationError, Settings, bare_media_type, new_request_id

from .framing import ENCODINGS, MessageError, MessageReader, MessageTooLargeError, UnknownEncodingError, frame
from .http2 import MAX_HEADERS, SlowClientError, Stream, StreamResetError
from .status import Code, error_trailers, internal_trailers, trailers

log = logging.getLogger("adapter_host.grpc")

T = TypeVar("T")

CONTENT_TYPE: Final = "application/grpc"

_TIMEOUT: Final = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS: Final = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_DEADLINE: Final = "the deadline of the call has passed"
_START: Final = ((":status", "200"), ("content-type", CONTENT_TYPE), ("grpc-accept-encoding", ENCODINGS))


class StatusError(Exception):
    """A call ends with a status, and details if there are some."""

    def __init__(self, code: Code, message: str, details: bytes = b"") -> None:
        self.code = code
        self.message = message
        self.details = details
        super().__init__(message)


class Call:
    """A call in progress; `request_id` links its status to the log."""

    def __init__(self, stream: Stream, settings: Settings) -> None:
        self.headers: Mapping[str, str] = stream.headers
        self.header_size = stream.header_size
        self.path = stream.headers.get(":path", "")
        self.peer = stream.connection.peer
        self.transport = stream.connection.transport
        self.request_id = new_request_id()
        self._stream = stream
        self._settings = settings
        self._received = 0
        self._deadline = 0.0

    async def request(self) -> bytes:
        """Return the only message of the request; raise `StatusError`."""
        self._deadline = asyncio.get_running_loop().time() + self._settings.body_timeout
        return await self._checked(self._reader(self._receive_in_time).only())

    async def requests(self) -> AsyncIterator[bytes]:
        """Yield the messages of a stream of requests; raise `StatusError`."""
        reader = self._reader(self._stream.receive)
        while (message := await self._checked(reader.next())) is not None:
            yield message

    async def respond(self, message: bytes) -> None:
        """Send a message; raise the errors of a stream."""
        if not self._stream.responds:
            self._stream.send_headers(_START)
        await self._stream.send(frame(message))

    def end(self, fields: list[tuple[str, str]]) -> None:
        """Send the status; without a message before it, it is the only headers."""
        self._stream.send_headers(fields if self._stream.responds else [*_START, *fields], end=True)

    def _reader(self, receive: Callable[[], Awaitable[bytes]]) -> MessageReader:
        return MessageReader(receive, self.headers.get("grpc-encoding", ""), self._settings.body_limit)

    async def _checked(self, reading: Awaitable[T]) -> T:
        try:
            return await reading
        except MessageTooLargeError as error:
            raise StatusError(Code.RESOURCE_EXHAUSTED, str(error)) from None
        except UnknownEncodingError as error:
            raise StatusError(Code.UNIMPLEMENTED, str(error)) from None
        except MessageError as error:
            raise StatusError(Code.INVALID_ARGUMENT, str(error)) from None

    async def _receive_in_time(self) -> bytes:
        """Return a piece of the request, which must arrive at the minimum rate after the first seconds."""
        settings = self._settings
        if not settings.body_timeout:
            return await self._stream.receive()
        extra = self._received / settings.minimum_rate if settings.minimum_rate else 0.0
        try:
            async with asyncio.timeout_at(self._deadline + extra):
                piece = await self._stream.receive()
        except TimeoutError:
            raise StatusError(Code.DEADLINE_EXCEEDED, "the request was not sent in time") from None
        self._received += len(piece)
        return piece


async def run(
    stream: Stream,
    settings: Settings,
    serve: Callable[[Call], Awaitable[None]],
    note_rejected: Callable[[Call, int | str], None],
) -> None:
    """Run a call until its status is sent; raise the errors of a stream.

    `note_rejected` is called with the status of a request that is not served.
    """
    call = Call(stream, settings)
    if (rejection := _rejection(stream)) is not None:
        stream.send_headers(rejection, end=True)
        note_rejected(call, int(rejection[0][1]))
        return
    try:
        timeout = _timeout_of(call)
    except StatusError as error:
        call.end(trailers(error.code, error.message))
        note_rejected(call, error.code.name)
        return
    try:
        await _run_in_time(call, timeout, serve)
        fields = trailers(Code.OK)
    except StatusError as error:
        fields = trailers(error.code, error.message, error.details)
    except OperationError as error:
        log.info("[%s] %s: %s", call.request_id, call.path, error.message)
        fields = error_trailers(error, call.request_id)
    except (StreamResetError, SlowClientError):
        raise
    except Exception:
        # The details may contain secrets, so they are only logged.
        log.exception("[%s] unexpected error", call.request_id)
        fields = internal_trailers(call.request_id)
    call.end(fields)


def _rejection(stream: Stream) -> list[tuple[str, str]] | None:
    """Return the headers of the response to a request that is no call."""
    if stream.headers.get(":method") != "POST":
        return [(":status", "405"), ("allow", "POST")]
    content_type = stream.headers.get("content-type", "")
    if bare_media_type(content_type) not in (CONTENT_TYPE, f"{CONTENT_TYPE}+proto"):
        return [(":status", "415"), ("accept", CONTENT_TYPE)]
    return None


async def _run_in_time(call: Call, seconds: float | None, serve: Callable[[Call], Awaitable[None]]) -> None:
    timer = asyncio.timeout(seconds)
    try:
        async with timer:
            await serve(call)
    except TimeoutError:
        if not timer.expired():
            raise
        raise StatusError(Code.DEADLINE_EXCEEDED, _DEADLINE) from None


def _timeout_of(call: Call) -> float | None:
    """Return the timeout of a call; raise `StatusError` for a call that must not be served."""
    if call.header_size > MAX_HEADERS:
        raise StatusError(Code.RESOURCE_EXHAUSTED, f"the metadata is larger than {MAX_HEADERS} bytes")
    text = call.headers.get("grpc-timeout")
    if text is None:
        return None
    match = _TIMEOUT.fullmatch(text)
    if match is None:
        raise StatusError(Code.INVALID_ARGUMENT, "'grpc-timeout' is malformed")
    if (timeout := int(match[1]) * _UNITS[match[2]]) == 0:
        # The loop would let a call that never waits complete.
        raise StatusError(Code.DEADLINE_EXCEEDED, _DEADLINE)
    return timeout
