"""The machine: its two cores, its tools, and the resource use of processes."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Final

from tests.support.paths import ROOT

CORES: Final = sorted(os.sched_getaffinity(0))
SERVED: Final = CORES[0]
"""The core of the measured server."""

LOADING: Final = CORES[-1]
"""The core of the load generator and the upstream API."""

PACKAGES: Final = {"wrk": "wrk", "nginx": "nginx"}
"""The commands that the benchmark needs in addition to Python, each with its Debian package."""

_TICK: Final = 1_000_000 / os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_LOCKED: Final = {"fastmcp": "tests/clients/fastmcp.lock", "httpx": "tests/benchmarks/gateway.lock"}


@contextmanager
def pinned(*cores: int) -> Iterator[None]:
    """Run this process and its children on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def missing() -> list[str]:
    """Return the packages of missing commands."""
    return [package for command, package in PACKAGES.items() if found(command) is None]


def found(command: str) -> str | None:
    """Return the path of a command; Debian has some outside the PATH of normal users."""
    return shutil.which(command) or shutil.which(command, path="/usr/sbin:/sbin")


def install(packages: list[str]) -> None:
    """Install Debian packages if permitted; `missing` shows the rest."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    # Keep Debian from starting the services of the packages: a run level without services prevents it.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        command = ["apt-get", "--quiet", "--quiet", *arguments]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)


def described() -> dict[str, str]:
    """Describe the machine and its software."""
    versions = {name: metadata.version(name) for name in ("aiohttp", "uvloop", "mcp")}
    versions |= {name: _locked(name, file) for name, file in _LOCKED.items()}
    if nginx := found("nginx"):
        output = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
        versions["nginx"] = output.strip().rpartition("/")[2]
    return {
        "processor": _processor(),
        "cores": f"{len(CORES)} used: {SERVED} serves, {LOADING} loads",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * _PAGE / 2**30:.0f} GiB",
        "system": f"Linux {platform.release().partition('-')[0]}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _locked(name: str, file: str) -> str:
    path = ROOT / file
    found = re.search(rf"^{name}==(\S+)", path.read_text(), re.MULTILINE)
    return found[1] if found else "?"


class Usage:
    """The resource use of a process group; a server may have several processes."""

    def __init__(self, group: int) -> None:
        self._group = group

    def _members(self) -> Iterator[tuple[Path, list[str]]]:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # exited meanwhile
            if int(fields[2]) == self._group:
                yield folder, fields

    @property
    def cpu(self) -> float:
        """Return the CPU microseconds so far, user and kernel."""
        return sum(int(fields[11]) + int(fields[12]) for _, fields in self._members()) * _TICK

    @property
    def memory(self) -> float:
        """Return the resident MiB; shared memory counts once."""
        members = list(self._members())
        if len(members) == 1:
            return int(members[0][1][21]) * _PAGE / 2**20
        shares = [(folder / "smaps_rollup").read_text() for folder, _ in members]
        return (
            sum(int(match[1]) for text in shares if (match := re.search(r"^Pss:\s*(\d+)", text, re.MULTILINE))) / 1024
        )

    @property
    def peak(self) -> float:
        """Return the peak resident MiB since `forget_peak`."""
        peaks = [(folder / "status").read_text() for folder, _ in self._members()]
        return sum(int(match[1]) for text in peaks if (match := re.search(r"VmHWM:\s*(\d+)", text))) / 1024

    def forget_peak(self) -> None:
        """Reset the peak."""
        for folder, _ in self._members():
            (folder / "clear_refs").write_text("5")


def refuse_elsewhere() -> None:
    """Raise an error if the system does not provide the statistics."""
    if not sys.platform.startswith("linux"):
        sys.exit("the benchmark needs Linux: it pins processes to cores, and reads what they use from /proc")
