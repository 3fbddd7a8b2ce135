"""Load the certificate, the key and the authorities of a server, and check them."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapter_host.errors import StartError
from adapter_host.settings import TlsFiles

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Cipher suites of TLS 1.2: those with forward secrecy and authenticated encryption (RFC 9325, section 4.2)."""

_MISMATCH: Final = "KEY_VALUES_MISMATCH"
_MOST_FLIGHTS: Final = 10


def load_context(files: TlsFiles, protocols: Sequence[str], *, requires_client: bool) -> ssl.SSLContext:
    """Return a server's context with the certificate and key of files; raise `StartError`.

    `protocols` are those for ALPN. With authorities, clients must have a certificate if `requires_client`, else they
    may have one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    _load_pair(context, files)
    if files.client_ca is not None:
        _read(files.client_ca, "TLS client authorities")
        try:
            context.load_verify_locations(files.client_ca)
        except ssl.SSLError as error:
            raise StartError(
                f"TLS client authorities '{files.client_ca}': no PEM certificate is in the file"
            ) from error
        context.verify_mode = ssl.CERT_REQUIRED if requires_client else ssl.CERT_OPTIONAL
        # A resumed session would accept a certificate that has expired since.
        context.num_tickets = 0
        context.options |= ssl.OP_NO_TICKET
    return context


def _load_pair(context: ssl.SSLContext, files: TlsFiles) -> None:
    _read(files.certificate, "TLS certificate")
    key = _read(files.key, "TLS key")
    if b"ENCRYPTED" in key:
        raise StartError(f"TLS key '{files.key}' is encrypted; decrypt it, for example with openssl pkey")
    if b"PRIVATE KEY-----" not in key:
        raise StartError(f"TLS key '{files.key}': no PEM private key is in the file")
    try:
        context.load_cert_chain(files.certificate, files.key)
    except ssl.SSLError as error:
        if error.reason == _MISMATCH:
            message = f"TLS key '{files.key}' does not belong to the certificate '{files.certificate}'"
            raise StartError(f"{message}; set the key that the certificate was requested with") from error
        reason = (error.reason or "invalid").replace("_", " ").lower()
        message = f"TLS certificate '{files.certificate}' and key '{files.key}' cannot be used: {reason}"
        raise StartError(f"{message}; both must be PEM, the certificate of the server first") from error
    except OSError as error:
        raise StartError(f"TLS certificate '{files.certificate}' cannot be read: {error.strerror}") from error


def _read(path: str, what: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"{what} '{path}' cannot be read: {reason}; set a PEM file that the host may read") from error


def find_weaknesses(files: TlsFiles) -> list[str]:
    """Return what is wrong with files that can be used, such as an expired certificate; raise `StartError`."""
    found = []
    if refusal := _client_refusal(files):
        found.append(f"TLS certificate '{files.certificate}' is not accepted by clients: {refusal}")
    try:
        mode = os.stat(files.key).st_mode
    except OSError:
        return found
    if os.name == "posix" and mode & stat.S_IROTH:
        found.append(f"TLS key '{files.key}' can be read by all users of this machine; run chmod o-rwx on it")
    return found


def _client_refusal(files: TlsFiles) -> str | None:
    """Return why a client that trusts the issuer refuses the certificate, such as its expiry; None if it does not."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    # Whether clients trust the issuer is unknown here, so the certificate itself is trusted.
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=_read(files.certificate, "TLS certificate").decode("ascii", "replace"))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load_pair(serving, files)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(_MOST_FLIGHTS):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            return str(error.verify_message)
        else:
            return None
        with suppress(ssl.SSLWantReadError):
            server.do_handshake()
    return None
