"""The links of a response (RFC 8288)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

_LONGEST: Final = 16 * 1024
"""Characters of all Link headers; the rest is not read."""

_TARGET: Final = re.compile(r"[\s,]*<([^<>]*)>")
_PARAMETER: Final = re.compile(r"\s*;\s*([!#$&+\-.^_`|~\w]+)\s*(?:=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s\";,]*)))?")


def next_link(headers: Mapping[str, str]) -> str | None:
    """Return the URL of the first link with the relation `next` from the Link headers, or None."""
    value = ", ".join(text for name, text in headers.items() if name.lower() == "link")
    return next((url for url, relations in _links(value[:_LONGEST]) if "next" in relations), None)


def _links(value: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the URL and relations of each link about the response itself: not of one with an `anchor`."""
    position = 0
    while (target := _TARGET.match(value, position)) is not None:
        position = target.end()
        parameters: dict[str, str] = {}
        while (parameter := _PARAMETER.match(value, position)) is not None:
            position = parameter.end()
            text = re.sub(r"\\(.)", r"\1", parameter[2]) if parameter[2] is not None else parameter[3] or ""
            # Of several parameters `rel` the first counts (section 3.3).
            parameters.setdefault(parameter[1].lower(), text)
        if "anchor" not in parameters:
            yield target[1].strip(), parameters.get("rel", "").lower().split()
