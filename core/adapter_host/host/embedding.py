"""Serve a host inside another aiohttp application."""

from __future__ import annotations

from aiohttp import web

from adapter_host.server.router import RootRouter, pass_through

from .attachment import Attachment
from .host import HOST, Host


def attach(app: web.Application, host: Host, *, prefix: str = "") -> None:
    """Serve a host's HTTP exposers inside `app`, each below `prefix` and its namespace.

    The app's own start-up, shutdown and cleanup signals start, drain and stop the host. The host opens no port, handles
    no process signals and does not configure logging. Raise `ProblemsError` if two exposers would have the same URL.
    """
    prefix = prefix.rstrip("/")
    attachment = Attachment(RootRouter(prefix), prefix)
    attachment.mounts(host.plans)
    host.attach_to(attachment)
    attachment.router.register(app)
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
