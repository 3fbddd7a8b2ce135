"""Compile the declaration of an operation to the plan of its requests."""

from __future__ import annotations

from typing import Final

from adapter_host import (
    ABSENT,
    Input,
    Model,
    WireFormat,
    is_connection_header,
    is_token,
    text_of,
)
from adapter_host_http.config import AnyBody, HttpInputSpec
from adapter_host_http.encoding import CONTROL

from .body import (
    FORM,
    MULTIPART,
    TEXT,
    BodyBuilder,
    binary_input,
    bytes_body,
    compile_body,
    json_body,
    json_fields,
    text_input,
    whole_tag,
)
from .form_scope import compile_form_scope
from .path_compiler import PathCompiler, declared_input
from .plan import Field, Parameter, RequestParts, RequestPlan
from .scope import OperationScope, effective_inputs
from .styles import Styled, header_serializer
from .templates import Constant, TemplateCompiler, TemplateLocation, Value
from .values import argument, argument_or, comma_joined_value, converted
from .wire import compile_wire, declares_by_prose

_FORM_TYPES: Final = {"formUrlEncoded": FORM, "multipartForm": MULTIPART}
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
        self.unplaced: tuple[HttpInputSpec, ...] = ()
        self._inputs: dict[str, Input] = {}
        self._fields: dict[str, list[Field]] = {"query": [], "header": [], "cookie": []}
        self._body_fields: list[HttpInputSpec] = []
        self._body_wire: dict[str, WireFormat] = {}
        self.body_type: str | None = None

    def compile(self) -> RequestPlan:
        """Return the plan; report problems to the context."""
        self._add_credential()
        paths = PathCompiler(self._scope, self._declared, self.templates, self._add_parameter, self._value)
        path = paths.compile()
        self.unplaced = paths.unplaced
        self._fields["query"] += paths.query
        for spec in self._declared:
            self._add(spec)
        body = self._compile_body()
        for name, location in self.templates.inputs.items():
            item = Input(name, in_=location.in_, required=location.in_ == "path", wire=self._body_wire.get(name))
            self._add_parameter(item, location.name or name)
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
        parameter = Parameter(input_.name, input_.in_ or "", name, input_.required, input_.whole, input_.wire)
        self.parameters.append(parameter)

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

    def _is_credential(self, spec: HttpInputSpec) -> bool:
        credential = self._scope.credential
        return credential is not None and credential.matches(spec.in_, spec.request_name)

    def _add(self, spec: HttpInputSpec) -> None:
        if spec.in_ == "environment":
            self._check_environment(spec)
        elif spec.in_ == "body":
            self._body_fields.append(spec)
        elif spec.in_ is None:
            self._check_has_location(spec)
        elif spec.in_ == "header" and is_connection_header(spec.request_name):
            message = f"header '{spec.request_name}' belongs to the connection and is not sent"
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

    def _check_environment(self, spec: HttpInputSpec) -> None:
        location = TemplateLocation("", spec, ("name",))
        if spec.value is None and self.templates.template("{{" + spec.name + "}}", location).inputs:
            self.templates.inputs.pop(spec.name, None)
            message = f"input '{spec.name}' has no value; add value: '{{{{A_BOUND_VARIABLE}}}}'"
            self._problem(message, spec, "name", code="environment")

    def _check_has_location(self, spec: HttpInputSpec) -> None:
        if spec.name not in self._inputs:
            message = f"input '{spec.name}' has no 'in'; add in: path, query, header, cookie or body"
            self._problem(message, spec, code="missing-key")

    def _add_override(self, spec: HttpInputSpec) -> None:
        if spec.value is not None:
            message = f"'{spec.name}' is set by the authentication; this value is not sent"
            self._warn(message, spec, "value", code="authentication")
        else:
            self._add_parameter(declared_input(spec, required=False, implicit=False), spec.name)

    def _add_field(self, spec: HttpInputSpec, in_: str) -> None:
        name = spec.request_name
        if in_ != "query" and not is_token(name):
            self._problem(f"'{name}' is not a valid {in_} name", spec, _name_key(spec), code=f"{in_}-name")
            return
        value, wire = self._value(spec, in_), compile_wire(spec, in_, self._scope.context)
        styled = wire if wire is not None and (wire.style or wire.content_type) else None
        if declares_by_prose(spec, in_):
            # Commas are percent-encoded, as they were before the keys.
            value, styled = comma_joined_value(value), None
        elif styled is not None and in_ == "header":
            value, styled = converted(value, header_serializer(Styled(name, styled, spec.name))), None
        if in_ == "header" and isinstance(value, Constant):
            self._check_header(spec, text_of(value.value))
        if spec.value is None:
            self._add_parameter(declared_input(spec, wire=wire), name)
        self._fields[in_].append(Field(name, value, spec.name, styled))

    def _check_header(self, spec: HttpInputSpec, text: str) -> None:
        if CONTROL.search(text) or not text.isascii():
            message = f"the value of header '{spec.name}' must be ASCII text without control characters"
            self._problem(message, spec, "value", code="header-value")

    def _value(self, spec: HttpInputSpec, in_: str) -> Value:
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
        wires = {field.name: compile_wire(field, "body", self._scope.context) for field in fields}
        if not fields:
            return None
        if len(fields) == 1 and fields[0].name == "body":
            return self._compile_whole_body(fields[0], wires["body"])
        for field in fields:
            if field.value is None:
                wire = wires[field.name]
                self._add_parameter(
                    declared_input(field, wire=WireFormat(wire.name) if wire and wire.name else None),
                    field.request_name,
                )
        values = {field.request_name: self._value(field, "body") for field in fields}
        return json_fields(values, empty=spec.method not in _BODILESS)

    def _compile_whole_body(self, field: HttpInputSpec, wire: WireFormat | None) -> BodyBuilder:
        if field.value is None:
            self._add_parameter(declared_input(field, whole=True, wire=wire), "body")
        if wire is not None and wire.binary and wire.content_type is not None:
            self.body_type = self._content_type() or wire.content_type
            return bytes_body(field.name, self._value(field, "body"), wire.content_type)
        self.body_type = self._content_type()
        return json_body(self._value(field, "body"))

    def _content_type(self) -> str | None:
        """Return the `Content-Type` that an input declares, if it is the same in every call."""
        for spec in self._declared:
            if spec.in_ == "header" and spec.request_name.lower() == "content-type" and spec.value is not None:
                value = self._value(spec, "header")
                return text_of(value.value) if isinstance(value, Constant) else None
        return None

    def _compile_declared_body(self, body: AnyBody) -> BodyBuilder:
        for field in self._body_fields:
            compile_wire(field, "body", self._scope.context)
        scope = compile_form_scope(body, self._declared, self.templates, self._scope.context)
        self._body_wire.update(scope.inputs)
        content_type = self._content_type()
        builder = compile_body(body, self.templates, "body", scope, content_type)
        tag = whole_tag(body)
        whole = self.templates.template(tag, TemplateLocation("body", body, ("data",))).single if tag else None
        self.body_type = content_type or _FORM_TYPES.get(body.type)
        if (name := binary_input(body, self.templates, scope)) is not None:
            whole, media_type = name, scope.binary[name]
            self._body_wire[name] = WireFormat(content_type=media_type, binary=True)
            self.body_type = content_type or media_type
        elif (name := text_input(body, self.templates)) is not None:
            self.body_type = content_type or TEXT
            self._body_wire.setdefault(name, WireFormat(content_type=self.body_type))
        for field in self._body_fields:
            if field.value is None and field.name in self.templates.inputs:
                wire = self._body_wire.get(field.name)
                self._add_parameter(declared_input(field, whole=field.name == whole, wire=wire), field.name)
            elif field.value is None:
                message = f"the body does not use '{field.name}', which is not sent"
                self._warn(message, field, "name", code="unplaced-input")
        if whole:
            self._inputs.setdefault(whole, Input(whole, in_="body", whole=True))
        return builder


def _name_key(spec: HttpInputSpec) -> str:
    return "name" if spec.wire_name is None else "x-name"
