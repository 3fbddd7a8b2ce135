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
