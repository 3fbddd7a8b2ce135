"""The formats by their labels, each compiled for one operation; only those that are declared are imported."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, NoReturn

import orjson

from adapter_host import BuildContext
from adapter_host_http.config import HttpOperationSpec

JSON: Final = "application/json"


class FormatError(ValueError):
    """An answer, or a schema, that is not as its format asks; the message holds nothing of an answer."""


Convert = Callable[[bytes, str | None], Any]
"""Gives an answer's data, by its bytes and their declared charset; raises `ValueError`."""

Encode = Callable[[Any], bytes]
"""Writes data in a format, for the stand-in."""


@dataclass(frozen=True, slots=True)
class FormatInfo:
    """A format as its label names it; `module` compiles it, with what `requires` says installed."""

    title: str
    media_types: tuple[str, ...]
    module: str | None = None
    requires: str | None = None
    ambiguous: bool = False
    """Whether nearly everything could be in it, so that the media type has to tell."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format compiled for one operation; what it converts goes to callers as JSON."""

    info: FormatInfo
    decode: Callable[[bytes], Any] = orjson.loads
    checked: bool = True
    convert: Convert | None = None
    encode: Encode = orjson.dumps
    allows_empty: bool = False
    """Whether no bytes at all are an answer too."""

    @property
    def media_type(self) -> str:
        """What an answer that does not say is taken for."""
        return self.info.media_types[0]


@dataclass(frozen=True, slots=True)
class FormatDeclaration:
    """What a format is compiled from: the operation, and where to say what is wrong with it."""

    spec: HttpOperationSpec
    context: BuildContext
    info: FormatInfo

    @property
    def schema(self) -> str:
        """The text of `outputSchema`; nothing when there is none."""
        return (self.spec.output_schema or "").strip()

    def problem(self, message: str, key: str = "outputSchema", *, code: str = "output-schema") -> None:
        """Report what keeps the operation from running."""
        self.context.problem(message, self.spec, key, code=code)


FORMATS: Final = {
    "json": FormatInfo("JSON", (JSON,)),
    "xml": FormatInfo("XML", ("application/xml", "text/xml"), "xml"),
    "csv": FormatInfo("CSV", ("text/csv",), "separated", ambiguous=True),
    "tsv": FormatInfo("TSV", ("text/tab-separated-values",), "separated", ambiguous=True),
    "psv": FormatInfo("PSV", ("text/plain",), "separated", ambiguous=True),
    "yaml": FormatInfo("YAML", ("application/yaml", "application/x-yaml", "text/yaml"), "yaml"),
    "html": FormatInfo("HTML", ("text/html", "application/xhtml+xml"), "html", "lxml and cssselect", ambiguous=True),
    "markdown": FormatInfo("Markdown", ("text/markdown",), "markdown", "markdown-it-py", ambiguous=True),
    "avro": FormatInfo("Avro", ("application/avro", "avro/binary"), "avro", "fastavro"),
    "protobuf": FormatInfo("Protobuf", ("application/protobuf", "application/x-protobuf"), "protobuf", "protobuf"),
    "binary": FormatInfo("bytes", ("application/octet-stream",)),
}


def _as_text(body: bytes) -> str:
    return b64encode(body).decode()


_BUILT_IN: Final = {
    "json": Format(FORMATS["json"]),
    "binary": Format(FORMATS["binary"], decode=_as_text, checked=False),
}


def accept_header(label: str) -> str:
    """Return the Accept header for a format; an API that knows only another name of it may still answer."""
    if label == "binary":
        return "*/*"
    info = FORMATS.get(label, FORMATS["json"])
    return JSON if info.module is None else ", ".join((*info.media_types, "*/*;q=0.1"))


def compile_format(spec: HttpOperationSpec, context: BuildContext) -> Format:
    """Return format of an operation's answers; what is wrong is reported, and JSON stands for it. May read a schema."""
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
        message = f"outputRawFormat '{label}' needs {info.requires}, which cannot be imported ({error.msg}; {command})"
        declared.problem(message, "outputRawFormat", code="missing-package")
        compiled = None
    return compiled or _BUILT_IN["json"]


def reject(reason: str) -> NoReturn:
    """Refuse an answer; the reason holds nothing of it."""
    raise FormatError(reason)


def _unknown_format_message(label: str) -> str:
    close = get_close_matches(label, FORMATS, 1, 0.6)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"unknown outputRawFormat '{label}'{hint} (known: {', '.join(FORMATS)})"
