"""The argument parser of the command, with errors of one line."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NoReturn

from adapter_host.document.messages import did_you_mean, join_words
from adapter_host.errors import AdapterHostError

_REQUIRED: Final = re.compile(r"the following arguments are required: (.+)")
_CHOICE: Final = re.compile(r"(?:argument (.+?): )?invalid choice: '(.*)' \((?:choose from|maybe you meant:?) (.+)\)")
_ARGUMENT: Final = re.compile(r"argument (.+?): (.*)", re.DOTALL)


class UsageError(AdapterHostError):
    """The arguments of the command are invalid; `parser` is that of the command, if it found the error."""

    parser: Parser | None = None


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of printing all options."""

    def format_help(self) -> str:
        """Return the help; the epilog keeps its lines."""
        epilog, self.epilog = self.epilog, None
        try:
            text = super().format_help()
        finally:
            self.epilog = epilog
        return f"{text}\n{epilog}\n" if epilog else text

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse ignores a full disk and a closed pipe, for text that exceeds the buffer.
        if message:
            (file or sys.stderr).write(message)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        error = UsageError(_reworded(message))
        error.parser = self
        raise error

    def reject(self, arguments: Sequence[str]) -> NoReturn:
        """Raise `UsageError` for the first argument that the parser does not know."""
        options = [argument.partition("=")[0] for argument in arguments if argument.startswith("-")]
        if options:
            self.error(f"unknown option '{options[0]}'{did_you_mean(options[0], self._known_options())}")
        self.error(f"unexpected argument '{arguments[0]}'")

    def hint(self) -> str:
        """Return where the options are listed."""
        return f"Run '{self.prog} --help' to see the options."

    def _known_options(self) -> Iterator[str]:
        for action in self._actions:
            yield from action.option_strings
            for choice in (action.choices or {}).values() if isinstance(action.choices, dict) else ():
                yield from choice._known_options()


def _reworded(message: str) -> str:
    """Return an error of argparse as a sentence of the command."""
    for pattern, reword in _REWORDED:
        if match := pattern.fullmatch(message):
            return reword(match)
    return message


def _missing(match: re.Match[str]) -> str:
    names = match[1].split(", ")
    return f"{join_words(names, 'and')} {'is' if len(names) == 1 else 'are'} missing"


def _unknown_choice(match: re.Match[str]) -> str:
    name, value = match[1], match[2]
    choices = re.sub("['\"]", "", match[3]).split(", ")
    hint = did_you_mean(value, choices) or f" (known: {', '.join(choices)})"
    subject = f"{name}: unknown value" if name and name.startswith("-") else f"unknown {(name or 'value').lower()}"
    return f"{subject} '{value}'{hint}"


_REWORDED: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (_REQUIRED, _missing),
    (_CHOICE, _unknown_choice),
    (_ARGUMENT, lambda match: f"{match[1]}: {match[2]}"),
)
