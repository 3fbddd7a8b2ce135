"""The host: runs plans. Start, drain and stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from .adapters import ConsumedOperation, Exposer, HttpExposer
from .attachment import Attachment
from .building import Document, build_all
from .errors import NotFoundError, Problem, StartError
from .generation import Generation, note
from .listeners import Key, Listener, SharedPorts, lay_out
from .operation import Arguments, Operation, Result
from .plan import Plan
from .plugins import Plugins
from .settings import Settings
from .switch import Entrance, pass_through

_log = logging.getLogger("adapter_host")


@dataclass(frozen=True, slots=True)
class Exposure:
    """One exposer as it is served; `url` is None for what has none."""

    capability: str
    namespace: str
    type: str
    url: str | None
    authentication: str
    operations: int
    exposer: Exposer[Any]


class Host:
    """Capabilities, loaded and built; an async context manager that serves them.

    Raises `ProblemsError` for documents that cannot run, all problems at once; entering it raises `StartError` when a
    port is taken and `ProblemsError` when a secret is missing.
    """

    def __init__(self, *documents: Document, plugins: Plugins | None = None, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.plugins = plugins or Plugins.installed()
        self._documents = documents
        self._generation = self._build(documents)
        self._running = False
        self._listeners: dict[Key, Listener] = {}
        self._ports: SharedPorts | None = None
        self._reserved: list[Listener] = []
        self._attachment: Attachment | None = None
        self._reloading = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    def _build(self, documents: Sequence[Document]) -> Generation:
        return Generation(build_all(documents, self.plugins, self.settings), self.settings)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The capabilities as they are served, compiled."""
        return self._generation.plans

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What was tolerated in the documents."""
        return tuple(problem for plan in self.plans for problem in plan.declaration.problems)

    @property
    def calls(self) -> int:
        """The calls in progress."""
        return self._generation.calls

    @property
    def draining(self) -> bool:
        """Whether new calls are refused, since the host drains or is not started."""
        return not self._running or self._generation.draining

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """Every exposer with the URL it is served at."""
        listeners = self._listeners.values() or self._reserved
        urls = {id(mount.exposer): listener.url(mount) for listener in listeners for mount in listener.mounts}
        return tuple(
            Exposure(
                capability=plan.declaration.capability.label,
                namespace=exposer_plan.exposer.config.namespace,
                type=exposer_plan.exposer.config.type,
                url=urls.get(id(exposer_plan.exposer)) or exposer_plan.exposer.url,
                authentication=exposer_plan.credentials.kind if exposer_plan.credentials else "none",
                operations=len(exposer_plan.exposer.operations),
                exposer=exposer_plan.exposer,
            )
            for plan in self.plans
            for exposer_plan in plan.exposers
        )

    def refuse_unresolved(self) -> None:
        """Raise `ProblemsError` when a secret is missing, as a start would."""
        self._generation.refuse_unresolved()

    def reserve(self, ports: SharedPorts) -> None:
        """Take the ports that the capabilities ask for, without listening; whatever is forked from here shares them.

        Raises `StartError` when one is taken, and for exposers that listen for themselves.
        """
        for exposure in self.exposures:
            if not isinstance(exposure.exposer, HttpExposer):
                message = f"'{exposure.namespace}' ({exposure.type}) listens for itself, so one process has to serve it"
                raise StartError(message)
        self._reserved = lay_out(self.plans, self.settings)
        ports.take(self._reserved)
        self._ports = ports

    async def start(self, *, listen: bool = True) -> None:
        """Start consumers, then exposers, then listeners; what had started is stopped again when one fails."""
        if self._running:
            raise StartError("the host is started already")
        self.refuse_unresolved()
        self._running = True
        try:
            await self._generation.start()
            await self._serve(self._generation, lay_out(self.plans, self.settings) if listen else [])
        except BaseException as error:
            note(error, await self._unwind())
            raise

    async def _serve(self, generation: Generation, wanted: Sequence[Listener]) -> None:
        """Let listeners, and an application that the host is attached to, serve a generation from now on."""
        opened = []
        try:
            for listener in wanted:
                if listener.key not in self._listeners:
                    listener.open(self._ports)
                    opened.append(listener)
            mounted = {listener.key: await generation.mounted(listener.mounts, listener.address) for listener in wanted}
            attached = self._attachment.mounts(generation.plans) if self._attachment else []
            mounted_there = await generation.mounted(attached, None)
        except BaseException:
            for listener in opened:
                await listener.stop()
            raise
        # From here on nothing fails and nothing waits until every switch has been thrown.
        for listener in wanted:
            self._listeners.setdefault(listener.key, listener).serve(listener.mounts, mounted[listener.key])
        if self._attachment:
            self._attachment.entrance.mount(mounted_there)
        for listener in opened:
            await listener.start(self.settings)

    async def reload(self, *documents: Document) -> None:
        """Serve other documents, or the same ones as they are now, without failing a request.

        All is built and started before anything is exchanged: when that raises (`ProblemsError`, `StartError`), what
        was served goes on. Calls in progress end in the generation that took them.
        """
        async with self._reloading:
            if not self._running:
                raise StartError("the host is not started")
            old, listen = self._generation, bool(self._listeners)
            new = await asyncio.to_thread(self._build, documents or self._documents)
            new.refuse_unresolved()
            wanted = lay_out(new.plans, self.settings) if listen else []
            await old.pause()
            try:
                await new.start()
                await self._serve(new, wanted)
            except BaseException as error:
                note(error, await new.unwind())
                await old.resume()
                raise
            self._generation, self._documents = new, documents or self._documents
            await self._close_listeners_but({listener.key for listener in wanted})
            self._retire(old)

    async def _close_listeners_but(self, wanted: Collection[Key]) -> None:
        for key in [key for key in self._listeners if key not in wanted]:
            await self._listeners.pop(key).stop()

    def _retire(self, old: Generation) -> None:
        async def retire() -> None:
            try:
                await old.retire()
            finally:
                for error in await old.unwind():
                    _log.error("an adapter failed to stop after a reload", exc_info=error)

        task = asyncio.create_task(retire())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def drain(self) -> None:
        """Take nothing new and wait, up to the drain timeout, for the calls in progress to end."""
        for listener in self._listeners.values():
            await listener.stop_accepting()
        await self._generation.drain()

    async def stop(self) -> None:
        """Stop everything, newest first; all is stopped before the first error is raised."""
        errors = await self._unwind()
        if errors:
            note(errors[0], errors[1:])
            raise errors[0]

    async def _unwind(self) -> list[BaseException]:
        errors: list[BaseException] = []
        while self._listeners:
            _, listener = self._listeners.popitem()
            try:
                await listener.stop()
            except BaseException as error:
                errors.append(error)
        if self._attachment:
            self._attachment.entrance.mount({})
        errors += await self._generation.unwind()
        retiring = list(self._retiring)
        for task in retiring:
            task.cancel()
        await asyncio.gather(*retiring, return_exceptions=True)
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
        """Be served inside an application from the next start on."""
        self._attachment = attachment

    async def call(self, name: str, arguments: Arguments | None = None) -> Result:
        """Call an operation by `namespace.name`, an exposer's (as its callers do) or a consumed one.

        Raises `OperationError`; `NotFoundError` when no single operation has that name.
        """
        found = self._exposed(name) or self._consumed(name)
        if len(found) != 1:
            reason = "several operations are" if found else "no operation is"
            raise NotFoundError(f"{reason} named '{name}'")
        result = await found[0].call(arguments or {})
        return await result.hold(self.settings.answer_limit)

    def _exposed(self, name: str) -> Sequence[Operation | ConsumedOperation]:
        return [
            operation
            for exposer_plan in self._generation.exposers
            for operation in exposer_plan.exposer.operations.values()
            if name == f"{exposer_plan.exposer.config.namespace}.{operation.name}"
        ]

    def _consumed(self, name: str) -> Sequence[Operation | ConsumedOperation]:
        return [operation for plan in self.plans for operation in plan.consumed if name in operation.names]


HOST: Final = web.AppKey("adapter_host", Host)
"""Where an application keeps the host that is attached to it."""


def attach(app: web.Application, host: Host, *, prefix: str = "") -> None:
    """Serve a host's HTTP exposers inside `app`, each below `prefix` and its namespace.

    Start, drain and stop hang on the app's own signals; nothing listens, no signal is taken, no logging is set up.
    Raises `ProblemsError` when two exposers would be served under one URL.
    """
    prefix = prefix.rstrip("/")
    attachment = Attachment(Entrance(prefix), prefix)
    attachment.mounts(host.plans)
    host.attach_to(attachment)
    attachment.entrance.register(app)
    app.middlewares.append(pass_through)

    async def start(_: web.Application) -> None:
        await host.start(listen=False)

    async def drain(_: web.Application) -> None:
        await host.drain()

    async def stop(_: web.Application) -> None:
        await host.stop()

    app.on_startup.append(start)
    app.on_shutdown.append(drain)
    app.on_cleanup.append(stop)
    app[HOST] = host
