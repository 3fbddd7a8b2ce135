"""Copy the version and the URLs of the root's pyproject.toml to the pyproject.toml of every distribution."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import tomlkit
from packaging.requirements import Requirement
from packaging.version import Version

ROOT: Final = Path(__file__).parents[2]
PROJECTS: Final = (
    ROOT / "pyproject.toml",
    ROOT / "core/pyproject.toml",
    *sorted(ROOT.glob("plugins/*/pyproject.toml")),
)


def compatible_range(version: Version) -> str:
    """Return the versions without a breaking change: those of the same major version, or minor version before 1.0.

    A pre-release is its own lower bound, because `>=0.2` excludes 0.2.0rc1.
    """
    lowest = str(version) if version.is_prerelease else f"{version.major}.{version.minor}"
    return f">={lowest},<{f'0.{version.minor + 1}' if version.major == 0 else version.major + 1}"


def project_urls(repository: str) -> dict[str, str]:
    """Return the URLs of every distribution; Source is the repository itself."""
    return {
        "Homepage": repository,
        "Documentation": f"{repository}/tree/main/docs",
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Changelog": f"{repository}/blob/main/CHANGELOG.md",
    }


def sync_requirements(requirements: list[str], accepted: str) -> None:
    """Set the accepted versions of each first-party requirement, in place."""
    for index, text in enumerate(requirements):
        requirement = Requirement(text)
        if requirement.name.startswith("adapter-host"):
            extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
            requirements[index] = f"{requirement.name}{extras}{accepted}"


def synced(path: Path) -> str:
    """Return the text of a pyproject.toml with the version and the repository of the root's."""
    shared: Any = tomlkit.parse(PROJECTS[0].read_text())["project"]
    document: Any = tomlkit.parse(path.read_text())
    project, repository = document["project"], str(shared["urls"]["Source"])
    accepted = compatible_range(Version(shared["version"]))
    project["version"] = str(shared["version"])
    for requirements in (project["dependencies"], *project.get("optional-dependencies", {}).values()):
        sync_requirements(requirements, accepted)
    project["urls"].update(project_urls(repository))
    folder = path.parent.relative_to(ROOT).as_posix()
    base = f"{repository}/blob/v$HFPR_VERSION/" + (f"{folder}/" if folder != "." else "")
    if "readme" in project.get("dynamic", ()):
        for substitution in document["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
            substitution["replacement"] = f"]({base}"
    return tomlkit.dumps(document)


if __name__ == "__main__":
    for project in PROJECTS:
        project.write_text(synced(project))
