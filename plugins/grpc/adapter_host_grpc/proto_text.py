"""A file of protobuf as text, for the compilers of clients (proto3 specification)."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from .descriptors import json_names
from .model import BLANK, Enum, Message, Method, ProtoFile, Type

_WIDTH = 100


def proto_text(file: ProtoFile) -> str:
    """Return the text of a `.proto` file."""
    lines = ['syntax = "proto3";', "", f"package {file.package};", ""]
    if file.uses_struct:
        lines += ['import "google/protobuf/struct.proto";', ""]
    lines += _service(file)
    for message in file.messages:
        lines += ["", *_message(message)]
    for enum in file.enums:
        lines += ["", *_enum(enum)]
    if file.uses_blank:
        comment = "// Why a field is not set: it is not sent unless its companion says that it is null or empty."
        lines += ["", comment, *_enum(BLANK)]
    return "\n".join(lines) + "\n"


def _comment(text: str | None, indent: str = "") -> Iterator[str]:
    for paragraph in (text or "").splitlines():
        for line in wrap(paragraph, _WIDTH - len(indent)) or [""]:
            yield f"{indent}// {line}".rstrip()


def _service(file: ProtoFile) -> Iterator[str]:
    yield from _comment(file.description)
    yield f"service {file.service} {{"
    for method in file.methods:
        yield from _method(method)
    yield "}"


def _method(method: Method) -> Iterator[str]:
    yield from _comment(method.description, "  ")
    response = f"stream {method.response.name}" if method.streams else method.response.name
    yield f"  rpc {method.name}({method.request.name}) returns ({response});"


def _message(message: Message) -> Iterator[str]:
    yield from _comment(message.description)
    if not message.fields:
        yield f"message {message.name} {{}}"
        return
    yield f"message {message.name} {{"
    names = json_names(message)
    for field in message.fields:
        yield from _comment(field.description, "  ")
        option = f" [json_name = {_quoted(names[field.name])}]" if field.name in names else ""
        yield f"  {_type(field.type)} {field.name} = {field.number}{option};"
        if field.blank:
            yield f"  {BLANK.name} {field.blank} = {field.blank_number};"
    yield "}"


def _type(type_: Type) -> str:
    if type_.collection == "list":
        return f"repeated {type_.name}"
    if type_.collection == "map":
        return f"map<string, {type_.name}>"
    return type_.name if isinstance(type_.kind, Message) or "." in type_.name else f"optional {type_.name}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _enum(enum: Enum) -> Iterator[str]:
    yield f"enum {enum.name} {{"
    for number, name in enumerate(enum.constants):
        yield f"  {name} = {number};"
    yield "}"
