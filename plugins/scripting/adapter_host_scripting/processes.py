"""Starts and limits worker processes, which do not inherit the host's environment."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def worker_command(file: str) -> list[str]:
    """Return the command that runs a file of this package."""
    return [sys.executable, "-P", "-s", str(Path(__file__).with_name(file))]


def worker_environment() -> dict[str, str]:
    """Return environment variables with the module search path only."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    # Windows cannot start processes without it.
    return environment | {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


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
