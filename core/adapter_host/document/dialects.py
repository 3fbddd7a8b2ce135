"""Which version of the language a document is written in."""

from __future__ import annotations

from typing import Final

from adapter_host.errors import Problem

from .source import Source

KNOWN: Final = ("1.0.0-alpha1", "1.0.0-alpha2")
"""The versions of the language that share one shape."""


def read_version(source: Source) -> tuple[str, list[Problem]]:
    """The document's version of the language, and what is wrong with its header."""
    data = source.data
    if "naftiko" in data:
        version = str(data["naftiko"])
        if version in KNOWN:
            return version, []
        message = f"unknown version {version!r} of the language; read as {KNOWN[-1]} (known: {', '.join(KNOWN)})"
        return version, [source.problem(("naftiko",), message, code="unknown-version", warning=True)]
    if "ikanos" in data:
        message = f"'ikanos: {data['ikanos']}' is a later language (supported: naftiko {', '.join(KNOWN)})"
        return str(data["ikanos"]), [source.problem(("ikanos",), message, code="unsupported-version", key=True)]
    if "capability" in data:
        message = f"no 'naftiko' key says the language's version; read as {KNOWN[-1]}"
        return KNOWN[-1], [source.problem((), message, code="missing-version", warning=True)]
    message = f"not a capability: there is no 'naftiko' key (expected 'naftiko: {KNOWN[-1]}' and 'capability')"
    return "", [source.problem((), message, code="not-a-capability")]
