"""Python in another process, which knows nothing of the host's environment."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


def worker_command(file: str) -> list[str]:
    """What runs a file of this package by itself."""
    return [sys.executable, "-P", "-s", str(Path(__file__).with_name(file))]


def worker_environment() -> dict[str, str]:
    """Where modules are, and no more than that."""
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    # Without it, Windows starts nothing.
    return environment | {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


def limit_process(process: int, memory: int) -> None:
    """Let the system hold a running process to so many bytes, and to no new files: on Linux, which can from outside."""
    if sys.platform != "linux":
        return
    import resource

    for resource_type, limit in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_NOFILE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            resource.prlimit(process, resource_type, (limit, resource.prlimit(process, resource_type)[1]))
