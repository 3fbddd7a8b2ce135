"""Load the certificate, the key and the authorities of a server, and check them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from adapter_host.errors import StartError
from adapter_host.pem_files import key_weakness, load_pair, read_pem
from adapter_host.settings import TlsFiles

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Cipher suites of TLS 1.2: those with forward secrecy and authenticated encryption (RFC 9325, section 4.2)."""

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
    load_pair(context, files.certificate, files.key)
    if files.client_ca is not None:
        read_pem(files.client_ca, "TLS client authorities")
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


def find_weaknesses(files: TlsFiles) -> list[str]:
    """Return what is wrong with files that can be used, such as an expired certificate; raise `StartError`."""
    found = []
    if refusal := _client_refusal(files):
        found.append(f"TLS certificate '{files.certificate}' is not accepted by clients: {refusal}")
    if weakness := key_weakness(files.key):
        found.append(weakness)
    return found


def _client_refusal(files: TlsFiles) -> str | None:
    """Return why a client that trusts the issuer refuses the certificate, such as its expiry; None if it does not."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    # Whether clients trust the issuer is unknown here, so the certificate itself is trusted.
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    trusting.load_verify_locations(cadata=read_pem(files.certificate, "TLS certificate").decode("ascii", "replace"))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_pair(serving, files.certificate, files.key)
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
