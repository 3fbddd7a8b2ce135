"""A virtual environment outside of the checkout; its third-party packages are links into the tests' environment.

Nothing is downloaded: installers find first-party distributions in a folder, and everything else is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

OFFLINE: Final = {
    "PIP_NO_INDEX": "1",
    # pip reads 0 as no isolation.
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "UV_OFFLINE": "1",
    "UV_NO_INDEX": "1",
    "UV_NO_BUILD_ISOLATION": "1",
}


def third_party(requirements: Iterable[str]) -> set[metadata.Distribution]:
    """Return the installed distributions that requirements need, directly or not, without first-party ones."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if (name, extras := frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # an optional one, or of another platform
        if not name.startswith("adapter-host"):
            found[name] = distribution
        for needed in map(Requirement, distribution.requires or ()):
            if not needed.marker or any(needed.marker.evaluate({"extra": extra}) for extra in extras or {""}):
                waiting.append(needed)
    return set(found.values())


def _link(distribution: metadata.Distribution, site: Path, scripts: Path) -> None:
    """Link an installed distribution into another environment."""
    home = Path(str(distribution.locate_file("")))
    for name in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
        if name.endswith(".dist-info"):
            shutil.copytree(home / name, site / name)  # uv does not follow links to these
        elif not (site / name).exists():
            (site / name).symlink_to(home / name)
    for file in distribution.files or ():
        if ".." in file.parts:
            program = Path(str(distribution.locate_file(file)))
            if program.exists() and not program.read_bytes().startswith(b"#!"):
                (scripts / file.name).symlink_to(program.resolve())
    for entry in distribution.entry_points.select(group="console_scripts"):
        code = f"import sys; from {entry.module} import {entry.attr}; sys.exit({entry.attr}())"
        (scripts / entry.name).write_text(f"#!{scripts}/python\n{code}\n")
        (scripts / entry.name).chmod(0o755)


class CleanEnvironment:
    """A virtual environment with the third-party packages of some requirements, and an empty home folder.

    Installers find first-party distributions in `artifacts`.
    """

    def __init__(self, folder: Path, requirements: Iterable[str], artifacts: Path, *, pip: bool = False) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.root = folder / "environment"
        self.scripts = self.root / "bin"
        self.site = self.root / f"lib/python{sysconfig.get_python_version()}/site-packages"
        self._artifacts = artifacts
        self._do([sys.executable, "-m", "venv", *([] if pip else ["--without-pip"]), self.root])
        for distribution in third_party(requirements):
            _link(distribution, self.site, self.scripts)

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of the commands."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV", "PYTEST"))}
        return {
            **kept,
            **OFFLINE,
            "HOME": str(self.home),
            "PATH": f"{self.scripts}{os.pathsep}{os.environ['PATH']}",
            "PIP_FIND_LINKS": str(self._artifacts),
            "UV_FIND_LINKS": str(self._artifacts),
            "VIRTUAL_ENV": str(self.root),
        }

    def run(self, command: str) -> str:
        """Run a shell command in the home folder and return its output; raise AssertionError if it fails."""
        return self._do(["bash", "-c", command])

    def _do(self, command: Sequence[str | Path]) -> str:
        done = subprocess.run(command, cwd=self.home, env=self.variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout
