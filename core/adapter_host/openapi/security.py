"""Authentication of requests: one for the whole API, with its secrets in a bind."""

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
"""The namespace of the bind for the secrets."""

_TOKEN: Final = re.compile(TOKEN)
_KEY_NAMES: Final = {"header": _TOKEN, "cookie": _TOKEN, "query": re.compile(r"[!-z|~]+")}
"""Valid names of an API key by location."""

Requirement = tuple[str, ...]
"""Names of the schemes that a request needs together."""


def requirements(holder: Cursor) -> list[Requirement] | None:
    """Return the alternatives in `security`; None if it is absent."""
    if not isinstance(holder.value, dict) or not isinstance(holder.value.get("security"), list):
        return None
    return [tuple(item.value) for item in holder.elements("security") if isinstance(item.value, dict)]


def read_credentials(
    root: Cursor, operations: Sequence[Cursor], schemes: Mapping[str, Cursor], namespace: str
) -> Credentials:
    """Return the credentials of all requests; warn about operations that need others."""
    general = requirements(root)
    own_requirements = [requirements(operation) for operation in operations]
    effective = [general if own is None else own for own in own_requirements]
    alternatives = _most_common(effective) if effective else general or []
    required = next((item for item in alternatives if item and all(name in schemes for name in item)), ())
    for operation, own in zip(operations, effective, strict=True):
        _warn_if_different(operation, own or [], required)
    scopes = [_scopes(holder) for holder in (root, *operations)]
    return _CredentialsBuilder(schemes, variable(namespace), scopes).credentials(required)


def _scopes(holder: Cursor) -> Mapping[str, Sequence[str]]:
    """Return the scopes in `security` by scheme."""
    scopes_by_scheme: dict[str, Sequence[str]] = {}
    for item in holder.elements("security"):
        for name, scopes in item.value.items() if isinstance(item.value, dict) else ():
            scopes_by_scheme[name] = (
                [scope for scope in scopes if isinstance(scope, str)] if isinstance(scopes, list) else []
            )
    return scopes_by_scheme


def _most_common(requirements: Sequence[list[Requirement] | None]) -> list[Requirement]:
    counted = Counter(tuple(item) for item in requirements if item and any(item))
    return list(counted.most_common(1)[0][0]) if counted else []


def _warn_if_different(operation: Cursor, accepted: Sequence[Requirement], required: Requirement) -> None:
    if required in accepted or (not accepted and not required) or (() in accepted and not required):
        return
    cursor = operation.get("security") or operation
    if any(accepted):
        alternatives_text = " or ".join(" and ".join(requirement) for requirement in accepted if requirement)
        cursor.warn(
            f"it requires other authentication ({alternatives_text}) than is sent ({' and '.join(required) or 'none'})"
        )
    else:
        cursor.warn(f"it requires no authentication, but is sent that of the others ({' and '.join(required)})")


class _CredentialsBuilder:
    """Builds the credentials of an API; `prefix` starts the names of its secrets."""

    def __init__(
        self, schemes: Mapping[str, Cursor], prefix: str, scopes: Sequence[Mapping[str, Sequence[str]]]
    ) -> None:
        self._schemes = schemes
        self._prefix = prefix
        self._scopes = scopes
        self._authentication: dict[str, Any] | None = None
        self._constants: list[Parameter] = []
        self._variables: list[str] = []

    def credentials(self, required: Requirement) -> Credentials:
        for name in required:
            self._add(name, self._schemes[name])
        return Credentials(self._authentication, tuple(self._constants), tuple(self._variables))

    def _add(self, name: str, scheme: Cursor) -> None:
        type_name = scheme.text("type")
        if type_name == "apiKey":
            self._add_key(name, scheme)
        elif self._authentication is not None:
            scheme.warn("only one authentication can be combined with API keys; skipped")
        else:
            self._authentication = self._declared(name, type_name, scheme)

    def _declared(self, name: str, type_name: str | None, scheme: Cursor) -> dict[str, Any] | None:
        scheme_type = (scheme.text("scheme") or "").lower() if type_name == "http" else type_name
        if scheme_type in ("basic", "digest"):
            return {"type": scheme_type, "username": self._secret("USERNAME"), "password": self._secret("PASSWORD")}
        if scheme_type == "bearer":
            return {"type": "bearer", "token": self._secret("TOKEN")}
        if scheme_type == "oauth2" and (url := _token_url(scheme)) is not None:
            return self._client(name, url)
        if scheme_type in ("oauth2", "openIdConnect"):
            secret = self._secret("TOKEN")
            scheme.warn(f"the token is not requested from the authorization server; set it as {self._variables[-1]}")
            return {"type": "bearer", "token": secret}
        known = "known: basic, digest, bearer, apiKey, oauth2 and openIdConnect"
        scheme.warn(f"authentication '{scheme_type}' is not supported; skipped ({known})")
        return None

    def _client(self, name: str, url: str) -> dict[str, Any]:
        scopes = list(dict.fromkeys(scope for item in self._scopes for scope in item.get(name, ())))
        return {
            "type": "oauth2",
            "tokenEndpoint": url,
            **({"scopes": scopes} if scopes else {}),
            "x-client": {"id": self._secret("CLIENT_ID"), "secret": self._secret("CLIENT_SECRET")},
        }

    def _add_key(self, name: str, scheme: Cursor) -> None:
        key, in_ = scheme.text("name"), scheme.text("in")
        if key is None or in_ not in _KEY_NAMES or not _KEY_NAMES[in_].fullmatch(key):
            scheme.warn("an API key needs an 'in' (header, query or cookie), and a 'name' for it; skipped")
        elif in_ != "cookie" and self._authentication is None:
            secret = self._secret("API_KEY")
            self._authentication = {"type": "apikey", "key": key, "value": secret, "placement": in_}
        else:
            self._constants.append(Parameter(key, in_, value=self._secret(variable(name))))

    def _secret(self, name: str) -> str:
        full = f"{self._prefix}_{name}"
        self._variables.append(full)
        return "{{" + f"{BIND}.{full}" + "}}"


def _token_url(scheme: Cursor) -> str | None:
    """Return the token endpoint of the client credentials flow if it is https, else None."""
    flows = scheme.mapping("flows")
    flow = flows.mapping("clientCredentials") if flows else scheme if scheme.text("flow") == "application" else None
    url = flow.text("tokenUrl") if flow else None
    return url if url and url.startswith("https://") and "{" not in url else None


def scheme_entries(holder: Cursor | None, key: str) -> dict[str, Any]:
    """Return the security schemes at a key, by name."""
    return (
        {} if holder is None else {name: cursor for name, cursor in holder.named(key) if isinstance(cursor.value, dict)}
    )
