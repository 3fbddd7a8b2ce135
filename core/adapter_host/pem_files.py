"""Read the PEM files of TLS, and say what is wrong with them."""

from __future__ import annotations

import os
import ssl
import stat
from pathlib import Path
from typing import Final

from .errors import StartError
from .regular_files import read_regular_file

_MISMATCH: Final = "KEY_VALUES_MISMATCH"
_LARGEST: Final = 4 * 2**20


def read_pem(path: str, what: str) -> bytes:
    """Return the content of a file of at most 4 MiB; raise `StartError`."""
    try:
        content = read_regular_file(Path(path), _LARGEST + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"{what} '{path}' cannot be read: {reason}; set a PEM file that the host may read") from error
    if len(content) > _LARGEST:
        raise StartError(f"{what} '{path}' is larger than {_LARGEST} bytes; set a PEM file")
    return content


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Load a certificate with its chain and its key; raise `StartError`."""
    read_pem(certificate, "TLS certificate")
    key_content = read_pem(key, "TLS key")
    if b"ENCRYPTED" in key_content:
        raise StartError(f"TLS key '{key}' is encrypted; decrypt it, for example with openssl pkey")
    if b"PRIVATE KEY-----" not in key_content:
        raise StartError(f"TLS key '{key}': no PEM private key is in the file")
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        if error.reason == _MISMATCH:
            message = f"TLS key '{key}' does not belong to the certificate '{certificate}'"
            raise StartError(f"{message}; set the key that the certificate was requested with") from error
        reason = (error.reason or "invalid").replace("_", " ").lower()
        message = f"TLS certificate '{certificate}' and key '{key}' cannot be used: {reason}"
        raise StartError(f"{message}; both must be PEM, the certificate before its chain") from error
    except OSError as error:
        raise StartError(f"TLS certificate '{certificate}' cannot be read: {error.strerror}") from error


def key_weakness(key: str) -> str | None:
    """Return a warning if all users of the machine can read a key."""
    try:
        mode = os.stat(key).st_mode
    except OSError:
        return None
    if os.name == "posix" and mode & stat.S_IROTH:
        return f"TLS key '{key}' can be read by all users of this machine; run chmod o-rwx on it"
    return None
