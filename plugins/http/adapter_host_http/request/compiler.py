"""Compile the declaration of an operation to the plan of its requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import replace
from re import Match
from typing import Any, Final

from adapter_host import (
    ABSENT,
    ArgumentError,
    Input,
    InputSpec,
    Model,
    is_connection_header,
    is_token,
    normalize_name,
    text_of,
)
from adapter_host_http.config import AnyBody
from adapter_host_http.encoding import CONTROL, has_dot_segment

from .body import BodyBuilder, compile_body, json_body, json_fields, whole_tag
from .plan import Field, Parameter, RequestParts, RequestPlan
from .scope import OperationScope, effective_inputs
from .templates import Constant, TemplateCompiler, TemplateLocation, Value
from .url import PLACEHOLDER, Path, Piece, Placeholder, parse_path, split_target
from .values import argument, argument_or, comma_joined_value

_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})


class RequestCompiler:
    """Compiles one operation; a masked plan shows secrets by name."""

    def __init__(self, scope: OperationScope, *, masked: bool = False) -> None:
        self._scope = scope
        self._masked = masked
        self._declared = effective_inputs(scope)
        names = {spec.name for spec in self._declared if spec.value is None and spec.in_ != "environment"}
        constants = {spec.name: text_of(spec.value) for spec in self._declared if spec.value is not None}
        self.templates = TemplateCompiler(scope.context, names, constants, masked=masked)
        self.parameters: list[Parameter] = []
        self.unplaced: tuple[InputSpec, ...] = ()
        self._inputs: dict[str, Input] = {}
        self._fields: dict[str, list[Field]] = {"query": [], "header": [], "cookie": []}
        self._body_fields: list[InputSpec] = []

    def compile(self) -> RequestPlan:
        """Return the plan; report problems to the context."""
        self._add_credential()
        path = self._compile_path()
        for spec in self._declared:
            self._add(spec)
        body = self._compile_body()
        for name, location in self.templates.inputs.items():
            self._add_parameter(Input(name, in_=location.in_, required=location.in_ == "path"), location.name or name)
        self._add_default_headers()
        fields = {in_: tuple(fields) for in_, fields in self._fields.items()}
        parts = RequestParts(self._scope.spec.method, path, fields["query"], fields["header"], fields["cookie"], body)
        return RequestPlan(parts, tuple(self._inputs.values()))

    def _problem(self, message: str, model: Model, *keys: str | int, code: str) -> None:
        self._scope.context.problem(message, model, *keys, code=code)

    def _warn(self, message: str, model: Model, *keys: str | int, code: str) -> None:
        self._scope.context.warn(message, model, *keys, code=code)

    def _add_parameter(self, input_: Input, name: str) -> None:
        self._inputs.setdefault(input_.name, input_)
        self.parameters.append(Parameter(input_.name, input_.in_ or "", name, input_.required, input_.whole))

    def _compile_path(self) -> Path:
        target, location = split_target(self._scope.path), self._scope.path_location
        if target.fragment:
            message = f"'{target.fragment}' is not sent: it is a fragment, which is no part of a request"
            self._warn(message, location.model, *location.keys, code="fragment")
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
            self._problem(f"{error.message} (in the path)", location.model, *location.keys, code="path")
            return Path([])

    def _placeholder(self, tag: str) -> Placeholder:
        name = tag.strip("{}& ")
        bound = tag.startswith("{{") and self._scope.context.loaded.binds.find(name) is not None
        spec = None if bound else self._find_path_input(name)
        if spec is None and tag.startswith("{{"):
            template = self.templates.template(tag, self._scope.path_location)
            if template.constant is not None:
                return Placeholder(name, Constant(template.constant))
            name = template.single or name
            spec = self._find_path_input(name)
        if spec is None:
            self.templates.inputs.pop(name, None)
            self._add_parameter(Input(name, type="string", required=True, in_="path"), name)
            return Placeholder(name, argument(name))
        return self._path_value(spec)

    def _find_path_input(self, name: str) -> InputSpec | None:
        specs = [spec for spec in self._declared if spec.in_ in ("path", None)]
        exact = (spec for spec in specs if spec.name == name)
        folded = (spec for spec in specs if normalize_name(spec.name) == normalize_name(name))
        return next(exact, None) or next(folded, None)

    def _path_value(self, spec: InputSpec) -> Placeholder:
        if spec.value is None:
            self.templates.inputs.pop(spec.name, None)
            self._add_parameter(_input(spec, in_="path", required=True), spec.name)
        return Placeholder(spec.name, self._value(spec, "path"))

    def _inputs_without_placeholder(self, placed: Set[str]) -> Iterator[InputSpec]:
        levels = (*self._scope.resource.input_parameters, *self._scope.spec.input_parameters)
        for spec in self._declared:
            if spec.in_ == "path" and spec.name not in placed and any(spec is other for other in levels):
                yield spec

    def _check_literal(self, segment: list[Piece]) -> None:
        fixed = [_constant_text(piece) for piece in segment]
        if has_dot_segment("".join(text for text in fixed if text is not None)) and None not in fixed:
            location = self._scope.path_location
            self._problem("a path must not contain '.' or '..' segments", location.model, *location.keys, code="path")

    def _add_query_pair(self, name: str, text: str) -> Iterator[str]:
        """Add a parameter of the path's query; yield the path inputs in it."""
        location = self._scope.path_location
        specs = {tag: spec for tag in _tag_names(text) if (spec := self._find_path_input(tag)) is not None}
        tagged = PLACEHOLDER.sub(lambda tag: "{{" + _input_name(tag, specs) + "}}", text)
        value = self.templates.value(tagged, TemplateLocation("query", location.model, location.keys, name))
        self._fields["query"].append(Field(name, value, name))
        for spec in specs.values():
            if self.templates.inputs.pop(spec.name, None) is not None:
                self._add_parameter(_input(spec, in_="query", required=True), name)
            yield spec.name

    def _add_credential(self) -> None:
        credential = self._scope.credential
        if credential is None:
            return
        text = credential.masked if self._masked else credential.value
        # An authentication flow adds its header later, unless the call has the header.
        default = text if text or credential.auth_flow is None else ABSENT
        value: Value = Constant(default)
        if override := next((s for s in self._declared if s.value is None and self._is_credential(s)), None):
            value = argument_or(override.name, default)
        elif default is ABSENT:
            return
        self._fields[credential.in_].append(Field(credential.name, value, credential.name))

    def _is_credential(self, spec: InputSpec) -> bool:
        credential = self._scope.credential
        return credential is not None and credential.matches(spec.in_, spec.name)

    def _add(self, spec: InputSpec) -> None:
        if spec.in_ == "environment":
            self._check_environment(spec)
        elif spec.in_ == "body":
            self._body_fields.append(spec)
        elif spec.in_ is None:
            self._check_has_location(spec)
        elif spec.in_ == "header" and is_connection_header(spec.name):
            message = f"header '{spec.name}' belongs to the connection and is not sent"
            self._warn(message, spec, "name", code="dropped-header")
        elif self._is_credential(spec):
            self._add_override(spec)
        elif spec.in_ != "path":
            self._add_field(spec, spec.in_)

    def _add_default_headers(self) -> None:
        declared = {f.name.lower() for f in self._fields["header"] if isinstance(f.value, Constant)}
        for name, value in self._scope.headers:
            if name.lower() not in declared:
                self._fields["header"].append(Field(name, Constant(value), name))

    def _check_environment(self, spec: InputSpec) -> None:
        location = TemplateLocation("", spec, ("name",))
        if spec.value is None and self.templates.template("{{" + spec.name + "}}", location).inputs:
            self.templates.inputs.pop(spec.name, None)
            message = f"input '{spec.name}' has no value; add value: '{{{{A_BOUND_VARIABLE}}}}'"
            self._problem(message, spec, "name", code="environment")

    def _check_has_location(self, spec: InputSpec) -> None:
        if spec.name not in self._inputs:
            message = f"input '{spec.name}' has no 'in'; add in: path, query, header, cookie or body"
            self._problem(message, spec, code="missing-key")

    def _add_override(self, spec: InputSpec) -> None:
        if spec.value is not None:
            message = f"'{spec.name}' is set by the authentication; this value is not sent"
            self._warn(message, spec, "value", code="authentication")
        else:
            self._add_parameter(_input(spec, required=False, implicit=False), spec.name)

    def _add_field(self, spec: InputSpec, in_: str) -> None:
        if in_ != "query" and not is_token(spec.name):
            self._problem(f"'{spec.name}' is not a valid {in_} name", spec, "name", code=f"{in_}-name")
            return
        value = self._value(spec, in_)
        if in_ == "query" and spec.type == "array" and "comma-separated" in (spec.description or "").lower():
            # The language has no key for it; documents only state it in the description.
            value = comma_joined_value(value)
        if in_ == "header" and isinstance(value, Constant):
            self._check_header(spec, text_of(value.value))
        if spec.value is None:
            self._add_parameter(_input(spec), spec.name)
        self._fields[in_].append(Field(spec.name, value, spec.name))

    def _check_header(self, spec: InputSpec, text: str) -> None:
        if CONTROL.search(text) or not text.isascii():
            message = f"the value of header '{spec.name}' must be ASCII text without control characters"
            self._problem(message, spec, "value", code="header-value")

    def _value(self, spec: InputSpec, in_: str) -> Value:
        if spec.value is None:
            return argument(spec.name)
        location = TemplateLocation(in_, spec, ("value",), spec.name)
        if isinstance(spec.value, str):
            template = self.templates.template(spec.value, location, exclude=spec.name)
            if template.constant is not None:
                return Constant(template.constant)
            names = template.inputs
            return lambda args: template.value(args) if any(name in args for name in names) else ABSENT
        return self.templates.value(spec.value, location, exclude=spec.name)

    def _compile_body(self) -> BodyBuilder | None:
        spec = self._scope.spec
        if spec.body is not None:
            return self._compile_declared_body(spec.body)
        fields = self._body_fields
        if not fields:
            return None
        if len(fields) == 1 and fields[0].name == "body":
            if fields[0].value is None:
                self._add_parameter(_input(fields[0], whole=True), "body")
            return json_body(self._value(fields[0], "body"))
        for field in fields:
            if field.value is None:
                self._add_parameter(_input(field), field.name)
        values = {field.name: self._value(field, "body") for field in fields}
        return json_fields(values, empty=spec.method not in _BODILESS)

    def _content_type(self) -> str | None:
        """Return the `Content-Type` that an input declares, if it is the same in every call."""
        for spec in self._declared:
            if spec.in_ == "header" and spec.name.lower() == "content-type" and spec.value is not None:
                value = self._value(spec, "header")
                return text_of(value.value) if isinstance(value, Constant) else None
        return None

    def _compile_declared_body(self, body: AnyBody) -> BodyBuilder:
        builder = compile_body(body, self.templates, "body", self._content_type())
        tag = whole_tag(body)
        whole = self.templates.template(tag, TemplateLocation("body", body, ("data",))).single if tag else None
        for field in self._body_fields:
            if field.value is None and field.name in self.templates.inputs:
                self._add_parameter(_input(field, whole=field.name == whole), field.name)
            elif field.value is None:
                message = f"the body does not use '{field.name}', which is not sent"
                self._warn(message, field, "name", code="unplaced-input")
        if whole:
            self._inputs.setdefault(whole, Input(whole, in_="body", whole=True))
        return builder


def _tag_names(text: str) -> list[str]:
    return [tag[1] or tag[2] for tag in PLACEHOLDER.finditer(text)]


def _input_name(tag: Match[str], specs: Mapping[str, InputSpec]) -> str:
    name = tag[1] or tag[2]
    return specs[name].name if name in specs else name


def _input(spec: InputSpec, **changes: Any) -> Input:
    return replace(Input.declared(spec), **{"whole": False, **changes})


def _constant_text(piece: Piece) -> str | None:
    """Return the text of a piece of a path that is the same in every call, or None."""
    if isinstance(piece, str):
        return piece
    return text_of(piece.value.value) if isinstance(piece.value, Constant) else None
