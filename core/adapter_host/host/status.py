"""The status of the exposers of a host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.plugin.exposer import Exposer, HttpExposer
from adapter_host.server.endpoint import Endpoint


@dataclass(frozen=True, slots=True)
class ExposerStatus:
    """The status of an exposer; `serving` is True while it accepts requests."""

    capability: str
    namespace: str
    type: str
    url: str | None
    authentication: str
    operations: int
    serving: bool
    exposer: Exposer[Any]


def exposer_statuses(
    plans: Iterable[Plan], endpoints: Iterable[Endpoint], *, running: bool, draining: bool, attached: bool
) -> Iterator[ExposerStatus]:
    """Yield the status of each exposer; one without a listener is serving while the host does not drain."""
    urls: dict[int, str] = {}
    accepting_by_endpoint: dict[int, bool] = {}
    for endpoint in endpoints:
        own = endpoint.urls()
        urls |= own
        accepting_by_endpoint |= dict.fromkeys(own, endpoint.serving)
    for plan in plans:
        for exposer_plan in plan.exposers:
            exposer = exposer_plan.exposer
            unmounted = not isinstance(exposer, HttpExposer) or exposer.stdio
            accepting = accepting_by_endpoint.get(id(exposer), (unmounted or attached) and not draining)
            yield ExposerStatus(
                capability=plan.loaded.capability.label,
                namespace=exposer.config.namespace,
                type=exposer.config.type,
                url=exposer.url or urls.get(id(exposer)),
                authentication=_authentication(exposer_plan),
                operations=len(exposer.operations),
                serving=running and accepting and exposer.failure is None,
                exposer=exposer,
            )


def _authentication(exposer_plan: ExposerPlan) -> str:
    return exposer_plan.credentials.kind if exposer_plan.credentials else "none"
