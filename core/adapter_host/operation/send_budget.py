"""The number of times that a call may be sent to its API."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final


class SendBudget:
    """Counts down how often a call may be sent, by retries and by a consumer that replaces a stale connection."""

    __slots__ = ("left",)

    def __init__(self, sends: int) -> None:
        self.left = sends

    def spend(self) -> bool:
        """Take one request from the budget; return whether there was one left."""
        if not self.left:
            return False
        self.left -= 1
        return True


SEND_BUDGET: Final[ContextVar[SendBudget | None]] = ContextVar("adapter_host_send_budget", default=None)
"""The budget of the current call; None if it is not retried.

A retry spends one for each attempt; a consumer that sends a request again by itself spends one before, and lets the
call fail if there is none left.
"""
