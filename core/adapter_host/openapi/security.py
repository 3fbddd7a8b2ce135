"""Authentication of requests: the credentials of each operation, with their secrets in a bind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from adapter_host.errors import Problem, ProblemsError
from adapter_host.http_syntax import TOKEN

from .model import Credentials, Parameter
from .names import variable
from .source.documents import Cursor

BIND: Final = "env"
"""The namespace of the bind for the secrets."""

NO_CREDENTIALS: Final = "none"
"""The name for requests without credentials, in the place of a scheme's."""

_TOKEN: Final = re.compile(TOKEN)
_KEY_NAMES: Final = {"header": _TOKEN, "cookie": _TOKEN, "query": re.compile(r"[!-z|~]+")}
"""Valid names of an API key by location."""

_AUTHENTICATIONS: Final = frozenset({"basic", "digest", "bearer", "oauth2", "openIdConnect"})
"""Types of authentication, of which a request has one; API keys come on top."""

Requirement = tuple[str, ...]
"""Names of the schemes that a request needs together; none for a request without credentials."""


def requirements(holder: Cursor) -> list[Requirement] | None:
    """Return the alternatives in `security`; None if it is absent."""
    if not isinstance(holder.value, dict) or not isinstance(holder.value.get("security"), list):
        return None
    return [tuple(item.value) for item in holder.elements("security") if isinstance(item.value, dict)]


def choose_requirements(
    root: Cursor, operations: Sequence[Cursor], schemes: Mapping[str, Cursor], preferred: Sequence[str] = ()
) -> list[Requirement]:
    """Return what each operation is sent, of the alternatives in its `security` or that of the API.

    It is the one with the schemes in `preferred`, the first of them first, else the one with supported schemes that
    most operations accept, and the first of several; no credentials are sent only if nothing else is accepted. Warn
    about operations without a supported alternative. Raise `ProblemsError` for a preferred scheme that is unknown.
    """
    _check_preferred(root, preferred, schemes)
    general = requirements(root)
    accepted = [general if (own := requirements(operation)) is None else own for operation in operations]
    supported = [[item for item in items or () if _is_supported(item, schemes)] for items in accepted]
    counts = Counter(item for items in supported for item in dict.fromkeys(items))
    chosen: list[Requirement] = []
    for operation, all_items, items in zip(operations, accepted, supported, strict=True):
        if any(all_items or ()) and not items:
            _warn_unsupported(operation, all_items or [], schemes)
        # The first of those that are equally common.
        key = partial(_preference, preferred=preferred, counts=counts)
        chosen.append(max(items, key=key, default=()))
    return chosen


def _preference(
    item: Requirement, *, preferred: Sequence[str], counts: Mapping[Requirement, int]
) -> tuple[list[bool], bool, int]:
    wanted = [not item if name == NO_CREDENTIALS else name in item for name in preferred]
    return wanted, bool(item), counts[item]


def _check_preferred(root: Cursor, preferred: Sequence[str], schemes: Mapping[str, Cursor]) -> None:
    """Raise `ProblemsError` for a scheme that does not exist, or is not supported."""
    supported = [name for name, scheme in schemes.items() if _kind(scheme) is not None]
    for name in preferred:
        if name not in supported and name != NO_CREDENTIALS:
            what = (
                f"security scheme '{name}' is not supported" if name in schemes else f"unknown security scheme '{name}'"
            )
            known = ", ".join([*supported, NO_CREDENTIALS])
            raise ProblemsError([Problem(f"{what} (known: {known})", root.document.name, code="security")])


def _is_supported(requirement: Requirement, schemes: Mapping[str, Cursor]) -> bool:
    kinds = [_kind(schemes[name]) if name in schemes else None for name in requirement]
    return None not in kinds and sum(kind in _AUTHENTICATIONS for kind in kinds) <= 1


def _kind(scheme: Cursor) -> str | None:
    """Return the type of a supported scheme, or None."""
    kind = scheme.text("type")
    if kind == "http":
        kind = (scheme.text("scheme") or "").lower()
    if kind == "apiKey":
        key, in_ = scheme.text("name"), scheme.text("in")
        return kind if key and in_ in _KEY_NAMES and _KEY_NAMES[in_].fullmatch(key) else None
    return kind if kind in _AUTHENTICATIONS else None


