"""A host in a separate process, for tests that affect a complete process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from .command import wait_for_file


class HostProcess:
    """A process that runs `adapter-host serve`, with its log in a file."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.process = process
        self.folder = folder
        ready = json.loads((folder / "ready.json").read_text())
        self.urls: dict[str, str] = {exposer["namespace"]: exposer["url"] for exposer in ready["exposers"]}

    def port(self, namespace: str) -> int:
        """Return the port of an exposer."""
        return int(self.urls[namespace].split(":")[2].split("/")[0])

    @property
    def log(self) -> str:
        return (self.folder / "host.log").read_text(errors="replace")

    async def terminate(self, seconds: float = 20) -> int:
        """Send SIGTERM, and return the exit code; raise `TimeoutError` if the process does not exit."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(seconds):
            return await self.process.wait()


@asynccontextmanager
async def host_process(
    folder: Path,
    document: str,
    *options: str,
    environment: Mapping[str, str] | None = None,
    prepare: Callable[[], None] | None = None,
) -> AsyncIterator[HostProcess]:
    """Serve a document until the block ends; other files that it names may be in the folder.

    `prepare` is called in the new process, for example to limit its resources.
    """
    (folder / "capability.yaml").write_text(document)
    with (folder / "host.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "adapter_host", "serve", "capability.yaml", "--ready-file", "ready.json", *options,
            stdout=log, stderr=log, cwd=folder, env={**os.environ, **(environment or {})},
            preexec_fn=prepare,
        )  # fmt: skip
        try:
            await wait_for_file(folder / "ready.json", process)
            yield HostProcess(process, folder)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
