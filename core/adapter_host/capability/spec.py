"""The document's models: what a capability says, typed and frozen. Keys are the language's own (camelCase)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, ValidationInfo
from pydantic_core import InitErrorDetails, PydanticCustomError

from adapter_host.document.dialects import CANONICAL_VERSION, KNOWN_VERSIONS

from .media_types import MediaType
from .model import ListField, Model, walk

ValueType = str
"""A declared type: string, number, integer, boolean, array or object; `binary` for bytes."""


class Info(Model):
    """Who and what a capability is."""

    label: str | None = None
    title: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    created: str | None = None
    modified: str | None = None
    version: str | None = None
    stakeholders: ListField[dict[str, Any]] = ()


class Bind(Model):
    """A named source of secrets: `keys` maps the document's variable to the source's own name."""

    namespace: str
    description: str | None = None
    location: str | None = None
    keys: dict[str, str] = Field(default_factory=dict)


class Authentication(Model):
    """How a caller proves who it is, to us or by us to a consumed API."""

    type: Literal["bearer", "apikey", "basic", "digest", "oauth2"]
    token: str | None = None
    key: str | None = None
    value: str | None = None
    placement: Literal["header", "query"] = "header"
    username: str | None = None
    password: str | None = None
    authorization_server_uri: str | None = None
    resource: str | None = None
    audience: str | None = None
    scopes: ListField[str] = ()
    token_endpoint: str | None = None
    token_validation: str | None = None


class InputSpec(Model):
    """A declared input of an operation; `value` makes it a constant."""

    name: str
    in_: Literal["query", "header", "path", "cookie", "body", "environment"] | None = Field(None, alias="in")
    type: ValueType | None = None
    description: str | None = None
    required: bool | None = None
    pattern: str | None = None
    value: Any = None


class OutputSpec(Model):
    """What an operation's answer is made of; nested through `properties` and `items`."""

    name: str | None = None
    type: ValueType | None = None
    description: str | None = None
    mapping: str | None = None
    value: Any = None
    const: Any = None
    properties: dict[str, OutputSpec] | None = None
    items: OutputSpec | tuple[OutputSpec, ...] | None = None


class StepSpec(Model):
    """A step of an operation; a plugin subclasses it for its type. `with` is what its work is given, by name."""

    type: str
    name: str
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")


class CallStepSpec(StepSpec):
    """A step that calls a consumed operation."""

    call: str


class LookupStepSpec(StepSpec):
    """A step that finds, in what an earlier step gave, the entries whose `match` is the value looked up."""

    index: str
    match: str
    lookup_value: Any
    output_parameters: tuple[str, ...] = Field(min_length=1)


BUILTIN_STEPS: Final[Mapping[str, type[StepSpec]]] = {"call": CallStepSpec, "lookup": LookupStepSpec}
"""The steps that need no plugin."""

_STEP_KEYS: Final = {"call": "call", "index": "lookup", "lookupValue": "lookup", "file": "script"}


@dataclass(frozen=True, slots=True)
class StepModels:
    """The models of the steps that plugins bring, and what to say of a type that none brings: a context to parse in."""

    models: Mapping[str, type[StepSpec]]
    unknown_message: Callable[[Any], str]


def _parse_step(step: Any, validation: ValidationInfo) -> Any:
    """A step as the model of its type; one that leaves its type out is of the type whose keys it has."""
    if not isinstance(step, dict):
        return step
    if "type" not in step:
        step = {"type": next((name for key, name in _STEP_KEYS.items() if key in step), "call"), **step}
    type_name, context = step["type"], validation.context
    known = {**BUILTIN_STEPS, **context.models} if isinstance(context, StepModels) else BUILTIN_STEPS
    if isinstance(type_name, str) and type_name in known:
        return known[type_name].model_validate(step, context=context)
    if isinstance(context, StepModels):
        message = {"message": context.unknown_message(type_name)}
        error = PydanticCustomError("unknown_step_type", "{message}", message)
        raise ValidationError.from_exception_data(
            "step", [InitErrorDetails(type=error, loc=("type",), input=type_name)]
        )
    return StepSpec.model_validate(step)


_Step = Annotated[SerializeAsAny[StepSpec], BeforeValidator(_parse_step)]


class MappingSpec(Model):
    """A part of the answer of an operation with steps: where it goes (dots nest), and what it is."""

    target_name: str
    value: Any


