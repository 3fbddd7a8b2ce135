"""Errors of calls that are not approved."""

from __future__ import annotations

from typing import Final

from adapter_host import ApprovalError, UpstreamError

_INVALID: Final = (
    "the approval is not valid: it was altered, decided or used before, has expired, or is another's; "
    "repeat the call to ask for a new one"
)


class ApprovalInvalidError(ApprovalError):
    """A decision that is not one about this call. One wording for all reasons helps nobody to guess."""

    def __init__(self, message: str = _INVALID) -> None:
        super().__init__(message)


class ApprovalDeniedError(ApprovalError):
    """A person has denied the call."""

    title = "Denied"


class ApprovedCallInProgressError(ApprovalError):
    """The approved call is being made by another request."""

    status = 409
    title = "Approved call in progress"

    def __init__(self, message: str = "the approved call is in progress; its approval is used") -> None:
        super().__init__(message)


class TooManyApprovalsError(ApprovalError):
    """More calls wait for a decision than the host keeps."""

    status = 429
    title = "Too many approvals"


def outcome_unknown() -> UpstreamError:
    """Return the error of a repeated call if nobody knows the outcome of the approved one."""
    message = (
        "the approved call was begun, and its outcome is unknown; find out at the API whether it was carried out "
        "before you ask for another approval"
    )
    return UpstreamError(message, sent=True)
