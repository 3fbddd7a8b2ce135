"""Decisions of people about calls that wait, for whichever plugin lets them wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapter_host import CallSite, DecisionService, Host, OperationError, PendingDecision

from .guard import RejectedError
from .roles import Person, Role, principal_of

MAX_SHOWN: Final = 100
"""Calls that are shown; further ones follow when these are decided."""

_DECISIONS: Final = {"approve": True, "deny": False}


class Decisions:
    """The calls that wait in a host; `now` returns the time in seconds since 1970."""

    def __init__(self, host: Host, now: Callable[[], float] = time.time) -> None:
        self._host = host
        self._now = now

    async def waiting(self, person: Person) -> dict[str, Any]:
        """Return the calls that wait, the oldest of each plugin first; arguments only if the person may decide."""
        now, principal, may_decide = self._now(), principal_of(person), person.role is Role.OPERATOR
        found: list[dict[str, Any]] = []
        try:
            for number, service in enumerate(self._host.services.find(DecisionService)):
                found += [_shown(number, each, now, may_decide=may_decide) for each in await service.waiting(principal)]
        except OperationError as error:
            raise RejectedError(error.status, f"the calls that wait cannot be read: {error.message}") from error
        return {"total": len(found), "decisions": found[:MAX_SHOWN]}

    async def decide(self, sent: Mapping[str, Any], person: Person, address: str | None) -> dict[str, Any]:
        """Approve or deny a call for a person; `address` is that of the client, for the audit log."""
        service, approve = self._service(sent.get("service")), _DECISIONS.get(str(sent.get("decision")))
        decision_id = sent.get("id")
        if approve is None:
            raise RejectedError(400, "'decision' is neither 'approve' nor 'deny'")
        if not isinstance(decision_id, str):
            raise RejectedError(400, "'id' must be a text")
        principal = principal_of(person)
        try:
            with CallSite().call("console", principal=principal, client_address=address):
                await service.decide(decision_id, approve=approve, principal=principal)
        except OperationError as error:
            raise RejectedError(error.status, error.message) from error
        return {"decided": "approved" if approve else "denied"}

    def _service(self, number: object) -> DecisionService:
        services = self._host.services.find(DecisionService)
        if type(number) is not int or not 0 <= number < len(services):
            raise RejectedError(404, "no plugin has this call")
        return services[number]


def _shown(service: int, decision: PendingDecision, now: float, *, may_decide: bool) -> dict[str, Any]:
    """Return a call that waits, with times in seconds from now."""
    return {
        "service": service,
        "id": decision.id,
        "capability": decision.capability,
        "exposer": decision.exposer,
        "operation": decision.operation,
        "requests": decision.requests,
        "arguments": decision.arguments if may_decide else None,
        "caller": decision.caller,
        "waits": max(0.0, round(now - decision.created, 1)),
        "expires_in": max(0.0, round(decision.expires - now, 1)),
        "may_decide": decision.may_decide and may_decide,
        "approvers": decision.approvers,
        "url": decision.url,
    }
