"""Styles of parameters: the keys of an input whose serialization is not the host's default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from adapter_host.http_syntax import bare_media_type
from adapter_host.openapi.media import is_json, is_media_type
from adapter_host.openapi.source.documents import Cursor

STYLE: Final = "x-style"
EXPLODE: Final = "x-explode"

_STYLES: Final[Mapping[str, tuple[str, ...]]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form", "cookie"),
}
"""The styles of each location, the default first."""

_COLLECTION_STYLES: Final = {"csv": "form", "ssv": "spaceDelimited", "pipes": "pipeDelimited"}
"""Styles of the collection formats of OpenAPI 2.0 in queries and forms."""


def style_keys(parameter: Cursor, in_: str, type_name: str | None) -> dict[str, Any]:
    """Return the keys for a parameter of OpenAPI 3; warn about unknown styles."""
    value = parameter.value
    if "schema" not in value and isinstance(value.get("content"), dict):
        return _content_keys(parameter, type_name)
    styles = _STYLES.get(in_, ("form",))
    style = value.get("style", styles[0])
    if style not in styles:
        parameter.warn(f"unknown style for '{in_}'; '{styles[0]}' is used (known: {', '.join(styles)})")
        style = styles[0]
    explode = value["explode"] if isinstance(value.get("explode"), bool) else style in ("form", "cookie")
    keys = _keys(in_, style, type_name, explode=explode)
    # OpenAPI 3.2 has it for other locations, too.
    return {**keys, "x-allow-reserved": True} if in_ == "query" and value.get("allowReserved") is True else keys


def _keys(in_: str, style: str, type_name: str | None, *, explode: bool) -> dict[str, Any]:
    if type_name not in ("array", "object", None):
        return {STYLE: style} if style in ("label", "matrix") else {}
    is_default = explode == (style in ("form", "cookie"))
    declared = {STYLE: style} if is_default or style == "deepObject" else {STYLE: style, EXPLODE: explode}
    # Without a style the host repeats the parameter for an array in a query; a value of any type has no style.
    is_plain = is_default and style == _STYLES.get(in_, ("form",))[0]
    return {} if is_plain and (type_name is None or (type_name == "array" and in_ == "query")) else declared


def _content_keys(parameter: Cursor, type_name: str | None) -> dict[str, Any]:
    media_type = next(map(bare_media_type, parameter.value["content"]), "")
    if is_media_type(media_type) and is_json(media_type):
        return {"x-content-type": "application/json" if "*" in media_type else media_type}
    if type_name not in ("string", None):
        parameter.warn(f"content of type '{media_type[:80]}' is sent as text; only JSON is serialized")
    return {}


def collection_keys(parameter: Cursor, in_: str) -> dict[str, Any]:
    """Return the keys for a parameter of OpenAPI 2.0."""
    if parameter.value.get("type") != "array":
        return {}
    style = collection_style(parameter)
    if in_ in ("path", "header"):
        if style not in (None, "form"):
            parameter.warn(f"an array in the {in_} is joined by commas")
        return {STYLE: "simple"}
    return {} if style is None else {STYLE: style, EXPLODE: False}


def collection_style(parameter: Cursor) -> str | None:
    """Return the style of an array's collection format, which is not exploded; None for a repeated parameter."""
    collection_format = parameter.value.get("collectionFormat", "csv")
    if collection_format == "multi":
        return None
    style = _COLLECTION_STYLES.get(collection_format) if isinstance(collection_format, str) else None
    if style is None:
        parameter.warn("the collection format is not supported; arrays are joined by commas")
    return style or "form"
