"""The manifest of a skill: its frontmatter, and the digest and size of each file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host import LocatedFile, Location, NotFoundError, RefusedError

from .skill_file import SKILL_FILE, InvalidSkillError, parse_frontmatter

MAX_FILES: Final = 512
"""Maximum number of files of a skill that every client accepts (SEP-2640, "Limits")."""

MAX_BYTES: Final = 16 * 1024 * 1024
"""Maximum size of these files in total."""


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """A file of a skill."""

    path: str
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a skill, at one point in time."""

    frontmatter: Mapping[str, Any]
    files: Mapping[str, ManifestFile]

    def children(self, folder: str) -> Mapping[str, ManifestFile | None] | None:
        """Return the files and folders (None) directly in a folder by their paths; None if there is no such folder."""
        prefix = f"{folder}/" if folder else ""
        found: dict[str, ManifestFile | None] = {}
        for path, file in self.files.items():
            if path.startswith(prefix):
                name, _, rest = path[len(prefix) :].partition("/")
                found[prefix + name] = None if rest else file
        return found or None


def make_manifest(name: str, files: Sequence[LocatedFile], location: Location | None, generated: bytes) -> Manifest:
    """Read and hash the files of the skill `name`; raise `InvalidSkillError`.

    `generated` is its `SKILL.md` if the folder has none.
    """
    check_limits(files)
    frontmatter: Mapping[str, Any] = {}
    remaining = MAX_BYTES
    listed: dict[str, ManifestFile] = {}
    for path in dict.fromkeys((SKILL_FILE, *(file.path for file in files))):
        body = read_skill_file(path, location, generated)
        remaining -= len(body)
        if remaining < 0:
            raise _too_large()
        if path == SKILL_FILE:
            frontmatter = checked_frontmatter(name, body)
        listed[path] = ManifestFile(path, len(body), f"sha256:{hashlib.sha256(body).hexdigest()}")
    return Manifest(frontmatter, listed)


def check_limits(files: Sequence[LocatedFile]) -> None:
    """Raise `InvalidSkillError` for more files, or larger ones, than clients accept."""
    if len({SKILL_FILE, *(file.path for file in files)}) > MAX_FILES:
        raise InvalidSkillError(f"it has more than {MAX_FILES} files")
    if sum(file.size for file in files) > MAX_BYTES:
        raise _too_large()


def checked_frontmatter(name: str, body: bytes) -> dict[str, Any]:
    """Return the frontmatter of the `SKILL.md` of the skill `name`; raise `InvalidSkillError`."""
    frontmatter = parse_frontmatter(body)
    if frontmatter["name"] != name:
        raise InvalidSkillError(f"the name in {SKILL_FILE} is {frontmatter['name'][:64]!r}, not {name!r}")
    return frontmatter


def read_skill_file(path: str, location: Location | None, generated: bytes) -> bytes:
    """Return the bytes of a file; raise `InvalidSkillError`."""
    try:
        if location is not None and (path != SKILL_FILE or location.has(path)):
            return location.read(path)
    except (NotFoundError, RefusedError) as error:
        raise InvalidSkillError(f"{path}: {error.message}") from None
    return generated


def _too_large() -> InvalidSkillError:
    return InvalidSkillError(f"its files are larger than {MAX_BYTES // 1024**2} MiB in total")
