"""How the cache has handled a request: for `Cache-Status` (RFC 9211), the access log and the audit log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from multidict import CIMultiDict

from adapter_host_http.transport.base import Response

NAME: Final = "adapter-host"
"""The name of the cache in `Cache-Status`."""

Outcome = Literal["hit", "stale", "revalidated"]
"""How a response of the cache was used: fresh, no longer fresh, or validated by the API."""


@dataclass(frozen=True, slots=True)
class Status:
    """`outcome` is None for a response of the API; `parameters` are those of the member of `Cache-Status`."""

    parameters: str
    outcome: Outcome | None = None

    @classmethod
    def forwarded(cls, reason: str) -> Status:
        """Return the status of a request that was sent to the API, with a reason of RFC 9211, section 2.2."""
        return cls(f"fwd={reason}")

    @classmethod
    def used(cls, ttl: float) -> Status:
        """Return the status of a kept response that is fresh for `ttl` seconds, or has not been for some."""
        return cls(f"hit; ttl={int(ttl)}", "hit" if ttl > 0 else "stale")


VALIDATED: Final = Status("fwd=stale; fwd-status=304", "revalidated")
AFTER_ERROR: Final = Status("fwd=stale; detail=stale-if-error", "stale")
NOT_CACHED: Final = Status("detail=only-if-cached")
MISS: Final = Status.forwarded("miss")
STALE: Final = Status.forwarded("stale")
REQUESTED: Final = Status.forwarded("request")


def marked(response: Response, status: Status) -> Response:
    """Return a response with a member of `Cache-Status` after those of other caches."""
    response.headers = CIMultiDict((*response.headers.items(), ("Cache-Status", f"{NAME}; {status.parameters}")))
    return response
