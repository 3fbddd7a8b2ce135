"""Exposers mounted under URL prefixes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from adapter_host.auth.credentials import IssuedCredentials
from adapter_host.capability.spec import HttpExposerConfig
from adapter_host.compiler.plan import ExposerPlan, Plan
from adapter_host.operation.callers import CallSite
from adapter_host.operation.limiter import InFlightCounter
from adapter_host.plugin.exposer import HttpExposer
from adapter_host.settings import Settings

from .access import access_middleware
from .access_log import record_site
from .connection.requests import complete_headers
from .http_errors import problem_middleware
from .problem_json import SERVER
from .refusals import ReportRefusal, refusal_reporter
from .router import MountedApp, freeze_at


@dataclass(slots=True)
class ExposerMount:
    """An exposer at a URL prefix, which is empty at the root."""

    plan: Plan
    exposer_plan: ExposerPlan
    exposer: HttpExposer[Any]
    prefix: str = ""

    @property
    def config(self) -> HttpExposerConfig:
        """The model that has the address and port."""
        config: HttpExposerConfig = self.exposer.config
        return config

    def set_public_url(self, settings: Settings, url: str | None) -> None:
        """Set the URL for clients; `url` is that of the listener, None in another application."""
        urls, exposer = settings.public_urls, self.exposer
        if (own := urls.get(exposer.config.namespace)) is not None:
            url = f"{own.rstrip('/')}{exposer.endpoint}"
        elif (shared := urls.get("")) is not None:
            url = f"{shared.rstrip('/')}{self.prefix}{exposer.endpoint}"
        exposer.public_url = url

    def build_app(
        self,
        settings: Settings,
        address: str | None,
        requests: InFlightCounter,
        register_app: Callable[[web.Application], None],
    ) -> MountedApp:
        """Return the exposer's application with the access check and the middlewares of plugins, frozen."""
        app = self.exposer.build_app()
        register_app(app)
        own_access = access_middleware(
            self.exposer_plan.credentials,
            settings,
            address,
            requests,
            site=self.exposer_plan.site,
            decodes_bodies=type(self.exposer).decodes_bodies,
            public_paths=self._public_paths(),
            report=self.refusal_reporter(settings),
        )
        if settings.access_log is not None:
            own_access = record_site(own_access, self.exposer_plan.site, self.prefix, self.exposer.endpoint)
        middlewares = self.exposer_plan.middlewares
        for middleware in (*reversed(middlewares), own_access):
            app.middlewares.insert(0, middleware)
        if address is None:
            app.on_response_prepare.append(complete_headers)
        freeze_at(app, self.prefix)
        # A middleware may need `request.app`, which a direct handler does not set.
        use_direct_handler = not middlewares and _has_direct_handler(type(self.exposer))
        checks = (own_access, *middlewares)
        routes = self.exposer.origin_routes()
        origin_routes = {path: _through(checks, handler) for path, handler in routes.items()}
        direct_handler = self.exposer.direct_handler if use_direct_handler else None
        return MountedApp(app, own_access, direct_handler, origin_routes)

    def refusal_reporter(self, settings: Settings) -> ReportRefusal | None:
        """Return the function that reports refused requests, None if no plugin observes them."""
        return refusal_reporter(self.exposer_plan, self.exposer, self.prefix, settings.trusted_proxies)

    def _public_paths(self) -> frozenset[str]:
        """Return the paths without credentials, from the origin."""
        public = self.exposer.public_paths
        return frozenset({*(f"{self.prefix}{path}" for path in public), *(public & self.exposer_plan.origin_paths)})


def _has_direct_handler(exposer: type[HttpExposer[Any]]) -> bool:
    """Return True if `direct_handler` is not older in the class hierarchy than `build_app`."""
    owners = [
        next(parent for parent in exposer.mro() if name in vars(parent)) for name in ("direct_handler", "build_app")
    ]
    return owners[0] is not HttpExposer and issubclass(owners[0], owners[1])


def origin_app(
    mounts: Iterable[ExposerMount],
    apps: Mapping[str, MountedApp],
    settings: Settings,
    address: str | None,
    requests: InFlightCounter,
) -> MountedApp | None:
    """Return the application of paths at the origin, or None without any.

    It publishes the metadata of protected resources, and the `origin_routes` of exposers, whose `apps` are by prefix.
    """
    documents: dict[str, Handler] = {}
    routes: dict[str, Handler] = {}
    for mount in mounts:
        credentials = mount.exposer_plan.credentials
        if isinstance(credentials, IssuedCredentials):
            report = mount.refusal_reporter(settings)
            access = access_middleware(None, settings, address, requests, site=CallSite(), report=report)
            for path, body in credentials.documents(f"{mount.prefix}{mount.exposer.endpoint}").items():
                documents.setdefault(path, _through([access], _document_handler(body)))
        routes.update(apps[mount.prefix].origin_routes)
    if not documents and not routes:
        return None
    routes.update(documents)
    app = web.Application(middlewares=[problem_middleware])
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    app.freeze()
    return MountedApp(app, access_middleware(None, settings, address, requests, site=CallSite()))


def _document_handler(body: bytes) -> Handler:
    async def serve(_: web.Request) -> web.Response:
        headers = {"Server": SERVER, "X-Content-Type-Options": "nosniff"}
        return web.Response(body=body, content_type="application/json", headers=headers)

    return serve


def _through(middlewares: Iterable[Middleware], handler: Handler) -> Handler:
    """Return a handler behind middlewares, the outermost first."""
    for middleware in reversed(tuple(middlewares)):
        handler = update_wrapper(partial(middleware, handler=handler), handler)
    return handler


def mounts(plans: Iterable[Plan]) -> list[ExposerMount]:
    """Return a mount at the root for each HTTP exposer."""
    return [
        ExposerMount(plan, exposer_plan, exposer_plan.exposer)
        for plan in plans
        for exposer_plan in plan.exposers
        if isinstance(exposer_plan.exposer, HttpExposer) and not exposer_plan.exposer.stdio
    ]


def set_prefixes(mounts: Sequence[ExposerMount], root: str = "") -> None:
    """Set the prefix of each mount to its namespace, below `root`."""
    for mount in mounts:
        mount.prefix = f"{root}/{mount.exposer.config.namespace}"
