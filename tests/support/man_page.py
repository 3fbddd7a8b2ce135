"""The manual page of the command, in the macros of man(7), made from its parser and its page of the reference."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from adapter_host import cli
from adapter_host.cli.examples import EXAMPLES, documentation_url
from tests.support.paths import ROOT

_REFERENCE = ROOT / "docs/reference/cli.md"
_WIDTH = 78


def man_page(date: str) -> str:
    """Return the text of adapter-host(1)."""
    root = cli._root_parser()
    lines = [
        '.\\" Generated from the parser of the command.',
        f'.TH ADAPTER-HOST 1 {date} "adapter-host" "User Commands"',
        ".SH NAME",
        f"{_escaped(root.prog)} \\- serve HTTP APIs over other protocols, from YAML files",
        ".SH SYNOPSIS",
        *_synopsis(root.prog, "COMMAND [OPTION ...] [ARGUMENT ...]"),
        ".br",
        *_synopsis(root.prog, "--version [--json]"),
        ".SH DESCRIPTION",
        *_wrapped(root.description or ""),
        ".PP",
        *_wrapped("Plugins add commands: --help lists those that are installed."),
        ".SH OPTIONS",
        *_options(root._actions),
        ".SH COMMANDS",
        *(line for name, parser in parsers() for line in _command(name, parser)),
        ".SH EXIT STATUS",
        *_table("exit code"),
        ".SH ENVIRONMENT",
        *_table("variable"),
        ".SH FILES",
        *_table("file"),
        ".SH EXAMPLES",
        *_examples(EXAMPLES[""]),
        ".SH SEE ALSO",
        *_wrapped(f"{documentation_url()}"),
    ]
    return "\n".join(lines) + "\n"


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield all commands and their subcommands with their parsers."""
    for name in cli.COMMANDS:
        _, commands = cli._build_parser([name], cli._commands([name]))
        parser = commands[name]
        yield name, parser
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from ((f"{name} {subcommand}", subparser) for subcommand, subparser in action.choices.items())


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the section of a command: its arguments and options in the groups of its help, and its examples."""
    positionals = " ".join(_invocation(action) for action in parser._actions if not action.option_strings)
    yield f".SS {_escaped(name)}"
    yield from _synopsis(f"adapter-host {name}", f"[OPTION ...] {positionals}")
    yield ".PP"
    yield from _wrapped(parser.description or "")
    for group in parser._action_groups:
        if group.title not in ("positional arguments", "options") and group._group_actions:
            yield ".PP"
            yield from _wrapped(f"Options for {group.title}:")
        yield from _options(group._group_actions)
    if name in EXAMPLES:
        yield ".PP"
        yield "Examples:"
        yield from _examples(EXAMPLES[name])


def _options(actions: Sequence[argparse.Action]) -> Iterator[str]:
    for action in actions:
        if action.help == argparse.SUPPRESS:
            continue
        yield ".TP"
        yield f".B {_escaped(_invocation(action))}"
        values: Mapping[str, object] = vars(action)
        yield from _wrapped((action.help or "") % values)


def _invocation(action: argparse.Action) -> str:
    """Return the names of an option with its value, or a positional argument."""
    metavar = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else action.dest.upper())
    assert isinstance(metavar, str)
    forms = {
        0: "",
        "?": f"[{metavar}]",
        "*": f"[{metavar} ...]",
        "+": f"{metavar} ...",
        argparse.PARSER: f"[{metavar}]",
    }
    value = metavar if action.nargs is None else forms[action.nargs]
    return " ".join(filter(None, (", ".join(action.option_strings), value)))


def _examples(examples: Sequence[str]) -> Iterator[str]:
    for example in examples:
        yield ".IP"
        yield f".B {_escaped(f'adapter-host {example}')}"


def _table(head: str) -> Iterator[str]:
    """Yield the rows of the table of the reference with this head."""
    text = _REFERENCE.read_text()
    (body,) = re.findall(rf"^\| {head} \| .*\|\n\|-.*\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    for row in body.splitlines():
        name, meaning = (_plain(cell) for cell in re.split(r"(?<!\\)\|", row)[1:3])
        yield ".TP"
        yield f".B {_escaped(name)}"
        yield from _wrapped(meaning)


def _plain(cell: str) -> str:
    """Return the text of Markdown, without links and code marks."""
    return re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", cell).replace("`", "").replace("\\|", "|").strip()


def _synopsis(program: str, arguments: str) -> list[str]:
    return [f".B {_escaped(program)}", *_wrapped(arguments)]


def _wrapped(text: str) -> list[str]:
    """Return a paragraph as lines of input, none of which is a request."""
    lines = textwrap.wrap(_escaped(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line.startswith((".", "'")) else line for line in lines]


def _escaped(text: str) -> str:
    """Return text for roff: hyphens that can be copied, and no character of its own meaning."""
    escapes = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", '"': "\\(dq"}
    return "".join(
        escapes.get(character, character if character.isascii() else f"\\[u{ord(character):04X}]") for character in text
    )
