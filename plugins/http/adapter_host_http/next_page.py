"""Requests for the URL of a next page: within the base URL, with the credentials of the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from yarl import URL

from adapter_host import PAGE_POSITION, Arguments, UpstreamCredential, UpstreamInvalidError

from .encoding import has_dot_segment, percent_encode
from .redirects import same_origin
from .request.request import Request

_ENCODED: Final = re.compile(r"[!-~]+")
_LONGEST: Final = 8 * 1024
"""Characters of a URL; a longer one is refused."""

Build = Callable[[Arguments], Request]


def follow_links(build: Build, base: Callable[[], str], credential: UpstreamCredential | None) -> Build:
    """Return a function that builds the request of a call, or that of the next page in `PAGE_POSITION`.

    `base` returns the base URL. Raise `UpstreamInvalidError` for a URL outside of it, which must not get credentials.
    """
    sent_name = credential.name if credential is not None and credential.in_ == "query" else None

    def build_page(arguments: Arguments) -> Request:
        request = build(arguments)
        position = PAGE_POSITION.get()
        if position is None:
            return request
        if position.link is not None:
            target = page_target(base(), position.base, position.link)
            request = request.with_target(_with_credential(target, request.target, sent_name))
        position.target = request.target
        return request

    return build_page


def page_target(base: str, current: str, link: str) -> str:
    """Return path and query of a link, below the base; `current` are those of the page that contains it."""
    root = URL(base, encoded=True)
    prefix = root.raw_path.rstrip("/")
    here = URL(f"{root.origin()}{prefix}{current}", encoded=True)
    text = link.strip().partition("#")[0]
    if not text or len(text) > _LONGEST:
        raise UpstreamInvalidError(f"the URL of the next page is empty, or longer than {_LONGEST} characters")
    try:
        there = here.join(URL(text, encoded=_ENCODED.fullmatch(text) is not None))
        is_same = same_origin(there, here)
    except ValueError:
        raise UpstreamInvalidError("the URL of the next page is invalid") from None
    if not is_same:
        raise UpstreamInvalidError("the URL of the next page has another origin, which must not get the credentials")
    path = there.raw_path
    if not f"{path}/".startswith(f"{prefix}/") or any(map(has_dot_segment, path.split("/"))):
        raise UpstreamInvalidError("the URL of the next page is outside of the base URL of the API")
    return there.raw_path_qs[len(prefix) :]


def _with_credential(target: str, own_target: str, name: str | None) -> str:
    """Return the target with the credential in the query of the API's own requests, unless it has one."""
    if name is None:
        return target
    prefix = f"{percent_encode(name)}="
    path, _, query = target.partition("?")
    pieces = query.split("&") if query else []
    if any(piece.startswith(prefix) for piece in pieces):
        return target
    own = [piece for piece in own_target.partition("?")[2].split("&") if piece.startswith(prefix)]
    return f"{path}?{'&'.join((*pieces, *own))}" if own else target
