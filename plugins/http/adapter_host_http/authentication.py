"""How a consumer proves who it is to the API it calls."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

from adapter_host import Authentication, Provision, Template

from .encoding import CONTROL, TOKEN

_AUTHORIZATION: Final = "Authorization"


@dataclass(frozen=True, slots=True)
class Credential:
    """What goes into one header or query parameter of every request; `masked` names its secrets only."""

    place: str
    name: str
    value: str = field(repr=False)
    masked: str
    secrets: tuple[str, ...] = ()

    def takes(self, place: str | None, name: str) -> bool:
        """Whether a parameter is the very one that carries the credential."""
        if place != self.place:
            return False
        return name == self.name or (place == "header" and name.lower() == self.name.lower())


def compile_authentication(declared: Authentication | None, provision: Provision) -> Credential | None:
    """The credential that a consumer declares; None for none, or with a problem reported."""
    if declared is None:
        return None
    if declared.type == "bearer":
        return _bearer(declared, provision)
    if declared.type == "apikey":
        return _api_key(declared, provision)
    if declared.type == "basic":
        return _basic(declared, provision)
    message = f"authentication '{declared.type}' is not supported by this version (bearer, apikey and basic are)"
    provision.problem(message, declared, "type", code="unsupported")
    return None


def describe_authentication(declared: Authentication, credential: Credential) -> str:
    """The authentication for people, secrets by name."""
    if declared.type == "apikey":
        return f"apikey {credential.masked} as {credential.place} '{credential.name}'"
    return credential.masked[:1].lower() + credential.masked[1:]


def _bearer(declared: Authentication, provision: Provision) -> Credential | None:
    token = _secret(declared, "token", provision)
    if token is None:
        return None
    return Credential("header", _AUTHORIZATION, f"Bearer {token.constant}", f"Bearer {token.masked()}", token.secrets)


def _api_key(declared: Authentication, provision: Provision) -> Credential | None:
    key = _secret(declared, "key", provision)
    value = _secret(declared, "value", provision)
    if key is None or value is None:
        return None
    name = key.constant or ""
    if declared.placement == "header" and name and not TOKEN.fullmatch(name):
        provision.problem(f"'{key.masked()}' is no name of a header", declared, "key", code="header-name")
        return None
    return Credential(declared.placement, name, value.constant or "", value.masked(), value.secrets)


def _basic(declared: Authentication, provision: Provision) -> Credential | None:
    user = _secret(declared, "username", provision)
    password = _secret(declared, "password", provision)
    if user is None or password is None:
        return None
    if ":" in (user.constant or ""):
        provision.problem("a user name may hold no ':'", declared, "username", code="credential")
        return None
    encoded = b64encode(f"{user.constant}:{password.constant}".encode()).decode()
    masked = f"Basic {user.masked()}:{password.masked()}"
    return Credential("header", _AUTHORIZATION, f"Basic {encoded}", masked)


def _secret(declared: Authentication, key: str, provision: Provision) -> Template | None:
    text: str | None = getattr(declared, key)
    if text is None:
        message = f"'{key}' is missing (authentication '{declared.type}' needs it)"
        provision.problem(message, declared, key, code="missing-key")
        return None
    template = provision.secret(text, declared, key)
    named = ", ".join(f"secret '{name}'" for name in template.secrets) or f"'{key}'"
    value = template.constant or ""
    if CONTROL.search(value):
        provision.problem(f"{named} holds a control character", declared, key, code="credential")
        return None
    if not value.isascii() and declared.type != "basic":
        provision.problem(f"{named} may hold only ASCII characters", declared, key, code="credential")
        return None
    if not value and not template.secrets:
        provision.problem(f"'{key}' is empty", declared, key, code="credential")
        return None
    return template
