"""Models of `type: http` under `consumes`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from adapter_host import (
    Authentication,
    BinarySize,
    ClientTlsSpec,
    ConsumerConfig,
    InputSpec,
    ListField,
    MediaType,
    Model,
    OutputSpec,
    Style,
    Timeouts,
)

from .cache_policy import CacheSetting


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


def _check_accept(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("'x-accept' must be media types as ASCII text, such as application/hal+json")
    return text


Method = Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"], BeforeValidator(_upper)]


class HttpInputSpec(InputSpec):
    """An input of a consumed operation, and how requests carry it; an array or object without a style is not styled."""

    wire_name: str | None = Field(None, alias="x-name", min_length=1)
    style: Style | None = Field(None, alias="x-style")
    explode: bool | None = Field(None, alias="x-explode")
    allow_reserved: bool | None = Field(None, alias="x-allow-reserved")
    content_type: MediaType | None = Field(None, alias="x-content-type")

    @property
    def request_name(self) -> str:
        """The name in a request."""
        return self.wire_name or self.name


class EncodingSpec(Model):
    """How the body of a form carries one of its fields (OpenAPI 3.1, section 4.8.15)."""

    style: Style | None = None
    explode: bool | None = None
    allow_reserved: bool | None = None
    content_type: MediaType | None = None
    headers: dict[str, str] = Field(default_factory=dict)


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
    encoding: dict[str, EncodingSpec] = Field(default_factory=dict, alias="x-encoding")


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
    encoding: dict[str, EncodingSpec] = Field(default_factory=dict, alias="x-encoding")


AnyBody = JsonBody | TextBody | FormBody | MultipartBody
TaggedBody = Annotated[AnyBody, Field(discriminator="type")]
_UNTYPED: Final = {"not": {"required": ["type", "data"]}}
_OTHER_TYPE: Final = {"required": ["type", "data"], "properties": {"type": {"enum": [*_BODY_TYPES]}}}
DeclaredBody = (
    AnyBody
    | Annotated[dict[str, Any], Field(json_schema_extra=_UNTYPED)]
    | Annotated[dict[str, Any], Field(json_schema_extra=_OTHER_TYPE)]
    | list[Any]
    | Annotated[str, Field(json_schema_extra={"type": "string"})]
)
Body = Annotated[TaggedBody | None, BeforeValidator(_wrap, json_schema_input_type=DeclaredBody | None)]


class HttpOperationSpec(Model):
    """One operation; its own path replaces the path of its resource."""

    name: str
    method: Method
    path: str | None = None
    label: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    input_parameters: ListField[HttpInputSpec] = ()
    body: Body = None
    output_raw_format: Annotated[str, BeforeValidator(_lower, json_schema_input_type=str)] = "json"
    output_schema: str | None = None
    output_media_type: MediaType | None = None
    max_binary_size: BinarySize | None = None
    accept: Annotated[str, AfterValidator(_check_accept)] | None = Field(None, alias="x-accept", min_length=1)
    output_parameters: ListField[OutputSpec] = ()
    example: Any = Field(None, alias="x-example")
    cache: CacheSetting = Field(None, alias="x-cache")


class HttpResource(Model):
    """A path of the API and its operations."""

    name: str | None = None
    path: str = ""
    label: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    input_parameters: ListField[HttpInputSpec] = ()
    operations: ListField[HttpOperationSpec] = ()


def _default_of(variable: Any) -> Any:
    return variable.get("default") if isinstance(variable, dict) else variable


def _current_name(transport: object) -> object:
    # Documents from before the first release have another name for it.
    return "native" if transport == "lean" else transport


class HttpConfig(ConsumerConfig):
    """A consumed HTTP API."""

    base_uri: str | None = None
    variables: dict[str, Annotated[str, BeforeValidator(_default_of, json_schema_input_type=str | dict[str, Any])]] = (
        Field(default_factory=dict)
    )
    input_parameters: ListField[HttpInputSpec] = ()
    authentication: Authentication | None = None
    resources: ListField[HttpResource] = ()
    timeout: Timeouts = Field(default_factory=Timeouts, alias="x-timeout")
    transport: Annotated[
        Literal["native", "aiohttp"],
        BeforeValidator(_current_name, json_schema_input_type=Literal["native", "aiohttp", "lean"]),
    ] = Field("native", alias="x-transport")
    proxy: str | None = Field(None, alias="x-proxy", repr=False)
    tls: ClientTlsSpec | None = Field(None, alias="x-tls")
    x_request_id: bool = Field(False, alias="x-request-id")
    cache: CacheSetting = Field(None, alias="x-cache")
