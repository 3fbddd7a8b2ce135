"""Tests of the shared token of one client: its times, and requests without the store or the lock."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from adapter_host import MemoryStateStore, Sealer, StoreUnavailableError, UpstreamInvalidError
from adapter_host.auth.upstream.shared_tokens import KEPT_FOR, SharedTokens
from adapter_host.auth.upstream.token_endpoint import TokenResponse

SEALER = Sealer([bytes(32)], "test")


class Clock:
    """The time of the store and of the replicas."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """Issues numbered tokens."""

    def __init__(self) -> None:
        self.lifetime = 3600.0
        self.issued = 0
        self.failing = False

    async def request(self) -> TokenResponse:
        if self.failing:
            raise UpstreamInvalidError("no token")
        self.issued += 1
        return TokenResponse(f"t{self.issued}", self.lifetime)


class Store(MemoryStateStore):
    """A store whose methods in `away` fail."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.away: set[str] = set()

    def _check(self, method: str) -> None:
        if method in self.away:
            raise StoreUnavailableError("away")

    async def get(self, key: str) -> bytes | None:
        self._check("get")
        return await super().get(key)

    async def acquire(self, name: str, ttl: float) -> int | None:
        self._check("acquire")
        return await super().acquire(name, ttl)

    async def release(self, name: str, token: int) -> bool:
        self._check("release")
        return await super().release(name, token)

    async def compare_and_set(self, *args: Any) -> bool:
        self._check("compare_and_set")
        return await super().compare_and_set(*args)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(clock)


@pytest.fixture
def replicas(store: Store, clock: Clock) -> list[SharedTokens]:
    return [SharedTokens(store, SEALER, "key", clock) for _ in range(2)]


async def token(replica: SharedTokens, issuer: Issuer, rejected: str | None = None) -> tuple[str, float]:
    response = await replica.token(issuer.request, rejected, 0.0)
    return response.access_token, response.expires_in


@pytest.mark.parametrize(("lifetime", "due"), [(3600, 3570), (40, 20), (inf, KEPT_FOR)])
async def test_one_request_for_each_expiry(
    replicas: list[SharedTokens], issuer: Issuer, clock: Clock, lifetime: float, due: float
) -> None:
    issuer.lifetime = lifetime
    assert [await token(each, issuer) for each in replicas] == [("t1", lifetime)] * 2
    clock.now += due - 1
    assert [await token(each, issuer) for each in replicas] == [("t1", lifetime - due + 1)] * 2
    clock.now += 1
    assert [await token(each, issuer) for each in replicas] == [("t2", lifetime)] * 2


async def test_token_that_has_expired_already_is_not_shared(
    replicas: list[SharedTokens], issuer: Issuer, store: Store
) -> None:
    issuer.lifetime = 0
    assert await token(replicas[0], issuer) == ("t1", 0)
    assert await store.get("key") is None


async def test_rejected_token_is_replaced(replicas: list[SharedTokens], issuer: Issuer) -> None:
    await token(replicas[0], issuer)
    assert [(await token(each, issuer, "t1"))[0] for each in replicas] == ["t2", "t2"]


@pytest.mark.parametrize("method", ["get", "acquire", "release", "compare_and_set"])
async def test_one_request_while_the_store_is_away(
    replicas: list[SharedTokens], issuer: Issuer, store: Store, method: str
) -> None:
    store.away.add(method)
    assert (await token(replicas[0], issuer))[0] == "t1"
    assert issuer.issued == 1


async def test_other_replica_holds_the_lock(replicas: list[SharedTokens], issuer: Issuer, store: Store) -> None:
    assert await store.acquire("key", 3600) is not None
    assert (await token(replicas[0], issuer))[0] == "t1"
    assert await store.get("key") is None


async def test_token_of_a_later_owner_of_the_lock_is_kept(
    replicas: list[SharedTokens], issuer: Issuer, store: Store
) -> None:
    async def slow() -> TokenResponse:
        response = await issuer.request()
        await store.set("key", SEALER.seal(b"newer", "key"))
        return response

    assert (await replicas[0].token(slow, None, 0.0)).access_token == "t1"
    assert SEALER.unseal(await store.get("key") or b"", "key") == b"newer"


async def test_failed_request_releases_the_lock(replicas: list[SharedTokens], issuer: Issuer) -> None:
    issuer.failing = True
    with pytest.raises(UpstreamInvalidError):
        await token(replicas[0], issuer)
    issuer.failing = False
    assert (await token(replicas[1], issuer))[0] == "t1"
