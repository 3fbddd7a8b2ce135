"""Errors of calls with an idempotency key."""

from __future__ import annotations

from adapter_host import OperationError, UpstreamError


class KeyReusedError(OperationError):
    """The key was used with other arguments."""

    status = 422
    title = "Idempotency key used before"


class KeyInUseError(OperationError):
    """The call cannot be made again with this key: the first one is in progress, or its response was not kept."""

    status = 409
    title = "Idempotency key in use"


def reused() -> KeyReusedError:
    """Return the error of a call with other arguments."""
    return KeyReusedError("the Idempotency-Key was used with other arguments; use a new key")


def in_progress() -> KeyInUseError:
    """Return the error of a call while the first one is in progress."""
    return KeyInUseError("a call with this Idempotency-Key is in progress; repeat it later with the same key")


def not_kept() -> KeyInUseError:
    """Return the error of a repeated call whose first response is known, but too large."""
    return KeyInUseError("the call with this Idempotency-Key has succeeded, but its response was too large to be kept")


def outcome_unknown() -> UpstreamError:
    """Return the error of a repeated call if nobody knows the outcome of the first one."""
    message = "the outcome of the first call with this Idempotency-Key is unknown; find out before you use a new key"
    return UpstreamError(message, sent=True)
