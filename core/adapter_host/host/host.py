"""The host: runs plans, from start to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self, Unpack

from aiohttp import web

from adapter_host.compiler.plan import Plan
from adapter_host.errors import Problem, ProblemsError, StartError
from adapter_host.operation.callers import Caller
from adapter_host.operation.operation import Arguments
from adapter_host.operation.result import Result
from adapter_host.plugin.loading.manager import Plugins
from adapter_host.plugin.loading.state_stores import open_state, stop_state
from adapter_host.plugin.services import Services
from adapter_host.plugin.step_type import StepType
from adapter_host.server.endpoint import Endpoint
from adapter_host.server.layout import plan_endpoints
from adapter_host.server.listener import Listener
from adapter_host.server.shared_ports import SharedPorts
from adapter_host.server.socket_listener import SocketListener
from adapter_host.settings import Settings

from .asgi import AsgiApplication
from .attachment import Attachment
from .call_observers import with_observers
from .draining import ReplacedGenerations
from .generation import Generation, add_notes
from .loading import Document, compile_documents
from .named_calls import call_by_name
from .open_endpoints import OpenEndpoints
from .reloads import Reloader, ReloadQueue
from .status import ExposerStatus, exposer_statuses

_log = logging.getLogger("adapter_host")


class Host:
    """Loaded and compiled capabilities; an async context manager that serves them.

    The constructor raises `ProblemsError` with all problems of all documents. Entering raises `StartError` if a port is
    in use, and `ProblemsError` if a secret is missing. `state` is the state store; see `BuildContext.state`. `services`
    are those that plugins offer to each other, by class.
    """

    def __init__(self, *documents: Document, plugins: Plugins | None = None, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.plugins = plugins or Plugins.installed()
        self.settings = with_observers(self, self.settings, self.plugins)
        self._documents = documents
        self._shared_state, self.state = open_state(self.settings, self.plugins)
        self.services = Services(lambda: self.plugins.call_hook("host_services", host=self), self._shared_state)
        self._generation = self._build(documents, self.settings)
        self._running = self._draining = self._listens = False
        self._started: datetime | None = None
        self._endpoints = OpenEndpoints()
        self._attachment: Attachment | None = None
        self._reloader = Reloader()
        self._reload_queue = ReloadQueue()
        self._replaced = ReplacedGenerations()

    def _build(self, documents: Sequence[Document], settings: Settings) -> Generation:
        plans, skipped = compile_documents(documents, self.plugins, settings, self._shared_state)
        return Generation(plans, settings, self._register_app, skipped)

    def _register_app(self, app: web.Application) -> None:
        app[HOST] = self

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The compiled capabilities."""
        return self._generation.plans

    @property
    def generation(self) -> int:
        """The number of the configuration that is served: 1 from the start, and one more after each reload."""
        return self._generation.number

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings of all documents."""
        return self._generation.warnings

    @property
    def started(self) -> datetime | None:
        """The start time (UTC), or None while the host is not serving; a reload does not change it."""
        return self._started

    @property
    def ready(self) -> bool:
        """Whether load balancers should send requests: True from the start until the drain is requested."""
        return self._started is not None and not self._draining

    @property
    def attached(self) -> bool:
        """Whether the host is served inside another application, by `attach`."""
        return self._attachment is not None

    @property
    def calls(self) -> int:
        """The number of calls in flight."""
        return self._generation.calls

    @property
    def draining(self) -> bool:
        """Whether new calls are refused, because the host is draining or not started."""
        return not self._running or self._generation.draining

    def status(self) -> tuple[ExposerStatus, ...]:
        """Return the status of each exposer."""
        state = {"running": self._started is not None, "draining": self.draining, "attached": self.attached}
        return tuple(exposer_statuses(self.plans, self._endpoints, **state))

    def check(self) -> tuple[Problem, ...]:
        """Return all problems that a reload would report, and start nothing; see `check_in_thread` for event loops."""
        try:
            generation = self._build(self._documents, self._reloader.next_settings(self.settings))
            generation.require_secrets()
            self._plan_endpoints(generation, self.settings)
            if self._attachment:
                self._attachment.mounts(generation.plans)
        except ProblemsError as error:
            return tuple(error.problems)
        return generation.warnings

    async def check_in_thread(self) -> tuple[Problem, ...]:
        """Return the result of `check`; one check runs at a time."""
        return await self._reload_queue.checks.run(self.check)

    @property
    def step_types(self) -> Mapping[str, tuple[StepType[Any], ...]]:
        """The step types of plugins, by type; one for each capability that uses it."""
        return self._generation.step_types

    def require_secrets(self) -> None:
        """Raise `ProblemsError` if a secret is missing."""
        self._generation.require_secrets()

    def reserve_ports(self, ports: SharedPorts) -> dict[str, list[int]]:
        """Bind the ports of all capabilities without listening, to share them with forked processes.

        Return the ports of monitoring exposers by namespace, one for each worker. Raise `StartError` if a port is in
        use, and for exposers without a port or socket of the host.
        """
        return self._endpoints.reserve(self.plans, self.settings, ports)

    async def start(self, *, listen: bool = True, reloader: Reloader | None = None) -> None:
        """Start consumers, then exposers, then listeners; if one fails, stop those already started.

        Until the next start, `reloader` handles reloads.
        """
        if self._running:
            raise StartError("the host is already started")
        self._reloader = reloader or Reloader()
        self.require_secrets()
        self._running, self._draining, self._listens = True, False, listen
        try:
            self._endpoints.load_tls(self.settings)
            await self.plugins.call_async_hook("host_starting", host=self)
            await self._serve(self._generation, self._plan_endpoints(self._generation, self.settings), None)
            await self.plugins.call_async_hook("host_started", host=self)
        except BaseException as error:
            add_notes(error, await self._stop_all())
            raise
        self._started = datetime.now(UTC)

    def _plan_endpoints(self, generation: Generation, settings: Settings) -> list[Endpoint]:
        if self._listens:
            return plan_endpoints(generation.plans, settings)
        return [*self._attachment.sockets(generation.plans, settings)] if self._attachment else []

    async def _serve(
        self, generation: Generation, planned: Sequence[Endpoint], old: Generation | None
    ) -> list[Endpoint]:
        """Start a generation and serve it instead of the old one; return the endpoints that serve nothing any more."""
        opened = self._endpoints.open(planned)
        try:
            self._endpoints.assign(planned, generation.requests)
            if old is not None:
                await old.release_exclusive()
            await generation.start([each.socket_exposer for each in planned if isinstance(each, SocketListener)])
            apps = await generation.start_listeners([each for each in planned if isinstance(each, Listener)])
            mounts = self._attachment.mounts(generation.plans) if self._attachment else []
            attached_apps = await generation.start_apps(mounts)
        except BaseException as error:
            add_notes(error, await generation.discard())
            for endpoint in opened:
                endpoint.close()
            if old is not None:
                await old.resume_exclusive()
            raise
        # Nothing fails or awaits until all routers and sockets are switched: requests never see both generations.
        removed = self._endpoints.switch(planned, apps, old)
        if self._attachment:
            self._attachment.serve(mounts, attached_apps)
        await self._endpoints.start(self.settings)
        return removed

    async def reload(self, *documents: Document) -> None:
        """Serve other documents, or the current state of the same ones, without failing a request.

        Everything is compiled and started before it replaces the old generation: if that raises `ProblemsError` or
        `StartError`, the old generation continues. Calls in flight complete in their generation. The reload continues
        if the task that awaits it is cancelled, for example a request whose client disconnects.
        """
        await (self.reload_here(*documents) if documents else self._reloader.reload(self.reload_here))

    async def reload_here(self, *documents: Document) -> None:
        """Reload in this process only, without the reloader."""
        await self._reload_queue.run(lambda: self._replace(documents))

    async def _replace(self, documents: Sequence[Document]) -> None:
        if not self.ready:
            raise StartError("the host is draining" if self._draining else "the host is not started")
        old = self._generation
        settings = self._reloader.next_settings(self.settings)
        new = await self._reload_queue.builds.run(self._build, documents or self._documents, settings)
        new.require_secrets()
        removed = await self._serve(new, self._plan_endpoints(new, settings), old)
        self._generation, self.settings, new.number = new, settings, old.number + 1
        self._documents = tuple(documents) or self._documents
        for endpoint in removed:
            old.add_stop(f"connections to {endpoint.name}", endpoint.stop)
        self._replaced.add(old.drain_and_stop())
        for endpoint in removed:
            await endpoint.stop_accepting()
        self._reloader.reloaded(self.status())

    async def drain(self) -> None:
        """Refuse new calls and wait for the calls in flight, at most for the drain timeout.

        During the drain delay, new calls are still accepted while `ready` is already False. Exposers that monitor the
        host (`HttpExposer.monitors_host`) are served until the stop.
        """
        self._draining = True
        await self._reload_queue.cancel()
        if self.settings.drain_delay and self._endpoints.opened:
            await asyncio.sleep(self.settings.drain_delay)
        endpoints = [endpoint for endpoint in self._endpoints.opened if not endpoint.monitors_host]
        for endpoint in endpoints:
            await endpoint.stop_accepting()
        await self._generation.drain(finish_bodies=[endpoint.finish_bodies for endpoint in endpoints])

    async def stop(self) -> None:
        """Stop everything, newest first; raise the first error after everything is stopped."""
        if errors := await self._stop_all():
            add_notes(errors[0], errors[1:])
            raise errors[0]

    async def _stop_all(self) -> list[BaseException]:
        await self._reload_queue.cancel()
        self._started = None
        errors = await self._endpoints.stop()
        if self._attachment:
            self._attachment.router.mount({})
        errors += await self._generation.stop_all()
        await self._replaced.stop()
        errors += await self.plugins.call_stop_hook(self) if self._running else []
        errors += await stop_state(self._shared_state, self.plugins)
        self._running = False
        return errors

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self.drain()
        finally:
            await self.stop()

    def asgi(self) -> AsgiApplication:
        """Return the HTTP exposers as an ASGI 3 application; raise `ProblemsError` if two have the same URL."""
        if self._attachment is not None:
            raise StartError("the host is already served inside another application; make another host")
        return AsgiApplication(self)

    def attach_to(self, attachment: Attachment) -> None:
        """Serve inside an application from the next start on."""
        self._attachment = attachment

    async def call(self, name: str, arguments: Arguments | None = None, **caller: Unpack[Caller]) -> Result:
        """Call an exposed or consumed operation by `namespace.name`; the `principal` and others are for wrappers.

        Raise `OperationError`; `NotFoundError` if the name is unknown or ambiguous.
        """
        return await call_by_name(self.plans, name, arguments or {}, caller, self.settings.response_limit)


HOST: Final = web.AppKey("adapter_host", Host)
"""The key of the host in an application: one that a host is attached to, or the application of a served exposer."""
