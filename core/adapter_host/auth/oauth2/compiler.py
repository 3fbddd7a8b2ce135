"""From a document's `authentication` of type `oauth2` to what checks it."""

from __future__ import annotations

import re
from importlib import import_module
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from adapter_host.capability.spec import Authentication
from adapter_host.plugin.context import BuildContext

from .authorization_server import AuthorizationServer
from .introspection import Client, IntrospectedTokens
from .metadata import is_secure
from .resource import OAuth2Credentials, Tokens

VALIDATIONS: Final = ("jwks", "introspection")

# What may stand in a header between quotes and in a route's path: a URL has no other characters.
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(?:/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]*)?")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
_INSTALL: Final = "pip install 'adapter-host-core[oauth2]'"


def compile_oauth2(authentication: Authentication, context: BuildContext) -> OAuth2Credentials | None:
    """Compile it; None with a problem reported."""
    return _Compiler(authentication, context).credentials()


class _Compiler:
    def __init__(self, authentication: Authentication, context: BuildContext) -> None:
        self._authentication = authentication
        self._provision = context
        self._failed = False

    def credentials(self) -> OAuth2Credentials | None:
        declared = self._authentication
        issuer = self._url("authorizationServerUri", declared.authorization_server_uri)
        resource = self._url("resource", declared.resource)
        audience = self._text("audience", declared.audience) if declared.audience else resource
        self._check_tls(issuer, resource)
        self._check_scopes()
        server = AuthorizationServer(issuer)
        tokens = self._tokens(server, audience)
        # What has a problem is never served; the build goes on for what else is wrong.
        if tokens is None or self._failed:
            return None
        return OAuth2Credentials(server, tokens, resource, declared.scopes)

    def _tokens(self, server: AuthorizationServer, audience: str) -> Tokens | None:
        validation = self._authentication.token_validation or VALIDATIONS[0]
        if validation == "introspection":
            client = Client(*(self._extension(key) for key in ("x-client-id", "x-client-secret")))
            return IntrospectedTokens(server, audience, client)
        if validation != "jwks":
            known = " or ".join(f"'{name}'" for name in VALIDATIONS)
            self._problem(f"'tokenValidation' must be {known} (given '{validation}')", "tokenValidation")
            return None
        return self._signed(server, audience)

    def _signed(self, server: AuthorizationServer, audience: str) -> Tokens | None:
        if find_spec("jwt") is None or find_spec("cryptography") is None:
            message = f"'oauth2' authentication of callers needs PyJWT and cryptography ({_INSTALL})"
            self._problem(message, "type", code="missing-dependency")
            return None
        # Imported here, as cryptography takes a while and is no dependency of those who do not need it.
        module = import_module(".tokens", __package__)
        tokens: Tokens = module.SignedTokens(server, audience)
        return tokens

    def _url(self, key: str, given: str | None) -> str:
        url = self._text(key, given)
        if url and not _URL.fullmatch(url) and not self._is_stand_in(given):
            self._problem(f"'{key}' must be an http or https URL without query and fragment (given '{given}')", key)
        return url

    def _check_tls(self, issuer: str, resource: str) -> None:
        declared = self._authentication
        if urlsplit(issuer).scheme == "http" and not is_secure(issuer):
            given = declared.authorization_server_uri
            message = f"an authorization server that is not on this machine needs https (given '{given}')"
            self._problem(message, "authorizationServerUri")
        if urlsplit(resource).scheme == "http" and not is_secure(resource):
            message = f"clients send tokens over https alone (given '{declared.resource}')"
            self._provision.warn(message, declared, "resource", code="not-https")

    def _check_scopes(self) -> None:
        for index, scope in enumerate(self._authentication.scopes):
            if not _SCOPE.fullmatch(scope):
                message = f"a scope is one word without quotes (given '{scope}')"
                self._provision.problem(message, self._authentication, "scopes", index)
                self._failed = True

    def _text(self, key: str, given: object) -> str:
        """The text under a key, its secrets filled in; empty while they are missing, or with a problem reported."""
        if not given or not isinstance(given, str):
            self._problem(f"'oauth2' authentication of callers needs '{key}'", key, code="missing-key")
            return ""
        return self._provision.secret(given, self._authentication, key).constant or ""

    def _extension(self, key: str) -> str:
        return self._text(key, (self._authentication.model_extra or {}).get(key))

    def _is_stand_in(self, given: str | None) -> bool:
        """Whether a secret in it is made up, as with `--mock`."""
        return self._provision.settings.mock and "{{" in (given or "")

    def _problem(self, message: str, key: str, code: str = "invalid") -> None:
        self._provision.problem(message, self._authentication, key, code=code)
        self._failed = True
