"""The requests to HTTP exposers that are refused before they become calls, as plugins observe them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from aiohttp import hdrs, web

from adapter_host.compiler.plan import ExposerPlan
from adapter_host.plugin.access import Refusal, RefusedRequest
from adapter_host.plugin.exposer import HttpExposer

from .access_log import path_template
from .callers import call_reader

OTHER_METHOD: Final = "OTHER"
"""The method in the records of requests whose method is no known one; a client can send any text."""

ReportRefusal = Callable[[web.Request, Refusal], None]
"""Is called with each request that the access check of an exposer refuses."""


def refusal_reporter(
    exposer_plan: ExposerPlan, exposer: HttpExposer[Any], prefix: str, trusted_proxies: Sequence[str]
) -> ReportRefusal | None:
    """Return the function that reports refused requests to an exposer at `prefix`; None if no plugin observes them."""
    observe, site = exposer_plan.observe_refusal, exposer_plan.site
    if observe is None:
        return None
    read_call = call_reader(site, trusted_proxies)
    own_path = f"{prefix}{exposer.endpoint}" if exposer.endpoint else None

    def find_template(request: web.Request) -> str | None:
        if request.rel_url.raw_path == own_path:
            return own_path
        if (route := path_template(request)) is not None:
            return route
        template = exposer.path_template(request)
        return None if template is None else f"{prefix}{template}"

    def report(request: web.Request, refusal: Refusal) -> None:
        call = read_call(request)
        if refusal.principal is not None:
            call = replace(call, principal=refusal.principal, authentication=site.authentication)
        method = request.method if request.method in hdrs.METH_ALL else OTHER_METHOD
        observe(RefusedRequest(call, refusal, method, find_template(request), site.authentication))

    return report
