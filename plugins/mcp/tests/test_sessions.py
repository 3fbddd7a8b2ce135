"""Sealed sessions: what an id tells, to whom, and for how long."""

from __future__ import annotations

import pytest

from adapter_host_mcp.http import sessions
from adapter_host_mcp.http.sessions import EndedError, Session, Sessions

KEY = b"k" * 32


def begun(kept: Sessions, **capabilities: object) -> tuple[str, Session]:
    sealed = kept.begin("2025-11-25", capabilities)
    session = kept.find(sealed)
    assert session is not None
    return sealed, session


def test_whoever_has_the_key_opens_what_was_sealed() -> None:
    sealed, session = begun(Sessions(KEY), sampling={})
    assert Sessions(KEY).find(sealed) == session
    assert (session.version, session.capabilities) == ("2025-11-25", {"sampling": {}})


@pytest.mark.parametrize("spoil", [lambda sealed: sealed[:-1], lambda sealed: f"{sealed}A", lambda _: "", str.lower])
def test_what_was_not_sealed_tells_nothing(spoil: object) -> None:
    kept = Sessions(KEY)
    sealed, _ = begun(kept)
    assert callable(spoil)
    assert kept.find(spoil(sealed)) is None
    assert Sessions(b"x" * 32).find(sealed) is None


def test_no_two_sessions_are_the_same() -> None:
    kept = Sessions(KEY)
    assert begun(kept)[1].id != begun(kept)[1].id


def test_what_is_too_old_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LIFETIME", -1.0)
    kept = Sessions(KEY)
    assert kept.find(kept.begin("2025-11-25", {})) is None


def test_an_id_stays_short_enough_for_a_header() -> None:
    sealed, session = begun(Sessions(KEY), roots={"listChanged": True}, experimental={"x": "y" * 100_000})
    assert session.capabilities == {"roots": {}}
    assert len(sealed) < 2500


def test_what_a_process_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "REMEMBERED", 2)
    kept = Sessions(KEY)
    begins = [begun(kept) for _ in range(3)]
    for _, session in begins:
        kept.set_level(session, "error")
    assert [kept.level(session) for _, session in begins] == [None, "error", "error"]
    for _, session in begins:
        kept.end(session)
    assert kept.find(begins[0][0]) == begins[0][1]
    for sealed, session in begins[1:]:
        assert kept.level(session) is None
        with pytest.raises(EndedError):
            kept.find(sealed)


@pytest.mark.parametrize("junk", ["!!!!", "....", "\n\n\n\n", "===="])
@pytest.mark.parametrize("place", [0, 1, 40])
def test_an_id_with_characters_that_base64_ignores_is_rejected(junk: str, place: int) -> None:
    kept = Sessions(KEY)
    sealed, _ = begun(kept)
    assert kept.find(sealed[:place] + junk + sealed[place:]) is None
