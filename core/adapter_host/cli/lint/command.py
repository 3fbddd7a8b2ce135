"""`adapter-host lint`: check capabilities with rules."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from adapter_host.cli.options.plugins import add_plugin_options, build_plugins, setting_values
from adapter_host.cli.options.shared import add_openapi_options, openapi_settings
from adapter_host.cli.output.escapes import escape, to_json
from adapter_host.document.messages import count_noun
from adapter_host.errors import Problem
from adapter_host.host.loading import Document, load_documents, separate_documents
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.plugin.tool_tokens import MOST_TOOL_TOKENS
from adapter_host.settings import Settings

from .checks import Budget, check_plan
from .rules import LEVELS, RULES, Finding
from .sarif import to_sarif
from .suppressions import mark_suppressed

_TOOL_TOKENS = 2_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "paths", nargs="+", metavar="FILE_OR_DIR",
        help="capability file, OpenAPI document, or directory of capabilities (repeatable)",
    )  # fmt: skip
    parser.add_argument("--format", choices=("text", "sarif"), default="text", help="output format (default: text)")
    for name, what in (("enable", "enable a rule that is off by default"), ("disable", "disable a rule")):
        parser.add_argument(
            f"--{name}", action="append", default=[], choices=[*RULES], metavar="RULE", help=f"{what} (repeatable)"
        )
    parser.add_argument(
        "--fail-on", choices=LEVELS, default="warning", help="lowest level for the exit code 1 (default: warning)"
    )
    for name, default, what in (
        ("tool-tokens", _TOOL_TOKENS, "definition of one tool"),
        ("exposer-tokens", MOST_TOOL_TOKENS, "definitions that an exposer lists"),
    ):
        help_text = f"most tokens of the {what} (default: {default})"
        parser.add_argument(f"--{name}", type=_tokens, default=default, metavar="N", help=help_text)
    add_openapi_options(parser)
    add_plugin_options(parser)


def _tokens(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of tokens; use an integer from 1 on")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Check documents; return 1 if there is a finding of the level `--fail-on`, or a document that cannot run."""
    plugins = build_plugins(options)
    settings = Settings(**openapi_settings(options), plugins=setting_values(options))
    rules = {rule.id for rule in RULES.values() if rule.enabled} | set(options.enable)
    rules = (rules - set(options.disable)) | {"invalid-document"}
    budget = Budget(options.tool_tokens, options.exposer_tokens)
    documents = list(separate_documents(options.paths))
    found: dict[Finding, None] = {}
    for document in documents:
        # Each by itself: a port that two files share is no mistake of either.
        found.update(dict.fromkeys(_lint(document, plugins, settings, budget, rules)))
    findings = mark_suppressed(sorted(found, key=lambda finding: (finding.position, finding.rule.id)))
    if options.format == "sarif":
        print(to_json(to_sarif(findings), indent=True))
    else:
        _print_text(findings, len(documents))
    threshold = LEVELS.index(options.fail_on)
    return int(any(LEVELS.index(each.rule.level) >= threshold for each in findings if not each.is_suppressed))


def _lint(
    document: Document, plugins: Plugins, settings: Settings, budget: Budget, rules: Collection[str]
) -> Iterator[Finding]:
    loading = load_documents((document,), plugins, settings)
    for problem in loading.problems:
        if not problem.warning:
            yield _of_problem(problem)
    for plan in loading.servable:
        yield from (finding for finding in check_plan(plan, budget) if finding.rule.id in rules)


def _of_problem(problem: Problem) -> Finding:
    position = (problem.file, problem.line, problem.column)
    return Finding(RULES["invalid-document"], f"{problem.message} ({problem.code})", position)


def _print_text(findings: Iterable[Finding], documents: int) -> None:
    counts: Counter[str] = Counter()
    for finding in findings:
        if finding.is_suppressed:
            counts["suppressed"] += 1
            continue
        counts[finding.rule.level] += 1
        file, line, column = finding.position
        place = f"{file}:{line}:{column}" if line else file
        print(escape(f"{place}: {finding.rule.level}: {finding.message} [{finding.rule.id}]"))
    parts = [count_noun(counts[level], level) for level in reversed(LEVELS)]
    suppressed = f"; {counts['suppressed']} disabled by comments" if counts["suppressed"] else ""
    summary = f"{count_noun(documents, 'capability', 'capabilities')}: {', '.join(parts)}{suppressed}"
    print(summary, file=sys.stderr)
