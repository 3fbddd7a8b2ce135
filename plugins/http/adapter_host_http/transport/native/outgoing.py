"""A request as a connection sends it."""

from __future__ import annotations

from dataclasses import dataclass

from adapter_host_http.request.request import Payload


@dataclass(slots=True)
class Outgoing:
    """A request as it is sent; `deadline` is by the loop's clock, `held` how much of a body its caller waits for."""

    method: str
    head: bytes
    body: Payload
    deadline: float
    held: int
    decoded: bool
    length: int | None = None
