"""Compile the path of an operation, and the query in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from re import Match
from typing import Any

from adapter_host import ArgumentError, Input, normalize_name, text_of
from adapter_host_http.config import HttpInputSpec
from adapter_host_http.encoding import has_dot_segment

from .plan import Field
from .scope import OperationScope
from .styles import Styled, path_serializer
from .templates import Constant, TemplateCompiler, TemplateLocation, Value
from .url import PLACEHOLDER, Path, Piece, Placeholder, parse_path, split_target
from .values import argument
from .wire import compile_wire


class PathCompiler:
    """Compiles the path of one operation.

    `add_parameter` receives each input with its name in the request; `value_of` compiles the value of an input at a
    location. `query` are the parameters of the query in the path, `unplaced` the inputs that the path does not contain.
    """

    def __init__(
        self,
        scope: OperationScope,
        declared: Sequence[HttpInputSpec],
        templates: TemplateCompiler,
        add_parameter: Callable[[Input, str], None],
        value_of: Callable[[HttpInputSpec, str], Value],
    ) -> None:
        self._scope = scope
        self._declared = declared
        self._templates = templates
        self._add_parameter = add_parameter
        self._value = value_of
        self.query: list[Field] = []
        self.unplaced: tuple[HttpInputSpec, ...] = ()

    def compile(self) -> Path:
        """Return the path; report problems to the context."""
        target, location = split_target(self._scope.path), self._scope.path_location
        if target.fragment:
            message = f"'{target.fragment}' is not sent: it is a fragment, which is no part of a request"
            self._scope.context.warn(message, location.model, *location.keys, code="fragment")
        segments = parse_path(target.path, self._placeholder)
        placed = {piece.name for segment in segments for piece in segment if isinstance(piece, Placeholder)}
        placed |= {name for pair in target.query for name in self._add_query_pair(*pair)}
        self.unplaced = tuple(self._inputs_without_placeholder(placed))
        segments += [[self._path_value(spec)] for spec in self.unplaced]
        for segment in segments:
            self._check_literal(segment)
        try:
            return Path(segments)
        except ArgumentError as error:
            self._problem(f"{error.message} (in the path)")
            return Path([])

    def _placeholder(self, tag: str) -> Placeholder:
        name = tag.strip("{}& ")
        bound = tag.startswith("{{") and self._scope.context.loaded.binds.find(name) is not None
        spec = None if bound else self._find_path_input(name)
        if spec is None and tag.startswith("{{"):
            template = self._templates.template(tag, self._scope.path_location)
            if template.constant is not None:
                return Placeholder(name, Constant(template.constant))
            name = template.single or name
            spec = self._find_path_input(name)
        if spec is None:
            self._templates.inputs.pop(name, None)
            self._add_parameter(Input(name, type="string", required=True, in_="path"), name)
            return Placeholder(name, argument(name))
        return self._path_value(spec)

    def _find_path_input(self, name: str) -> HttpInputSpec | None:
        specs = [spec for spec in self._declared if spec.in_ in ("path", None)]
        sent = (spec for spec in specs if spec.request_name == name)
        exact = (spec for spec in specs if spec.name == name)
        folded = (spec for spec in specs if normalize_name(spec.name) == normalize_name(name))
        return next(sent, None) or next(exact, None) or next(folded, None)

    def _path_value(self, spec: HttpInputSpec) -> Placeholder:
        wire = compile_wire(spec, "path", self._scope.context)
        if spec.value is None:
            self._templates.inputs.pop(spec.name, None)
            self._add_parameter(declared_input(spec, in_="path", required=True, wire=wire), spec.request_name)
        styled = wire is not None and (wire.style or wire.content_type)
        serialize = path_serializer(Styled(spec.request_name, wire, spec.name)) if wire and styled else None
        return Placeholder(spec.name, self._value(spec, "path"), serialize)

    def _inputs_without_placeholder(self, placed: Set[str]) -> Iterator[HttpInputSpec]:
        levels = (*self._scope.resource.input_parameters, *self._scope.spec.input_parameters)
        for spec in self._declared:
            if spec.in_ == "path" and spec.name not in placed and any(spec is other for other in levels):
                yield spec

    def _check_literal(self, segment: list[Piece]) -> None:
        fixed = [_constant_text(piece) for piece in segment]
        if has_dot_segment("".join(text for text in fixed if text is not None)) and None not in fixed:
            self._problem("a path must not contain '.' or '..' segments")

    def _add_query_pair(self, name: str, text: str) -> Iterator[str]:
        """Add a parameter of the path's query; yield the path inputs in it."""
        location = self._scope.path_location
        specs = {tag: spec for tag in _tag_names(text) if (spec := self._find_path_input(tag)) is not None}
        tagged = PLACEHOLDER.sub(lambda tag: "{{" + _input_name(tag, specs) + "}}", text)
        value = self._templates.value(tagged, TemplateLocation("query", location.model, location.keys, name))
        self.query.append(Field(name, value, name))
        for spec in specs.values():
            if self._templates.inputs.pop(spec.name, None) is not None:
                self._add_parameter(declared_input(spec, in_="query", required=True), name)
            yield spec.name

    def _problem(self, message: str) -> None:
        location = self._scope.path_location
        self._scope.context.problem(message, location.model, *location.keys, code="path")


def _tag_names(text: str) -> list[str]:
    return [tag[1] or tag[2] for tag in PLACEHOLDER.finditer(text)]


def _input_name(tag: Match[str], specs: Mapping[str, HttpInputSpec]) -> str:
    name = tag[1] or tag[2]
    return specs[name].name if name in specs else name


def declared_input(spec: HttpInputSpec, **changes: Any) -> Input:
    """Return a declared input that is not the complete body, with changes."""
    return replace(Input.declared(spec), **{"whole": False, **changes})


def _constant_text(piece: Piece) -> str | None:
    """Return the text of a piece of a path that is the same in every call, or None."""
    if isinstance(piece, str):
        return piece
    return text_of(piece.value.value) if isinstance(piece.value, Constant) else None
