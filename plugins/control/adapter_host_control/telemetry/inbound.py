"""Requests from outside, measured and traced from where the door of an exposer lets them in."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from time import perf_counter, time_ns
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, SpanKind, set_span_in_context

from adapter_host import Arguments, Call, Result

from .metrics import Counter
from .provider import Telemetry
from .spans import end_span, error_type

NO_OPERATION: Final = "-"
"""What stands for the operation where a request was refused before it reached one."""


class OperationTelemetry:
    """The requests for one operation, with everything that is the same for each of them."""

    def __init__(self, telemetry: Telemetry, type_name: str, operation_id: str) -> None:
        prefix = telemetry.prefix
        self.telemetry = telemetry
        self.span_name = f"{type_name}.request"
        self.labels = {f"{prefix}.adapter.type": type_name, f"{prefix}.operation.id": operation_id}
        self._ok = telemetry.metrics.requests.with_labels({**self.labels, "status": "ok"})
        self._failed = telemetry.metrics.requests.with_labels({**self.labels, "status": "error"})
        self._errors: dict[str, Counter] = {}

    def record(self, seconds: float, error: str | None) -> None:
        """Count one, and how it ended."""
        metrics = self.telemetry.metrics
        counter = self._ok if error is None else self._failed
        counter.value += 1
        metrics.request_seconds.record(seconds, counter.labels)
        if error is not None:
            if error not in self._errors:
                self._errors[error] = metrics.errors.with_labels({**self.labels, "error.type": error})
            self._errors[error].value += 1


class HttpExchange:
    """One HTTP request: when it began, what it brought, and the call that it came to."""

    __slots__ = ("headers", "request", "started", "started_ns")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.started = perf_counter()
        self.started_ns = time_ns()
        self.request: InboundRequest | None = None


_CURRENT_EXCHANGE: Final[ContextVar[HttpExchange | None]] = ContextVar("adapter_host_control_exchange", default=None)
"""The HTTP request that is being answered."""


class InboundRequest:
    """A call from outside, until its answer is out. With an `exchange`, the first call of it, that ends with it."""

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
            self.span = telemetry.tracer.start_span(
                operation.span_name, parent, SpanKind.SERVER, operation.labels, None, started_ns
            )

    @classmethod
    def begin(cls, operation: OperationTelemetry) -> tuple[InboundRequest, bool]:
        """The request that a call is, and whether it ends with the call."""
        exchange = _CURRENT_EXCHANGE.get()
        if exchange is None:
            return cls(operation, None, None), True
        if exchange.request is not None:
            return cls(operation, exchange.request.context, None), True
        exchange.request = cls(operation, None, exchange)
        return exchange.request, False

    @property
    def context(self) -> Context | None:
        """Where the spans of what it calls belong."""
        return set_span_in_context(self.span, Context()) if self.span is not None else None

    def end(self, status: int | None = None) -> None:
        """Its answer is out, with that HTTP status."""
        if self.error is None and status is not None and status >= 400:
            self.error = str(status)
        if self._operation.telemetry.config.collects_metrics:
            self._operation.record(perf_counter() - self._started, self.error)
        if self.span is not None:
            if status is not None:
                self.span.set_attribute("http.response.status_code", status)
            end_span(self.span, self.error)


def wrap_operation(operation: OperationTelemetry, call: Call) -> Call:
    """The call of an exposed operation, measured and traced."""

    async def instrumented(arguments: Arguments) -> Result:
        request, ends_with_call = InboundRequest.begin(operation)
        context = request.context
        token = attach(context) if context is not None else None
        try:
            return await call(arguments)
        except BaseException as error:
            request.error = error_type(error)
            raise
        finally:
            if token is not None:
                detach(token)
            if ends_with_call:
                request.end()

    return instrumented


def request_middleware(telemetry: Telemetry, type_name: str) -> Middleware:
    """The middleware that sees each HTTP request from its beginning to the end of its answer."""
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
