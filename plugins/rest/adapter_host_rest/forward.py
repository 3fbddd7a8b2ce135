"""Requests that are passed on as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from multidict import CIMultiDict

from adapter_host import ArgumentError, ForwardSpec, Offer, Operation, OperationError

from .config import RestResource
from .extract import BODY, broken, too_large
from .router import Router, Segment, show_path

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
TAIL: Final = "path"
"""The variable that is all that is left of a path."""

_DECODED: Final = frozenset({"gzip", "deflate", "br", "zstd"})
"""The encodings that aiohttp takes off a request's body on its own."""


class NotForwarded(OperationError):
    """A request that is more than a request and an answer."""

    status = 501
    title = "Not implemented"


class BodyTooSlow(ArgumentError):
    """The request's body did not come in time."""

    status = 408
    title = "Request timeout"


@dataclass(frozen=True, slots=True)
class Forward:
    """Passes on what comes to a resource's path; with a `tail`, and to everything below it."""

    resource: RestResource
    spec: ForwardSpec
    operation: Operation
    segments: tuple[Segment, ...]
    tail: bool
    limit: int
    pause: float
    """For how many seconds a caller may send nothing of its request's body."""

    @property
    def title(self) -> str:
        """What callers know it by: `ANY /{path}`."""
        path = show_path(self.segments)
        return f"ANY {path.rstrip('/')}/{{{TAIL}}}" if self.tail else f"ANY {path}"

    def offer(self) -> Offer:
        """What callers see of it."""
        return Offer(self.title, self.operation)

    def arguments(self, request: web.Request, path: str) -> dict[str, Any]:
        """The request as it is passed on, its raw `path` from its root here; raises `OperationError`."""
        if "websocket" in request.headers.get("Upgrade", "").lower():
            raise NotForwarded("WebSockets are not forwarded")
        left = path.split("/")[1 + len(self.segments) :] if self.tail else []
        arguments: dict[str, Any] = {
            "method": request.method,
            "path": "/" + "/".join(left) if left else "",
            "query": request.rel_url.raw_query_string,
            "headers": request.headers,
        }
        if request.body_exists:
            arguments["body"] = self._body(request)
            arguments["headers"] = _of_body(request)
        return arguments

    def _body(self, request: web.Request) -> AsyncIterator[bytes]:
        if (request.content_length or 0) > self.limit:
            raise too_large(self.limit)
        return _chunks(request, self.limit, self.pause)


class Forwards:
    """The forwards of an exposer, by their paths."""

    def __init__(self) -> None:
        self._exact: Router[Forward] = Router()
        self._tails: Router[Forward] = Router()
        self._depth = 0
        self.all: list[Forward] = []

    def add(self, forward: Forward) -> Forward:
        """Put one in place; gives the one that was there before, if any, and leaves it."""
        present = (self._tails if forward.tail else self._exact).add("", forward.segments, forward)
        if present is forward:
            self._depth = max(self._depth, len(forward.segments))
            self.all.append(forward)
        return present

    def find(self, segments: Sequence[str]) -> Forward | None:
        """The one that stands at a path, else the one that takes it for the longest part."""
        if not self.all:
            return None
        found = self._exact.find("", segments)
        for depth in range(min(self._depth, len(segments)), -1, -1):
            found = found or self._tails.find("", segments[:depth])
        return found and found[0]


def parse_forward(segments: Sequence[Segment]) -> tuple[tuple[Segment, ...], bool]:
    """The segments before the tail, and whether there is one; raises `ValueError` for one in the wrong place."""
    tail = bool(segments) and segments[-1].plain and segments[-1].variables == (TAIL,)
    before = tuple(segments[:-1] if tail else segments)
    if any(TAIL in segment.variables for segment in before):
        raise ValueError(f"{{{TAIL}}} of a forward must be the last segment, and all of it")
    return before, tail


def _of_body(request: web.Request) -> CIMultiDict[str]:
    """The headers, of the body as aiohttp gives it."""
    headers = CIMultiDict(request.headers)
    if headers.get("Content-Encoding", "").strip().lower() in _DECODED:
        headers.popall("Content-Encoding")
        headers.popall("Content-Length", None)
    return headers


async def _chunks(request: web.Request, limit: int, pause: float) -> AsyncIterator[bytes]:
    taken = 0
    try:
        while True:
            async with asyncio.timeout(pause):
                chunk = await request.content.readany()
            if not chunk:
                return
            taken += len(chunk)
            if taken > limit:
                raise too_large(limit)
            yield chunk
    except TimeoutError:
        raise BodyTooSlow(BODY, f"nothing of the body came for {pause:g} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise broken() from None
