"""Secret files: flat YAML, JSON or .env. Errors name positions, never values."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from dotenv import dotenv_values

from adapter_host.document.messages import describe_type, did_you_mean
from adapter_host.document.nodes import MAX_DEPTH
from adapter_host.document.yaml_errors import is_too_deep
from adapter_host.document.yaml_reader import LOADER
from adapter_host.errors import BindError
from adapter_host.regular_files import read_regular_file

from .binds import BindSource

MAX_BYTES: Final = 1024 * 1024

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class FileSource(BindSource):
    """`file://`: a file whose suffix selects its format. Relative paths start at the document's folder."""

    def __init__(self, location: str, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(location, folder, environment)
        path = location.partition("://")[2]
        if not path.strip("/"):
            raise BindError(f"'{location}' names no file; use file://./secrets.yaml")
        self._path = folder / (path[1:] if path.startswith(("/./", "/../")) else path)
        self._values: dict[str, Any] | None = None

    def value(self, key: str) -> str | None:
        """Return the text of a top-level key; numbers and booleans as written."""
        return _scalar_text(self._read().get(key))

    def hint(self, key: str) -> str:
        """Name the closest key of the file, or the type that the value must have."""
        values = self._read()
        if key not in values:
            suggestion = did_you_mean(key, (name for name, value in values.items() if _scalar_text(value)))
            return (
                f"'{self._path}' has no key '{key}'{suggestion}{' ' if suggestion else '; '}add it, or correct 'keys'"
            )
        if isinstance(values[key], (dict, list)):
            return f"'{key}' in '{self._path}' must be text, not {describe_type(values[key])}"
        return f"'{key}' in '{self._path}' is empty; set a value"

    @property
    def files(self) -> Sequence[str]:
        """The file, once it has been read."""
        return () if self._values is None else (str(self._path),)

    def _read(self) -> dict[str, Any]:
        if self._values is None:
            try:
                self._values = _parser_for(self._path)(self._read_text())
            except BindError as error:
                raise BindError(f"'{self._path}' {error}") from None
        return self._values

    def _read_text(self) -> str:
        try:
            if self._path.exists() and not self._path.is_file():
                raise BindError("is not a file")
            raw = read_regular_file(self._path, MAX_BYTES + 1)
        except FileNotFoundError:
            raise BindError("does not exist; create it") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a valid path"
            raise BindError(f"cannot be read: {reason}") from None
        if len(raw) > MAX_BYTES:
            raise BindError(f"is larger than {MAX_BYTES:,} bytes")
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BindError("is not UTF-8") from None


def _parser_for(path: Path) -> Callable[[str], dict[str, Any]]:
    if path.suffix == ".json":
        return _parse_json
    return _parse_env if path.suffix == ".env" or path.name.startswith(".env") else _parse_yaml


def _scalar_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) and value else None


def _parse_env(text: str) -> dict[str, Any]:
    return dict(dotenv_values(stream=io.StringIO(text), interpolate=False))


def _parse_json(text: str) -> dict[str, Any]:
    try:
        values = json.loads(
            text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_reject_duplicates
        )
    except json.JSONDecodeError as error:
        raise BindError(f"is not valid JSON at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise BindError("is nested too deeply") from None
    if not isinstance(values, dict):
        raise BindError("must be an object of keys and values")
    return values


def _reject_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise BindError("has a duplicate key")
    return values


def _parse_yaml(text: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    try:
        for key, value, line in _iter_entries(text):
            if key in values:
                raise BindError(f"has a duplicate key at line {line}")
            values[key] = value
    except yaml.MarkedYAMLError as error:
        if is_too_deep(error):
            raise BindError("is nested too deeply") from None
        mark: Any = error.problem_mark
        position = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BindError(f"is not valid YAML{position}") from None
    except (yaml.YAMLError, OverflowError, ValueError):
        # Without libyaml, PyYAML's `chr` fails on an escape beyond Unicode.
        raise BindError("is not valid YAML") from None
    return values


def _iter_entries(text: str) -> Iterator[tuple[str, Any, int]]:
    """Yield key, value and line of each entry of the root mapping; scalars as text, not as PyYAML's types."""
    depth, key, roots = 0, "", 0
    is_value = False
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if not isinstance(event, yaml.NodeEvent):
            continue
        if depth == 0:
            roots += 1
            _check_root(event, roots)
        elif depth == 1 and is_value:
            yield key, _entry_value(event), _line(event)
        elif depth == 1:
            key = str(_entry_value(event) or "")
        if depth == 1:
            is_value = not is_value
        depth += isinstance(event, yaml.CollectionStartEvent)
        if depth > MAX_DEPTH:
            raise BindError("is nested too deeply")


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


def _check_root(event: Any, roots: int) -> None:
    if roots > 1:
        raise BindError("contains more than one document")
    if not isinstance(event, yaml.MappingStartEvent):
        raise BindError("must be a mapping of keys to values")


def _entry_value(event: Any) -> Any:
    if event.anchor or getattr(event, "tag", None):
        raise BindError(f"has a value that begins with '&', '*' or '!' at line {_line(event)}; quote it")
    if isinstance(event, yaml.CollectionStartEvent):
        return {} if isinstance(event, yaml.MappingStartEvent) else []
    return None if event.implicit[0] and event.value in _NULLS else event.value
