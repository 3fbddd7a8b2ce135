"""Credentials of requests to an MCP server: one header."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field

from adapter_host import Authentication, BuildContext, Template, is_token


@dataclass(frozen=True, slots=True)
class Credential:
    """A header of every request; `masked` is its value with secrets by name."""

    name: str
    value: str = field(repr=False)
    masked: str


def compile_credential(authentication: Authentication | None, context: BuildContext) -> Credential | None:
    """Return the header of an authentication; None without one, and after reporting a problem."""
    if authentication is None:
        return None
    if authentication.type == "bearer":
        token = _secret(authentication, "token", context)
        if token is None:
            return None
        return Credential("Authorization", f"Bearer {token.constant}", f"Bearer {token.masked()}")
    if authentication.type == "basic":
        return _basic(authentication, context)
    if authentication.type == "apikey" and authentication.placement == "header":
        return _api_key(authentication, context)
    message = "an MCP server accepts authentication of type 'bearer', 'basic', or 'apikey' in a header; use one of them"
    context.problem(message, authentication, "type", code="unsupported")
    return None


def _basic(authentication: Authentication, context: BuildContext) -> Credential | None:
    user, password = (_secret(authentication, key, context) for key in ("username", "password"))
    if user is None or password is None:
        return None
    encoded = b64encode(f"{user.constant}:{password.constant}".encode()).decode()
    return Credential("Authorization", f"Basic {encoded}", f"Basic {user.masked()}:{password.masked()}")


def _api_key(authentication: Authentication, context: BuildContext) -> Credential | None:
    name, value = (_secret(authentication, key, context) for key in ("key", "value"))
    if name is None or value is None:
        return None
    header = name.constant or ""
    if header and not is_token(header):
        context.problem(f"'{name.masked()}' is not a valid header name", authentication, "key", code="header-name")
        return None
    return Credential(header, value.constant or "", value.masked())


def _secret(authentication: Authentication, key: str, context: BuildContext) -> Template | None:
    text: str | None = getattr(authentication, key)
    if text is None:
        message = f"'{key}' is missing; authentication '{authentication.type}' needs it"
        context.problem(message, authentication, key, code="missing-key")
        return None
    template = context.secret(text, authentication, key)
    value = template.constant or ""
    if not value.isprintable() or not value.isascii():
        label = ", ".join(f"secret '{name}'" for name in template.secrets) or f"'{key}'"
        context.problem(f"{label} must be printable ASCII text", authentication, key, code="credential")
        return None
    return template
