"""From an operation's declaration to the plan of its requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from adapter_host import (
    ABSENT,
    ArgumentError,
    Arguments,
    Input,
    InputSpec,
    Model,
    is_connection_header,
    is_token,
    normalize_name,
    text_of,
)
from adapter_host_http.config import AnyBody
from adapter_host_http.encoding import CONTROL, climbs, listed

from .body import MakeBody, compile_body, json_body, json_fields, whole_tag
from .plan import Carried, Field, RequestParts, RequestPlan
from .scope import Unit, declared_inputs
from .templates import Constant, TemplateCompiler, TemplateLocation, Value
from .url import PLACEHOLDER, Path, Piece, Placeholder, parse_path

_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})


class Compiler:
    """Compiles one operation; a masked plan shows secrets by name, for people."""

    def __init__(self, unit: Unit, *, masked: bool = False) -> None:
        self._unit = unit
        self._masked = masked
        self._declared = declared_inputs(unit)
        names = {spec.name for spec in self._declared if spec.value is None and spec.in_ != "environment"}
        constants = {spec.name: text_of(spec.value) for spec in self._declared if spec.value is not None}
        self.texts = TemplateCompiler(unit.context, names, constants, masked=masked)
        self.carried: list[Carried] = []
        self._inputs: dict[str, Input] = {}
        self._fields: dict[str, list[Field]] = {"query": [], "header": [], "cookie": []}
        self._body_fields: list[InputSpec] = []

    def compile(self) -> RequestPlan:
        """Return the plan; problems are reported to the context."""
        self._add_credential()
        path = self._compile_path()
        for spec in self._declared:
            self._add(spec)
        body = self._compile_body()
        for name, spot in self.texts.found.items():
            self._carry(Input(name, in_=spot.in_, required=spot.in_ == "path"), spot.name or name)
        self._add_own_headers()
        fields = {place: tuple(found) for place, found in self._fields.items()}
        parts = RequestParts(self._unit.spec.method, path, fields["query"], fields["header"], fields["cookie"], body)
        return RequestPlan(parts, tuple(self._inputs.values()))

    def _problem(self, message: str, model: Model, *keys: str | int, code: str) -> None:
        self._unit.context.problem(message, model, *keys, code=code)

    def _warn(self, message: str, model: Model, *keys: str | int, code: str) -> None:
        self._unit.context.warn(message, model, *keys, code=code)

    def _carry(self, given: Input, name: str) -> None:
        self._inputs.setdefault(given.name, given)
        self.carried.append(Carried(given.name, given.in_ or "", name, given.required, given.whole))

    def _compile_path(self) -> Path:
        text, mark, query = self._unit.path.partition("?")
        if "#" in PLACEHOLDER.sub("", self._unit.path):
            spot = self._unit.path_spot
            self._problem("a path may hold no fragment ('#')", spot.model, *spot.keys, code="path")
        segments = parse_path(text, self._placeholder)
        segments += [[self._appended(spec)] for spec in self._unplaced(segments)]
        for segment in segments:
            self._check_literal(segment)
        for pair in query.split("&") if mark else ():
            self._add_pair(pair)
        try:
            return Path(segments)
        except ArgumentError as error:
            spot = self._unit.path_spot
            self._problem(f"{error.message} (in the path)", spot.model, *spot.keys, code="path")
            return Path([])

    def _placeholder(self, tag: str) -> Placeholder:
        name = tag.strip("{}& ")
        bound = tag.startswith("{{") and self._unit.context.loaded.binds.find(name) is not None
        spec = None if bound else self._find_path(name)
        if spec is None and tag.startswith("{{"):
            template = self.texts.template(tag, self._unit.path_spot)
            if template.constant is not None:
                return Placeholder(name, Constant(template.constant))
            name = template.single or name
            spec = self._find_path(name)
        if spec is None:
            self.texts.found.pop(name, None)
            self._carry(Input(name, type="string", required=True, in_="path"), name)
            return Placeholder(name, _argument(name))
        return self._path_value(spec)

    def _find_path(self, name: str) -> InputSpec | None:
        specs = [spec for spec in self._declared if spec.in_ in ("path", None)]
        exact = (spec for spec in specs if spec.name == name)
        folded = (spec for spec in specs if normalize_name(spec.name) == normalize_name(name))
        return next(exact, None) or next(folded, None)

    def _path_value(self, spec: InputSpec) -> Placeholder:
        if spec.value is None:
            self.texts.found.pop(spec.name, None)
            self._carry(_input(spec, in_="path", required=True), spec.name)
        return Placeholder(spec.name, self._value(spec, "path"))

    def _unplaced(self, segments: list[list[Piece]]) -> Iterator[InputSpec]:
        placed = {piece.name for segment in segments for piece in segment if isinstance(piece, Placeholder)}
        own = (*self._unit.resource.input_parameters, *self._unit.spec.input_parameters)
        for spec in self._declared:
            if spec.in_ == "path" and spec.name not in placed and any(spec is given for given in own):
                yield spec

    def _appended(self, spec: InputSpec) -> Placeholder:
        message = f"the path has no place for '{spec.name}', so it is sent as the last segment"
        self._warn(f"{message} (write {self._unit.path}/{{{spec.name}}})", spec, "name", code="unplaced-input")
        return self._path_value(spec)

    def _check_literal(self, segment: list[Piece]) -> None:
        fixed = [_fixed(piece) for piece in segment]
        if climbs("".join(text for text in fixed if text is not None)) and None not in fixed:
            spot = self._unit.path_spot
            self._problem("a path may hold no '.' or '..' as a segment", spot.model, *spot.keys, code="path")

    def _add_pair(self, pair: str) -> None:
        name, _, text = pair.partition("=")
        doubled = PLACEHOLDER.sub(lambda tag: "{{" + (tag[1] or tag[2]) + "}}", text)
        spot = self._unit.path_spot
        value = self.texts.value(doubled, TemplateLocation("query", spot.model, spot.keys, name))
        if name:
            self._fields["query"].append(Field(name, value, name))

    def _add_credential(self) -> None:
        credential = self._unit.credential
        if credential is None:
            return
        text = credential.masked if self._masked else credential.value
        # What a handshake gives is added on the wire, to the request that does not have it.
        otherwise = text if text or credential.auth_flow is None else ABSENT
        value: Value = Constant(otherwise)
        if instead := next((s for s in self._declared if s.value is None and self._is_credential(s)), None):
            value = _argument_or(instead.name, otherwise)
        elif otherwise is ABSENT:
            return
        self._fields[credential.in_].append(Field(credential.name, value, credential.name))

    def _is_credential(self, spec: InputSpec) -> bool:
        credential = self._unit.credential
        return credential is not None and credential.takes(spec.in_, spec.name)

    def _add(self, spec: InputSpec) -> None:
        if spec.in_ == "environment":
            self._check_environment(spec)
        elif spec.in_ == "body":
            self._body_fields.append(spec)
        elif spec.in_ is None:
            self._check_placed(spec)
        elif spec.in_ == "header" and is_connection_header(spec.name):
            message = f"header '{spec.name}' belongs to the connection, so it is not sent"
            self._warn(message, spec, "name", code="dropped-header")
        elif self._is_credential(spec):
            self._add_instead(spec)
        elif spec.in_ != "path":
            self._add_field(spec, spec.in_)

    def _add_own_headers(self) -> None:
        set_already = {f.name.lower() for f in self._fields["header"] if isinstance(f.value, Constant)}
        for name, value in self._unit.headers:
            if name.lower() not in set_already:
                self._fields["header"].append(Field(name, Constant(value), name))

    def _check_environment(self, spec: InputSpec) -> None:
        if (
            spec.value is None
            and self.texts.template("{{" + spec.name + "}}", TemplateLocation("", spec, ("name",))).inputs
        ):
            self.texts.found.pop(spec.name, None)
            message = f"nothing gives '{spec.name}' its value (add value: '{{{{A_BOUND_VARIABLE}}}}')"
            self._problem(message, spec, "name", code="environment")

    def _check_placed(self, spec: InputSpec) -> None:
        if spec.name not in self._inputs:
            message = f"input '{spec.name}' says not where it goes (in: path, query, header, cookie or body)"
            self._problem(message, spec, code="missing-key")

    def _add_instead(self, spec: InputSpec) -> None:
        if spec.value is not None:
            message = f"'{spec.name}' is what the authentication sets, so this value is not sent"
            self._warn(message, spec, "value", code="authentication")
        else:
            self._carry(_input(spec, required=False, implicit=False), spec.name)

    def _add_field(self, spec: InputSpec, place: str) -> None:
        if place != "query" and not is_token(spec.name):
            self._problem(f"'{spec.name}' is no name of a {place}", spec, "name", code=f"{place}-name")
            return
        value = self._value(spec, place)
        if place == "query" and spec.type == "array" and "comma-separated" in (spec.description or "").lower():
            # The language has no word for it; the documents that mean it say so here, and only here.
            value = _between_commas(value)
        if place == "header" and isinstance(value, Constant):
            self._check_header(spec, text_of(value.value))
        if spec.value is None:
            self._carry(_input(spec), spec.name)
        self._fields[place].append(Field(spec.name, value, spec.name))

    def _check_header(self, spec: InputSpec, text: str) -> None:
        if CONTROL.search(text) or not text.isascii():
            message = f"the value of header '{spec.name}' may hold only ASCII characters and no control characters"
            self._problem(message, spec, "value", code="header-value")

    def _value(self, spec: InputSpec, place: str) -> Value:
        if spec.value is None:
            return _argument(spec.name)
        spot = TemplateLocation(place, spec, ("value",), spec.name)
        if isinstance(spec.value, str):
            template = self.texts.template(spec.value, spot, own=spec.name)
            if template.constant is not None:
                return Constant(template.constant)
            names = template.inputs
            return lambda args: template.value(args) if any(name in args for name in names) else ABSENT
        return self.texts.value(spec.value, spot, own=spec.name)

    def _compile_body(self) -> MakeBody | None:
        spec = self._unit.spec
        if spec.body is not None:
            return self._declared_body(spec.body)
        fields = self._body_fields
        if not fields:
            return None
        if len(fields) == 1 and fields[0].name == "body":
            if fields[0].value is None:
                self._carry(_input(fields[0], whole=True), "body")
            return json_body(self._value(fields[0], "body"))
        for field in fields:
            if field.value is None:
                self._carry(_input(field), field.name)
        values = {field.name: self._value(field, "body") for field in fields}
        return json_fields(values, empty=spec.method not in _BODILESS)

    def _declared_body(self, body: AnyBody) -> MakeBody:
        made = compile_body(body, self.texts, "body")
        tag = whole_tag(body)
        whole = self.texts.template(tag, TemplateLocation("body", body, ("data",))).single if tag else None
        for field in self._body_fields:
            if field.value is None and field.name in self.texts.found:
                self._carry(_input(field, whole=field.name == whole), field.name)
            elif field.value is None:
                message = f"the body has no place for '{field.name}', so it is not sent"
                self._warn(message, field, "name", code="unplaced-input")
        if whole:
            self._inputs.setdefault(whole, Input(whole, in_="body", whole=True))
        return made


def _argument(name: str) -> Value:
    return lambda arguments: arguments.get(name, ABSENT)


def _between_commas(value: Value) -> Value:
    if isinstance(value, Constant):
        return Constant(_listed(value.value))
    return lambda arguments: _listed(value(arguments))


def _listed(value: Any) -> Any:
    return value if value is None or value is ABSENT else listed(value)


def _argument_or(name: str, otherwise: Any) -> Value:
    def value(arguments: Arguments) -> Any:
        given = arguments.get(name)
        return otherwise if given is None or given is ABSENT else given

    return value


def _input(spec: InputSpec, **changes: Any) -> Input:
    known: dict[str, Any] = {
        "name": spec.name,
        "type": spec.type,
        "required": bool(spec.required),
        "description": spec.description,
        "in_": spec.in_,
        "pattern": spec.pattern,
    }
    return Input(**{**known, **changes})


def _fixed(piece: Piece) -> str | None:
    """Return the text of a part of a path that no call changes."""
    if isinstance(piece, str):
        return piece
    return text_of(piece.value.value) if isinstance(piece.value, Constant) else None
