"""The text of a statement and its parameters, which are always bound and never part of the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<skipped>
        [eE]'(?:[^'\\]|\\.|'')*'              # text with escapes of PostgreSQL
      | '(?:[^']|'')*'                        # text
      | "(?:[^"]|"")*" | `[^`]*`              # names
      | --[^\n]*                              # comment to the end of the line
      | /\*.*?\*/                             # comment
      | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$  # text between dollar signs of PostgreSQL
      | ::                                    # a cast of PostgreSQL
    )
    | (?<![A-Za-z0-9_:]):(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled statement; `parameters` are the names of its parameters, in the order of their first use."""

    name: str
    text: str
    parameters: tuple[str, ...]
    writes: bool = False

    @classmethod
    def parse(cls, name: str, text: str, *, writes: bool = False) -> Statement:
        """Find the parameters of a text: `:name` outside of texts, names, comments and casts."""
        names = (match["name"] for match in _TOKEN.finditer(text) if match["name"])
        return cls(name, text.strip().rstrip(";"), tuple(dict.fromkeys(names)), writes)

    def with_placeholders(self, placeholder: str) -> str:
        """Return the text with `placeholder` for each parameter, in which `{}` is its number from 1."""
        numbers = {name: number for number, name in enumerate(self.parameters, start=1)}

        def replace(match: re.Match[str]) -> str:
            return placeholder.format(numbers[match["name"]]) if match["name"] else match[0]

        return _TOKEN.sub(replace, self.text)
