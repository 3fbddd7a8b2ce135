"""How requests prove who sends them: one way for the whole API, with its secrets in a bind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapter_host.http_syntax import TOKEN

from .documents import Cursor
from .model import Credentials, Parameter
from .names import variable

BIND: Final = "env"
"""The namespace of the bind that the secrets come from."""

_TOKEN: Final = re.compile(TOKEN)
_KEYS: Final = {"header": _TOKEN, "cookie": _TOKEN, "query": re.compile(r"[!-z|~]+")}
"""The names that a key may have, by its place."""

Requirement = tuple[str, ...]
"""The schemes that a request needs, all of them."""


def requirements(holder: Cursor) -> list[Requirement] | None:
    """Return the alternatives that `security` gives; None when it is not there."""
    if not isinstance(holder.value, dict) or not isinstance(holder.value.get("security"), list):
        return None
    return [tuple(each.value) for each in holder.elements("security") if isinstance(each.value, dict)]


def read_credentials(
    root: Cursor, operations: Sequence[Cursor], schemes: Mapping[str, Cursor], namespace: str
) -> Credentials:
    """Return the credentials of all of an API's requests; report operations that need others."""
    general = requirements(root)
    each = [(operation, requirements(operation)) for operation in operations]
    wanted = [general if own is None else own for _, own in each]
    alternatives = _commonest(wanted) if wanted else general or []
    needed = next((each for each in alternatives if each and all(name in schemes for name in each)), ())
    for (operation, _), own in zip(each, wanted, strict=True):
        _note_other(operation, own or [], needed)
    scopes = [_scopes(holder) for holder in (root, *operations)]
    return _Maker(schemes, variable(namespace), scopes).credentials(needed)


def _scopes(holder: Cursor) -> Mapping[str, Sequence[str]]:
    """Return the scopes that `security` asks of each scheme."""
    found: dict[str, Sequence[str]] = {}
    for each in holder.elements("security"):
        for name, scopes in each.value.items() if isinstance(each.value, dict) else ():
            found[name] = [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []
    return found


def _commonest(wanted: Sequence[list[Requirement] | None]) -> list[Requirement]:
    counted = Counter(tuple(each) for each in wanted if each and any(each))
    return list(counted.most_common(1)[0][0]) if counted else []


def _note_other(operation: Cursor, wanted: Sequence[Requirement], needed: Requirement) -> None:
    if needed in wanted or (not wanted and not needed) or (() in wanted and not needed):
        return
    at = operation.get("security") or operation
    if any(wanted):
        ways = " or ".join(" and ".join(way) for way in wanted if way)
        at.warn(f"it wants another authentication ({ways}) than is sent ({' and '.join(needed) or 'none'})")
    else:
        at.warn(f"it needs no authentication, and is sent that of the others ({' and '.join(needed)})")


class _Maker:
    """Makes the credentials of an API; `prefix` begins the names of its secrets."""

    def __init__(
        self, schemes: Mapping[str, Cursor], prefix: str, scopes: Sequence[Mapping[str, Sequence[str]]]
    ) -> None:
        self._schemes = schemes
        self._prefix = prefix
        self._scopes = scopes
        self._authentication: dict[str, Any] | None = None
        self._constants: list[Parameter] = []
        self._variables: list[str] = []

    def credentials(self, needed: Requirement) -> Credentials:
        for name in needed:
            self._add(name, self._schemes[name])
        return Credentials(self._authentication, tuple(self._constants), tuple(self._variables))

    def _add(self, name: str, scheme: Cursor) -> None:
        kind = scheme.text("type")
        if kind == "apiKey":
            self._add_key(name, scheme)
        elif self._authentication is not None:
            scheme.warn("only one authentication is sent besides API keys, so this one is left out")
        else:
            self._authentication = self._declared(name, kind, scheme)

    def _declared(self, name: str, kind: str | None, scheme: Cursor) -> dict[str, Any] | None:
        way = (scheme.text("scheme") or "").lower() if kind == "http" else kind
        if way in ("basic", "digest"):
            return {"type": way, "username": self._secret("USERNAME"), "password": self._secret("PASSWORD")}
        if way == "bearer":
            return {"type": "bearer", "token": self._secret("TOKEN")}
        if way == "oauth2" and (url := _token_url(scheme)) is not None:
            return self._client(name, url)
        if way in ("oauth2", "openIdConnect"):
            secret = self._secret("TOKEN")
            scheme.warn(f"the token is not fetched from the authorization server: give one as {self._variables[-1]}")
            return {"type": "bearer", "token": secret}
        scheme.warn(
            f"authentication '{way}' is left out (basic, digest, bearer, apiKey, oauth2 and openIdConnect are known)"
        )
        return None

    def _client(self, name: str, url: str) -> dict[str, Any]:
        scopes = list(dict.fromkeys(scope for each in self._scopes for scope in each.get(name, ())))
        return {
            "type": "oauth2",
            "tokenEndpoint": url,
            **({"scopes": scopes} if scopes else {}),
            "x-client": {"id": self._secret("CLIENT_ID"), "secret": self._secret("CLIENT_SECRET")},
        }

    def _add_key(self, name: str, scheme: Cursor) -> None:
        key, place = scheme.text("name"), scheme.text("in")
        if key is None or place not in _KEYS or not _KEYS[place].fullmatch(key):
            scheme.warn("an API key needs an 'in' (header, query or cookie), and a 'name' for it, so this is left out")
        elif place != "cookie" and self._authentication is None:
            secret = self._secret("API_KEY")
            self._authentication = {"type": "apikey", "key": key, "value": secret, "placement": place}
        else:
            self._constants.append(Parameter(key, place, value=self._secret(variable(name))))

    def _secret(self, name: str) -> str:
        full = f"{self._prefix}_{name}"
        self._variables.append(full)
        return "{{" + f"{BIND}.{full}" + "}}"


def _token_url(scheme: Cursor) -> str | None:
    """Where a client gets a token for itself, if it may and that is safe."""
    flows = scheme.mapping("flows")
    flow = flows.mapping("clientCredentials") if flows else scheme if scheme.text("flow") == "application" else None
    url = flow.text("tokenUrl") if flow else None
    return url if url and url.startswith("https://") and "{" not in url else None


def scheme_entries(holder: Cursor | None, key: str) -> dict[str, Any]:
    """Return the security schemes under a key, by name."""
    return {} if holder is None else {name: at for name, at in holder.named(key) if isinstance(at.value, dict)}
