"""The models of a document, typed and frozen. Keys are camelCase, as in the language."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from adapter_host.document.dialects import CANONICAL_VERSION, KNOWN_VERSIONS

from .authentication_type import AuthenticationType
from .declared_schema import DeclaredOutputSchema, DeclaredSchema
from .input_constraints import InputConstraints
from .media_types import MediaType
from .model import ListField, Model, walk
from .plain_data import ImportedParts, to_data
from .step_specs import Step

ValueType = str
"""A declared type: string, number, integer, boolean, array or object; `binary` for bytes."""


class Info(Model):
    """The capability's label, version, tags and stakeholders."""

    label: str | None = None
    title: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    created: str | None = None
    modified: str | None = None
    version: str | None = None
    stakeholders: ListField[dict[str, Any]] = ()


class Bind(Model):
    """A named source of secrets: `keys` maps the document's variables to the source's keys."""

    namespace: str
    description: str | None = None
    location: str | None = None
    keys: dict[str, str] = Field(default_factory=dict)


class Authentication(Model):
    """Credentials of clients, or towards a consumed API."""

    type: AuthenticationType
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
    clients: ListField[str] = ()


class InputSpec(InputConstraints, DeclaredSchema):
    """A declared input of an operation; `value` makes it a constant."""

    name: str
    in_: Literal["query", "header", "path", "cookie", "body", "environment"] | None = Field(None, alias="in")
    description: str | None = None
    required: bool | None = None
    value: Any = None


class OutputSpec(DeclaredOutputSchema):
    """A declared output of an operation, nested through `properties` and `items`."""

    name: str | None = None
    type: ValueType | None = None
    description: str | None = None
    mapping: str | None = None
    value: Any = None
    const: Any = None
    properties: dict[str, OutputSpec] | None = None
    items: OutputSpec | tuple[OutputSpec, ...] | None = None


class MappingSpec(Model):
    """A part of the result of an operation with steps: target (dots nest) and value."""

    target_name: str
    value: Any


class Semantics(Model):
    """Effects of calling a function: `safe` changes nothing, `idempotent` may be repeated."""

    safe: bool | None = None
    idempotent: bool | None = None
    cacheable: bool | None = None


class OperationSpec(Model):
    """A callable operation; exposers subclass it for their protocol.

    An exposer sets `reads_events` if it reads results with a `Result.stream` of events (see `event_format`); one with
    `Exposer.streams` does so anyway.
    """

    reads_events: ClassVar[bool] = False

    name: str | None = None
    label: str | None = None
    description: str | None = None
    tags: ListField[str] = ()
    input_parameters: ListField[InputSpec] = ()
    output_parameters: ListField[OutputSpec] = ()
    call: str | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    ref: str | None = None
    steps: ListField[Step] = ()
    mappings: ListField[MappingSpec] = ()

    @property
    def known_as(self) -> str:
        """The operation's name or label, else the last segment of its `call` or `ref`."""
        return self.name or self.label or (self.call or self.ref or "operation").rsplit(".", 1)[-1]


class ForwardSpec(OperationSpec):
    """Requests relayed unchanged to a consumed API, with the trusted ones of their headers.

    An exposer finds an operation with the inputs of `PassThroughOperation` in its place.
    """

    target_namespace: str
    trusted_headers: ListField[str] = ()

    @property
    def known_as(self) -> str:
        """Its name, else one made from the target namespace."""
        return self.name or f"forward-{self.target_namespace}"


class FunctionInputSpec(InputSpec):
    """A declared input of a function: required by default."""

    required: bool | None = True


class FunctionSpec(OperationSpec):
    """An operation that exposed operations share by `ref`."""

    name: str
    input_parameters: ListField[FunctionInputSpec] = ()
    semantics: Semantics | None = None
    output_media_type: MediaType | None = None


class AggregateSpec(Model):
    """Functions in one namespace."""

    namespace: str
    label: str | None = None
    description: str | None = None
    functions: ListField[FunctionSpec] = ()


class ConsumerConfig(Model):
    """An entry of `consumes`; plugins subclass it for their types."""

    type: str
    namespace: str
    description: str | None = None
    x_openapi: str | None = Field(None, alias="x-openapi")
    x_openapi_overlays: ListField[str] = Field((), alias="x-openapi-overlays")


