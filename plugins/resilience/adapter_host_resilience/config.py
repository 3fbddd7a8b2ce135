"""The YAML of `x-resilience`, as models. Times are in seconds."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from adapter_host import Model

KEY: Final = "x-resilience"


def _default_if_empty(value: Any) -> Any:
    return {} if value is None else value


EmptyIsDefault = BeforeValidator(_default_if_empty)
"""An empty key (`retry:`) means its defaults, as people write it."""


class RetryPolicy(Model):
    """How often a call that failed is made again, and after what pause: twice the one before, with jitter."""

    attempts: int = Field(3, ge=1, le=20)
    backoff: float = Field(0.2, gt=0, allow_inf_nan=False)
    max_backoff: float = Field(10.0, gt=0, allow_inf_nan=False)


class BreakerPolicy(Model):
    """After how many failures in a row an API is left alone, and for how long."""

    failures: int = Field(5, ge=1)
    open_for: float = Field(30.0, gt=0, allow_inf_nan=False)


class LimitPolicy(Model):
    """How many calls, how many more may wait for their turn, and for how long."""

    calls: int = Field(ge=1)
    queue: int = Field(100, ge=0)
    wait: float = Field(5.0, ge=0, allow_inf_nan=False)


class RatePolicy(LimitPolicy):
    """How many calls in a time."""

    per: float = Field(1.0, gt=0, allow_inf_nan=False)


class CallPolicy(Model):
    """What may be said of everything that is called; the whole of it on an exposed operation."""

    deadline: float | None = Field(None, gt=0, allow_inf_nan=False)
    rate: Annotated[RatePolicy | None, EmptyIsDefault] = None
    concurrency: Annotated[LimitPolicy | None, EmptyIsDefault] = None


class OperationPolicy(CallPolicy):
    """What may be said of a consumed operation; what is left out is as its API says, its limits come on top."""

    retry: Annotated[RetryPolicy | None, EmptyIsDefault] = None
    idempotent: bool | None = None


class ApiPolicy(CallPolicy):
    """What may be said of a consumed API, for all of its operations together."""

    retry: Annotated[RetryPolicy | None, EmptyIsDefault] = None
    breaker: Annotated[BreakerPolicy | None, EmptyIsDefault] = None
