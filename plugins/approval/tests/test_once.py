"""An approved call is made exactly once, by any replica, or its outcome is said to be unknown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from adapter_host import (
    ApprovalRequiredError,
    Host,
    OperationError,
    Principal,
    ProblemsError,
    Result,
    Settings,
    StoreUnavailableError,
    UpstreamError,
    UpstreamStatusError,
)
from adapter_host.testing import Running, running
from adapter_host_approval import Approval, Approvals
from adapter_host_approval.errors import (
    ApprovalDeniedError,
    ApprovalInvalidError,
    ApprovedCallInProgressError,
    TooManyApprovalsError,
)
from adapter_host_approval.records import MAX_WAITING_OF_CALLER

from .conftest import API, APPROVED, BASIC, REFUND
from .stores import ENVIRONMENT, Shared

Start = Callable[..., Awaitable[Running]]
ADA, BOB = Principal(subject="ada"), Principal(subject="bob")


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
async def start(shared: Shared) -> AsyncIterator[Start]:
    """Start hosts that share a store."""
    async with AsyncExitStack() as stack:

        async def start(keys: Mapping[str, Any] = APPROVED, **settings: Any) -> Running:
            settings.setdefault("environment", ENVIRONMENT)
            served = running(document(keys), plugins=shared.plugins(), state="shared:", **settings)
            return await stack.enter_async_context(served)

        yield start


def document(keys: Mapping[str, Any]) -> dict[str, Any]:
    exposed = {"type": "fake", "namespace": "front", "operations": [{"name": "refund", "call": "shop.refund", **keys}]}
    return {"naftiko": "1.0.0-alpha2", "capability": {"consumes": [API], "exposes": [exposed]}}


def approvals_of(served: Running) -> Approvals:
    return Approvals.of(served.host.plans[0].exposers[0].exposer.context)


async def waiting(served: Running) -> Approval:
    (approval,) = await approvals_of(served).waiting()
    return approval


async def refund(served: Running, arguments: Mapping[str, Any] = REFUND, **caller: Any) -> Result:
    return await served.host.call("front.refund", arguments, **caller)


async def approve(served: Running, *, decision: bool = True, **caller: Any) -> None:
    """Ask for an approval, and decide."""
    with pytest.raises(ApprovalRequiredError):
        await refund(served, **caller)
    await approvals_of(served).decide((await waiting(served)).id, approve=decision, principal=None)


async def test_any_replica_decides_and_calls(start: Start) -> None:
    first, second, third = await start(), await start(), await start()
    with pytest.raises(ApprovalRequiredError):
        await refund(first)
    await approvals_of(second).decide((await waiting(second)).id, approve=True, principal=None)
    assert (await refund(third)).data == REFUND
    for served in (first, second, third):
        with pytest.raises(ApprovalRequiredError):
            await refund(served)
    assert sum(len(served.fake("shop").calls) for served in (first, second, third)) == 1


async def test_concurrent_repeats_are_one_call(start: Start) -> None:
    replicas = [await start(), await start()]
    await approve(replicas[0])
    hold = replicas[0].fake("shop").hold("refund")
    replicas[1].fake("shop").responses["refund"] = hold
    tasks = [asyncio.create_task(refund(replicas[number % 2])) for number in range(20)]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    while len(pending) > 1:
        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    hold.release.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in results].count(Result) == 1
    assert [type(each) for each in results].count(ApprovedCallInProgressError) == 19
    assert len(hold.calls) == 1


async def test_outcome_of_a_cut_off_call_is_unknown(start: Start, shared: Shared) -> None:
    served, other = await start(), await start()
    await approve(served)
    hold = served.fake("shop").hold("refund")
    task = asyncio.create_task(refund(served))
    await hold.entered.wait()
    with pytest.raises(ApprovedCallInProgressError):
        await refund(other)
    task.cancel()
    await asyncio.wait([task])
    for _ in range(2):
        with pytest.raises(UpstreamError, match="its outcome is unknown") as caught:
            await refund(other)
        assert caught.value.sent is True
    assert other.fake("shop").calls == []
    shared.now += 3601
    with pytest.raises(ApprovalRequiredError):
        await refund(other)


async def test_failed_call_uses_up_its_approval(start: Start) -> None:
    served = await start()

    def fail(_: Mapping[str, Any]) -> None:
        raise UpstreamStatusError(500)

    await approve(served)
    served.fake("shop").responses["refund"] = fail
    with pytest.raises(UpstreamStatusError):
        await refund(served)
    with pytest.raises(ApprovalRequiredError):
        await refund(served)


async def test_approvals_expire(start: Start, shared: Shared) -> None:
    served = await start()
    with pytest.raises(ApprovalRequiredError):
        await refund(served)
    approval = await waiting(served)
    shared.now += 601
    with pytest.raises(ApprovalInvalidError):
        await approvals_of(served).decide(approval.id, approve=True, principal=None)
    await approve(served)
    shared.now += 601
    with pytest.raises(ApprovalRequiredError):
        await refund(served)
    assert served.fake("shop").calls == []


async def test_decision_is_final(start: Start) -> None:
    served = await start()
    with pytest.raises(ApprovalRequiredError):
        await refund(served)
    approval = await waiting(served)
    outcomes = await asyncio.gather(
        *(approvals_of(served).decide(approval.id, approve=bool(n % 2), principal=None) for n in range(10)),
        return_exceptions=True,
    )
    assert [type(each) for each in outcomes].count(Approval) == 1
    assert [type(each) for each in outcomes].count(ApprovalInvalidError) == 9


async def test_approval_belongs_to_its_caller(start: Start) -> None:
    served = await start()
    await approve(served, principal=ADA)
    for other in ({"principal": BOB}, {"principal": None}, {"principal": Principal("ada", issuer="elsewhere")}):
        with pytest.raises(ApprovalRequiredError):
            await refund(served, **other)
    for altered in ({**REFUND, "amount": 250.5}, {**REFUND, "amount": 251}, {"order": "A-1"}):
        with pytest.raises((ApprovalRequiredError, OperationError)):
            await refund(served, altered, principal=ADA)
    assert served.fake("shop").calls == []
    assert (await refund(served, principal=ADA)).data == REFUND


async def test_waiting_calls_are_bounded(start: Start) -> None:
    served = await start()
    for number in range(MAX_WAITING_OF_CALLER):
        with pytest.raises(ApprovalRequiredError):
            await refund(served, {**REFUND, "amount": number}, principal=ADA)
    with pytest.raises(TooManyApprovalsError):
        await refund(served, principal=ADA)
    with pytest.raises(ApprovalRequiredError):
        await refund(served, principal=BOB)


async def test_nothing_is_called_while_the_store_is_away(start: Start, shared: Shared) -> None:
    served = await start()
    await approve(served)
    shared.away = True
    with pytest.raises(StoreUnavailableError):
        await refund(served)
    shared.away = False
    assert (await refund(served)).data == REFUND
    assert len(served.fake("shop").calls) == 1


async def test_store_that_goes_away_during_a_call(start: Start, shared: Shared) -> None:
    served = await start()
    await approve(served)

    def respond(_: Mapping[str, Any]) -> str:
        shared.away = True
        return "refunded"

    served.fake("shop").responses["refund"] = respond
    assert (await refund(served)).data == "refunded"
    shared.away = False
    with pytest.raises(UpstreamError, match="its outcome is unknown"):
        await refund(served)


async def test_arguments_are_sealed_in_the_store(start: Start, shared: Shared) -> None:
    served = await start()
    with pytest.raises(ApprovalRequiredError):
        await refund(served, principal=ADA)
    approval = await waiting(served)
    value = await served.host.state.get(f"approval:call:{approval.place}")
    assert value is not None
    assert not any(secret in value for secret in (b"A-1", b"ada", b"refund"))
    # A value of another place, or one that was altered, cannot be opened.
    for wrong in (value[:-1] + bytes([value[-1] ^ 1]), value[::-1]):
        await served.host.state.set(f"approval:call:{approval.place}", wrong, 600)
        with pytest.raises(ApprovalInvalidError):
            await refund(served, principal=ADA)


async def test_shared_store_needs_a_key(start: Start) -> None:
    with pytest.raises(ProblemsError, match="set ADAPTER_HOST_STATE_KEY"):
        await start(environment={})


async def test_denial_is_remembered(start: Start, shared: Shared) -> None:
    served = await start()
    await approve(served, decision=False)
    for _ in range(2):
        with pytest.raises(ApprovalDeniedError):
            await refund(served)
    shared.now += 601
    with pytest.raises(ApprovalRequiredError):
        await refund(served)


async def test_idempotency_key_survives_the_approval(start: Start) -> None:
    """A call that waits leaves its key free, and a repeat of one that was made needs no other approval."""
    served = await start({**APPROVED, "x-resilience": {"idempotency": {}}})
    await approve(served, idempotency_key="k-1")
    first = await refund(served, idempotency_key="k-1")
    again = await refund(served, idempotency_key="k-1")
    assert first.data == again.data == REFUND
    assert len(served.fake("shop").calls) == 1


async def test_audit_records_name_the_approval(shared: Shared, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    settings = Settings(environment=ENVIRONMENT, plugins={"audit": {"file": str(file)}})
    async with Host(document(APPROVED), plugins=shared.plugins(), settings=settings) as host:
        served = Running(host)
        await approve(served)
        await refund(served)
    first, decision, second = (json.loads(line) for line in file.read_text().splitlines())
    assert (decision["event"], decision["decision"], decision["approval"]["id"]) == (
        "decision",
        "approved",
        second["approval"]["id"],
    )
    assert first["outcome"] == "approval-required"
    assert first["approval"] == {"id": second["approval"]["id"], "state": "pending"}
    assert (second["approval"]["state"], second["approval"]["by"]) == ("approved", "unknown")
    assert second["approval"]["at"] > 0


async def test_approval_ends_with_a_change_of_who_decides(start: Start) -> None:
    """After a reload with other approvers, an earlier approval is not accepted."""
    served = await start()
    await approve(served)
    policy = {"x-approval": {"approvers": ["boss"]}}
    page = {"type": "approval", "namespace": "page", "port": 0, "authentication": BASIC}
    changed = document(policy)
    changed["capability"]["exposes"].append(page)
    await served.host.reload(changed)
    with pytest.raises(ApprovalRequiredError):
        await refund(served)
