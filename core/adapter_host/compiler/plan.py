"""A compiled capability: consumers, exposers and their operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapter_host.auth.credentials import Credentials
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.operation.callers import CallSite
from adapter_host.operation.limiter import CallLimiter
from adapter_host.operation.operation import ConsumedOperation
from adapter_host.plugin.access import ObserveRefusal
from adapter_host.plugin.consumer import Consumer
from adapter_host.plugin.exposer import Exposer
from adapter_host.plugin.step_type import StepType

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware


@dataclass(frozen=True, slots=True)
class ExposerPlan:
    """An exposer with its credentials, its limit of calls in flight and the middlewares of plugins.

    `site` is what its calls have in common, `origin_paths` are those of its `HttpExposer.origin_routes`. The access
    check calls `observe_refusal` with refused requests.
    """

    exposer: Exposer[Any]
    credentials: Credentials | None
    limiter: CallLimiter
    middlewares: tuple[Middleware, ...] = ()
    site: CallSite = field(default_factory=CallSite)
    origin_paths: frozenset[str] = frozenset()
    observe_refusal: ObserveRefusal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One capability, ready to be started.

    `refusals` are the predicates of messages about operations that cannot be called, by their names: those of consumed
    APIs that are refused, and those of exposers that are left out. `included` are the exposers of a document that is
    not served itself, but included by others.
    """

    loaded: LoadedCapability
    consumers: tuple[Consumer[Any], ...]
    consumed: tuple[ConsumedOperation, ...]
    exposers: tuple[ExposerPlan, ...]
    step_types: Mapping[str, StepType[Any]]
    refusals: Mapping[str, str]
    included: tuple[ExposerPlan, ...] = ()

    @property
    def is_served(self) -> bool:
        """Whether the document is served itself."""
        return not self.included
