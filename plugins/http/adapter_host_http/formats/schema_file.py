"""Read schema files, which must be in the document's folder or below."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from adapter_host import parse_location, read_regular_file

from .format import FormatDeclaration

MAX_BYTES: Final = 1024 * 1024


def read_schema(declared: FormatDeclaration, suffix: str) -> tuple[Path, bytes] | None:
    """Return path and content of an operation's schema file, or None after reporting a problem."""
    name = declared.schema
    if not name:
        declared.problem(
            f"'outputSchema' is missing; name a {suffix} file, relative to the document", code="missing-key"
        )
        return None
    source = declared.context.loaded.source
    folder = Path(source.position_of(declared.context.loaded.loc(declared.spec))[0]).parent
    try:
        path, text = read_within(folder, _relative_name(folder, name))
    except ValueError as error:
        declared.problem(str(error).replace("'location'", "'outputSchema'"))
        return None
    except OSError as error:
        declared.problem(f"cannot read '{name}': {error.strerror or error}")
        return None
    declared.context.loaded.add_file(str(path))
    return path, text


def _relative_name(folder: Path, name: str) -> str:
    """Return a name relative to a folder, if it is an absolute path or a `file:` URI of a file in it.

    Raise `ValueError` for an invalid URI.
    """
    folder = folder.absolute()
    path = parse_location(name, str(folder / "document")) if name.startswith("file:") else Path(name)
    if not path.is_absolute() or "\0" in name:
        return name
    # Links in the names of folders above the document do not matter.
    for base, target in ((folder, path), (folder.resolve(), path.resolve())):
        if target.is_relative_to(base):
            return target.relative_to(base).as_posix()
    return str(path)


def read_within(folder: Path, name: str) -> tuple[Path, bytes]:
    """Return path and content of a file below a folder; raise `OSError`, also for a path outside."""
    parts = PurePosixPath(name)
    path = folder / parts
    if parts.is_absolute() or "\\" in name or "\0" in name or not path.resolve().is_relative_to(folder.resolve()):
        raise PermissionError(None, "a schema must be in the document's folder or below")
    if not path.is_file():
        raise FileNotFoundError(None, "file not found")
    text = read_regular_file(path, MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise OSError(None, f"larger than {MAX_BYTES} bytes")
    return path, text
