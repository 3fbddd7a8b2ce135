"""Starts and limits worker processes."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path


def worker_command(file: str) -> list[str]:
    """Return the command that runs a file of this package."""
    return [sys.executable, "-P", "-s", str(Path(__file__).with_name(file))]


def limit_process(process: int, memory: int) -> None:
    """Limit the memory of a running process in bytes, and forbid it to open files; only supported on Linux."""
    if sys.platform != "linux":
        return
    import resource

    for resource_type, limit in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError):  # the process has ended
            resource.prlimit(process, resource_type, (limit, resource.prlimit(process, resource_type)[1]))