class Semantics(Model):
    """What calling a function means: `safe` changes nothing, `idempotent` may be repeated."""

    safe: bool | None = None
    idempotent: bool | None = None
    cacheable: bool | None = None


class OperationSpec(Model):
    """One thing that callers can call; an exposer's config places subclasses where its protocol wants them."""

    name: str | None = None
    label: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    input_parameters: ListField[InputSpec] = ()
    output_parameters: ListField[OutputSpec] = ()
    call: str | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    ref: str | None = None
    steps: ListField[_Step] = ()
    mappings: ListField[MappingSpec] = ()

    @property
    def known_as(self) -> str:
        """What the operation is called: its name or label, else the last part of what it refers to."""
        return self.name or self.label or (self.call or self.ref or "operation").rsplit(".", 1)[-1]


class ForwardSpec(OperationSpec):
    """Requests that are passed on to a consumed API as they come, with those of their headers that are trusted.

    Where it stands, an exposer finds an operation with the inputs of `PassThroughOperation`.
    """

    target_namespace: str
    trusted_headers: ListField[str] = ()

    @property
    def known_as(self) -> str:
        """Its name, else one of where it leads."""
        return self.name or f"forward-{self.target_namespace}"


class FunctionInputSpec(InputSpec):
    """A declared input of a function: required unless it says otherwise."""

    required: bool | None = True


class FunctionSpec(OperationSpec):
    """An operation that several exposed ones share by `ref`."""

    name: str
    input_parameters: ListField[FunctionInputSpec] = ()
    semantics: Semantics | None = None
    output_media_type: MediaType | None = None


class AggregateSpec(Model):
    """Functions under one namespace."""

    namespace: str
    label: str | None = None
    description: str | None = None
    functions: ListField[FunctionSpec] = ()


class ConsumerConfig(Model):
    """One entry of `consumes`; a plugin subclasses it for its type."""

    type: str
    namespace: str
    description: str | None = None


class ExposerConfig(Model):
    """One entry of `exposes`; a plugin subclasses it for its type."""

    type: str
    namespace: str
    description: str | None = None
    authentication: Authentication | None = None

    @property
    def binary_limit(self) -> int | None:
        """The most bytes of an answer that is binary; None where the type, or the document, does not say."""
        return None

    def operation_names(self) -> tuple[str, ...]:
        """Return names by which the rest of the document may refer to what is offered; by default every operation's."""
        return tuple(spec.known_as for spec in find_operations(self))


class HttpExposerConfig(ExposerConfig):
    """An entry of `exposes` that is served over HTTP; `port` 0 takes any free one."""

    address: str = "localhost"
    port: int = Field(ge=0, le=65535)


class Capability(Model):
    """A whole document, its adapters parsed by the plugins' own classes."""

    version: str
    info: Info = Field(default_factory=Info)
    binds: tuple[Bind, ...] = ()
    consumes: tuple[SerializeAsAny[ConsumerConfig], ...] = ()
    aggregates: tuple[AggregateSpec, ...] = ()
    exposes: tuple[SerializeAsAny[ExposerConfig], ...] = ()

    def document(self) -> dict[str, Any]:
        """The data of a document that says the same."""
        sections = {
            section: getattr(self, section) for section in ("info", "binds", "consumes", "aggregates", "exposes")
        }
        data = {section: _to_data(value) for section, value in sections.items() if value}
        adapters = {section: data.pop(section) for section in ("consumes", "aggregates", "exposes") if section in data}
        # Whatever it was written in, the models have the shape of one version.
        version = CANONICAL_VERSION if self.version in KNOWN_VERSIONS else self.version
        return {"naftiko": version, **data, "capability": adapters}

    @property
    def label(self) -> str:
        """What people call it."""
        return self.info.label or self.info.title or (self.exposes[0].namespace if self.exposes else "capability")


def _to_data(value: Any) -> Any:
    if isinstance(value, Model):
        # Of a union whose members a plugin tells apart by what they hold, pydantic cannot foresee which there is.
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True, warnings=False)
    return [_to_data(item) for item in value]


def find_operations(config: ExposerConfig) -> Iterator[OperationSpec]:
    """Every operation that an exposer's config declares, in the document's order, wherever it stands."""
    for model, _ in walk(config):
        if isinstance(model, OperationSpec):
            yield model
