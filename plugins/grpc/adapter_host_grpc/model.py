"""A file of protobuf as data: made from schemas, written as a `.proto` text and as descriptors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Scalar = Literal["string", "int64", "uint64", "double", "bool", "bytes"]
Collection = Literal["one", "list", "map"]

VALUE: Final = "google.protobuf.Value"
STRUCT: Final = "google.protobuf.Struct"

MAX_NUMBER: Final = 99_999
"""The largest number of a declared field; those of `Blank` fields are above."""


@dataclass(eq=False, slots=True)
class Enum:
    """Texts as an enum: the constants by their numbers, and their texts; that of 0 is the unspecified one."""

    name: str
    constants: list[str]
    texts: list[str]


BLANK: Final = Enum("Blank", ["BLANK_UNSPECIFIED", "BLANK_NULL", "BLANK_EMPTY"], [])
"""The type of the companions of fields."""


@dataclass(eq=False, slots=True)
class Message:
    """A message; one that `wraps` holds a value that is no object in its only field."""

    name: str
    fields: list[Field] = field(default_factory=list)
    description: str | None = None
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a field: one value, a list, or a map with texts as keys."""

    kind: Scalar | Enum | Message | str
    collection: Collection = "one"

    @property
    def name(self) -> str:
        """Its name in a `.proto` file, without the collection."""
        return self.kind if isinstance(self.kind, str) else self.kind.name


@dataclass(eq=False, slots=True)
class Field:
    """A field of a message; `key` is its name in JSON.

    `rest` marks the map of the members of an object that are not declared. `blank` is the name of the companion that
    says that the value is null, or an empty list or object; a field without one cannot say so. `required` lists
    are empty where they are absent, and `nullable` values null.
    """

    key: str
    name: str
    number: int
    type: Type
    description: str | None = None
    required: bool = False
    nullable: bool = False
    rest: bool = False
    blank: str | None = None

    @property
    def blank_number(self) -> int:
        """The number of its companion."""
        return MAX_NUMBER + 1 + self.number


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the service; with `streams` the server sends any number of responses."""

    name: str
    request: Message
    response: Message
    streams: bool = False
    description: str | None = None


@dataclass(eq=False, slots=True)
class ProtoFile:
    """A file with one service."""

    package: str
    service: str
    description: str | None = None
    methods: list[Method] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    enums: list[Enum] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Its name, as other files would import it."""
        return f"{self.package.replace('.', '/')}.proto"

    @property
    def uses_blank(self) -> bool:
        """Whether a field has a companion."""
        return any(field.blank for message in self.messages for field in message.fields)

    @property
    def uses_struct(self) -> bool:
        """Whether a field has a type of `google/protobuf/struct.proto`."""
        return any(field.type.kind in (VALUE, STRUCT) for message in self.messages for field in message.fields)
