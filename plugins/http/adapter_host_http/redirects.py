"""Redirects that are followed: those within the same origin."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

from yarl import URL

from .transport.base import Origin, Response

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_ENCODED: Final = re.compile(r"[!-~]+")


def redirect_target(origin: Origin, target: str, response: Response) -> str | None:
    """Return the target of a redirect of the request `target`, or None if it leads to another origin."""
    here = URL(f"{origin}{target}", encoded=True)
    location = response.headers.get("Location", "").partition("#")[0]
    with suppress(ValueError):
        there = here.join(URL(location, encoded=_ENCODED.fullmatch(location) is not None))
        if location and same_origin(there, here):
            return there.raw_path_qs
    return None


def same_origin(there: URL, here: URL) -> bool:
    """Return whether two URLs have the same origin and user."""
    return _site(there) == _site(here)


def _site(url: URL) -> tuple[object, ...]:
    return url.scheme, url.raw_user, url.raw_password, (url.raw_host or "").lower(), url.port
