"""Members that plugins add to the audit record of the call in progress."""

from __future__ import annotations

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any, Final

AUDIT_MEMBERS: Final[ContextVar[MutableMapping[str, Any] | None]] = ContextVar(
    "adapter_host_audit_members", default=None
)
"""The further members of the record of the call in progress; None without an audit log."""


def note_for_audit(name: str, value: Any) -> None:
    """Add a member of plain data to the audit record of the call in progress, if there is one."""
    members = AUDIT_MEMBERS.get()
    if members is not None:
        members[name] = value
