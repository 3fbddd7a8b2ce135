"""How a consumer proves who it is to the API it calls."""

from __future__ import annotations

from base64 import b64encode

from adapter_host import Authentication, BuildContext, is_token
from adapter_host_http.credential import AUTHORIZATION, Credential, declared_account, declared_secret

from .digest import compile_digest


def compile_authentication(declared: Authentication | None, context: BuildContext) -> Credential | None:
    """Return the credential that a consumer declares; None for none, or with a problem reported."""
    if declared is None:
        return None
    compilers = {
        "bearer": _bearer,
        "apikey": _api_key,
        "basic": _basic,
        "digest": compile_digest,
        "oauth2": _oauth2,
    }
    return compilers[declared.type](declared, context)


def describe_authentication(declared: Authentication, credential: Credential) -> str:
    """Return the authentication for people, secrets by name."""
    if declared.type == "apikey":
        return f"apikey {credential.masked} as {credential.in_} '{credential.name}'"
    if declared.type == "oauth2":
        return credential.masked.replace("Bearer", "oauth2", 1)
    return credential.masked[:1].lower() + credential.masked[1:]


def _bearer(declared: Authentication, context: BuildContext) -> Credential | None:
    token = declared_secret(declared, "token", context)
    if token is None:
        return None
    return Credential("header", AUTHORIZATION, f"Bearer {token.constant}", f"Bearer {token.masked()}", token.secrets)


def _api_key(declared: Authentication, context: BuildContext) -> Credential | None:
    key = declared_secret(declared, "key", context)
    value = declared_secret(declared, "value", context)
    if key is None or value is None:
        return None
    name = key.constant or ""
    if declared.placement == "header" and name and not is_token(name):
        context.problem(f"'{key.masked()}' is no name of a header", declared, "key", code="header-name")
        return None
    return Credential(declared.placement, name, value.constant or "", value.masked(), value.secrets)


def _basic(declared: Authentication, context: BuildContext) -> Credential | None:
    account = declared_account(declared, context, ascii_only=False)
    if account is None:
        return None
    user, password = account
    encoded = b64encode(f"{user.constant}:{password.constant}".encode()).decode()
    masked = f"Basic {user.masked()}:{password.masked()}"
    return Credential("header", AUTHORIZATION, f"Basic {encoded}", masked)


def _oauth2(declared: Authentication, context: BuildContext) -> Credential | None:
    # Imported here, as it brings a client of authorization servers, which few documents need.
    from .oauth2 import compile_oauth2

    return compile_oauth2(declared, context)
