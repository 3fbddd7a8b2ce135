"""The record of an import, beside the capability: what later changes of the document are compared with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from adapter_host.errors import Problem, ProblemsError
from adapter_host.regular_files import read_regular_file

SUFFIX: Final = ".import.json"

_VERSION: Final = 1
_MAX_BYTES: Final = 256 * 1024 * 1024


def record_path(file: Path) -> Path:
    """Return the path of the record of a capability file."""
    return file.with_name(file.name + SUFFIX)


@dataclass(frozen=True, slots=True)
class Options:
    """The options that decide what is imported."""

    namespace: str | None = None
    only: tuple[str, ...] = ()
    security: tuple[str, ...] = ()
    overlays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What was imported: the capability as data, the options, and JSON pointers into the document.

    `operations` has the pointers by `namespace.operation`, `schemas` those of shared schemas by name. `names` has the
    names that operations would have by those that they keep.
    """

    source: str
    options: Options
    capability: Mapping[str, Any]
    operations: Mapping[str, str] = field(default_factory=dict)
    schemas: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the record as a text."""
        return json.dumps({"version": _VERSION, **asdict(self)}, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def read(cls, file: Path) -> Record:
        """Read the record of a capability file; raise `ProblemsError`."""
        path = record_path(file)
        try:
            data = json.loads(read_regular_file(path, _MAX_BYTES).decode())
        except FileNotFoundError as error:
            message = (
                f"nothing notes what was imported into '{file.name}'; import the earlier document into another file, "
                f"and copy its '{SUFFIX}' file here"
            )
            raise ProblemsError([Problem(message, str(path), code="unreadable")]) from error
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not JSON"
            raise ProblemsError([Problem(f"cannot read: {reason}", str(path), code="unreadable")]) from error
        try:
            return cls._from(data)
        except (AttributeError, KeyError, TypeError) as error:
            message = f"it is not the record of an import (version {_VERSION}); import the document again"
            raise ProblemsError([Problem(message, str(path), code="record")]) from error

    @classmethod
    def _from(cls, data: Any) -> Record:
        if data["version"] != _VERSION or not isinstance(data["capability"]["capability"]["consumes"], list):
            raise TypeError
        options = data["options"]
        lists = {key: tuple(options[key]) for key in ("only", "security", "overlays")}
        return cls(
            source=data["source"],
            options=Options(options["namespace"], **lists),
            capability=data["capability"],
            operations=dict(data["operations"]),
            schemas=dict(data["schemas"]),
            names=dict(data["names"]),
        )
