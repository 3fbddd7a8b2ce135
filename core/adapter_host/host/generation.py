"""One generation of plans: everything that is started, drained and stopped together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from adapter_host.auth.credentials import IssuedCredentials
from adapter_host.compiler.http_paths import ORIGIN_ROOT
from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.document.messages import count_noun
from adapter_host.errors import Problem, ProblemsError
from adapter_host.operation.limiter import CallLimiter, InFlightCounter
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.plugin.step_type import StepType
from adapter_host.server.endpoint import Key
from adapter_host.server.listener import Listener
from adapter_host.server.mounts import ExposerMount, origin_app
from adapter_host.server.router import MountedApp
from adapter_host.server.socket_listener import SocketExposer
from adapter_host.settings import Settings

from .draining import drain_exposer, exposer_label, unfinished

if TYPE_CHECKING:
    from aiohttp import web

_log = logging.getLogger("adapter_host")


class _Startable(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Generation:
    """Plans that start, drain and stop together; each reload creates a new generation."""

    def __init__(
        self,
        plans: Sequence[Plan],
        settings: Settings,
        register_app: Callable[[web.Application], None],
        skipped: Sequence[Problem] = (),
    ) -> None:
        self.plans = tuple(plans)
        self.number = 1
        self._skipped = tuple(skipped)
        self._register_app = register_app
        self.requests = InFlightCounter()
        self.draining = False
        self._settings = settings
        self._started: list[tuple[str, Callable[[], Awaitable[None]]]] = []

    @property
    def exposers(self) -> list[ExposerPlan]:
        """The exposers of all plans."""
        return [exposer_plan for plan in self.plans for exposer_plan in plan.exposers]

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings of all documents."""
        return (*self._skipped, *(problem for plan in self.plans for problem in plan.loaded.diagnostics.problems))

    @property
    def step_types(self) -> dict[str, tuple[StepType[Any], ...]]:
        """The step types of plugins, by type; one for each plan that uses it."""
        by_type: dict[str, tuple[StepType[Any], ...]] = {}
        for plan in self.plans:
            for name, step_type in plan.step_types.items():
                by_type[name] = (*by_type.get(name, ()), step_type)
        return by_type

    @property
    def limiters(self) -> list[CallLimiter]:
        """The call limiters of all exposers, also of included ones that are not served."""
        return [each.limiter for plan in self.plans for each in (*plan.exposers, *plan.included)]

    @property
    def calls(self) -> int:
        """The number of calls in flight."""
        return sum(limiter.calls for limiter in self.limiters)

    def require_secrets(self) -> None:
        """Raise `ProblemsError` if a secret is missing; with `skip_invalid`, everything that needs it is left out."""
        if self._settings.skip_invalid:
            return
        unresolved = [problem for plan in self.plans for problem in plan.loaded.secrets.unresolved.values()]
        if unresolved:
            raise ProblemsError(dict.fromkeys(unresolved))

    async def start(self, sockets: Sequence[SocketExposer]) -> None:
        """Start consumers and step types, then exposers; if one fails, `discard` stops those already started.

        `sockets` are the exposers whose sockets are open, which start last; others with sockets do not start.
        """
        self.draining = False
        for limiter in self.limiters:
            limiter.open()
        for plan in self.plans:
            for consumer in plan.consumers:
                await self._start_part(f"consumer '{consumer.config.namespace}'", consumer)
            for name, step_type in plan.step_types.items():
                await self._start_part(f"step type '{name}'", step_type)
        for exposer_plan in self.exposers:
            if isinstance(exposer_plan.credentials, IssuedCredentials):
                await self._start_part(f"credentials of {exposer_label(exposer_plan)}", exposer_plan.credentials)
            if isinstance(exposer_plan.exposer, HttpExposer) or not exposer_plan.exposer.context.sockets:
                await self._start_exposer(exposer_plan)
        for socket_exposer in sockets:
            await self._start_exposer(socket_exposer.exposer_plan)
            socket_exposer.require_served()

    async def _start_exposer(self, exposer_plan: ExposerPlan) -> None:
        # Servers of exposers that open no scope for each call run in the scope of their start.
        with exposer_plan.site.calls():
            await self._start_part(exposer_label(exposer_plan), exposer_plan.exposer)

    async def _start_part(self, label: str, part: _Startable) -> None:
        self._started.append((label, part.stop))
        try:
            await part.start()
        except Exception as error:
            error.add_note(f"while starting {label}")
            raise

    async def start_listeners(self, listeners: Sequence[Listener]) -> dict[Key, dict[str, MountedApp]]:
        """Start the applications of listeners; return those of each by its key."""
        return {listener.key: await self.start_apps(listener.mounts, listener) for listener in listeners}

    async def start_apps(
        self, mounts: Sequence[ExposerMount], listener: Listener | None = None
    ) -> dict[str, MountedApp]:
        """Start the applications of mounts; return them by prefix, with paths of the origin under `ORIGIN_ROOT`."""
        apps = {}
        address = None if listener is None else listener.address
        for mount in mounts:
            mount.set_public_url(self._settings, None if listener is None or listener.path else listener.url(mount))
            mounted = mount.build_app(self._settings, address, self.requests, self._register_app)
            self._started.append((exposer_label(mount.exposer_plan), mounted.app.cleanup))
            await mounted.app.startup()
            apps[mount.prefix] = mounted
        origin = origin_app(mounts, apps, self._settings, address, self.requests)
        return apps if origin is None else {**apps, ORIGIN_ROOT: origin}

    async def release_exclusive(self) -> None:
        """Stop the exposers of which only one can run, after their calls, so that another generation can start its own.

        `resume_exclusive` starts them again.
        """
        for exposer_plan in self._exclusive():
            exposer_plan.limiter.close()
            await self._finish_calls([exposer_plan])
            self._started = [(label, stop) for label, stop in self._started if stop != exposer_plan.exposer.stop]
            try:
                # Third-party code: its error must not leave other exposers stopped.
                await exposer_plan.exposer.stop()
            except Exception:
                _log.exception("%s failed to stop for a reload", exposer_label(exposer_plan))

    async def resume_exclusive(self) -> None:
        """Start the exposers again that `release_exclusive` stopped."""
        for exposer_plan in self._exclusive():
            exposer_plan.limiter.open()
            if any(stop == exposer_plan.exposer.stop for _, stop in self._started):
                continue
            for declaration in exposer_plan.exposer.context.sockets:
                declaration.reset()
            try:
                # Third-party code: its error must not leave other exposers stopped.
                await self._start_exposer(exposer_plan)
            except Exception:
                _log.exception("%s failed to start again after a failed reload", exposer_label(exposer_plan))

    def _exclusive(self) -> list[ExposerPlan]:
        return [plan for plan in self.exposers if plan.exposer.exclusive]

    async def drain_and_stop(self) -> None:
        """Stop a replaced generation after its requests in flight, at most after the drain timeout."""
        for exposer_plan in self.exposers:
            try:
                # Third-party code: its error must not prevent the stop.
                exposer_plan.exposer.notify_reload()
            except Exception:
                _log.exception("%s failed to announce a reload", exposer_label(exposer_plan))
        try:
            await self.drain(self._idle)
        finally:
            await self.stop_and_log()

    async def _idle(self) -> None:
        await self.requests.idle()
        await self._wait_for_calls()

    async def stop_and_log(self) -> None:
        """Stop everything, and log errors."""
        for label, error in await self._stop_each():
            _log.error("%s failed to stop after a reload", label, exc_info=error)

    async def drain(
        self,
        idle: Callable[[], Awaitable[None]] | None = None,
        finish_bodies: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """Refuse new calls and wait for `idle` (default: all calls), at most for the drain timeout.

        With `idle`, calls are refused only by the stop: those on connections that exposers accept themselves continue.
        `finish_bodies` wait for requests whose bodies are not complete: their calls are not new, although not begun.
        """
        drains = [asyncio.create_task(drain_exposer(exposer_plan)) for exposer_plan in self.exposers]
        # An exposer with connections of its own may wait for them; its calls are new until it has begun to.
        pending = await unfinished(drains, 0)
        try:
            async with asyncio.timeout(self._settings.drain_timeout):
                if idle is not None:
                    pending = await unfinished(pending, None)
                for finish in finish_bodies:
                    await finish()
                if idle is None:
                    self._refuse_calls()
                await (idle or self._wait_for_calls)()
                await unfinished(pending, None)
        except TimeoutError:
            if idle is None:
                self._refuse_calls()
            _log.warning("drain timeout: cancelling %s in flight", count_noun(self.calls, "call"))
        finally:
            for task in drains:
                task.cancel()
            await asyncio.gather(*drains, return_exceptions=True)

    def _refuse_calls(self) -> None:
        self.draining = True
        for limiter in self.limiters:
            limiter.close()

    async def _wait_for_calls(self) -> None:
        for limiter in self.limiters:
            await limiter.idle()

    def add_stop(self, label: str, stop: Callable[[], Awaitable[None]]) -> None:
        """Register something to be stopped first by `stop_all`; `label` names it in errors."""
        self._started.append((label, stop))

    async def discard(self) -> list[BaseException]:
        """Stop a generation that failed to start, and return the errors.

        Its exposers may have accepted connections on sockets that they share with those of the old generation.
        """
        accepting = [
            each for each in self.exposers if any(socket.duplicated for socket in each.exposer.context.sockets)
        ]
        await self._finish_calls(accepting)
        return await self.stop_all()

    async def _finish_calls(self, exposers: Iterable[ExposerPlan]) -> None:
        """Drain exposers and wait for their calls, at most for the drain timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_timeout):
                for exposer_plan in exposers:
                    await drain_exposer(exposer_plan)
                    await exposer_plan.limiter.idle()

    async def stop_all(self) -> list[BaseException]:
        """Stop everything that was started, newest first, and return the errors; also complete if cancelled."""
        stopped = await self._stop_each()
        for label, error in stopped:
            error.add_note(f"while stopping {label}")
        return [error for _, error in stopped]

    async def _stop_each(self) -> list[tuple[str, BaseException]]:
        self._refuse_calls()
        for limiter in self.limiters:
            limiter.cut_off()
        errors: list[tuple[str, BaseException]] = []
        while self._started:
            label, stop = self._started.pop()
            try:
                await stop()
            except BaseException as error:
                errors.append((label, error))
        return errors


def add_notes(error: BaseException, others: Sequence[BaseException]) -> None:
    """Attach the other errors, and what was stopped, as notes to the error that is raised."""
    for other in others:
        place = next(iter(getattr(other, "__notes__", ())), "while stopping")
        error.add_note(f"and {place}: {type(other).__name__}: {other}")
