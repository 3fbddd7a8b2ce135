"""Formats by label, each compiled for one operation; only declared formats are imported."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import orjson

from adapter_host import BuildContext
from adapter_host_http.config import HttpOperationSpec
from adapter_host_http.conversions.conversion import Conversion

JSON: Final = "application/json"


Encode = Callable[[Any], bytes]
"""Encode data in a format, for the mock server."""


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """A format by its label; `module` compiles it and needs the packages that `requires` names."""

    title: str
    media_types: tuple[str, ...]
    module: str | None = None
    requires: str | None = None
    ambiguous: bool = False
    """Whether nearly any content is valid, so that the media type must match."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format compiled for one operation; converted responses are sent to callers as JSON.

    `decode` returns the data of a response; None for JSON.
    """

    info: FormatInfo
    decode: Callable[[bytes], Any] | None = None
    conversion: Conversion | None = None
    encode: Encode = orjson.dumps
    allows_empty: bool = False
    """Whether an empty body is a valid response."""

    @property
    def media_type(self) -> str:
        """Return the media type of a response without `Content-Type`."""
        return self.info.media_types[0]


@dataclass(frozen=True, slots=True)
class FormatDeclaration:
    """The declaration of a format: the operation, and the context to report problems to."""

    spec: HttpOperationSpec
    context: BuildContext
    info: FormatInfo

    @property
    def schema(self) -> str:
        """Return the text of `outputSchema`, or an empty text."""
        return (self.spec.output_schema or "").strip()

    def problem(self, message: str, key: str = "outputSchema", *, code: str = "output-schema") -> None:
        """Report a problem of the operation."""
        self.context.problem(message, self.spec, key, code=code)


FORMATS: Final = {
    "json": FormatInfo("JSON", (JSON,)),
    "xml": FormatInfo("XML", ("application/xml", "text/xml"), "xml"),
    "csv": FormatInfo("CSV", ("text/csv",), "separated", ambiguous=True),
    "tsv": FormatInfo("TSV", ("text/tab-separated-values",), "separated", ambiguous=True),
    "psv": FormatInfo("PSV", ("text/plain",), "separated", ambiguous=True),
    "yaml": FormatInfo("YAML", ("application/yaml", "application/x-yaml", "text/yaml"), "yaml"),
    "html": FormatInfo("HTML", ("text/html", "application/xhtml+xml"), "html", "lxml and cssselect", ambiguous=True),
    "markdown": FormatInfo("Markdown", ("text/markdown",), "markdown", "pyromark", ambiguous=True),
    "avro": FormatInfo("Avro", ("application/avro", "avro/binary"), "avro", "fastavro"),
    "protobuf": FormatInfo("Protobuf", ("application/protobuf", "application/x-protobuf"), "protobuf", "protobuf"),
    "binary": FormatInfo("bytes", ("application/octet-stream",)),
}


def _as_text(body: bytes) -> str:
    return b64encode(body).decode()


_BUILT_IN: Final = {
    "json": Format(FORMATS["json"]),
    "binary": Format(FORMATS["binary"], decode=_as_text),
}


def accept_header(label: str) -> str:
    """Return the Accept header for a format; an API that knows the format by another name may still respond."""
    if label == "binary":
        return "*/*"
    info = FORMATS.get(label, FORMATS["json"])
    return JSON if info.module is None else ", ".join((*info.media_types, "*/*;q=0.1"))


def compile_format(spec: HttpOperationSpec, context: BuildContext) -> Format:
    """Compile the response format of an operation; report problems and fall back to JSON. May read a schema."""
    label = spec.output_raw_format
    info = FORMATS.get(label)
    if info is None:
        context.problem(_unknown_format_message(label), spec, "outputRawFormat", code="unknown-format")
        return _BUILT_IN["json"]
    if info.module is None:
        return _BUILT_IN[label]
    declared = FormatDeclaration(spec, context, info)
    try:
        compiled: Format | None = import_module(f"{__package__}.{info.module}").compile_format(declared)
    except ImportError as error:
        command = "pip install 'adapter-host-http[formats]'"
        message = (
            f"outputRawFormat '{label}' needs {info.requires}, which cannot be imported ({error.msg}); run {command}"
        )
        declared.problem(message, "outputRawFormat", code="missing-package")
        compiled = None
    return compiled or _BUILT_IN["json"]


def _unknown_format_message(label: str) -> str:
    close = get_close_matches(label, FORMATS, 1, 0.6)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"unknown outputRawFormat '{label}'{hint} (known: {', '.join(FORMATS)})"
