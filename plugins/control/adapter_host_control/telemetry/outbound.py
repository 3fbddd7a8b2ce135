"""Measures and traces calls of consumed APIs."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, SpanKind, set_span_in_context

from adapter_host import (
    Arguments,
    ConsumedCall,
    ConsumedOperation,
    PassThroughOperation,
    Result,
    UpstreamError,
    UpstreamStatusError,
)

from .metrics import Counter
from .provider import Telemetry
from .spans import end_span, error_type

TRANSPORT: Final = "transport"
"""Error type of requests without a response."""


class ClientTelemetry:
    """Metrics and labels that all calls of one consumed operation share."""

    def __init__(self, telemetry: Telemetry, type_name: str, operation: ConsumedOperation) -> None:
        self._telemetry = telemetry
        method, url = operation.method, _declared_url(operation)
        attributes = {"server.address": urlsplit(url).hostname or "", "http.request.method": method or ""}
        labels = {name: value for name, value in attributes.items() if value}
        self._name = f"{type_name}.client.{method}" if method else f"{type_name}.client"
        self._labels = {f"{telemetry.prefix}.namespace": operation.namespace, **labels}
        operation_label = {f"{telemetry.prefix}.operation.id": f"{operation.namespace}.{operation.name}"}
        self._attributes = {**self._labels, **operation_label, **({"url.full": url} if url else {})}
        self._counters: dict[int | str, Counter] = {}
        is_http = method is not None or isinstance(operation, PassThroughOperation)
        self._metrics = telemetry.config.collects_metrics and is_http

    def wrap(self, call: ConsumedCall) -> ConsumedCall:
        """Wrap a call in metrics and a span."""
        telemetry = self._telemetry

        async def instrumented(arguments: Arguments, *, stream: bool = False) -> Result:
            started = perf_counter()
            span = self._start_span() if telemetry.config.collects_traces else None
            token = attach(set_span_in_context(span)) if span is not None else None
            outcome: int | str = TRANSPORT
            failure: str | None = None
            try:
                result = await call(arguments, stream=stream)
                outcome = result.status
                return result
            except BaseException as error:
                outcome, failure = _outcome(error), error_type(error)
                raise
            finally:
                if token is not None:
                    detach(token)
                self._end_call(span, perf_counter() - started, outcome, failure)

        return instrumented

    def _start_span(self) -> Span:
        return self._telemetry.tracer.start_span(self._name, kind=SpanKind.CLIENT, attributes=self._attributes)

    def _end_call(self, span: Span | None, seconds: float, outcome: int | str, failure: str | None) -> None:
        if self._metrics:
            counter = self._counters.get(outcome) or self._add_counter(outcome)
            counter.value += 1
            self._telemetry.metrics.client_seconds.record(seconds, counter.labels)
        if span is not None:
            if isinstance(outcome, int):
                span.set_attribute("http.response.status_code", outcome)
                failure = failure or (str(outcome) if outcome >= 400 else None)
            end_span(span, failure)

    def _add_counter(self, outcome: int | str) -> Counter:
        name = "http.response.status_code" if isinstance(outcome, int) else "error.type"
        counter = self._telemetry.metrics.client_requests.with_labels({**self._labels, name: outcome})
        self._counters[outcome] = counter
        return counter


def _outcome(error: BaseException) -> int | str:
    if isinstance(error, UpstreamStatusError):
        return error.upstream_status
    return TRANSPORT if isinstance(error, UpstreamError) else error_type(error)


def _declared_url(operation: ConsumedOperation) -> str:
    """Return the declared URL with placeholders, without query, arguments and secrets."""
    description: Mapping[str, object] = operation.describe()
    url = description.get("url")
    return url.partition("?")[0] if isinstance(url, str) else ""
