"""What may stand for an argument, where the document itself says it: one of some words, or true or false."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from adapter_host import Input

from .prompts import Prompt
from .resources import Resource

MAX_VALUES: Final = 100
"""The protocol's limit of one answer."""

_ALTERNATION: Final = re.compile(r"\^\((?:\?:)?([^()]*)\)\$")
_LITERAL: Final = re.compile(r"(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])+")

Choices = Mapping[str, tuple[str, ...]]
"""By an argument's name, what it may be; nothing is known of one with none."""


def choices(declared: Input) -> tuple[str, ...]:
    """What an input may be, in the document's order; nothing when that is not a short list of its own."""
    if declared.type == "boolean":
        return ("true", "false")
    alternation = _ALTERNATION.fullmatch(declared.pattern or "")
    values = alternation[1].split("|") if alternation else []
    if not all(map(_LITERAL.fullmatch, values)):
        return ()
    return tuple(dict.fromkeys(re.sub(r"\\(.)", r"\1", value) for value in values))


def prompt_choices(prompts: Iterable[Prompt]) -> dict[str, Choices]:
    """The choices of every prompt's arguments, by the prompt's name."""
    return {prompt.name: {item.name: choices(item) for item in prompt.operation.inputs} for prompt in prompts}


def resource_choices(resources: Iterable[Resource]) -> dict[str, Choices]:
    """The choices of every template's variables, by the template."""
    return {
        resource.uri.text: {
            item.name: choices(item) for item in resource.operation.inputs if item.name in resource.uri.variables
        }
        for resource in resources
        if resource.uri.variables
    }


def complete(values: Iterable[str], prefix: str) -> list[str]:
    """The words that begin so, whatever the case."""
    return [value for value in values if value.casefold().startswith(prefix.casefold())]


def can_complete(resources: Iterable[Resource], prompts: Iterable[Prompt]) -> bool:
    """Whether the document says of any argument what it may be."""
    all_choices = (*prompt_choices(prompts).values(), *resource_choices(resources).values())
    return any(values for choices_of in all_choices for values in choices_of.values())
