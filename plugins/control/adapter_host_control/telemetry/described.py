"""Measures and traces inbound requests by OpenTelemetry's conventions for their protocol."""

from __future__ import annotations

from opentelemetry.context import Context

from adapter_host import REQUEST_DESCRIPTION, Attributes
from adapter_host_control.config import ObservabilityConfig

from .inbound import HttpExchange, InboundRequest, OperationTelemetry
from .metrics import Labels


class OtelRequest(InboundRequest):
    """An inbound request with the names of the conventions, if its exposer describes it."""

    __slots__ = ("_description", "_failure")

    def __init__(self, operation: OperationTelemetry, parent: Context | None, exchange: HttpExchange | None) -> None:
        describe = REQUEST_DESCRIPTION.get()
        self._description = None if describe is None else describe()
        self._failure: Attributes = {}
        super().__init__(operation, parent, exchange)

    def describe_span(self) -> tuple[str, Labels]:
        """Return the name of the span and its attributes."""
        if self._description is None:
            return super().describe_span()
        return self._description.span_name, {**self._description.labels, **self._description.attributes}

    def fail(self, error: BaseException) -> None:
        """Note the error of the call, and its attributes."""
        super().fail(error)
        if self._description is None or not isinstance(error, Exception):
            return
        self._failure = self._description.describe_error(error)
        if self.span is not None:
            self.span.set_attributes(self._failure)
        self.error = str(self._failure.get("error.type", self.error))

    def record(self, seconds: float) -> None:
        """Record the metric of the conventions."""
        if self._description is None:
            super().record(seconds)
        else:
            self.record_described(seconds)

    def record_described(self, seconds: float) -> None:
        """Record the metric of the description, if there is one."""
        description = self._description
        if description is None:
            return
        failure = {} if self.error is None else {"error.type": self.error, **self._failure}
        histogram = self._operation.telemetry.metrics.described_seconds(description.metric)
        histogram.record(seconds, {**description.labels, **failure})


class DoublyNamedRequest(OtelRequest):
    """An inbound request with the names of the language, and the attributes and the metric of the conventions."""

    __slots__ = ()

    def describe_span(self) -> tuple[str, Labels]:
        """Return the name of the span and its attributes."""
        name, attributes = InboundRequest.describe_span(self)
        return name, {**super().describe_span()[1], **attributes}

    def fail(self, error: BaseException) -> None:
        """Note the error of the call, and its attributes; `error.type` of the span is that of the language."""
        super().fail(error)
        InboundRequest.fail(self, error)

    def record(self, seconds: float) -> None:
        """Record the metrics of both."""
        InboundRequest.record(self, seconds)
        self.record_described(seconds)


def request_class_of(config: ObservabilityConfig) -> type[InboundRequest]:
    """Return the class of requests with the configured names."""
    return {"naftiko": InboundRequest, "otel": OtelRequest, "both": DoublyNamedRequest}[config.conventions]
