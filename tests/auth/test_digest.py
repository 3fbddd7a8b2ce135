"""Digest authentication: challenges, responses, nonces and replays."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_host import Host, ProblemsError, Settings
from adapter_host.auth.digest import REPLAY_WINDOW, DigestCredentials, Nonces
from adapter_host.auth.shared_nonces import NONCE_LIFETIME
from adapter_host.operation.callers import Principal
from adapter_host.plugin.access import Refusal
from tests.support.adapters import document, plain, plain_plugins
from tests.support.digest_client import HASHES, Asked, header, nonce_of

BINDS = [{"namespace": "env", "keys": {"USER": "FRONT_USER", "PASSWORD": "FRONT_PASSWORD"}}]
DIGEST = {"type": "digest", "username": "{{USER}}", "password": "{{PASSWORD}}"}


@asynccontextmanager
async def serving(user: str = "ann", password: str = "pässword") -> AsyncIterator[str]:
    """Run a host with one operation; yield its URL."""
    settings = Settings(environment={"FRONT_USER": user, "FRONT_PASSWORD": password})
    served = Host(document(plain(authentication=DIGEST), binds=BINDS), plugins=plain_plugins(), settings=settings)
    async with served:
        yield f"{served.status()[0].url}/get"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def credentials(clock: Clock) -> DigestCredentials:
    return DigestCredentials(b"ann", "pässword".encode(), clock)


def verdict(credentials: DigestCredentials, authorization: str = "", path: str = "/get") -> Principal | Refusal:
    checked = credentials.check(Asked(authorization, path))  # type: ignore[arg-type]
    assert isinstance(checked, Principal | Refusal)
    return checked


def challenge(credentials: DigestCredentials) -> str:
    """Return the nonce of a new challenge."""
    refused = verdict(credentials)
    assert isinstance(refused, Refusal)
    return nonce_of(refused.challenges[0])


def is_stale(result: Principal | Refusal) -> bool:
    return isinstance(result, Refusal) and all(item.endswith(", stale=true") for item in result.challenges)


async def test_digest_client() -> None:
    async with (
        serving() as url,
        aiohttp.ClientSession(middlewares=[aiohttp.DigestAuthMiddleware("ann", "pässword")]) as session,
    ):
        for query in ("", "?a=b&c", "?q=%22%20%2F"):
            async with session.post(f"{url}{query}") as response:
                assert response.status == 200
    wrong = aiohttp.DigestAuthMiddleware("ann", "password")
    async with serving() as url, aiohttp.ClientSession(middlewares=[wrong]) as session, session.post(url) as response:
        assert response.status == 401


async def test_challenges_for_both_algorithms_strongest_first() -> None:
    async with serving() as url, aiohttp.ClientSession() as session:
        async with session.post(url) as response:
            offered = response.headers.getall("WWW-Authenticate")
        nonce = nonce_of(offered[0])
        assert offered == [
            f'Digest realm="adapter-host", qop="auth", algorithm={name}, nonce="{nonce}", charset=UTF-8'
            for name in ("SHA-256", "MD5")
        ]
        for count, algorithm in ((1, "SHA-256"), (2, "MD5")):
            authorization = header(nonce, algorithm=algorithm, nc=f"{count:08x}")
            async with session.post(url, headers={"Authorization": authorization}) as response:
                assert response.status == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"response": "0" * 64},
        {"response": ""},
        {"response": None},
        {"response": "\u00e9"},
        {"username": "eve"},
        {"username": ""},
        {"username": None},
        {"nonce": None},
        {"cnonce": None},
        {"cnonce": "other"},
        {"nc": None},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"nc": "+0000001"},
        {"nc": "\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661"},
        {"qop": None},
        {"qop": "auth-int"},
        {"algorithm": None},
        {"algorithm": "SHA-256-sess"},
        {"algorithm": "SHA-512"},
        {"uri": "/other"},
        {"uri": "/get?x"},
        {"uri": "http://[::1/get"},
        {"uri": ""},
    ],
    ids=str,
)
def test_wrong_parameters_are_rejected(credentials: DigestCredentials, changed: dict[str, Any]) -> None:
    nonce = challenge(credentials)
    authorization = header(nonce)
    for name, value in changed.items():
        authorization = re.sub(
            rf'({name}=)"[^"]*"', rf'\1"{value}"' if value is not None else r"x\1y", authorization, count=1
        )
    result = verdict(credentials, authorization)
    assert isinstance(result, Refusal)
    assert result.status == 401
    assert not is_stale(result)
    assert verdict(credentials, header(nonce)) == Principal("ann")


def test_response_is_bound_to_its_target(credentials: DigestCredentials) -> None:
    authorization = header(challenge(credentials), uri="/get")
    assert isinstance(verdict(credentials, authorization, "/other"), Refusal)
    for target in ("/get?x=1", "/get"):
        authorization = header(challenge(credentials), uri=f"http://a.example{target}")
        assert verdict(credentials, authorization, target) == Principal("ann")


def test_wrong_password_is_rejected(credentials: DigestCredentials) -> None:
    assert isinstance(verdict(credentials, header(challenge(credentials), password="other")), Refusal)
    assert isinstance(verdict(credentials, header(challenge(credentials), password="")), Refusal)


def test_replayed_response_is_rejected(credentials: DigestCredentials) -> None:
    nonce = challenge(credentials)
    assert verdict(credentials, header(nonce)) == Principal("ann")
    assert is_stale(verdict(credentials, header(nonce)))
    assert verdict(credentials, header(nonce, nc="00000002")) == Principal("ann")


def test_responses_out_of_order(credentials: DigestCredentials) -> None:
    nonce = challenge(credentials)
    for count in (5, 3, 4, REPLAY_WINDOW + 4, 6):
        assert verdict(credentials, header(nonce, nc=f"{count:08x}")) == Principal("ann")
    for count in (5, 3, 6, 1, REPLAY_WINDOW + 4, 0):
        assert is_stale(verdict(credentials, header(nonce, nc=f"{count:08x}")))
    assert verdict(credentials, header(nonce, nc="ffffffff")) == Principal("ann")
    assert is_stale(verdict(credentials, header(nonce, nc="00000007")))


def test_nonce_expires(credentials: DigestCredentials, clock: Clock) -> None:
    nonce = challenge(credentials)
    clock.now += NONCE_LIFETIME - 1
    assert verdict(credentials, header(nonce)) == Principal("ann")
    clock.now += 1
    assert is_stale(verdict(credentials, header(nonce, nc="00000002")))
    clock.now -= NONCE_LIFETIME + 1
    assert is_stale(verdict(credentials, header(nonce, nc="00000003")))


@pytest.mark.parametrize("nonce", ["x", "A" * 44, "A" * 43 + "=", "\u00e9"])
def test_foreign_nonce_is_rejected(credentials: DigestCredentials, nonce: str) -> None:
    assert is_stale(verdict(credentials, header(nonce)))


def test_nonce_of_another_host_is_rejected(credentials: DigestCredentials, clock: Clock) -> None:
    other = DigestCredentials(b"ann", "pässword".encode(), clock)
    assert is_stale(verdict(credentials, header(challenge(other))))


def test_modified_nonce_is_rejected(credentials: DigestCredentials) -> None:
    nonce = challenge(credentials)
    changed = ("A" if nonce[10] != "A" else "B").join((nonce[:10], nonce[11:]))
    assert is_stale(verdict(credentials, header(changed)))


def test_lengthened_nonce_is_rejected(credentials: DigestCredentials) -> None:
    raw = urlsafe_b64decode(challenge(credentials))
    for changed in (raw[:16] + bytes(3) + raw[16:], raw + bytes(3), bytes(3) + raw, raw[:16], raw[16:]):
        assert is_stale(verdict(credentials, header(urlsafe_b64encode(changed).decode())))


def test_remembered_nonces_are_bounded(clock: Clock) -> None:
    nonces = Nonces(clock, limit=20)
    made = []
    for _ in range(100):
        clock.now += 0.001
        made.append(nonces.new())
        assert nonces.use(made[-1], 1)
        assert len(nonces._used) <= 20
    assert not any(nonces.use(nonce, 1) for nonce in made), "evicted nonces are rejected"
    assert nonces.use(made[-1], 2)


def test_expired_nonces_are_evicted_first(clock: Clock) -> None:
    nonces = Nonces(clock, limit=20)
    for _ in range(20):
        assert nonces.use(nonces.new(), 1)
    waiting = nonces.new()
    clock.now += NONCE_LIFETIME
    assert nonces.use(nonces.new(), 1)
    assert len(nonces._used) == 1
    assert not nonces.use(waiting, 1)


def test_failed_attempts_are_not_remembered(credentials: DigestCredentials) -> None:
    for _ in range(10):
        verdict(credentials, header(challenge(credentials), password="guess"))
    assert not credentials._nonces._used


@pytest.mark.parametrize(("user", "password"), [("ann", ""), ("", "pässword"), ("", "")])
def test_empty_secret_rejects_everyone(user: str, password: str, clock: Clock) -> None:
    credentials = DigestCredentials(user.encode(), password.encode(), clock)
    for algorithm in HASHES:
        authorization = header(challenge(credentials), user=user, password=password, algorithm=algorithm)
        assert isinstance(verdict(credentials, authorization), Refusal)


async def test_empty_secret_prevents_the_start() -> None:
    with pytest.raises(ProblemsError, match=r"secret 'env\.PASSWORD' is not set"):
        async with serving(password=""):
            pass


def test_non_ascii_user_name(clock: Clock) -> None:
    credentials = DigestCredentials("jürgen".encode(), b"pw", clock)
    authorization = header(challenge(credentials), user="jürgen", password="pw")
    assert verdict(credentials, authorization) == Principal("jürgen")
    extended = header(challenge(credentials), user="jürgen", password="pw")
    extended = extended.replace('username="jürgen"', "username*=UTF-8''j%C3%BCrgen")
    assert verdict(credentials, extended) == Principal("jürgen")


@pytest.mark.parametrize("text", ["", "Digest", "Digest x", 'Digest nonce="a', "Digest a=b,,c=d", "Digest a=b, a=c"])
def test_malformed_headers_are_rejected(credentials: DigestCredentials, text: str) -> None:
    assert isinstance(verdict(credentials, text), Refusal)


@given(st.text())
def test_arbitrary_headers_are_handled(text: str) -> None:
    assert isinstance(verdict(DigestCredentials(b"ann", b"pw"), f"Digest {text}"), Refusal)


def test_a_count_at_the_edge_of_the_window(credentials: DigestCredentials) -> None:
    nonce = challenge(credentials)
    highest = 2 * REPLAY_WINDOW
    assert verdict(credentials, header(nonce, nc=f"{highest:08x}")) == Principal("ann")
    assert is_stale(verdict(credentials, header(nonce, nc=f"{highest - REPLAY_WINDOW:08x}")))
    assert verdict(credentials, header(nonce, nc=f"{highest - REPLAY_WINDOW + 1:08x}")) == Principal("ann")


def test_memory_of_a_nonce_is_bounded(clock: Clock) -> None:
    nonces = Nonces(clock)
    nonce = nonces.new()
    for count in range(1, 4 * REPLAY_WINDOW, REPLAY_WINDOW // 2):
        assert nonces.use(nonce, count)
    assert nonces._used[nonce]._seen.bit_length() <= REPLAY_WINDOW


def test_oldest_nonces_are_evicted_first(clock: Clock) -> None:
    nonces = Nonces(clock, limit=20)
    made = []
    for _ in range(20):
        clock.now += 0.001
        made.append(nonces.new())
    # Used in the opposite order of their creation.
    assert all(nonces.use(nonce, 1) for nonce in reversed(made))
    clock.now += 0.001
    assert nonces.use(nonces.new(), 1)
    assert not any(nonces.use(nonce, 2) for nonce in made[:3])
    assert all(nonces.use(nonce, 2) for nonce in made[3:])


def test_nonces_soon_after_the_clock_started(clock: Clock) -> None:
    clock.now = 0.5
    nonces = Nonces(clock)
    assert nonces.use(nonces.new(), 1)
