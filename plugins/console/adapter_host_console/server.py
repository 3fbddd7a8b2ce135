"""The server of the console."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from adapter_host import Host, PluginError, Refusal

from . import pages
from .call_log import CallLog
from .catalog import MAX_ROWS, Catalog, Catalogs, Entry
from .details import detail, overview, problems
from .guard import RejectedError, guard
from .json_bodies import MAX_BODY, json_response, read_json
from .live_routes import LiveRoutes
from .logins import CredentialLogins
from .roles import ROLE, Role, for_everybody, for_read_only
from .sessions import CREDENTIAL_SECONDS, LINK_SECONDS, SESSION_SECONDS, Sessions
from .settings import ConsoleSettings
from .traces import Traces
from .trying import Trials
from .upstreams import UpstreamLog


class ConsoleServer:
    """Serves the console of a host on loopback."""

    def __init__(
        self,
        host: Host,
        settings: ConsoleSettings,
        log: CallLog,
        traces: Traces | None,
        upstreams: UpstreamLog | None = None,
    ) -> None:
        self._host = host
        self._worker = host.settings.worker
        self._settings = settings
        self._log = log
        self._traces = traces
        self._sessions = Sessions()
        self._logins = CredentialLogins(host, settings)
        self._catalogs = Catalogs(host)
        self._trials = Trials(host, traces)
        self._live = LiveRoutes(host, log, upstreams or UpstreamLog())
        self._files = pages.static_files()
        self._application_page = pages.application_page()
        self._runner: web.AppRunner | None = None
        self._warming: asyncio.Task[Catalog] | None = None
        self._cookie = "adapter_host_console"
        self.url = ""

    async def start(self) -> None:
        """Listen, and print a login link; raise `PluginError` if the port is in use, or nobody could log in as set."""
        self._logins.require()
        # Browsers send cookies to all ports of a host name, so the name has that of the port.
        listener = _listen(self._settings, self._worker)
        port = listener.getsockname()[1]
        self._cookie = f"adapter_host_console_{port}"
        self.url = f"http://{_bracketed(self._settings.address)}:{port}"
        hosts = self._host.settings.allowed_hosts
        app = web.Application(client_max_size=MAX_BODY, middlewares=[guard(self._sessions, self._cookie, hosts)])
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await self._trials.start()
        await web.SockSite(self._runner, listener).start()
        self._warming = asyncio.create_task(asyncio.to_thread(self._catalogs.current))
        # After the table of exposers, which the command prints when the host has started.
        asyncio.get_running_loop().call_soon(self._print_link, self._sessions.new_link())

    async def stop(self) -> None:
        """Close all connections."""
        await self._trials.stop()
        if self._warming is not None:
            await self._warming
        if self._runner is not None:
            await self._runner.cleanup()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes; handlers without a mark are for operators only."""
        return [
            web.get("/", self._application, allow_head=False),
            web.get("/login", self._login, allow_head=False),
            web.post("/login", self._renew),
            web.post("/login/credentials", self._log_in),
            web.post("/logout", self._logout),
            web.get("/static/{path:.+}", self._static, allow_head=False),
            web.get("/api/overview", self._overview, allow_head=False),
            web.get("/api/operations", self._operations, allow_head=False),
            web.get("/api/operations/{id}", self._operation, allow_head=False),
            web.post("/api/operations/{id}/preview", self._preview),
            web.post("/api/operations/{id}/call", self._call),
            web.get("/api/problems", self._problems, allow_head=False),
            web.get("/api/calls", self._calls, allow_head=False),
            web.get("/api/calls/{request_id}", self._trace, allow_head=False),
            *self._live.routes(),
            *self._file_routes(),
        ]

    def _file_routes(self) -> list[web.RouteDef]:
        if not self._settings.edit:
            return []
        # Imported late: the language service is only for editing.
        from .file_routes import FileRoutes

        return FileRoutes(self._host).routes()

    def _print_link(self, token: str) -> None:
        name = "console" if self._worker is None else f"console of worker {self._worker}"
        link = f"{self.url}/login?token={token}"
        print(f"{name}: {link} (valid once, for {LINK_SECONDS // 60} minutes)", file=sys.stderr, flush=True)

    @for_read_only
    async def _application(self, _: web.Request) -> web.Response:
        return web.Response(body=self._application_page, headers=pages.APPLICATION.headers)

    @for_everybody
    async def _static(self, request: web.Request) -> web.Response:
        file = self._files.get(request.match_info["path"])
        if file is None:
            raise RejectedError(404, "not found")
        return web.Response(body=file.body, headers={"Content-Type": file.content_type})

    @for_everybody
    async def _login(self, request: web.Request) -> web.Response:
        token = request.query.get("token")
        if token is None:
            return pages.login_page(with_credentials=self._logins.enabled)
        if "prefetch" in request.headers.get("Sec-Purpose", ""):
            raise RejectedError(503, "a login link is not fetched in advance")
        session = self._sessions.redeem(token)
        if session is None:
            return pages.login_page(pages.LINK_REFUSED, with_credentials=self._logins.enabled)
        return self._enter(session, SESSION_SECONDS)

    @for_everybody
    async def _log_in(self, request: web.Request) -> web.Response:
        person = await self._logins.check(request)
        if isinstance(person, Refusal):
            return pages.refused_page(person)
        return self._enter(self._sessions.begin(person, CREDENTIAL_SECONDS), CREDENTIAL_SECONDS)

    def _enter(self, session: str, seconds: int) -> web.Response:
        response = pages.entered_page()
        response.set_cookie(self._cookie, session, max_age=seconds, httponly=True, samesite="Strict", path="/")
        return response

    @for_everybody
    async def _renew(self, _: web.Request) -> web.Response:
        token = self._sessions.renew_link()
        if token is not None:
            self._print_link(token)
        return pages.link_page(printed=token is not None)

    @for_read_only
    async def _logout(self, request: web.Request) -> web.Response:
        self._sessions.end(request.cookies.get(self._cookie))
        response = json_response({"logged_out": True})
        response.del_cookie(self._cookie, path="/", httponly=True, samesite="Strict")
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    @for_read_only
    async def _overview(self, request: web.Request) -> web.Response:
        session = {"role": request[ROLE], "edits": self._edits(request), "worker": self._worker}
        return json_response({**overview(self._host), **session})

    def _edits(self, request: web.Request) -> bool:
        return self._settings.edit and request[ROLE] is Role.OPERATOR

    @for_read_only
    async def _operations(self, request: web.Request) -> web.Response:
        query = request.query
        catalog = await asyncio.to_thread(self._catalogs.current)
        offset, limit = _number(query.get("offset"), 0), _number(query.get("limit"), MAX_ROWS)
        return json_response(catalog.search(query.get("q", ""), query.get("exposer", ""), offset, limit))

    @for_read_only
    async def _operation(self, request: web.Request) -> web.Response:
        entry = await self._entry(request)
        return json_response(detail(entry, self._url(entry)))

    @for_read_only
    async def _preview(self, request: web.Request) -> web.Response:
        entry, sent = await self._entry(request), await read_json(request)
        return json_response(self._trials.preview(entry, _arguments(sent), self._url(entry)))

    async def _call(self, request: web.Request) -> web.Response:
        entry, sent = await self._entry(request), await read_json(request)
        headers = sent.get("headers", {})
        if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
            raise RejectedError(400, "'headers' must be an object of texts")
        url = self._url(entry) if sent.get("way") == "client" else None
        return json_response(await self._trials.call(entry, _arguments(sent), url, headers))

    @for_read_only
    async def _problems(self, _: web.Request) -> web.Response:
        return json_response({"problems": problems(await self._host.check_in_thread())})

    @for_read_only
    async def _calls(self, request: web.Request) -> web.Response:
        return json_response(self._log.after(_number(request.query.get("after"), 0)))

    @for_read_only
    async def _trace(self, request: web.Request) -> web.Response:
        spans = [] if self._traces is None else self._traces.find(request.match_info["request_id"])
        return json_response({"spans": spans})

    async def _entry(self, request: web.Request) -> Entry:
        catalog = await asyncio.to_thread(self._catalogs.current)
        entry = catalog.find(request.match_info["id"])
        if entry is None:
            raise RejectedError(404, "this operation is not served any more")
        return entry

    def _url(self, entry: Entry) -> str | None:
        return next((status.url for status in self._host.status() if status.exposer is entry.exposer), None)


def _listen(settings: ConsoleSettings, worker: int | None) -> socket.socket:
    """Listen on the port, and in further worker processes on those after it, as each has calls of its own."""
    family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
    port = settings.port + (worker or 1) - 1 if settings.port else 0
    try:
        return socket.create_server((settings.address, port), family=family, backlog=64)
    except OverflowError:
        raise PluginError(
            f"the console of worker {worker} has no port after {settings.port}; choose a lower one"
        ) from None
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise PluginError(
            f"the console cannot listen on {settings.address}:{port}: {reason}; choose another port with --console PORT"
        ) from error


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 12:
        raise RejectedError(400, f"'{text[:20]}' is not a number")
    return int(text)


def _arguments(sent: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = sent.get("arguments", {})
    if not isinstance(arguments, dict):
        raise RejectedError(400, "'arguments' must be a JSON object")
    return arguments
