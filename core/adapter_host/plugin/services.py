"""Services that the plugins of a host offer to each other: they are found by class, and not by plugin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from adapter_host.operation.callers import Principal

SERVICES: Final = "adapter_host.services"
"""The name of the services of a host in `BuildContext.shared`."""


class HostService:
    """The base class of the results of the hook `host_services`."""


ServiceT = TypeVar("ServiceT", bound=HostService)


@dataclass(frozen=True, slots=True)
class PendingDecision:
    """A call that waits for the decision of a person.

    `requests` are those that the call would make, and `caller` is the name of the caller. `created` and `expires` are
    seconds since 1970. `may_decide` is True if the reader may decide; `arguments` are a text for such readers, and None
    for others. `approvers` are the only names with that right, empty for no restriction, and `url` is a page for them.
    """

    id: str
    capability: str
    exposer: str
    operation: str
    requests: tuple[str, ...]
    arguments: str | None
    caller: str
    created: float
    expires: float
    may_decide: bool
    approvers: tuple[str, ...] = ()
    url: str | None = None


class DecisionService(HostService):
    """Calls that wait for the decision of a person, and the decisions.

    `principal` is the person. Without a name of the person, it has no `subject`, and its `client` are words for people.
    All methods raise `OperationError`.
    """

    async def waiting(self, principal: Principal | None) -> Sequence[PendingDecision]:
        """Return the calls that wait, the oldest first; also those that the person may not decide."""
        raise NotImplementedError(f"{type(self).__name__}.waiting")

    async def decide(self, decision_id: str, *, approve: bool, principal: Principal | None) -> None:
        """Approve or deny a call; raise `ApprovalError` if it does not wait, or if the person may not decide."""
        raise NotImplementedError(f"{type(self).__name__}.decide")


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """The newest records of an audit log, the oldest of them first, as they were written.

    `is_complete` is False if the log has older records, which are left out.
    """

    records: Sequence[Mapping[str, Any]]
    is_complete: bool


class AuditService(HostService):
    """An audit log: its newest records, and records of events that are no calls."""

    def check(self) -> None:
        """Raise `UnavailableError` if nothing may happen now, as it could not be recorded."""
        raise NotImplementedError(f"{type(self).__name__}.check")

    def record(self, event: str, members: Mapping[str, Any]) -> None:
        """Write the record of an event, with its name, these members and those of the call in progress.

        It must not block longer than the disk. Raise `InternalError` if the event must be recorded, and was not.
        """
        raise NotImplementedError(f"{type(self).__name__}.record")

    def newest(self) -> AuditTrail:
        """Return the newest records; it blocks, so call it in a thread. Raise `UnavailableError`."""
        raise NotImplementedError(f"{type(self).__name__}.newest")


@dataclass(frozen=True, slots=True)
class AdapterState:
    """A state of an adapter for people, such as that of a circuit breaker.

    `read` returns it as a few words, with True for a healthy state; it is called only when somebody looks.
    """

    name: str
    read: Callable[[], tuple[str, bool]]


class Services:
    """The services of one host, in its `shared` state; `load` returns those of each plugin, and is called once."""

    def __init__(self, load: Callable[[], Iterable[Iterable[HostService]]], shared: MutableMapping[str, Any]) -> None:
        self._load = load
        self._all: tuple[HostService, ...] | None = None
        shared[SERVICES] = self

    def find(self, kind: type[ServiceT]) -> tuple[ServiceT, ...]:
        """Return the services of a class, in the order of their plugins; raise `PluginError`."""
        if self._all is None:
            self._all = tuple(service for services in self._load() for service in services)
        return tuple(service for service in self._all if isinstance(service, kind))
