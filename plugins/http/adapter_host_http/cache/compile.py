"""Compile `x-cache` of a consumer and its operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter_host import BuildContext, UpstreamCredential
from adapter_host_http.cache_policy import SAFE_METHODS, CachePolicy, effective_policy
from adapter_host_http.config import HttpConfig, HttpOperationSpec

if TYPE_CHECKING:
    from .http_cache import HttpCache


def compile_cache(config: HttpConfig, context: BuildContext, credential: UpstreamCredential | None) -> HttpCache | None:
    """Return the cache of a consumer, or None if no operation has one; report where `x-cache` has no effect."""
    specs = [spec for resource in config.resources for spec in resource.operations]
    for spec in specs:
        _check(spec, context)
    if not any(_policy_of(config, spec) for spec in specs):
        if effective_policy(config.cache, None):
            message = "'x-cache' has no effect; no operation has the method GET or HEAD and no body"
            context.warn(message, config, "x-cache", code="ignored")
        return None
    # Mock servers respond with examples, which cost nothing.
    if context.settings.mock:
        return None
    # Imported late: most documents have no cache.
    from .http_cache import HttpCache
    from .storage import open_storage

    account = credential and [credential.in_, credential.name, credential.value, credential.account]
    storage = open_storage(context, [context.loaded.capability.label, context.namespace, account])
    timeout = config.timeout.total or context.settings.total_timeout
    return HttpCache(context.namespace, storage, timeout, has_credential=credential is not None)


def caching_of(
    config: HttpConfig, spec: HttpOperationSpec, cache: HttpCache | None
) -> tuple[HttpCache, CachePolicy] | None:
    """Return the cache of an operation and how it uses it, None if it keeps nothing."""
    policy = _policy_of(config, spec)
    return None if cache is None or policy is None else (cache, policy)


def _policy_of(config: HttpConfig, spec: HttpOperationSpec) -> CachePolicy | None:
    if spec.method not in SAFE_METHODS or spec.body is not None:
        return None
    return effective_policy(config.cache, spec.cache)


def _check(spec: HttpOperationSpec, context: BuildContext) -> None:
    if effective_policy(None, spec.cache) is None:
        return
    if spec.method not in SAFE_METHODS:
        message = f"'x-cache' is for GET and HEAD; the operation has the method {spec.method}, so remove the key"
        context.problem(message, spec, "x-cache", code="unsafe-method")
    elif spec.body is not None:
        context.problem("'x-cache' is for requests without a body; remove one of the two", spec, "x-cache")
