"""Compile the keys that declare how requests carry an input or a field of a form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from adapter_host import STYLES, BuildContext, Model, Style, WireFormat, explodes_by_default, is_token
from adapter_host_http.config import EncodingSpec, HttpInputSpec

_OCTETS: Final = "application/octet-stream"
_SCALARS: Final = frozenset({"string", "integer", "number", "boolean"})
_COMPOUND: Final[frozenset[Style]] = frozenset({"spaceDelimited", "pipeDelimited", "deepObject"})
"""The styles of arrays and objects only."""

_KEYS: Final[Mapping[str, str]] = {
    "style": "x-style",
    "explode": "x-explode",
    "allow_reserved": "x-allow-reserved",
    "content_type": "x-content-type",
}
_XML: Final = re.compile(r".*[/+]xml")
_DEFS: Final = "#/$defs/"
_PROSE: Final = "comma-separated"


def compile_wire(spec: HttpInputSpec, in_: str, context: BuildContext) -> WireFormat | None:
    """Return the format that an input declares, or None for one that declares nothing; report problems."""
    keys = [key for field, key in _KEYS.items() if getattr(spec, field) is not None]
    name = spec.wire_name if spec.wire_name != spec.name else None
    binary = binary_type(spec) if in_ == "body" else None
    if in_ not in STYLES:
        for key in keys:
            message = f"'{key}' is not allowed for an input in: {in_}; remove it"
            hint = ", or use 'x-encoding' of the body" if in_ == "body" else ""
            context.problem(message + hint, spec, key, code="wire-format")
        return WireFormat(name, content_type=binary, binary=binary is not None) if name or binary else None
    if declares_by_prose(spec, in_):
        message = f"'{spec.name}' is joined with commas because its description says '{_PROSE}'; add x-explode: false"
        context.warn(message, spec, "description", code="prose-style")
        return WireFormat(name, "form", explode=False)
    if not keys:
        return WireFormat(name) if name else None
    if spec.content_type is not None:
        for key in keys:
            if key != "x-content-type":
                message = f"'x-content-type' and '{key}' are mutually exclusive; remove one"
                context.problem(message, spec, key, code="conflicting-keys")
        return WireFormat(name, content_type=spec.content_type)
    style = spec.style or STYLES[in_][0]
    if style not in STYLES[in_]:
        allowed = " or ".join(STYLES[in_])
        message = f"the style '{style}' is not allowed for an input in: {in_}; use {allowed}"
        context.problem(message, spec, "x-style", code="wire-format")
        return WireFormat(name)
    if spec.allow_reserved is not None and in_ != "query":
        message = f"'x-allow-reserved' is not allowed for an input in: {in_}; remove it"
        context.problem(message, spec, "x-allow-reserved", code="wire-format")
    _check_style(style, spec.type, spec.explode, spec, ("x-style",), ("x-explode",), context)
    explode = explodes_by_default(style) if spec.explode is None else spec.explode
    return WireFormat(name, style, explode or style == "deepObject", bool(spec.allow_reserved))


def declares_by_prose(spec: HttpInputSpec, in_: str) -> bool:
    """Return whether only the description of an input says that its elements are joined with commas."""
    # Documents from before the keys have no other way.
    if in_ != "query" or spec.type != "array" or _PROSE not in (spec.description or "").lower():
        return False
    return all(getattr(spec, field) is None for field in _KEYS)


def compile_encoding(spec: EncodingSpec, context: BuildContext) -> WireFormat | None:
    """Return the format that a field of a form declares, or None without one; report problems."""
    for name in spec.headers:
        if not is_token(name) or name.lower().startswith("content-"):
            message = f"'{name}' is not a header that a part can have; remove it, or use 'contentType' or 'filename'"
            context.problem(message, spec, "headers", name, code="wire-format")
    style_keys = [
        key
        for field, key in (("style", "style"), ("explode", "explode"), ("allow_reserved", "allowReserved"))
        if getattr(spec, field) is not None
    ]
    if not style_keys:
        return WireFormat(content_type=spec.content_type) if spec.content_type else None
    if spec.content_type is not None:
        message = "'contentType' is ignored with a style (OpenAPI 3.1, section 4.8.15.1.2); remove one"
        context.warn(message, spec, "contentType", code="ignored")
    style = spec.style or "form"
    if style not in STYLES["query"]:
        message = f"the style '{style}' is not allowed in a form; use {' or '.join(STYLES['query'])}"
        context.problem(message, spec, "style", code="wire-format")
        return None
    _check_style(style, None, spec.explode, spec, ("style",), ("explode",), context)
    explode = explodes_by_default(style) if spec.explode is None else spec.explode
    return WireFormat(None, style, explode or style == "deepObject", bool(spec.allow_reserved))


def _check_style(
    style: Style,
    type_name: str | None,
    explode: bool | None,
    model: Model,
    style_keys: tuple[str, ...],
    explode_keys: tuple[str, ...],
    context: BuildContext,
) -> None:
    if style == "deepObject" and explode is False:
        message = "the style 'deepObject' is always exploded; remove 'explode: false'"
        context.problem(message, model, *explode_keys, code="wire-format")
    if style in _COMPOUND and type_name in _SCALARS:
        message = f"the style '{style}' has no effect on the type {type_name}; remove it, or change 'type'"
        context.warn(message, model, *style_keys, code="wire-format")


def binary_type(spec: HttpInputSpec) -> str | None:
    """Return the media type of an input that is bytes, or None; those of an array are its elements.

    Bytes are base64 text for callers, or null.
    """
    return None if spec.json_schema is None else _binary_type(spec.json_schema.data, spec.json_schema.data)


def is_xml(spec: HttpInputSpec) -> bool:
    """Return whether the values of an input are XML, as `contentMediaType` of its schema says."""
    schema = {} if spec.json_schema is None else spec.json_schema.data
    media_type = schema.get("contentMediaType")
    return isinstance(media_type, str) and "contentEncoding" not in schema and _XML.fullmatch(media_type) is not None


def _binary_type(schema: Any, root: Mapping[str, Any]) -> str | None:
    if not isinstance(schema, Mapping):
        return None
    if (reference := schema.get("$ref")) is not None:
        return _binary_type(root.get("$defs", {}).get(str(reference).removeprefix(_DEFS)), {**root, "$defs": {}})
    if schema.get("contentEncoding") == "base64":
        media_type = schema.get("contentMediaType")
        return media_type if isinstance(media_type, str) and "*" not in media_type else _OCTETS
    if (items := schema.get("items")) is not None:
        return _binary_type(items, root)
    branches = [branch for key in ("anyOf", "oneOf") for branch in schema.get(key, ()) if branch != {"type": "null"}]
    types = {_binary_type(branch, root) for branch in branches}
    return types.pop() if len(types) == 1 else None
