"""`adapter-host validate`: load and compile capabilities without starting a server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from adapter_host.compiler.plan import Plan
from adapter_host.document.messages import count_noun
from adapter_host.errors import Problem
from adapter_host.host.loading import Document, load_documents, separate_documents
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.server.addresses import process_clashes
from adapter_host.settings import Settings

from .options.mcp_endpoint import add_mcp_endpoint_options, mcp_endpoint
from .options.plugins import add_plugin_options, build_plugins, setting_values
from .options.shared import (
    add_base_uri_option,
    add_format_option,
    add_openapi_options,
    add_port_options,
    check_namespaces,
    openapi_settings,
)
from .output.escapes import escape, to_json


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="FILE_OR_DIR",
        help="capability file, OpenAPI document, or directory of capabilities (repeatable)",
    )
    parser.add_argument("--fix", action="store_true", help="remove warnings that have a fix from the files")
    parser.add_argument(
        "--diff",
        action="store_true",
        help="show the fixes as a diff, and write nothing; the exit code is 1 if there are any",
    )
    parser.add_argument("--strict", action="store_true", help="also validate against the official JSON schema")
    parser.add_argument(
        "--separately", action="store_true",
        help="validate each file as the only one (default: all as one host would serve them)",
    )  # fmt: skip
    add_format_option(parser)
    add_base_uri_option(parser)
    add_openapi_options(parser)
    add_port_options(parser)
    add_mcp_endpoint_options(parser)
    add_plugin_options(parser)


@dataclass(slots=True)
class Report:
    """The results of validating documents."""

    documents: int = 0
    refused: int = 0
    operations: int = 0
    problems: dict[Problem, None] = field(default_factory=dict)
    plans: list[Plan] = field(default_factory=list)

    def validate(self, documents: Iterable[Document], plugins: Plugins, settings: Settings, *, strict: bool) -> None:
        """Load and compile documents as one host does, and record their problems."""
        loading = load_documents(tuple(documents), plugins, settings, strict=strict)
        loading.add_clashes(process_clashes(loading.all_plans, settings))
        self.documents += loading.documents
        self.refused += loading.documents - len(loading.servable)
        self._add_problems(loading.problems)
        for plan in loading.all_plans:
            self._add_problems(plan.loaded.diagnostics.problems)
        for plan in loading.servable:
            self.operations += sum(len(exposer_plan.exposer.operations) for exposer_plan in plan.exposers)
        self.plans += loading.all_plans

    def _add_problems(self, problems: Iterable[Problem]) -> None:
        self.problems.update(dict.fromkeys(problems))

    def sorted_problems(self) -> list[Problem]:
        """Return the problems in the order of their files and positions."""
        files = {file: index for index, file in enumerate(dict.fromkeys(problem.file for problem in self.problems))}
        return sorted(self.problems, key=lambda problem: (files[problem.file], problem.line, problem.column))

    def count(self, *, warning: bool) -> int:
        """Return the number of problems, or of warnings."""
        return sum(problem.warning is warning for problem in self.problems)


def run(options: argparse.Namespace) -> int:
    """Validate; return 1 if a document has problems."""
    plugins = build_plugins(options)
    settings = Settings(
        **openapi_settings(options),
        base_uris=dict(options.base_uri),
        ports=dict(options.port),
        mcp_endpoint=mcp_endpoint(options),
        address=options.address,
        plugins=setting_values(options),
    )
    report = _validate(options, plugins, settings)
    if options.fix or options.diff:
        # Imported late: most runs change nothing.
        from adapter_host.editing.check import check_text

        from .changes import find_changes, named_files, print_diff, write_fixes

        one = replace(settings, mcp_endpoint=None)
        check = partial(check_text, plugins=plugins, settings=one, strict=options.strict)
        changes = find_changes(report.sorted_problems(), named_files(options.paths), check)
        if options.diff:
            return 1 if print_diff(changes) or report.count(warning=False) else 0
        write_fixes(changes)
        report = _validate(options, plugins, settings)
    if not report.refused:
        check_namespaces(options, report.plans)
    _print_json(report) if options.format == "json" else _print_text(report)
    return 1 if report.count(warning=False) else 0


def _validate(options: argparse.Namespace, plugins: Plugins, settings: Settings) -> Report:
    report = Report()
    separate = ([document] for document in separate_documents(options.paths))
    for documents in separate if options.separately else [options.paths]:
        report.validate(documents, plugins, settings, strict=options.strict)
    return report


def _print_text(report: Report) -> None:
    for problem in report.sorted_problems():
        print(escape(str(problem)), file=sys.stderr)
    problems, warnings = report.count(warning=False), report.count(warning=True)
    print(
        f"{count_noun(report.documents, 'capability', 'capabilities')}: "
        f"{report.documents - report.refused} can run with "
        f"{count_noun(report.operations, 'operation')}; "
        f"{count_noun(problems, 'problem')}, {count_noun(warnings, 'warning')}"
    )


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
            for problem in report.sorted_problems()
        ],
    }
    print(to_json(listing, indent=True))
