"""Models of `type: rest`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from adapter_host import (
    BinarySize,
    ForwardSpec,
    IncludingConfig,
    InputSpec,
    ListField,
    MediaType,
    Model,
    OperationSpec,
    parse_size,
)

from .page_paths import Docs

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def _upper_case(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _check_status(code: str) -> str:
    if not re.fullmatch("[1-5]([0-9]{2}|XX)", code):
        raise ValueError(f"invalid status {code!r}; use three digits, or a class such as 4XX")
    return code


class ContentSpec(Model):
    """One media type of a response: bytes, or data described by `schema`."""

    binary: bool = False
    schema_: dict[str, Any] | None = Field(None, alias="schema")


class ResponseSpec(Model):
    """The response of one status, by media type."""

    description: str | None = None
    content: dict[MediaType, ContentSpec] = Field(default_factory=dict)


class BinaryResponseSpec(Model):
    """Short form of `responses` for an operation that returns bytes."""

    status: int = Field(200, ge=100, le=599)
    media_type: MediaType
    description: str | None = None


class RestOperationSpec(OperationSpec):
    """One method of a resource; `responses`, or their short form, describe its responses."""

    method: Annotated[Method, BeforeValidator(_upper_case)]
    responses: dict[Annotated[str, AfterValidator(_check_status)], ResponseSpec] = Field(default_factory=dict)
    response_binary: BinaryResponseSpec | None = None


class RestResource(Model):
    """One path and its operations; `inputParameters` apply to all of them."""

    path: str
    name: str | None = None
    label: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    input_parameters: ListField[InputSpec] = ()
    operations: ListField[RestOperationSpec] = ()
    forward: ForwardSpec | None = None

    @field_validator("operations")
    @classmethod
    def _inherit(cls, operations: tuple[RestOperationSpec, ...], info: ValidationInfo) -> tuple[RestOperationSpec, ...]:
        inherited = info.data.get("input_parameters", ())
        return tuple(_with_inputs(operation, inherited) for operation in operations)


class RestConfig(IncludingConfig):
    """An entry of `exposes` with `type: rest`; `inputParameters` apply to every operation."""

    input_parameters: ListField[InputSpec] = ()
    resources: ListField[RestResource]
    max_binary_size: BinarySize | None = None
    x_docs: Docs = Field("try", alias="x-docs")

    @property
    def binary_limit(self) -> int | None:
        """Return `maxBinarySize` in bytes."""
        return parse_size(self.max_binary_size) if self.max_binary_size else None

    @field_validator("resources")
    @classmethod
    def _inherit(cls, resources: tuple[RestResource, ...], info: ValidationInfo) -> tuple[RestResource, ...]:
        inherited = info.data.get("input_parameters", ())
        return tuple(_with_inherited_inputs(resource, inherited) for resource in resources)


def _with_inherited_inputs(resource: RestResource, inherited: tuple[InputSpec, ...]) -> RestResource:
    if not inherited:
        return resource
    operations = tuple(_with_inputs(operation, inherited) for operation in resource.operations)
    return resource.model_copy(update={"operations": operations})


def _with_inputs(operation: RestOperationSpec, inherited: tuple[InputSpec, ...]) -> RestOperationSpec:
    own = {spec.name for spec in operation.input_parameters}
    added = tuple(spec for spec in inherited if spec.name not in own)
    if not added:
        return operation
    return operation.model_copy(update={"input_parameters": (*operation.input_parameters, *added)})
