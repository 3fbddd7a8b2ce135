"""Prompts: arguments, and messages rendered from templates."""

from __future__ import annotations

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
    Model,
    Operation,
    OperationError,
    OperationSpec,
    Result,
)
from adapter_host_mcp.config import McpArgumentSpec, McpPromptSpec

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
_SECTION: Final = re.compile(r"\{\{\s*[#^>!/][^{}]*\}\}")

Render = Callable[[Mapping[str, str]], str]


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A prompt; its operation returns the messages as data. `location` is the file of a file prompt."""

    name: str
    title: str | None
    description: str | None
    arguments: tuple[Mapping[str, Any], ...]
    operation: Operation
    location: Location | None
    spec: Model

    @property
    def definition(self) -> dict[str, Any]:
        """Return the entry for `prompts/list`."""
        members = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "arguments": list(self.arguments) or None,
        }
        return {key: value for key, value in members.items() if value is not None}


def prepare_prompts(specs: Sequence[McpPromptSpec], context: BuildContext) -> dict[str, Prompt]:
    """Build the prompts by name, in the document's order, and report invalid ones."""
    prompts: dict[str, Prompt] = {}
    for spec in specs:
        prompt = None
        with context.section() as section:
            if spec.name in prompts:
                message = f"duplicate prompt '{spec.name}'"
                context.problem(message, spec, "name", code="duplicate-prompt")
            else:
                prompt = _build_prompt(spec, context)
        if prompt is not None and not section.skipped:
            prompts[spec.name] = prompt
    return prompts


def _build_prompt(spec: McpPromptSpec, context: BuildContext) -> Prompt | None:
    if bool(spec.template) == bool(spec.location):
        present = "both 'template' and 'location'" if spec.template else "neither 'template' nor 'location'"
        context.problem(f"the prompt has {present}; set one of them", spec, code="modes")
        return None
    location = context.location(spec.location, spec, "location") if spec.location else None
    if spec.location and location is None:
        return None
    inputs = tuple(map(_input, spec.arguments))
    render = _from_file(location, inputs) if location else _from_template(spec, inputs, context)
    return Prompt(
        name=spec.name,
        title=spec.label,
        description=spec.description,
        arguments=tuple(
            _argument_definition(item.name, item.label, item.description, item.required) for item in spec.arguments
        ),
        operation=Operation(
            spec.name, spec.description, inputs, _check_arguments(render, inputs), OperationSpec(name=spec.name)
        ),
        location=location,
        spec=spec,
    )


def _input(spec: McpArgumentSpec) -> Input:
    return Input(
        spec.name,
        spec.type,
        spec.required,
        spec.description,
        pattern=spec.pattern,
        min_length=spec.min_length,
        max_length=spec.max_length,
        values=spec.allowed_values,
    )


def _argument_definition(name: str, title: str | None, description: str | None, required: bool) -> dict[str, Any]:
    members = {"name": name, "title": title, "description": description, "required": required}
    return {key: value for key, value in members.items() if value is not None}


def _check_arguments(render: Call, inputs: Sequence[Input]) -> Call:
    by_name = {item.name: item for item in inputs}

    async def call(arguments: Arguments) -> Result:
        for name, value in arguments.items():
            if name not in by_name:
                raise ArgumentError(name, f"unknown argument '{name}' (known: {', '.join(by_name) or 'none'})")
            by_name[name].check(by_name[name].parse(value))
        for item in inputs:
            if item.required and item.name not in arguments:
                raise ArgumentError(item.name, f"'{item.name}' is required")
        return await render(arguments)

    return call


def _from_template(spec: McpPromptSpec, inputs: Sequence[Input], context: BuildContext) -> Call:
    names = {item.name for item in inputs}
    for index, message in enumerate(spec.template):
        for name in dict.fromkeys(_PLACEHOLDER.findall(message.content)):
            if name not in names:
                text = f"'{{{{{name}}}}}' is not an argument of the prompt and is not replaced"
                context.warn(text, spec, "template", index, "content", code="unknown-argument")
        if section := _SECTION.search(message.content):
            text = f"'{section[0]}': sections are not supported in prompts; the tag is sent as text"
            context.warn(text, spec, "template", index, "content", code="template")
    messages = [(message.role, compile_template(message.content, names)) for message in spec.template]

    async def render(arguments: Arguments) -> Result:
        return Result(data=[_prompt_message(role, render_text(arguments)) for role, render_text in messages])

    return render


def _from_file(location: Location, inputs: Sequence[Input]) -> Call:
    names = {item.name for item in inputs}

    async def render(arguments: Arguments) -> Result:
        try:
            text = (await location.in_thread(location.read)).decode("utf-8-sig")
        except (OperationError, UnicodeDecodeError) as error:
            # Not an error of the client, which does not know that there is a file.
            raise InternalError("cannot read the file of the prompt") from error
        return Result(data=[_prompt_message("user", compile_template(text, names)(arguments))])

    return render


def compile_template(text: str, names: set[str]) -> Render:
    """Compile a template with placeholders `{{name}}`; placeholders within values are not expanded."""
    matches = [match for match in _PLACEHOLDER.finditer(text) if match[1] in names]
    literal_ends = [*(match.start() for match in matches), len(text)]
    first = text[: literal_ends[0]]
    parts = tuple((match[1], text[match.end() : end]) for match, end in zip(matches, literal_ends[1:], strict=True))

    def render_text(values: Mapping[str, str]) -> str:
        return first + "".join(f"{values.get(name, '')}{literal}" for name, literal in parts)

    return render_text


def _prompt_message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": {"type": "text", "text": text}}
