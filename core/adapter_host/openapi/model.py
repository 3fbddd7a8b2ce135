"""The parts of an API that a capability can express, for all versions of OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adapter_host.document.nodes import Position

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document: file, line (0 for JSON) and column, and the JSON pointer."""

    position: Position = ("", 0, 0)
    pointer: str = "#"


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of a request; `value` makes it a constant.

    `words` are the keys of the language that describe its values, `schema` is the JSON Schema of the rest, `wire` has
    the keys for its serialization where it is not the host's default.
    """

    name: str
    in_: str
    required: bool = False
    description: str | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    wire: Mapping[str, Any] = field(default_factory=dict)
    value: str | None = None

    @property
    def type(self) -> str | None:
        """The type of all values, or None."""
        declared = self.words.get("type")
        return declared if isinstance(declared, str) else None


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: its name in the form, its input, and its encoding where it is not the default."""

    name: str
    input: Parameter
    filename: str | None = None
    media_type: str | None = None
    encoding: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: one input, or a form's fields; `media_type` if it is not the default."""

    kind: Literal["json", "text", "binary", "formUrlEncoded", "multipartForm"]
    whole: Parameter | None = None
    fields: tuple[FormField, ...] = ()
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a successful request; `accept` if it is not the format's, `example` is None without one."""

    format: str = "json"
    accept: str | None = None
    schema: Mapping[str, Any] | None = None
    example: Any = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation; `consumer` is the namespace of the API that it belongs to.

    `route` is its path for REST, None if a router cannot tell it from another or cannot match it. `pages` are the parts
    of the document that declare pages of a list.
    """

    name: str
    method: str
    path: str
    route: str | None
    label: str | None
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    response: Response
    place: Place
    consumer: str = ""
    pages: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text_size(self) -> int:
        """The number of characters in its descriptions and its example."""
        body = self.body
        inputs = [*self.parameters, *((body.whole,) if body and body.whole else ())]
        inputs += [form_field.input for form_field in body.fields] if body else []
        texts = [self.description, self.label, *(item.description for item in inputs)]
        return sum(len(text) for text in texts if text) + len(json.dumps(self.response.example))


@dataclass(frozen=True, slots=True)
class Credentials:
    """The authentication of requests: `authentication`, constant parameters, and the variables of both."""

    authentication: dict[str, Any] | None = None
    constants: tuple[Parameter, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConsumedApi:
    """The operations of one server with the same credentials; `namespace` is its name in the capability."""

    namespace: str
    base_uri: str
    credentials: Credentials
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Api:
    """An API; `endpoints` are those of all `consumers`, in the order of the document."""

    namespace: str
    title: str
    version: str | None
    spec_version: str
    description: str | None
    consumers: tuple[ConsumedApi, ...]
    endpoints: tuple[Endpoint, ...]
    schemas: Mapping[str, Any]
    schema_places: Mapping[str, Place]
