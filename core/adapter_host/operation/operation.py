"""Operations and their results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from adapter_host.capability.model import Model
from adapter_host.capability.spec import (
    OperationSpec,
    OutputSpec,
    Semantics,
)
from adapter_host.schemas.references import DEFS, hoist_defs
from adapter_host.schemas.schema import Schema

from .inputs import Input
from .origin import Origin
from .result import Result


class ConsumedOperation(ABC):
    """One operation of a consumed API. The host resolves `call` references to it at build and calls it per request.

    `resource` and `path` help to resolve references; leave them None where the API has neither.
    `outputs` are applied to results in steps. `output_schema` (JSON Schema 2020-12) describes the data of results that
    are passed through, if the API says it; a result that breaks it is passed on, with a warning.
    `spec` is the section of the consumer's config that declares it, for plugins that read their own keys there.
    `media_type` is the declared one of responses, whatever the API sends. `binary` responses are bytes and are not
    mapped; a large one is returned as `Result.stream` on request, and `max_size` is its maximum size in bytes.
    `request_media_type` is that of request bodies which are not `application/json`.
    One that `follows_links` calls the URL of `PAGE_POSITION`, if it is set, in place of its own.
    A `refusal` is the reason why it cannot be called: operations that call it are errors of the document.
    """

    namespace: str
    name: str
    resource: str | None = None
    path: str | None = None
    method: str | None = None
    description: str | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[OutputSpec, ...] = ()
    output_schema: Schema | None = None
    spec: Model | None = None
    media_type: str | None = None
    request_media_type: str | None = None
    binary: bool = False
    max_size: int | None = None
    follows_links: bool = False
    refusal: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the operation in a `call`, the longest last."""
        short = f"{self.namespace}.{self.name}"
        return (short,) if self.resource is None else (short, f"{self.namespace}.{self.resource}.{self.name}")

    @abstractmethod
    async def call(self, arguments: Arguments, *, stream: bool = False) -> Result:
        """Call the API; raise `UpstreamError`.

        With `stream`, a large body or a stream of events may be returned as `Result.stream`.
        """

    def describe(self) -> Mapping[str, Any]:
        """Return a description of the request for people: plain data, with names of secrets only."""
        return {}

    def preview(self, arguments: Arguments) -> Mapping[str, Any]:
        """Return the request for `arguments`, for people: plain data, with secrets masked."""
        return {"arguments": dict(arguments)}


Arguments = Mapping[str, Any]
"""The values of inputs by name, typed as JSON; a missing input has no entry."""


Call = Callable[[Arguments], Awaitable[Result]]
"""A call of an operation, which `operation_wrapper` wraps."""


HeaderWriter = Callable[[MutableMapping[str, str]], None]
"""Adds headers to a request to a consumed API, before it is sent."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One compiled operation.

    `call(arguments)` checks the arguments and returns a `Result`; it raises an `OperationError`. `preview` returns the
    request of a call instead, for people, with secrets masked. `upstream` are the consumed operations in order of
    their calls; `identity` means that the response is passed through unchanged; `semantics` is whether a call is safe,
    idempotent or cacheable. `media_type` is the declared one of results; `binary` results are bytes. `result_schema` is
    what results are checked against, if an `x-schema` says so: a result that breaks it is passed on, with a warning.
    One that an exposer includes from another has an `origin`.
    """

    name: str
    description: str | None
    inputs: tuple[Input, ...]
    call: Call
    spec: OperationSpec
    upstream: tuple[ConsumedOperation, ...] = ()
    identity: bool = False
    semantics: Semantics | None = None
    media_type: str | None = None
    binary: bool = False
    output_schema: Mapping[str, Any] | None = field(default=None, repr=False)
    preview: Callable[[Arguments], Mapping[str, Any]] = field(default=dict, repr=False)
    result_schema: Schema | None = field(default=None, repr=False)
    origin: Origin | None = field(default=None, repr=False)

    @property
    def input_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of the arguments."""
        schemas = {item.name: item.schema for item in self.inputs}
        schema: dict[str, Any] = {"type": "object", "properties": schemas}
        if required := [i.name for i in self.inputs if i.required]:
            schema["required"] = required
        schema["additionalProperties"] = False
        if defs := hoist_defs(schemas.values()):
            schema[DEFS] = defs
        return schema


class Operations(Mapping[OperationSpec, Operation]):
    """The operations of an exposer, by the spec object in its config that declares each.

    Specs skipped by `--skip-invalid` have no entry: iterate, or check with `in`.
    """

    def __init__(self, operations: list[Operation]) -> None:
        self._operations = {id(operation.spec): operation for operation in operations}

    def __getitem__(self, spec: OperationSpec) -> Operation:
        return self._operations[id(spec)]

    def __contains__(self, spec: object) -> bool:
        return id(spec) in self._operations

    def __iter__(self) -> Iterator[OperationSpec]:
        return (operation.spec for operation in self._operations.values())

    def __len__(self) -> int:
        return len(self._operations)
