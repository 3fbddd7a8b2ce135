"""Credentials with secrets in the document, checked in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from abc import abstractmethod

from adapter_host.capability.spec import Authentication
from adapter_host.operation.callers import Principal
from adapter_host.plugin.access import Refusal, Verdict
from adapter_host.plugin.context import BuildContext

from .credentials import CheckedRequest, Credentials, authorization_value, sent_bytes


def read_secret(authentication: Authentication, field: str, context: BuildContext) -> bytes:
    """Return the secret in a field of `authentication`; report a problem when the field is missing."""
    text = getattr(authentication, field)
    if not text:
        message = f"'{authentication.type}' authentication requires '{field}'"
        context.problem(message, authentication, field, code="missing-key")
        return b""
    return (context.secret(text, authentication, field).constant or "").encode()


def _equal(sent: bytes, expected: bytes) -> bool:
    # An empty secret rejects every request.
    return bool(expected) and hmac.compare_digest(sent, expected)


class _SharedSecret(Credentials):
    """Base of credentials with one secret for all clients."""

    def __init__(self, challenge: str, subject: str | None = None) -> None:
        self._principal = Principal(subject)
        detail = "valid credentials are required"
        self._missing = Refusal(401, detail, (challenge,), code="missing-credentials")
        self._invalid = Refusal(401, detail, (challenge,), code="invalid-credentials")

    def check(self, request: CheckedRequest) -> Verdict:
        sent = self._sent(request)
        if self._accepts(sent):
            return self._principal
        return self._invalid if sent else self._missing

    @abstractmethod
    def _sent(self, request: CheckedRequest) -> str:
        """Return the credential in a request, or an empty string."""

    @abstractmethod
    def _accepts(self, sent: str) -> bool: ...


class BearerCredentials(_SharedSecret):
    """A bearer token (RFC 6750)."""

    kind = "bearer"

    def __init__(self, token: bytes) -> None:
        super().__init__("Bearer")
        self._token = token

    def _sent(self, request: CheckedRequest) -> str:
        return authorization_value(request, "bearer")

    def _accepts(self, sent: str) -> bool:
        return _equal(sent_bytes(sent), self._token)


class ApiKeyCredentials(_SharedSecret):
    """An API key in a header or a query parameter."""

    kind = "apikey"

    def __init__(self, key: str, value: bytes, *, in_query: bool) -> None:
        super().__init__(f'ApiKey {"query" if in_query else "header"}="{key}"')
        self._key, self._value, self._in_query = key, value, in_query

    def _sent(self, request: CheckedRequest) -> str:
        parameters = request.query if self._in_query else request.headers
        return parameters.get(self._key, "")

    def _accepts(self, sent: str) -> bool:
        return _equal(sent_bytes(sent), self._value)


class BasicCredentials(_SharedSecret):
    """A user name and a password (RFC 7617)."""

    kind = "basic"

    def __init__(self, username: bytes, password: bytes) -> None:
        super().__init__('Basic realm="adapter-host", charset="UTF-8"', username.decode())
        # Without a user name or a password, every request is rejected.
        self._expected = username + b":" + password if username and password else b""

    def _sent(self, request: CheckedRequest) -> str:
        return authorization_value(request, "basic")

    def _accepts(self, sent: str) -> bool:
        try:
            decoded = base64.b64decode(sent, validate=True)
        except (binascii.Error, ValueError):
            return False
        return _equal(decoded, self._expected)
