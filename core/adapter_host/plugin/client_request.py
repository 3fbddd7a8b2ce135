"""Requests of clients, for people and programs that try what an exposer serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The HTTP request by which a client calls an operation of an exposer, without credentials.

    Header values are text without line breaks, and the names of `headers` are those of the protocol's documents.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
