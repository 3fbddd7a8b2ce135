"""Rules to describe a version of the language; a rule reports everything that breaks it."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from adapter_host.document.messages import describe_type, did_you_mean, format_value, join_words
from adapter_host.document.nodes import Loc
from adapter_host.document.source import Source
from adapter_host.errors import Problem


class Findings:
    """The errors found so far in one document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def add(self, loc: Loc, message: str, code: str, *, key: bool = False) -> None:
        """Report an error at a location."""
        self.problems.append(self.source.problem(loc, message, code=code, key=key))

    def invalid_value(self, loc: Loc, expected: str, value: object, *, secret: bool = False, hint: str = "") -> None:
        """Report an invalid value of the right type."""
        suffix = "" if secret else f" (given {format_value(value)}{hint})"
        self.add(loc, f"{_name(loc)} must be {expected}{suffix}", "invalid-value")

    def wrong_type(self, loc: Loc, expected: str, value: object, *, secret: bool = False) -> None:
        """Report a value of the wrong type."""
        shows = isinstance(value, (str, int, float)) and not secret
        suffix = f" (given {format_value(value)})" if shows else ""
        self.add(loc, f"{_name(loc)} must be {expected}, not {describe_type(value)}{suffix}", "wrong-type")

    def missing(self, loc: Loc, key: str, hint: str = "") -> None:
        """Report a missing key."""
        self.add(loc, f"{key!r} is missing{hint}", "missing-key")

    def unknown(self, loc: Loc, key: str, known: Iterable[str]) -> None:
        """Report an unknown key."""
        hint = did_you_mean(key, known) or f" (known here: {join_words(known, 'and')})"
        self.add((*loc, key), f"unknown key {format_value(key)}{hint}", "unknown-key", key=True)

    def conflict(self, loc: Loc, first: str, second: str) -> None:
        """Report two keys that exclude each other."""
        message = f"{first!r} and {second!r} are mutually exclusive; remove one"
        self.add((*loc, second), message, "conflicting-keys", key=True)


Rule = Callable[[Any, Loc, Findings], None]
Condition = Callable[[dict[str, Any], Loc, Findings], None]
Rules = Mapping[str, Rule]


def _name(loc: Loc) -> str:
    keys = [index for index, key in enumerate(loc) if isinstance(key, str)]
    if not keys:
        return "the document"
    return repr(f"{loc[keys[-1]]}{''.join(f'[{step}]' for step in loc[keys[-1] + 1 :])}")


def quote_all(words: Iterable[str], last: str = "or") -> str:
    """Return the words as ``'a', 'b' or 'c'``."""
    return join_words(map(repr, words), last)


def anything(value: Any, loc: Loc, findings: Findings) -> None:
    """Accept any value."""


def string(pattern: str = "", description: str = "", *, maximum: int | None = None, secret: bool = False) -> Rule:
    """Return a rule for text that matches a pattern, which `description` puts in words."""
    matches = re.compile(pattern or r"[\s\S]*").fullmatch

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if not isinstance(value, str):
            findings.wrong_type(loc, "text", value, secret=secret)
        elif not matches(value):
            findings.invalid_value(loc, description, value, secret=secret)
        elif maximum is not None and len(value) > maximum:
            findings.add(loc, f"{_name(loc)} is longer than {maximum} characters ({len(value)})", "invalid-value")

    return check


def enum(*words: str) -> Rule:
    """Return a rule for one of a few words."""

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if not isinstance(value, str):
            findings.wrong_type(loc, quote_all(words), value)
        elif value not in words:
            hint = did_you_mean(value, words) if len(words) > 1 else ""
            findings.invalid_value(loc, quote_all(words), value, hint=hint)

    return check


def boolean(value: Any, loc: Loc, findings: Findings) -> None:
    """Accept true and false."""
    if not isinstance(value, bool):
        findings.wrong_type(loc, "true or false", value)


def integer(minimum: int | None = None, maximum: int | None = None) -> Rule:
    """Return a rule for a whole number in a range that may be open."""
    expected = f"a whole number{_range(minimum, maximum)}"
    lowest, highest = -math.inf if minimum is None else minimum, math.inf if maximum is None else maximum

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            findings.wrong_type(loc, expected, value)
        elif value != value // 1 or not lowest <= value <= highest:
            findings.invalid_value(loc, expected, value)

    return check


