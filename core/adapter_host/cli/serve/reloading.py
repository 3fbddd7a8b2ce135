"""How the command reloads: what asks for it, and what is read and announced again."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from adapter_host.cli.options import environment
from adapter_host.errors import AdapterHostError
from adapter_host.host.host import Host
from adapter_host.host.reloads import Reloader
from adapter_host.host.status import ExposerStatus
from adapter_host.settings import Settings

from .file_watcher import changed, snapshot
from .ready_file import ReadyFile, announce_reload

_log = logging.getLogger("adapter_host")


class CommandReloader(Reloader):
    """Reads the environment and the file of secrets (`--env-file`) again with each reload."""

    def __init__(self, env_file: str | None) -> None:
        self._env_file = env_file

    def next_settings(self, current: Settings) -> Settings:
        """Return the settings with the environment as it is now."""
        return replace(current, environment=environment(self._env_file))


class ProcessReloader(CommandReloader):
    """The reloader of a process that serves without workers: it announces what is served from now on."""

    def __init__(self, env_file: str | None, ready: ReadyFile) -> None:
        super().__init__(env_file)
        self._ready = ready

    def reloaded(self, statuses: Sequence[ExposerStatus]) -> None:
        """Print the table of what is served, and rewrite the ready file."""
        announce_reload(statuses, self._ready, "reloaded")


class ReloadTriggers:
    """Reload a host on SIGHUP and when a watched file changes; documents that cannot run leave the old ones serving."""

    def __init__(self, host: Host, watched: Callable[[], Iterable[str]]) -> None:
        self._host = host
        self._watched = watched
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        # Taken before the start, which may be long: what changes meanwhile is seen.
        self._state = snapshot(watched())

    def start(self) -> None:
        """Begin to wait for what asks for a reload."""
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._wanted.set)
        self._tasks.append(asyncio.create_task(self._reload_when_wanted()))
        self._tasks.append(asyncio.create_task(self._watch()))

    def stop(self) -> None:
        """Reload no more."""
        for task in self._tasks:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            self._state = await changed(self._watched, self._state)
            self._wanted.set()

    async def _reload_when_wanted(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._host.reload()
            except AdapterHostError as error:
                _log.error("not reloaded, what was served goes on:\n%s", error)
