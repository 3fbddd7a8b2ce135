"""One generation of plans: everything that is started, drained and stopped together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from adapter_host.auth.credentials import IssuedCredentials
from adapter_host.auth.oauth2.metadata import WELL_KNOWN
from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.document.messages import count_noun
from adapter_host.errors import NotFoundError, Problem, ProblemsError
from adapter_host.operation.limiter import CallLimiter, InFlightCounter
from adapter_host.operation.operation import ConsumedOperation, Operation
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.plugin.step_type import StepType
from adapter_host.server.mounts import ExposerMount, metadata_app
from adapter_host.server.router import MountedApp
from adapter_host.settings import Settings

if TYPE_CHECKING:
    from aiohttp import web

_log = logging.getLogger("adapter_host")


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
        self._skipped = tuple(skipped)
        self._register_app = register_app
        self.requests = InFlightCounter()
        self.draining = False
        self._settings = settings
        self._started: list[Callable[[], Awaitable[None]]] = []

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

    def operation(self, name: str) -> Operation | ConsumedOperation:
        """Return the exposed, or else the consumed, operation `namespace.name`; raise `NotFoundError`."""
        exposed = [
            operation
            for exposer_plan in self.exposers
            for operation in exposer_plan.exposer.operations.values()
            if name == f"{exposer_plan.exposer.config.namespace}.{operation.name}"
        ]
        consumed = [operation for plan in self.plans for operation in plan.consumed if name in operation.names]
        matches: Sequence[Operation | ConsumedOperation] = exposed or consumed
        if len(matches) != 1:
            raise NotFoundError(f"several operations are named '{name}'" if matches else f"unknown operation '{name}'")
        return matches[0]

    @property
    def limiters(self) -> list[CallLimiter]:
        """The call limiters of all exposers."""
        return [exposer_plan.limiter for exposer_plan in self.exposers]

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

    async def start(self) -> None:
        """Start consumers and step types, then exposers; if one fails, stop those already started."""
        self.draining = False
        for limiter in self.limiters:
            limiter.open()
        try:
            for plan in self.plans:
                for consumer in plan.consumers:
                    self._started.append(consumer.stop)
                    await consumer.start()
                for step_type in plan.step_types.values():
                    self._started.append(step_type.stop)
                    await step_type.start()
            for exposer_plan in self.exposers:
                if isinstance(exposer_plan.credentials, IssuedCredentials):
                    self._started.append(exposer_plan.credentials.stop)
                    await exposer_plan.credentials.start()
                self._started.append(exposer_plan.exposer.stop)
                await exposer_plan.exposer.start()
        except BaseException as error:
            add_notes(error, await self.stop_all())
            raise

    async def start_apps(self, mounts: Sequence[ExposerMount], address: str | None) -> dict[str, MountedApp]:
        """Start the applications of mounts; return them by prefix, with their metadata under `WELL_KNOWN`."""
        apps = {}
        for mount in mounts:
            mounted = mount.build_app(self._settings, address, self.requests, self._register_app)
            self._started.append(mounted.app.cleanup)
            await mounted.app.startup()
            apps[mount.prefix] = mounted
        metadata = metadata_app(mounts, self._settings, address, self.requests)
        return apps if metadata is None else {**apps, WELL_KNOWN: metadata}

    async def release_listeners(self) -> None:
        """Release the ports of exposers with their own listeners, so that another generation can open them."""
        for exposer_plan in self._self_listening():
            await exposer_plan.exposer.drain()
            await exposer_plan.exposer.stop()

    async def reopen_listeners(self) -> None:
        """Open again the ports that `release_listeners` released."""
        for exposer_plan in self._self_listening():
            await exposer_plan.exposer.start()

    def _self_listening(self) -> list[ExposerPlan]:
        return [plan for plan in self.exposers if not isinstance(plan.exposer, HttpExposer)]

    async def drain_and_stop(self) -> None:
        """Stop a replaced generation after its requests in flight, at most after the drain timeout."""
        for exposer_plan in self.exposers:
            try:
                # Third-party code: its error must not prevent the stop.
                exposer_plan.exposer.notify_reload()
            except Exception:
                _log.exception("exposer '%s' failed to announce a reload", exposer_plan.exposer.config.namespace)
        try:
            await self.drain(self.requests.idle)
        finally:
            for error in await self.stop_all():
                _log.error("an adapter failed to stop after a reload", exc_info=error)

    async def drain(
        self,
        idle: Callable[[], Awaitable[None]] | None = None,
        finish_bodies: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """Refuse new calls and wait for `idle` (default: all calls), at most for the drain timeout.

        `finish_bodies` wait for requests whose bodies are not complete: their calls are not new, although not begun.
        """
        await self._drain_exposers()
        try:
            async with asyncio.timeout(self._settings.drain_timeout):
                for finish in finish_bodies:
                    await finish()
                if idle is None:
                    self._refuse_calls()
                await (idle or self._wait_for_calls)()
        except TimeoutError:
            if idle is None:
                self._refuse_calls()
            _log.warning("drain timeout: cancelling %s in flight", count_noun(self.calls, "call"))

    def _refuse_calls(self) -> None:
        self.draining = True
        for limiter in self.limiters:
            limiter.close()

    async def _wait_for_calls(self) -> None:
        for limiter in self.limiters:
            await limiter.idle()

    async def _drain_exposers(self) -> None:
        for exposer_plan in self.exposers:
            try:
                # Third-party code: its error must not affect calls of other exposers.
                await exposer_plan.exposer.drain()
            except Exception:
                _log.exception("exposer '%s' failed to drain", exposer_plan.exposer.config.namespace)

    def add_stop(self, stop: Callable[[], Awaitable[None]]) -> None:
        """Register something to be stopped first by `stop_all`."""
        self._started.append(stop)

    async def stop_all(self) -> list[BaseException]:
        """Stop everything that was started, newest first, and return the errors; also complete if cancelled."""
        self._refuse_calls()
        errors: list[BaseException] = []
        while self._started:
            stop = self._started.pop()
            try:
                await stop()
            except BaseException as error:
                errors.append(error)
        return errors


def add_notes(error: BaseException, others: Sequence[BaseException]) -> None:
    """Attach the other errors as notes to the error that is raised."""
    for other in others:
        error.add_note(f"and while stopping: {type(other).__name__}: {other}")
