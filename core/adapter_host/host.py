"""The host: runs plans. Start, drain and stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from .adapters import ConsumedOperation, Exposer
from .declaration import Declaration
from .document.source import Source
from .errors import NotFoundError, Problem, ProblemsError, StartError
from .gate import Gate
from .listeners import Listener, Mount, lay_out, mounts, set_prefixes
from .load import declare, find_documents
from .operation import Arguments, Operation, Result
from .plan import Plan, build
from .plugins import Plugins
from .settings import Settings

Document = str | Path | Mapping[str, Any]
"""A capability to serve: a file, a folder of files, or the document's data itself."""

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
        self.plans = _build_all(documents, self.plugins, self.settings)
        self._listeners: list[Listener] = []
        self._started: list[Callable[[], Awaitable[None]]] = []

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What was tolerated in the documents."""
        return tuple(problem for plan in self.plans for problem in plan.declaration.problems)

    @property
    def calls(self) -> int:
        """The calls in progress."""
        return sum(gate.calls for gate in self._gates())

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """Every exposer with the URL it is served at."""
        urls = {id(mount.exposer): listener.url(mount) for listener in self._listeners for mount in listener.mounts}
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

    async def start(self, *, listen: bool = True) -> None:
        """Start consumers, then exposers, then listeners; what had started is stopped again when one fails."""
        if self._started:
            raise StartError("the host is started already")
        self._refuse_unresolved()
        for gate in self._gates():
            gate.open()
        try:
            await self._start(lay_out(self.plans, self.settings) if listen else [])
        except BaseException as error:
            _note(error, await self._unwind())
            raise

    async def _start(self, listeners: list[Listener]) -> None:
        for plan in self.plans:
            for consumer in plan.consumers:
                self._started.append(consumer.stop)
                await consumer.start()
        for exposer in self._exposers():
            self._started.append(exposer.stop)
            await exposer.start()
        self._listeners = listeners
        for listener in listeners:
            self._started.append(listener.stop)
            await listener.start(self.settings)

    async def _unwind(self) -> list[BaseException]:
        """Stop what had started, newest first; an error, or being cancelled, keeps none of it from being stopped."""
        errors: list[BaseException] = []
        while self._started:
            stop = self._started.pop()
            try:
                await stop()
            except BaseException as error:
                errors.append(error)
        self._listeners = []
        return errors

    def _gates(self) -> list[Gate]:
        return [exposer_plan.gate for plan in self.plans for exposer_plan in plan.exposers]

    def _exposers(self) -> list[Exposer[Any]]:
        return [exposer_plan.exposer for plan in self.plans for exposer_plan in plan.exposers]

    def _refuse_unresolved(self) -> None:
        unresolved = [problem for plan in self.plans for problem in plan.declaration.unresolved.values()]
        if unresolved:
            raise ProblemsError(unresolved)

    async def drain(self) -> None:
        """Take nothing new and wait, up to the drain timeout, for the calls in progress to end."""
        for listener in self._listeners:
            await listener.stop_accepting()
        for exposer in self._exposers():
            try:
                # Foreign code: its error must not cut off the others' calls in progress.
                await exposer.drain()
            except Exception:
                _log.exception("exposer '%s' failed to drain", exposer.config.namespace)
        for gate in self._gates():
            gate.close()
        try:
            async with asyncio.timeout(self.settings.drain_timeout):
                for gate in self._gates():
                    await gate.idle()
        except TimeoutError:
            _log.warning("drain timeout: %d calls in progress are cut off", self.calls)

    async def stop(self) -> None:
        """Stop everything, newest first; all is stopped before the first error is raised."""
        for gate in self._gates():
            gate.close()
        errors = await self._unwind()
        if errors:
            _note(errors[0], errors[1:])
            raise errors[0]

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
            for exposer in self._exposers()
            for operation in exposer.operations.values()
            if name == f"{exposer.config.namespace}.{operation.name}"
        ]

    def _consumed(self, name: str) -> Sequence[Operation | ConsumedOperation]:
        return [operation for plan in self.plans for operation in plan.consumed if name in operation.names]


HOST: Final = web.AppKey("adapter_host", Host)
"""Where an application keeps the host that is attached to it."""


def attach(app: web.Application, host: Host, *, prefix: str = "") -> None:
    """Serve a host's HTTP exposers inside `app`, each below `prefix` and its namespace.

    Start, drain and stop hang on the app's own signals; nothing listens, no signal is taken, no logging is set up.
    """
    attached = mounts(host.plans)
    if clashes := _clashes(attached, "in one application"):
        raise ProblemsError(clashes)
    set_prefixes(attached, prefix.rstrip("/"))

    async def start(_: web.Application) -> None:
        await host.start(listen=False)

    async def drain(_: web.Application) -> None:
        await host.drain()

    async def stop(_: web.Application) -> None:
        await host.stop()

    for mount in attached:
        app.add_subapp(mount.prefix, mount.app(host.settings, None))
    app.on_startup.append(start)
    app.on_shutdown.append(drain)
    app.on_cleanup.append(stop)
    app[HOST] = host


def _build_all(documents: Sequence[Document], plugins: Plugins, settings: Settings) -> tuple[Plan, ...]:
    problems: list[Problem] = []
    plans: list[Plan] = []
    for source in _sources(documents, problems):
        try:
            plans.append(build(declare(source, plugins, settings), plugins, settings))
        except ProblemsError as error:
            problems.extend(error.problems)
    for listener in lay_out(plans, settings):
        problems.extend(_clashes(listener.mounts, f"on port {listener.port}"))
    if any(not problem.warning for problem in problems):
        raise ProblemsError(problems)
    return tuple(plans)


def _sources(documents: Sequence[Document], problems: list[Problem]) -> list[Source]:
    sources = []
    for document in documents:
        if isinstance(document, Mapping):
            sources.append(Source.of(document))
            continue
        found = list(find_documents([document]))
        if not found:
            problems.append(Problem("there is no capability in this folder", str(document), code="no-capability"))
        for path in found:
            try:
                sources.append(Source.read(path))
            except ProblemsError as error:
                problems.extend(error.problems)
    return sources


def _clashes(mounted: Sequence[Mount], where: str) -> list[Problem]:
    """Exposers that would be served under the same URL."""
    found = []
    first: dict[str, Declaration] = {}
    for mount in mounted:
        config, declaration = mount.exposer.config, mount.plan.declaration
        other = first.setdefault(config.namespace, declaration)
        if other is not declaration:
            message = (
                f"'{config.namespace}' is served {where} by {other.source.file} already"
                " (serve one of them by another host, or under another namespace)"
            )
            loc = declaration.loc(config, "namespace")
            found.append(declaration.source.problem(loc, message, code="namespace-clash"))
    return found


def _note(error: BaseException, others: Sequence[BaseException]) -> None:
    for other in others:
        error.add_note(f"and while stopping: {type(other).__name__}: {other}")
