"""XML: elements as objects."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from adapter_host_http.conversions.conversion import Conversion

from .format import Format, FormatDeclaration


def compile_format(declared: FormatDeclaration) -> Format:
    """Compile XML, which has no options."""
    return Format(declared.info, conversion=Conversion("xml"), encode=to_xml)


def to_xml(data: Any) -> bytes:
    """Encode data as XML, everything as elements."""
    return f"<response>{_element('value', data) if isinstance(data, list) else _inner(data)}</response>".encode()


def _inner(data: Any) -> str:
    if isinstance(data, dict):
        return "".join(_element(name, value) for name, value in data.items())
    return escape("" if data is None else data if isinstance(data, str) else str(data))


def _element(name: str, data: Any) -> str:
    if isinstance(data, list):
        return "".join(_element(name, item) for item in data)
    return f"<{name}>{_inner(data)}</{name}>" if name else _inner(data)