class Timeouts(Model):
    """Timeouts of a consumed API, in seconds; the settings have those that it does not declare."""

    connect: float | None = Field(None, gt=0)
    total: float | None = Field(None, gt=0)


class ExposerConfig(Model):
    """An entry of `exposes`; plugins subclass it for their types."""

    type: str
    namespace: str
    description: str | None = None
    authentication: Authentication | None = None

    @property
    def binary_limit(self) -> int | None:
        """The maximum bytes of a binary response; None without a limit."""
        return None

    @property
    def converts_texts(self) -> bool:
        """Whether text in arguments is converted where text is not allowed."""
        return False

    def operation_names(self) -> tuple[str, ...]:
        """Return the names by which the document can refer to the exposed operations; by default all of them."""
        return tuple(name for name, _ in self.named_operations())

    def named_operations(self) -> Iterable[tuple[str, OperationSpec]]:
        """Return the exposed operations with the names by which the document can refer to them; by default all."""
        return [(spec.known_as, spec) for spec in find_operations(self)]


class HttpExposerConfig(ExposerConfig):
    """An entry of `exposes` that is served over HTTP; `port` 0 takes any free one."""

    address: str = "localhost"
    port: int = Field(ge=0, le=65535)


class ListeningConfig(ExposerConfig):
    """An entry of `exposes` with a socket of the host: on a port (0: any free one), or on the path of a Unix socket."""

    address: str = Field("localhost", description="with 'port'")
    unix_socket: str | None = Field(None, min_length=1, description="in the place of 'address' and 'port'")
    port: int | None = Field(
        None, ge=0, le=65535, validate_default=True, description="required without 'unixSocket'; 0: any free port"
    )

    @field_validator("port")
    @classmethod
    def _require_port(cls, port: int | None, info: ValidationInfo) -> int | None:
        if port is None and info.data.get("unix_socket") is None:
            raise PydanticCustomError("missing", "Field required", {"alternative": "unixSocket"})
        return port

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if self.unix_socket is not None and not self.model_fields_set.isdisjoint({"port", "address"}):
            raise ValueError("'unixSocket' replaces 'address' and 'port'; remove it, or them")
        return self


class Capability(Model):
    """A whole document, its adapters parsed by the plugins' own classes."""

    version: str
    info: Info = Field(default_factory=Info)
    binds: tuple[Bind, ...] = ()
    consumes: tuple[SerializeAsAny[ConsumerConfig], ...] = ()
    aggregates: tuple[AggregateSpec, ...] = ()
    exposes: tuple[SerializeAsAny[ExposerConfig], ...] = ()
    x_schemas: dict[str, Any] = Field(default_factory=dict, alias="x-schemas")

    _imported: ImportedParts = PrivateAttr(default_factory=ImportedParts)

    def _add_imported(self, parts: ImportedParts) -> None:
        """Add the parts of other documents, which `document` includes."""
        self._imported = parts

    def document(self) -> dict[str, Any]:
        """Return the capability as the data of an equivalent document.

        The binds and schemas of imported documents, of other files and of `x-openapi` are part of it. Scripts, skills,
        discovered definitions and the schemas of `outputSchema` stay in their files.
        """
        bundle = self._imported.bundle_schemas
        schemas, shared = ({}, self.x_schemas) if bundle is None else bundle()
        names = ("info", "consumes", "aggregates", "exposes")
        sections = {name: getattr(self, name) for name in names} | {"binds": (*self.binds, *self._imported.binds)}
        data = {name: to_data(value, schemas) for name, value in sections.items() if value}
        adapters = {section: data.pop(section) for section in ("consumes", "aggregates", "exposes") if section in data}
        # The models have the shape of one version, regardless of the source's.
        version = CANONICAL_VERSION if self.version in KNOWN_VERSIONS else self.version
        data |= {"x-schemas": shared} if shared else {}
        return {"naftiko": version, **data, "capability": adapters}

    @property
    def label(self) -> str:
        """The label or title, else the first exposer's namespace."""
        return self.info.label or self.info.title or (self.exposes[0].namespace if self.exposes else "capability")


def find_operations(config: ExposerConfig) -> Iterator[OperationSpec]:
    """Yield every operation of an exposer's config, at any depth, in the document's order."""
    for model, _ in walk(config):
        if isinstance(model, OperationSpec):
            yield model
