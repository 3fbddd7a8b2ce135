"""Holding a document to the official language, to the letter."""

from typing import Any

from adapter_host.document.source import Source
from adapter_host.errors import Problem

from .grammar import Findings
from .languages import ALPHA2, BETA5, Language, language_of

__all__ = ["ALPHA2", "BETA5", "Language", "check_strict", "language_of"]


def check_strict(source: Source) -> list[Problem]:
    """Everything that the official schema of the document's version refuses, in the order of the places.

    Where no official schema of the version is known, the document is held to that of the nearest version, and the
    first of the problems is a warning which says so.
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
    message = f"--strict: no official schema for {source.data[header]} is known here; held to {language.version}"
    return source.problem((header,), message, code="no-official-schema", warning=True)


def _with_known_version(data: dict[str, Any], header: str, language: Language) -> dict[str, Any]:
    rest = {key: value for key, value in data.items() if key != header}
    return {language.header: language.version, **rest}
