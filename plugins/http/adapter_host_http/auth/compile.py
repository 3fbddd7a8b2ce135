"""How a consumer proves who it is to the API it calls."""

from __future__ import annotations

from base64 import b64encode

from adapter_host import Authentication, Provision
from adapter_host_http.credential import AUTHORIZATION, Credential, declared_account, declared_secret
from adapter_host_http.encoding import TOKEN

from .digest import compile_digest


def compile_authentication(declared: Authentication | None, provision: Provision) -> Credential | None:
    """The credential that a consumer declares; None for none, or with a problem reported."""
    if declared is None:
        return None
    compilers = {
        "bearer": _bearer,
        "apikey": _api_key,
        "basic": _basic,
        "digest": compile_digest,
        "oauth2": _oauth2,
    }
    return compilers[declared.type](declared, provision)


def describe_authentication(declared: Authentication, credential: Credential) -> str:
    """The authentication for people, secrets by name."""
    if declared.type == "apikey":
        return f"apikey {credential.masked} as {credential.place} '{credential.name}'"
    if declared.type == "oauth2":
        return credential.masked.replace("Bearer", "oauth2", 1)
    return credential.masked[:1].lower() + credential.masked[1:]


def _bearer(declared: Authentication, provision: Provision) -> Credential | None:
    token = declared_secret(declared, "token", provision)
    if token is None:
        return None
    return Credential("header", AUTHORIZATION, f"Bearer {token.constant}", f"Bearer {token.masked()}", token.secrets)


def _api_key(declared: Authentication, provision: Provision) -> Credential | None:
    key = declared_secret(declared, "key", provision)
    value = declared_secret(declared, "value", provision)
    if key is None or value is None:
        return None
    name = key.constant or ""
    if declared.placement == "header" and name and not TOKEN.fullmatch(name):
        provision.problem(f"'{key.masked()}' is no name of a header", declared, "key", code="header-name")
        return None
    return Credential(declared.placement, name, value.constant or "", value.masked(), value.secrets)


def _basic(declared: Authentication, provision: Provision) -> Credential | None:
    account = declared_account(declared, provision, ascii=False)
    if account is None:
        return None
    user, password = account
    encoded = b64encode(f"{user.constant}:{password.constant}".encode()).decode()
    masked = f"Basic {user.masked()}:{password.masked()}"
    return Credential("header", AUTHORIZATION, f"Basic {encoded}", masked)


def _oauth2(declared: Authentication, provision: Provision) -> Credential | None:
    # Imported here, as it brings a client of authorization servers, which few documents need.
    from .oauth2 import compile_oauth2

    return compile_oauth2(declared, provision)
