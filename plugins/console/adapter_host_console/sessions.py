"""Login links and sessions, in memory: both end with the process."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from .roles import Person, Role

LINK_SECONDS: Final = 600
"""How long a login link is valid."""

SESSION_SECONDS: Final = 12 * 3600
"""How long a session of a link is valid."""

CREDENTIAL_SECONDS: Final = 3600
"""How long a session of credentials is valid, which may be withdrawn meanwhile."""

MAX_SESSIONS: Final = 10
"""Sessions of a role at once; a further login ends the oldest of its role."""

RENEWAL_SECONDS: Final = 10
"""The least time between two links that somebody without a session asks for."""


class Sessions:
    """One login link at a time, and the sessions of those that were used; only digests are kept.

    `now` returns seconds on a clock that never goes back.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._link: tuple[bytes, float] | None = None
        self._renewed = now() - RENEWAL_SECONDS
        self._sessions: OrderedDict[bytes, tuple[Person, float]] = OrderedDict()

    def new_link(self) -> str:
        """Return the token of a new link; the one before is no longer valid."""
        token = secrets.token_urlsafe(32)
        self._link = (_digest(token), self._now() + LINK_SECONDS)
        return token

    def renew_link(self) -> str | None:
        """Return the token of a new link, or None if the last one is too recent."""
        if self._now() - self._renewed < RENEWAL_SECONDS:
            return None
        self._renewed = self._now()
        return self.new_link()

    def redeem(self, token: str) -> str | None:
        """Return the id of a new session for the token of a link, which is used up; None for an invalid one."""
        if self._link is None:
            return None
        digest, expires = self._link
        if not secrets.compare_digest(digest, _digest(token)) or self._now() >= expires:
            return None
        self._link = None
        return self.begin(Person(Role.OPERATOR), SESSION_SECONDS)

    def begin(self, person: Person, seconds: float) -> str:
        """Return the id of a new session."""
        session = secrets.token_urlsafe(32)
        self._sessions[_digest(session)] = person, self._now() + seconds
        # By role, so that read-only logins end no session of an operator.
        same = [digest for digest, (other, _) in self._sessions.items() if other.role is person.role]
        if len(same) > MAX_SESSIONS:
            del self._sessions[same[0]]
        return session

    def person_of(self, session: str | None) -> Person | None:
        """Return the person of a session, or None if it is not valid."""
        found = None if session is None else self._sessions.get(_digest(session))
        return found[0] if found is not None and self._now() < found[1] else None

    def end(self, session: str | None) -> None:
        """End a session."""
        if session is not None:
            self._sessions.pop(_digest(session), None)


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()
