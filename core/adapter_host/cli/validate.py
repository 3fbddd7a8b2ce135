"""`adapter-host validate`: load and compile capabilities without starting a server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from adapter_host.compiler.builder import compile_capability
from adapter_host.compiler.loader import find_documents, load_document
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.plugin.manager import Plugins
from adapter_host.settings import Settings

from .escapes import escape, to_json
from .options import add_format_option, base_uri_pair


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "paths", nargs="+", metavar="FILE_OR_DIR", help="capability file, or directory of capabilities (repeatable)"
    )
    parser.add_argument("--strict", action="store_true", help="also validate against the official JSON schema")
    add_format_option(parser)
    parser.add_argument(
        "--base-uri", action="append", default=[], type=base_uri_pair, metavar="NAMESPACE=URL",
        help="base URL of a consumed API, instead of the one in the document (repeatable)",
    )  # fmt: skip


@dataclass(slots=True)
class Report:
    """The results of validating documents."""

    documents: int = 0
    refused: int = 0
    operations: int = 0
    problems: dict[Problem, None] = field(default_factory=dict)

    def validate(self, document: Source | Path, plugins: Plugins, settings: Settings, *, strict: bool) -> None:
        """Load and compile a document and record its problems."""
        self.documents += 1
        try:
            source = document if isinstance(document, Source) else Source.read(document)
            loaded = load_document(source, plugins, settings, strict=strict)
            plan = compile_capability(loaded, plugins, settings)
        except ProblemsError as error:
            self.refused += 1
            self._add_problems(error.problems)
            return
        self.operations += sum(len(exposer_plan.exposer.operations) for exposer_plan in plan.exposers)
        self._add_problems(plan.loaded.diagnostics.problems)

    def _add_problems(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column))
        self.problems.update(dict.fromkeys(ordered))

    def count(self, *, warning: bool) -> int:
        """Return the number of problems, or of warnings."""
        return sum(problem.warning is warning for problem in self.problems)


def run(options: argparse.Namespace) -> int:
    """Validate; return 1 if a document has problems."""
    plugins = Plugins.installed()
    settings = Settings(base_uris=dict(options.base_uri))
    report = Report()
    for path in options.paths:
        documents = list(find_documents([path]))
        if not documents:
            report.problems[Problem("no capability in this folder", path, code="no-capability")] = None
        for document in documents:
            report.validate(document, plugins, settings, strict=options.strict)
    _print_json(report) if options.format == "json" else _print_text(report)
    return 1 if report.count(warning=False) else 0


def _print_text(report: Report) -> None:
    for problem in report.problems:
        print(escape(str(problem)), file=sys.stderr)
    problems, warnings = report.count(warning=False), report.count(warning=True)
    print(
        f"{_count_noun(report.documents, 'capability', 'capabilities')}: "
        f"{_count_noun(report.documents - report.refused, 'can', 'can')} run with "
        f"{_count_noun(report.operations, 'operation', 'operations')}; "
        f"{_count_noun(problems, 'problem', 'problems')}, {_count_noun(warnings, 'warning', 'warnings')}"
    )


def _count_noun(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _print_json(report: Report) -> None:
    listing = {
        "capabilities": report.documents,
        "refused": report.refused,
        "operations": report.operations,
        "problems": [
            {
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "code": problem.code,
                "severity": "warning" if problem.warning else "problem",
                "message": problem.message,
            }
            for problem in report.problems
        ],
    }
    print(to_json(listing, indent=True))
