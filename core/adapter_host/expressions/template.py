"""Templates: text with `{{name}}` tags, compiled at load and rendered per call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from adapter_host.json_nesting import encode_json

# A third brace belongs to the tag only if both sides have it: `{"id": {{id}}}` is JSON around a tag.
# A name has no white space at its ends, so that matching is linear.
TAG: Final = re.compile(r"\{\{(?:(\{)|\s*&)?\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*(?(1)\}\}\}|\}\})")


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent.ABSENT
"""The value of an argument that is absent from the request; not sent to the upstream."""


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A constant from a bind; `value` is None if it is not set."""

    name: str
    value: str | None

    def __repr__(self) -> str:
        return f"Secret({self.name})"


@dataclass(frozen=True, slots=True)
class Reference:
    """A request input, by name."""

    name: str


Part = str | Secret | Reference
Encode = Callable[[str], str]


class Template:
    """A compiled template. Constants and secrets are filled in; each call fills in the references."""

    __slots__ = ("_pieces", "constant", "inputs", "parts", "single")

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts
        self._pieces = tuple(part if isinstance(part, Reference) else _constant_text(part) for part in parts)
        self.inputs = tuple(dict.fromkeys(part.name for part in parts if isinstance(part, Reference)))
        self.single: str | None = self.inputs[0] if len(parts) == 1 and self.inputs else None
        self.constant: str | None = None if self.inputs else "".join(str(piece) for piece in self._pieces)

    def text(self, arguments: Mapping[str, Any], encode: Encode = str) -> str:
        """Return the text, each reference filled in as `encode(text of the argument)`; absent ones are empty."""
        if self.constant is not None:
            return self.constant
        return "".join(
            encode(text_of(arguments.get(piece.name))) if isinstance(piece, Reference) else piece
            for piece in self._pieces
        )

    def value(self, arguments: Mapping[str, Any]) -> Any:
        """Return the text, or the argument itself (or `ABSENT`) if the template is a single tag."""
        if self.single is not None:
            return arguments.get(self.single, ABSENT)
        return self.text(arguments)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of the secrets in it."""
        return tuple(part.name for part in self.parts if isinstance(part, Secret))

    @property
    def has_unset_secret(self) -> bool:
        """Whether a secret in it has no value."""
        return any(isinstance(part, Secret) and part.value is None for part in self.parts)

    def masked(self) -> str:
        """Return the template's text with secrets and references by name."""
        return "".join(part if isinstance(part, str) else "{{" + part.name + "}}" for part in self.parts)

    def preview(self, arguments: Mapping[str, Any], encode: Encode = str) -> str:
        """Return the text with secrets by name."""
        return "".join(
            encode(text_of(arguments.get(part.name)))
            if isinstance(part, Reference)
            else part
            if isinstance(part, str)
            else "{{" + part.name + "}}"
            for part in self.parts
        )

    def __repr__(self) -> str:
        return f"Template({self.masked()!r})"


def compile_template(text: str, resolve: Callable[[str], Part]) -> Template:
    """Compile `text`; `resolve` returns the part for the name in a tag."""
    parts: list[Part] = []
    end = 0
    for tag in TAG.finditer(text):
        if tag.start() > end:
            parts.append(text[end : tag.start()])
        parts.append(resolve(tag[2]))
        end = tag.end()
    if end < len(text) or not parts:
        parts.append(text[end:])
    return Template(tuple(parts))


def text_of(value: Any) -> str:
    """Return a value as text: empty for absent and null, JSON for everything else that is not text.

    Raise `TypeError` for values without a JSON form, `UpstreamInvalidError` for data nested too deeply.
    """
    if isinstance(value, str):
        return value
    if value is None or value is ABSENT:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return encode_json(value).decode()


def _constant_text(part: str | Secret) -> str:
    return part if isinstance(part, str) else part.value or ""
