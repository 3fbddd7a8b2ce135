"""Reloads of the command: their triggers, settings and output."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from adapter_host.cli.options.shared import read_environment
from adapter_host.file_watcher import snapshot, wait_for_change
from adapter_host.host.host import Host
from adapter_host.host.reloads import Reloader, log_failed_reload
from adapter_host.host.status import ExposerStatus
from adapter_host.settings import Settings

from .ready_file import ReadyFile, announce_reload

_log = logging.getLogger("adapter_host")


class CommandReloader(Reloader):
    """A reloader that rereads the environment and `--env-file`."""

    def __init__(self, env_file: str | None) -> None:
        self._env_file = env_file

    def next_settings(self, current: Settings) -> Settings:
        """Return the settings with the current environment."""
        return replace(current, environment=read_environment(self._env_file))


class ProcessReloader(CommandReloader):
    """The reloader of a process without workers."""

    def __init__(self, env_file: str | None, ready: ReadyFile) -> None:
        super().__init__(env_file)
        self._ready = ready

    def reloaded(self, statuses: Sequence[ExposerStatus]) -> None:
        """Print the table of exposers, and rewrite the ready file."""
        announce_reload(statuses, self._ready, "reloaded")


class HeldHangUp:
    """A SIGHUP that arrives before the host serves, when it would otherwise end the process."""

    def __init__(self) -> None:
        self.received = False
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._receive)

    def _receive(self, *_: object) -> None:
        self.received = True


class ReloadTriggers:
    """Reloads a host on SIGHUP and when a watched file changes; a failed reload changes nothing."""

    def __init__(
        self, host: Host, watched_files: Callable[[], Iterable[str]], interval: float, hang_up: HeldHangUp
    ) -> None:
        self._host = host
        self._watched_files = watched_files
        self._interval = interval
        self._hang_up = hang_up
        self._reload_requested = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        # Taken before the start, which may take long, so that changes during the start are detected.
        self._state = snapshot(watched_files())

    def start(self) -> None:
        """Start to wait for the triggers."""
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload_requested.set)
        if self._hang_up.received:
            self._reload_requested.set()
        self._tasks.append(asyncio.create_task(self._reload_on_request()))
        self._tasks.append(asyncio.create_task(self._watch()))

    def stop(self) -> None:
        """Stop to wait for the triggers."""
        for task in self._tasks:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            self._state = await wait_for_change(self._watched_files, self._state, self._interval)
            self._reload_requested.set()

    async def _reload_on_request(self) -> None:
        while True:
            await self._reload_requested.wait()
            self._reload_requested.clear()
            try:
                await self._host.reload()
            except Exception as error:
                # An error of a plugin must not end the task: later reloads would be lost.
                log_failed_reload(error)