def _warn_unsupported(operation: Cursor, accepted: Sequence[Requirement], schemes: Mapping[str, Cursor]) -> None:
    for name in dict.fromkeys(name for requirement in accepted for name in requirement):
        scheme = schemes.get(name)
        if scheme is not None and _kind(scheme) is None:
            if scheme.text("type") == "apiKey":
                scheme.warn("an API key needs an 'in' (header, query or cookie), and a 'name' for it; skipped")
            else:
                known = "known: basic, digest, bearer, apiKey, oauth2 and openIdConnect"
                kind = scheme.text("scheme") if scheme.text("type") == "http" else scheme.text("type")
                scheme.warn(f"authentication '{kind}' is not supported; skipped ({known})")
    alternatives = " or ".join(" and ".join(requirement) for requirement in accepted if requirement)
    (operation.get("security") or operation).warn(f"no credentials are sent, as {alternatives} is not supported")


class CredentialsBuilder:
    """Builds the credentials of an API; `prefix` starts the names of their secrets.

    Secrets of the schemes in `main` have no more in their names, those of others have the scheme's name.
    """

    def __init__(
        self, schemes: Mapping[str, Cursor], prefix: str, main: Requirement, holders: Sequence[Cursor]
    ) -> None:
        self._schemes = schemes
        self._prefix = prefix
        self._main = main
        self._scopes = [_scopes(holder) for holder in holders]
        self._names: dict[tuple[str, str], str] = {}
        self._authentication: dict[str, Any] | None = None
        self._constants: list[Parameter] = []
        self._variables: list[str] = []

    def credentials(self, requirement: Requirement) -> Credentials:
        """Return the credentials for a supported requirement."""
        self._authentication, self._constants, self._variables = None, [], []
        # An authentication comes first, as a key would take its place.
        for name in sorted(requirement, key=lambda name: _kind(self._schemes[name]) == "apiKey"):
            self._add(name, self._schemes[name])
        return Credentials(self._authentication, tuple(self._constants), tuple(self._variables))

    def _add(self, name: str, scheme: Cursor) -> None:
        kind = _kind(scheme)
        if kind == "apiKey":
            self._add_key(name, scheme)
        elif kind in ("basic", "digest"):
            username, password = self._secret(name, "USERNAME"), self._secret(name, "PASSWORD")
            self._authentication = {"type": kind, "username": username, "password": password}
        elif kind == "oauth2" and (url := _token_url(scheme)) is not None:
            self._authentication = self._client(name, url)
        else:
            self._authentication = {"type": "bearer", "token": self._secret(name, "TOKEN")}
            if kind != "bearer":
                scheme.warn(
                    f"the token is not requested from the authorization server; set it as {self._variables[-1]}"
                )

    def _client(self, name: str, url: str) -> dict[str, Any]:
        scopes = list(dict.fromkeys(scope for item in self._scopes for scope in item.get(name, ())))
        return {
            "type": "oauth2",
            "tokenEndpoint": url,
            **({"scopes": scopes} if scopes else {}),
            "x-client": {"id": self._secret(name, "CLIENT_ID"), "secret": self._secret(name, "CLIENT_SECRET")},
        }

    def _add_key(self, name: str, scheme: Cursor) -> None:
        key, in_ = scheme.text("name") or "", scheme.text("in") or ""
        if in_ != "cookie" and self._authentication is None:
            secret = self._secret(name, "API_KEY")
            self._authentication = {"type": "apikey", "key": key, "value": secret, "placement": in_}
        else:
            self._constants.append(Parameter(key, in_, value=self._secret(name, variable(name), is_own=True)))

    def _secret(self, scheme: str, name: str, *, is_own: bool = False) -> str:
        parts = (self._prefix, name) if is_own or scheme in self._main else (self._prefix, variable(scheme), name)
        base = "_".join(parts)
        taken = {taken for key, taken in self._names.items() if key != (scheme, name)}
        full, number = base, 2
        while full in taken:
            full, number = f"{base}_{number}", number + 1
        self._names[scheme, name] = full
        self._variables.append(full)
        return "{{" + f"{BIND}.{full}" + "}}"


def _scopes(holder: Cursor) -> Mapping[str, Sequence[str]]:
    """Return the scopes in `security` by scheme."""
    scopes_by_scheme: dict[str, Sequence[str]] = {}
    for item in holder.elements("security"):
        for name, scopes in item.value.items() if isinstance(item.value, dict) else ():
            scopes_by_scheme[name] = (
                [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []
            )
    return scopes_by_scheme


def _token_url(scheme: Cursor) -> str | None:
    """Return the token endpoint of the client credentials flow if it is https, else None."""
    flows = scheme.mapping("flows")
    flow = flows.mapping("clientCredentials") if flows else scheme if scheme.text("flow") == "application" else None
    url = flow.text("tokenUrl") if flow else None
    return url if url and url.startswith("https://") and "{" not in url else None


def scheme_entries(holder: Cursor | None, key: str) -> dict[str, Cursor]:
    """Return the security schemes at a key, by name."""
    return (
        {} if holder is None else {name: cursor for name, cursor in holder.named(key) if isinstance(cursor.value, dict)}
    )
