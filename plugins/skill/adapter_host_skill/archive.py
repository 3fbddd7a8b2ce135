"""A skill's files as one zip archive: the same bytes for the same files, made once."""

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
"""The first moment that a zip archive can say: its files' own times would make two copies of a skill differ."""

_UNIX: Final = 3


class Archive:
    """The archive of one folder, kept until a file of it changes; `limit`, in bytes, bounds the files together."""

    def __init__(self, name: str, location: Location, limit: int) -> None:
        self._headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
        self._location = location
        self._limit = limit
        self._files: list[LocatedFile] = []
        self._response: CacheableResponse | None = None
        self._lock = asyncio.Lock()

    async def response(self) -> CacheableResponse:
        """The archive as it is now; raises `NotFoundError` where there is no file, `RefusedError` for too much."""
        # One at a time: a crowd that asks for it at once shares one.
        async with self._lock:
            files = await asyncio.to_thread(self._location.files)
            if self._response is None or files != self._files:
                self._response = await asyncio.to_thread(self._make, files)
                self._files = files
            return self._response

    def _make(self, files: Sequence[LocatedFile]) -> CacheableResponse:
        if not files or not self._location.is_folder():
            raise NotFoundError("the skill has no files")
        if len(files) >= Location.MOST:
            raise RefusedError(f"the skill has {Location.MOST} files or more, which is too many for one archive")
        remaining = self._limit
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for file in files:
                try:
                    body = self._location.read(file.path)
                except NotFoundError:  # taken away a moment ago
                    continue
                remaining -= len(body)
                if remaining < 0:
                    raise RefusedError(f"the skill's files are larger than {self._limit} bytes together")
                archive.writestr(_zip_info(file), body)
        return CacheableResponse(buffer.getvalue(), "application/zip", self._headers)


def _zip_info(file: LocatedFile) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(file.path, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = (stat.S_IFREG | (0o755 if file.executable else 0o644)) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
