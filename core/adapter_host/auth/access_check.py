"""Check the credentials of clients without a request of the host's HTTP server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from functools import cached_property
from urllib.parse import parse_qsl

from multidict import CIMultiDict, CIMultiDictProxy, MultiDict, MultiMapping

from adapter_host.operation.callers import CallSite
from adapter_host.plugin.access import AccessCheck, ObserveRefusal, Refusal, Verdict

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
    ) -> Verdict | Awaitable[Verdict]:
        """Return the client or a refusal."""
        if not isinstance(headers, CIMultiDict | CIMultiDictProxy):
            headers = CIMultiDict(headers)
        verdict = self._credentials.check(_Request(headers, method, path, transport))
        if isinstance(verdict, Awaitable):
            return self._logged_later(verdict, peer)
        return self._logged(verdict, peer)

    async def _logged_later(self, verdict: Awaitable[Verdict], peer: str | None) -> Verdict:
        return self._logged(await verdict, peer)

    def _logged(self, verdict: Verdict, peer: str | None) -> Verdict:
        if isinstance(verdict, Refusal):
            where = peer or "an unknown address"
            _log.debug("'%s' refused a client at %s: %s", self._site.exposer, where, verdict.detail)
            if self._observe is not None:
                self._observe(self._site.describe(self._site.exposer_type or "", client_address=peer), verdict)
        return verdict
