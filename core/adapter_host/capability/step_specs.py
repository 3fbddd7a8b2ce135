"""The models of steps, each by its type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from .model import Model


class StepSpec(Model):
    """A step of an operation; plugins subclass it for their types. `with` are its inputs by name."""

    type: str
    name: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class CallStepSpec(StepSpec):
    """A step that calls a consumed operation."""

    call: str


class LookupStepSpec(StepSpec):
    """A step that finds the entries of an earlier step's result whose `match` equals the value."""

    index: str
    match: str
    lookup_value: Any
    output_parameters: tuple[str, ...] = Field(min_length=1)


BUILTIN_STEPS: Final[Mapping[str, type[StepSpec]]] = {"call": CallStepSpec, "lookup": LookupStepSpec}
"""The step types of the host itself."""

STEP_KEYS: Final = {"call": "call", "index": "lookup", "lookupValue": "lookup", "file": "script"}
"""The step type that a key belongs to."""


@dataclass(frozen=True, slots=True)
class StepModels:
    """Pydantic validation context: returns the model of a plugin's step type, and the message for an unknown type."""

    model_of: Callable[[str], type[StepSpec] | None]
    unknown_message: Callable[[Any], str]


def parse_step(step: Any, validation: ValidationInfo) -> Any:
    """Parse a step by its type; without one, by the type that its keys belong to."""
    if not isinstance(step, dict):
        return step
    if "type" not in step:
        step = {"type": next((name for key, name in STEP_KEYS.items() if key in step), "call"), **step}
    type_name, context = step["type"], validation.context
    if isinstance(type_name, str):
        model = BUILTIN_STEPS.get(type_name) or (
            context.model_of(type_name) if isinstance(context, StepModels) else None
        )
        if model is not None:
            return model.model_validate(step, context=context)
    if isinstance(context, StepModels):
        message = {"message": context.unknown_message(type_name)}
        error = PydanticCustomError("unknown_step_type", "{message}", message)
        raise ValidationError.from_exception_data(
            "step", [InitErrorDetails(type=error, loc=("type",), input=type_name)]
        )
    return StepSpec.model_validate(step)


Step = Annotated[SerializeAsAny[StepSpec], BeforeValidator(parse_step)]
"""Field type for a step, parsed by the model of its type."""
