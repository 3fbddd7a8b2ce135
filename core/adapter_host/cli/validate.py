"""`adapter-host validate`: load, validate and build, without starting."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from adapter_host.compiler.builder import compile_capability
from adapter_host.compiler.loader import find_documents, load_document
from adapter_host.document.source import Source
from adapter_host.errors import Problem, ProblemsError
from adapter_host.plugin.manager import Plugins
from adapter_host.settings import Settings

from .options import base_uri_pair


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("paths", nargs="+", metavar="FILE_OR_DIR", help="a directory means every capability in it")
    parser.add_argument("--strict", action="store_true", help="hold the documents to the official schema")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument(
        "--base-uri", action="append", default=[], type=base_uri_pair, metavar="NAMESPACE=URL",
        help="where a consumed API will be called instead",
    )  # fmt: skip


@dataclass(slots=True)
class Report:
    """What was found, document by document."""

    documents: int = 0
    refused: int = 0
    operations: int = 0
    problems: dict[Problem, None] = field(default_factory=dict)

    def validate(self, found: Source | Path, plugins: Plugins, settings: Settings, *, strict: bool) -> None:
        """Load and build one document and keep what is wrong with it."""
        self.documents += 1
        try:
            source = found if isinstance(found, Source) else Source.read(found)
            loaded = load_document(source, plugins, settings, strict=strict)
            plan = compile_capability(loaded, plugins, settings)
        except ProblemsError as error:
            self.refused += 1
            self._note(error.problems)
            return
        self.operations += sum(len(each.exposer.operations) for each in plan.exposers)
        self._note(plan.loaded.diagnostics.problems)

    def _note(self, problems: Iterable[Problem]) -> None:
        ordered = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column))
        self.problems.update(dict.fromkeys(ordered))

    def count(self, *, warning: bool) -> int:
        """How many problems, or warnings."""
        return sum(problem.warning is warning for problem in self.problems)


def run(options: argparse.Namespace) -> int:
    """Validate; 1 when a document has problems."""
    plugins = Plugins.installed()
    settings = Settings(base_uris=dict(options.base_uri))
    report = Report()
    for given in options.paths:
        found = list(find_documents([given]))
        if not found:
            report.problems[Problem("there is no capability in this folder", given, code="no-capability")] = None
        for each in found:
            report.validate(each, plugins, settings, strict=options.strict)
    _show_json(report) if options.format == "json" else _show(report)
    return 1 if report.count(warning=False) else 0


def _show(report: Report) -> None:
    for problem in report.problems:
        print(problem, file=sys.stderr)
    problems, warnings = report.count(warning=False), report.count(warning=True)
    print(
        f"{_counted(report.documents, 'capability', 'capabilities')}: "
        f"{_counted(report.documents - report.refused, 'can', 'can')} run with "
        f"{_counted(report.operations, 'operation', 'operations')}; "
        f"{_counted(problems, 'problem', 'problems')}, {_counted(warnings, 'warning', 'warnings')}"
    )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _show_json(report: Report) -> None:
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
    print(orjson.dumps(listing, option=orjson.OPT_INDENT_2).decode())
