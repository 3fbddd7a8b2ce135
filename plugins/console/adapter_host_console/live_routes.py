"""Requests of the pages that follow a host: calls that wait for a person, the audit log, and health."""

from __future__ import annotations

from aiohttp import web

from adapter_host import Host

from . import audit_search
from .call_log import CallLog
from .deciding import Decisions
from .json_bodies import json_response, read_json
from .roles import PERSON, ROLE, Role, for_read_only
from .upstreams import UpstreamLog


class LiveRoutes:
    """Shows a host at work to every session, and lets operators decide about calls that wait."""

    def __init__(self, host: Host, log: CallLog, upstreams: UpstreamLog) -> None:
        self._host = host
        self._log = log
        self._upstreams = upstreams
        self._decisions = Decisions(host)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/api/health", self._health, allow_head=False),
            web.get("/api/audit", self._audit, allow_head=False),
            web.get("/api/decisions", self._waiting, allow_head=False),
            web.post("/api/decisions", self._decide),
        ]

    @for_read_only
    async def _health(self, _: web.Request) -> web.Response:
        return json_response({**self._log.summary(), **self._upstreams.health(self._host.plans)})

    @for_read_only
    async def _audit(self, request: web.Request) -> web.Response:
        wanted = {name: request.query[name] for name in audit_search.FIELDS if request.query.get(name)}
        found = await audit_search.search(self._host, wanted, with_arguments=request[ROLE] is Role.OPERATOR)
        return json_response(found)

    @for_read_only
    async def _waiting(self, request: web.Request) -> web.Response:
        return json_response(await self._decisions.waiting(request[PERSON]))

    async def _decide(self, request: web.Request) -> web.Response:
        return json_response(await self._decisions.decide(await read_json(request), request[PERSON], request.remote))
