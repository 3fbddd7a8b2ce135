"""Reproducible zip archives of skills, cached until a file changes."""

from __future__ import annotations

import asyncio
import io
import stat
import zipfile
from collections.abc import Sequence
from typing import Final

from adapter_host import LocatedFile, Location, NotFoundError, RefusedError

from .responses import CacheableResponse

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time of the zip format; the files' own times would make copies of a skill differ."""

_UNIX: Final = 3


class Archive:
    """The archive of one folder, cached until a file changes; `limit` bounds the total size in bytes."""

    def __init__(self, name: str, location: Location, limit: int) -> None:
        self._headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        self._location = location
        self._limit = limit
        self._files: list[LocatedFile] = []
        self._response: CacheableResponse | None = None
        self._lock = asyncio.Lock()

    async def response(self) -> CacheableResponse:
        """Return the current archive; raises `NotFoundError` without files, `RefusedError` beyond a limit."""
        # Concurrent requests share one build.
        async with self._lock:
            files = await self._location.in_thread(self._location.files)
            if self._response is None or files != self._files:
                self._response = await self._location.in_thread(self._make, files)
                self._files = files
            return self._response

    def _make(self, files: Sequence[LocatedFile]) -> CacheableResponse:
        if not files or not self._location.is_folder():
            raise NotFoundError("the skill has no files")
        if len(files) >= Location.MOST:
            raise RefusedError(f"the skill has {Location.MOST} files or more; too many for an archive")
        remaining = self._limit
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file in files:
                try:
                    body = self._location.read(file.path)
                except NotFoundError:  # deleted in the meantime
                    continue
                remaining -= len(body)
                if remaining < 0:
                    raise RefusedError(f"the skill's files are larger than {self._limit} bytes in total")
                archive.writestr(_zip_info(file), body)
        return CacheableResponse(buffer.getvalue(), "application/zip", self._headers)


def _zip_info(file: LocatedFile) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(file.path, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = (stat.S_IFREG | (0o755 if file.executable else 0o644)) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
