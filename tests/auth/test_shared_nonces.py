"""Digest nonces that replicas share: accepted by all of them, each count once, also while the store comes and goes."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host import MemoryStateStore, StoreUnavailableError
from adapter_host.auth.digest import DigestCredentials
from adapter_host.auth.shared_nonces import AWAY_FOR, CLOCK_DIFFERENCE, NONCE_LIFETIME, SharedNonces
from adapter_host.operation.callers import Principal
from adapter_host.plugin.access import Refusal, Verdict
from adapter_host.state.sealing import Sealer
from tests.support.digest_client import Asked, header, nonce_of

ANN = Principal("ann")


class Clock:
    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Store(MemoryStateStore):
    """A store that may be away."""

    away = False

    async def compare_and_set(self, *args: Any) -> bool:
        if self.away:
            raise StoreUnavailableError("away")
        return await super().compare_and_set(*args)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(clock=clock)


def replica(store: Store, clock: Clock, key: bytes = bytes(32)) -> DigestCredentials:
    nonces = SharedNonces(store, Sealer([key], "digest"), clock)
    return DigestCredentials(b"ann", "pässword".encode(), clock, nonces)


@pytest.fixture
def replicas(store: Store, clock: Clock) -> list[DigestCredentials]:
    return [replica(store, clock) for _ in range(2)]


async def verdict(credentials: DigestCredentials, authorization: str = "") -> Verdict:
    checked = credentials.check(Asked(authorization))  # type: ignore[arg-type]
    return await checked if isinstance(checked, Awaitable) else checked


async def challenge(credentials: DigestCredentials) -> str:
    """Return the nonce of a new challenge."""
    refused = await verdict(credentials)
    assert isinstance(refused, Refusal)
    return nonce_of(refused.challenges[0])


async def retried(credentials: DigestCredentials, authorization: str) -> str:
    """Return the nonce of the challenge in a refusal that lets clients try again."""
    refused = await verdict(credentials, authorization)
    assert isinstance(refused, Refusal)
    assert all(each.endswith(", stale=true") for each in refused.challenges)
    return nonce_of(refused.challenges[0])


async def test_every_replica_accepts_a_nonce(replicas: list[DigestCredentials]) -> None:
    nonce = await challenge(replicas[0])
    for count in range(1, 5):
        assert await verdict(replicas[count % 2], header(nonce, nc=f"{count:08x}")) == ANN


async def test_count_is_accepted_once(replicas: list[DigestCredentials]) -> None:
    nonce = await challenge(replicas[0])
    for count in ("00000003", "00000001", "00000002", "ffffffff"):
        assert await verdict(replicas[0], header(nonce, nc=count)) == ANN
        for each in replicas:
            await retried(each, header(nonce, nc=count))
            await retried(each, header(nonce, nc=count, algorithm="MD5"))
    await retried(replicas[1], header(nonce, nc="00000000"))
    assert await verdict(replicas[1], header(nonce, nc="FFFFFFFE")) == ANN
    await retried(replicas[0], header(nonce, nc="fffffffe"))


async def test_concurrent_replays(replicas: list[DigestCredentials]) -> None:
    nonce = await challenge(replicas[0])
    verdicts = await asyncio.gather(*(verdict(each, header(nonce)) for each in replicas * 20))
    assert verdicts.count(ANN) == 1


async def test_wrong_password_uses_no_count(replicas: list[DigestCredentials], store: Store) -> None:
    nonce = await challenge(replicas[0])
    refused = await verdict(replicas[0], header(nonce, password="guess"))
    assert isinstance(refused, Refusal)
    assert not store._entries
    assert await verdict(replicas[1], header(nonce)) == ANN


async def test_nonce_expires_and_is_remembered_until_then(store: Store, clock: Clock) -> None:
    late, early = Clock(clock.now - CLOCK_DIFFERENCE), Clock(clock.now + CLOCK_DIFFERENCE)
    replicas = [replica(store, each) for each in (late, clock, early)]
    nonce = await challenge(replicas[1])
    assert await verdict(replicas[2], header(nonce)) == ANN
    for each in (late, clock, early):
        each.now += NONCE_LIFETIME - CLOCK_DIFFERENCE - 1
    assert await verdict(replicas[2], header(nonce, nc="00000002")) == ANN
    for each in (late, clock, early):
        each.now += CLOCK_DIFFERENCE + 1
    await retried(replicas[1], header(nonce, nc="00000003"))
    await retried(replicas[2], header(nonce, nc="00000003"))
    for count in ("00000001", "00000002"):
        await retried(replicas[0], header(nonce, nc=count))
    assert await verdict(replicas[0], header(nonce, nc="00000003")) == ANN


async def test_nonce_of_the_future_is_rejected(store: Store, clock: Clock) -> None:
    nonce = await challenge(replica(store, Clock(clock.now + CLOCK_DIFFERENCE + 1)))
    await retried(replica(store, clock), header(nonce))


async def test_nonce_of_another_deployment_is_rejected(store: Store, clock: Clock) -> None:
    nonce = await challenge(replica(store, clock, b"x" * 32))
    await retried(replica(store, clock), header(nonce))


@given(st.integers(0, 47), st.integers(1, 255))
async def test_changed_nonce_is_rejected(position: int, change: int) -> None:
    clock = Clock()
    credentials = replica(Store(clock=clock), clock)
    raw = bytearray(urlsafe_b64decode(await challenge(credentials)))
    raw[position] ^= change
    await retried(credentials, header(urlsafe_b64encode(raw).decode()))


async def test_store_that_is_away(replicas: list[DigestCredentials], store: Store, clock: Clock) -> None:
    shared = await challenge(replicas[0])
    assert await verdict(replicas[0], header(shared)) == ANN
    store.away = True
    own = await retried(replicas[0], header(shared, nc="00000002"))
    # The first replica counts the nonce that it has made; the other one does not know it.
    assert await verdict(replicas[0], header(own)) == ANN
    await retried(replicas[0], header(own))
    await retried(replicas[1], header(own, nc="00000002"))
    for each in replicas:
        await retried(each, header(shared))
    store.away = False
    clock.now += AWAY_FOR
    assert await verdict(replicas[0], header(own, nc="00000002")) == ANN
    again = await challenge(replicas[0])
    assert await verdict(replicas[1], header(again)) == ANN
    await retried(replicas[0], header(again))
