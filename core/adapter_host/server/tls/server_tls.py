"""The TLS contexts of a host, which follow changes of their files."""

from __future__ import annotations

import logging
import ssl

from adapter_host.errors import StartError
from adapter_host.file_watcher import FileWatch
from adapter_host.settings import TlsFiles

from .loading import find_weaknesses, load_context

_log = logging.getLogger("adapter_host")

_Key = tuple[tuple[str, ...], bool]


class ServerTls:
    """The contexts of all ports; the constructor raises `StartError` for files that cannot be used.

    A new connection uses the current files; open ones continue with the former. A context is replaced as a whole: one
    that loads a certificate of another key type would still have the former one, too.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        paths = [path for path in (files.certificate, files.key, files.client_ca) if path is not None]
        self._watch = FileWatch(paths, files.watch_interval, self._reload)
        self._contexts: dict[_Key, ssl.SSLContext] = {}
        self.use((), requires_client=True)
        for weakness in find_weaknesses(files):
            _log.warning("%s", weakness)

    def use(self, protocols: tuple[str, ...], *, requires_client: bool) -> None:
        """Prepare a context for `current`; raise `StartError`."""
        if (protocols, requires_client) not in self._contexts:
            context = load_context(self._files, protocols, requires_client=requires_client)
            self._contexts[protocols, requires_client] = context

    def current(self, protocols: tuple[str, ...], *, requires_client: bool) -> ssl.SSLContext:
        """Return a prepared context with the current files."""
        return self._contexts[protocols, requires_client]

    def start(self) -> None:
        """Use changed files from now on, and those that have changed since the last time."""
        self._watch.start()

    async def stop(self) -> None:
        """Watch the files no more."""
        await self._watch.stop()

    def reload(self) -> None:
        """Use the current files from the next connection on; log an error, and keep the former ones, if that fails."""
        self._watch.reload()

    def _reload(self) -> None:
        files = self._files
        try:
            contexts = {key: load_context(files, key[0], requires_client=key[1]) for key in self._contexts}
            weaknesses = find_weaknesses(files)
        except StartError as error:
            _log.error("%s; the former files are used until they change again", error)
            return
        self._contexts = contexts
        _log.info("TLS files reloaded: new connections use '%s'", files.certificate)
        for weakness in weaknesses:
            _log.warning("%s", weakness)
