"""The command's host: it reads the file of secrets anew with each reload, whoever asks for that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from adapter_host.cli.options import environment
from adapter_host.host.host import Host
from adapter_host.host.loading import Document
from adapter_host.settings import Settings


class ServedHost(Host):
    """A host that a command serves.

    `tell` is called when something else is served. With `pass_on`, a reload of the same documents concerns more than
    this host, and is left to that.
    """

    def __init__(self, *documents: Document, settings: Settings, env_file: str | None = None) -> None:
        super().__init__(*documents, settings=settings)
        self._env_file = env_file
        self.tell: Callable[[], None] | None = None
        self.pass_on: Callable[[], Awaitable[None]] | None = None

    async def reload(self, *documents: Document) -> None:
        """Serve other documents, or the same ones as they are now; raises `ProblemsError` and `StartError`."""
        if self.pass_on is None or documents:
            await super().reload(*documents)
        else:
            await self.pass_on()

    async def reload_here(self) -> None:
        """Serve the same documents as they are now, in this host alone."""
        await super().reload()

    def _refreshed(self) -> Settings:
        return replace(self.settings, environment=environment(self._env_file))

    def _reloaded(self) -> None:
        if self.tell is not None:
            self.tell()
