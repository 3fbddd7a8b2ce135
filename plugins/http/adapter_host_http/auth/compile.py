"""Compile the authentication of a consumer."""

from __future__ import annotations

from base64 import b64encode

from adapter_host import Authentication, BuildContext, is_token
from adapter_host_http.credential import AUTHORIZATION, Credential, read_account, read_secret

from .digest import compile_digest


def compile_authentication(authentication: Authentication | None, context: BuildContext) -> Credential | None:
    """Return the credential of a consumer, or None without one and after reporting a problem."""
    if authentication is None:
        return None
    compilers = {
        "bearer": _bearer,
        "apikey": _api_key,
        "basic": _basic,
        "digest": compile_digest,
        "oauth2": _oauth2,
    }
    if (compiler := compilers.get(authentication.type)) is None:
        message = f"type '{authentication.type}' is not supported towards an API; use one of {', '.join(compilers)}"
        context.problem(message, authentication, "type", code="unsupported")
        return None
    return compiler(authentication, context)


def describe_authentication(authentication: Authentication, credential: Credential) -> str:
    """Return a description of the authentication, with secrets by name."""
    if authentication.type == "apikey":
        return f"apikey {credential.masked} as {credential.in_} '{credential.name}'"
    if authentication.type == "oauth2":
        return credential.masked.replace("Bearer", "oauth2", 1)
    return credential.masked[:1].lower() + credential.masked[1:]


def _bearer(authentication: Authentication, context: BuildContext) -> Credential | None:
    token = read_secret(authentication, "token", context)
    if token is None:
        return None
    return Credential("header", AUTHORIZATION, f"Bearer {token.constant}", f"Bearer {token.masked()}", token.secrets)


def _api_key(authentication: Authentication, context: BuildContext) -> Credential | None:
    key = read_secret(authentication, "key", context)
    value = read_secret(authentication, "value", context)
    if key is None or value is None:
        return None
    name = key.constant or ""
    if authentication.placement == "header" and name and not is_token(name):
        context.problem(f"'{key.masked()}' is not a valid header name", authentication, "key", code="header-name")
        return None
    return Credential(authentication.placement, name, value.constant or "", value.masked(), value.secrets)


def _basic(authentication: Authentication, context: BuildContext) -> Credential | None:
    account = read_account(authentication, context, ascii_only=False)
    if account is None:
        return None
    user, password = account
    encoded = b64encode(f"{user.constant}:{password.constant}".encode()).decode()
    masked = f"Basic {user.masked()}:{password.masked()}"
    return Credential("header", AUTHORIZATION, f"Basic {encoded}", masked)


def _oauth2(authentication: Authentication, context: BuildContext) -> Credential | None:
    # Imported late: few documents need a client of authorization servers.
    from .oauth2 import compile_oauth2

    return compile_oauth2(authentication, context)
