"""Parser of the Protocol Buffers language (`syntax` 2 and 3), as far as decoding needs it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from adapter_host_http.conversions.errors import reject

_TOKEN: Final = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\s+|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[.\w]+|[-+{}\[\]()<>=;,:/])""", re.DOTALL
)
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_TYPE: Final = re.compile(r"\.?[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_OPENING: Final = {"{": "}", "[": "]", "(": ")"}
_LABELS: Final = {
    "optional": FieldDescriptorProto.LABEL_OPTIONAL,
    "required": FieldDescriptorProto.LABEL_REQUIRED,
    "repeated": FieldDescriptorProto.LABEL_REPEATED,
}
_SCALARS: Final = {
    name.removeprefix("TYPE_").lower(): number
    for name, number in FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}
_DEPTH: Final = 30


def read_proto(text: str, name: str) -> FileDescriptorProto:
    """Return the declarations of a .proto file with unresolved names; raise `FormatError`."""
    reader = _Reader(text)
    file = FileDescriptorProto(name=name)
    while word := reader.next():
        reader.read_statement(word, file)
    return file


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens = _tokenize(text)
        self._line = 1
        self._depth = 0
        self._presence = False

    def next(self) -> str:
        """Return the next token, or an empty text at the end."""
        self._line, word = next(self._tokens, (self._line, ""))
        return word

    def read_statement(self, word: str, file: FileDescriptorProto) -> None:
        """Read the top-level statement that a token begins."""
        if word == "syntax":
            self._expect("=")
            self._read_syntax(file)
        elif word == "package":
            file.package = self._match(_TYPE)
            self._expect(";")
        elif word == "import":
            self._read_import(file)
        elif word == "message":
            self._message(file.message_type.add())
        elif word == "enum":
            self._enum(file.enum_type.add())
        elif word in ("option", "service", "extend"):
            self._skip()
        elif word != ";":
            self._unexpected(word)

    def _read_syntax(self, file: FileDescriptorProto) -> None:
        syntax = self.next().strip("\"'")
        if syntax not in ("proto2", "proto3"):
            self._unexpected(syntax)
        file.syntax = syntax
        self._presence = syntax == "proto3"
        self._expect(";")

    def _read_import(self, file: FileDescriptorProto) -> None:
        word = self.next()
        if word == "public":
            file.public_dependency.append(len(file.dependency))
        file.dependency.append((self.next() if word in ("public", "weak") else word).strip("\"'"))
        self._expect(";")

    def _message(self, message: DescriptorProto) -> None:
        self._depth += 1
        if self._depth > _DEPTH:
            reject(f"line {self._line}: nested deeper than {_DEPTH} levels")
        message.name = self._match(_NAME)
        self._expect("{")
        while (word := self.next()) != "}":
            self._member(word, message)
        # The implicit oneofs of optional fields must follow the declared ones.
        for field in message.field:
            if field.proto3_optional:
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field.name}")
        self._depth -= 1

    def _member(self, word: str, message: DescriptorProto) -> None:
        if word == "message":
            self._message(message.nested_type.add())
        elif word == "enum":
            self._enum(message.enum_type.add())
        elif word == "oneof":
            self._oneof(message)
        elif word in ("option", "reserved", "extensions", "extend"):
            self._skip()
        elif word == "map":
            self._map(message)
        elif word != ";":
            self._field(word, message)

    def _field(self, word: str, message: DescriptorProto) -> FieldDescriptorProto:
        label = _LABELS.get(word)
        field = message.field.add(label=label or FieldDescriptorProto.LABEL_OPTIONAL)
        self._set_type(field, word if label is None else self.next())
        field.proto3_optional = word == "optional" and self._presence
        field.name = self._match(_NAME)
        self._end_field(field)
        return field

    def _map(self, message: DescriptorProto) -> None:
        self._expect("<")
        entry = DescriptorProto()
        entry.options.map_entry = True
        for number, (name, end) in enumerate((("key", ","), ("value", ">")), 1):
            field = entry.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
            self._set_type(field, self.next())
            self._expect(end)
        name = self._match(_NAME)
        entry.name = f"{''.join(part[:1].upper() + part[1:] for part in name.split('_'))}Entry"
        message.nested_type.append(entry)
        repeated = FieldDescriptorProto.LABEL_REPEATED
        self._end_field(message.field.add(name=name, label=repeated, type_name=entry.name))

    def _oneof(self, message: DescriptorProto) -> None:
        index = len(message.oneof_decl)
        message.oneof_decl.add(name=self._match(_NAME))
        self._expect("{")
        while (word := self.next()) != "}":
            if word == "option":
                self._skip()
            elif word != ";":
                self._field(word, message).oneof_index = index

    def _enum(self, enum: EnumDescriptorProto) -> None:
        enum.name = self._match(_NAME)
        # Aliases do not matter for decoding.
        enum.options.allow_alias = True
        self._expect("{")
        while (word := self.next()) != "}":
            if word in ("option", "reserved"):
                self._skip()
            elif word != ";":
                self._expect("=")
                enum.value.add(name=word, number=self._number())
                self._end()

    def _set_type(self, field: FieldDescriptorProto, word: str) -> None:
        if word in _SCALARS:
            field.type = _SCALARS[word]
        elif word != "group" and _TYPE.fullmatch(word):
            field.type_name = word
        else:
            self._unexpected(word)

    def _end_field(self, field: FieldDescriptorProto) -> None:
        self._expect("=")
        field.number = self._number()
        self._end()

    def _number(self) -> int:
        word = self.next()
        text = word + self.next() if word == "-" else word
        try:
            return int(text, 0)
        except ValueError:
            self._unexpected(text)

    def _end(self) -> None:
        """Read to the end of a statement and skip its options, which do not change decoding."""
        word = self.next()
        if word == "[":
            self._skip_to("]")
            word = self.next()
        if word != ";":
            self._unexpected(word)

    def _skip(self) -> None:
        """Skip a statement or a block."""
        while (word := self.next()) != ";":
            if word in _OPENING:
                self._skip_to(_OPENING[word])
                if word == "{":
                    return
            elif not word:
                self._unexpected(word)

    def _skip_to(self, end: str) -> None:
        ends = [end]
        while ends:
            word = self.next()
            if word in _OPENING:
                ends.append(_OPENING[word])
            elif word == ends[-1]:
                ends.pop()
            elif not word:
                self._unexpected(word)

    def _match(self, pattern: re.Pattern[str]) -> str:
        word = self.next()
        if not pattern.fullmatch(word):
            self._unexpected(word)
        return word

    def _expect(self, expected: str) -> None:
        if (word := self.next()) != expected:
            self._unexpected(word)

    def _unexpected(self, word: str) -> NoReturn:
        reject(f"line {self._line}: unexpected {repr(word) if word else 'end of file'}")


def _tokenize(text: str) -> Iterator[tuple[int, str]]:
    """Yield each token with its line."""
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            reject(f"line {line}: unexpected {text[position]!r}")
        if match[1]:
            yield line, match[1]
        line += match[0].count("\n")
        position = match.end()
