"""Models of `type: http` under `consumes`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from adapter_host import Authentication, BinarySize, ConsumerConfig, InputSpec, ListField, MediaType, Model, OutputSpec


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


_BODY_TYPES: Final = {
    "application/json": "json",
    "application/x-www-form-urlencoded": "formUrlEncoded",
    "form": "formUrlEncoded",
    "multipart/form-data": "multipartForm",
}
"""Types of bodies in published files that are not in the language."""


def _wrap(value: Any) -> Any:
    if isinstance(value, str):
        return RawBody(type="json", data=value)
    if isinstance(value, list) or (isinstance(value, dict) and not {"type", "data"} <= value.keys()):
        return {"type": "json", "data": value}
    if isinstance(value, dict) and isinstance(value["type"], str):
        return {**value, "type": _BODY_TYPES.get(value["type"].lower(), value["type"])}
    return value


Method = Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], BeforeValidator(_upper)]


class JsonBody(Model):
    """A JSON body: data with templates in its leaves, or JSON text. A body without `type` is JSON, too."""

    type: Literal["json"]
    data: Any


class RawBody(JsonBody):
    """A body that is only a text: JSON, unless a `Content-Type` or the text itself is of another format."""


class TextBody(Model):
    """A text body."""

    type: Literal["text", "xml", "sparql"]
    data: str


class FormBody(Model):
    """The fields of a form, or a form as text."""

    type: Literal["formUrlEncoded"]
    data: str | dict[str, Any]


class Part(Model):
    """A part of a multipart form."""

    name: str
    value: Any
    filename: str | None = None
    content_type: str | None = None


class MultipartBody(Model):
    """A multipart form."""

    type: Literal["multipartForm"]
    data: tuple[Part, ...]


AnyBody = JsonBody | TextBody | FormBody | MultipartBody
TaggedBody = Annotated[AnyBody, Field(discriminator="type")]
Body = Annotated[TaggedBody | None, BeforeValidator(_wrap)]


class HttpOperationSpec(Model):
    """One operation; its own path replaces the path of its resource."""

    name: str
    method: Method
    path: str | None = None
    label: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    input_parameters: ListField[InputSpec] = ()
    body: Body = None
    output_raw_format: Annotated[str, BeforeValidator(_lower)] = "json"
    output_schema: str | None = None
    output_media_type: MediaType | None = None
    max_binary_size: BinarySize | None = None
    output_parameters: ListField[OutputSpec] = ()
    example: Any = Field(None, alias="x-example")


class HttpResource(Model):
    """A path of the API and its operations."""

    name: str | None = None
    path: str = ""
    label: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    input_parameters: ListField[InputSpec] = ()
    operations: ListField[HttpOperationSpec] = ()


class Timeouts(Model):
    """Timeouts of the API, in seconds."""

    connect: float | None = Field(None, gt=0)
    total: float | None = Field(None, gt=0)


def _default_of(variable: Any) -> Any:
    return variable.get("default") if isinstance(variable, dict) else variable


def _current_name(transport: object) -> object:
    # Documents from before the first release have another name for it.
    return "native" if transport == "lean" else transport


class HttpConfig(ConsumerConfig):
    """A consumed HTTP API."""

    base_uri: str | None = None
    variables: dict[str, Annotated[str, BeforeValidator(_default_of)]] = Field(default_factory=dict)
    input_parameters: ListField[InputSpec] = ()
    authentication: Authentication | None = None
    resources: ListField[HttpResource] = ()
    timeout: Timeouts = Field(default_factory=Timeouts, alias="x-timeout")
    transport: Annotated[Literal["native", "aiohttp"], BeforeValidator(_current_name)] = Field(
        "native", alias="x-transport"
    )
