"""What rules a language is described with; a rule notes everything that breaks it."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from adapter_host.document.messages import did_you_mean, kind_of, listed, shown
from adapter_host.document.nodes import Loc
from adapter_host.document.source import Source
from adapter_host.errors import Problem


class Findings:
    """The problems found so far in one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def add(self, at: Loc, message: str, code: str, *, key: bool = False) -> None:
        """Note a problem at a place."""
        self.problems.append(self.source.problem(at, message, code=code, key=key))

    def misfit(self, at: Loc, wanted: str, value: object, *, secret: bool = False, advice: str = "") -> None:
        """Note a value of the right kind that does not fit."""
        given = "" if secret else f" (given {shown(value)}{advice})"
        self.add(at, f"{_name(at)} must be {wanted}{given}", "invalid-value")

    def wrong_kind(self, at: Loc, wanted: str, value: object, *, secret: bool = False) -> None:
        """Note a value of the wrong kind."""
        shows = isinstance(value, (str, int, float)) and not secret
        given = f" (given {shown(value)})" if shows else ""
        self.add(at, f"{_name(at)} must be {wanted}, not {kind_of(value)}{given}", "wrong-type")

    def missing(self, at: Loc, key: str, advice: str = "") -> None:
        """Note a key that is not there."""
        self.add(at, f"{key!r} is missing{advice}", "missing-key")

    def unknown(self, at: Loc, key: str, known: Iterable[str]) -> None:
        """Note a key that is not known."""
        advice = did_you_mean(key, known) or f" (known here: {listed(known, 'and')})"
        self.add((*at, key), f"unknown key {shown(key)}{advice}", "unknown-key", key=True)

    def conflict(self, at: Loc, first: str, second: str) -> None:
        """Note two keys that cannot both be there."""
        message = f"{first!r} and {second!r} exclude each other; leave one out"
        self.add((*at, second), message, "conflicting-keys", key=True)


Rule = Callable[[Any, Loc, Findings], None]
Condition = Callable[[dict[str, Any], Loc, Findings], None]
Rules = Mapping[str, Rule]


def _name(at: Loc) -> str:
    keys = [index for index, part in enumerate(at) if isinstance(part, str)]
    if not keys:
        return "the document"
    return repr(f"{at[keys[-1]]}{''.join(f'[{part}]' for part in at[keys[-1] + 1 :])}")


def quoted(words: Iterable[str], last: str = "or") -> str:
    """Return the words in quotes: ``'a', 'b' or 'c'``."""
    return listed(map(repr, words), last)


def anything(value: Any, at: Loc, findings: Findings) -> None:
    """Fits whatever there is."""


def text(pattern: str = "", says: str = "", *, most: int | None = None, secret: bool = False) -> Rule:
    """Text that matches a pattern, which `says` puts in words."""
    fits = re.compile(pattern or r"[\s\S]*").fullmatch

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if not isinstance(value, str):
            findings.wrong_kind(at, "text", value, secret=secret)
        elif not fits(value):
            findings.misfit(at, says, value, secret=secret)
        elif most is not None and len(value) > most:
            findings.add(at, f"{_name(at)} is longer than {most} characters ({len(value)})", "invalid-value")

    return check


def word(*words: str) -> Rule:
    """One of a few words."""

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if not isinstance(value, str):
            findings.wrong_kind(at, quoted(words), value)
        elif value not in words:
            advice = did_you_mean(value, words) if len(words) > 1 else ""
            findings.misfit(at, quoted(words), value, advice=advice)

    return check


def flag(value: Any, at: Loc, findings: Findings) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        findings.wrong_kind(at, "true or false", value)


def whole(least: int | None = None, most: int | None = None) -> Rule:
    """Return a whole number, in a range that may be open."""
    wanted = f"a whole number{_range(least, most)}"
    lowest, highest = -math.inf if least is None else least, math.inf if most is None else most

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            findings.wrong_kind(at, wanted, value)
        elif value != value // 1 or not lowest <= value <= highest:
            findings.misfit(at, wanted, value)

    return check


def _range(least: int | None, most: int | None) -> str:
    if most is not None:
        return f" from {least} to {most}"
    return "" if least is None else f" of {least} or more"


def number(least: float, most: float) -> Rule:
    """Return a number in a range."""
    wanted = f"a number from {least} to {most}"

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            findings.wrong_kind(at, wanted, value)
        elif not least <= value <= most:
            findings.misfit(at, wanted, value)

    return check


def list_of(item: Rule, *, least: int = 0) -> Rule:
    """Return a list whose items follow one rule."""

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if not isinstance(value, list):
            findings.wrong_kind(at, "a list", value, secret=True)
            return
        if len(value) < least:
            findings.add(at, f"{_name(at)} must not be empty", "empty-list")
        for index, element in enumerate(value):
            item(element, (*at, index), findings)

    return check


def map_of(item: Rule, *, pattern: str = "", says: str = "", least: int = 0, wanted: str = "a mapping") -> Rule:
    """Return a mapping with free keys that match a pattern, and values that follow one rule."""
    fits = re.compile(pattern or r"[\s\S]*").fullmatch

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.wrong_kind(at, wanted, value, secret=True)
            return
        if len(value) < least:
            findings.add(at, f"{_name(at)} must not be empty", "empty-mapping")
        for key, element in value.items():
            if not fits(key):
                findings.add((*at, key), f"key {shown(key)} must be {says}", "invalid-key", key=True)
            item(element, (*at, key), findings)

    return check


def obj(required: Rules, optional: Rules | None = None, *conditions: Condition) -> Rule:
    """Return a mapping with known keys, and conditions on which of them go together."""
    known = {**required, **(optional or {})}

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.wrong_kind(at, "a mapping", value, secret=True)
            return
        for key in required:
            if key not in value:
                findings.missing(at, key)
        for key, element in value.items():
            if key in known:
                known[key](element, (*at, key), findings)
            else:
                findings.unknown(at, key, known)
        for condition in conditions:
            condition(value, at, findings)

    return check


def typed(variants: Rules) -> Rule:
    """Return a mapping whose `type` says which rule it follows."""
    type_rule = word(*variants)

    def check(value: Any, at: Loc, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.wrong_kind(at, "a mapping", value, secret=True)
        elif "type" not in value:
            findings.missing(at, "type", f" ({quoted(variants)})")
        elif isinstance(value["type"], str) and value["type"] in variants:
            variants[value["type"]](value, at, findings)
        else:
            type_rule(value["type"], (*at, "type"), findings)

    return check


def by_kind(wanted: str, rules: Mapping[type, Rule]) -> Rule:
    """Return a value whose kind says which rule it follows."""

    def check(value: Any, at: Loc, findings: Findings) -> None:
        rule = rules.get(type(value))
        if rule:
            rule(value, at, findings)
        else:
            findings.wrong_kind(at, wanted, value)

    return check


def later(rule: Callable[[], Rule]) -> Rule:
    """Return a rule that is described further down."""
    return lambda value, at, findings: rule()(value, at, findings)


def any_of(*keys: str) -> Condition:
    """At least one of the keys is there."""

    def check(value: dict[str, Any], at: Loc, findings: Findings) -> None:
        if not any(key in value for key in keys):
            findings.add(at, f"{quoted(keys)} is missing", "missing-key")

    return check


def one_of(first: str, second: str) -> Condition:
    """Exactly one of two keys is there."""
    some = any_of(first, second)

    def check(value: dict[str, Any], at: Loc, findings: Findings) -> None:
        some(value, at, findings)
        if first in value and second in value:
            findings.conflict(at, first, second)

    return check
