"""A request in wire format."""

from __future__ import annotations

from dataclasses import dataclass

from adapter_host_http.request.request import Payload


@dataclass(slots=True)
class OutgoingRequest:
    """A request to send on a connection.

    `deadline` is a time of the event loop's clock; a response body of at most `buffer_limit` bytes is read completely,
    but with `events` not that of a stream of events.
    """

    method: str
    head: bytes
    body: Payload
    deadline: float
    buffer_limit: int
    decompress: bool
    length: int | None = None
    events: bool = False
