"""`x-cache`: which operations keep responses, and how."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from adapter_host import Model

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
"""The methods whose responses are kept. Requests with other ones change the resource, except those in `READ_ONLY`."""

READ_ONLY: Final = SAFE_METHODS | {"OPTIONS", "TRACE"}

KEPT_FOR: Final = 86_400.0
"""The seconds after which a response is dropped, however long it is fresh."""

MAX_BODY: Final = 512 * 1024
"""The size of the largest body that is kept, in bytes."""


class CachePolicy(Model):
    """How responses are kept, if at all: `true` means the defaults, and `false` is not `enabled`.

    With `shared`, responses to requests with a credential are kept for all callers, as if they were `public`.
    `stale_if_error` and `stale_while_revalidate` are in seconds, for responses without directives of their own (RFC
    5861). With `cache_status`, responses have the header of RFC 9211.
    """

    enabled: bool = True
    shared: bool = False
    stale_if_error: float = Field(0.0, ge=0, le=KEPT_FOR, allow_inf_nan=False)
    stale_while_revalidate: float = Field(0.0, ge=0, le=KEPT_FOR, allow_inf_nan=False)
    cache_status: bool = True


def _expand(value: Any) -> Any:
    return {"enabled": value} if isinstance(value, bool) else value


CacheSetting = Annotated[CachePolicy | None, BeforeValidator(_expand, json_schema_input_type=CachePolicy | bool | None)]
"""The value of `x-cache`; None in an operation is that of its API."""


def effective_policy(api: CachePolicy | None, operation: CachePolicy | None) -> CachePolicy | None:
    """Return the policy of an operation, None if it keeps nothing."""
    policy = api if operation is None else operation
    return policy if policy is not None and policy.enabled else None
