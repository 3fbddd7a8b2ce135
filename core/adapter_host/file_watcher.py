"""Detect changes of watched files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from adapter_host.daemon_threads import DaemonThreads

Snapshot = frozenset[tuple[str, int, int, int]]
"""The path, modification time, size and inode of each file. Stat follows links, as needed for mounted volumes."""


def snapshot(watched_files: Iterable[str]) -> Snapshot:
    """Return the current state of files, and of the YAML files in folders."""
    paths = set(watched_files)
    yaml_files = {str(file) for path in map(Path, paths) if path.is_dir() for file in _yaml_files(path)}
    states = []
    for file in paths | yaml_files:
        try:
            state = Path(file).stat()
        except OSError:
            continue  # a removed file is detected by its absence
        states.append((file, state.st_mtime_ns, state.st_size, state.st_ino))
    return frozenset(states)


def _yaml_files(folder: Path) -> list[Path]:
    return [file for pattern in ("*.yaml", "*.yml") for file in folder.rglob(pattern)]


async def wait_for_change(watched_files: Callable[[], Iterable[str]], before: Snapshot, interval: float) -> Snapshot:
    """Wait until files differ from `before` and no longer change; return their state.

    Files are checked every `interval` seconds. `watched_files` may return more files later: a new one may have changed
    since it was loaded.
    """
    threads = DaemonThreads(1)
    while True:
        await asyncio.sleep(interval)
        now = await threads.run(snapshot, watched_files())
        if now == before:
            continue
        await asyncio.sleep(interval / 4)
        if now == await threads.run(snapshot, watched_files()):
            return now


class FileWatch:
    """Calls `reload`, which must not raise, when files have changed."""

    def __init__(self, paths: Iterable[str], interval: float, reload: Callable[[], None]) -> None:
        self._paths = tuple(paths)
        self._interval = interval
        self._reload = reload
        self._state = snapshot(self._paths)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the files from now on, and reload those that have changed since the last time."""
        if self._task is None:
            if snapshot(self._paths) != self._state:
                self.reload()
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def stop(self) -> None:
        """Watch the files no more."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def reload(self) -> None:
        """Reload the files as they are now."""
        self._state = snapshot(self._paths)
        self._reload()

    async def _watch(self) -> None:
        while True:
            state = await wait_for_change(lambda: self._paths, self._state, self._interval)
            self.reload()
            self._state = state
