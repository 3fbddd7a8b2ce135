"""Signed session ids: validity, expiry and memory limits."""

from __future__ import annotations

import orjson
import pytest

from adapter_host_mcp.http import sessions
from adapter_host_mcp.http.sessions import Session, Sessions, UnknownSessionError

KEY = b"k" * 32
OWNER = "ann"


def create_session(store: Sessions, **capabilities: object) -> tuple[str, Session]:
    signed_id = store.create("2025-11-25", capabilities, OWNER)
    session = store.find(signed_id, OWNER)
    assert session is not None
    return signed_id, session


def test_session_id_round_trip() -> None:
    signed_id, session = create_session(Sessions(KEY), sampling={})
    assert Sessions(KEY).find(signed_id, OWNER) == session
    assert (session.version, session.capabilities) == ("2025-11-25", {"sampling": {}})


@pytest.mark.parametrize(
    "tamper", [lambda signed_id: signed_id[:-1], lambda signed_id: f"{signed_id}A", lambda _: "", str.lower]
)
def test_tampered_session_id_is_ignored(tamper: object) -> None:
    store = Sessions(KEY)
    signed_id, _ = create_session(store)
    assert callable(tamper)
    assert store.find(tamper(signed_id), OWNER) is None
    assert Sessions(b"x" * 32).find(signed_id, OWNER) is None


def test_session_ids_are_unique() -> None:
    store = Sessions(KEY)
    assert create_session(store)[1].id != create_session(store)[1].id


def test_expired_session_id_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "LIFETIME", -1.0)
    store = Sessions(KEY)
    assert store.find(store.create("2025-11-25", {}, OWNER), OWNER) is None


def test_session_id_length_limit() -> None:
    signed_id, session = create_session(Sessions(KEY), roots={"listChanged": True}, experimental={"x": "y" * 100_000})
    assert session.capabilities == {"roots": {}}
    assert len(signed_id) < 2500


def test_session_memory_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_REMEMBERED", 2)
    store = Sessions(KEY)
    created = [create_session(store) for _ in range(3)]
    for _, session in created:
        store.set_log_level(session, "error")
    assert [store.log_level(session) for _, session in created] == [None, "error", "error"]
    for _, session in created:
        store.end(session)
    assert store.find(created[0][0], OWNER) == created[0][1]
    for signed_id, session in created[1:]:
        assert store.log_level(session) is None
        with pytest.raises(UnknownSessionError):
            store.find(signed_id, OWNER)


@pytest.mark.parametrize("junk", ["!!!!", "....", "\n\n\n\n", "===="])
@pytest.mark.parametrize("position", [0, 1, 40])
def test_session_id_with_characters_that_base64_ignores_is_rejected(junk: str, position: int) -> None:
    store = Sessions(KEY)
    signed_id, _ = create_session(store)
    assert store.find(signed_id[:position] + junk + signed_id[position:], OWNER) is None


@pytest.mark.parametrize(("owner", "other"), [("ann", "bob"), ("ann", ""), ("", "ann"), ("an", "n ann")])
def test_session_belongs_to_its_owner(owner: str, other: str) -> None:
    store = Sessions(KEY)
    signed_id = store.create("2025-11-25", {}, owner)
    session = store.find(signed_id, owner)
    assert session is not None
    for current in (store, Sessions(KEY)):
        for _ in range(2):
            with pytest.raises(UnknownSessionError):
                current.find(signed_id, other)
            assert current.find(signed_id, owner) == session


def test_session_id_does_not_show_its_owner() -> None:
    store = Sessions(KEY)
    members = [orjson.loads(store._signer.verify(store.create("2025-11-25", {}, "ann"))) for _ in range(2)]
    assert "ann" not in str(members)
    assert members[0][-1] != members[1][-1]
