"""Serve a host inside another aiohttp application."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from adapter_host.errors import StartError
from adapter_host.server.router import RootRouter, pass_through

from .attachment import Attachment
from .host import HOST, Host

HOSTS: Final = web.AppKey("adapter_hosts", tuple[Host, ...])
"""The key of all hosts that are attached to an application, in their order."""

_ATTACHMENTS: Final = web.AppKey("adapter_host_attachments", list[Attachment])


def attach(
    app: web.Application, host: Host, *, prefix: str = "", namespaces: bool = True, listen: bool = False
) -> None:
    """Serve a host's HTTP exposers inside `app`, each below `prefix` and its namespace.

    Without `namespaces`, its only HTTP exposer is served at `prefix` itself. With `listen`, exposers that are no HTTP
    exposers open their sockets beside the application; they are refused otherwise.

    The app's own start-up, shutdown and cleanup signals start, drain and stop the host, which handles no process
    signals and does not configure logging. `app[HOSTS]` has all attached hosts, `app[HOST]` the first one. Raise
    `ProblemsError` if two exposers would have the same URL, or for an exposer with a socket; `ValueError` for a prefix
    that is no path; `StartError` if the host is attached already.
    """
    if prefix.strip("/") and not prefix.startswith("/"):
        raise ValueError(f"the prefix '{prefix}' does not begin with '/'; write '/{prefix}'")
    if any(character in prefix for character in "?#{}"):
        raise ValueError(f"the prefix '{prefix}' is no path; leave out '?', '#' and braces")
    if host.attached:
        raise StartError("the host is attached already; create another one")
    prefix = prefix.rstrip("/")
    hosts = app.get(HOSTS, ())
    siblings = app.setdefault(_ATTACHMENTS, [])
    attachment = Attachment(RootRouter(prefix), prefix, siblings, listens=listen, namespaces=namespaces)
    attachment.sockets(host.plans, host.settings)
    attachment.served = attachment.mounts(host.plans)
    siblings.append(attachment)
    host.attach_to(attachment)
    attachment.router.register(app)
    if not hosts:
        app.middlewares.append(pass_through)
        app[HOST] = host
    app[HOSTS] = (*hosts, host)

    async def start(_: web.Application) -> None:
        await host.start(listen=False)

    async def drain(_: web.Application) -> None:
        await host.drain()

    async def stop(_: web.Application) -> None:
        await host.stop()

    app.on_startup.append(start)
    app.on_shutdown.append(drain)
    app.on_cleanup.append(stop)
