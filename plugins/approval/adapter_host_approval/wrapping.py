"""Calls of an operation that need an approval: each approved one is made once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Never

from adapter_host import (
    CLIENT_DECISION,
    ApprovalRequiredError,
    Arguments,
    Call,
    CallContext,
    ClientDecision,
    Result,
    StoreUnavailableError,
    current_call,
    note_for_audit,
)

from .approvals import AT_CLIENT, Approvals
from .binding import Site, arguments_text, caller_of, caller_text, place_of
from .conditions import Needs
from .config import ApprovalPolicy
from .errors import ApprovalDeniedError, ApprovalInvalidError, ApprovedCallInProgressError, outcome_unknown
from .pages import ServedPages
from .records import Approval, new_id

LEASE_TIME: Final = 10.0
"""The seconds after which a call of a dead replica is no longer in progress."""

MAX_QUESTION: Final = 2000
"""Characters of the arguments in the question of a client."""

_LOG: Final = logging.getLogger("adapter_host.approval")


class ApprovedOperation:
    """An exposed operation whose calls are made only once a person has approved them."""

    def __init__(
        self, policy: ApprovalPolicy, needs: Needs, site: Site, approvals: Approvals, pages: ServedPages
    ) -> None:
        self._policy = policy
        self._needs = needs
        self._site = site
        self._approvals = approvals
        self._records = approvals.records
        self._pages = pages

    def wrap(self, call: Call) -> Call:
        """Wrap the call of the operation."""

        async def approved(arguments: Arguments) -> Result:
            if not self._needs(arguments):
                return await call(arguments)
            context = current_call()
            place = place_of(self._approvals.sealer, self._site, context, arguments)
            value, approval = await self._records.read(place)
            if (decision := CLIENT_DECISION.get()) is not None:
                value, approval = await self._apply(decision, place, value, approval)
            if value is None:
                approval = await self._ask(place, context, arguments)
            if approval is None:
                # Nobody can open it: its key is not one of this deployment any more.
                raise ApprovalInvalidError
            _note(approval)
            if approval.state != "approved" or value is None:
                await self._refuse(approval)
            return await self._make_once(place, value, approval, lambda: call(arguments))

        return approved

    async def _apply(
        self, decision: ClientDecision, place: str, value: bytes | None, approval: Approval | None
    ) -> tuple[bytes, Approval]:
        """Store the decision of the person at the client."""
        if (
            approval is None
            or approval.state != "pending"
            or not self._policy.client_decides
            or not self._approvals.is_client_state(decision.state, approval.id)
        ):
            raise ApprovalInvalidError
        state: Any = "approved" if decision.approved else "denied"
        decided = replace(approval, state=state, decided=self._approvals.clock(), decided_by=AT_CLIENT)
        written = await self._records.write(place, value, decided)
        if written is None:
            raise ApprovalInvalidError
        await self._records.remove_waiting(place)
        return written, decided

    async def _ask(self, place: str, context: CallContext, arguments: Arguments) -> Approval:
        """Store a new approval, which waits; return that of a concurrent call, if there is one."""
        now = self._approvals.clock()
        approval = Approval(
            id=new_id(place),
            document=self._site.document,
            capability=self._site.capability,
            exposer=self._site.exposer,
            operation=self._site.operation,
            upstream=self._site.upstream,
            arguments=arguments_text(arguments),
            caller=caller_text(context),
            subject=context.principal.subject if context.principal else None,
            approvers=tuple(self._policy.approvers),
            created=now,
            expires_in=self._policy.expires_in,
        )
        owner = self._approvals.sealer.sign(f"caller {caller_of(context)}".encode()).hex()[:32]
        await self._records.add_waiting(place, owner, now, approval.expires)
        if await self._records.write(place, None, approval) is None:
            _, other = await self._records.read(place)
            if other is None or other.state != "pending":
                raise ApprovalInvalidError
            return other
        self._notify(approval)
        return approval

    def _notify(self, approval: Approval) -> None:
        """Notify the operator; the log has the link if nobody has credentials for the page."""
        pages = self._pages.find(approval.document)
        url = None if pages is None else pages.url_of(approval.id)
        if pages is not None and pages.is_open and url is not None:
            url = f"{url}/{self._approvals.link_secret(approval.id)}"
        where = f"; decide at {url}" if url is not None else ""
        _LOG.warning("'%s' waits for approval %s%s", approval.operation, approval.id[-8:], where)

    async def _refuse(self, approval: Approval) -> Never:
        if approval.state == "denied":
            raise ApprovalDeniedError("a person has denied this call; do not repeat it")
        if approval.state == "started":
            async with self._records.store.hold_lease(approval.place, LEASE_TIME) as is_free:
                if not is_free:
                    raise ApprovedCallInProgressError
            raise outcome_unknown()
        raise self._required(approval)

    def _required(self, approval: Approval) -> ApprovalRequiredError:
        pages = self._pages.find(approval.document)
        page = None if pages is None else pages.url_of(approval.id)
        url = page if pages is not None and not pages.is_open else None
        if url is not None:
            how = f"ask for it at {url}"
        elif page is not None:
            how = f"the operator of the host finds a link to decide in its log (approval {approval.id[-8:]})"
        elif self._policy.client_decides:
            how = "this client cannot ask one (MCP elicitation), and the host serves no page for it"
        else:
            how = "the host serves no page with a known URL for it (an exposer of type 'approval')"
        repeat = "" if page is None else f"; then repeat the call with the same arguments within {self._minutes}"
        message = f"a person must approve '{approval.operation}' before it is called: {how}{repeat}"
        asks = self._policy.client_decides
        return ApprovalRequiredError(
            message,
            question=self._question(approval) if asks else "",
            state=self._approvals.client_state(approval.id) if asks else "",
            url=url,
            expires_in=max(0.0, approval.expires - self._approvals.clock()),
        )

    @property
    def _minutes(self) -> str:
        minutes = self._policy.expires_in / 60
        return f"{minutes:g} minutes" if minutes >= 1 else f"{self._policy.expires_in:g} seconds"

    def _question(self, approval: Approval) -> str:
        shown = approval.arguments
        if len(shown) > MAX_QUESTION:
            shown = f"{shown[:MAX_QUESTION]}… ({len(shown)} characters in all)"
        requests = ", ".join(approval.upstream) or "no request"
        return f"Approve this call of '{approval.operation}' ({approval.capability})?\n{requests}\n{shown}"

    async def _make_once(self, place: str, value: bytes, approval: Approval, call: Callable[[], Any]) -> Result:
        """Use up the approval, then make the call; a call without a known outcome stays `started`."""
        async with self._records.store.hold_lease(place, LEASE_TIME) as held:
            if not held:
                raise ApprovedCallInProgressError
            started = await self._records.write(place, value, replace(approval, state="started"))
            if started is None:
                raise ApprovedCallInProgressError
            try:
                result: Result = await call()
            except Exception:
                await self._end(place, started)
                raise
            await self._end(place, started)
            return result

    async def _end(self, place: str, started: bytes) -> None:
        try:
            await self._records.write(place, started, None)
        except StoreUnavailableError:
            _LOG.warning("'%s': the end of an approved call was not stored; repeats fail", self._site.operation)


def _note(approval: Approval) -> None:
    members = {"id": approval.id, "state": approval.state, "by": approval.decided_by, "at": approval.decided}
    note_for_audit("approval", {name: value for name, value in members.items() if value is not None})
