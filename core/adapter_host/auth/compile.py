"""Compile the `authentication` of an exposer to credentials."""

from __future__ import annotations

from adapter_host.capability.spec import Authentication
from adapter_host.plugin.context import BuildContext

from .client_certificates import MUTUAL_TLS, compile_client_certificates
from .credentials import Credentials
from .digest import DigestCredentials
from .shared_nonces import share_nonces
from .shared_secrets import ApiKeyCredentials, BasicCredentials, BearerCredentials, read_secret


def compile_credentials(authentication: Authentication | None, context: BuildContext) -> Credentials | None:
    """Compile the `authentication` of an exposer; return None without one, or with a problem reported."""
    if authentication is None:
        return None
    if authentication.clients and authentication.type != MUTUAL_TLS:
        message = "'clients' are names in certificates, which only type mutualTLS checks; remove them, or set that type"
        context.problem(message, authentication, "clients")
        return None
    match authentication.type:
        case "bearer":
            return BearerCredentials(read_secret(authentication, "token", context))
        case "apikey":
            key, value = (read_secret(authentication, field, context) for field in ("key", "value"))
            return ApiKeyCredentials(key.decode(), value, in_query=authentication.placement == "query")
        case "basic":
            username, password = (read_secret(authentication, field, context) for field in ("username", "password"))
            return BasicCredentials(username, password)
        case "digest":
            username, password = (read_secret(authentication, field, context) for field in ("username", "password"))
            return DigestCredentials(username, password, shared=share_nonces(context))
        case "mutualtls":
            return compile_client_certificates(authentication, context)
        case "oauth2":
            # Imported late: few documents need a client of an authorization server.
            from .oauth2.compiler import compile_oauth2

            return compile_oauth2(authentication, context)
