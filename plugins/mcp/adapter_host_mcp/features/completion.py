"""Completion of arguments whose values the document enumerates: alternations of words, and booleans."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from adapter_host import Input, text_of

from .prompts import Prompt
from .resources import Resource

MAX_VALUES: Final = 100
"""The protocol's limit per response."""

_ALTERNATION: Final = re.compile(r"\^\((?:\?:)?([^()]*)\)\$")
_LITERAL: Final = re.compile(r"(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])+")

Choices = Mapping[str, tuple[str, ...]]
"""Possible values by argument name; an empty tuple means that they are not enumerated."""


def choices(declared: Input) -> tuple[str, ...]:
    """Return the possible values of an input in the document's order, or none when they are not enumerated."""
    if declared.type == "boolean":
        return ("true", "false")
    if declared.values and declared.type != "array":
        return tuple(map(text_of, declared.values))
    alternation = _ALTERNATION.fullmatch(declared.pattern or "")
    values = alternation[1].split("|") if alternation else []
    if not all(map(_LITERAL.fullmatch, values)):
        return ()
    return tuple(dict.fromkeys(re.sub(r"\\(.)", r"\1", value) for value in values))


def prompt_choices(prompts: Iterable[Prompt]) -> dict[str, Choices]:
    """Return the choices of all prompt arguments, by prompt name."""
    return {prompt.name: {item.name: choices(item) for item in prompt.operation.inputs} for prompt in prompts}


def resource_choices(resources: Iterable[Resource]) -> dict[str, Choices]:
    """Return the choices of all template variables, by URI template."""
    return {
        resource.uri.text: {
            item.name: choices(item) for item in resource.operation.inputs if item.name in resource.uri.variables
        }
        for resource in resources
        if resource.uri.variables
    }


def complete(values: Iterable[str], prefix: str) -> list[str]:
    """Return the values that start with `prefix`, ignoring case."""
    return [value for value in values if value.casefold().startswith(prefix.casefold())]


def can_complete(resources: Iterable[Resource], prompts: Iterable[Prompt]) -> bool:
    """Return True if the values of any argument or variable are enumerated."""
    all_choices = (*prompt_choices(prompts).values(), *resource_choices(resources).values())
    return any(values for choices_of in all_choices for values in choices_of.values())
