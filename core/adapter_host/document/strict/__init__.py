"""Validation against the official schema of the language."""

from typing import Any

from adapter_host.document.source import Source
from adapter_host.errors import Problem

from .grammar import Findings
from .languages import ALPHA2, BETA5, Language, language_of

__all__ = ["ALPHA2", "BETA5", "Language", "check_strict", "language_of"]


def check_strict(source: Source) -> list[Problem]:
    """Return the errors of a document by its version's official schema, in the order of their positions.

    A version without an official schema is validated against the nearest one; a warning reports it first.
    """
    language, header = language_of(source.data)
    findings = Findings(source)
    data = source.data
    if header and data[header] in language.nearby:
        findings.problems.append(_no_schema(source, header, language))
        data = _with_known_version(data, header, language)
    language.document(data, (), findings)
    return sorted(findings.problems, key=lambda problem: (problem.file, problem.line, problem.column))


def _no_schema(source: Source, header: str, language: Language) -> Problem:
    message = (
        f"--strict: no official schema for {source.data[header]} is available; validated against {language.version}"
    )
    return source.problem((header,), message, code="no-official-schema", warning=True)


def _with_known_version(data: dict[str, Any], header: str, language: Language) -> dict[str, Any]:
    rest = {key: value for key, value in data.items() if key != header}
    return {language.header: language.version, **rest}