def _range(minimum: int | None, maximum: int | None) -> str:
    if maximum is not None:
        return f" from {minimum} to {maximum}"
    return "" if minimum is None else f" of {minimum} or more"


def number(minimum: float, maximum: float) -> Rule:
    """Return a rule for a number in a range."""
    expected = f"a number from {minimum} to {maximum}"

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            findings.wrong_type(loc, expected, value)
        elif not minimum <= value <= maximum:
            findings.invalid_value(loc, expected, value)

    return check


def array_of(item: Rule, *, minimum: int = 0) -> Rule:
    """Return a rule for a list whose items follow one rule."""

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if not isinstance(value, list):
            findings.wrong_type(loc, "a list", value, secret=True)
            return
        if len(value) < minimum:
            findings.add(loc, f"{_name(loc)} must not be empty", "empty-list")
        for index, element in enumerate(value):
            item(element, (*loc, index), findings)

    return check


def mapping_of(
    item: Rule, *, pattern: str = "", description: str = "", minimum: int = 0, expected: str = "a mapping"
) -> Rule:
    """Return a rule for a mapping with free keys that match a pattern, and values that follow one rule."""
    matches = re.compile(pattern or r"[\s\S]*").fullmatch

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.wrong_type(loc, expected, value, secret=True)
            return
        if len(value) < minimum:
            findings.add(loc, f"{_name(loc)} must not be empty", "empty-mapping")
        for key, element in value.items():
            if not matches(key):
                findings.add((*loc, key), f"key {format_value(key)} must be {description}", "invalid-key", key=True)
            item(element, (*loc, key), findings)

    return check


def object_of(required: Rules, optional: Rules | None = None, *conditions: Condition) -> Rule:
    """Return a rule for a mapping with known keys, and conditions on their combination."""
    known = {**required, **(optional or {})}

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.wrong_type(loc, "a mapping", value, secret=True)
            return
        for key in required:
            if key not in value:
                findings.missing(loc, key)
        for key, element in value.items():
            if key in known:
                known[key](element, (*loc, key), findings)
            elif not key.startswith("x-"):
                # Keys of extensions are checked where they are read.
                findings.unknown(loc, key, known)
        for condition in conditions:
            condition(value, loc, findings)

    return check


def by_type_key(variants: Rules) -> Rule:
    """Return a rule for a mapping whose `type` selects the rule."""
    type_rule = enum(*variants)

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        if not isinstance(value, dict):
            findings.wrong_type(loc, "a mapping", value, secret=True)
        elif "type" not in value:
            findings.missing(loc, "type", f" ({quote_all(variants)})")
        elif isinstance(value["type"], str) and value["type"] in variants:
            variants[value["type"]](value, loc, findings)
        else:
            type_rule(value["type"], (*loc, "type"), findings)

    return check


def by_value_type(expected: str, rules: Mapping[type, Rule]) -> Rule:
    """Return a rule that depends on the Python type of the value."""

    def check(value: Any, loc: Loc, findings: Findings) -> None:
        rule = rules.get(type(value))
        if rule:
            rule(value, loc, findings)
        else:
            findings.wrong_type(loc, expected, value)

    return check


def deferred(rule: Callable[[], Rule]) -> Rule:
    """Return a rule that is looked up when it is used, for recursive rules."""
    return lambda value, loc, findings: rule()(value, loc, findings)


def any_of(*keys: str) -> Condition:
    """Require at least one of the keys."""

    def check(value: dict[str, Any], loc: Loc, findings: Findings) -> None:
        if not any(key in value for key in keys):
            findings.add(loc, f"{quote_all(keys)} is missing", "missing-key")

    return check


def one_of(first: str, second: str) -> Condition:
    """Require exactly one of two keys."""
    some = any_of(first, second)

    def check(value: dict[str, Any], loc: Loc, findings: Findings) -> None:
        some(value, loc, findings)
        if first in value and second in value:
            findings.conflict(loc, first, second)

    return check
