"""Exposers mounted under URL prefixes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from adapter_host.auth.credentials import IssuedCredentials
from adapter_host.capability.loaded import LoadedCapability
from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.errors import Problem, ProblemsError
from adapter_host.operation.limiter import InFlightCounter
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.settings import Settings

from .access import access_middleware
from .router import MountedApp, RootRouter, freeze_at


def namespace_clashes(mounts: Sequence[ExposerMount], location: str) -> list[Problem]:
    """Exposers that would be served under the same URL."""
    problems = []
    first: dict[str, LoadedCapability] = {}
    for mount in mounts:
        config, loaded = mount.exposer.config, mount.plan.loaded
        other = first.setdefault(config.namespace, loaded)
        if other is not loaded:
            message = (
                f"'{config.namespace}' is served {location} by {other.source.file} already"
                " (serve one of them by another host, or under another namespace)"
            )
            loc = loaded.loc(config, "namespace")
            problems.append(loaded.source.problem(loc, message, code="namespace-clash"))
    return problems


@dataclass(slots=True)
class ExposerMount:
    """An exposer below its prefix; `prefix` is empty at the root."""

    plan: Plan
    exposer_plan: ExposerPlan
    exposer: HttpExposer[Any]
    prefix: str = ""

    def build_app(
        self,
        settings: Settings,
        address: str | None,
        requests: InFlightCounter,
        register_app: Callable[[web.Application], None],
    ) -> MountedApp:
        """Its application with its door and what plugins put behind it, introduced to the host, ready to be mounted."""
        app = self.exposer.build_app()
        register_app(app)
        own_access = access_middleware(self.exposer_plan.credentials, settings, address, requests)
        middlewares = self.exposer_plan.middlewares
        for middleware in (*reversed(middlewares), own_access):
            app.middlewares.insert(0, middleware)
        freeze_at(app, self.prefix)
        # What plugins put there may ask a request for its application, which a shortcut does not take it to.
        allows_shortcut = not middlewares and _has_shortcut(type(self.exposer))
        return MountedApp(app, own_access, self.exposer.direct_handler if allows_shortcut else None)


def _has_shortcut(exposer: type[HttpExposer[Any]]) -> bool:
    """Whether `direct_handler` is made for the very application that `build_app` gives."""
    owners = [
        next(parent for parent in exposer.mro() if name in vars(parent)) for name in ("direct_handler", "build_app")
    ]
    return owners[0] is not HttpExposer and issubclass(owners[0], owners[1])


def metadata_app(
    mounts: Iterable[ExposerMount], settings: Settings, address: str | None, requests: InFlightCounter
) -> MountedApp | None:
    """Return the application that publishes the exposers' metadata, or None when there is none."""
    documents: dict[str, bytes] = {}
    for mount in mounts:
        credentials = mount.exposer_plan.credentials
        if isinstance(credentials, IssuedCredentials):
            documents = {**credentials.documents(f"{mount.prefix}{mount.exposer.endpoint}"), **documents}
    if not documents:
        return None

    async def serve_document(request: web.Request) -> web.Response:
        return web.Response(body=documents[request.path], content_type="application/json")

    own_access = access_middleware(None, settings, address, requests)
    app = web.Application(middlewares=[own_access])
    for path in documents:
        app.router.add_get(path, serve_document)
    app.freeze()
    return MountedApp(app, own_access)


def mounts(plans: Iterable[Plan]) -> list[ExposerMount]:
    """Every HTTP exposer of the plans, at its root."""
    return [
        ExposerMount(plan, exposer_plan, exposer_plan.exposer)
        for plan in plans
        for exposer_plan in plan.exposers
        if isinstance(exposer_plan.exposer, HttpExposer) and not exposer_plan.exposer.stdio
    ]


def set_prefixes(mounts: Sequence[ExposerMount], root: str = "") -> None:
    """Put each mount below its namespace."""
    for mount in mounts:
        mount.prefix = f"{root}/{mount.exposer.config.namespace}"


@dataclass(frozen=True, slots=True)
class Attachment:
    """An application that serves the host's exposers below a prefix."""

    router: RootRouter
    prefix: str

    def mounts(self, plans: Iterable[Plan]) -> list[ExposerMount]:
        """Return HTTP exposers of the plans, each below its namespace; raises `ProblemsError` when two would be one."""
        http_mounts = mounts(plans)
        if problems := namespace_clashes(http_mounts, "in one application"):
            raise ProblemsError(problems)
        set_prefixes(http_mounts, self.prefix)
        return http_mounts
