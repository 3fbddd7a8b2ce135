"""Measures and traces inbound requests, from the access check to the end of the response."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial
from time import perf_counter, time_ns
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanKind, set_span_in_context

from adapter_host import Arguments, Call, Result, current_request_id

from .metrics import Counter, Labels
from .provider import Telemetry
from .spans import end_span, error_type

NO_OPERATION: Final = "-"
"""Operation label of requests that were rejected before they reached an operation."""


class OperationTelemetry:
    """Metrics and labels that all requests for one operation share."""

    def __init__(self, telemetry: Telemetry, type_name: str, operation_id: str) -> None:
        prefix = telemetry.prefix
        self.telemetry = telemetry
        self.span_name = f"{type_name}.request"
        self.labels = {f"{prefix}.adapter.type": type_name, f"{prefix}.operation.id": operation_id}
        self._ok = telemetry.metrics.requests.with_labels({**self.labels, "status": "ok"})
        self._failed = telemetry.metrics.requests.with_labels({**self.labels, "status": "error"})
        self._errors: dict[str, Counter] = {}

    def record(self, seconds: float, error: str | None) -> None:
        """Record one request and its error, if any."""
        metrics = self.telemetry.metrics
        counter = self._ok if error is None else self._failed
        counter.value += 1
        metrics.request_seconds.record(seconds, counter.labels)
        if error is not None:
            if error not in self._errors:
                self._errors[error] = metrics.errors.with_labels({**self.labels, "error.type": error})
            self._errors[error].value += 1


class HttpExchange:
    """One HTTP request: start time, headers and the first call it made."""

    __slots__ = ("headers", "request", "started", "started_ns")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.started = perf_counter()
        self.started_ns = time_ns()
        self.request: InboundRequest | None = None


_CURRENT_EXCHANGE: Final[ContextVar[HttpExchange | None]] = ContextVar("adapter_host_control_exchange", default=None)
"""The HTTP request in progress."""


class InboundRequest:
    """An inbound call until its response is sent. With an `exchange`, its first call, which ends with it."""

    __slots__ = ("_operation", "_started", "error", "span")

    def __init__(self, operation: OperationTelemetry, parent: Context | None, exchange: HttpExchange | None) -> None:
        telemetry = operation.telemetry
        self._operation = operation
        self._started = exchange.started if exchange is not None else perf_counter()
        self.error: str | None = None
        self.span: Span | None = None
        if telemetry.config.collects_traces:
            started_ns = exchange.started_ns if exchange is not None else None
            parent = parent or telemetry.parent(exchange.headers if exchange is not None else None)
            name, attributes = self.describe_span()
            self.span = telemetry.tracer.start_span(name, parent, SpanKind.SERVER, attributes, None, started_ns)
            self.span.set_attribute(f"{telemetry.prefix}.request.id", current_request_id())

    def describe_span(self) -> tuple[str, Labels]:
        """Return the name of the span and its attributes."""
        return self._operation.span_name, self._operation.labels

    def fail(self, error: BaseException) -> None:
        """Note the error of the call."""
        self.error = error_type(error)

    @classmethod
    def begin(cls, operation: OperationTelemetry) -> tuple[InboundRequest, bool]:
        """Begin a request for a call; return whether it also ends with the call."""
        exchange = _CURRENT_EXCHANGE.get()
        if exchange is None:
            return cls(operation, None, None), True
        if exchange.request is not None:
            return cls(operation, exchange.request.context, None), True
        exchange.request = cls(operation, None, exchange)
        return exchange.request, False

    @property
    def context(self) -> Context | None:
        """Return the context of nested spans; None without tracing."""
        return set_span_in_context(self.span, Context()) if self.span is not None else None

    def end(self, status: int | None = None) -> None:
        """Record the end of the response with its HTTP status."""
        if self.error is None and status is not None and status >= 400:
            self.error = str(status)
        if self._operation.telemetry.config.collects_metrics:
            self.record(perf_counter() - self._started)
        if self.span is not None:
            if status is not None:
                self.span.set_attribute("http.response.status_code", status)
            end_span(self.span, self.error)

    def record(self, seconds: float) -> None:
        """Record the metrics of the request."""
        self._operation.record(seconds, self.error)


def wrap_operation(
    operation: OperationTelemetry, call: Call, request_class: type[InboundRequest] = InboundRequest
) -> Call:
    """Wrap the call of an exposed operation in metrics and a span."""

    async def instrumented(arguments: Arguments) -> Result:
        request, ends_with_call = request_class.begin(operation)
        context = request.context
        token = attach(context) if context is not None else None
        ends_with_stream = False
        try:
            result = await call(arguments)
            ends_with_stream = result.stream is not None
        except BaseException as error:
            request.fail(error)
            raise
        finally:
            if token is not None:
                detach(token)
            if ends_with_call and not ends_with_stream:
                request.end()
        if ends_with_stream:
            result.on_end(partial(_end_stream, request, ends_with_call))
        return result

    return instrumented


def _end_stream(request: InboundRequest, ends_with_call: bool, error: BaseException | None) -> None:
    # The response of an exchange is already sent with success when its stream fails.
    if error is not None and request.error is None:
        request.fail(error)
    if ends_with_call:
        request.end()


def request_middleware(telemetry: Telemetry, type_name: str) -> Middleware:
    """Return middleware that measures each HTTP request until the end of its response."""
    without_operation = OperationTelemetry(telemetry, type_name, NO_OPERATION)

    @web.middleware
    async def instrumented(request: web.Request, handler: Handler) -> web.StreamResponse:
        exchange = HttpExchange(request.headers)
        token = _CURRENT_EXCHANGE.set(exchange)
        status: int | None = None
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            _CURRENT_EXCHANGE.reset(token)
            if exchange.request is not None:
                exchange.request.end(status)
            elif status is not None and status >= 400 and telemetry.config.collects_metrics:
                without_operation.record(perf_counter() - exchange.started, str(status))

    return instrumented
