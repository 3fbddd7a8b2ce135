"""Compile multipart forms (RFC 7578)."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from uuid import uuid4

from adapter_host import ABSENT, Arguments, WireFormat, text_of
from adapter_host_http.config import EncodingSpec, MultipartBody, Part

from .fields import File, as_list, compile_files
from .form_scope import FormScope, single_input
from .styles import Styled
from .templates import TemplateCompiler, TemplateLocation, Value, render

_JSON: Final = "application/json"
_OCTETS: Final = "application/octet-stream"


def compile_multipart(
    body: MultipartBody, templates: TemplateCompiler, in_: str, scope: FormScope
) -> Callable[[Arguments], tuple[bytes, str]]:
    """Compile a multipart form to a builder of its bytes and Content-Type."""
    parts = [_compile_part(part, body, templates, in_, scope) for part in body.data]
    texts = [part for part in parts if isinstance(part, _TextPart)]
    if len(texts) == len(parts):
        return _text_form(texts)

    def make(arguments: Arguments) -> tuple[bytes, str]:
        # An unpredictable boundary cannot occur in a value.
        boundary = uuid4().hex
        start, end = f"--{boundary}\r\n".encode(), f"--{boundary}--\r\n".encode()
        contents = [content for part in parts for content in part(arguments)]
        body = b"".join((start, (b"\r\n" + start).join(contents), b"\r\n", end)) if contents else end
        return body, f"multipart/form-data; boundary={boundary}"

    return make


def _text_form(parts: Sequence[_TextPart]) -> Callable[[Arguments], tuple[bytes, str]]:
    """Return a builder of a form without files, which is encoded at once."""
    fields = tuple((part.plain, part.of_object, part.value) for part in parts)

    def make(arguments: Arguments) -> tuple[bytes, str]:
        boundary = uuid4().hex
        pieces = [
            f"--{boundary}\r\n{of_object if isinstance(item, dict) else plain}{text_of(item)}\r\n"
            for plain, of_object, value in fields
            for item in as_list(render(value, arguments))
        ]
        return _utf8(f"{''.join(pieces)}--{boundary}--\r\n"), f"multipart/form-data; boundary={boundary}"

    return make


_MakePart = Callable[[Arguments], list[bytes]]
"""Returns the parts of one field in one call: heads and contents."""


@dataclass(frozen=True, slots=True)
class _Head:
    """The declared head of a part; `headers` are further ones, by name."""

    name: str
    filename: str | None
    content_type: str | None
    headers: Mapping[str, Value]

    def text(self, arguments: Arguments, name: str, filename: str | None, content_type: str | None) -> str:
        lines = [f'Content-Disposition: form-data; name="{_part_name(name)}"']
        if filename is not None:
            lines[0] += f'; filename="{_part_name(filename)}"'
        if content_type:
            lines.append(f"Content-Type: {_one_line(content_type)}")
        for header, value in self.headers.items():
            text = render(value, arguments)
            if text is not None and text is not ABSENT:
                lines.append(f"{header}: {_one_line(text_of(text))}")
        return "\r\n".join((*lines, "\r\n"))

    def encode(self, arguments: Arguments, name: str, filename: str | None, content_type: str | None) -> bytes:
        return _utf8(self.text(arguments, name, filename, content_type))


@dataclass(frozen=True, slots=True)
class _TextPart:
    """A field with the same head in every call: that of a text, and that of an object."""

    plain: str
    of_object: str
    value: Value

    def __call__(self, arguments: Arguments) -> list[bytes]:
        return [
            _utf8((self.of_object if isinstance(item, dict) else self.plain) + text_of(item))
            for item in as_list(render(self.value, arguments))
        ]


def _compile_part(
    part: Part, body: MultipartBody, templates: TemplateCompiler, in_: str, scope: FormScope
) -> _MakePart:
    location = TemplateLocation(in_, part, ("value",))
    value = templates.value(part.value, location)
    wire = scope.wire.get(part.name)
    encoding = body.encoding.get(part.name)
    headers = {} if encoding is None else _compile_headers(encoding, templates, in_)
    content_type = (wire.content_type if wire else None) or part.content_type
    head = _Head(part.name, part.filename, content_type, headers)
    source = single_input(part.value, templates, location)
    if source is not None and source in scope.binary:
        return _file_part(head, compile_files(source, value), scope.binary[source])
    if wire is not None and wire.style is not None:
        return _styled_part(head, value, wire)
    return _plain_part(head, value)


def _compile_headers(encoding: EncodingSpec, templates: TemplateCompiler, in_: str) -> dict[str, Value]:
    location = TemplateLocation(in_, encoding, ("headers",))
    return {name: templates.value(text, location / name) for name, text in encoding.headers.items()}


def _plain_part(head: _Head, value: Value) -> _MakePart:
    # The part of an object is JSON, unless another type is declared (OpenAPI 3.1, section 4.8.15.1.1).
    object_type = head.content_type or _JSON
    if not head.headers:
        plain = head.text({}, head.name, head.filename, head.content_type)
        return _TextPart(plain, head.text({}, head.name, head.filename, object_type), value)

    def make(arguments: Arguments) -> list[bytes]:
        items = as_list(render(value, arguments))
        types = [object_type if isinstance(item, dict) else head.content_type for item in items]
        return [
            head.encode(arguments, head.name, head.filename, content_type) + _utf8(text_of(item))
            for item, content_type in zip(items, types, strict=True)
        ]

    return make


def _styled_part(head: _Head, value: Value, wire: WireFormat) -> _MakePart:
    styled = Styled(head.name, wire, head.name)
    return lambda arguments: [
        head.encode(arguments, pair.name, head.filename, None) + _utf8(pair.text)
        for pair in styled.pairs(render(value, arguments))
    ]


def _file_part(head: _Head, files: Callable[[Arguments], list[File]], media_type: str) -> _MakePart:
    declared = head.content_type or media_type
    # The media type of unknown bytes says nothing about their name.
    extension = "" if declared == _OCTETS else mimetypes.guess_extension(declared) or ""
    filename = head.filename if head.filename is not None else f"{head.name}{extension}"

    def make(arguments: Arguments) -> list[bytes]:
        given = files(arguments)
        names = [filename] if len(given) == 1 else [_numbered(filename, n) for n in range(1, len(given) + 1)]
        return [
            # What is declared for all files is less exact than what a caller says of one.
            head.encode(
                arguments,
                head.name,
                name if file.filename is None else file.filename,
                (declared == _OCTETS and file.media_type) or declared,
            )
            + file.content
            for name, file in zip(names, given, strict=True)
        ]

    return make


def _numbered(filename: str, number: int) -> str:
    path = PurePosixPath(filename)
    return f"{path.stem}-{number}{path.suffix}"


def _part_name(text: str) -> str:
    return _one_line(text).replace('"', "%22")


def _one_line(text: str) -> str:
    return text.replace("\r", "%0D").replace("\n", "%0A")


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")
