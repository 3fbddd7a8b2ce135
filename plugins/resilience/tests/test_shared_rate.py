"""Tests of rate limits in the state store, for each caller and for all."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapter_host import Host, MemoryStateStore, Principal, ProblemsError, UnavailableError
from adapter_host_resilience.shared_rate import Replicas

from .conftest import Api, Client, Start, document, plugins
from .test_limits import LEVELS

PER_CALLER = {"rate": {"calls": 2, "per": 3600, "by": "caller", "wait": 0}}


async def call(client: Client, subject: str | None = None, name: str = "front.read", **caller: Any) -> Any:
    principal = None if subject is None else Principal(subject, **caller)
    address = caller.get("client_address") if subject is None else "192.0.2.9"
    return (await client.host.call(name, {}, principal=principal, client_address=address)).data


@pytest.mark.parametrize(("policies", "name"), LEVELS)
async def test_limit_of_each_caller(api: Api, start: Start, policies: Any, name: str) -> None:
    client = await start(**policies(PER_CALLER))
    await call(client, "ada")
    await call(client, "ada", scopes=frozenset({"admin"}))
    with pytest.raises(UnavailableError) as caught:
        await call(client, "ada")
    assert caught.value.message == f"rate limit of '{name}' for each caller exceeded; retry in 1800 s"
    assert caught.value.retry_after == 1800
    for other in ({"subject": "bob"}, {"subject": "ada", "issuer": "https://issuer.example"}):
        await call(client, **other)
    assert len(api.received) == 4


async def test_callers_without_credentials_are_their_addresses(start: Start) -> None:
    client = await start(PER_CALLER)
    for address in ("192.0.2.1", "192.0.2.2", None):
        await call(client, client_address=address)
        await call(client, client_address=address)
        with pytest.raises(UnavailableError):
            await call(client, client_address=address)


async def test_shared_limit_of_all_callers(start: Start) -> None:
    client = await start({"rate": {"calls": 2, "per": 3600, "shared": True, "wait": 0}})
    await call(client, "ada")
    await call(client, "bob")
    with pytest.raises(UnavailableError, match="rate limit of 'things' exceeded; retry in 1800 s"):
        await call(client, "eve")


async def test_limits_of_operations_are_separate(start: Start) -> None:
    client = await start(exposed={"read": PER_CALLER, "other": PER_CALLER})
    for name in ("front.read", "front.other"):
        await call(client, "ada", name)
        await call(client, "ada", name)
        with pytest.raises(UnavailableError):
            await call(client, "ada", name)


async def test_reload_keeps_what_is_used(start: Start) -> None:
    client = await start(PER_CALLER)
    await call(client, "ada")
    await client.host.reload()
    await call(client, "ada")
    with pytest.raises(UnavailableError):
        await call(client, "ada")


async def test_call_waits_for_the_limit(api: Api, start: Start) -> None:
    client = await start({"rate": {"calls": 1, "per": 0.05, "by": "caller"}})
    await asyncio.gather(*(call(client, "ada") for _ in range(4)))
    assert len(api.received) == 4


async def test_queue_of_one_caller_is_bounded(api: Api, start: Start) -> None:
    client = await start({"rate": {"calls": 1, "per": 3600, "by": "caller", "wait": 7200, "queue": 1}})
    await call(client, "ada")
    waiting = asyncio.create_task(call(client, "ada"))
    await asyncio.wait([waiting], timeout=0.01)
    with pytest.raises(UnavailableError):
        await call(client, "ada")
    await call(client, "bob")
    assert not waiting.done()
    waiting.cancel()
    await asyncio.wait([waiting])
    again = asyncio.create_task(call(client, "ada"))
    await asyncio.wait([again], timeout=0.01)
    assert not again.done()
    again.cancel()
    await asyncio.wait([again])
    assert len(api.received) == 2


@pytest.mark.parametrize(
    ("rate", "problem"),
    [
        ({"calls": 1, "by": "client"}, "by"),
        ({"calls": 1, "by": "caller", "whenUnavailable": "ignore"}, "whenUnavailable"),
        ({"calls": 1, "by": "caller", "per": 1e7}, "per"),
    ],
)
def test_invalid_policy(rate: Any, problem: str) -> None:
    with pytest.raises(ProblemsError, match=problem):
        Host(document("http://127.0.0.1:9", {"rate": rate}), plugins=plugins())


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


async def test_number_of_replicas() -> None:
    clock = Clock()
    store = MemoryStateStore(clock=clock)
    replicas = [Replicas(store, clock) for _ in range(3)]
    for each in replicas:
        await each.refresh()
        await each.refresh()
    assert [each.count for each in replicas] == [1, 2, 3]
    clock.now += 1
    for each in replicas:
        await each.refresh()
    assert [each.count for each in replicas] == [3, 3, 3]
    # One replica is gone: the others know after the 10 seconds in which it was counted, and 10 more.
    for _ in range(20):
        clock.now += 1
        for each in replicas[:2]:
            await each.refresh()
    assert [each.count for each in replicas[:2]] == [2, 2]
