"""Prompts: their arguments, and their messages with the arguments filled in."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from adapter_host import (
    ArgumentError,
    Arguments,
    BuildContext,
    Call,
    Input,
    InternalError,
    Location,
    Operation,
    OperationError,
    OperationSpec,
    Result,
)
from adapter_host_mcp.config import McpPromptSpec

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")

Fill = Callable[[Mapping[str, str]], str]


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A prompt; its operation's call gives the messages as data. `location` has the text of one kept in a file."""

    name: str
    title: str | None
    description: str | None
    arguments: tuple[Mapping[str, Any], ...]
    operation: Operation
    location: Location | None

    @property
    def definition(self) -> dict[str, Any]:
        """Its entry in the list of prompts."""
        members = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "arguments": list(self.arguments) or None,
        }
        return {key: value for key, value in members.items() if value is not None}


def prepare_prompts(specs: Sequence[McpPromptSpec], context: BuildContext) -> dict[str, Prompt]:
    """Return the prompts by name, in the document's order; what keeps one from being given is a problem."""
    prompts: dict[str, Prompt] = {}
    for spec in specs:
        if spec.name in prompts:
            message = f"prompt '{spec.name}' is declared twice"
            context.problem(message, spec, "name", code="duplicate-prompt")
        elif (prompt := _prompt(spec, context)) is not None:
            prompts[spec.name] = prompt
    return prompts


def _prompt(spec: McpPromptSpec, context: BuildContext) -> Prompt | None:
    if bool(spec.template) == bool(spec.location):
        has = "both 'template' and 'location'" if spec.template else "neither 'template' nor 'location'"
        context.problem(f"the prompt has {has} (it needs one of them)", spec, code="modes")
        return None
    location = context.location(spec.location, spec, "location") if spec.location else None
    if spec.location and location is None:
        return None
    inputs = tuple(
        Input(each.name, each.type, each.required, each.description, pattern=each.pattern) for each in spec.arguments
    )
    render = _from_file(location, inputs) if location else _from_template(spec, inputs, context)
    return Prompt(
        name=spec.name,
        title=spec.label,
        description=spec.description,
        arguments=tuple(_argument(each.name, each.label, each.description, each.required) for each in spec.arguments),
        operation=Operation(
            spec.name, spec.description, inputs, _checked(render, inputs), OperationSpec(name=spec.name)
        ),
        location=location,
    )


def _argument(name: str, title: str | None, description: str | None, required: bool) -> dict[str, Any]:
    members = {"name": name, "title": title, "description": description, "required": required}
    return {key: value for key, value in members.items() if value is not None}


def _checked(render: Call, inputs: Sequence[Input]) -> Call:
    known = {each.name: each for each in inputs}

    async def call(arguments: Arguments) -> Result:
        for name, value in arguments.items():
            if name not in known:
                raise ArgumentError(name, f"unknown argument '{name}' (known: {', '.join(known) or 'none'})")
            known[name].check(known[name].parse(value))
        for each in inputs:
            if each.required and each.name not in arguments:
                raise ArgumentError(each.name, f"'{each.name}' is required")
        return await render(arguments)

    return call


def _from_template(spec: McpPromptSpec, inputs: Sequence[Input], context: BuildContext) -> Call:
    names = {each.name for each in inputs}
    for index, message in enumerate(spec.template):
        for name in dict.fromkeys(_PLACEHOLDER.findall(message.content)):
            if name not in names:
                text = f"'{{{{{name}}}}}' names no argument of the prompt, so it stays as it is"
                context.warn(text, spec, "template", index, "content", code="unknown-argument")
    messages = [(message.role, compile_text(message.content, names)) for message in spec.template]

    async def render(arguments: Arguments) -> Result:
        return Result(data=[_message(role, fill(arguments)) for role, fill in messages])

    return render


def _from_file(location: Location, inputs: Sequence[Input]) -> Call:
    names = {each.name for each in inputs}

    async def render(arguments: Arguments) -> Result:
        try:
            text = (await asyncio.to_thread(location.read)).decode("utf-8-sig")
        except (OperationError, UnicodeDecodeError) as error:
            # Whose file it is, the caller cannot know: nothing that it gave is wrong.
            raise InternalError("the prompt's file cannot be read") from error
        return Result(data=[_message("user", compile_text(text, names)(arguments))])

    return render


def compile_text(text: str, names: set[str]) -> Fill:
    """Return the function that puts values into `{{name}}`, once: what stands in a value is never filled again."""
    found = [each for each in _PLACEHOLDER.finditer(text) if each[1] in names]
    ends = [*(each.start() for each in found), len(text)]
    first = text[: ends[0]]
    pairs = tuple((each[1], text[each.end() : end]) for each, end in zip(found, ends[1:], strict=True))

    def fill(values: Mapping[str, str]) -> str:
        return first + "".join(f"{values.get(name, '')}{literal}" for name, literal in pairs)

    return fill


def _message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": {"type": "text", "text": text}}
