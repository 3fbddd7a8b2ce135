"""TLS towards one consumed API: its own authorities and client certificate, which follow changes of their files."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass

from .connections import client_tls_context
from .errors import StartError
from .file_watcher import FileWatch
from .pem_files import key_weakness, load_pair, read_pem

_log = logging.getLogger("adapter_host")


@dataclass(frozen=True, slots=True)
class ClientTlsFiles:
    """Paths of PEM files: the authorities that issue the certificate of the server, and the pair of the client.

    Without `ca`, servers are verified by the authorities of the system, or of `SSL_CERT_FILE`. `key` is that of the
    certificate; the same file may have both.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """All files."""
        return tuple(dict.fromkeys(path for path in (self.ca, self.certificate, self.key) if path is not None))


@dataclass(frozen=True, slots=True)
class LoadedTls:
    """The content of the files at one time, as a context, and as PEM for other libraries."""

    context: ssl.SSLContext
    ca: bytes | None
    certificate: bytes | None
    key: bytes | None


class ClientTls:
    """The TLS of connections to one API; the constructor raises `StartError` for files that cannot be used.

    `server_name` replaces the host of the URL in the handshake and in the check of the certificate. While started, it
    follows changes of the files: use `current` for each new connection. Files are checked every `interval` seconds.
    """

    def __init__(self, name: str, files: ClientTlsFiles, server_name: str | None, interval: float) -> None:
        self.server_name = server_name
        self._name = name
        self._files = files
        # Before they are read, so that a change in between is noticed.
        self._watch = FileWatch(files.paths, interval, self._reload)
        self.current = load_client_tls(files)
        self._warn()

    def start(self) -> None:
        """Use changed files from now on, and those that have changed since they were read."""
        self._watch.start()

    async def stop(self) -> None:
        """Watch the files no more."""
        await self._watch.stop()

    def _reload(self) -> None:
        try:
            self.current = load_client_tls(self._files)
        except StartError as error:
            _log.error("%s: %s; the former files are used until they change again", self._name, error)
            return
        _log.info("%s: TLS files reloaded: new connections use them", self._name)
        self._warn()

    def _warn(self) -> None:
        if self._files.key is not None and (weakness := key_weakness(self._files.key)):
            _log.warning("%s: %s", self._name, weakness)


def load_client_tls(files: ClientTlsFiles) -> LoadedTls:
    """Load the files; raise `StartError`."""
    ca = certificate = key = None
    if files.ca is not None:
        ca = read_pem(files.ca, "TLS authorities")
    try:
        context = client_tls_context(files.ca)
    except OSError as error:
        if files.ca is None:
            raise
        raise StartError(f"TLS authorities '{files.ca}': no PEM certificate is in the file") from error
    if files.certificate is not None and files.key is not None:
        load_pair(context, files.certificate, files.key)
        certificate, key = read_pem(files.certificate, "TLS certificate"), read_pem(files.key, "TLS key")
    return LoadedTls(context, ca, certificate, key)
