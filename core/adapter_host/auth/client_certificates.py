"""Check the certificates of clients, which their TLS handshakes have verified."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from adapter_host.capability.spec import Authentication
from adapter_host.operation.callers import Principal
from adapter_host.plugin.access import Refusal, Verdict
from adapter_host.plugin.context import BuildContext

from .credentials import CheckedRequest, Credentials

MUTUAL_TLS: Final = "mutualtls"
"""The `type` in a document."""

_NAME: Final = re.compile(r"(?:uri|dns|email|cn):.+")
_KINDS: Final = {"URI": "uri", "DNS": "dns", "email": "email"}


def compile_client_certificates(authentication: Authentication, context: BuildContext) -> Credentials | None:
    """Return the credentials of type `mutualtls`, or None after reporting a problem."""
    wrong = next((name for name in authentication.clients if not _NAME.fullmatch(name)), None)
    if wrong is not None:
        message = f"'{wrong}' is no name in a certificate; write uri:URI, dns:NAME, email:ADDRESS or cn:NAME"
        context.problem(message, authentication, "clients")
        return None
    if "clients" in authentication.model_fields_set and not authentication.clients:
        message = "'clients' is empty; list the names of clients, or leave it out to accept all of the authorities"
        context.problem(message, authentication, "clients")
        return None
    return ClientCertificateCredentials(authentication.clients)


class ClientCertificateCredentials(Credentials):
    """A certificate with one of some names, or without any of these with any name.

    The subject of the principal is the first such name, and its issuer that of the certificate.
    """

    kind = MUTUAL_TLS

    def __init__(self, clients: Collection[str]) -> None:
        self._clients = frozenset(map(_normalize, clients))

    def check(self, request: CheckedRequest) -> Verdict:
        """Return the client or a refusal."""
        transport = request.transport
        certificate = None if transport is None else transport.get_extra_info("peercert")
        if not certificate:
            return Refusal(403, "a certificate of the client is required", code="missing-certificate")
        name = next((name for name in _names(certificate) if not self._clients or name in self._clients), None)
        if name is None:
            return Refusal(403, "the certificate of the client has no accepted name", code="unaccepted-certificate")
        return Principal(name, issuer=_distinguished_name(certificate.get("issuer", ())))


def _normalize(name: str) -> str:
    return name.lower() if name.startswith("dns:") else name


def _names(certificate: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names in a certificate as `SSLSocket.getpeercert` returns it: URIs first, the common name last."""
    alternative = [
        (_KINDS[kind], value) for kind, value in certificate.get("subjectAltName", ()) if kind in _KINDS and value
    ]
    for kind in _KINDS.values():
        yield from (_normalize(f"{kind}:{value}") for other, value in alternative if other == kind)
    for part in certificate.get("subject", ()):
        yield from (f"cn:{value}" for key, value in part if key == "commonName" and value)


def _distinguished_name(parts: Any) -> str:
    return ",".join(f"{key}={value}" for part in parts for key, value in part)
