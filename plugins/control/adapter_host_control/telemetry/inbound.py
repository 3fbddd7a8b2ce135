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

from .metrics import Count
from .provider import Telemetry
from .spans import end_span, error_type

NO_OPERATION: Final = "-"
"""What stands for the operation where a request was refused before it reached one."""


class Kind:
    """The requests for one operation, with everything that is the same for each of them."""

    def __init__(self, telemetry: Telemetry, type: str, operation: str) -> None:
        prefix = telemetry.prefix
        self.telemetry = telemetry
        self.span = f"{type}.request"
        self.labels = {f"{prefix}.adapter.type": type, f"{prefix}.operation.id": operation}
        self._ok = telemetry.measures.requests.of({**self.labels, "status": "ok"})
        self._failed = telemetry.measures.requests.of({**self.labels, "status": "error"})
        self._errors: dict[str, Count] = {}

    def count(self, seconds: float, error: str | None) -> None:
        """Count one, and how it ended."""
        measures = self.telemetry.measures
        count = self._ok if error is None else self._failed
        count.value += 1
        measures.request_seconds.record(seconds, count.labels)
        if error is not None:
            if error not in self._errors:
                self._errors[error] = measures.errors.of({**self.labels, "error.type": error})
            self._errors[error].value += 1


class Exchange:
    """One HTTP request: when it began, what it brought, and the call that it came to."""

    __slots__ = ("began", "began_ns", "headers", "request")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.began = perf_counter()
        self.began_ns = time_ns()
        self.request: Request | None = None


_EXCHANGE: Final[ContextVar[Exchange | None]] = ContextVar("adapter_host_control_exchange", default=None)
"""The HTTP request that is being answered."""


class Request:
    """A call from outside, until its answer is out. With an `exchange`, the first call of it, that ends with it."""

    __slots__ = ("_began", "_kind", "error", "span")

    def __init__(self, kind: Kind, parent: Context | None, exchange: Exchange | None) -> None:
        telemetry = kind.telemetry
        self._kind = kind
        self._began = exchange.began if exchange is not None else perf_counter()
        self.error: str | None = None
        self.span: Span | None = None
        if telemetry.config.traces_calls:
            began_ns = exchange.began_ns if exchange is not None else None
            parent = parent or telemetry.parent(exchange.headers if exchange is not None else None)
            self.span = telemetry.tracer.start_span(kind.span, parent, SpanKind.SERVER, kind.labels, None, began_ns)

    @classmethod
    def begin(cls, kind: Kind) -> tuple[Request, bool]:
        """The request that a call is, and whether it ends with the call."""
        exchange = _EXCHANGE.get()
        if exchange is None:
            return cls(kind, None, None), True
        if exchange.request is not None:
            return cls(kind, exchange.request.context, None), True
        exchange.request = cls(kind, None, exchange)
        return exchange.request, False

    @property
    def context(self) -> Context | None:
        """Where the spans of what it calls belong."""
        return set_span_in_context(self.span, Context()) if self.span is not None else None

    def end(self, status: int | None = None) -> None:
        """Its answer is out, with that HTTP status."""
        if self.error is None and status is not None and status >= 400:
            self.error = str(status)
        if self._kind.telemetry.config.measures:
            self._kind.count(perf_counter() - self._began, self.error)
        if self.span is not None:
            if status is not None:
                self.span.set_attribute("http.response.status_code", status)
            end_span(self.span, self.error)


def wrap_request(kind: Kind, call: Call) -> Call:
    """The call of an exposed operation, measured and traced."""

    async def observed(arguments: Arguments) -> Result:
        request, ends = Request.begin(kind)
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
            if ends:
                request.end()

    return observed


def request_middleware(telemetry: Telemetry, type: str) -> Middleware:
    """The middleware that sees each HTTP request from its beginning to the end of its answer."""
    refused = Kind(telemetry, type, NO_OPERATION)

    @web.middleware
    async def observed(request: web.Request, handler: Handler) -> web.StreamResponse:
        exchange = Exchange(request.headers)
        token = _EXCHANGE.set(exchange)
        status: int | None = None
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            _EXCHANGE.reset(token)
            if exchange.request is not None:
                exchange.request.end(status)
            elif status is not None and status >= 400 and telemetry.config.measures:
                refused.count(perf_counter() - exchange.began, str(status))

    return observed
