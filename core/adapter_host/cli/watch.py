"""Seeing that the files of capabilities have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

INTERVAL: Final = 1.0
"""Seconds between two looks. A look is a stat of each file, which sees behind links too, as mounted volumes need."""

Snapshot = frozenset[tuple[str, int, int, int]]


def snapshot(paths: Sequence[str], files: Iterable[str]) -> Snapshot:
    """How the given paths, the YAML files below those that are folders, and `files` are now."""
    found = {str(file) for path in map(Path, paths) if path.is_dir() for file in _yaml_files(path)}
    seen = []
    for file in {*paths, *files, *found}:
        try:
            state = Path(file).stat()
        except OSError:
            continue  # one that is gone is seen by its absence
        seen.append((file, state.st_mtime_ns, state.st_size, state.st_ino))
    return frozenset(seen)


def _yaml_files(folder: Path) -> list[Path]:
    return [file for pattern in ("*.yaml", "*.yml") for file in folder.rglob(pattern)]


async def changed(paths: Sequence[str], files: Iterable[str], before: Snapshot) -> Snapshot:
    """Wait until something is not as it was `before`, and has come to rest; gives how it is then."""
    while True:
        await asyncio.sleep(INTERVAL)
        now = await asyncio.to_thread(snapshot, paths, files)
        if now == before:
            continue
        await asyncio.sleep(INTERVAL / 4)
        if now == await asyncio.to_thread(snapshot, paths, files):
            return now
