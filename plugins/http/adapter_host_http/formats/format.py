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
class Kind:
    """A format as its label names it; `module` compiles it, with what `needs` says installed."""

    title: str
    media_types: tuple[str, ...]
    module: str | None = None
    needs: str | None = None
    lax: bool = False
    """Whether nearly everything could be in it, so that the media type has to tell."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format compiled for one operation; what it converts goes to callers as JSON."""

    kind: Kind
    decode: Callable[[bytes], Any] = orjson.loads
    checked: bool = True
    convert: Convert | None = None
    encode: Encode = orjson.dumps
    empty: bool = False
    """Whether no bytes at all are an answer too."""

    @property
    def media_type(self) -> str:
        """What an answer that does not say is taken for."""
        return self.kind.media_types[0]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a format is compiled from: the operation, and where to say what is wrong with it."""

    spec: HttpOperationSpec
    context: BuildContext
    kind: Kind

    @property
    def schema(self) -> str:
        """The text of `outputSchema`; nothing when there is none."""
        return (self.spec.output_schema or "").strip()

    def problem(self, message: str, key: str = "outputSchema", *, code: str = "output-schema") -> None:
        """Report what keeps the operation from running."""
        self.context.problem(message, self.spec, key, code=code)


FORMATS: Final = {
    "json": Kind("JSON", (JSON,)),
    "xml": Kind("XML", ("application/xml", "text/xml"), "xml"),
    "csv": Kind("CSV", ("text/csv",), "separated", lax=True),
    "tsv": Kind("TSV", ("text/tab-separated-values",), "separated", lax=True),
    "psv": Kind("PSV", ("text/plain",), "separated", lax=True),
    "yaml": Kind("YAML", ("application/yaml", "application/x-yaml", "text/yaml"), "yaml"),
    "html": Kind("HTML", ("text/html", "application/xhtml+xml"), "html", "lxml and cssselect", lax=True),
    "markdown": Kind("Markdown", ("text/markdown",), "markdown", "markdown-it-py", lax=True),
    "avro": Kind("Avro", ("application/avro", "avro/binary"), "avro", "fastavro"),
    "protobuf": Kind("Protobuf", ("application/protobuf", "application/x-protobuf"), "protobuf", "protobuf"),
    "binary": Kind("bytes", ("application/octet-stream",)),
}


def _as_text(body: bytes) -> str:
    return b64encode(body).decode()


_AS_IT_IS: Final = {
    "json": Format(FORMATS["json"]),
    "binary": Format(FORMATS["binary"], decode=_as_text, checked=False),
}


def accept_of(label: str) -> str:
    """Return the Accept header for a format; an API that knows only another name of it may still answer."""
    if label == "binary":
        return "*/*"
    kind = FORMATS.get(label, FORMATS["json"])
    return JSON if kind.module is None else ", ".join((*kind.media_types, "*/*;q=0.1"))


def compile_format(spec: HttpOperationSpec, context: BuildContext) -> Format:
    """Return format of an operation's answers; what is wrong is reported, and JSON stands for it. May read a schema."""
    label = spec.output_raw_format
    kind = FORMATS.get(label)
    if kind is None:
        context.problem(_unknown(label), spec, "outputRawFormat", code="unknown-format")
        return _AS_IT_IS["json"]
    if kind.module is None:
        return _AS_IT_IS[label]
    declared = Declared(spec, context, kind)
    try:
        compiled: Format | None = import_module(f"{__package__}.{kind.module}").compile_format(declared)
    except ImportError as error:
        command = "pip install 'adapter-host-http[formats]'"
        message = f"outputRawFormat '{label}' needs {kind.needs}, which cannot be imported ({error.msg}; {command})"
        declared.problem(message, "outputRawFormat", code="missing-package")
        compiled = None
    return compiled or _AS_IT_IS["json"]


def refuse(reason: str) -> NoReturn:
    """Refuse an answer; the reason holds nothing of it."""
    raise FormatError(reason)


def _unknown(label: str) -> str:
    close = get_close_matches(label, FORMATS, 1, 0.6)
    hint = f"; did you mean '{close[0]}'?" if close else ""
    return f"unknown outputRawFormat '{label}'{hint} (known: {', '.join(FORMATS)})"
