"""What may stand for an argument, where the document itself says it: one of some words, or true or false."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from adapter_host import Input

from .prompts import Prompt
from .resources import Resource

MOST: Final = 100
"""The protocol's limit of one answer."""

_ALTERNATION: Final = re.compile(r"\^\((?:\?:)?([^()]*)\)\$")
_LITERAL: Final = re.compile(r"(?:[^\\^$.|?*+()\[\]{}]|\\[^A-Za-z0-9])+")

Choices = Mapping[str, tuple[str, ...]]
"""By an argument's name, what it may be; nothing is known of one with none."""


def choices(given: Input) -> tuple[str, ...]:
    """Return the allowed values of an input in the document's order; nothing without a short list of them."""
    if given.type == "boolean":
        return ("true", "false")
    alternation = _ALTERNATION.fullmatch(given.pattern or "")
    words = alternation[1].split("|") if alternation else []
    if not all(map(_LITERAL.fullmatch, words)):
        return ()
    return tuple(dict.fromkeys(re.sub(r"\\(.)", r"\1", word) for word in words))


def prompt_choices(prompts: Iterable[Prompt]) -> dict[str, Choices]:
    """Return the choices of every prompt's arguments, by the prompt's name."""
    return {prompt.name: {each.name: choices(each) for each in prompt.operation.inputs} for prompt in prompts}


def resource_choices(resources: Iterable[Resource]) -> dict[str, Choices]:
    """Return the choices of every template's variables, by the template."""
    return {
        resource.uri.text: {
            each.name: choices(each) for each in resource.operation.inputs if each.name in resource.uri.variables
        }
        for resource in resources
        if resource.uri.variables
    }


def complete(words: Iterable[str], begun: str) -> list[str]:
    """Return the words that begin so, whatever the case."""
    return [word for word in words if word.casefold().startswith(begun.casefold())]


def completes(resources: Iterable[Resource], prompts: Iterable[Prompt]) -> bool:
    """Whether the document says of any argument what it may be."""
    known = (*prompt_choices(prompts).values(), *resource_choices(resources).values())
    return any(words for each in known for words in each.values())
