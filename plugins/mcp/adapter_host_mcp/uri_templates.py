"""URI templates of resources, such as `docs://{city}/{day}`, matched without backtracking."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_EXPRESSION: Final = re.compile(r"\{\{([^{}]*)\}\}|\{([^{}]*)\}")
_VARIABLE: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_MAX_LENGTH: Final = 8192


@dataclass(frozen=True, slots=True)
class UriTemplate:
    """A URI whose `{variables}` match within one segment; `text` is the form that clients see."""

    text: str
    variables: tuple[str, ...]
    pattern: re.Pattern[str]

    def match(self, uri: str) -> dict[str, str] | None:
        """Return the percent-decoded values of the variables, or None when `uri` does not match."""
        if not self.variables:
            return {} if uri == self.text else None
        match = self.pattern.fullmatch(uri) if len(uri) <= _MAX_LENGTH else None
        if match is None:
            return None
        try:
            values = [unquote(value, errors="strict") for value in match.groups()]
        except UnicodeDecodeError:
            return None
        return dict(zip(self.variables, values, strict=True))


def parse_uri(text: str) -> UriTemplate:
    """Parse a URI template, with variables as `{name}` or `{{name}}`; raise `ValueError` for an invalid one."""
    if not _SCHEME.match(text):
        raise ValueError(f"'uri' must start with a scheme such as 'docs://' (given {text!r})")
    literals, variables = _split(text)
    normalized = literals[0] + "".join(
        f"{{{name}}}{after}" for name, after in zip(variables, literals[1:], strict=True)
    )
    return UriTemplate(normalized, tuple(variables), re.compile("".join(_patterns(literals))))


def _split(text: str) -> tuple[list[str], list[str]]:
    literals: list[str] = []
    variables: list[str] = []
    end = 0
    for match in _EXPRESSION.finditer(text):
        name = (match[1] or match[2] or "").strip()
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"'uri' must have variables of the form {{name}} (given '{match[0]}')")
        if name in variables:
            raise ValueError(f"'uri' has the variable '{name}' twice")
        if variables and match.start() == end:
            raise ValueError(f"'uri' must have a separator between the variables '{variables[-1]}' and '{name}'")
        literals.append(text[end : match.start()])
        variables.append(name)
        end = match.end()
    literals.append(text[end:])
    if any(brace in literal for literal in literals for brace in "{}"):
        raise ValueError(f"'uri' has an unmatched brace (given {text!r})")
    return literals, variables


def _patterns(literals: list[str]) -> Iterator[str]:
    yield re.escape(literals[0])
    for literal in literals[1:]:
        # A value cannot contain the first character of the literal after it, so matching never backtracks.
        yield rf"([^/?#{re.escape(literal[:1])}]+){re.escape(literal)}"


def path_in_folder(folder: str, uri: str) -> str | None:
    """Return the decoded path of `uri` relative to the URI of a folder, or None when it is not below it."""
    prefix = folder_prefix(folder)
    if not uri.startswith(prefix) or len(uri) > _MAX_LENGTH:
        return None
    try:
        segments = [unquote(segment, errors="strict") for segment in uri[len(prefix) :].split("/")]
    except UnicodeDecodeError:
        return None
    if any(not segment or "/" in segment for segment in segments):
        return None
    return "/".join(segments)


def file_uri(folder: str, path: str) -> str:
    """Return the URI of a file in a folder."""
    return folder_prefix(folder) + quote(path)


def folder_prefix(folder: str) -> str:
    """Return the prefix of the URIs of the files in a folder."""
    return folder if folder.endswith("/") else f"{folder}/"
