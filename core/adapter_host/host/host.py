"""The host: runs plans, from start to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from adapter_host.compiler.plan import Plan
from adapter_host.errors import Problem, ProblemsError, StartError
from adapter_host.operation.operation import Arguments, Result
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.plugin.manager import Plugins
from adapter_host.plugin.step_type import StepType
from adapter_host.server.layout import plan_listeners
from adapter_host.server.listener import Key, Listener
from adapter_host.server.mounts import Attachment
from adapter_host.server.shared_ports import SharedPorts
from adapter_host.settings import Settings

from .generation import Generation, add_notes
from .loading import Document, compile_documents
from .reloads import Reloader, ReloadQueue
from .status import ExposerStatus, exposer_statuses

_log = logging.getLogger("adapter_host")


class Host:
    """Loaded and compiled capabilities; an async context manager that serves them.

    The constructor raises `ProblemsError` with all problems of all documents. Entering raises `StartError` if a port is
    in use, and `ProblemsError` if a secret is missing.
    """

    def __init__(self, *documents: Document, plugins: Plugins | None = None, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.plugins = plugins or Plugins.installed()
        self._documents = documents
        self._shared_state: dict[str, Any] = {}
        self._generation = self._build(documents, self.settings)
        self._running = False
        self._draining = False
        self._started: datetime | None = None
        self._listeners: dict[Key, Listener] = {}
        self._ports: SharedPorts | None = None
        self._reserved_listeners: list[Listener] = []
        self._attachment: Attachment | None = None
        self._reloader = Reloader()
        self._reload_queue = ReloadQueue()
        self._draining_generations: set[asyncio.Task[None]] = set()

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
        return tuple(exposer_statuses(self.plans, self._listeners.values() or self._reserved_listeners, **state))

    def check(self) -> tuple[Problem, ...]:
        """Return all problems that a reload would report, and start nothing; see `check_in_thread` for event loops."""
        try:
            generation = self._build(self._documents, self._reloader.next_settings(self.settings))
            generation.require_secrets()
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
        use, and for exposers with their own listeners.
        """
        for status in self.status():
            if not isinstance(status.exposer, HttpExposer):
                message = f"'{status.namespace}' ({status.type}) has its own listener; serve it without --workers"
                raise StartError(message)
        self._reserved_listeners, self._ports = plan_listeners(self.plans, self.settings), ports
        return ports.reserve(self._reserved_listeners)

    async def start(self, *, listen: bool = True, reloader: Reloader | None = None) -> None:
        """Start consumers, then exposers, then listeners; if one fails, stop those already started.

        Until the next start, `reloader` handles reloads.
        """
        if self._running:
            raise StartError("the host is already started")
        self._reloader = reloader or Reloader()
        self.require_secrets()
        self._running, self._draining = True, False
        try:
            await self._generation.start()
            await self._switch_to(self._generation, plan_listeners(self.plans, self.settings) if listen else [])
        except BaseException as error:
            add_notes(error, await self._stop_all())
            raise
        self._started = datetime.now(UTC)

    async def _switch_to(self, generation: Generation, listeners: Sequence[Listener]) -> None:
        """Serve a generation through listeners, and through the application that the host is attached to."""
        opened = []
        open_listener = self._ports.open if self._ports else Listener.open
        try:
            for listener in listeners:
                if listener.key not in self._listeners:
                    open_listener(listener)
                    opened.append(listener)
            apps = {
                listener.key: await generation.start_apps(listener.mounts, listener.address) for listener in listeners
            }
            mounts = self._attachment.mounts(generation.plans) if self._attachment else []
            attached_apps = await generation.start_apps(mounts, None)
        except BaseException:
            for listener in opened:
                await listener.stop()
            raise
        # Nothing below fails or awaits until all routers are switched, so that requests never see both generations.
        for listener in listeners:
            self._listeners.setdefault(listener.key, listener).serve(listener.mounts, apps[listener.key])
        if self._attachment:
            self._attachment.router.mount(attached_apps)
        for listener in opened:
            await listener.start(self.settings)

    async def reload(self, *documents: Document) -> None:
        """Serve other documents, or the current state of the same ones, without failing a request.

        Everything is compiled and started before it replaces the old generation: if that raises `ProblemsError` or
        `StartError`, the old generation continues. Calls in flight complete in their generation. The reload continues
        if the task that awaits it is cancelled, for example a request whose client disconnects.
        """
        if documents:
            await self.reload_here(*documents)
        else:
            await self._reloader.reload(self.reload_here)

    async def reload_here(self, *documents: Document) -> None:
        """Reload in this process only, without the reloader."""
        await self._reload_queue.run(lambda: self._replace(documents))

    async def _replace(self, documents: Sequence[Document]) -> None:
        if not self.ready:
            raise StartError("the host is draining" if self._draining else "the host is not started")
        old, listen = self._generation, bool(self._listeners)
        settings = self._reloader.next_settings(self.settings)
        new = await self._reload_queue.builds.run(self._build, documents or self._documents, settings)
        new.require_secrets()
        listeners = plan_listeners(new.plans, settings) if listen else []
        await old.release_listeners()
        try:
            await new.start()
            await self._switch_to(new, listeners)
        except BaseException as error:
            add_notes(error, await new.stop_all())
            await old.reopen_listeners()
            raise
        self._generation, self.settings = new, settings
        self._documents = tuple(documents) or self._documents
        removed = self._remove_listeners_except({listener.key for listener in listeners})
        for listener in removed:
            old.add_stop(listener.stop)
        draining = asyncio.create_task(old.drain_and_stop())
        self._draining_generations.add(draining)
        draining.add_done_callback(self._draining_generations.discard)
        for listener in removed:
            await listener.stop_accepting()
        self._reloader.reloaded(self.status())

    def _remove_listeners_except(self, listeners: Collection[Key]) -> list[Listener]:
        return [self._listeners.pop(key) for key in list(self._listeners) if key not in listeners]

    async def drain(self) -> None:
        """Refuse new calls and wait for the calls in flight, at most for the drain timeout.

        During the drain delay, new calls are still accepted while `ready` is already False. Exposers that monitor the
        host (`HttpExposer.monitors_host`) are served until the stop.
        """
        self._draining = True
        await self._reload_queue.cancel()
        if self.settings.drain_delay and self._listeners:
            await asyncio.sleep(self.settings.drain_delay)
        listeners = [listener for listener in self._listeners.values() if not listener.monitors_host]
        for listener in listeners:
            await listener.stop_accepting()
        await self._generation.drain(finish_bodies=[listener.finish_bodies for listener in listeners])

    async def stop(self) -> None:
        """Stop everything, newest first; raise the first error after everything is stopped."""
        errors = await self._stop_all()
        if errors:
            add_notes(errors[0], errors[1:])
            raise errors[0]

    async def _stop_all(self) -> list[BaseException]:
        errors: list[BaseException] = []
        await self._reload_queue.cancel()
        self._started = None
        while self._listeners:
            _, listener = self._listeners.popitem()
            try:
                await listener.stop()
            except BaseException as error:
                errors.append(error)
        if self._attachment:
            self._attachment.router.mount({})
        errors += await self._generation.stop_all()
        for task in self._draining_generations:
            task.cancel()
        await asyncio.gather(*self._draining_generations, return_exceptions=True)
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

    def attach_to(self, attachment: Attachment) -> None:
        """Serve inside an application from the next start on."""
        self._attachment = attachment

    async def call(self, name: str, arguments: Arguments | None = None) -> Result:
        """Call an exposed or consumed operation by `namespace.name`.

        Raise `OperationError`; `NotFoundError` if the name is unknown or ambiguous.
        """
        result = await self._generation.operation(name).call(arguments or {})
        return await result.hold(self.settings.response_limit)


HOST: Final = web.AppKey("adapter_host", Host)
"""The key of the host in an application: one that a host is attached to, or the application of a served exposer."""
