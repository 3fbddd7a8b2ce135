"""Declarations for the fields of a body, apart from their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from adapter_host import BuildContext, WireFormat, did_you_mean
from adapter_host_http.config import AnyBody, FormBody, HttpInputSpec, MultipartBody

from .templates import TemplateCompiler, TemplateLocation
from .wire import binary_type, compile_encoding, is_xml


@dataclass(frozen=True, slots=True)
class FormScope:
    """The declarations that apply to a body.

    `wire` has the formats of fields by name, `binary` the media types of inputs that are bytes, `inputs` the
    formats of the inputs that are whole fields, and `xml` the names of inputs that are XML.
    """

    wire: Mapping[str, WireFormat] = field(default_factory=dict)
    binary: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, WireFormat] = field(default_factory=dict)
    xml: Set[str] = frozenset()


def compile_form_scope(
    body: AnyBody, declared: Sequence[HttpInputSpec], templates: TemplateCompiler, context: BuildContext
) -> FormScope:
    """Compile the declarations that apply to a body; report problems of its `x-encoding`."""
    binary = {spec.name: media for spec in declared if (media := binary_type(spec)) is not None}
    if not isinstance(body, FormBody | MultipartBody):
        return FormScope(binary=binary, xml=frozenset(spec.name for spec in declared if is_xml(spec)))
    values = _values(body)
    wire = {}
    for name, encoding in body.encoding.items():
        if values is not None and name not in values:
            message = f"the body has no field '{name}'{did_you_mean(name, values)}; change the key of 'x-encoding'"
            context.problem(message, body, "x-encoding", name, code="wire-format")
        if (compiled := compile_encoding(encoding, context)) is not None:
            wire[name] = compiled
    inputs = {}
    for name, value in (values or {}).items():
        source = single_input(value, templates, _location(body, name))
        if source is not None:
            media = binary.get(source) if isinstance(body, MultipartBody) else None
            if name != source or name in wire or media is not None:
                inputs[source] = _input_format(name, wire.get(name), media)
    return FormScope(wire, binary, inputs)


def _input_format(name: str, declared: WireFormat | None, media_type: str | None) -> WireFormat:
    wire = declared or WireFormat()
    return replace(wire, name=name, content_type=wire.content_type or media_type, binary=media_type is not None)


def _values(body: FormBody | MultipartBody) -> Mapping[str, Any] | None:
    """Return the declared values of a form by field, or None for a form that is a text."""
    if isinstance(body, MultipartBody):
        return {part.name: part.value for part in body.data}
    return body.data if isinstance(body.data, dict) else None


def _location(body: FormBody | MultipartBody, name: str) -> TemplateLocation:
    if isinstance(body, FormBody):
        return TemplateLocation("body", body, ("data", name))
    return TemplateLocation("body", next(part for part in body.data if part.name == name), ("value",))


def single_input(value: Any, templates: TemplateCompiler, location: TemplateLocation) -> str | None:
    """Return the name of the input that is the whole value of a field, or None."""
    return templates.template(value, location).single if isinstance(value, str) else None
