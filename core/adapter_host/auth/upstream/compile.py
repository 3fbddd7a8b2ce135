"""Compile the authentication of a consumer."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Final

from adapter_host.capability.spec import Authentication
from adapter_host.document.messages import join_words
from adapter_host.http_syntax import is_token
from adapter_host.plugin.context import BuildContext

from .credential import AUTHORIZATION, UpstreamCredential, read_account, read_secret
from .digest import compile_digest

_Compile = Callable[[Authentication, BuildContext], UpstreamCredential | None]


def compile_upstream_credential(
    authentication: Authentication | None,
    context: BuildContext,
    *,
    types: Collection[str] = ("apikey", "basic", "bearer", "digest", "oauth2"),
    placements: Collection[str] = ("header", "query"),
) -> UpstreamCredential | None:
    """Return the credential of a consumer, or None without one and after reporting a problem.

    `types` are those that the protocol can carry, `placements` the places of an API key. `digest` needs the method and
    the target of each request of HTTP, and the headers of its response.
    """
    if authentication is None:
        return None
    kind = authentication.type
    if kind not in types:
        message = f"type '{kind}' is not supported towards an API of this type; use {join_words(sorted(types), 'or')}"
        context.problem(message, authentication, "type", code="unsupported")
        return None
    if kind == "apikey" and authentication.placement not in placements:
        message = f"the API key cannot be in the {authentication.placement}; use {join_words(sorted(placements), 'or')}"
        context.problem(message, authentication, "placement", code="unsupported")
        return None
    credential = _COMPILERS[kind](authentication, context)
    return None if credential is None else replace(credential, kind=kind)


def _bearer(authentication: Authentication, context: BuildContext) -> UpstreamCredential | None:
    token = read_secret(authentication, "token", context)
    if token is None:
        return None
    value, masked = f"Bearer {token.constant}", f"Bearer {token.masked()}"
    return UpstreamCredential("header", AUTHORIZATION, value, masked, token.secrets)


def _api_key(authentication: Authentication, context: BuildContext) -> UpstreamCredential | None:
    key = read_secret(authentication, "key", context)
    value = read_secret(authentication, "value", context)
    if key is None or value is None:
        return None
    name = key.constant or ""
    if authentication.placement == "header" and name and not is_token(name):
        context.problem(f"'{key.masked()}' is not a valid header name", authentication, "key", code="header-name")
        return None
    return UpstreamCredential(authentication.placement, name, value.constant or "", value.masked(), value.secrets)


def _basic(authentication: Authentication, context: BuildContext) -> UpstreamCredential | None:
    account = read_account(authentication, context, ascii_only=False)
    if account is None:
        return None
    user, password = account
    encoded = b64encode(f"{user.constant}:{password.constant}".encode()).decode()
    masked = f"Basic {user.masked()}:{password.masked()}"
    return UpstreamCredential("header", AUTHORIZATION, f"Basic {encoded}", masked)


def _oauth2(authentication: Authentication, context: BuildContext) -> UpstreamCredential | None:
    # Imported late: few documents need a client of authorization servers.
    from .oauth2 import compile_oauth2

    return compile_oauth2(authentication, context)


_COMPILERS: Final[Mapping[str, _Compile]] = {
    "apikey": _api_key,
    "basic": _basic,
    "bearer": _bearer,
    "digest": compile_digest,
    "oauth2": _oauth2,
}
