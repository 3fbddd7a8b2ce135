"""A request as a connection sends it."""

from __future__ import annotations

from dataclasses import dataclass

from adapter_host_http.request.request import Payload


@dataclass(slots=True)
class OutgoingRequest:
    """A request as it is sent.

    `deadline` is a time of the event loop's clock; a response body of at most `buffer_limit` bytes is read completely.
    """

    method: str
    head: bytes
    body: Payload
    deadline: float
    buffer_limit: int
    decompress: bool
    length: int | None = None
