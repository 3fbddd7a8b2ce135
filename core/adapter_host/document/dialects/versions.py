"""Detection of the version of the language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapter_host.document.messages import format_value
from adapter_host.document.source import Source
from adapter_host.errors import Problem

KNOWN_VERSIONS: Final = (
    "0.4",
    "0.5",
    *(f"1.0.0-alpha{number}" for number in range(1, 5)),
    *(f"1.0.0-beta{number}" for number in range(1, 6)),
)
"""The versions of the language, oldest first."""

BINDS_VERSION: Final = "1.0.0-alpha1"
"""Since this version `externalRefs` are `binds`, `type: api` is `rest` and an input's `const` is its `value`."""

FLOWS_VERSION: Final = "1.0.0-alpha3"
"""Since this version `functions` are `flows`, and named entries are mappings from names."""

CANONICAL_VERSION: Final = "1.0.0-alpha2"
"""The version to whose shape documents are rewritten."""

_KEYS: Final = ("naftiko", "ikanos")
_KNOWN_SUMMARY: Final = "0.4, 0.5, 1.0.0-alpha1 to alpha4, 1.0.0-beta1 to beta5"

_VERSION_PATTERN: Final = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:[-.]?(alpha|beta|rc)[-.]?(\d+)?)?")
_STAGES: Final = ("alpha", "beta", "rc", None)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The version that a document is read as."""

    version: str

    def is_at_least(self, version: str) -> bool:
        """Return True for that version or a later one."""
        return KNOWN_VERSIONS.index(self.version) >= KNOWN_VERSIONS.index(version)


def version_key(data: Mapping[str, Any]) -> str | None:
    """Return the key that declares the version, or None."""
    return next((key for key in _KEYS if key in data), None)


def read_dialect(data: Mapping[str, Any]) -> Dialect:
    """Return the version that a document is read as: its own, or the nearest known one."""
    key = version_key(data)
    return Dialect(CANONICAL_VERSION if key is None else _nearest(str(data[key]), key))


def read_version(source: Source) -> tuple[str, list[Problem]]:
    """Return the declared version, and the problems of the header."""
    data = source.data
    key = version_key(data)
    if key is not None:
        return str(data[key]), [*_unknown_version(source, key), *_second_header(source, key)]
    if "capability" in data:
        message = f"no 'naftiko' key declares the version; read as {CANONICAL_VERSION}"
        return CANONICAL_VERSION, [source.problem((), message, code="missing-version", warning=True)]
    message = f"not a capability: there is no 'naftiko' key (expected 'naftiko: {CANONICAL_VERSION}' and 'capability')"
    return "", [source.problem((), message, code="not-a-capability")]


def _unknown_version(source: Source, key: str) -> list[Problem]:
    version = source.data[key]
    if str(version) in KNOWN_VERSIONS:
        return []
    read_as = _nearest(str(version), key)
    message = f"unknown version {format_value(version)} of the language; read as {read_as} (known: {_KNOWN_SUMMARY})"
    return [source.problem((key,), message, code="unknown-version", warning=True)]


def _second_header(source: Source, key: str) -> list[Problem]:
    if key == _KEYS[-1] or _KEYS[-1] not in source.data:
        return []
    message = f"'{_KEYS[-1]}' is ignored beside '{key}'; only one of them can declare the version"
    return [source.problem((_KEYS[-1],), message, code="ignored", warning=True, key=True)]


def _nearest(text: str, key: str) -> str:
    """Return the latest known version up to `text`; for an invalid version, the default of the key."""
    wanted = _sort_key(text)
    if wanted is None:
        return CANONICAL_VERSION if key == _KEYS[0] else KNOWN_VERSIONS[-1]
    return next(
        (candidate for candidate in reversed(KNOWN_VERSIONS) if (_sort_key(candidate) or wanted) <= wanted),
        KNOWN_VERSIONS[0],
    )


def _sort_key(text: str) -> tuple[int, ...] | None:
    """Return a sort key, with a release after its previews; None for an invalid version."""
    match = _VERSION_PATTERN.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, stage, number = match.groups()
    return (int(major), int(minor), int(patch or 0), _STAGES.index(stage), int(number or 0))
