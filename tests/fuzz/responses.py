"""A strict reader of HTTP/1.1 responses (RFC 9112), to judge the output of a server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t -\x7e\x80-\xff]*))?)")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t -\x7e\x80-\xff]*)?\r\n")


class MalformedResponseError(AssertionError):
    """The bytes are no HTTP response."""


class IncompleteResponseError(AssertionError):
    """The bytes end within a response."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response; `headers` have names in lower case, and may have repeated ones."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header."""
        return [value for field, value in self.headers if field == name]

    @property
    def is_stream(self) -> bool:
        """Whether it is an event stream, which ends when the client leaves."""
        return any(value.startswith(b"text/event-stream") for value in self.values(b"content-type"))


def read_head(data: bytes) -> tuple[Response, bytes]:
    """Return the first response without its body, and the bytes after its head."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        raise IncompleteResponseError(data[-200:])
    status_line, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(status_line)
    fields = [_FIELD.fullmatch(line) for line in lines]
    if status is None or not all(fields):
        raise MalformedResponseError(head)
    headers = tuple((field[1].lower(), field[2]) for field in fields if field)
    return Response(int(status[1]), headers, b""), rest


def read_response(data: bytes, *, to_head: bool, closed: bool) -> tuple[Response, bytes]:
    """Return the first response in `data`, and the bytes after it.

    `to_head` says that it is the response to a HEAD request; `closed`, that the server has closed the connection.
    """
    response, rest = read_head(data)
    lengths, codings = response.values(b"content-length"), response.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise MalformedResponseError(f"several framings: {response}")
    # A server that cannot read the request line does not know its method.
    unread = closed and response.status == 400 and bool(rest)
    if (to_head and not unread) or response.status < 200 or response.status in (204, 304):
        return response, rest
    if codings:
        body, rest = _read_chunks(rest)
    elif lengths:
        if not lengths[0].isdigit():
            raise MalformedResponseError(f"Content-Length {lengths[0]!r}")
        body, rest = rest[: int(lengths[0])], rest[int(lengths[0]) :]
        if len(body) < int(lengths[0]):
            raise IncompleteResponseError(f"{len(body)} bytes of {response}")
    elif closed:
        body, rest = rest, b""
    else:
        raise IncompleteResponseError(f"a body up to the end of the connection: {response}")
    return Response(response.status, response.headers, body), rest


def _read_chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size = _CHUNK.match(data)
        if size is None:
            if b"\r\n" in data[:100]:
                raise MalformedResponseError(f"chunk {data[:100]!r}")
            raise IncompleteResponseError(f"chunk {data[:100]!r}")
        length = int(size[1], 16)
        chunk, data = data[size.end() : size.end() + length], data[size.end() + length :]
        if len(data) < 2:
            raise IncompleteResponseError(f"{len(chunk)} bytes of a chunk of {length}")
        if not data.startswith(b"\r\n"):
            raise MalformedResponseError(f"{data[:20]!r} after a chunk")
        body, data = body + chunk, data[2:]
        if not length:
            return body, data
