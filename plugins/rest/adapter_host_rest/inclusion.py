"""Routes of other exposers that an exposer serves below a prefix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol, cast

from adapter_host import BuildContext, Included, behavior_annotations, hints_of_annotations

from .caching import compile_caching
from .config import RestConfig
from .forward.routes import ForwardRouter
from .route import Route
from .router import Segment, format_path, parse_path


class IncludingExposer(Protocol):
    """An exposer with routes."""

    config: RestConfig
    context: BuildContext
    routes: list[Route]
    forwards: ForwardRouter


def included_routes(exposer: IncludingExposer, included: Included) -> Iterator[Route]:
    """Yield the selected routes of another exposer below the prefix."""
    other = cast(IncludingExposer, included.exposer)
    prefix = _prefix_segments(exposer, included.prefix)
    is_private = exposer.config.authentication is not None or other.config.authentication is not None
    for route in other.routes:
        spec, operation = route.spec, route.operation
        hints = hints_of_annotations(behavior_annotations(operation))
        if not included.selection.accepts(operation.name, (*spec.tags, *route.resource.tags), hints):
            continue
        segments = (*prefix, *route.segments)
        caching = compile_caching(spec.method, route.argument_reader, private=is_private)
        own = included.operation(operation, operation.name, path=format_path(segments))
        yield replace(route, operation=own, segments=segments, caching=caching, alternatives=[])
    for forward in other.forwards.all:
        # A forward removes the credentials of its own exposer from requests, not those of another one.
        message = (
            f"'{forward.title}' of '{other.config.namespace}' is a forward, which is not included; declare it here"
        )
        exposer.context.warn(message, exposer.config, "x-include", code="forward-not-included")


def _prefix_segments(exposer: IncludingExposer, prefix: str) -> tuple[Segment, ...]:
    """Return the segments of a prefix; report a problem for one that is no path."""
    if not prefix.strip("/"):
        return ()
    try:
        segments = parse_path(prefix.rstrip("/"))
    except ValueError as error:
        message = f"invalid 'prefix' '{prefix}': {error}"
    else:
        if prefix.startswith("/") and not any(segment.variables for segment in segments):
            return segments
        message = f"the 'prefix' of routes is a path without variables, such as '/orders' (given '{prefix}')"
    exposer.context.problem(message, exposer.config, "x-include", code="path")
    return ()
