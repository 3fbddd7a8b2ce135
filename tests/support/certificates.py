"""Certificates for tests, in files as servers and clients read them."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import trustme

from adapter_host import TlsFiles

AUTHORITY = trustme.CA()
"""The authority of servers."""

CLIENT_AUTHORITY = trustme.CA()
"""The authority of clients."""


def write_authority(folder: Path, authority: trustme.CA = AUTHORITY) -> Path:
    """Write the certificate of an authority, and return the file."""
    file = folder / ("ca.pem" if authority is AUTHORITY else "clients.pem")
    authority.cert_pem.write_to_path(file)
    return file


def issue(
    folder: Path, name: str = "server", *hosts: str, authority: trustme.CA = AUTHORITY, **options: Any
) -> tuple[Path, Path]:
    """Write a certificate with its chain, and its key, and return the files; replace former ones."""
    issued = authority.issue_cert(*(hosts or ("localhost", "127.0.0.1")), **options)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    # The key first, so that a host that watches the files sees a mismatch at most once.
    issued.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    return certificate, key


def server_files(folder: Path, *, clients: bool = False, **options: Any) -> TlsFiles:
    """Write the files of a server, which is checked for changes often."""
    certificate, key = issue(folder, **options)
    client_ca = str(write_authority(folder, CLIENT_AUTHORITY)) if clients else None
    return TlsFiles(str(certificate), str(key), client_ca, 0.02)


def client_context(folder: Path | None = None, *, authority: trustme.CA = CLIENT_AUTHORITY) -> ssl.SSLContext:
    """Return the context of a client that trusts the servers; with `folder`, one that has a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    AUTHORITY.configure_trust(context)
    if folder is not None:
        context.load_cert_chain(*issue(folder, "client", "robot@example.org", authority=authority, common_name="robot"))
    return context
