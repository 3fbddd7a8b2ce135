"""The parts of an API that a capability can express, for all versions of OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import orjson


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input of a request; `value` makes it a constant."""

    name: str
    in_: str
    type: str | None = None
    required: bool = False
    description: str | None = None
    pattern: str | None = None
    value: str | None = None


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of a form: its name in the form, and its input."""

    name: str
    input: Parameter
    filename: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: JSON or text as one input, or a form's fields; `media_type` if it is not the default."""

    kind: Literal["json", "text", "formUrlEncoded", "multipartForm"]
    whole: Parameter | None = None
    fields: tuple[FormField, ...] = ()
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a successful request; `example` is None without one."""

    format: str = "json"
    example: Any = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation."""

    name: str
    method: str
    path: str
    label: str | None
    description: str
    parameters: tuple[Parameter, ...]
    body: Body | None
    response: Response

    @property
    def text_size(self) -> int:
        """The number of characters in its descriptions and its example."""
        body = self.body
        inputs = [*self.parameters, *((body.whole,) if body and body.whole else ())]
        inputs += [field.input for field in body.fields] if body else []
        texts = [self.description, self.label, *(item.description for item in inputs)]
        return sum(len(text) for text in texts if text) + len(orjson.dumps(self.response.example))


@dataclass(frozen=True, slots=True)
class Credentials:
    """The authentication of all requests: `authentication`, constant parameters, and the variables of both."""

    authentication: dict[str, Any] | None = None
    constants: tuple[Parameter, ...] = ()
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Api:
    """An API; `namespace` is its name in the capability."""

    namespace: str
    title: str
    version: str | None
    spec_version: str
    description: str | None
    base_uri: str
    credentials: Credentials
    endpoints: tuple[Endpoint, ...]
