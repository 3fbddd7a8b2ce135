"""The approvals of a document: what waits, and decisions."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from typing import Any, Final, TypeGuard

from adapter_host import AuditService, BuildContext, Principal, Sealer

from .binding import PLACE_DIGITS
from .errors import ApprovalInvalidError
from .records import Approval, Records

PURPOSE: Final = "approval"
AT_CLIENT: Final = "the person at the client"
BY_LINK: Final = "an operator, by the one-time link"

_ID_DIGITS: Final = PLACE_DIGITS + 16
_LINK_DIGITS: Final = 32
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


@cache
def _own_sealer() -> Sealer:
    # One per process, for approvals in its own memory.
    return Sealer([secrets.token_bytes(32)], PURPOSE)


def document_of(context: BuildContext) -> str:
    """Return the digest of the document that a context is of: approvals belong to one document."""
    loaded = context.loaded
    return sha256(f"{loaded.source.file}\0{loaded.capability.label}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvals of the calls of one document, for every replica that shares the state store.

    All methods raise `StoreUnavailableError`. `clock` returns the seconds since 1970, and `audit_logs` the logs that
    record decisions.
    """

    document: str
    records: Records
    sealer: Sealer
    clock: Callable[[], float] = time.time
    audit_logs: Callable[[], Sequence[AuditService]] = tuple

    @classmethod
    def of(cls, context: BuildContext) -> Approvals:
        """Return the approvals of the document that an exposer is in."""
        shared = context.sealer(PURPOSE)
        sealer = shared or _own_sealer()
        store = context.state.namespaced(PURPOSE)
        records = Records(store, sealer, seals=store.is_shared)
        return cls(document_of(context), records, sealer, audit_logs=lambda: context.services(AuditService))

    async def waiting(self, documents: Container[str] | None = None) -> Sequence[Approval]:
        """Return the calls that wait for a decision, the oldest first; also those of other `documents`."""
        wanted = (self.document,) if documents is None else documents
        found = [(await self.records.read(place))[1] for place in await self.records.waiting(self.clock())]
        return [each for each in found if each is not None and each.document in wanted and each.state == "pending"]

    async def find(self, approval_id: str) -> Approval | None:
        """Return an approval in any state; None if there is none (any more)."""
        return (await self._read(approval_id))[1]

    async def decide(self, approval_id: str, *, approve: bool, principal: Principal | None, by: str = "") -> Approval:
        """Approve or deny a call that waits, and return the decided approval.

        `principal` is the authenticated person, and `by` a text for the audit log where there is none. Raise
        `ApprovalInvalidError` if the call does not wait, or if the person may not decide: with `approvers`, a person
        must have one of these names, and must not be the caller. With an audit log that must have all records, raise
        `UnavailableError` without a decision, or `InternalError` after one that was not recorded.
        """
        audit_logs = self.audit_logs()
        for log in audit_logs:
            log.check()
        value, approval = await self._read(approval_id)
        if approval is None or approval.state != "pending" or not may_decide(approval, principal):
            raise ApprovalInvalidError
        decided = replace(
            approval,
            state="approved" if approve else "denied",
            decided=self.clock(),
            decided_by=person_text(principal) or by or "unknown",
        )
        if await self.records.write(approval.place, value, decided) is None:
            raise ApprovalInvalidError
        await self.records.remove_waiting(approval.place)
        for log in audit_logs:
            log.record("decision", _audit_members(decided))
        return decided

    async def _read(self, approval_id: str) -> tuple[bytes | None, Approval | None]:
        if len(approval_id) != _ID_DIGITS or not _HEXADECIMAL.issuperset(approval_id):
            return None, None
        value, approval = await self.records.read(approval_id[:PLACE_DIGITS])
        is_this = self._is_own(approval) and secrets.compare_digest(approval.id, approval_id)
        return (value, approval) if is_this else (None, None)

    def _is_own(self, approval: Approval | None) -> TypeGuard[Approval]:
        return approval is not None and approval.document == self.document

    def link_secret(self, approval_id: str) -> str:
        """Return the secret of the one-time link, which the operator receives."""
        return self.sealer.sign(f"link {approval_id}".encode()).hex()[:_LINK_DIGITS]

    def client_state(self, approval_id: str) -> str:
        """Return the sealed reference for clients that ask a person themselves."""
        return f"{approval_id}.{self.sealer.sign(f'client {approval_id}'.encode()).hex()}"

    def is_client_state(self, state: str, approval_id: str) -> bool:
        """Return whether a client has sent the reference of this approval."""
        expected = f"{approval_id}."
        if not state.isascii() or not state.startswith(expected):
            return False
        try:
            signature = bytes.fromhex(state[len(expected) :])
        except ValueError:
            return False
        is_canonical = state == f"{expected}{signature.hex()}"
        return is_canonical and self.sealer.verify(f"client {approval_id}".encode(), signature)


def _audit_members(decided: Approval) -> Mapping[str, Any]:
    """Return the members of the record of a decision; the call itself has a record of its own."""
    names = ("id", "exposer", "caller", "approvers")
    approval = {name: value for name in names if (value := getattr(decided, name))}
    return {
        "capability": decided.capability,
        "operation": decided.operation,
        "decision": decided.state,
        "approval": {**approval, "by": decided.decided_by, "at": decided.decided},
    }


def may_decide(approval: Approval, principal: Principal | None) -> bool:
    """Return whether a person may decide about a call."""
    if not approval.approvers:
        return True
    subject = None if principal is None else principal.subject
    return subject is not None and subject in approval.approvers and subject != approval.subject


def person_text(principal: Principal | None) -> str | None:
    """Return the name of a person; None without authentication."""
    if principal is None:
        return None
    return principal.subject or principal.client or "a holder of the shared credential"
