"""Login links and sessions over time, on a clock of the test."""

from __future__ import annotations

import pytest

from adapter_host_console.roles import Person, Role
from adapter_host_console.sessions import (
    CREDENTIAL_SECONDS,
    LINK_SECONDS,
    MAX_SESSIONS,
    RENEWAL_SECONDS,
    SESSION_SECONDS,
    Sessions,
)

VIEWER = Person(Role.READ_ONLY, "ada")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock)


def logged_in(sessions: Sessions) -> str:
    session = sessions.redeem(sessions.new_link())
    assert session is not None
    return session


def test_a_link_is_valid_once(sessions: Sessions) -> None:
    token = sessions.new_link()
    session = sessions.redeem(token)
    assert sessions.person_of(session)
    assert sessions.redeem(token) is None
    assert sessions.person_of(session)


def test_a_link_expires(sessions: Sessions, clock: Clock) -> None:
    token = sessions.new_link()
    clock.now += LINK_SECONDS
    assert sessions.redeem(token) is None


def test_a_new_link_replaces_the_one_before(sessions: Sessions) -> None:
    first, second = sessions.new_link(), sessions.new_link()
    assert sessions.redeem(first) is None
    assert sessions.redeem(second) is not None


def test_a_wrong_token_uses_up_nothing(sessions: Sessions) -> None:
    token = sessions.new_link()
    assert sessions.redeem("") is None
    assert sessions.redeem(f"{token}x") is None
    assert sessions.redeem("\ud800") is None
    assert sessions.redeem(token) is not None


def test_a_session_expires(sessions: Sessions, clock: Clock) -> None:
    session = logged_in(sessions)
    clock.now += SESSION_SECONDS - 1
    assert sessions.person_of(session)
    clock.now += 1
    assert not sessions.person_of(session)


def test_a_session_ends_with_a_logout(sessions: Sessions) -> None:
    session, other = logged_in(sessions), logged_in(sessions)
    sessions.end(session)
    assert not sessions.person_of(session)
    assert sessions.person_of(other)


def test_a_further_session_ends_the_oldest(sessions: Sessions) -> None:
    oldest, *others = [logged_in(sessions) for _ in range(MAX_SESSIONS + 1)]
    assert not sessions.person_of(oldest)
    assert all(map(sessions.person_of, others))


def test_read_only_logins_end_no_session_of_an_operator(sessions: Sessions, clock: Clock) -> None:
    operator = logged_in(sessions)
    oldest, *others = [sessions.begin(VIEWER, CREDENTIAL_SECONDS) for _ in range(MAX_SESSIONS + 1)]
    assert sessions.person_of(oldest) is None
    assert {sessions.person_of(other) for other in others} == {VIEWER}
    assert sessions.person_of(operator) == Person(Role.OPERATOR)
    clock.now += CREDENTIAL_SECONDS
    assert sessions.person_of(others[-1]) is None
    assert sessions.person_of(operator) == Person(Role.OPERATOR)


def test_links_for_everybody_are_rare(sessions: Sessions, clock: Clock) -> None:
    assert sessions.renew_link() is not None
    assert sessions.renew_link() is None
    clock.now += RENEWAL_SECONDS
    assert sessions.renew_link() is not None
