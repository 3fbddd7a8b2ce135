"""The number and the digest of the configuration that a host serves, to compare replicas."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from adapter_host import Host, LoadedCapability

from .masking import mask_document

_MAX_FILE_SIZE: Final = 10 * 1024 * 1024
"""Bytes of a file that are part of the digest."""


class ConfigurationStatus:
    """Computes the digest once for each configuration, on the first request."""

    def __init__(self) -> None:
        self._known: tuple[int, str] = (0, "")

    async def get(self, host: Host) -> dict[str, Any]:
        """Return the number of the configuration and its digest, which is equal for equal documents and files."""
        generation = host.generation
        if self._known[0] != generation:
            loaded = [plan.loaded for plan in host.plans]
            self._known = generation, await asyncio.to_thread(_digest, loaded)
        return {"generation": generation, "digest": self._known[1]}


def _digest(capabilities: list[LoadedCapability]) -> str:
    # Without paths and order, which may differ between hosts.
    parts = sorted(part for loaded in capabilities for part in _parts(loaded))
    return f"sha256:{sha256(b''.join(parts)).hexdigest()}"


def _parts(loaded: LoadedCapability) -> Iterator[bytes]:
    # Masked, so that nobody can find a secret by trying digests.
    document = mask_document(loaded.source.data, loaded.masked)
    yield sha256(json.dumps(document, sort_keys=True, ensure_ascii=True).encode()).digest()
    for file in loaded.files:
        if file != loaded.source.file:
            yield _file_digest(Path(file))


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return sha256(file.read(_MAX_FILE_SIZE)).digest()
    except OSError:
        return b"unreadable"
