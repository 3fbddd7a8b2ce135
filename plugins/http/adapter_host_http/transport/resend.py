"""Send a request again after its connection turned out to be stale."""

from __future__ import annotations

from typing import Final

from adapter_host import SEND_BUDGET
from adapter_host_http.request.request import Request

_IDEMPOTENT: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"})
_MAX_SENDS: Final = 2


def may_send_again(method: str, request: Request, sends: int) -> bool:
    """Return whether a request that was sent `sends` times may be sent once more (RFC 9110, 9.2.2).

    Spend the budget of the call, which its retries share.
    """
    if sends >= _MAX_SENDS or method not in _IDEMPOTENT or not request.repeatable:
        return False
    budget = SEND_BUDGET.get()
    return budget is None or budget.spend()
