"""Compile the templates of an operation and record the inputs that they reference."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from adapter_host import ABSENT, Arguments, BuildContext, Model, Template
from adapter_host_http.encoding import Encode

# White space belongs to one part of the expression, so that matching is linear.
_NAME: Final = r"\s*([^{}\s](?:[^{}]*[^{}\s])?)\s*"
TAG: Final = re.compile(rf"\{{\{{\{{{_NAME}\}}\}}\}}|\{{\{{(?:\s*&)?{_NAME}\}}\}}")


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is the same in every call."""

    value: Any


Render = Callable[[Arguments], Any]
"""Returns the value of one call, or `ABSENT`."""

Value = Constant | Render


@dataclass(frozen=True, slots=True)
class TemplateLocation:
    """The position of a text in the document, and the location (and `name`) of its value in the request."""

    in_: str
    model: Model
    keys: tuple[str | int, ...] = ()
    name: str | None = None

    def __truediv__(self, key: str | int) -> TemplateLocation:
        return TemplateLocation(self.in_, self.model, (*self.keys, key), self.name)


class MaskedTemplate(Template):
    """A template that shows its secrets by name."""

    __slots__ = ()

    def __init__(self, template: Template) -> None:
        super().__init__(template.parts)
        if self.constant is not None:
            self.constant = self.masked()

    def text(self, arguments: Mapping[str, Any], encode: Callable[[str], str] = str) -> str:
        """Return the text with references filled in and secrets by name."""
        return self.preview(arguments, encode)


class TemplateCompiler:
    """Compiles the texts of one operation; `constants` are the texts of declared values by name."""

    def __init__(
        self, context: BuildContext, names: Set[str], constants: Mapping[str, str], *, masked: bool = False
    ) -> None:
        self._context = context
        self._names = names
        self._constants = constants
        self._masked = masked
        self.inputs: dict[str, TemplateLocation] = {}
        self.secrets: set[str] = set()

    def template(self, text: str, location: TemplateLocation, *, exclude: str = "") -> Template:
        """Compile a text; it can reference declared constants, except the one that it defines (`exclude`)."""
        if self._constants:
            replacements = {name: value for name, value in self._constants.items() if name != exclude}
            text = TAG.sub(lambda tag: replacements.get(tag[1] or tag[2], tag[0]), text)
        template = self._context.template(text, location.model, *location.keys, inputs=self._names)
        for name in template.inputs:
            self.inputs.setdefault(name, location)
        self.secrets.update(template.secrets)
        return MaskedTemplate(template) if self._masked else template

    def value(self, data: Any, location: TemplateLocation, *, exclude: str = "") -> Value:
        """Compile plain data: a leaf of one tag becomes the typed argument, an absent leaf is left out."""
        if isinstance(data, str):
            return value_of(self.template(data, location, exclude=exclude))
        return self.tree(data, location, lambda text, location: self.value(text, location, exclude=exclude))

    def tree(self, data: Any, location: TemplateLocation, leaf: Callable[[str, TemplateLocation], Value]) -> Value:
        """Compile plain data; compile its texts with `leaf`."""
        if isinstance(data, str):
            return leaf(data, location)
        if isinstance(data, dict):
            children = {key: self.tree(child, location / key, leaf) for key, child in data.items()}
            keys = {key: self.template(key, location / key) for key in data if TAG.search(key)}
            return _mapping_with_keys(children, keys) if keys else _mapping(children)
        if isinstance(data, list | tuple):
            return _sequence([self.tree(child, location / index, leaf) for index, child in enumerate(data)])
        return Constant(data)

    def text(
        self, text: str, location: TemplateLocation, encode: Callable[[str, bool], Encode], quotes: str = ""
    ) -> Value:
        """Compile a text; encode each tag with `encode(name, in quotes)`."""
        pieces: list[str | tuple[Value, Encode]] = []
        for piece, is_tag, quoted in split_tags(text, quotes):
            if is_tag:
                template = self.template(piece, location)
                pieces.append((value_of(template), encode(template.single or piece, quoted)))
            else:
                pieces.append(piece)
        return _text(pieces)


def value_of(template: Template) -> Value:
    """Return a template as a value."""
    return template.value if template.constant is None else Constant(template.constant)


def render(value: Value, arguments: Arguments) -> Any:
    """Return a value in one call."""
    return value.value if isinstance(value, Constant) else value(arguments)


def renderer(value: Value) -> Callable[[Arguments], Any]:
    """Return a function that returns a value in one call."""
    if not isinstance(value, Constant):
        return value
    constant = value.value
    return lambda _: constant


def split_tags(text: str, quotes: str = "") -> Iterator[tuple[str, bool, bool]]:
    """Yield the pieces of a text: each with whether it is a tag, and whether it is inside `quotes`."""
    end, quote = 0, ""
    for tag in TAG.finditer(text):
        literal = text[end : tag.start()]
        quote = _open_quote(literal, quotes, quote)
        yield literal, False, bool(quote)
        yield tag[0], True, bool(quote)
        end = tag.end()
    yield text[end:], False, False


def _open_quote(literal: str, quotes: str, quote: str) -> str:
    escaped = False
    for char in literal:
        if escaped:
            escaped = False
        elif quote and char == "\\":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in quotes:
            quote = char
    return quote


def _mapping(children: dict[str, Value]) -> Value:
    if all(isinstance(child, Constant) for child in children.values()):
        return Constant({key: render(child, {}) for key, child in children.items()})
    items = tuple(children.items())

    def mapping(arguments: Arguments) -> dict[str, Any]:
        rendered = ((key, render(child, arguments)) for key, child in items)
        return {key: value for key, value in rendered if value is not ABSENT}

    return mapping


def _mapping_with_keys(children: dict[str, Value], keys: Mapping[str, Template]) -> Value:
    """Return a mapping some of whose keys are templates; an entry without a key or a value is left out."""
    items = tuple((key, keys.get(key), child) for key, child in children.items())

    def mapping(arguments: Arguments) -> dict[str, Any]:
        rendered = (
            (key if template is None else template.text(arguments), render(child, arguments))
            for key, template, child in items
        )
        return {key: value for key, value in rendered if key and value is not ABSENT}

    return mapping


def _sequence(children: list[Value]) -> Value:
    if all(isinstance(child, Constant) for child in children):
        return Constant([render(child, {}) for child in children])

    def sequence(arguments: Arguments) -> list[Any]:
        rendered = (render(child, arguments) for child in children)
        return [value for value in rendered if value is not ABSENT]

    return sequence


def _text(pieces: list[str | tuple[Value, Encode]]) -> Value:
    def text(arguments: Arguments) -> str:
        return "".join(piece if isinstance(piece, str) else piece[1](render(piece[0], arguments)) for piece in pieces)

    constant = all(isinstance(piece, str) or isinstance(piece[0], Constant) for piece in pieces)
    return Constant(text({})) if constant else text
