"""Holding a document to the official language, to the letter."""

from adapter_host.document.source import Source
from adapter_host.errors import Problem

from .grammar import Findings
from .language import DOCUMENT, VERSION

__all__ = ["VERSION", "check_strict"]


def check_strict(source: Source) -> list[Problem]:
    """Everything that the official schema of VERSION refuses, in the order of the places."""
    findings = Findings(source)
    DOCUMENT(source.data, (), findings)
    return sorted(findings.problems, key=lambda problem: (problem.file, problem.line, problem.column))
