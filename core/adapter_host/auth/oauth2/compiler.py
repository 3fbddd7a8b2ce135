"""Compile an `authentication` of type `oauth2` to credentials."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from adapter_host.capability.spec import Authentication
from adapter_host.expressions.template import Template
from adapter_host.plugin.context import BuildContext

from .authorization_server import AuthorizationServer
from .introspection import Client, IntrospectionVerifier
from .metadata import is_secure
from .resource import OAuth2Credentials, TokenVerifier

VALIDATIONS: Final = ("jwks", "introspection")

# The characters that are safe in a quoted header value and in the path of a route.
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(?:/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]*)?")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_INSTALL: Final = "pip install 'adapter-host-core[oauth2]'"


def compile_oauth2(authentication: Authentication, context: BuildContext) -> OAuth2Credentials | None:
    """Compile `authentication`; return None with a problem reported."""
    return _Compiler(authentication, context).credentials()


class _Compiler:
    def __init__(self, authentication: Authentication, context: BuildContext) -> None:
        self._authentication = authentication
        self._context = context
        self._failed = False
        self._unknown: set[str] = set()
        """The keys whose secrets have no values."""

    def credentials(self) -> OAuth2Credentials | None:
        declared = self._authentication
        issuer = self._url("authorizationServerUri", declared.authorization_server_uri)
        resource = self._url("resource", declared.resource)
        audience = self._text("audience", declared.audience) if declared.audience else resource
        self._check_tls(issuer, resource)
        self._check_scopes()
        server = AuthorizationServer(issuer)
        verifier = self._verifier(server, audience)
        # An exposer with a problem here must not be served; compilation continues to report all problems.
        if verifier is None or self._failed:
            return None
        return OAuth2Credentials(server, verifier, resource, declared.scopes)

    def _verifier(self, server: AuthorizationServer, audience: str) -> TokenVerifier | None:
        validation = self._authentication.token_validation or VALIDATIONS[0]
        if validation == "introspection":
            client = Client(*(self._extension(key) for key in ("x-client-id", "x-client-secret")))
            return IntrospectionVerifier(server, audience, client)
        if validation != "jwks":
            choices = " or ".join(f"'{name}'" for name in VALIDATIONS)
            self._problem(f"'tokenValidation' must be {choices} (given '{validation}')", "tokenValidation")
            return None
        return self._jwt_verifier(server, audience)

    def _jwt_verifier(self, server: AuthorizationServer, audience: str) -> TokenVerifier | None:
        if find_spec("jwt") is None or find_spec("cryptography") is None:
            message = f"'oauth2' authentication requires PyJWT and cryptography ({_INSTALL})"
            self._problem(message, "type", code="missing-dependency")
            return None
        # Imported late: cryptography is slow to import and an optional dependency.
        module = import_module(".jwt_verifier", __package__)
        verifier: TokenVerifier = module.JwtVerifier(server, audience)
        return verifier

    def _url(self, key: str, value: str | None) -> str:
        url = self._text(key, value, self._context.url)
        if key not in self._unknown and url and not _URL.fullmatch(url):
            self._problem(f"'{key}' must be an http or https URL without query and fragment (given '{value}')", key)
        return url

    def _check_tls(self, issuer: str, resource: str) -> None:
        declared = self._authentication
        if self._is_insecure("authorizationServerUri", issuer):
            value = declared.authorization_server_uri
            message = f"'authorizationServerUri' must use https unless it is on localhost (given '{value}')"
            self._problem(message, "authorizationServerUri")
        if self._is_insecure("resource", resource):
            message = f"'resource' should use https; clients send no tokens over http (given '{declared.resource}')"
            self._context.warn(message, declared, "resource", code="not-https")

    def _check_scopes(self) -> None:
        for index, scope in enumerate(self._authentication.scopes):
            if not _SCOPE.fullmatch(scope):
                message = f"a scope must be one word without quotes (given '{scope}')"
                self._context.problem(message, self._authentication, "scopes", index)
                self._failed = True

    def _text(self, key: str, value: object, compile_text: Callable[..., Template] | None = None) -> str:
        """Return the text of a key with its secrets; empty without them, or with a problem reported."""
        if not value or not isinstance(value, str):
            self._problem(f"'oauth2' authentication requires '{key}'", key, code="missing-key")
            return ""
        template = (compile_text or self._context.secret)(value, self._authentication, key)
        if not self._context.has_value(template):
            self._unknown.add(key)
        return template.constant or ""

    def _extension(self, key: str) -> str:
        return self._text(key, (self._authentication.model_extra or {}).get(key))

    def _is_insecure(self, key: str, url: str) -> bool:
        return key not in self._unknown and urlsplit(url).scheme == "http" and not is_secure(url)

    def _problem(self, message: str, key: str, code: str = "invalid") -> None:
        self._context.problem(message, self._authentication, key, code=code)
        self._failed = True
