"""The calls that wait, for other plugins of the host: the decisions of all documents in one service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter_host import BuildContext, DecisionService, PendingDecision, Principal

from .approvals import Approvals, document_of, may_decide
from .errors import ApprovalInvalidError
from .pages import ServedPages
from .records import Approval


class Decisions(DecisionService):
    """The approvals of the documents that a host serves."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self._generation = 0
        self._contexts: Mapping[str, BuildContext] = {}

    async def waiting(self, principal: Principal | None) -> Sequence[PendingDecision]:
        """Return the calls that wait."""
        contexts = self._served()
        if not contexts:
            return ()
        # All documents of a host have the same store, so one list has the calls of all of them.
        found = await Approvals.of(next(iter(contexts.values()))).waiting(contexts)
        return [_described(each, principal, contexts[each.document]) for each in found]

    async def decide(self, decision_id: str, *, approve: bool, principal: Principal | None) -> None:
        """Approve or deny a call."""
        for context in self._served().values():
            approvals = Approvals.of(context)
            if await approvals.find(decision_id) is not None:
                await approvals.decide(decision_id, approve=approve, principal=principal)
                return
        raise ApprovalInvalidError

    def _served(self) -> Mapping[str, BuildContext]:
        """Return a context of each document, by its digest."""
        if self._generation != self._host.generation:
            exposers = [each.exposer for plan in self._host.plans for each in plan.exposers]
            self._contexts = {document_of(each.context): each.context for each in exposers}
            self._generation = self._host.generation
        return self._contexts


def _described(approval: Approval, principal: Principal | None, context: BuildContext) -> PendingDecision:
    pages = ServedPages.of(context).find(approval.document)
    is_decider = may_decide(approval, principal)
    return PendingDecision(
        id=approval.id,
        capability=approval.capability,
        exposer=approval.exposer,
        operation=approval.operation,
        requests=approval.upstream,
        # As on the pages, which show a call to nobody else.
        arguments=approval.arguments if is_decider else None,
        caller=approval.caller,
        created=approval.created,
        expires=approval.expires,
        may_decide=is_decider,
        approvers=approval.approvers,
        url=None if pages is None or pages.is_open else pages.url_of(approval.id),
    )
