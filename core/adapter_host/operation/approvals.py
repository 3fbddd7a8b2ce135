"""Approvals of calls by people, between a plugin that requires them and an exposer whose clients can ask a person."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ClientDecision:
    """The decision of the person at a client about the call in progress.

    `state` is that of the `ApprovalRequiredError` which the client received.
    """

    state: str
    approved: bool


CLIENT_DECISION: Final[ContextVar[ClientDecision | None]] = ContextVar("adapter_host_client_decision", default=None)
"""The decision that came with the call in progress. An exposer sets it around `operation.call`."""
