"""Models of `x-resilience`. Times are in seconds."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from adapter_host import Model, is_token

KEY: Final = "x-resilience"


def _default_if_empty(value: Any) -> Any:
    return {} if value is None else value


def _check_header(name: str) -> str:
    if not is_token(name):
        raise ValueError("it is not the name of a header, such as Idempotency-Key")
    return name


EmptyIsDefault = BeforeValidator(_default_if_empty)
"""An empty key (`retry:`) means its defaults."""


class RetryPolicy(Model):
    """Number of attempts, and exponential backoff with jitter between them."""

    attempts: int = Field(3, ge=1, le=20)
    backoff: float = Field(0.2, gt=0, allow_inf_nan=False)
    max_backoff: float = Field(10.0, gt=0, allow_inf_nan=False)


class BreakerPolicy(Model):
    """Number of consecutive failures that open the circuit, and for how long."""

    failures: int = Field(5, ge=1)
    open_for: float = Field(30.0, gt=0, allow_inf_nan=False)


class LimitPolicy(Model):
    """Maximum number of calls, length of the queue, and time in the queue.

    With `shared`, the calls of all replicas are counted in the state store, otherwise those of this process.
    """

    calls: int = Field(ge=1)
    queue: int = Field(100, ge=0)
    wait: float = Field(5.0, ge=0, allow_inf_nan=False)
    shared: bool = False
    when_unavailable: Literal["local", "refuse"] = "local"


class RatePolicy(LimitPolicy):
    """Maximum number of calls per time; `by: caller` counts those of each caller, and is shared in any case."""

    per: float = Field(1.0, gt=0, le=1e6, allow_inf_nan=False)
    by: Literal["caller"] | None = None


class IdempotencyPolicy(Model):
    """How long responses to calls with an idempotency key are kept, and whether callers must send one."""

    keep_for: float = Field(86_400.0, ge=60, le=604_800)
    required: bool = False


class CallPolicy(Model):
    """Limits of calls."""

    deadline: float | None = Field(None, gt=0, allow_inf_nan=False)
    rate: Annotated[RatePolicy | None, EmptyIsDefault] = None
    concurrency: Annotated[LimitPolicy | None, EmptyIsDefault] = None


class ExposedPolicy(CallPolicy):
    """Policy of an exposed operation."""

    idempotency: Annotated[IdempotencyPolicy | None, EmptyIsDefault] = None


class OperationPolicy(CallPolicy):
    """Policy of a consumed operation; it overrides that of its API, except for limits, which are added."""

    retry: Annotated[RetryPolicy | None, EmptyIsDefault] = None
    idempotent: bool | None = None
    idempotency_key: Annotated[str, AfterValidator(_check_header)] | None = None


class ApiPolicy(CallPolicy):
    """Policy of a consumed API; its operations share limits and breaker."""

    retry: Annotated[RetryPolicy | None, EmptyIsDefault] = None
    breaker: Annotated[BreakerPolicy | None, EmptyIsDefault] = None
