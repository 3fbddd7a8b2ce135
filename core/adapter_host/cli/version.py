"""`adapter-host --version`."""

from __future__ import annotations

import platform
from importlib import metadata

from .output.escapes import to_json


def print_version(*, as_json: bool) -> int:
    """Print the version, or those of all distributions with plugins; return the exit code."""
    version = metadata.version("adapter-host-core")
    if not as_json:
        print(f"adapter-host {version}")
        return 0
    entries = metadata.entry_points(group="adapter_host")
    distributions = {entry.dist.name: entry.dist.version for entry in entries if entry.dist is not None}
    data = {
        "version": version,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "plugins": dict(sorted(distributions.items())),
    }
    print(to_json(data, indent=True))
    return 0
