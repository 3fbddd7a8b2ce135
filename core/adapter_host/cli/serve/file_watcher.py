"""Seeing that the files of capabilities and secrets have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

INTERVAL: Final = 1.0
"""Seconds between two looks. A look is a stat of each file, which sees behind links too, as mounted volumes need."""

Snapshot = frozenset[tuple[str, int, int, int]]


def snapshot(watched_files: Iterable[str]) -> Snapshot:
    """How the watched files, and the YAML files below those that are folders, are now."""
    paths = set(watched_files)
    yaml_files = {str(file) for path in map(Path, paths) if path.is_dir() for file in _yaml_files(path)}
    states = []
    for file in paths | yaml_files:
        try:
            state = Path(file).stat()
        except OSError:
            continue  # one that is gone is seen by its absence
        states.append((file, state.st_mtime_ns, state.st_size, state.st_ino))
    return frozenset(states)


def _yaml_files(folder: Path) -> list[Path]:
    return [file for pattern in ("*.yaml", "*.yml") for file in folder.rglob(pattern)]


async def wait_for_change(watched_files: Callable[[], Iterable[str]], before: Snapshot) -> Snapshot:
    """Wait until something is not as it was `before`, and has come to rest; gives how it is then.

    What is watched may become more meanwhile: a file that is new there may have changed since it was read.
    """
    while True:
        await asyncio.sleep(INTERVAL)
        now = await asyncio.to_thread(snapshot, watched_files())
        if now == before:
            continue
        await asyncio.sleep(INTERVAL / 4)
        if now == await asyncio.to_thread(snapshot, watched_files()):
            return now
