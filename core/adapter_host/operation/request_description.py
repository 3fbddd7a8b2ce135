"""The description of a request in the words of its protocol, for plugins that measure and trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

Attributes = Mapping[str, str | int]
"""Attributes of a span or a metric, by their names in the semantic conventions."""


@dataclass(frozen=True, slots=True)
class DurationMetric:
    """A histogram of the durations of requests in seconds; `bounds` are those of its buckets."""

    name: str
    description: str
    bounds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RequestDescription:
    """A request by the OpenTelemetry semantic conventions for its protocol. It holds no arguments, and no credentials.

    `span_name` is the name of its server span. `labels` are attributes of the span and of `metric`; they have few
    values. `attributes` are those of the span only, such as ids. `describe_error` returns the attributes of the error
    that a call ended with, for both: `error.type`, and others with few values.
    """

    span_name: str
    metric: DurationMetric
    labels: Attributes
    attributes: Attributes
    describe_error: Callable[[Exception], Attributes]


REQUEST_DESCRIPTION: Final[ContextVar[Callable[[], RequestDescription] | None]] = ContextVar(
    "adapter_host_request_description", default=None
)
"""A function that describes the request in progress; None if its protocol has no conventions.

An exposer of a protocol with conventions sets it around the call, if `BuildContext.describes_requests` is true.
"""
