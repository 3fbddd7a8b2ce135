"""The JSONPath dialect of mappings, compiled once.

`$` and `$.` are the document itself; a leading `$` is optional; a missing value is None, never an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from adapter_host.errors import UpstreamInvalidError

if TYPE_CHECKING:
    from jsonpath import JSONPathEnvironment

PathGetter = Callable[[Any], Any]

_ROOT: Final = frozenset({"", "$", "$."})
_NAME: Final = r"[^.\[\]()*?@,:'\"\s][^.\[\]()*?@,:'\"]*"
_SIMPLE: Final = re.compile(rf"\$?\.?({_NAME}|\[-?\d+\]|\['[^']*'\])(\.{_NAME}|\[-?\d+\]|\['[^']*'\])*")
_STEP: Final = re.compile(rf"\[(-?\d+)\]|\['([^']*)'\]|({_NAME})")
_LEADING_STEP: Final = re.compile(rf"\[(-?\d+)\]|\[(?:'([^']*)'|\"([^\"]*)\")\]|\.({_NAME})(?=[.\[]|$)")
_LENGTH_CALL: Final = re.compile(r"\.length\(\)\s*$")


def whole_document(document: Any) -> Any:
    """Return the document itself."""
    return document


def is_identity(path: str) -> bool:
    """Return True for a path to the whole document."""
    return path.strip() in _ROOT


def split_path(path: str) -> tuple[tuple[str | int, ...], str]:
    """Return the names and indexes that a path begins with, and the rest: its first step of another kind."""
    text, position = path.strip().removeprefix("$"), 0
    steps: list[str | int] = []
    while match := _LEADING_STEP.match(text, position):
        steps.append(int(match[1]) if match[1] else next(name for name in match.groups()[1:] if name is not None))
        position = match.end()
    return tuple(steps), "" if is_identity(path) else text[position:]


def compile_path(path: str) -> PathGetter:
    """Return a function of plain data that returns the value at a JSONPath; raise `ValueError` for an invalid path.

    A missing value is None. A path with wildcards, slices or filters returns a list of values, even an empty one.
    """
    return _compile(path.strip())


@lru_cache(maxsize=4096)
def _compile(text: str) -> PathGetter:
    if text in _ROOT:
        return whole_document
    if _LENGTH_CALL.search(text):
        return _length_getter(compile_path(_LENGTH_CALL.sub("", text)))
    if _SIMPLE.fullmatch(text):
        return _simple_getter(_parse_steps(text))
    return _full_getter(text)


def _parse_steps(text: str) -> tuple[str | int, ...]:
    matches = _STEP.finditer(text.removeprefix("$"))
    return tuple(int(step[1]) if step[1] else step[2] if step[2] is not None else step[3] for step in matches)


def member_name(path: str) -> str | None:
    """Return the name of the member of the document that a path leads to; None for other paths."""
    text = path.strip()
    if text in _ROOT or _LENGTH_CALL.search(text) or not _SIMPLE.fullmatch(text):
        return None
    first, *others = _parse_steps(text)
    return first if isinstance(first, str) and not others else None


def member_getter(name: str) -> PathGetter:
    """Return a function that gets an object's member, or None."""
    return lambda document: document.get(name) if isinstance(document, dict) else None


def _simple_getter(steps: tuple[str | int, ...]) -> PathGetter:
    if len(steps) == 1 and isinstance(steps[0], str):
        return member_getter(steps[0])
    if len(steps) == 2 and isinstance(steps[0], str) and isinstance(steps[1], str):
        return _nested_member_getter(steps[0], steps[1])

    def getter(document: Any) -> Any:
        for step in steps:
            if isinstance(step, str):
                if not isinstance(document, dict):
                    return None
                document = document.get(step)
            elif isinstance(document, list) and -len(document) <= step < len(document):
                document = document[step]
            else:
                return None
        return document

    return getter


def _nested_member_getter(outer: str, inner: str) -> PathGetter:
    return lambda document: (
        value.get(inner) if isinstance(document, dict) and isinstance(value := document.get(outer), dict) else None
    )


def _length_getter(getter: PathGetter) -> PathGetter:
    def length(document: Any) -> int | None:
        matches = getter(document)
        return len(matches) if isinstance(matches, list | dict | str) else None

    return length


def _full_getter(text: str) -> PathGetter:
    # Imported here, as it takes longer than reading a document, and most paths do not need it.
    from jsonpath import JSONPath, JSONPathError

    query = text if text.startswith("$") else f"${text}" if text.startswith((".", "[")) else f"$.{text}"
    try:
        compiled = _environment().compile(query)
    except JSONPathError as error:
        raise ValueError(f"'{text}' is not a JSONPath ({error.args[0]})") from error
    single = isinstance(compiled, JSONPath) and compiled.singular_query()

    def getter(document: Any) -> Any:
        if not isinstance(document, dict | list):
            return None
        # An indefinite path (wildcards, slices, filters) returns an array, even an empty one.
        matches = compiled.findall(document)
        return matches if not single else matches[0] if matches else None

    return getter


def compile_locations(path: str) -> Callable[[Any], list[tuple[str | int, ...]]]:
    """Compile a query (RFC 9535) to a function that returns the places in a document that it selects.

    Raise `ValueError` for an invalid query, as the function does for a document that it cannot be applied to.
    """
    from jsonpath import JSONPathError

    try:
        compiled = _environment(strict=True).compile(path)
    except JSONPathError as error:
        raise ValueError(f"'{path}' is not a JSONPath ({error.args[0]})") from error

    def locate(document: Any) -> list[tuple[str | int, ...]]:
        try:
            return [match.parts for match in compiled.finditer(document)]
        except (JSONPathError, UpstreamInvalidError) as error:
            raise ValueError(f"'{path}' cannot be applied: {error.args[0]}") from error

    return locate


@cache
def _environment(*, strict: bool = False) -> JSONPathEnvironment:
    from .jsonpath_filters import FilterEnvironment

    return FilterEnvironment(strict=strict)
