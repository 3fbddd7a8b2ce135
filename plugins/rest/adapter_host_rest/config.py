"""The models of `type: rest`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationInfo, field_validator

from adapter_host import ForwardSpec, HttpExposerConfig, InputSpec, ListOf, Model, OperationSpec

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class RestOperationSpec(OperationSpec):
    """One method of a resource."""

    method: Annotated[Method, BeforeValidator(_upper)]


class RestResource(Model):
    """One path and its operations; its `inputParameters` hold for all of them."""

    path: str
    name: str | None = None
    label: str | None = None
    description: str | None = None
    input_parameters: ListOf[InputSpec] = ()
    operations: ListOf[RestOperationSpec] = ()
    forward: ForwardSpec | None = None

    @field_validator("operations")
    @classmethod
    def _inherit(cls, operations: tuple[RestOperationSpec, ...], info: ValidationInfo) -> tuple[RestOperationSpec, ...]:
        inherited = info.data.get("input_parameters", ())
        return tuple(_with_inputs(operation, inherited) for operation in operations)


class RestConfig(HttpExposerConfig):
    """An entry of `exposes` with `type: rest`; its `inputParameters` hold for every operation."""

    input_parameters: ListOf[InputSpec] = ()
    resources: tuple[RestResource, ...]

    @field_validator("resources")
    @classmethod
    def _inherit(cls, resources: tuple[RestResource, ...], info: ValidationInfo) -> tuple[RestResource, ...]:
        if not resources:
            raise ValueError("at least one resource is needed")
        inherited = info.data.get("input_parameters", ())
        return tuple(_inheriting(resource, inherited) for resource in resources)


def _inheriting(resource: RestResource, inherited: tuple[InputSpec, ...]) -> RestResource:
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
