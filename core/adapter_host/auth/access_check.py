"""Check the credentials of clients without a request of the host's HTTP server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial
from urllib.parse import parse_qsl

from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiMapping

from adapter_host.operation.callers import Caller, CallSite, Principal
from adapter_host.plugin.access import AccessCheck, ObserveRefusal, Refusal, RefusedRequest, Verdict

from .credentials import Credentials

_log = logging.getLogger("adapter_host")


class _Request:
    """A request as credentials see it."""

    def __init__(
        self, headers: MultiMapping[str], method: str, raw_path: str, transport: asyncio.BaseTransport | None
    ) -> None:
        self.headers = headers
        self.method = method
        self.raw_path = raw_path
        self.transport = transport

    @cached_property
    def query(self) -> MultiMapping[str]:
        """The parameters of the query."""
        return MultiDict(parse_qsl(self.raw_path.partition("?")[2], keep_blank_values=True))


class CredentialsCheck(AccessCheck):
    """Checks requests to the exposer of a site; refusals are in the log, and `observe` is called with each."""

    def __init__(self, credentials: Credentials, site: CallSite, observe: ObserveRefusal | None) -> None:
        self._credentials = credentials
        self._site = site
        self._observe = observe

    def check(
        self,
        headers: Mapping[str, str],
        *,
        method: str = "",
        path: str = "",
        peer: str | None = None,
        transport: asyncio.BaseTransport | None = None,
        template: str | None = None,
        request_id: str | None = None,
    ) -> Verdict | Awaitable[Verdict]:
        """Return the client or a refusal."""
        if not isinstance(headers, CIMultiDict | CIMultiDictProxy):
            headers = CIMultiDict(headers)
        verdict = self._credentials.check(_Request(headers, method, path, transport))
        if isinstance(verdict, Principal):
            return verdict
        report = partial(self._report, method or None, template, {"client_address": peer, "request_id": request_id})
        if isinstance(verdict, Awaitable):
            return _reported_later(verdict, report)
        report(verdict)
        return verdict

    def _report(self, method: str | None, template: str | None, caller: Caller, refusal: Refusal) -> None:
        site = self._site
        where = caller.get("client_address") or "an unknown address"
        _log.debug("'%s' refused a client at %s: %s", site.exposer, where, refusal.detail)
        if self._observe is not None:
            caller = {**caller, "principal": refusal.principal}
            call = site.describe(site.exposer_type or "", **caller)
            self._observe(RefusedRequest(call, refusal, method, template, site.authentication))


async def _reported_later(verdict: Awaitable[Verdict], report: Callable[[Refusal], None]) -> Verdict:
    checked = await verdict
    if isinstance(checked, Refusal):
        report(checked)
    return checked
